//! A compact JWS that carries its own key: proof that its maker holds the key, and of nothing else.

use std::fmt;

use serde::de::MapAccess;

use super::compact::{HEADER_BUFFER, Header, HeaderMembers, Parts, read_header};
use super::json::{Members, Value};
use super::key::Jwk;
use super::{Algorithm, JoseError, JwkThumbprint, KeyError, TokenType, VerificationKey};

/// A header with an RSA key of 2048 bits, or a shorter one.
const USUAL_HEADER_BYTES: usize = 512;

/// A compact JWS whose header carries the public key that is said to have signed it (`jwk`, RFC 7515 §4.1.3).
///
/// Anyone can make one, under a key made a moment ago. It counts only beside something trusted that names the key by
/// its thumbprint: the `cnf.jkt` of an access token. Tokens are never read this way:
/// [`CompactJws`](super::CompactJws) does not look at `jwk`.
pub struct SelfSignedJws<'t> {
    header: Header,
    key: VerificationKey,
    parts: Parts<'t>,
}

/// Why a self-signed JWS was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelfSignedError {
    /// The JWS itself is refused.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// The header has no `jwk`.
    #[error("the header carries no key (jwk)")]
    KeyMissing,
    /// The key cannot be used, or should not have been sent.
    #[error("the header's key is refused: {0}")]
    Key(#[from] KeyError),
}

impl<'t> SelfSignedJws<'t> {
    /// Takes `token` apart, reads its key by the rules of [`VerificationKey::from_jwk`], and checks everything but
    /// the signature. An RSA key without `alg` is taken for the algorithm of the header.
    ///
    /// # Errors
    /// [`SelfSignedError`]; nothing here depends on a secret.
    pub fn parse(token: &'t str) -> Result<Self, SelfSignedError> {
        let parts = Parts::of(token)?;
        // As for tokens: nearly all headers fit the smaller buffer.
        let (header, key) = if parts.header.len() <= USUAL_HEADER_BYTES.div_ceil(3) * 4 {
            Self::read(parts.header, &mut [0; USUAL_HEADER_BYTES + 2])?
        } else {
            Self::read(parts.header, &mut [0; HEADER_BUFFER])?
        };
        Ok(Self { header, key, parts })
    }

    fn read(header: &str, buffer: &mut [u8]) -> Result<(Header, VerificationKey), SelfSignedError> {
        let WithKey { members, jwk } = read_header(header, buffer)?;
        let header = members.check()?;
        let jwk = jwk.ok_or(SelfSignedError::KeyMissing)?;
        let rsa_default = if header.algorithm.is_rsa() { header.algorithm } else { Algorithm::Rs256 };
        let key = jwk.key_for_one_use(rsa_default)?;
        Ok((header, key))
    }

    /// The signature algorithm the header names.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The kind of token the header names.
    #[must_use]
    pub const fn token_type(&self) -> TokenType {
        self.header.token_type
    }

    /// The thumbprint of the key in the header.
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        self.key.thumbprint()
    }

    /// The bytes that are signed: header, dot, payload.
    #[cfg(feature = "unstable-chain")]
    pub(crate) const fn signing_input(&self) -> &'t str {
        self.parts.signing_input
    }

    /// How much room [`SelfSignedJws::unverified_payload_in`] needs.
    #[cfg(feature = "unstable-chain")]
    pub(crate) const fn payload_room(&self) -> usize {
        self.parts.payload_room()
    }

    /// As [`SelfSignedJws::unverified_payload`], in `buffer`.
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn unverified_payload_in<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], JoseError> {
        self.parts.decode_payload_in(buffer)
    }

    /// The decoded payload. It is a claim, not a fact, until [`SelfSignedJws::verify`] has passed.
    ///
    /// # Errors
    /// [`JoseError::NotCanonical`].
    pub fn unverified_payload(&self) -> Result<Vec<u8>, JoseError> {
        self.parts.decode_payload()
    }

    /// Verifies the signature under the key in the header.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotOfKey`], [`JoseError::NotCanonical`], [`JoseError::Signature`].
    pub fn verify(&self) -> Result<(), JoseError> {
        self.parts.verify(self.header.algorithm, &self.key)
    }
}

impl fmt::Debug for SelfSignedJws<'_> {
    /// Shows the header and the key's thumbprint, and nothing that could be used as a proof.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSignedJws")
            .field("header", &self.header)
            .field("thumbprint", self.thumbprint())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct WithKey<'de> {
    members: HeaderMembers<'de>,
    jwk: Option<Jwk<'de>>,
}

impl<'de> Members<'de> for WithKey<'de> {
    #[inline]
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        if name == "jwk" {
            self.jwk = Some(value.object()?);
            return Ok(());
        }
        self.members.member(name, value)
    }
}
