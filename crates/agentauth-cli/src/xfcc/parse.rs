use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agentauth_core::identity::forwarded::{ForwardedError, ForwardedPeer, Xfcc, XfccHeader, XfccTopology};
use agentauth_core::{SpiffeId, Timestamp};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::element::Element;
use crate::bundles::{Bundles, NamedBundle, bundles};
use crate::input::{quoted, read_file, read_input};
use crate::look::{Look, Mark};
use crate::text::{counted, pretty_json, shown};
use crate::{CliError, Exit, Terminal};

/// Twice what a server reads, so that a header that is too long is refused as such.
const MAX_INPUT_BYTES: usize = 128 * 1024;

/// So many bytes before and after the place where a header is broken are shown.
const AROUND: usize = 20;

const NAME: &str = "x-forwarded-client-cert";

#[derive(Debug, Args)]
pub(crate) struct ParseArgs {
    /// The file that holds the header's value, or `-` for standard input, which is also read if there is none.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// How the proxy writes the header.
    #[arg(long, value_name = "MODE", value_enum)]
    mode: Mode,

    /// The proxy's SPIFFE ID, which it must have written as By: for a sidecar, the server's own.
    #[arg(long, value_name = "ID", required_if_eq("mode", "append-forward"))]
    by: Option<SpiffeId>,

    /// A proxy in front of that one, which adds to the header too. May be repeated, the nearest first.
    #[arg(long, value_name = "ID", requires = "by")]
    behind: Vec<SpiffeId>,

    /// Verify the client's certificate too, under the bundle of this trust domain: PEM, or SPIFFE JSON. May be repeated.
    #[arg(long, value_name = "TD=FILE")]
    bundle: Vec<NamedBundle>,

    /// Judge certificates as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// The proxy replaces the header (SANITIZE_SET).
    #[value(alias = "SANITIZE_SET")]
    SanitizeSet,
    /// The proxy adds to the header (APPEND_FORWARD).
    #[value(alias = "APPEND_FORWARD")]
    AppendForward,
    /// An Istio waypoint writes By=..;URI=..
    Waypoint,
}

/// What is written.
#[derive(Serialize)]
struct Report {
    mode: Mode,
    at: Timestamp,
    /// How long each header is, in bytes.
    sizes: Vec<usize>,
    elements: Vec<Element>,
    verdict: Verdict,
}

/// What a server would make of it.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Verdict {
    Identity {
        id: SpiffeId,
        /// The SHA-256 of the client's certificate, if the proxy says it.
        sha256: Option<String>,
        /// Whether the certificate was passed on, and is good.
        certificate_verified: bool,
    },
    /// The proxy saw no certificate, or one without a URI name.
    NoIdentity,
    Refused {
        code: &'static str,
        error: String,
        /// What stands where the header is broken.
        place: Option<String>,
    },
}

pub(crate) fn run(args: &ParseArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let (place, input) = match &args.file {
        Some(file) if file != Path::new("-") => (quoted(file), read_file(file, MAX_INPUT_BYTES)?),
        _ => read_input(terminal, MAX_INPUT_BYTES)?,
    };
    let xfcc = args.xfcc()?;
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').map(value_of).filter(|line| !line.is_empty()).collect();
    let Some(value) = lines.first() else { return Err(CliError::NoHeader(place)) };
    let at = terminal.time(args.at);
    let Bundles { bundles, refusal } = bundles(&args.bundle, terminal)?;
    let verdict = match (lines.len(), refusal) {
        (_, Some(refusal)) => Verdict::Refused { code: refusal.code(), error: refusal.to_string(), place: None },
        (1, None) => Verdict::of(xfcc.read_value(value, &bundles, at), value),
        _ => Verdict::of(Err(ForwardedError::Repeated), value),
    };
    let header = if lines.len() == 1 { XfccHeader::parse(value).ok() } else { None };
    let hops = match xfcc.topology() {
        XfccTopology::AppendForward { hops } => Some(hops),
        _ => None,
    };
    let elements = header.map(|header| Element::all(header.elements(), hops)).unwrap_or_default();
    let report =
        Report { mode: args.mode, at, sizes: lines.iter().map(|line| line.len()).collect(), elements, verdict };
    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    Ok(if matches!(report.verdict, Verdict::Identity { .. }) { Exit::Good } else { Exit::Refused })
}

