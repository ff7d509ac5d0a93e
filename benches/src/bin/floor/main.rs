//! Compares what agentauth does for a request with its floor, such as the bare signature check.

#![allow(clippy::print_stderr, reason = "progress and errors of a command-line program go there")]

mod cache;
mod chain;
mod delegate;
mod dpop;
mod exchange;
mod lattice;
mod layer;
mod peers;
mod svid;
mod threads;
mod verify;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::thread::available_parallelism;

use agentauth_benches::case::Case;
use agentauth_benches::report::Row;
use agentauth_benches::specimen::{SUMMARISER, Specimen};
use agentauth_benches::{measure, report};
use agentauth_core::jose::Algorithm;
use clap::Parser;

/// Measures what it costs to verify tokens, proofs and requests above the floor: what cannot be avoided.
///
/// The token is an on-behalf-of access token: an agent acts for a principal, a second agent acted before it.
/// Per algorithm, these cases run in turns on one thread:
///
///   raw/ALG                           aws-lc-rs checks the signature with a parsed key, and nothing else: the floor
///   verify/ALG                        TokenVerifier::verify takes the whole token
///   peer/jsonwebtoken/ALG             jsonwebtoken::decode, on aws-lc-rs, takes it into typed claims
///   peer/jwt-simple/ALG               verify_token of the key, in pure Rust
///   peer/jwt-authorizer/ALG           Authorizer::check_auth, which is jsonwebtoken 9 on ring
///   peer/huskarl-resource-server/ALG  the JwtValidator inside Rfc9068Validator, in pure Rust
///
/// All take the same bytes. Each peer is told to check what it can of issuer, audience, times, typ and key id, and its
/// subject is compared afterwards. The last three, and biscuits, need --features peers. An async one is polled once, without a runtime.
///
/// With a token that was verified before:
///
///   cache/sha256                      aws-lc-rs hashes the token: the floor
///   cache/hit                         TokenVerifier::verify_cached; 10,000 tokens are kept, and visited far apart
///   cache/hit/same                    the same token again and again, of 10,000 that are kept
///   tower/bare                        a service that does nothing, with the request made for it: the floor
///   tower/cached                      the same below AgentAuthLayer, which finds the caller and records it nowhere
///   tower/revocable                   the same with a store of revocations, which is asked
///   tower/mtls                        the same over a connection that proved the agent, which is checked again
///
/// With a DPoP proof of 400 to 1200 bytes, fresh and for the request:
///
///   dpop/raw/ALG                      aws-lc-rs checks the signature with a key that it must parse: the floor
///   dpop/verify/ALG                   DpopVerifier::verify; with ES256, the name is dpop/verify
///   dpop/verify+once/ALG              the same, and use_once with the store in memory, never twice for one proof
///
/// With a chain of N links below a token, each narrower than the one before, all with EdDSA, and a DPoP proof over the leaf:
///
///   chain/raw/N                       aws-lc-rs checks the N + 2 signatures, all but the root's with keys that it must
///                                     parse: the floor
///   chain/N                           ChainVerifier::verify takes root and links, and DpopVerifier::verify the proof
///   peer/biscuit/N                    Biscuit::from verifies the signatures of N + 1 blocks; checks in them are not run,
///                                     and there is no proof
///
/// With the certificate chain of an agent: a leaf below an intermediate CA, all with P-256:
///
///   svid/raw                          aws-lc-rs checks the two signatures, with keys that it must parse: the floor
///   svid/x509                         verify_x509_svid takes the whole chain
///
/// With two authorities of 20 grants each, which have a resource, an argument, an audience and an end:
///
///   lattice/within                    Authority::is_within, where each grant is narrower
///   lattice/meet                      Authority::meet, where each grant crosses another: 20 new ones are made
///   lattice/meet/ordered              the same, where one authority is within the other
///
/// A token exchange (RFC 8693), with a subject token and an actor token, for a client that its connection has proved:
///
///   exchange/raw/ALG                  aws-lc-rs checks the two signatures and makes one: the floor
///   exchange/ALG                      Issuer::exchange makes the new token; with ES256, the name is exchange
///
/// With a delegation for the next server that was exchanged before, for each of 1000 callers:
///
///   delegate/sha256                   aws-lc-rs hashes the caller's token: the floor
///   delegate/cached                   Caller::delegate_through, which finds the delegation again, for one caller
///   delegate/cached/far               the same; the callers are visited far apart
///   delegate/cached/named             Caller::delegate_to, with server and scopes as texts
///
/// And at the end, the throughput of N threads with one engine, on the wall clock:
///
///   threads/N                         AgentAuth::authenticate with 64 tokens that are kept, no proofs
///
/// The token has 600 to 900 bytes with EdDSA and ES256. With RS256 and PS256 it has 256 more, as its signature has
/// 256 bytes, not 64.
///
/// us is the median of the batches. ratio and over_us compare each batch with the floor's batch of the same turn, as
/// quotient and as difference, and are the medians of that: what slows the machine for a while slows both.
/// Allocations are those of one call in Rust; the C code of aws-lc is not seen.
///
/// Before it is timed, every case must accept the token or proof and refuse it with one bit of the signature flipped;
/// only tower/bare takes both. (A case of lattice/ must see one grant that has no counterpart.)
#[derive(Parser)]
#[command(name = "floor", verbatim_doc_comment)]
struct Options {
    /// How many batches of about 1 ms each case is given; its figure is their median.
    #[arg(long, default_value_t = 301, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batches: u32,

