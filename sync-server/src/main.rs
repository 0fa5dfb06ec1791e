//! The `sync-server` program.

use std::process::ExitCode;

use sync_server::command;

fn main() -> ExitCode {
    command::main(std::env::args_os())
}
