//! The inbound layers: who is calling, and may this route be entered?
//!
//! What [`AgentAuthLayer`] decides, in order:
//!
//! 1. Credentials that cannot be read (two `Authorization` headers, a token in the query string) are answered with 400.
//! 2. Without credentials, the answer is 401 with a challenge; [`AgentAuthLayer::optional`] lets such requests pass
//!    without a [`Caller`](agentauth_core::Caller).
//! 3. The caller is verified by the engine. A refusal is answered with 401, 403 or 503, and stands in the record.
//! 4. The verified [`Caller`](agentauth_core::Caller) is put into the request's extensions, and the service is called.
//!
//! Every refusal carries its [`Rejection`](agentauth_core::Rejection) in the response's extensions, so that layers
//! further out can count or log the typed reason.
//!
//! The identity of the connection is taken from the extension [`ConnectionPeer`], which the TLS listener sets. It is
//! not taken from a header: what a header says, the caller says. The exception is a [`TrustedProxy`] that ends the callers'
//! TLS connections: [`AgentAuthLayer::forwarded_identity_from`].

mod bound;
mod future;
mod layer;
mod proxy;
mod response;
mod scopes;

use std::sync::Arc;

use agentauth_core::identity::svid::X509Svid;

pub use bound::{RequireBindingLayer, RequireBindingService};
pub use future::ResponseFuture;
pub use layer::{AgentAuthLayer, AgentAuthService};
pub use proxy::{ConnectionAddress, TrustedProxy};
pub use response::refuse;
pub use scopes::{RequireScopesLayer, RequireScopesService};

/// The agent at the other end of the TLS connection, as a request extension. Only a TLS listener should set it.
///
/// It was good when the connection was made, which can be long ago: ask
/// [`AgentTrust::recheck`](agentauth_core::AgentTrust::recheck) before it decides anything, or use the extractor that your
/// server's crate has for it. And it can be a [`TrustedProxy`]:
/// [`Caller::peer`](agentauth_core::Caller::peer) is who has sent the request, and was checked again for it.
#[derive(Debug, Clone)]
pub struct ConnectionPeer(pub Arc<X509Svid>);
