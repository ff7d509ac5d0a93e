use std::path::PathBuf;

use agentauth_audit::disk::RealDirectory;
use agentauth_audit::erase::{Erasure, ErasureReport};
use agentauth_core::identity::{IssuerId, PrincipalId};
use clap::Args;
use serde::Serialize;

use crate::input::quoted;
use crate::look::Mark;
use crate::text::pretty_json;
use crate::{CliError, Exit, Look, Terminal};

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// The directory of the log. No writer may have it open.
    dir: PathBuf,

    /// Erase wherever this principal is named, in whatever role: `<issuer>#<subject>`, or `<issuer>#<tenant>#<subject>`. May be repeated.
    #[arg(long, value_name = "PRINCIPAL", required_unless_present = "entry")]
    principal: Vec<String>,

    /// Erase what is personal of this entry. May be repeated.
    #[arg(long, value_name = "NUMBER")]
    entry: Vec<u64>,

    /// Why: it stands in the log for good, so it says nothing personal itself.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Show what would be erased, and erase nothing.
    #[arg(long)]
    dry_run: bool,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
struct Report {
    dry_run: bool,
    entries: u64,
    segments: u64,
    nothing_left: u64,
    kept_elsewhere: Vec<String>,
}

pub(crate) fn run(args: &EraseArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let erasure = erasure(args)?;
    let directory = RealDirectory::existing(&args.dir)
        .map_err(|source| CliError::Unreadable { place: quoted(&args.dir), source })?;
    let report = if args.dry_run { erasure.look(&directory)? } else { erasure.run(&directory, terminal.time(None))? };
    let report = Report::new(report, args.dry_run);
    let out = if args.json { format!("{}\n", pretty_json(&report)) } else { report.text(terminal.look()) };
    terminal.write(out.as_bytes())?;
    if !report.kept_elsewhere.is_empty() {
        terminal.remark(&format!(
            "these files beside the segments may hold the same, and are yours to see to: {}",
            report.kept_elsewhere.join(", ")
        ));
    }
    Ok(Exit::Good)
}

fn erasure(args: &EraseArgs) -> Result<Erasure, CliError> {
    let mut erasure = Erasure::new(&args.reason)?;
    for &number in &args.entry {
        erasure = erasure.entry(number);
    }
    for name in &args.principal {
        erasure = erasure.principal(&principal(name)?);
    }
    Ok(erasure)
}

fn principal(name: &str) -> Result<PrincipalId, CliError> {
    let parts: Vec<&str> = name.split('#').collect();
    let (issuer, tenant, subject) = match parts.as_slice() {
        [issuer, subject] if !subject.is_empty() => (issuer, None, subject),
        [issuer, tenant, subject] if !subject.is_empty() => (issuer, Some(tenant), subject),
        _ => return Err(wrong("name the principal as <issuer>#<subject>, such as https://sts.example#alice".into())),
    };
    let issuer = IssuerId::new(issuer).map_err(|error| wrong(error.to_string()))?;
    let principal = PrincipalId::new(issuer, subject);
    Ok(match tenant {
        Some(tenant) => principal.in_tenant(tenant),
        None => principal,
    })
}

const fn wrong(problem: String) -> CliError {
    CliError::Setting { option: "principal", problem }
}

impl Report {
    fn new(report: ErasureReport, dry_run: bool) -> Self {
        let ErasureReport { erased, nothing_left, segments, kept_elsewhere, .. } = report;
        Self { dry_run, entries: erased, segments, nothing_left, kept_elsewhere }
    }

    fn text(&self, look: Look) -> String {
        let (entries, segments) =
            (counted(self.entries, "entry", "entries"), counted(self.segments, "segment", "segments"));
        let done = match (self.entries, self.dry_run) {
            (0, _) => "Nothing was there to erase".into(),
            (_, true) => format!("Would erase what is personal of {entries} in {segments}; nothing was changed"),
            (_, false) => {
                let erased = look.coloured(Mark::Passed, "Erased");
                format!(
                    "{erased} what is personal of {entries} in {segments}; the log names them, and verifies as before"
                )
            }
        };
        let left = match self.nothing_left {
            0 => String::new(),
            left => format!(" ({} had nothing personal)", counted(left, "entry", "entries")),
        };
        format!("{done}{left}\n")
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    crate::text::counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}
