//! The checks of RFC 9449 §4.3 and §7, in their order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{SHA256, digest};
use http::{Method, Uri};

use super::DpopError;
use super::nonce::{Age, Nonces};
use super::proof::{Claims, MAX_PROOF_BYTES, VerifiedProof, replay_digest};
use super::target::{Origin, Target};
use crate::jose::{Algorithm, SelfSignedJws, TokenType, base64url};
use crate::state::{Remember, ReplayAnswer, ReplayStore};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Verifies DPoP proofs for one server. Made by [`Dpop::build`](super::Dpop::build).
#[derive(Debug)]
pub struct DpopVerifier {
    pub(super) origin: Origin,
    pub(super) algorithms: Box<[Algorithm]>,
    pub(super) algorithm_names: Box<str>,
    /// Seconds.
    pub(super) max_age: u64,
    /// Seconds.
    pub(super) max_ahead: u64,
    pub(super) nonces: Option<Nonces>,
    pub(super) replay_store: Arc<dyn ReplayStore>,
}

/// What a proof must fit: the request it came with, and the access token it was sent beside.
#[derive(Clone, Copy)]
pub struct ProofContext<'r> {
    method: &'r Method,
    uri: &'r Uri,
    token: &'r str,
    bound_to: Option<&'r [u8; 32]>,
}

impl<'r> ProofContext<'r> {
    /// A request for `uri`, of which only the path counts: the whole path that the client sent, not what a router
    /// has left of it. `token` is the access token as it was sent; `bound_to` the thumbprint in its `cnf.jkt`.
    #[must_use]
    pub const fn new(method: &'r Method, uri: &'r Uri, token: &'r str, bound_to: Option<&'r [u8; 32]>) -> Self {
        Self { method, uri, token, bound_to }
    }
}

impl std::fmt::Debug for ProofContext<'_> {
    /// Shows the method and the path, and nothing of the token or the query.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.uri.path();
        f.debug_struct("ProofContext").field("method", self.method).field("path", &path).finish_non_exhaustive()
    }
}

/// How a token was sent: the scheme of the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `Bearer` (RFC 6750 §2.1).
    Bearer,
    /// `DPoP` (RFC 9449 §7.1).
    Dpop,
}

/// Keeps bound tokens and bearer tokens apart (RFC 9449 §7.1, §7.2): a request is sent with the `DPoP` scheme, a proof
/// and a token that is bound to a key, or has none of the three.
///
/// # Errors
/// [`DpopError::ProofWithBearer`], [`DpopError::BoundTokenAsBearer`], [`DpopError::ProofMissing`],
/// [`DpopError::TokenNotBound`].
pub const fn check_scheme(scheme: Scheme, has_proof: bool, is_bound: bool) -> Result<(), DpopError> {
    match (scheme, has_proof, is_bound) {
        (Scheme::Bearer, true, _) => Err(DpopError::ProofWithBearer),
        (Scheme::Bearer, false, true) => Err(DpopError::BoundTokenAsBearer),
        (Scheme::Dpop, false, _) => Err(DpopError::ProofMissing),
        (Scheme::Dpop, true, false) => Err(DpopError::TokenNotBound),
        (Scheme::Bearer, false, false) | (Scheme::Dpop, true, true) => Ok(()),
    }
}

impl DpopVerifier {
    /// Makes checks 2 to 12 of RFC 9449 §4.3 on the proof of a request to this resource server, at the time `now`.
    /// ([`proof_of`](super::proof_of) makes the first.)
    ///
    /// The access token must have been verified already: this compares with it. What has passed may still be a replay:
    /// hand it to [`DpopVerifier::use_once`].
    ///
    /// # Errors
    /// Each rule has its own [`DpopError`].
    pub fn verify(&self, proof: &str, request: &ProofContext<'_>, now: Timestamp) -> Result<VerifiedProof, DpopError> {
        let bound_to = request.bound_to.ok_or(DpopError::TokenNotBound)?;
        self.check(proof, request.method, request.uri, now, |claims, key| {
            check_token(claims, request.token)?;
            if constant_time::verify_slices_are_equal(key, bound_to).is_err() {
                return Err(DpopError::KeyMismatch);
            }
            Ok(())
        })
    }

    /// Makes checks 2 to 11 on the proof of a token request (RFC 9449 §5), which has no access token yet. The token is
    /// to be bound to [`VerifiedProof::key`].
    ///
    /// # Errors
    /// As [`DpopVerifier::verify`].
    pub fn verify_token_request(
        &self,
        proof: &str,
        method: &Method,
        uri: &Uri,
        now: Timestamp,
    ) -> Result<VerifiedProof, DpopError> {
        self.check(proof, method, uri, now, |_, _| Ok(()))
    }

    /// Uses `proof` up: accepts it if it has not been used before (RFC 9449 §11.1).
    pub fn use_once(&self, proof: &VerifiedProof, now: Timestamp) -> UseOnce {
        UseOnce(self.replay_store.remember(&proof.replay_digest, proof.remember_until, now))
    }

