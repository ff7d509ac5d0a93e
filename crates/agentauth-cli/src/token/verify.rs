use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentauth_core::binding::dpop::{Dpop, MAX_PROOF_BYTES, ProofContext};
use agentauth_core::jose::{KeySet, MAX_JWKS_BYTES};
use agentauth_core::token::{Explanation, IssuerConfigError, Mode, Reading, TokenVerifier};
use agentauth_core::{AgentId, PrincipalId, ResourceId, ScopeSet, Timestamp};
use clap::Args;
use http::{Method, Uri};
use serde::Serialize;

use super::anatomy::Anatomy;
use super::profiles::ProfileName;
use crate::checks::{CheckList, write_lists};
use crate::input::{TokenSource, quoted, read_file};
use crate::look::Look;
use crate::text::{pretty_json, shown};
use crate::{CliError, Exit, Terminal, remote};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    token: TokenSource,

    /// The issuer that your server trusts, exactly as its tokens spell it in `iss`.
    #[arg(long, value_name = "URL")]
    issuer: String,

    /// The issuer's public keys: a JWKS file, or its URL (https, or http on loopback).
    #[arg(long, value_name = "FILE|URL")]
    jwks: String,

    /// Your server's identifier, exactly as tokens for it spell it in `aud`.
    #[arg(long, value_name = "URI")]
    audience: String,

    /// How tokens of this issuer are read.
    #[arg(long, value_name = "NAME", value_enum, default_value = "rfc8693")]
    profile: ProfileName,

    #[command(flatten)]
    proof: ProofArgs,

    /// Judge as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,

    /// How far the clocks of issuer and server may differ, in seconds, at most 60.
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    leeway: u64,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// The DPoP proof that was sent with the token (RFC 9449).
#[derive(Debug, Args)]
struct ProofArgs {
    /// The file that holds the DPoP proof of the request, to be checked too. Whether it was used before is not.
    #[arg(long, value_name = "FILE", requires_all = ["method", "url"])]
    proof: Option<PathBuf>,

    /// The method of the request, such as POST.
    #[arg(long, value_name = "METHOD", requires = "proof")]
    method: Option<Method>,

    /// The URL of the request as the client sees it.
    #[arg(long, value_name = "URL", requires = "proof")]
    url: Option<Uri>,
}

impl ProofArgs {
    fn check(&self, token: &str, explanation: &Explanation, at: Timestamp) -> Result<Option<CheckList>, CliError> {
        let (Some(file), Some(method), Some(url)) = (&self.proof, &self.method, &self.url) else { return Ok(None) };
        let proof =
            String::from_utf8(read_file(file, MAX_PROOF_BYTES + 1)?).map_err(|_| CliError::NotText(quoted(file)))?;
        let wrong = |problem: String| CliError::Setting { option: "url", problem };
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(wrong(format!("`{}` is no absolute URL", shown(&url.to_string()))));
        };
        let verifier =
            Dpop::new(&format!("{scheme}://{authority}")).build().map_err(|error| wrong(error.to_string()))?;
        let request = ProofContext::new(method, url, token, explanation.dpop_key());
        Ok(Some(CheckList::of_proof(&verifier.explain(proof.trim(), &request, at))))
    }
}

/// What is written.
#[derive(Serialize)]
struct Report<'a> {
    accepted: bool,
    at: Timestamp,
    issuer: &'a str,
    audience: &'a str,
    profile: &'static str,
    check_lists: Vec<CheckList>,
    /// Who acts for whom; only of a token that is accepted.
    reading: Option<Read<'a>>,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct Read<'a> {
    principal: &'a PrincipalId,
    agent: &'a AgentId,
    mode: Mode,
    scopes: &'a ScopeSet,
}

