//! TLS whose both ends are workloads: each shows its own identity as it is now, and believes the other by the bundles as
//! they are now.
//!
//! Everything is asked for again in each handshake, so a rotation needs no restart, and what was withdrawn is gone at once:
//! without an identity that is good now, a handshake fails on this side. Sessions are not resumed, since a resumed one
//! would skip these checks. TLS 1.3 and 1.2; cryptography by aws-lc-rs, and no process-wide provider is installed.
//!
//! A connection can outlive what it was made with. Servers check its peer again on each request
//! ([`AgentTrust::recheck`](agentauth_core::AgentTrust::recheck), which the engine does).
//!
//! ```
//! use std::sync::Arc;
//! use agentauth_core::identity::svid::{TrustBundles, X509Identity};
//! use agentauth_core::{AgentTrust, SpiffeId};
//! use agentauth_spiffe::tls::{ClientTls, Servers, ServerTls};
//!
//! # fn configs(identity: Arc<X509Identity>, bundles: TrustBundles, clerk: SpiffeId) -> Result<(), Box<dyn std::error::Error>> {
//! let server = ServerTls::new(identity.clone(), AgentTrust::spiffe(bundles.clone())).config()?;
//! let client = ClientTls::new(identity, bundles, Servers::exactly(clerk)).config()?;
//! # Ok(())
//! # }
//! ```

mod client;
mod credential;
mod error;
mod server;
mod servers;

pub use client::ClientTls;
#[cfg(feature = "client")]
pub(crate) use client::ServerVerifier;
#[cfg(feature = "federation")]
pub(crate) use client::anonymous;
pub use credential::{ServerCredential, ServerIdentity};
pub use error::{TlsConfigError, TlsRefusal};
pub use server::{ServerHandshakes, ServerTls, VerifiedPeer};
pub use servers::Servers;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;

/// What both ends say that they speak.
const PROTOCOL: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The chain as one, leaf first. Nothing is copied but pointers.
fn chain<'c>(leaf: &'c CertificateDer<'_>, others: &'c [CertificateDer<'_>]) -> Vec<CertificateDer<'c>> {
    std::iter::once(leaf).chain(others).map(|der| CertificateDer::from_slice(der)).collect()
}
