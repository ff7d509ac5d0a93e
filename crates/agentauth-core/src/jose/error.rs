use super::{Algorithm, JsonError, TokenType};
use crate::text::Excerpt;

/// Why a compact JWS was refused (RFC 7515, RFC 8725bis §3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoseError {
    /// Longer than 16 KiB.
    #[error("the token is longer than 16384 bytes")]
    Oversize,
    /// Not three parts of base64url characters.
    #[error("the token is not a compact JWS: three base64url parts, joined by dots")]
    NotCompact,
    /// Five parts: an encrypted token, which this server does not take.
    #[error("the token is an encrypted JWE; a signed JWS is needed")]
    Encrypted,
    /// A part is not canonical base64url (RFC 7515 §2).
    #[error("the {0} is not canonical base64url without padding")]
    NotCanonical(Part),
    /// The header is longer than 2 KiB when decoded.
    #[error("the header is longer than 2048 bytes")]
    HeaderOversize,
    /// The header is not a strict JSON object.
    #[error("the header is refused: {0}")]
    Header(JsonError),
    /// The payload is not a strict JSON object.
    #[error("the claims are refused: {0}")]
    Claims(JsonError),
    /// No `alg` (RFC 7515 §4.1.1 requires it).
    #[error("the header names no algorithm")]
    AlgorithmMissing,
    /// `alg: none`, in any spelling.
    #[error("the token says it is not signed (alg `none`)")]
    AlgorithmNone,
    /// An HMAC algorithm: its key could only be a secret shared with the issuer, or a public key misused as one.
    #[error("algorithm `{0}` is symmetric; issuers sign with their private key")]
    AlgorithmSymmetric(Excerpt),
    /// An algorithm that is not supported.
    #[error("algorithm `{0}` is not supported")]
    AlgorithmUnsupported(Excerpt),
    /// `alg` is not the algorithm that the key was published for.
    #[error("the token is signed with {token}, but its key is for {key} only")]
    AlgorithmNotOfKey {
        /// What the token's header says.
        token: Algorithm,
        /// What the key is bound to.
        key: Algorithm,
    },
    /// The header lists critical extensions; none is supported, so all are unknown (RFC 7515 §4.1.11).
    #[error("the header lists critical extensions (crit), and none is supported")]
    CriticalUnsupported,
    /// The header speaks of unencoded payloads (RFC 7797), which are not supported.
    #[error("unencoded payloads (b64) are not supported")]
    UnencodedPayload,
    /// The header has a member that tokens of this kind do not have.
    #[error("the header has a member `{0}`; tokens of this kind have alg, kid and typ only")]
    HeaderMember(Excerpt),
    /// `typ` says another kind of token than the one expected here.
    #[error("a token of type `{expected}` is needed, this one says {found}")]
    WrongType {
        /// The kind that is taken here.
        expected: TokenType,
        /// What the header says.
        found: TokenType,
    },
    /// `kid` is longer than 256 bytes.
    #[error("the key id is longer than 256 bytes")]
    KeyIdOversize,
    /// The issuer publishes no usable key of that name.
    #[error("the issuer publishes no usable key `{0}`")]
    KeyUnknown(Excerpt),
    /// The header names no key, and the issuer has not exactly one that could be meant.
    #[error("the header names no key, and it is not clear which is meant")]
    KeyNotNamed,
    /// The signature does not match.
    #[error("the signature does not match")]
    Signature,
}

/// A part of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the three parts of RFC 7515 §7.1")]
#[non_exhaustive]
pub enum Part {
    Header,
    Payload,
    Signature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

impl JoseError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Oversize => "token_oversize",
            Self::NotCompact => "token_not_compact",
            Self::Encrypted => "token_encrypted",
            Self::NotCanonical(_) => "token_not_canonical",
            Self::HeaderOversize => "header_oversize",
            Self::Header(json) | Self::Claims(json) => json.code(),
            Self::AlgorithmMissing => "alg_missing",
            Self::AlgorithmNone => "alg_none",
            Self::AlgorithmSymmetric(_) => "alg_symmetric",
            Self::AlgorithmUnsupported(_) => "alg_unsupported",
            Self::AlgorithmNotOfKey { .. } => "alg_not_of_key",
            Self::CriticalUnsupported => "crit_unsupported",
            Self::UnencodedPayload => "b64_unsupported",
            Self::HeaderMember(_) => "header_member_unexpected",
            Self::WrongType { .. } => "typ_wrong",
            Self::KeyIdOversize => "kid_oversize",
            Self::KeyUnknown(_) => "key_unknown",
            Self::KeyNotNamed => "key_not_named",
            Self::Signature => "signature_invalid",
        }
    }
}

