//! The operator's tool. See the library of this crate.

use std::process::ExitCode;

use agentauth_cli::{Terminal, run};

fn main() -> ExitCode {
    run(std::env::args_os(), &mut Terminal::of_this_process()).into()
}
