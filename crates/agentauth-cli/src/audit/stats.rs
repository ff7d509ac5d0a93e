use std::fmt::Write as _;

use agentauth_audit::read::{Names, Stats};
use clap::Args;

use super::asked::{Answer, FilterArgs, LogArgs, ago};
use crate::look::Look;
use crate::text::{json, number, shown};
use crate::{CliError, Exit, Terminal};

/// So many names are shown of each kind.
const FIRST: usize = 10;

/// The width of a bar.
const BAR: u64 = 40;

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    log: LogArgs,

    /// How long the pieces of time are (15m, 1h, 1d); they get longer where there would be too many.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    every: String,

    /// Show every name, not only the first 10 of each kind.
    #[arg(long)]
    all: bool,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    filters: FilterArgs,
}

pub(crate) fn run(args: &StatsArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let wrong = || CliError::Setting { option: "every", problem: "write a time such as 15m, 1h or 1d".into() };
    let every = ago(&args.every).filter(|every| !every.is_zero()).ok_or_else(wrong)?;
    let log = args.log.open()?;
    let look = terminal.look();
    let mut stats = log.stats(&args.filters.filter(terminal.time(None)), every);
    let mut answer = Answer::new(terminal);
    for error in std::mem::take(&mut stats.errors) {
        answer.told(error)?;
    }
    answer.count(stats.entries);
    let text = if args.json { json(&stats) } else { told(&stats, look, if args.all { usize::MAX } else { FIRST }) };
    answer.line(text.trim_end())?;
    answer.end()
}

fn told(stats: &Stats, look: Look, most: usize) -> String {
    let mut out = format!("{} entries, {} records", number(stats.entries), number(stats.records));
    if let (Some(first), Some(last)) = (stats.first, stats.last) {
        let _ = write!(out, ", from {first} to {last}");
    }
    let _ = writeln!(out);
    let _ = writeln!(
        out,
        "{} decisions: {} allowed, {} denied",
        number(stats.decisions.all()),
        number(stats.decisions.allowed),
        number(stats.decisions.denied)
    );
    for (count, what) in [
        (stats.refused_late, "refused because they were recorded too late"),
        (stats.dropped, "records were not kept, as the log says"),
        (stats.unreadable, "records cannot be read here"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "{} {what}", look.warning(&number(count)));
        }
    }
    for (title, names) in [
        ("Denied, by code", &stats.denied_by_code),
        ("Outcomes", &stats.outcomes),
        ("Agents", &stats.by_agent),
        ("Actions", &stats.by_action),
        ("Records", &stats.by_kind),
    ] {
        table(&mut out, look, title, names, most);
    }
    let most_at_once = stats.by_time.iter().map(|piece| piece.tally.all()).max().unwrap_or_default();
    if most_at_once > 0 {
        let _ = writeln!(out, "\n{}", look.title("When"));
    }
    for piece in &stats.by_time {
        let width = |count: u64| count.saturating_mul(BAR).div_ceil(most_at_once.max(1));
        let bar = |count, sign: &str| sign.repeat(usize::try_from(width(count)).unwrap_or_default());
        let (allowed, denied) = (bar(piece.tally.allowed, "+"), bar(piece.tally.denied, "-"));
        let (begin, counts) = (piece.begin.to_string(), piece.tally);
        let _ = writeln!(
            out,
            "  {begin}  {:>9} {:>9}  {allowed}{}",
            number(counts.allowed),
            number(counts.denied),
            look.failure(&denied)
        );
    }
    out
}

fn table(out: &mut String, look: Look, title: &str, names: &Names, most: usize) {
    let all = names.most_frequent();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}  (allowed, denied)", look.title(title));
    for (name, tally) in all.iter().take(most) {
        let name = if name.is_empty() { "(none that is known)".into() } else { shown(name) };
        let _ = writeln!(out, "  {:>9} {:>9}  {name}", number(tally.allowed), number(tally.denied));
    }
    if all.len() > most {
        let _ = writeln!(out, "  {:>9} {:>9}  ... and {} more (--all)", "", "", all.len().saturating_sub(most));
    }
}
