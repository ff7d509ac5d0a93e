//! Compares token verification with its floor, the bare signature check of the cryptographic library.

#![allow(clippy::print_stderr, reason = "progress and errors of a command-line program go there")]

mod case;
mod measure;
mod report;
mod specimen;
mod verify;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use agentauth_core::jose::Algorithm;
use clap::Parser;

use crate::report::Row;
use crate::specimen::Specimen;

/// Measures what it costs to verify a token above the floor: the bare signature check.
///
/// The token is an on-behalf-of access token: an agent acts for a principal, a second agent acted before it.
/// Per algorithm, three cases run in turns on one thread:
///
///   raw/ALG                aws-lc-rs checks the signature with a parsed key, and nothing else: the floor
///   verify/ALG             TokenVerifier::verify takes the whole token
///   peer/jsonwebtoken/ALG  jsonwebtoken::decode takes the same token into typed claims
///
/// The token has 600 to 900 bytes with EdDSA and ES256. With RS256 and PS256 it has 256 more, as its signature has
/// 256 bytes, not 64.
///
/// The ratio is us / floor_us. Allocations are those of one call in Rust; the C code of aws-lc is not seen.
///
/// Before it is timed, every case must accept the token and refuse it with one bit of the signature flipped.
#[derive(Parser)]
#[command(name = "floor", verbatim_doc_comment)]
struct Options {
    /// How many batches of about 1 ms each case is given; its figure is their median.
    #[arg(long, default_value_t = 301, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batches: u32,

    /// Prints one JSON object a line: {case, us, floor_us, ratio, allocs}. What does not apply is null.
    #[arg(long)]
    json: bool,
}

const ALGORITHMS: [Algorithm; 4] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        eprintln!("floor: built without --release; the figures mean nothing");
    }
    let mut rows: Vec<Row> = Vec::new();
    for algorithm in ALGORITHMS {
        let specimen = Specimen::new(algorithm)?;
        let cases = verify::cases(&specimen)?;
        case::check(&cases, &specimen.genuine, &specimen.forged)?;
        eprintln!("{algorithm}: {} cases, {} byte token", cases.len(), specimen.genuine.text.len());
        rows.extend(measure::rows(&cases, &specimen.genuine, options.batches)?);
    }
    let mut out = io::stdout().lock();
    if options.json { report::json(&mut out, &rows) } else { report::table(&mut out, &rows, options.batches) }?;
    Ok(out.flush()?)
}
