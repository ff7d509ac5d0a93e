use std::io::{self, Write};

use agentauth_core::identity::svid::{explain_x509_svid, verify_x509_svid};
use agentauth_core::{SpiffeId, Timestamp};
use clap::Args;
use serde::Serialize;

use super::chain::ChainSource;
use crate::bundles::{NamedBundle, bundles};
use crate::checks::{CheckList, write_lists};
use crate::look::Look;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Terminal};

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