/// One line, without what belongs to the line and not to the value.
fn value_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.split_at_checked(NAME.len()) {
        Some((name, rest)) if name.eq_ignore_ascii_case(NAME.as_bytes()) => {
            rest.strip_prefix(b":").map_or(line, <[u8]>::trim_ascii)
        }
        _ => line,
    }
}

impl ParseArgs {
    fn xfcc(&self) -> Result<Xfcc, CliError> {
        let wrong = |option, problem: &str| CliError::Setting { option, problem: problem.into() };
        let by = self.by.clone();
        let xfcc = match (self.mode, by) {
            (Mode::AppendForward, Some(by)) => Xfcc::append_forward_behind(by, self.behind.iter().cloned()),
            (Mode::AppendForward, None) => return Err(wrong("by", "append-forward needs the proxy's SPIFFE ID")),
            _ if !self.behind.is_empty() => return Err(wrong("behind", "this is for --mode append-forward")),
            (Mode::Waypoint, _) if !self.bundle.is_empty() => {
                return Err(wrong("bundle", "a waypoint passes on no certificate: leave it out"));
            }
            (Mode::SanitizeSet, by) => by.into_iter().fold(Xfcc::sanitize_set(), Xfcc::expect_by),
            (Mode::Waypoint, by) => by.into_iter().fold(Xfcc::istio_waypoint(), Xfcc::expect_by),
        };
        Ok(if self.bundle.is_empty() { xfcc } else { xfcc.verify_certificates() })
    }
}

impl Verdict {
    fn of(read: Result<Option<ForwardedPeer>, ForwardedError>, value: &[u8]) -> Self {
        match read {
            Ok(Some(peer)) => Self::Identity {
                id: peer.id().clone(),
                sha256: peer.thumbprint().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect()),
                certificate_verified: peer.svid().is_some(),
            },
            Ok(None) => Self::NoIdentity,
            Err(error) => {
                let place = match error {
                    ForwardedError::Malformed { at } => Some(around(value, at)),
                    _ => None,
                };
                Self::Refused { code: error.code(), error: error.to_string(), place }
            }
        }
    }
}

/// What stands in `value` around the byte `at`.
fn around(value: &[u8], at: usize) -> String {
    let piece = |from: usize, to: usize| {
        let piece = value.get(from.min(value.len())..to.min(value.len())).unwrap_or_default();
        shown(&String::from_utf8_lossy(piece))
    };
    format!("after `{}` stands `{}`", piece(at.saturating_sub(AROUND), at), piece(at, at.saturating_add(AROUND)))
}

impl Report {
    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let from = match self.mode {
            Mode::SanitizeSet => "a proxy that replaces it (SANITIZE_SET)",
            Mode::AppendForward => "a proxy that adds to it (APPEND_FORWARD)",
            Mode::Waypoint => "an Istio waypoint",
        };
        writeln!(out, "{NAME} from {from}")?;
        let bytes: usize = self.sizes.iter().sum();
        let headers = counted(self.sizes.len(), "header", "headers");
        let elements = counted(self.elements.len(), "element", "elements");
        writeln!(out, "{headers} of {bytes} bytes, {elements}, at {}\n", self.at)?;
        for (at, element) in self.elements.iter().enumerate() {
            element.write(out, look, at.saturating_add(1))?;
        }
        match &self.verdict {
            Verdict::Identity { id, sha256, certificate_verified } => {
                writeln!(out, "{} The client is {}", look.coloured(Mark::Passed, "Accepted."), shown(id.as_str()))?;
                if let Some(sha256) = sha256 {
                    writeln!(out, "  whose certificate has the SHA-256 {sha256}")?;
                }
                writeln!(
                    out,
                    "  {}",
                    if *certificate_verified {
                        "and is good. That the client holds its key is the proxy's word"
                    } else {
                        "by the proxy's word alone: no certificate was verified (--bundle)"
                    }
                )?;
                writeln!(
                    out,
                    "  This counts only where the server trusts {} from that proxy",
                    shown(id.trust_domain_name())
                )
            }
            Verdict::NoIdentity => {
                let label = look.coloured(Mark::Failed, "Nobody:");
                writeln!(out, "{label} the proxy saw no certificate, or one without a URI name")
            }
            Verdict::Refused { code, error, place } => {
                writeln!(out, "{} {code}: {}", look.coloured(Mark::Failed, "Refused:"), shown(error))?;
                match place {
                    Some(place) => writeln!(out, "  {place}"),
                    None => Ok(()),
                }
            }
        }
    }
}
