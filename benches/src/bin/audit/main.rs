//! Measures what a record costs beside the disk itself, and how fast a log is verified and asked.

#![allow(clippy::print_stderr, reason = "progress and errors of a command-line program go there")]

mod bars;
mod durable;
mod folder;
mod frame;
mod made;
mod query;
mod record;
mod report;
mod verify;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use folder::Folder;

/// Measures what a durable record costs beside a bare loop that writes and fdatasyncs the same bytes in groups of the same
/// size, on the same disk; and how fast a log is verified and asked.
///
///   durable/1           one writer: each record is awaited before the next one is given. Medians of single records
///   durable/64          64 writers at once, on as many threads as there are cores, less the log's own thread. Median of the
///                       rounds, each beside a bare loop of its own
///   durable/64/crowded  the same on a thread for each core: the log's thread has to share
///   frame               one record hashed, linked, framed, and its tree grown: CPU time; writing it as JSON is a case of
///   json                its own, on the caller's thread
///   verify              agentauth_audit::verify, every frame, link, tree head and checkpoint, beside the SHA-256 of the
///                       same bytes from the same file
///   verify/memory       the most memory that verifying takes, in MiB: of a log of 1 MiB, and of the whole one
///   query/N             a log of N records is asked for the 10 latest denials of one agent; and for one by its id, the
///                       oldest, so that all of it is read. Milliseconds of the slower of the two
///
/// ratio is speed beside the floor: 1 is as fast, 0.5 takes twice as long. over_us is what a record takes longer.
#[derive(Parser)]
#[command(name = "audit", verbatim_doc_comment)]
struct Options {
    /// Rounds of each case; its figure is their median.
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many records the log for `verify` and `query` has.
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..))]
    records: u64,

    /// Where the logs are made, and removed again: the disk that is measured. The system's place for temporary files unless set.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Measures only the cases whose names begin with PREFIX.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PREFIX")]
    only: String,

    /// Prints one JSON object a line: {case, us, floor_us, ratio, over_us, per_second, note}. What does not apply is null.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn wants(&self, group: &str) -> bool {
        self.only.starts_with(group) || group.starts_with(&self.only)
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        eprintln!("audit: built without --release; the figures mean nothing");
    }
    let folder = Folder::new(options.dir.as_deref())?;
    let record = record::decision()?;
    let mut rows = Vec::new();
    if options.wants("durable/1") {
        rows.push(durable::one(&folder, &record, options.rounds)?);
    }
    if options.wants("durable/64") {
        rows.push(durable::many(&folder, &record, options.rounds, false)?);
        rows.push(durable::many(&folder, &record, options.rounds, true)?);
    }
    if options.wants("frame") || options.wants("json") {
        rows.extend(frame::rows(&record, options.rounds)?);
    }
    if options.wants("verify") || options.wants("query/") {
        let log = made::log(&folder, &record, options.records)?;
        if options.wants("verify") {
            rows.extend(verify::rows(&folder, &record, &log, options.rounds)?);
        }
        if options.wants("query/") {
            rows.push(query::row(&log, options.rounds)?);
        }
    }
    rows.retain(|row| row.case.starts_with(&options.only));
    let bars = bars::bars(&rows);

    let mut out = io::stdout().lock();
    if options.json {
        report::json(&mut out, &rows)?;
        bars::json(&mut out, &bars)?;
    } else {
        report::table(&mut out, &rows, options.rounds)?;
        bars::table(&mut out, &bars)?;
    }
    Ok(out.flush()?)
}
