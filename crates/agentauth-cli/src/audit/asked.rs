//! What is asked of a log, and how it is answered: one entry after the other.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log, LogRecord, ReadError};
use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use clap::{Args, ValueEnum};

use super::source::unreadable;
use crate::{CliError, Exit, Terminal};

/// Output is written in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Damaged places that are told one by one; behind so many, a log is for `verify`.
const MAX_REMARKS: usize = 5;

/// Which log.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// The directory of the log; or one with the logs of several replicas, each in a directory of its own.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Which of its entries. Options of one name mean any of them, options of different names all of them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters (each may be repeated; a * at the end stands for anything)")]
pub(super) struct FilterArgs {
    /// Who acted: a SPIFFE ID, or `<issuer>#<name>`.
    #[arg(long, value_name = "AGENT")]
    agent: Vec<String>,

    /// Who is among the actors that the authority has passed through.
    #[arg(long, value_name = "AGENT")]
    chain: Vec<String>,

    /// On whose behalf: `<issuer>#<subject>`, the subject alone, or its hash.
    #[arg(long = "for", value_name = "PRINCIPAL")]
    principal: Vec<String>,

    /// What was to be done: the name of the tool's action.
    #[arg(long, alias = "tool", value_name = "ACTION")]
    action: Vec<String>,

    /// Allowed, or denied.
    #[arg(long, value_name = "VERDICT", value_enum)]
    verdict: Vec<Verdict>,

    /// The machine code of the answer, or the kind of a reason.
    #[arg(long, alias = "reason", value_name = "CODE")]
    code: Vec<String>,

    /// The policy that decided.
    #[arg(long, value_name = "ID")]
    policy: Vec<String>,

    /// What it is about: decision, outcome, authentication, issuance, approval, revocation, policy_reload; or an entry of the
    /// log's own, such as checkpoint.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,

    /// With this evaluation id.
    #[arg(long, value_name = "ID")]
    evaluation: Vec<String>,

    /// With this text in any value. Large and small letters differ.
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,

    /// Written since then: so long ago (15m, 2h, 3d), a date, or a time (2027-01-15T08:00:00Z).
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,

    /// Written before then.
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verdict {
    Allow,
    Deny,
}

/// A moment, as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Ago(Duration),
    At(Timestamp),
}

impl LogArgs {
    pub(super) fn open(&self) -> Result<Log, CliError> {
        Log::open(&self.dir).map_err(|error| match error {
            ReadError::Io(source) => unreadable(&self.dir)(source),
            error => error.into(),
        })
    }
}

impl FilterArgs {
    pub(super) fn filter(&self, now: Timestamp) -> Filter {
        type Condition = fn(Filter, &str) -> Filter;
        let conditions: [(&[String], Condition); 8] = [
            (&self.agent, Filter::agent),
            (&self.chain, Filter::in_chain),
            (&self.principal, Filter::principal),
            (&self.action, Filter::action),
            (&self.code, Filter::code),
            (&self.policy, Filter::policy),
            (&self.kind, Filter::kind),
            (&self.evaluation, Filter::evaluation),
        ];
        let mut filter = self.verdict.iter().fold(Filter::new(), |filter, verdict| {
            filter.effect(match verdict {
                Verdict::Allow => Effect::Allow,
                Verdict::Deny => Effect::Deny,
            })
        });
        for (values, condition) in conditions {
            filter = values.iter().fold(filter, |filter, value| condition(filter, value));
        }
        filter = self.text.iter().fold(filter, |filter, text| filter.text(text));
        if let Some(since) = self.since {
            filter = filter.since(since.before(now));
        }
        if let Some(until) = self.until {
            filter = filter.until(until.before(now));
        }
        filter
    }
}

impl When {
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.minus(duration),
            Self::At(time) => time,
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = Timestamp::from_rfc3339(text).or_else(|| Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")));
        if let Some(time) = at {
            return Ok(Self::At(time));
        }
        ago(text).map(Self::Ago).ok_or("write 90s, 15m, 2h, 3d, 2027-01-15 or 2027-01-15T08:00:00Z")
    }
}