pub(crate) fn run(args: &VerifyArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let token = args.token.read(terminal)?;
    let keys = keys(&args.jwks)?;
    let mut remarks: Vec<String> = token.remarks.iter().map(|remark| (*remark).to_owned()).collect();
    remarks
        .extend(keys.unusable().iter().map(|error| format!("--jwks: one key is left out: {error} ({})", error.code())));

    let issuer = args.profile.0.issuer(&args.issuer, keys).leeway(Duration::from_secs(args.leeway));
    // Some issuers have names of their own for servers, such as client ids.
    let (server, issuer) = match ResourceId::new(&args.audience) {
        Ok(server) => (server, issuer),
        Err(_) => (nameless()?, issuer.audience(&args.audience)),
    };
    let verifier = TokenVerifier::new(server, vec![issuer])
        .map_err(|error| CliError::Setting { option: option_of(&error), problem: error.to_string() })?;
    let at = terminal.time(args.at);
    let explanation = verifier.explain(&token.text, at);

    let mut check_lists = vec![CheckList::of_token(&explanation)];
    check_lists.extend(args.proof.check(&token.text, &explanation, at)?);
    let accepted = check_lists.iter().all(CheckList::is_good);
    let reading = explanation.reading().filter(|_| accepted).map(Read::of);
    if accepted && args.proof.proof.is_none() && Anatomy::of(&token.text).is_bound() {
        remarks.push(
            "the token is bound to a key (cnf): a server takes it only from the holder of that key, which is not \
             checked here"
                .into(),
        );
    }
    let report = Report {
        accepted,
        at,
        issuer: &args.issuer,
        audience: &args.audience,
        profile: args.profile.0.name(),
        check_lists,
        reading,
        remarks,
    };

    let mut out = Vec::new();
    if args.json {
        writeln!(out, "{}", pretty_json(&report)).map_err(CliError::Output)?;
    } else {
        report.remarks.iter().for_each(|remark| terminal.remark(remark));
        report.write(&mut out, terminal.look()).map_err(CliError::Output)?;
    }
    terminal.write(&out)?;
    Ok(if accepted { Exit::Good } else { Exit::Refused })
}

fn keys(jwks: &str) -> Result<KeySet, CliError> {
    if remote::is_url(jwks) {
        return remote::fetch_keys(jwks);
    }
    let file = Path::new(jwks);
    KeySet::from_jwks(&read_file(file, MAX_JWKS_BYTES)?)
        .map_err(|source| CliError::Keys { place: quoted(file), source })
}

/// Stands for a server that its issuer knows by another name, and is in no token.
fn nameless() -> Result<ResourceId, CliError> {
    ResourceId::new("https://server.invalid")
        .map_err(|error| CliError::Setting { option: "audience", problem: error.to_string() })
}

/// The option that has set what is refused.
const fn option_of(error: &IssuerConfigError) -> &'static str {
    match error {
        IssuerConfigError::Leeway { .. } => "leeway",
        IssuerConfigError::Audience { .. } => "audience",
        _ => "issuer",
    }
}

impl Report<'_> {
    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        writeln!(out, "A token for {}", shown(self.audience))?;
        writeln!(out, "from {} (profile {}), at {}", shown(self.issuer), self.profile, self.at)?;
        writeln!(out)?;
        write_lists(out, look, &self.check_lists)?;
        match &self.reading {
            Some(reading) => reading.write(out),
            None => Ok(()),
        }
    }
}

impl<'a> Read<'a> {
    fn of(reading: &'a Reading) -> Self {
        Self { principal: reading.principal(), agent: reading.agent(), mode: reading.mode(), scopes: reading.scopes() }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (agent, principal) = (shown(&self.agent.to_string()), shown(&self.principal.to_string()));
        writeln!(out, "  {agent}")?;
        match self.mode {
            Mode::Autonomous => writeln!(out, "  acts for itself")?,
            Mode::OnBehalfOf => writeln!(out, "  acts on behalf of\n  {principal}")?,
            Mode::Impersonation => writeln!(out, "  acts in the place of (impersonation)\n  {principal}")?,
            Mode::AgentAccount => writeln!(out, "  acts through the account that is kept for it,\n  {principal}")?,
            Mode::ClientOnly => {
                writeln!(out, "  is the client, and nothing says that it may act for\n  {principal}")?;
            }
            other => writeln!(out, "  acts ({other:?}) with the authority of\n  {principal}")?,
        }
        if self.scopes.is_empty() {
            writeln!(out, "  without any scope")
        } else {
            writeln!(out, "  with the scopes {}", self.scopes)
        }
    }
}
