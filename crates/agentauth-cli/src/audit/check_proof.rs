use std::fmt::Write as _;
use std::path::PathBuf;

use agentauth_audit::verify::{CheckedRecord, MAX_PROOF_BYTES, Proof, ProofError};
use clap::Args;
use serde::Serialize;

use super::source::key;
use crate::input::read_file;
use crate::look::Mark;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Look, Terminal};

#[derive(Debug, Args)]
pub(crate) struct CheckProofArgs {
    /// The file with the proof.
    file: PathBuf,

    /// Whose checkpoints are believed: a verifier key, or a file with some, one a line. Not from whom the proof is.
    #[arg(long, value_name = "VKEY|FILE")]
    key: String,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Report {
    Proven {
        proven: bool,
        log: String,
        entry: u64,
        of: u64,
        time: String,
        kind: agentauth_audit::format::EntryKind,
        personal_left_out: bool,
        says: serde_json::Value,
    },
    Refused {
        proven: bool,
        code: &'static str,
        error: String,
    },
}

pub(crate) fn run(args: &CheckProofArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let key = key(&args.key)?;
    let text = read_file(&args.file, MAX_PROOF_BYTES)?;
    let checked = Proof::read(&text).and_then(|proof| proof.check(&key));
    let exit = if checked.is_ok() { Exit::Good } else { Exit::Refused };
    let report = Report::of(checked);
    let out = if args.json { format!("{}\n", pretty_json(&report)) } else { report.text(terminal.look()) };
    terminal.write(out.as_bytes())?;
    Ok(exit)
}

impl Report {
    fn of(checked: Result<CheckedRecord, ProofError>) -> Self {
        match checked {
            Ok(record) => Self::Proven {
                proven: true,
                log: record.head.origin.clone(),
                entry: record.number,
                of: record.head.size,
                time: record.time.to_string(),
                kind: record.kind,
                personal_left_out: record.is_without_personal,
                says: serde_json::from_slice(record.line()).unwrap_or_default(),
            },
            Err(error) => Self::Refused { proven: false, code: error.code(), error: error.to_string() },
        }
    }

    fn text(&self, look: Look) -> String {
        let mut text = String::new();
        let _ = match self {
            Self::Proven { log, entry, of, time, personal_left_out, says, .. } => {
                let left_out = if *personal_left_out { "\n  what is personal in it is left out" } else { "" };
                let proven = look.coloured(Mark::Passed, "Proven");
                writeln!(
                    text,
                    "{proven}: this is entry {entry} of the first {of} of the log {}, written {time}{left_out}\n{}",
                    shown(log),
                    pretty_json(says)
                )
            }
            Self::Refused { code, error, .. } => {
                let refused = look.coloured(Mark::Failed, "Not proven");
                writeln!(text, "{refused}: {code}: {}", shown(error))
            }
        };
        text
    }
}
