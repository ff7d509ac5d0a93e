//! Who is it? Names of agents and principals, and the proof of an agent's name.

mod approver;
pub mod forwarded;
mod names;
mod pattern;
mod peer;
mod spiffe_id;
pub mod svid;
mod validity;
mod written;

pub use approver::Approver;
pub(crate) use names::MAX_NAME_BYTES;
pub use names::{AgentId, IssuerId, NameError, PrincipalId, PrincipalKind, ResourceId};
pub use pattern::{SpiffePattern, SpiffePatternError, TrustDomainAliases};
pub use peer::{Peer, PeerProof};
pub use spiffe_id::{SpiffeId, SpiffeIdError, TrustDomain};
pub(crate) use written::{WrittenAgent, WrittenPrincipal};
