//! From what the command line says to the engine.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentauth_audit::anchor::FileAnchor;
use agentauth_audit::checkpoint::CheckpointKey;
use agentauth_audit::{AuditLog, WriteClass, WriteClasses};
use agentauth_core::audit::{AuditSink, TracingSink};
use agentauth_core::binding::dpop::{Dpop, NonceKey};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::token::Introspection;
use agentauth_core::{AgentAuth, AgentTrust, SystemRandom};
use agentauth_examples::tool_server::ScopesSuffice;
use agentauth_spiffe::BundleSources;
use agentauth_spiffe::files::FileSource;
use agentauth_tower::client::{FetchError, HttpIntrospector, HttpsClient};
use agentauth_tower::keys::LiveKeys;
use axum::http::Uri;

use crate::options::{AuditOptions, DpopMode, IntrospectionOptions, Options};
use crate::policies;

/// Where the secret for introspection is found: an argument would be shown to everyone on this host.
const SECRET: &str = "TOOL_SERVER_INTROSPECTION_SECRET";

/// `files` say which agents are believed, if any do.
pub(crate) async fn engine(options: &Options, files: Option<&FileSource>) -> Result<AgentAuth, Box<dyn Error>> {
    let introspection = introspection(&options.introspection)?;
    let mut builder = AgentAuth::builder(&options.resource).audit(TracingSink);
    let mut sink: Arc<dyn AuditSink> = Arc::new(TracingSink);
    if let Some(log) = audit_log(&options.audit)? {
        sink = Arc::new(log);
        builder = builder.audit(Arc::clone(&sink));
    }
    builder = match &options.policy {
        Some(directory) => builder.policy(policies::follow(directory, options, sink).await?),
        None => builder.policy(ScopesSuffice),
    };
    if let Some(dpop) = dpop(options)? {
        builder = builder.dpop(dpop);
    }
    let sees_certificates = files.is_some() || options.workload_api.source().is_some();
    if !options.require_binding.is_empty() && options.dpop == DpopMode::Off && !sees_certificates {
        let needs = "--require-binding needs --dpop or --client-ca, --bundle, --svid-dir or --spiffe-socket";
        return Err(format!("{needs}: else no token can be bound").into());
    }
    if options.dpop == DpopMode::Required {
        builder = builder.require_binding();
    }
    if let Some(trust) = trust(options, files) {
        builder = builder.agents(trust);
    }
    // Last, since keys are fetched from then on: where something else is wrong, that is the last word of the log.
    let mut issuer = options.profile.0.issuer(&options.issuer, keys(options)?);
    if let Some(introspection) = introspection {
        issuer = issuer.introspection(introspection);
    }
    Ok(builder.issuer(issuer).actor_binding(options.forwarded.actor_binding()).build()?)
}

/// The log, if there is to be one. All of it is on the disk before an answer is given, refusals too.
fn audit_log(options: &AuditOptions) -> Result<Option<AuditLog>, Box<dyn Error>> {
    let Some(directory) = &options.directory else { return Ok(None) };
    let mut log = AuditLog::builder(directory).classes(WriteClasses::all(WriteClass::Durable));
    if let Some(file) = &options.key {
        let key = CheckpointKey::from_file(file).map_err(|error| format!("{}: {error}", file.display()))?;
        log = log.key(key);
    }
    if let Some(file) = &options.anchor {
        log = log.anchor(FileAnchor::open(file)?);
    }
    Ok(Some(log.open().map_err(|error| format!("{}: {error}", directory.display()))?))
}

/// Whether bundles, if there are any, will have certificates to check, and certificates a bundle.
pub(crate) fn check_bundles(options: &Options) -> Result<(), Box<dyn Error>> {
    let has_bundles = options.client_ca.is_some() || !options.spiffe.bundles.is_empty();
    let has_tls = options.tls_cert.is_some() || options.spiffe.svid_dir.is_some() || options.workload_api.is_on();
    let verifies = options.forwarded.verifies();
    if has_bundles && !has_tls && !verifies {
        let needs = "--client-ca and --bundle need --tls-cert, --svid-dir, --spiffe-socket or --xfcc-verify";
        return Err(format!("{needs}: without them no certificate is seen").into());
    }
    if verifies && !has_bundles && !options.workload_api.is_on() {
        return Err("--xfcc-verify needs --client-ca, --bundle or --spiffe-socket".into());
    }
    Ok(())
}

