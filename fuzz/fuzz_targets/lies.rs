#![no_main]

use std::sync::LazyLock;

use fieldgrid_tests::liar::endure;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

libfuzzer_sys::fuzz_target!(|script: &[u8]| { RUNTIME.block_on(endure(script)); });
