//! A stranger's change at the gate: nothing panics, and what passes hurts nobody.
#![no_main]

#[path = "../../core/tests/common/mod.rs"]
mod common;

use fieldgrid_core::record::gate;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((scene, body)) = input.split_first() else {
        return;
    };
    let (record, phone) = common::scene(*scene);
    // With its checksum put right, or the fuzzer would never come past it.
    if let Ok(admitted) = gate::admit(&record, &common::chunk(1, body), phone) {
        common::must_be_unhurt(&admitted.record);
    }
    let _ = gate::inspect(body);
});
