//! A batch as received: what reads, writes back to bytes that read the same.
#![no_main]

use fieldgrid_core::wire::batch::Batch;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(batch) = Batch::from_bytes(input) {
        assert_eq!(Batch::from_bytes(&batch.to_bytes()).as_ref(), Ok(&batch));
    }
});
