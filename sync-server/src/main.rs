//! The `sync-server` program.

use std::process::ExitCode;

use sync_server::command;

/// Records are many small things: with the C library's allocator a tenth of the processor's time goes into it (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main(std::env::args_os())
}
