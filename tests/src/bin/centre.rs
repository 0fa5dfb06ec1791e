//! The server's own program, built beside the tests so that they can start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sync_server::command::main(std::env::args_os())
}
