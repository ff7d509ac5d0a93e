//! Measures what a decision costs, whatever the number of policies.

#![allow(clippy::print_stderr, reason = "progress and errors of a command-line program go there")]

mod bars;
mod court;
mod decide;
mod load;
mod path;
mod rules;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use agentauth_benches::{measure, report};
use clap::Parser;

use crate::decide::Asked;

/// Measures what a decision by policies costs, beside Cedar itself on the same policies and requests.
///
/// A set has N policies. One forbids everyone something; the others are each for a principal, a resource, an agent, or a
/// principal with a resource. Seven callers ask in turn, each permitted by one policy of every set. In one run, these cases
/// take turns on one thread:
///
///   plain-cedar/N       cedar_policy: makes Context and Request, typed by the schema, and evaluates the whole set; the
///                       entities are there already: the floor
///   cedar/N             CedarPolicies::decide, from an AuthzRequest to a Decision
///
/// And each by itself:
///
///   rules/1000          Rules::decide with 1,000 built-in rules, one for each caller
///   path/1000           from a token that was verified before to a Permit: authenticate and authorize, with 1,000 policies
///   plain-load/10000    cedar_policy parses 10,000 policies and validates them strictly: the floor
///   load/10000          CedarPolicies::new does so, reads the annotations and sorts the policies; at most 5 batches
///
/// us is the median of the batches. ratio and over_us compare each batch with the floor's batch of the same turn, as
/// quotient and as difference, and are the medians of that: what slows the machine for a while slows both.
/// Allocations are those of one call in Rust.
///
/// Before it is timed, every case must permit or accept what it is asked, and refuse another: the same from an agent that
/// no policy knows; a token with one bit of the signature flipped; policies of which one does not fit the schema.
#[derive(Parser)]
#[command(name = "policy", verbatim_doc_comment)]
struct Options {
    /// How many batches of about 1 ms each case is given; its figure is their median.
    #[arg(long, default_value_t = 301, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batches: u32,

    /// Measures only the cases whose names begin with PREFIX, and their floors.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PREFIX")]
    only: String,

    /// Prints one JSON object a line: {case, us, floor_us, ratio, over_us, allocs}, and {bar, is, at_most} for what the
    /// figures should be. What does not apply is null.
    #[arg(long)]
    json: bool,
}

/// What the table begins with.
const ABOUT: &str =
    "What a decision costs beside plain Cedar on the same policies: ratio is below 1 where it costs less.";

impl Options {
    /// Whether cases whose names begin with `group` may be among those to measure.
    fn wants(&self, group: &str) -> bool {
        self.only.starts_with(group) || group.starts_with(&self.only)
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        eprintln!("policy: built without --release; the figures mean nothing");
    }
    let (only, batches) = (options.only.as_str(), options.batches);
    let mut rows = Vec::new();
    let (genuine, forged) = (Asked::all(court::scenarios(true)?)?, Asked::all(court::scenarios(false)?)?);
    if options.wants("cedar/") || options.wants("plain-cedar/") {
        rows.extend(measure::checked(only, decide::cases()?, &genuine, &forged, batches)?);
    }
    if options.wants("rules/") {
        let name = format!("rules/{}", rules::RULES);
        let cases = vec![decide::case(name, None, rules::engine(rules::RULES)?)];
        rows.extend(measure::checked(only, cases, &genuine, &forged, batches)?);
    }
    if options.wants("path/") {
        let (case, genuine, forged) = path::case()?;
        rows.extend(measure::checked(only, vec![case], &genuine, &forged, batches)?);
    }
    if options.wants("load/") || options.wants("plain-load/") {
        let (genuine, forged) = load::texts(load::POLICIES);
        let cases = load::cases(load::POLICIES);
        rows.extend(measure::checked(only, cases, &genuine, &forged, batches.min(load::MAX_BATCHES))?);
    }
    let bars = bars::bars(&rows);

    let mut out = io::stdout().lock();
    if options.json {
        report::json(&mut out, &rows)?;
        bars::json(&mut out, &bars)?;
    } else {
        report::table(&mut out, ABOUT, &rows, batches, None)?;
        bars::table(&mut out, &bars)?;
    }
    Ok(out.flush()?)
}
