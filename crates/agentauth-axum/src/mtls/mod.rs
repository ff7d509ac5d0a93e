//! Mutual TLS: a listener whose peers are verified agents.
//!
//! The server shows a [`ServerIdentity`] that stays as it is, or any
//! [`IdentitySource`](agentauth_core::identity::svid::IdentitySource), which is asked in each handshake:
//!
//! ```no_run
//! use std::sync::Arc;
//! use agentauth_axum::{MtlsListener, serve};
//! use agentauth_core::AgentTrust;
//! use agentauth_core::identity::svid::{BundleSource, IdentitySource};
//! # use axum::Router;
//! # use tokio::net::TcpListener;
//!
//! # async fn run<S: IdentitySource + BundleSource + 'static>(source: Arc<S>, app: Router) -> Result<(), Box<dyn std::error::Error>> {
//! let socket = TcpListener::bind("0.0.0.0:8443").await?;
//! let listener = MtlsListener::new(socket, source.clone(), AgentTrust::spiffe(source))?;
//! serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each handshake runs in a task of its own, off the accept loop, and has 10 s. Their number is bounded: where 1,024 are
//! under way and one more client comes, or there is no file descriptor for it, the oldest of them is dropped. A peer
//! that stalls delays nobody. Session resumption is off, since a resumed session would skip the certificate checks.
//!
//! A connection can outlive the identity of its peer: the engine checks it again on each request, and so does
//! [`ConnectedAgent`], for handlers that ask for no token.

mod agent;
mod handshakes;
mod listener;
mod refusals;
mod serve;

pub use agent::ConnectedAgent;
pub use agentauth_spiffe::tls::{ServerCredential, ServerHandshakes, ServerIdentity, ServerTls, TlsConfigError};
pub use listener::{MtlsListener, TlsStream};
pub use serve::{ConnectionService, PeerService, serve};