    /// The nonce to give in [`DPOP_NONCE`](super::DPOP_NONCE) at the time `now`, if this server gives nonces.
    #[must_use]
    pub fn nonce(&self, now: Timestamp) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(now))
    }

    /// The names of the algorithms that proofs may be signed with, joined by spaces: `algs` of a challenge (RFC 9449
    /// §7.1).
    #[must_use]
    pub fn algorithms(&self) -> &str {
        &self.algorithm_names
    }

    /// Whether `url` is one of the server that this verifies proofs for.
    pub(crate) fn serves(&self, url: &str) -> bool {
        let path = url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
        Target::parse(url).is_some_and(|target| self.origin.target(&path) == Some(target))
    }

    fn check(
        &self,
        proof: &str,
        method: &Method,
        uri: &Uri,
        now: Timestamp,
        check_token: impl FnOnce(&Claims<'_>, &[u8; 32]) -> Result<(), DpopError>,
    ) -> Result<VerifiedProof, DpopError> {
        if proof.len() > MAX_PROOF_BYTES {
            return Err(DpopError::ProofOversize);
        }
        // Checks 2, 5 and 7: a header that is refused says nothing about its claims, and a private key is never used.
        let jws = SelfSignedJws::parse(proof)?;
        let payload = jws.unverified_payload()?;
        // Check 3.
        let claims = Claims::parse(&payload)?;
        // Check 4.
        if jws.token_type() != TokenType::DpopProof {
            return Err(DpopError::TypeWrong(jws.token_type()));
        }
        // Check 5, the server's part.
        if !self.algorithms.contains(&jws.algorithm()) {
            return Err(DpopError::AlgorithmNotAllowed(jws.algorithm()));
        }
        // Check 6.
        jws.verify()?;
        // Check 8. Methods are case-sensitive (RFC 9110 §9.1).
        if claims.htm != method.as_str() {
            return Err(DpopError::MethodMismatch(Excerpt::of(&claims.htm)));
        }
        self.check_target(&claims, uri)?;
        let nonce = self.check_nonce(&claims, now)?;
        self.check_age(&claims, now)?;
        check_token(&claims, jws.thumbprint().as_bytes())?;
        Ok(VerifiedProof {
            key: *jws.thumbprint(),
            replay_digest: replay_digest(jws.thumbprint(), &claims.jti),
            remember_until: Timestamp::from_secs(claims.iat.saturating_add(self.max_age).saturating_add(1)),
            needs_new_nonce: nonce == Some(Age::Previous),
        })
    }

    /// Check 9.
    fn check_target(&self, claims: &Claims<'_>, uri: &Uri) -> Result<(), DpopError> {
        let claimed = Target::parse(&claims.htu).ok_or(DpopError::ClaimMalformed("htu"))?;
        if self.origin.target(uri.path()).is_some_and(|target| target == claimed) {
            Ok(())
        } else {
            // A query may hold what is not to be shown.
            Err(DpopError::TargetMismatch(Excerpt::of(claims.htu.split(['?', '#']).next().unwrap_or_default())))
        }
    }

    /// Check 10. Where this server gives no nonces, one in the proof means nothing.
    fn check_nonce(&self, claims: &Claims<'_>, now: Timestamp) -> Result<Option<Age>, DpopError> {
        let Some(nonces) = &self.nonces else { return Ok(None) };
        let nonce = claims.nonce.as_deref().ok_or(DpopError::NonceRequired)?;
        nonces.age(nonce, now).map(Some).ok_or(DpopError::NonceRefused)
    }

    /// Check 11, with or without a nonce, in whole seconds.
    const fn check_age(&self, claims: &Claims<'_>, now: Timestamp) -> Result<(), DpopError> {
        let (now, iat) = (now.secs(), claims.iat);
        if iat.saturating_add(self.max_age) < now {
            return Err(DpopError::TooOld(now.saturating_sub(iat)));
        }
        if iat > now.saturating_add(self.max_ahead) {
            return Err(DpopError::InFuture(iat.saturating_sub(now)));
        }
        Ok(())
    }
}

/// Check 12 a.
fn check_token(claims: &Claims<'_>, token: &str) -> Result<(), DpopError> {
    let ath = claims.ath.as_deref().ok_or(DpopError::ClaimMissing("ath"))?;
    let mut buffer = [0; 34];
    let claimed = base64url::decode_into(ath, &mut buffer).map_err(|_| DpopError::ClaimMalformed("ath"))?;
    if claimed.len() != 32 {
        return Err(DpopError::ClaimMalformed("ath"));
    }
    constant_time::verify_slices_are_equal(claimed, digest(&SHA256, token.as_bytes()).as_ref())
        .map_err(|_| DpopError::TokenMismatch)
}

/// The wait for the replay store: a future of `Result<(), DpopError>`, with [`DpopError::Replayed`] or
/// [`DpopError::ReplayUnavailable`].
#[derive(Debug)]
#[must_use = "a proof is not accepted before this is awaited"]
pub struct UseOnce(Remember);

impl Future for UseOnce {
    type Output = Result<(), DpopError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(context)) {
            ReplayAnswer::Fresh => Ok(()),
            ReplayAnswer::Replayed => Err(DpopError::Replayed),
            ReplayAnswer::Unavailable => Err(DpopError::ReplayUnavailable),
        })
    }
}
