//! Two agents call each other over mutual TLS. Each shows its own identity, and says whom it means to reach: another agent
//! that answers in its place is refused.

#![allow(clippy::print_stdout, reason = "a program that shows something prints it")]

use agentauth_axum::{ConnectedAgent, MtlsListener, serve};
use agentauth_core::{AgentTrust, SpiffeId};
use agentauth_examples::ca::Ca;
use agentauth_spiffe::{Snapshot, client::SvidClient, tls::Servers};
use axum::{Router, routing::get, serve::Listener as _};
use http::Request;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An agent that says who has called it.
struct Agent {
    id: SpiffeId,
    url: String,
    /// Its identity and its bundles, which stay as they are. A `WorkloadApi` or a `FileSource` can stand here, and rotates.
    source: Snapshot,
}

impl Agent {
    async fn start(ca: &Ca, path: &str) -> Result<Self, Error> {
        let source = ca.source(path)?;
        let socket = TcpListener::bind("127.0.0.1:0").await?;
        let listener = MtlsListener::new(socket, source.clone(), AgentTrust::spiffe(source.clone()))?;
        let (id, url) = (source.identity.clone()?.id().clone(), format!("https://{}/", listener.local_addr()?));
        let me = id.clone();
        let who = async move |peer: ConnectedAgent| format!("{} called {me}", peer.id());
        tokio::spawn(serve(listener, Router::new().route("/", get(who))));
        Ok(Self { id, url, source })
    }

    async fn call(&self, url: &str, expected: &SpiffeId) -> Result<String, Error> {
        let servers = Servers::exactly(expected.clone());
        let client = SvidClient::builder(self.source.clone(), self.source.clone(), servers).allow_loopback().build()?;
        let answer = client.send(Request::get(url).body(Default::default())?, 1024).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let ca = Ca::new("court.example")?;
    let (lawyer, clerk) = (Agent::start(&ca, "/agent/lawyer").await?, Agent::start(&ca, "/agent/clerk").await?);
    println!("{}", lawyer.call(&clerk.url, &clerk.id).await?);
    println!("{}", clerk.call(&lawyer.url, &lawyer.id).await?);
    let judge = "spiffe://court.example/agent/judge".parse()?;
    match clerk.call(&lawyer.url, &judge).await {
        Err(refused) => println!("{} wanted {judge}: {refused}", clerk.id),
        Ok(answer) => return Err(format!("someone else has answered: {answer}").into()),
    }
    Ok(())
}
