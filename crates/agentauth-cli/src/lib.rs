//! The operator's tool `agentauth`: why is this token or certificate refused, what does it say, and keys to sign with.
//!
//! Everything is written to the [`Terminal`] that is handed in; the binary hands in the real one. Tokens and private keys
//! come from standard input or files, never from the command line, and no signature and no private key is ever written
//! anywhere but into the key file that was asked for.
//!
//! ```
//! use agentauth_cli::{Exit, Terminal, run};
//! use agentauth_core::SystemClock;
//!
//! let mut output = Vec::new();
//! let mut terminal = Terminal::new(&b"e30.e30."[..], &mut output, std::io::sink(), SystemClock);
//! let exit = run(["agentauth", "token", "inspect"].map(Into::into), &mut terminal);
//! drop(terminal);
//! assert_eq!(exit, Exit::Refused);
//! assert!(output.starts_with(b"UNVERIFIED"));
//! ```

mod args;
mod audit;
mod bundles;
mod checks;
mod delegation;
mod error;
mod input;
mod keys;
mod look;
mod policy;
mod remote;
mod spiffe;
mod svid;
mod terminal;
mod text;
mod token;
mod xfcc;

use std::ffi::OsString;

use clap::Parser as _;

use args::{Cli, Command};
pub use error::CliError;
pub use look::Look;
pub use terminal::{Exit, Terminal};

/// Runs one command line, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>, terminal: &mut Terminal<'_>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    // Before anything else reads the arguments: messages about a wrong command line repeat it.
    let done = if args.iter().any(|arg| input::has_token(&arg.to_string_lossy())) {
        Err(CliError::TokenInArguments)
    } else {
        match Cli::try_parse_from(args) {
            Ok(cli) => execute(&cli, terminal),
            Err(answer) => return terminal.show_usage(&answer),
        }
    };
    done.unwrap_or_else(|error| terminal.show_error(&error))
}

fn execute(cli: &Cli, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if cli.ascii {
        terminal.use_ascii();
    }
    match &cli.command {
        Command::Token(token::Command::Inspect(args)) => token::inspect::run(args, terminal),
        Command::Token(token::Command::Verify(args)) => token::verify::run(args, terminal),
        Command::Delegation(delegation::Command::Show(args)) => delegation::show::run(args, terminal),
        Command::Svid(svid::Command::Inspect(args)) => svid::inspect::run(args, terminal),
        Command::Svid(svid::Command::Verify(args)) => svid::verify::run(args, terminal),
        Command::Xfcc(xfcc::Command::Parse(args)) => xfcc::parse::run(args, terminal),
        Command::Spiffe(spiffe::Command::Watch(args)) => spiffe::watch::run(args, terminal),
        Command::Policy(policy::Command::Check(args)) => policy::check::run(args, terminal),
        Command::Policy(policy::Command::Test(args)) => policy::test::run(args, terminal),
        Command::Policy(policy::Command::Bundle(args)) => policy::bundle::run(args, terminal),
        Command::Policy(policy::Command::Explain(args)) => policy::explain::run(args, terminal),
        Command::Policy(policy::Command::Replay(args)) => policy::replay::run(args, terminal),
        Command::Policy(policy::Command::Schema(args)) => policy::schema::run(args, terminal),
        Command::Audit(command) => audit::run(command, terminal),
        Command::Keys(keys::Command::Generate(args)) => keys::generate::run(args, terminal),
        Command::Keys(keys::Command::Jwks(args)) => keys::jwks::run(args, terminal),
    }
}
