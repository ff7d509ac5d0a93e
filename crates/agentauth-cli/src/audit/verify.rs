use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use agentauth_audit::anchor::FileAnchor;
use agentauth_audit::checkpoint::CheckpointVerifier;
use agentauth_audit::verify::{Progress, Range, Report, Verdict, Verifier};
use clap::Args;
use serde::Serialize;

use super::source::{key, logs, open, unreadable};
use crate::input::quoted;
use crate::look::Mark;
use crate::text::{counted, pretty_json, shown};
use crate::{CliError, Exit, Look, Terminal};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The directory of the log, or one with several logs below it.
    dir: PathBuf,

    /// Whose checkpoints are believed: a verifier key, or a file with some, one a line.
    #[arg(long, value_name = "VKEY|FILE")]
    key: Option<String>,

    /// A file that remembers checkpoints of the log, on another mount or from another machine. May be repeated.
    #[arg(long, value_name = "FILE")]
    anchors: Vec<PathBuf>,

    /// What the log must call itself.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
struct Reports {
    /// The worst.
    verdict: Verdict,
    logs: Vec<Log>,
}

#[derive(Serialize)]
struct Log {
    directory: String,
    #[serde(flatten)]
    report: Report,
    #[serde(skip)]
    asked: Asked,
}

/// What the log was held against.
#[derive(Clone, Copy)]
struct Asked {
    key: bool,
    anchors: bool,
}

pub(crate) fn run(args: &VerifyArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let key = args.key.as_deref().map(key).transpose()?;
    let dirs = logs(&args.dir)?;
    if dirs.len() > 1 && !(args.anchors.is_empty() && args.origin.is_none()) {
        let problem = "several logs are there, and each has anchors and a name of its own: verify one at a time";
        return Err(CliError::Setting { option: "anchors", problem: problem.into() });
    }
    let asked = Asked { key: key.is_some(), anchors: !args.anchors.is_empty() };
    let mut logs = Vec::new();
    for dir in dirs {
        let report = verify(args, key.clone(), &dir, terminal)?;
        logs.push(Log { directory: dir.display().to_string(), report, asked });
    }
    let verdict = logs.iter().map(|log| log.report.verdict()).max().unwrap_or(Verdict::Damaged);
    let reports = Reports { verdict, logs };
    let out = if args.json {
        format!("{}\n", pretty_json(&reports))
    } else {
        let texts: Vec<String> = reports.logs.iter().map(|log| log.text(terminal.look())).collect();
        texts.join("\n")
    };
    terminal.write(out.as_bytes())?;
    Ok(match verdict {
        Verdict::Whole => Exit::Good,
        Verdict::TornTail => Exit::Torn,
        _ => Exit::Refused,
    })
}

fn verify(
    args: &VerifyArgs,
    key: Option<CheckpointVerifier>,
    dir: &Path,
    terminal: &Terminal<'_>,
) -> Result<Report, CliError> {
    let mut verifier = Verifier::new();
    if let Some(key) = key {
        verifier = verifier.key(key);
    }
    if let Some(origin) = &args.origin {
        verifier = verifier.origin(origin);
    }
    for path in &args.anchors {
        let anchor = FileAnchor::existing(path);
        let anchor = anchor.map_err(|error| CliError::Setting { option: "anchors", problem: error.to_string() })?;
        verifier = verifier.anchor(anchor);
    }
    let bar = terminal.bar();
    let mut verifier = verifier.progress(move |Progress { bytes, of, .. }| bar.show(bytes, of));
    verifier.verify(&open(dir)?).map_err(unreadable(dir))
}

impl Log {
    fn text(&self, look: Look) -> String {
        let (report, mut text) = (&self.report, String::new());
        let _ = writeln!(
            text,
            "{} in {}: {}, {} of them records, in {} ({} bytes)",
            look.title(format!("The log {}", shown(&report.origin)).trim_end()),
            shown(&quoted(Path::new(&self.directory))),
            many(report.entries, "entry", "entries"),
            report.records,
            many(report.segments, "segment", "segments"),
            report.bytes,
        );
        if report.entries > 0 {
            let ranges = &report.ranges;
            let unsigned = if self.asked.key { "" } else { "not checked: give the key with --key" };
            let unanchored = if self.asked.anchors { "" } else { "not checked: give --anchors" };
            range(&mut text, "anchored", &ranges.anchored, unanchored);
            let unsigned = if unsigned.is_empty() && ranges.anchored.entries() > 0 { "nothing more" } else { unsigned };
            range(&mut text, "signed", &ranges.signed, unsigned);
            range(&mut text, "neither", &ranges.unanchored, "");
        }
        self.told(&mut text);
        for fault in &report.faults {
            let _ =
                writeln!(text, "  {} {}: {}", look.mark(Mark::Failed), fault.kind.code(), shown(&fault.to_string()));
        }
        if report.more_faults > 0 {
            let _ = writeln!(text, "  and {} after these", many(report.more_faults, "fault", "faults"));
        }
        let (mark, verdict, why) = match report.verdict() {
            Verdict::Whole => (Mark::Passed, "Whole", "every frame, link, tree head and checkpoint is right"),
            Verdict::TornTail => (
                Mark::NotReached,
                "Torn at its end",
                "a write is under way, or a crash has cut it off: the next writer sets the rest aside",
            ),
            Verdict::Unproven => (
                Mark::Failed,
                "Unproven",
                "it is whole as it stands, but nothing vouches for that, or not for all that is gone",
            ),
            _ => (
                Mark::Failed,
                "Damaged",
                "keep the files as they are, and compare them with a copy; do not let a writer open them",
            ),
        };
        let _ = writeln!(text, "{}: {why}", look.coloured(mark, verdict));
        text
    }

    /// What the log says of itself that whoever reads it should know.
    fn told(&self, text: &mut String) {
        let report = &self.report;
        let lines = [
            (report.erased, "of them without what was personal, which was erased"),
            (report.retired, "records whose content was given up"),
            (report.dropped, "records were not kept, which the log says"),
            (report.refused, "records of actions that were refused because they were written too late"),
            (report.recovered_bytes, "bytes at the end were set aside by later writers"),
            (report.acknowledged_loss, "entries are lost, which an operator has acknowledged"),
        ];
        for (count, what) in lines.iter().filter(|(count, _)| *count > 0) {
            let _ = writeln!(text, "  {count} {what}");
        }
        if let Some(torn) = &report.torn {
            let bytes = many(torn.bytes, "byte", "bytes");
            let _ = writeln!(text, "  {bytes} at the end of {} (from byte {}) are no entry", torn.segment, torn.offset);
        }
        if !report.foreign.is_empty() {
            let _ = writeln!(text, "  not of the log, and not looked at: {}", shown(&report.foreign.join(", ")));
        }
    }
}

fn range(text: &mut String, name: &str, range: &Range, instead: &str) {
    let said = match (range.first.zip(range.last), range.entries()) {
        (_, 0) => {
            if instead.is_empty() {
                "nothing".into()
            } else {
                instead.into()
            }
        }
        (times, _) => {
            let times = times.map(|(first, last)| format!(", {first} to {last}")).unwrap_or_default();
            let records = many(range.records, "record", "records");
            let entries = match range.until.saturating_sub(1) {
                last if last == range.from => format!("entry {last}"),
                last => format!("entries {} to {last}", range.from),
            };
            format!("{entries}, with {records}{times}")
        }
    };
    let _ = writeln!(text, "  {name:10}{said}");
}

fn many(count: u64, one: &str, many: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}
