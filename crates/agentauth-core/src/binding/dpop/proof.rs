//! A DPoP proof: where it stands in a request, what it claims, and what is left of it once it is verified.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName};
use serde::de::MapAccess;
use smallvec::SmallVec;

use super::DpopError;
use crate::jose::json::{self, JsonError, Members, Scalar, Value};
use crate::jose::{JoseError, JwkThumbprint};
use crate::time::Timestamp;

/// The header that carries a proof (RFC 9449 §4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header in which a server gives a nonce (RFC 9449 §8.1).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The longest proof that is looked at, in bytes. One with an RSA key of 8192 bits has under 4 KiB.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// The longest `jti`. A UUID has 36 characters; the 96 random bits that RFC 9449 §4.2 asks for have 16.
const MAX_JTI_BYTES: usize = 256;

/// The proof that a request carries, if it has one.
///
/// # Errors
/// [`DpopError::ProofRepeated`] (RFC 9449 §4.3 check 1), also for several that a proxy has joined with commas;
/// [`DpopError::ProofOversize`]; [`DpopError::ProofMalformed`] if it is not ASCII.
pub fn proof_of(headers: &HeaderMap) -> Result<Option<&str>, DpopError> {
    let mut values = headers.get_all(DPOP).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(DpopError::ProofRepeated);
    }
    if value.len() > MAX_PROOF_BYTES {
        return Err(DpopError::ProofOversize);
    }
    let proof = value.to_str().map_err(|_| DpopError::ProofMalformed(JoseError::NotCompact))?;
    if proof.contains(',') { Err(DpopError::ProofRepeated) } else { Ok(Some(proof)) }
}

/// A proof that has passed every check but that for replay. Only
/// [`DpopVerifier::verify`](super::DpopVerifier::verify) makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a proof counts once: ask the replay store, with DpopVerifier::use_once"]
pub struct VerifiedProof {
    pub(super) key: JwkThumbprint,
    pub(super) replay_digest: [u8; 32],
    pub(super) remember_until: Timestamp,
    pub(super) needs_new_nonce: bool,
}

impl VerifiedProof {
    /// The thumbprint of the key that the presenter holds.
    #[must_use]
    pub const fn key(&self) -> &JwkThumbprint {
        &self.key
    }

    /// What a replay store knows this proof by: a SHA-256 over the key's thumbprint and `jti`.
    ///
    /// With the key, nobody can use up another client's `jti`. Without `htu`, it is stricter than RFC 9449 §11.1 asks
    /// for: a `jti` is unique to its proof (§4.2), and spellings of a URI make no second use.
    #[must_use]
    pub const fn replay_digest(&self) -> &[u8; 32] {
        &self.replay_digest
    }

    /// The first moment at which the proof is refused for its age, and may be forgotten.
    #[must_use]
    pub const fn remember_until(&self) -> Timestamp {
        self.remember_until
    }

    /// Whether the nonce of the proof is about to end: the answer should carry a new one (RFC 9449 §8.2).
    #[must_use]
    pub const fn needs_new_nonce(&self) -> bool {
        self.needs_new_nonce
    }
}

pub(super) fn replay_digest(key: &JwkThumbprint, jti: &str) -> [u8; 32] {
    // The store may be shared with other things that are used once.
    let mut text: SmallVec<[u8; 512]> = SmallVec::from_slice(b"agentauth dpop proof\0");
    text.extend_from_slice(key.as_bytes());
    text.extend_from_slice(jti.as_bytes());
    let mut replay_digest = [0; 32];
    replay_digest.copy_from_slice(digest(&SHA256, &text).as_ref());
    replay_digest
}

/// What the proof says (RFC 9449 §4.2), not yet believed. Borrows from the decoded payload.
pub(super) struct Claims<'p> {
    pub(super) jti: Cow<'p, str>,
    pub(super) htm: Cow<'p, str>,
    pub(super) htu: Cow<'p, str>,
    pub(super) iat: u64,
    pub(super) ath: Option<Cow<'p, str>>,
    pub(super) nonce: Option<Cow<'p, str>>,
}

impl<'p> Claims<'p> {
    pub(super) fn parse(payload: &'p [u8]) -> Result<Self, DpopError> {
        let read: Read<'p> = json::read(payload).map_err(malformed)?;
        if let Some(claim) = read.wrong_type {
            return Err(DpopError::ClaimMalformed(claim));
        }
        let jti = read.jti.ok_or(DpopError::ClaimMissing("jti"))?;
        if jti.is_empty() || jti.len() > MAX_JTI_BYTES {
            return Err(DpopError::ClaimMalformed("jti"));
        }
        Ok(Self {
            jti,
            htm: read.htm.ok_or(DpopError::ClaimMissing("htm"))?,
            htu: read.htu.ok_or(DpopError::ClaimMissing("htu"))?,
            iat: read.iat.ok_or(DpopError::ClaimMissing("iat"))?,
            ath: read.ath,
            nonce: read.nonce,
        })
    }
}

fn malformed(error: JsonError) -> DpopError {
    DpopError::ProofMalformed(JoseError::Claims(error))
}

#[derive(Default)]
struct Read<'p> {
    jti: Option<Cow<'p, str>>,
    htm: Option<Cow<'p, str>>,
    htu: Option<Cow<'p, str>>,
    iat: Option<u64>,
    ath: Option<Cow<'p, str>>,
    nonce: Option<Cow<'p, str>>,
    wrong_type: Option<&'static str>,
}

impl<'p> Members<'p> for Read<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        let (name, slot) = match name {
            "jti" => ("jti", &mut self.jti),
            "htm" => ("htm", &mut self.htm),
            "htu" => ("htu", &mut self.htu),
            "ath" => ("ath", &mut self.ath),
            "nonce" => ("nonce", &mut self.nonce),
            "iat" => {
                self.iat = value.scalar()?.seconds();
                if self.iat.is_none() {
                    self.wrong_type = Some("iat");
                }
                return Ok(());
            }
            _ => return value.skip(),
        };
        match value.scalar()? {
            Scalar::Text(text) => *slot = Some(text),
            _ => self.wrong_type = Some(name),
        }
        Ok(())
    }
}
