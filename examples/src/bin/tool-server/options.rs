//! What can be said on the command line, and the environment variable for what must not be.

use std::net::SocketAddr;
use std::path::PathBuf;

use agentauth_core::{Mode, TrustDomain};
use agentauth_examples::tool_server::{Need, ROUTES, Requirement};
use clap::{Args, Parser, ValueEnum};

use crate::forwarded::ForwardedOptions;
use crate::profiles::ProfileName;
use crate::spiffe::SpiffeOptions;
use crate::workload_api::WorkloadApiOptions;

/// A tool server: GET /whoami, POST /tools/{name} (scope tools:{name}), and its protected-resource metadata.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// This server's identifier, such as `https://tools.example.com`: tokens must be for exactly this audience, and DPoP
    /// proofs for URLs of its origin.
    #[arg(long)]
    pub(crate) resource: String,

    /// The issuer whose tokens are accepted, exactly as its tokens spell it. It may be down when this server starts: until
    /// its keys can be had, its tokens are answered with 503.
    #[arg(long)]
    pub(crate) issuer: String,

    /// The issuer's keys: a JWKS file, or its URL (https, or http on loopback). Found by the issuer's metadata unless
    /// given; followed while the server runs, in any case.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) jwks: Option<String>,

    /// For how long after a fetch of keys no token can cause another: 60 s unless given, 1 s for a file. Anyone can send a
    /// token with an unknown key, so this is how often anyone can make this server ask the issuer.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) keys_min_interval: Option<u64>,

    /// How the issuer's tokens are read, and what it is trusted to say.
    #[arg(long, value_enum, default_value = "rfc9068")]
    pub(crate) profile: ProfileName,

    /// Requires a scope for a route, as SCOPE=ROUTE, such as profile=/whoami. May be repeated.
    #[arg(long, value_name = "SCOPE=ROUTE", value_parser = scope_requirement)]
    pub(crate) require: Vec<Requirement>,

    /// Requires a token that is bound to its holder's key (by --dpop or --client-ca) for a route, such as /whoami. May be
    /// repeated.
    #[arg(long, value_name = "ROUTE", value_parser = binding_requirement)]
    pub(crate) require_binding: Vec<Requirement>,

    /// Whether tokens that are bound by DPoP (RFC 9449) are taken, and whether others are.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = DpopMode::Off)]
    pub(crate) dpop: DpopMode,

    /// Takes no DPoP proof without a nonce of this server (RFC 9449 §9).
    #[arg(long)]
    pub(crate) dpop_nonce: bool,

    /// The Cedar policies of this directory decide, on top of the scopes: actions tools:{name}, on resources of kind tool.
    /// Without it, what was delegated is permitted. What changes in the directory comes into force when it is whole and passes
    /// its cases; until then the last good set stays.
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: Option<PathBuf>,

    /// How often the directory is looked at.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..), requires = "policy")]
    pub(crate) policy_interval: u64,

    /// Lets policies permit callers in this mode too, beside those that act for themselves or by delegation. May be repeated.
    #[arg(long, value_name = "MODE", value_enum, requires = "policy")]
    pub(crate) policy_even_in: Vec<EvenIn>,

    #[command(flatten)]
    pub(crate) audit: AuditOptions,

    /// The server's certificate chain (PEM). With it, the server speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The server's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The roots of the agents' trust domain (PEM): agents prove themselves by SVIDs under them. The same as --bundle TD=FILE.
    #[arg(long, value_name = "FILE", requires = "trust_domain")]
    pub(crate) client_ca: Option<PathBuf>,

    /// The agents' trust domain, such as court.example.
    #[arg(long, value_name = "TD", requires = "client_ca")]
    pub(crate) trust_domain: Option<TrustDomain>,

    // Last, since their headings count for all that follows.
    #[command(flatten)]
    pub(crate) spiffe: SpiffeOptions,

    #[command(flatten)]
    pub(crate) forwarded: ForwardedOptions,

    #[command(flatten)]
    pub(crate) workload_api: WorkloadApiOptions,

    #[command(flatten)]
    pub(crate) introspection: IntrospectionOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "The record")]
