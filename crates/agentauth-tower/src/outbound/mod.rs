//! The outbound layer: what an agent sends to the next server, instead of what it was sent.
//!
//! [`DelegationLayer`] wraps an HTTP client. For each request it holds a token that was exchanged for exactly one
//! audience, and it sends that token to that audience only:
//!
//! 1. A request to any other origin, or to a path outside of the audience's, fails before it is sent.
//! 2. The token that is exchanged is the [`Caller`](agentauth_core::Caller)'s, if the request has one among its
//!    extensions (a server that calls the next one), or else the one that the layer was made with (an agent's own).
//! 3. The answer of the token service must be an access token, and no broader than what was asked for.
//! 4. `Authorization` is set to the new token, whatever the request had there.
//!
//! The inbound token itself cannot be sent: no public call hands it out, and a request that carries a copy of the
//! inbound header loses it in step 4.

mod exchange;
mod layer;

pub use exchange::{InProcess, OutboundError, TokenExchanger};
pub use layer::{DelegationLayer, DelegationService};
