//! The side of the client: a key, and the proofs that it is held (RFC 9449 §4.2).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Serialize;

use super::server_nonces::ServerNonces;
use crate::jose::{Algorithm, JwkThumbprint, KeyError, SigningFailed, SigningKey, base64url};
use crate::random::{Random, RandomUnavailable, SystemRandom, unique_id};
use crate::time::{Clock, SystemClock};

/// The key of a client that proves with each request that it holds it, and the nonces that servers want to see in its
/// proofs.
///
/// A proof is for one request: its method, its URI and the token beside it. An agent keeps one key for as long as it runs,
/// and shares it between what asks for tokens and what sends them.
///
/// ```
/// use agentauth_core::binding::dpop::DpopKey;
/// use agentauth_core::jose::Algorithm;
/// use http::{Method, Uri};
///
/// let key = DpopKey::generate(Algorithm::Es256)?;
/// let proof = key.prove(&Method::GET, &Uri::from_static("https://records.example/7?page=2"), Some("the token"))?;
/// assert!(proof.is_sensitive());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DpopKey {
    key: SigningKey,
    thumbprint: JwkThumbprint,
    nonces: ServerNonces,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A proof could not be made. Nothing is sent without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFailed {
    /// A proof is for an absolute URI.
    #[error("a proof of possession is for an absolute URI, and the request has none")]
    NoTarget,
    /// The proof could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// There is no randomness for the identifier of the proof.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl DpopKey {
    /// A new key for `algorithm`: one that signs, EdDSA, ES256, ES384, RS256 or PS256. Most servers take ES256.
    ///
    /// # Errors
    /// As [`SigningKey::generate`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::new(SigningKey::generate(algorithm)?)
    }

    /// A key that this client has kept.
    ///
    /// # Errors
    /// None for a key that was made here; the signature is that of loading any key.
    pub fn new(key: SigningKey) -> Result<Self, KeyError> {
        let thumbprint = key.key_id().parse().map_err(|_| KeyError::Malformed)?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        Ok(Self { key, thumbprint, nonces: ServerNonces::default(), clock, random })
    }

    /// The clock that proofs are dated by: the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of the proofs' identifiers: the system's unless set.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// What tokens that are bound to this key name (RFC 9449 §6.1).
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }

    /// A proof for a `method` request to `uri`, with the newest nonce of that server: beside `token` at a resource server,
    /// without one at a token endpoint. Each proof counts once.
    ///
    /// # Errors
    /// [`ProofFailed`].
    pub fn prove(&self, method: &Method, uri: &Uri, token: Option<&str>) -> Result<HeaderValue, ProofFailed> {
        #[derive(Serialize)]
        struct Claims<'a> {
            jti: &'a str,
            htm: &'a str,
            htu: &'a str,
            iat: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            ath: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            nonce: Option<Box<str>>,
        }
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(ProofFailed::NoTarget)?;
        let claims = Claims {
            jti: &unique_id(&*self.random)?,
            htm: method.as_str(),
            // Without query and fragment (RFC 9449 §4.2).
            htu: &format!("{scheme}://{authority}{}", uri.path()),
            iat: self.clock.now().secs(),
            ath: token.map(|token| base64url::encode(digest(&SHA256, token.as_bytes()).as_ref())),
            nonce: self.nonces.of(uri),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| SigningFailed)?;
        let proof = self.key.sign_showing_key("dpop+jwt", &claims)?;
        let mut value = HeaderValue::try_from(proof).map_err(|_| SigningFailed)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Keeps the nonce that the server at `uri` gave in the `headers` of an answer, for the next proof (RFC 9449 §8.2).
    /// Whether it is another one than before: only then is it worth asking again after `use_dpop_nonce`.
    pub fn keep_nonce(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        self.nonces.keep(uri, headers)
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopKey").field("key", &self.key).finish_non_exhaustive()
    }
}
