use std::collections::BTreeMap;
use std::io::{self, Write};

use agentauth_core::Timestamp;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::anatomy::{Anatomy, Problem, Size};
use super::chain::Chain;
use crate::input::TokenSource;
use crate::look::{Look, Mark};
use crate::text::{json, pretty_json, relative, shown};
use crate::{CliError, Exit, Terminal};

/// The claims that come first, in this order; the others follow by name.
const KNOWN: [&str; 13] =
    ["iss", "sub", "aud", "client_id", "azp", "scope", "iat", "nbf", "exp", "jti", "act", "may_act", "cnf"];

/// The claims that are times (NumericDate, RFC 7519 §2).
const TIMES: [&str; 4] = ["iat", "nbf", "exp", "auth_time"];

/// The last second of the year 9999, as for the verifier.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// A value that is longer is written on several lines.
const LINE_CHARS: usize = 80;

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    token: TokenSource,

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
    size: Size,
    problems: Vec<Problem>,
    header: Option<Map<String, Value>>,
    claims: Option<Map<String, Value>>,
    times: BTreeMap<&'static str, Time>,
    chain: Option<Chain>,
    binding: Option<Bound>,
    remarks: Vec<&'static str>,
}

/// A time that a claim names, and how far away it is.
#[derive(Serialize)]
struct Time {
    time: Timestamp,
    relative: String,
}

/// What `cnf` says about who may use the token (RFC 7800 §3.1).
#[derive(Serialize)]
struct Bound {
    methods: Vec<String>,
    meaning: String,
}

pub(crate) fn run(args: &InspectArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let token = args.token.read(terminal)?;
    let at = terminal.time(args.at);
    let report = Report::of(Anatomy::of(&token.text), token.remarks, at);
    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.remarks.iter().for_each(|remark| terminal.remark(remark));
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    Ok(if report.problems.is_empty() { Exit::Good } else { Exit::Refused })
}

impl Report {
    fn of(anatomy: Anatomy, remarks: Vec<&'static str>, at: Timestamp) -> Self {
        let Anatomy { size, header, claims, problems } = anatomy;
        let times = |claims: &Map<String, Value>| {
            TIMES.into_iter().filter_map(|name| Some((name, Time::of(claims.get(name)?, at)?))).collect()
        };
        Self {
            verified: false,
            at,
            size,
            problems,
            header,
            times: claims.as_ref().map(times).unwrap_or_default(),
            chain: claims.as_ref().map(Chain::of),
            binding: claims.as_ref().map(|claims| Bound::of(claims.get("cnf"))),
            claims,
            remarks,
        }
    }

    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        writeln!(out, "{}: nothing was checked, and anyone could have written this.", look.warning("UNVERIFIED"))?;
        writeln!(out)?;
        self.write_form(out, look)?;
        if let Some(header) = &self.header {
            writeln!(out, "\n{}", look.title("Header"))?;
            self.write_members(out, look, header)?;
        }
        if let Some(claims) = &self.claims {
            writeln!(out, "\n{} at {}", look.title("Claims"), self.at)?;
            self.write_members(out, look, claims)?;
        }
        if let Some(chain) = &self.chain {
            writeln!(out, "\n{}", look.title("Who acts for whom, as the token says"))?;
            chain.write(out, look)?;
        }
        if let Some(binding) = &self.binding {
            writeln!(out, "\n{}", look.title("Who may use it"))?;
            writeln!(out, "  {}", look.section(&shown(&binding.meaning)))?;
        }
        Ok(())
    }

    fn write_form(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let bytes = |part: Option<usize>| part.map_or_else(|| "not readable".into(), |bytes| bytes.to_string());
        let Size { token, header, claims, signature } = &self.size;
        writeln!(out, "{}", look.title("Form"))?;
        writeln!(
            out,
            "  {token} bytes; decoded: header {}, claims {}, signature {} (never shown)",
            bytes(*header),
            bytes(*claims),
            bytes(*signature)
        )?;
        for problem in &self.problems {
            writeln!(out, "  {} {}: {}", look.mark(Mark::Failed), problem.code, shown(&problem.error))?;
            if let Some(place) = &problem.place {
                writeln!(out, "      {}", shown(place))?;
            }
        }
        if self.problems.is_empty() {
            writeln!(out, "  {} well-formed", look.mark(Mark::Passed))?;
        }
        Ok(())
    }

    fn write_members(&self, out: &mut impl Write, look: Look, members: &Map<String, Value>) -> io::Result<()> {
        let mut names: Vec<&String> = members.keys().collect();
        names.sort_by_key(|name| (KNOWN.iter().position(|known| known == name).unwrap_or(KNOWN.len()), name.as_str()));
        let width = names.iter().map(|name| shown(name).len()).max().unwrap_or_default().min(LINE_CHARS / 4);
        for name in names {
            let Some(value) = members.get(name) else { continue };
            let mut line = json(value);
            if line.len() > LINE_CHARS && (value.is_object() || value.is_array()) {
                line = pretty_json(value).replace('\n', &format!("\n  {:width$}  ", ""));
            }
            write!(out, "  {:width$}  {line}", shown(name))?;
            if let Some(time) = self.times.get(name.as_str()) {
                write!(out, "  {}", look.dim(&format!("{}, {}", time.time, time.relative)))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl Time {
    fn of(value: &Value, now: Timestamp) -> Option<Self> {
        let seconds = value.as_f64().filter(|seconds| (0.0..=LAST_SECOND).contains(seconds))? as u64;
        Some(Self { time: Timestamp::from_secs(seconds), relative: relative(seconds, now.secs()) })
    }
}

impl Bound {
    fn of(cnf: Option<&Value>) -> Self {
        let Some(cnf) = cnf else {
            return Self { methods: Vec::new(), meaning: "whoever holds it: it is not bound to a key (no cnf)".into() };
        };
        let members = cnf.as_object();
        let methods: Vec<String> = members.into_iter().flat_map(Map::keys).cloned().collect();
        let value = |name| members.and_then(|members| members.get(name)).and_then(Value::as_str).unwrap_or_default();
        let meaning = match methods.as_slice() {
            [method] if method == "x5t#S256" => format!(
                "the holder of the TLS client certificate with SHA-256 {} (x5t#S256, RFC 8705 §3.1)",
                value("x5t#S256")
            ),
            [method] if method == "jkt" => {
                format!("the holder of the DPoP key with thumbprint {} (jkt, RFC 9449 §6.1)", value("jkt"))
            }
            [] => "nobody: cnf names no key".into(),
            [method] => format!("nobody here: cnf uses {method}, which is not supported"),
            several => {
                format!("nobody here: cnf uses several methods ({}), of which one is needed", several.join(", "))
            }
        };
        Self { methods, meaning }
    }
}