/// Why a JWK or a key file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a strict JSON object, or larger than 256 KiB, or with more than 128 keys.
    #[error("the key set is not readable: {0}")]
    Json(JsonError),
    /// The document is larger than 256 KiB.
    #[error("the key set is larger than 262144 bytes")]
    Oversize,
    /// A symmetric key (`kty: oct`): never used, whatever it is for.
    #[error("a symmetric key (kty `oct`) cannot verify an issuer's tokens")]
    Symmetric,
    /// The JWK holds a private key: it must not be where it was found.
    #[error("the key is a private key; publish the public half only, and replace this one")]
    Private,
    /// `use` is something other than `sig`, or `key_ops` lacks `verify` (RFC 7517 §4.2, §4.3).
    #[error("the key is not meant for verifying signatures")]
    NotForVerifying,
    /// A key type or curve that is not supported.
    #[error("key type or curve `{0}` is not supported")]
    Unsupported(Excerpt),
    /// `alg` does not go with the key type and curve.
    #[error("the key's algorithm `{0}` does not go with its type and curve")]
    AlgorithmMismatch(Excerpt),
    /// An RSA key under 2048 bits or over 8192, or with an exponent that is even, below 3 or over 33 bits.
    #[error("the RSA key is too weak or malformed: 2048 to 8192 bits and an odd exponent from 3 are needed")]
    Weak,
    /// A parameter is missing, not canonical base64url, or does not make a key.
    #[error("the key's parameters do not make a key")]
    Malformed,
    /// Another key of this set has the same `kid`; the first one counts.
    #[error("key id `{0}` stands twice in the set")]
    DuplicateKeyId(Excerpt),
    /// A `kid` longer than 256 bytes.
    #[error("the key id is longer than 256 bytes")]
    KeyIdOversize,
    /// The set holds no key that could verify anything.
    #[error("the key set holds no usable key")]
    NoUsableKey,
    /// A PEM file that does not hold exactly one private key, or an encrypted one.
    #[error(
        "the PEM text must hold exactly one private key, between `BEGIN PRIVATE KEY` and `END PRIVATE KEY`, not encrypted"
    )]
    PemNotOneKey,
    /// A private key in an older form (`BEGIN EC PRIVATE KEY`, `BEGIN RSA PRIVATE KEY`).
    #[error("the PEM private key is not in PKCS#8 form; convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    PemNotPkcs8,
    /// The key is for an algorithm that can be verified here, but not signed with.
    #[error("signing with {0} is not supported")]
    CannotSign(Algorithm),
}

impl KeyError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(json) => json.code(),
            Self::Oversize => "jwks_oversize",
            Self::Symmetric => "jwk_symmetric",
            Self::Private => "jwk_private",
            Self::NotForVerifying => "jwk_not_for_verifying",
            Self::Unsupported(_) => "jwk_unsupported",
            Self::AlgorithmMismatch(_) => "jwk_alg_mismatch",
            Self::Weak => "jwk_weak",
            Self::Malformed => "jwk_malformed",
            Self::DuplicateKeyId(_) => "jwk_duplicate_kid",
            Self::KeyIdOversize => "jwk_kid_oversize",
            Self::NoUsableKey => "jwks_no_usable_key",
            Self::PemNotOneKey => "key_pem_not_one_key",
            Self::PemNotPkcs8 => "key_pem_not_pkcs8",
            Self::CannotSign(_) => "key_cannot_sign",
        }
    }
}
