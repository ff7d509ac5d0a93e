use std::io::Write as _;

use agentauth_core::Timestamp;
use clap::Args;
use serde::Serialize;

use super::certificate::Certificate;
use super::source::{Svid, SvidSource};
use crate::text::{counted, pretty_json};
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    svid: SvidSource,

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
    certificates: Vec<Certificate>,
}

pub(crate) fn run(args: &InspectArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let Svid::X509(chain) = args.svid.read(terminal)? else { return Err(CliError::TokenForCertificate) };
    let at = terminal.time(args.at);
    let report = Report { verified: false, at, certificates: chain.iter().map(Certificate::of).collect() };
    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    let all_readable = report.certificates.iter().all(|certificate| certificate.readable);
    Ok(if all_readable { Exit::Good } else { Exit::Refused })
}

impl Report {
    fn write(&self, out: &mut Vec<u8>, look: crate::Look) -> std::io::Result<()> {
        writeln!(out, "{}: nothing was checked, and anyone could have made this.", look.warning("UNVERIFIED"))?;
        writeln!(out, "{}, at {}", counted(self.certificates.len(), "certificate", "certificates"), self.at)?;
        for (index, certificate) in self.certificates.iter().enumerate() {
            let title = if index == 0 { "Leaf".to_owned() } else { format!("Issuer {index}") };
            writeln!(out, "\n{}", look.title(&title))?;
            certificate.write(out, look, self.at)?;
        }
        Ok(())
    }
}
