use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agentauth_core::jose::MAX_TOKEN_BYTES;
use agentauth_core::{Authority, Timestamp};
use clap::Args;
use serde::Serialize;

use super::hop::{Hop, Made};
use crate::input::{quoted, read_file, read_input};
use crate::look::{Look, Mark};
use crate::text::{pretty_json, shown};
use crate::token::anatomy::Problem;
use crate::{CliError, Exit, Terminal};

/// More hops than any server follows.
const MAX_HOPS: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The files that hold the tokens, or `-` for standard input, which is also read if there is none. A file may hold
    /// several tokens, joined by `~` or separated by white space.
    ///
    /// The tokens themselves never stand on the command line.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Tell times relative to this one, in seconds since 1970, instead of to now.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is written.
#[derive(Serialize)]
struct Report {
    /// Always false.
    verified: bool,
    at: Timestamp,
    principal: String,
    /// Who acted before the first token, the earliest first. What they held is not known here.
    before: Vec<String>,
    hops: Vec<Drawn>,
}

/// One hop, as it is drawn.
#[derive(Serialize)]
struct Drawn {
    agent: String,
    made: Made,
    audience: Vec<String>,
    expires: Option<Timestamp>,
    #[serde(skip)]
    ends: String,
    authority: Authority,
    #[serde(skip)]
    authority_in_words: Vec<String>,
    /// Why it is narrower than the hop before; nothing for the first.
    narrower: Vec<String>,
    /// Why it would be refused below the hop before.
    faults: Vec<String>,
    problems: Vec<Problem>,
    #[serde(skip)]
    is_first: bool,
}

pub(crate) fn run(args: &ShowArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let tokens = read(&args.files, terminal)?;
    let at = terminal.time(args.at);
    let report = Report::of(&tokens, at);
    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    let is_good = report.hops.iter().all(|hop| hop.faults.is_empty() && hop.problems.is_empty());
    Ok(if is_good { Exit::Good } else { Exit::Refused })
}

fn read(files: &[PathBuf], terminal: &mut Terminal<'_>) -> Result<Vec<String>, CliError> {
    let limit = MAX_HOPS.saturating_mul(MAX_TOKEN_BYTES);
    let input = [PathBuf::from("-")];
    let mut tokens = Vec::new();
    for file in if files.is_empty() { &input } else { files } {
        let (place, bytes) =
            if file == Path::new("-") { read_input(terminal, limit)? } else { (quoted(file), read_file(file, limit)?) };
        let Ok(text) = String::from_utf8(bytes) else { return Err(CliError::NotText(place)) };
        let words = text.split(|c: char| c.is_whitespace() || c == '~').filter(|word| !word.is_empty());
        let schemes = ["Bearer", "DPoP", "Authorization:"];
        let found: Vec<&str> =
            words.filter(|word| !schemes.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))).collect();
        if found.is_empty() {
            return Err(CliError::NoToken(place));
        }
        tokens.extend(found.into_iter().map(str::to_owned));
    }
    if tokens.len() > MAX_HOPS {
        let problem = format!("{} tokens are more than the {MAX_HOPS} that a chain could have", tokens.len());
        return Err(CliError::Setting { option: "FILE", problem });
    }
    Ok(tokens)
}

impl Report {
    fn of(tokens: &[String], at: Timestamp) -> Self {
        let hops: Vec<Hop> = tokens.iter().map(|token| Hop::of(token)).collect();
        let parents = std::iter::once(None).chain(hops.iter().map(Some));
        let drawn = hops.iter().zip(parents).map(|(hop, parent)| Drawn {
            agent: hop.agents.first().cloned().unwrap_or_else(|| "nobody".into()),
            made: hop.made,
            audience: hop.audience.clone(),
            expires: hop.expires.map(Timestamp::from_secs),
            ends: hop.end(at),
            authority: hop.authority.clone(),
            authority_in_words: hop.authority_in_words(),
            narrower: parent.map(|parent| hop.narrower(parent)).unwrap_or_default(),
            faults: parent.map(|parent| hop.faults(parent)).unwrap_or_default(),
            problems: Vec::new(),
            is_first: parent.is_none(),
        });
        let drawn: Vec<Drawn> = drawn.collect();
        let first = hops.first();
        let before = first.map(|hop| hop.agents.iter().skip(1).rev().cloned().collect()).unwrap_or_default();
        let principal = first.and_then(|hop| hop.principal.clone()).unwrap_or_else(|| "nobody: there is no sub".into());
        let problems = hops.into_iter().map(|hop| hop.problems);
        let hops = drawn.into_iter().zip(problems).map(|(hop, problems)| Drawn { problems, ..hop }).collect();
        Self { verified: false, at, principal, before, hops }
    }

    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        writeln!(out, "{}: no signature was checked, and anyone could have written this.", look.warning("UNVERIFIED"))?;
        writeln!(out, "\n{}", look.title(&shown(&self.principal)))?;
        for (depth, agent) in self.before.iter().enumerate() {
            let role = look.dim("acted before; what it held is in another token");
            writeln!(out, "{}{}   {role}", look.branch(depth), shown(agent))?;
        }
        for (index, hop) in self.hops.iter().enumerate() {
            hop.write(out, look, index.saturating_add(self.before.len()))?;
        }
        let faulty = self.hops.iter().filter(|hop| !hop.faults.is_empty() || !hop.problems.is_empty()).count();
        let (mark, verdict) = match (faulty, self.hops.len()) {
            (0, 1) => (Mark::Passed, "one token, and nothing to compare it with".to_owned()),
            (0, _) => (Mark::Passed, "each hop is within the one before".to_owned()),
            (faulty, all) => (Mark::Failed, format!("{faulty} of {all} hops would be refused")),
        };
        writeln!(out, "\n{} {verdict}", look.mark(mark))
    }
}

impl Drawn {
    fn write(&self, out: &mut impl Write, look: Look, depth: usize) -> io::Result<()> {
        let how = match self.made {
            Made::Consent => "may act, by the principal's consent",
            Made::Issued => "acts, by the issuer's word",
            Made::ByHolder => "acts, by the word of the agent above",
            Made::Unreadable => "this cannot be read as a token",
        };
        writeln!(out, "{}{}   {}", look.branch(depth), look.title(&shown(&self.agent)), look.dim(how))?;
        let indent = depth.saturating_add(1).saturating_mul(3);
        let mut line = |label: &str, text: &str| writeln!(out, "{:indent$}{label:<9} {}", "", shown(text));
        if self.made != Made::Unreadable {
            line("at", &self.audience.join(" "))?;
            line("lasts", &self.ends)?;
            for (place, words) in self.authority_in_words.iter().enumerate() {
                line(if place == 0 { "may" } else { "" }, words)?;
            }
            if self.authority_in_words.is_empty() {
                line("may", "nothing")?;
            }
            for (place, reason) in self.narrower.iter().enumerate() {
                line(if place == 0 { "narrower" } else { "" }, reason)?;
            }
            if self.narrower.is_empty() && self.faults.is_empty() && !self.is_first {
                line("narrower", "no, the same as above")?;
            }
        }
        for fault in &self.faults {
            writeln!(out, "{:indent$}{} {}", "", look.mark(Mark::Failed), shown(fault))?;
        }
        for problem in &self.problems {
            writeln!(out, "{:indent$}{} {}: {}", "", look.mark(Mark::Failed), problem.code, shown(&problem.error))?;
        }
        Ok(())
    }
}