pub(crate) struct AuditOptions {
    /// Keeps every decision in the audit log in this directory, before it takes effect. `agentauth audit` reads it.
    #[arg(long = "audit", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// Signs its checkpoints with this key, as `agentauth audit keygen` makes it.
    #[arg(long = "audit-key", value_name = "FILE", requires = "directory")]
    pub(crate) key: Option<PathBuf>,

    /// Remembers its checkpoints in this file too, on another disk at best: what is in it can neither be cut off nor rewritten unseen.
    #[arg(long = "audit-anchor", value_name = "FILE", requires_all = ["directory", "key"])]
    pub(crate) anchor: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Opaque tokens")]
pub(crate) struct IntrospectionOptions {
    /// Where the issuer is asked about tokens that are no JWTs (RFC 7662; https, or http on loopback). The secret for it is
    /// in the environment variable TOOL_SERVER_INTROSPECTION_SECRET or in --introspection-secret-file.
    #[arg(long = "introspection", value_name = "URL", requires = "introspection_client")]
    pub(crate) endpoint: Option<String>,

    /// This server's client id at the issuer.
    #[arg(id = "introspection_client", long = "introspection-client", value_name = "ID", requires = "endpoint")]
    pub(crate) client: Option<String>,

    /// The file with the secret; a line break at its end does not count.
    #[arg(long = "introspection-secret-file", value_name = "FILE", requires = "endpoint")]
    pub(crate) secret_file: Option<PathBuf>,

    /// Takes signed answers only (RFC 9701).
    #[arg(long = "introspection-signed", requires = "endpoint")]
    pub(crate) signed: bool,

    /// For how long an answer is believed, and a revocation goes unseen: 30 s unless given, at most 60 s; 0 asks each time.
    #[arg(long = "introspection-keep", value_name = "SECONDS", requires = "endpoint")]
    pub(crate) keep: Option<u64>,

    /// Takes an answer without `sub` for a token of the client itself. Some issuers leave `sub` out where no user is
    /// involved; with an issuer that also hides users, a user's token would pass as the client's own.
    #[arg(long = "introspection-clients-without-subject", requires = "endpoint")]
    pub(crate) clients_without_subject: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DpopMode {
    /// Tokens that are bound by DPoP are refused.
    Off,
    /// They are taken, and bearer tokens too.
    Optional,
    /// Every token must be bound, by DPoP or to a certificate: bearer tokens are refused.
    Required,
}

/// A mode in which policies permit nothing unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum EvenIn {
    /// A client with a user's token that says nothing of delegation: plain OAuth.
    ClientOnly,
    /// Whoever took over a principal's session.
    Impersonation,
    /// An agent in an account of its own.
    AgentAccount,
}

impl EvenIn {
    pub(crate) const fn mode(self) -> Mode {
        match self {
            Self::ClientOnly => Mode::ClientOnly,
            Self::Impersonation => Mode::Impersonation,
            Self::AgentAccount => Mode::AgentAccount,
        }
    }
}

fn known(route: &str) -> Result<String, String> {
    if ROUTES.contains(&route) {
        Ok(route.into())
    } else {
        Err(format!("there is no route `{route}`; the routes are {}", ROUTES.join(" and ")))
    }
}

fn scope_requirement(text: &str) -> Result<Requirement, String> {
    let (scope, route) = text.split_once('=').ok_or("write it as SCOPE=ROUTE, such as profile=/whoami")?;
    Ok(Requirement { route: known(route)?, need: Need::Scope(scope.into()) })
}

fn binding_requirement(route: &str) -> Result<Requirement, String> {
    Ok(Requirement { route: known(route)?, need: Need::BoundToken })
}
