//! Outbound: what an agent sends to the next server, instead of what it was sent.
//!
//! A [`Delegator`] exchanges what a caller came with for a token that counts at exactly one next server ([`NextHop`]), and
//! checks what comes back, whoever it comes from. The token must be another one than before, an access token, for that
//! server alone, bound to this agent's key or to none, no wider than what was asked for and no wider than what the caller
//! holds. Then it is an [`OutboundToken`], which can be put onto requests to that server, and onto no others.
//!
//! The inbound token itself is reachable by no path: it can be put into a request to a token endpoint, and nowhere else.

mod answer;
mod cache;
mod check;
mod client_auth;
mod delegator;
mod error;
mod exchanger;
mod flights;
mod glance;
mod hop;
mod profile;
mod reach;
mod token;

pub(in crate::delegation) use answer::{Answer, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN};
pub use answer::{AnswerError, refusal_in};
pub use client_auth::{ClientAssertion, ClientAssertions, ClientAuth, PrivateKeyJwt};
pub(crate) use delegator::Inbound;
pub use delegator::{Delegator, DelegatorBuilder, MAX_KEPT};
pub use error::OutboundError;
pub use exchanger::{Holder, TokenExchanger};
pub use hop::NextHop;
pub use profile::StsProfile;
pub use token::OutboundToken;
