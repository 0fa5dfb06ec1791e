//! Many changes in one run of bytes: within the limit, and what unpacks, packs and unpacks again to the same.
#![no_main]

use fieldgrid_core::wire::changes::{pack, unpack};

const LIMIT: usize = 1 << 20;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(run) = unpack(input, LIMIT) {
        assert!(run.changes.iter().map(Vec::len).sum::<usize>() <= LIMIT);
        let changes: Vec<&[u8]> = run.changes.iter().map(Vec::as_slice).collect();
        assert_eq!(unpack(&pack(&changes, &run.rows), usize::MAX).as_ref(), Ok(&run));
    }
});
