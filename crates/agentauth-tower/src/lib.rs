//! agentauth over HTTP, both ways.
//!
//! **Inbound**, [`AgentAuthLayer`] verifies the caller of every request before the service sees it, and
//! [`RequireScopesLayer`] requires scopes for a route, before the body is read.
//! **Outbound**, [`DelegationLayer`] exchanges what an agent holds for a token that counts at exactly one server, and
//! attaches it to the requests for that server. With the feature `client`, [`client`] has an HTTPS client to do it with,
//! and to ask issuers about opaque tokens, and policy decision points about actions; [`keys`] keeps the keys of issuers up to date.
//!
//! ```
//! use agentauth_core::audit::TracingSink;
//! use agentauth_core::jose::{Algorithm, SigningKey};
//! use agentauth_core::{AgentAuth, TrustedIssuer};
//! use agentauth_tower::AgentAuthLayer;
//! use http::{Request, Response};
//! use tower::{Layer, Service, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
//! let auth = AgentAuth::builder("https://tools.example.com")
//!     .issuer(TrustedIssuer::rfc8693("https://sts.example.com", keys))
//!     .audit(TracingSink)
//!     .build()?;
//!
//! let tool = tower::service_fn(async |_: Request<String>| Ok::<_, std::convert::Infallible>(Response::new(String::from("42"))));
//! let mut guarded = AgentAuthLayer::new(auth).layer(tool);
//!
//! let answer = guarded.ready().await?.call(Request::new(String::new())).await?;
//! assert_eq!(answer.status(), 401);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "client")]
pub mod client;
pub mod inbound;
#[cfg(feature = "client")]
pub mod keys;
mod network;
pub mod outbound;

pub use inbound::{
    AgentAuthLayer, ConnectionAddress, ConnectionPeer, RequireBindingLayer, RequireScopesLayer, TrustedProxy, refuse,
};
pub use network::{Network, NetworkError};
pub use outbound::DelegationLayer;