/// A number and its unit.
pub(super) fn ago(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

/// An answer that is written while it is read.
pub(super) struct Answer<'a, 't> {
    terminal: &'a mut Terminal<'t>,
    waiting: String,
    found: u64,
    damaged: usize,
    is_read: bool,
}

impl<'a, 't> Answer<'a, 't> {
    pub(super) const fn new(terminal: &'a mut Terminal<'t>) -> Self {
        Self { terminal, waiting: String::new(), found: 0, damaged: 0, is_read: false }
    }

    /// The record, or what is in its place where the log is damaged. Errors that end it all are told as such.
    pub(super) fn read(&mut self, read: Result<LogRecord, ReadError>) -> Result<Option<LogRecord>, CliError> {
        match read {
            Ok(record) => {
                self.found = self.found.saturating_add(1);
                Ok(Some(record))
            }
            Err(error) => self.told(error).map(|()| None),
        }
    }

    /// The same, where a log is read several times: damage is told at the first.
    pub(super) fn read_once(&mut self, read: Result<LogRecord, ReadError>) -> Result<Option<LogRecord>, CliError> {
        match read {
            Err(ReadError::Damaged { .. }) if self.is_read => Ok(None),
            read => self.read(read),
        }
    }

    /// Damage has been told up to here.
    pub(super) const fn has_read(&mut self) {
        self.is_read = true;
    }

    /// The same, of records alone: what the log says of itself is passed over, and not counted.
    pub(super) fn read_record(&mut self, read: Result<LogRecord, ReadError>) -> Result<Option<LogRecord>, CliError> {
        match read {
            Ok(record) if record.kind() != EntryKind::Record => Ok(None),
            read => self.read(read),
        }
    }

    pub(super) const fn count(&mut self, found: u64) {
        self.found = found;
    }

    pub(super) fn told(&mut self, error: ReadError) -> Result<(), CliError> {
        if !matches!(error, ReadError::Damaged { .. }) {
            return Err(error.into());
        }
        self.damaged = self.damaged.saturating_add(1);
        if self.damaged <= MAX_REMARKS {
            self.terminal.remark(&error.to_string());
        }
        Ok(())
    }

    /// Writes a line, soon.
    pub(super) fn line(&mut self, line: &str) -> Result<(), CliError> {
        self.waiting.push_str(line);
        self.waiting.push('\n');
        if self.waiting.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        self.terminal.write(self.waiting.as_bytes())?;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn remark(&mut self, remark: &str) {
        self.terminal.remark(remark);
    }

    /// Whether nobody reads it any more.
    pub(super) const fn is_over(&self) -> bool {
        self.terminal.is_closed()
    }

    pub(super) const fn found(&self) -> u64 {
        self.found
    }

    /// As of `grep`: found, not found, or not all could be read.
    pub(super) fn end(mut self) -> Result<Exit, CliError> {
        self.flush()?;
        Ok(match (self.damaged, self.found) {
            (0, 0) => Exit::Refused,
            (0, _) => Exit::Good,
            _ => Exit::Problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_named_as_people_name_it() {
        let now = Timestamp::from_secs(1_800_000_000);
        for (text, secs) in [
            ("90s", 1_799_999_910),
            ("15m", 1_799_999_100),
            ("2h", 1_799_992_800),
            ("3d", 1_799_740_800),
            ("1w", 1_799_395_200),
            ("2027-01-15", 1_799_971_200),
            ("2027-01-15T08:00:00Z", 1_800_000_000),
            ("2027-01-15T09:00:00+01:00", 1_800_000_000),
        ] {
            assert_eq!(text.parse::<When>().unwrap().before(now).secs(), secs, "{text}");
        }
        for text in ["", "m", "15", "-1d", "1.5h", "soon", "18446744073709551615d", "1d\u{e9}", "2027-13-01"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
