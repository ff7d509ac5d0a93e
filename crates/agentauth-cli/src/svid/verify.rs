use std::io::{self, Write};

use agentauth_core::identity::svid::{explain_x509_svid, verify_x509_svid};
use agentauth_core::{SpiffeId, Timestamp};
use clap::Args;
use serde::Serialize;

use super::jwt::JwtReport;
use super::remarks::remarks;
use super::source::{Svid, SvidSource};
use crate::bundles::{Bundles, NamedBundle, bundles};
use crate::checks::{CheckList, write_lists};
use crate::look::Look;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    svid: SvidSource,

    /// A trust domain, and the file with its bundle: PEM, or SPIFFE JSON. May be repeated.
    #[arg(long, value_name = "TD=FILE", required = true)]
    bundle: Vec<NamedBundle>,

    /// This server's name in JWT-SVIDs (aud); they need one. May be repeated.
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,

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
    let svid = args.svid.read(terminal)?;
    let at = terminal.time(args.at);
    let Bundles { bundles, refusal } = bundles(&args.bundle, terminal)?;
    let chain = match svid {
        Svid::X509(chain) => chain,
        Svid::Jwt(token) => {
            let report = JwtReport::of(&token, &args.audience, &bundles, refusal.as_ref(), at)?;
            return show(&report, report.accepted, args.json, terminal, JwtReport::write);
        }
    };
    let checks = CheckList::of_svid(&explain_x509_svid(&chain, &bundles, at));
    let checks = checks.with_remarks(|code| remarks(code, &chain, &bundles, at));
    let verified = verify_x509_svid(&chain, &bundles, at).ok().filter(|_| refusal.is_none());
    let report = Report {
        accepted: verified.is_some(),
        at,
        trust_domains: bundles.trust_domains().map(ToString::to_string).collect(),
        check_lists: refusal.iter().map(CheckList::of_refused_bundles).chain([checks]).collect(),
        id: verified.map(|svid| svid.id().clone()),
    };
    show(&report, report.accepted, args.json, terminal, Report::write)
}

fn show<R: Serialize>(
    report: &R,
    is_accepted: bool,
    as_json: bool,
    terminal: &mut Terminal<'_>,
    write: fn(&R, &mut Vec<u8>, Look) -> io::Result<()>,
) -> Result<Exit, CliError> {
    let mut out = Vec::new();
    if as_json { writeln!(out, "{}", pretty_json(report)) } else { write(report, &mut out, terminal.look()) }
        .map_err(CliError::Output)?;
    terminal.write(&out)?;
    Ok(if is_accepted { Exit::Good } else { Exit::Refused })
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
