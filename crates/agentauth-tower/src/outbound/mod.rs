//! The outbound layer: what an agent sends to the next server, instead of what it was sent.
//!
//! [`DelegationLayer`] wraps an HTTP client. For each request it has a token that was exchanged for exactly one
//! audience, and it sends that token to that audience only:
//!
//! 1. A request to any other origin, or to a path outside of the audience's, fails before it is sent.
//! 2. The token that is exchanged is the [`Caller`](agentauth_core::Caller)'s, if the request has one among its
//!    extensions (a server that calls the next one), or else the one that the layer was made with (an agent's own).
//! 3. The answer of the token service must be an access token for that audience alone, bound to this agent's key or to
//!    none, and no broader than what was asked for and what the caller holds. It is kept for a while: see [`Delegator`].
//! 4. `Authorization` is set to the new token, whatever the request had there; with a proof of possession, if this agent
//!    holds a DPoP key.
//!
//! The inbound token itself cannot be sent: no public call hands it out, and a request that carries a copy of the
//! inbound header loses it in step 4.
//!
//! A server may refuse a proof because it has no nonce, or an old one (RFC 9449 §9). The nonce is kept for the next
//! request; to have the same request sent once more, its body must be one that can be sent twice:
//! [`DelegationLayer::retrying`].

mod exchange;
mod layer;
mod service;

pub use agentauth_core::delegation::outbound::{
    Delegator, DelegatorBuilder, Holder, NextHop, OutboundError, OutboundToken, StsProfile, TokenExchanger,
};
pub use exchange::InProcess;
pub use layer::{DelegationLayer, RetryingDelegationLayer};
pub use service::{DelegationService, Once, OnceMore};