/// Whose word counts about who an agent is, if anyone's.
fn trust(options: &Options, files: Option<&FileSource>) -> Option<AgentTrust> {
    let trust = match (files, options.workload_api.source()) {
        // What was configured by hand comes first.
        (Some(files), Some(api)) => AgentTrust::spiffe(BundleSources::new().or(files.clone()).or(api)),
        (Some(files), None) => AgentTrust::spiffe(files.clone()),
        (None, Some(api)) => AgentTrust::spiffe(api),
        (None, None) if options.forwarded.is_on() => AgentTrust::spiffe(TrustBundles::new()),
        (None, None) => return None,
    };
    Some(options.forwarded.trust(trust))
}

/// Keys that are followed from now on; nothing waits for them here.
fn keys(options: &Options) -> Result<LiveKeys, Box<dyn Error>> {
    let mut keys = LiveKeys::builder();
    if let Some(seconds) = options.keys_min_interval {
        keys = keys.min_interval(Duration::from_secs(seconds));
    }
    Ok(match options.jwks.as_deref() {
        None => keys.discover(client_for(&options.issuer)?, &options.issuer)?,
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            keys.from_url(client_for(url)?, url)?
        }
        Some(file) => keys.from_file(file)?,
    })
}

fn dpop(options: &Options) -> Result<Option<Dpop>, Box<dyn Error>> {
    match (options.dpop, options.dpop_nonce) {
        (DpopMode::Off, true) => Err("--dpop-nonce needs --dpop optional or --dpop required".into()),
        (DpopMode::Off, false) => Ok(None),
        (_, with_nonce) => {
            let dpop = Dpop::new(&origin(&options.resource));
            Ok(Some(if with_nonce { dpop.require_nonce(NonceKey::generate(&SystemRandom)?) } else { dpop }))
        }
    }
}

fn introspection(options: &IntrospectionOptions) -> Result<Option<Introspection>, Box<dyn Error>> {
    let (Some(endpoint), Some(client_id)) = (&options.endpoint, &options.client) else { return Ok(None) };
    let secret = match (&options.secret_file, std::env::var(SECRET)) {
        (Some(file), _) => String::from_utf8(read(file)?)
            .map_err(|_| format!("{}: the secret is no UTF-8 text", file.display()))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        (None, Ok(secret)) => secret,
        (None, Err(_)) => {
            return Err(format!("--introspection needs a secret: set {SECRET} or --introspection-secret-file").into());
        }
    };
    if secret.is_empty() {
        return Err("the secret for --introspection is empty".into());
    }
    let mut introspector = HttpIntrospector::with_secret(client_for(endpoint)?, endpoint, client_id, &secret)?;
    if options.signed {
        introspector = introspector.signed();
    }
    let mut introspection = Introspection::new(introspector);
    if options.signed {
        introspection = introspection.require_signed_for(client_id);
    }
    if let Some(seconds) = options.keep {
        introspection = introspection.keep_for(Duration::from_secs(seconds));
    }
    if options.clients_without_subject {
        introspection = introspection.client_if_no_subject();
    }
    Ok(Some(introspection))
}

/// Scheme, host and port of an identifier; what is none is refused where it is used.
fn origin(resource: &str) -> String {
    let Ok(uri) = resource.parse::<Uri>() else { return resource.into() };
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => resource.into(),
    }
}

/// A client for `url`, which whoever configured it may have on this host.
fn client_for(url: &str) -> Result<HttpsClient, FetchError> {
    HttpsClient::builder().allow_loopback_if_named(url).build()
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}
