//! DPoP (RFC 9449): the presenter of a token proves with each request that it holds the token's key.
//!
//! The other side, that of a client, is [`DpopKey`]: it makes the proofs, and keeps the nonces that servers ask for.
//!
//! [`Dpop`] is the setting, [`DpopVerifier`] what checks. [`proof_of`] finds the proof in a request, [`check_scheme`]
//! keeps bound and unbound tokens apart, [`DpopVerifier::verify`] makes the twelve checks of §4.3, and
//! [`DpopVerifier::use_once`] asks whether the proof has been used before: last, so that nobody can use up a proof that
//! they could not have made.
//!
//! ```
//! use agentauth_core::Timestamp;
//! use agentauth_core::binding::dpop::{Dpop, ProofContext};
//!
//! let dpop = Dpop::new("https://server.example.com").build()?;
//! let (method, uri) = (http::Method::GET, http::Uri::from_static("/cases"));
//! let request = ProofContext::new(&method, &uri, "the access token", Some(&[7; 32]));
//! let refused = dpop.verify("eyJ...", &request, Timestamp::from_secs(1_800_000_000));
//! assert_eq!(refused.unwrap_err().code(), "dpop_proof_malformed");
//! # Ok::<(), agentauth_core::binding::dpop::DpopConfigError>(())
//! ```

mod error;
mod explain;
mod nonce;
mod proof;
mod prover;
mod server_nonces;
mod settings;
mod target;
mod verify;

pub use error::DpopError;
pub use explain::{ProofOutcome, ProofRule};
pub use nonce::NonceKey;
pub use proof::{DPOP, DPOP_NONCE, MAX_PROOF_BYTES, VerifiedProof, proof_of};
pub use prover::{DpopKey, ProofFailed};
pub use settings::{Dpop, DpopConfigError};
pub use verify::{DpopVerifier, ProofContext, Scheme, UseOnce, check_scheme};
