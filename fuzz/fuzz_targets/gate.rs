//! A stranger's change at the gate: nothing panics, and what passes hurts nobody.
#![no_main]

#[path = "../../core/tests/common/mod.rs"]
mod common;

use std::sync::LazyLock;

use fieldgrid_core::domain::id::Incarnation;
use fieldgrid_core::record::{Record, gate};

static SCENES: LazyLock<Vec<(Record, Incarnation)>> = LazyLock::new(|| (0..16).map(common::scene).collect());

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((scene, body)) = input.split_first() else {
        return;
    };
    let (record, phone) = &SCENES[usize::from(*scene % 16)];
    // With its checksum put right, or the fuzzer would never come past it.
    if let Ok(admitted) = gate::admit(record, &common::chunk(1, body), *phone) {
        common::must_be_unhurt(&admitted.record);
    }
    let _ = gate::inspect(body);
});
