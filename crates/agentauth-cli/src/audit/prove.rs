use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use agentauth_audit::verify::{ProveError, Which, prove};
use clap::Args;

use super::source::{open, unreadable};
use crate::input::quoted;
use crate::look::Mark;
use crate::text::shown;
use crate::{CliError, Exit, Terminal};

/// Numbers of entries are shorter than evaluation ids.
const ID_DIGITS: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The directory of the log.
    dir: PathBuf,

    /// The evaluation id of a decision, or the number of an entry.
    #[arg(value_name = "ID")]
    id: String,

    /// The file to write the proof to, whose name ends in .tlog-proof by custom. It must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Give away what is personal, too.
    #[arg(long)]
    with_personal: bool,
}

pub(crate) fn run(args: &ProveArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let directory = open(&args.dir)?;
    let which = match args.id.parse() {
        Ok(number) if args.id.len() < ID_DIGITS => Which::Number(number),
        _ => Which::Evaluation(&args.id),
    };
    let proved = match prove(&directory, which, args.with_personal) {
        Ok(proved) => proved,
        Err(ProveError::Io(error)) => return Err(unreadable(&args.dir)(error)),
        Err(error) => {
            let mark = terminal.look().mark(Mark::Failed);
            terminal.write(format!("{mark} {}: {}\n", error.code(), shown(&error.to_string())).as_bytes())?;
            return Ok(Exit::Refused);
        }
    };
    if let also @ [_, ..] = proved.also.as_slice() {
        let numbers: Vec<String> = also.iter().map(ToString::to_string).collect();
        let index = proved.proof.index();
        let remark = "has the same evaluation id (prove it by its number)";
        terminal.remark(&format!("this proves entry {index}; entry {} {remark}", numbers.join(", ")));
    }
    let text = proved.proof.to_text();
    match &args.out {
        None => terminal.write(text.as_bytes())?,
        Some(path) => {
            // What is personal is its owner's to give away.
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| CliError::Setting {
                option: "out",
                problem: format!("{} cannot be written ({error}): choose another name", quoted(path)),
            })?;
        }
    }
    Ok(Exit::Good)
}
