//! What has been revoked: single tokens, grants with everything that descends from them, agents, principals and issuers.
//!
//! A [`RevocationStore`] is asked about each caller, when it is authenticated and again for each of its actions. What it
//! cannot tell refuses.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use agentauth_core::audit::TracingSink;
//! use agentauth_core::jose::{Algorithm, SigningKey};
//! use agentauth_core::state::{MemoryRevocations, Revocation};
//! use agentauth_core::{AgentAuth, AgentId, SpiffeId, TrustedIssuer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
//! let auth = AgentAuth::builder("https://tools.example.com")
//!     .issuer(TrustedIssuer::rfc8693("https://sts.example.com", keys))
//!     .revocations(MemoryRevocations::new())
//!     .audit(TracingSink)
//!     .build()?;
//! let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse()?;
//! auth.revoke(&Revocation::agent(lawyer).by("ops:bob").because("its key was found in a log")).await?;
//! # Ok(())
//! # }
//! ```

mod entries;
mod error;
mod file;
mod key;
mod memory;
mod named;
mod store;
mod wait;

pub use error::{RevokeError, Revoked};
pub use file::{DEFAULT_NOTICED_WITHIN, FileRevocations};
pub use key::{RevocationKey, RevocationKind, Subjects};
pub use memory::MemoryRevocations;
pub use named::{Revocation, RevocationTarget};
pub use store::{RevocationAnswer, RevocationStore};
pub use wait::Wait;
