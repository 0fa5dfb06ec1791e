//! A server's answer as received: what reads, writes back to bytes that read the same.
#![no_main]

use fieldgrid_core::wire::sync::Answer;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(answer) = Answer::from_bytes(input) {
        assert_eq!(Answer::from_bytes(&answer.to_bytes()).as_ref(), Ok(&answer));
    }
});
