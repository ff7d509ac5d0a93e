//! Strict compact JWS (RFC 7515): header, algorithm, keys and key sets, verify, sign.
//!
//! Three habits keep this room small. One key is for one algorithm, bound when the key is loaded, so a token can
//! never choose how it is checked. The key comes from the issuer that the configuration trusts, never from the
//! token; only a proof of possession ([`SelfSignedJws`]) carries its own. And a JSON object is read once, strictly: no duplicate members, bounded depth, exact types.
//!
//! ```
//! use agentauth_core::jose::{Algorithm, CompactJws, SigningKey, TokenType};
//!
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let token = key.sign(TokenType::AccessToken, br#"{"sub":"alice"}"#)?;
//!
//! let jws = CompactJws::parse(&token)?;
//! jws.require_type(TokenType::AccessToken)?;
//! let keys = key.public_key_set()?;
//! jws.verify(keys.key_for(&jws)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
pub(crate) mod base64url;
mod compact;
mod error;
pub(crate) mod json;
mod key;
mod key_set;
mod self_signed;
mod signer;
mod signing;
mod thumbprint;
mod token_type;

pub use algorithm::Algorithm;
pub use compact::{CompactJws, MAX_TOKEN_BYTES};
pub use error::{JoseError, KeyError, Part};
pub use json::JsonError;
pub(crate) use key::Jwk;
pub use key::VerificationKey;
pub use key_set::{KeySet, MAX_JWKS_BYTES};
pub use self_signed::{SelfSignedError, SelfSignedJws};
pub use signer::{SigningFailed, SigningKey};
pub(crate) use signing::sign_compact;
pub use signing::{Signer, Signing};
pub use thumbprint::{JwkThumbprint, NotAThumbprint};
pub use token_type::TokenType;