    /// Measures only the cases whose names begin with PREFIX, and their floors.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PREFIX")]
    only: String,

    /// Prints one JSON object a line: {case, us, floor_us, ratio, over_us, allocs}, and {case, calls_per_second, ratio}
    /// for threads. What does not apply is null.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Whether cases whose names begin with `group` may be among those to measure.
    fn wants(&self, group: &str) -> bool {
        self.only.starts_with(group) || group.starts_with(&self.only)
    }
}

/// What the table begins with.
const ABOUT: &str =
    "What a case costs above its floor: the bare signature check or SHA-256 of aws-lc-rs, or the bare service.";

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
    let mut rows = Vec::new();
    for algorithm in ALGORITHMS {
        let Specimen { key, genuine, forged } = Specimen::new(algorithm)?;
        rows.extend(measured(verify::cases(&key)?, &genuine, &forged, options)?);
    }
    if options.wants("cache/") {
        eprintln!("10,000 tokens are signed and verified ...");
        let key = cache::key()?;
        let (genuine, forged) = cache::Tokens::new(&key)?;
        rows.extend(measured(cache::cases(&key, &genuine)?, &genuine, &forged, options)?);
    }
    if options.wants("dpop/") {
        for algorithm in ALGORITHMS {
            let (genuine, forged) = dpop::Proofs::new(algorithm)?;
            rows.extend(measured(dpop::cases(algorithm, &genuine)?, &genuine, &forged, options)?);
        }
    }
    for links in chain::LINKS {
        if options.wants(&format!("chain/{links}")) || options.wants(&format!("peer/biscuit/{links}")) {
            let specimen = chain::Specimen::new(links)?;
            rows.extend(measured(chain::cases(&specimen)?, &specimen.genuine, &specimen.forged, options)?);
        }
    }
    let chain = svid::Specimen::new(SUMMARISER)?;
    rows.extend(measured(svid::cases(&chain)?, &chain.genuine, &chain.forged, options)?);
    if options.wants("exchange") {
        for algorithm in exchange::ALGORITHMS {
            let specimen = exchange::Specimen::new(algorithm, &chain)?;
            rows.extend(measured(exchange::cases(&specimen)?, &specimen.genuine, &specimen.forged, options)?);
        }
    }
    let layer::Specimen { engines, genuine, forged } = layer::Specimen::new(&chain)?;
    rows.extend(measured(layer::cases(&engines), &genuine, &forged, options)?);
    let (genuine, forged) = lattice::Pairs::new()?;
    rows.extend(measured(lattice::cases(), &genuine, &forged, options)?);
    if options.wants("delegate/") {
        let callers = delegate::Specimen::new()?;
        rows.extend(measured(callers.cases(), &callers.genuine, &callers.forged, options)?);
    }
    let cores = available_parallelism()?.get();
    let threads = if options.wants("threads/") { threads::throughput(cores)? } else { Vec::new() };

    let mut out = io::stdout().lock();
    if options.json {
        report::json(&mut out, &rows)?;
        threads::json(&mut out, &threads)?;
    } else {
        report::table(&mut out, ABOUT, &rows, options.batches, peers::SKIPPED)?;
        threads::table(&mut out, &threads, cores)?;
    }
    Ok(out.flush()?)
}

/// The figures of those of `cases` that are to be measured.
fn measured<I>(
    cases: Vec<Case<'_, I>>,
    genuine: &I,
    forged: &I,
    options: &Options,
) -> Result<Vec<Row>, Box<dyn Error>> {
    measure::checked(&options.only, cases, genuine, forged, options.batches)
}
