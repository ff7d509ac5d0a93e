//! A tool server that answers who is calling, and lets verified callers use its tools.
//!
//! Point any OAuth client at it: its tokens must be for the server named by `--resource`, from the issuer named by
//! `--issuer`. With TLS and a trust domain, tokens that are bound to an agent's certificate are checked against it.

#![allow(clippy::print_stdout, reason = "a program says where it listens")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use agentauth_axum::{MtlsListener, ServerIdentity, serve};
use agentauth_core::audit::{JsonLinesFile, TracingSink};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::jose::KeySet;
use agentauth_core::{AgentAuth, AgentTrust, TrustDomain, TrustedIssuer};
use agentauth_examples::tool_server::{ROUTES, Requirement, ScopesSuffice, router};
use agentauth_tower::client::HttpsClient;
use clap::{Parser, ValueEnum};
use tokio::net::TcpListener;

/// A tool server: GET /whoami, POST /tools/{name} (scope tools:{name}), and its protected-resource metadata.
#[derive(Debug, Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// This server's identifier, such as `https://tools.example.com`: tokens must be for exactly this audience.
    #[arg(long)]
    resource: String,

    /// The issuer whose tokens are accepted, exactly as its tokens spell it.
    #[arg(long)]
    issuer: String,

    /// The issuer's keys: a JWKS file, or its URL (https, or http on loopback). Read once, at the start.
    #[arg(long)]
    jwks: String,

    /// What the issuer is trusted to say.
    #[arg(long, value_enum, default_value_t = Profile::Rfc9068)]
    profile: Profile,

    /// Requires a scope for a route, as SCOPE=ROUTE, such as profile=/whoami. May be repeated.
    #[arg(long, value_name = "SCOPE=ROUTE", value_parser = requirement)]
    require: Vec<Requirement>,

    /// Appends every decision to this file, one JSON object a line, before it takes effect.
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    /// The server's certificate chain (PEM). With it, the server speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The server's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// The roots of the agents' trust domain (PEM): agents prove themselves by SVIDs under them.
    #[arg(long, value_name = "FILE", requires_all = ["trust_domain", "tls_cert"])]
    client_ca: Option<PathBuf>,

    /// The agents' trust domain, such as court.example.
    #[arg(long, value_name = "TD", requires = "client_ca")]
    trust_domain: Option<TrustDomain>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Profile {
    /// Plain access tokens: who the client and the principal are, not who acts for whom.
    Rfc9068,
    /// Token exchange: the act claim says which agent acts for the principal.
    Rfc8693,
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let (scope, route) = text.split_once('=').ok_or("write it as SCOPE=ROUTE, such as profile=/whoami")?;
    if !ROUTES.contains(&route) {
        return Err(format!("there is no route `{route}`; the routes are {}", ROUTES.join(" and ")));
    }
    Ok(Requirement { scope: scope.into(), route: route.into() })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    run(Options::parse()).await.inspect_err(|error| tracing::error!("{error}"))
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let auth = engine(&options).await?;
    let app = router(&auth, &options.require)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| format!("{}: {error}", options.listen))?;
    let address = listener.local_addr()?;

    let (Some(chain), Some(key)) = (&options.tls_cert, &options.tls_key) else {
        if !address.ip().is_loopback() {
            tracing::warn!("{address} is no loopback address, and without --tls-cert tokens travel in the clear");
        }
        println!("tool-server: listening on http://{address} as {}", auth.resource());
        return Ok(axum::serve(listener, app).await?);
    };
    let identity = ServerIdentity::from_pem(&read(chain)?, &read(key)?)?;
    // Without a trust domain no client certificate is believed; tokens that are bound to one are then refused.
    let trust = auth.agents().cloned().unwrap_or_else(|| AgentTrust::spiffe(TrustBundles::new()));
    let listener = MtlsListener::with_optional_clients(listener, identity, trust)?;
    println!("tool-server: listening on https://{address} as {}", auth.resource());
    Ok(serve(listener, app).await?)
}

async fn engine(options: &Options) -> Result<AgentAuth, Box<dyn Error>> {
    let keys = keys(&options.jwks).await?;
    for unusable in keys.unusable() {
        tracing::warn!(code = unusable.code(), "a key of {} is left out: {unusable}", options.jwks);
    }
    let issuer = match options.profile {
        Profile::Rfc9068 => TrustedIssuer::rfc9068(&options.issuer, keys),
        Profile::Rfc8693 => TrustedIssuer::rfc8693(&options.issuer, keys),
    };
    let mut builder = AgentAuth::builder(&options.resource).issuer(issuer).policy(ScopesSuffice).audit(TracingSink);
    if let Some(file) = &options.audit {
        builder = builder.audit(JsonLinesFile::open(file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    if let (Some(roots), Some(domain)) = (&options.client_ca, &options.trust_domain) {
        let bundles = TrustBundles::new().with_pem(domain.clone(), &read(roots)?)?;
        builder = builder.agents(AgentTrust::spiffe(bundles));
    }
    Ok(builder.build()?)
}

async fn keys(jwks: &str) -> Result<KeySet, Box<dyn Error>> {
    if jwks.starts_with("http://") || jwks.starts_with("https://") {
        Ok(HttpsClient::with_platform_roots()?.fetch_keys(jwks).await?)
    } else {
        KeySet::from_jwks(&read(Path::new(jwks))?).map_err(|error| format!("{jwks}: {error}").into())
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}
