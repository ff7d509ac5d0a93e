//! What an outside conformance suite drives: this library's Workload API source, its TLS and its JWT-SVIDs, behind two
//! loopback ports. It decides nothing itself.
//!
//! It is a harness for contract v1 of <https://github.com/arndt-s/spiffe-conformance-test-suite>, which is the Workload API
//! that `SPIFFE_ENDPOINT_SOCKET` names. Whoever starts it reads the ports, and then `READY`, from its output. Any workload
//! may connect, and be connected to: it is for tests only.

#![allow(clippy::print_stdout, reason = "the contract says what is printed")]

mod control;
mod x509;

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use agentauth_spiffe::WorkloadApi;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Longer than any test waits.
const READY_WITHIN: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = run() => ended,
        _ = terminate.recv() => Ok(()),
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let api = WorkloadApi::builder().start()?;
    let (x509, control) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let ports = (x509.local_addr()?.port(), control.local_addr()?.port());
    let server = x509::Server::new(&api)?;
    let controller = control::router(&api)?;
    tokio::spawn(async move { server.serve(x509).await });
    let controlled = tokio::spawn(async move { axum::serve(control, controller).await });

    api.wait_ready(READY_WITHIN).await?;
    println!("SPIFFE_HARNESS_VERSION=1\nSPIFFE_X509_PORT={}\nSPIFFE_CONTROL_PORT={}\nREADY", ports.0, ports.1);
    std::io::stdout().flush()?;
    Ok(controlled.await??)
}
