use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use agentauth_core::identity::svid::{BundleError, TrustBundle, TrustBundles, explain_x509_svid, verify_x509_svid};
use agentauth_core::{SpiffeId, Timestamp, TrustDomain};
use clap::Args;
use serde::Serialize;

use super::chain::ChainSource;
use crate::checks::{CheckList, write_lists};
use crate::input::{quoted, read_file};
use crate::look::Look;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Terminal};

/// The largest bundle file that is read, in bytes: what the bundle itself is bounded by.
const MAX_BUNDLE_BYTES: usize = 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    chain: ChainSource,

    /// A trust domain, and the file with its bundle: PEM, or SPIFFE JSON. May be repeated.
    #[arg(long, value_name = "TD=FILE", required = true)]
    bundle: Vec<NamedBundle>,

    /// Judge as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// A trust domain, and the file with its bundle.
#[derive(Debug, Clone)]
struct NamedBundle {
    domain: TrustDomain,
    file: PathBuf,
}

impl FromStr for NamedBundle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (domain, file) = text.split_once('=').ok_or("write it as TD=FILE, such as court.example=ca.crt")?;
        let domain = domain.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { domain, file: file.into() })
    }
}

impl NamedBundle {
    fn read(&self) -> Result<TrustBundle, CliError> {
        let content = read_file(&self.file, MAX_BUNDLE_BYTES)?;
        let is_json = content.trim_ascii_start().starts_with(b"{");
        let read = if is_json { TrustBundle::from_spiffe } else { TrustBundle::from_pem };
        read(self.domain.clone(), &content).map_err(|source| CliError::Bundle { place: quoted(&self.file), source })
    }
}

/// What is written.
#[derive(Serialize)]
struct Report {
    accepted: bool,
    at: Timestamp,
    trust_domains: Vec<String>,
    check_lists: Vec<CheckList>,
    /// Whom it proves; only of a certificate that is accepted.
    id: Option<SpiffeId>,
}

pub(crate) fn run(args: &VerifyArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let chain = args.chain.read(terminal)?;
    let at = terminal.time(args.at);
    let bundles = bundles(&args.bundle)?;
    let verified = verify_x509_svid(&chain, &bundles, at);
    let report = Report {
        accepted: verified.is_ok(),
        at,
        trust_domains: bundles.trust_domains().map(ToString::to_string).collect(),
        check_lists: vec![CheckList::of_svid(&explain_x509_svid(&chain, &bundles, at))],
        id: verified.ok().map(|svid| svid.id().clone()),
    };
    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    Ok(if report.accepted { Exit::Good } else { Exit::Refused })
}

fn bundles(named: &[NamedBundle]) -> Result<TrustBundles, CliError> {
    named.iter().try_fold(TrustBundles::new(), |bundles, named| {
        let wrong = |error: BundleError| CliError::Setting { option: "bundle", problem: error.to_string() };
        bundles.with_bundle(named.read()?).map_err(wrong)
    })
}

impl Report {
    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        writeln!(out, "A certificate, with bundles of {}", shown(&self.trust_domains.join(", ")))?;
        writeln!(out, "at {}", self.at)?;
        writeln!(out)?;
        write_lists(out, look, &self.check_lists)?;
        match &self.id {
            Some(id) => writeln!(out, "  It proves {}", shown(id.as_str())),
            None => Ok(()),
        }
    }
}
