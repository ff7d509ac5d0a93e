use std::path::{Path, PathBuf};

use agentauth_core::policy::{Arguments, MAX_ARGUMENT_BYTES, Scenario};
use agentauth_core::{AgentId, IssuerId, Mode, PrincipalId, ResourceId};
use clap::{Args, ValueEnum};

use super::server::ServerArgs;
use super::sources::{checked, lines, read};
use crate::input::{read_file, read_input};
use crate::look::Mark;
use crate::text::pretty_json;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The directory with the policies (`*.cedar`) and their schema (`*.cedarschema`).
    #[arg(value_name = "DIR")]
    policies: PathBuf,

    /// Who acts: a SPIFFE ID, or `<issuer>#<name>`.
    #[arg(long, value_name = "AGENT")]
    agent: String,

    /// On whose behalf: `<issuer>#<subject>`, or `<issuer>#<tenant>#<subject>`.
    #[arg(long = "for", value_name = "PRINCIPAL")]
    principal: String,

    /// What kind of principal that is.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::User)]
    kind: Kind,

    /// What is to be done.
    #[arg(long)]
    action: String,

    /// To what, `<kind>/<id>`; the server itself, unless it is said.
    #[arg(long, value_name = "KIND/ID")]
    on: Option<String>,

    /// With which arguments: the file with the JSON object, or `-` for standard input; without any, unless it is said.
    #[arg(long, value_name = "FILE")]
    arguments: Option<PathBuf>,

    /// In which capacity the agent acts.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = ModeName::OnBehalfOf)]
    mode: ModeName,

    /// Who vouches for the delegation; the principal's issuer, unless it is said.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// How many agents the authority has passed through.
    #[arg(long, default_value_t = 1)]
    depth: usize,

    /// The resource server that is asked.
    #[arg(long, value_name = "URL", default_value = "https://server.example")]
    server: String,

    /// Decide as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,

    #[command(flatten)]
    as_server: ServerArgs,

    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Someone for whom agents act.
    User,
    /// A client that acts for itself.
    Client,
    /// An account that the issuer keeps for an agent.
    Account,
}

/// Written as policies write it.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ModeName {
    Autonomous,
    OnBehalfOf,
    Impersonation,
    AgentAccount,
    ClientOnly,
}

pub(crate) fn run(args: &ExplainArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let scenario = args.scenario(terminal)?;
    let sources = args.as_server.told(read(&args.policies)?)?;
    let policies = args.as_server.asked(checked(&args.policies, &sources)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(CliError::NoRuntime)?;
    let explanation = runtime.block_on(policies.explain(&scenario.request()));
    let out = if args.json {
        format!("{}\n", pretty_json(&explanation))
    } else {
        let text = lines(&explanation.to_string());
        let (word, mark) =
            if explanation.is_allowed() { ("Permitted", Mark::Passed) } else { ("Denied", Mark::Failed) };
        let rest = text.strip_prefix(word).unwrap_or(&text);
        format!("{}{rest}\n", terminal.look().coloured(mark, word))
    };
    terminal.write(out.as_bytes())?;
    Ok(if explanation.is_allowed() { Exit::Good } else { Exit::Refused })
}

impl ExplainArgs {
    fn scenario(&self, terminal: &mut Terminal<'_>) -> Result<Scenario, CliError> {
        let server = ResourceId::new(&self.server).map_err(|error| wrong("server", &error))?;
        let mut scenario = Scenario::new(server, self.agent()?, self.principal()?, &self.action);
        scenario.mode = self.mode.mode();
        scenario.depth = self.depth;
        scenario.now = terminal.time(self.at);
        if let Some(issuer) = &self.issuer {
            scenario.issuer = IssuerId::new(issuer).map_err(|error| wrong("issuer", &error))?;
        }
        if let Some(on) = &self.on {
            let help = "name the resource as <kind>/<id>, such as case/2026-17";
            let (kind, id) = on.split_once('/').ok_or_else(|| wrong("on", &help))?;
            scenario = scenario.on(kind, id);
        }
        if let Some(file) = &self.arguments {
            // One byte more than is taken, so that what is too long is refused as such.
            let limit = MAX_ARGUMENT_BYTES.saturating_add(1);
            let text = if file == Path::new("-") { read_input(terminal, limit)?.1 } else { read_file(file, limit)? };
            scenario = scenario.with(Arguments::from_json(text.trim_ascii())?);
        }
        Ok(scenario)
    }

    fn agent(&self) -> Result<AgentId, CliError> {
        match self.agent.split_once('#') {
            Some((issuer, name)) if !name.is_empty() => {
                let issuer = IssuerId::new(issuer).map_err(|error| wrong("agent", &error))?;
                Ok(AgentId::Named { issuer, name: plain(name).into() })
            }
            _ => self.agent.parse().map(AgentId::Spiffe).map_err(|error| {
                wrong("agent", &format!("{error}; name the agent by its SPIFFE ID, or as <issuer>#<name>"))
            }),
        }
    }

    fn principal(&self) -> Result<PrincipalId, CliError> {
        let parts: Vec<&str> = self.principal.split('#').collect();
        let (issuer, tenant, subject) = match parts.as_slice() {
            [issuer, subject] if !subject.is_empty() => (issuer, None, subject),
            [issuer, tenant, subject] if !subject.is_empty() => (issuer, Some(tenant), subject),
            _ => {
                return Err(wrong(
                    "for",
                    &"name the principal as <issuer>#<subject>, such as https://sts.example#alice",
                ));
            }
        };
        let issuer = IssuerId::new(issuer).map_err(|error| wrong("for", &error))?;
        let principal = match self.kind {
            Kind::User => PrincipalId::new(issuer, &plain(subject)),
            Kind::Client => PrincipalId::client(issuer, &plain(subject)),
            Kind::Account => PrincipalId::agent_account(issuer, &plain(subject)),
        };
        Ok(match tenant {
            Some(tenant) => principal.in_tenant(&plain(tenant)),
            None => principal,
        })
    }
}

impl ModeName {
    const fn mode(self) -> Mode {
        match self {
            Self::Autonomous => Mode::Autonomous,
            Self::OnBehalfOf => Mode::OnBehalfOf,
            Self::Impersonation => Mode::Impersonation,
            Self::AgentAccount => Mode::AgentAccount,
            Self::ClientOnly => Mode::ClientOnly,
        }
    }
}

/// As policies write names: `%23` is a `#` of the name's own.
fn plain(part: &str) -> String {
    part.replace("%23", "#").replace("%25", "%")
}

fn wrong(option: &'static str, problem: &dyn std::fmt::Display) -> CliError {
    CliError::Setting { option, problem: problem.to_string() }
}
