//! A tool server that answers who is calling, and lets verified callers use its tools.
//!
//! Point any OAuth client at it: its tokens must be for the server named by `--resource`, from the issuer named by
//! `--issuer`. With `--dpop`, tokens that are bound to a key are taken with a proof of it; with TLS and a trust domain,
//! tokens that are bound to an agent's certificate are checked against it.

#![allow(clippy::print_stdout, reason = "a program says where it listens")]

mod engine;
mod forwarded;
mod options;
mod own_trust;
mod policies;
mod profiles;
mod spiffe;
mod workload_api;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use agentauth_axum::mtls::ServerCredential;
use agentauth_axum::{AgentAuthLayer, MtlsListener, ServerIdentity, serve};
use agentauth_core::AgentTrust;
use agentauth_core::identity::svid::TrustBundles;
use agentauth_examples::tool_server::router_behind;
use clap::Parser as _;
use engine::read;
use options::Options;
use spiffe::Bundle;
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let ended = tokio::select! {
        // First, so that no signal ends the program where it stands once it says that it listens.
        biased;
        stopped = stopped() => stopped.map_err(Into::into),
        served = run(Options::parse()) => served,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Until somebody ends the program: with Ctrl-C, or with SIGTERM, as service managers do. The audit log is closed when the last
/// that holds it is dropped, so the program must not be ended where it stands.
async fn stopped() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

async fn run(mut options: Options) -> Result<(), Box<dyn Error>> {
    let forwarded = options.forwarded.forwarded()?;
    engine::check_bundles(&options)?;
    options.workload_api.connect().await?;
    let sugar = options.trust_domain.clone().zip(options.client_ca.clone());
    let files = options.spiffe.files(sugar.map(|(domain, file)| Bundle { domain, file })).await?;
    own_trust::follow(&options, files.as_ref());
    let auth = engine::engine(&options, files.as_ref()).await?;
    // A layer that is added later is asked earlier: a stolen token is refused before its scopes are looked at.
    options.require.append(&mut options.require_binding);
    let mut layer = AgentAuthLayer::new(auth.clone());
    if let Some((proxy, xfcc)) = forwarded {
        layer = layer.forwarded_identity_from(proxy, xfcc);
    }
    let app = router_behind(layer, &auth, &options.require)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| format!("{}: {error}", options.listen))?;
    let address = listener.local_addr()?;

    let identity = match (&options.tls_cert, &options.tls_key, options.workload_api.source(), files) {
        (Some(chain), Some(key), _, _) => ServerCredential::from(ServerIdentity::from_pem(&read(chain)?, &read(key)?)?),
        (_, _, Some(api), _) => api.into(),
        (_, _, _, Some(files)) if options.spiffe.svid_dir.is_some() => files.into(),
        _ => {
            if !address.ip().is_loopback() {
                tracing::warn!("{address} is no loopback address, and without TLS tokens travel in the clear");
            }
            println!("tool-server: listening on http://{address} as {}", auth.resource());
            // A proxy is known by its address.
            return Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?);
        }
    };
    // Without a trust domain no client certificate is believed; tokens that are bound to one are then refused.
    let trust = auth.agents().cloned().unwrap_or_else(|| AgentTrust::spiffe(TrustBundles::new()));
    let listener = MtlsListener::with_optional_clients(listener, identity, trust)?;
    println!("tool-server: listening on https://{address} as {}", auth.resource());
    Ok(serve(listener, app).await?)
}
