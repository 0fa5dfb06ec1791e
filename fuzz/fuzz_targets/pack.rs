//! An area pack as downloaded.
#![no_main]

use fieldgrid_core::wire::pack::Pack;
use fieldgrid_core::wire::suite::{KeyPair, Signer};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = Pack::from_file(input, &KeyPair::from_secret(&[7; 32]).public());
});
