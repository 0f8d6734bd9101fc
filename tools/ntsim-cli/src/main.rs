//! Loads a Windows kernel driver into the embedded NT kernel and runs it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
