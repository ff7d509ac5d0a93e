use crate::jose::{Algorithm, JoseError, KeyError, SelfSignedError, TokenType};
use crate::text::Excerpt;

/// Why a DPoP proof, or what came without one, was refused (RFC 9449 §4.3, §7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// More than one `DPoP` header, or several proofs in one (check 1).
    #[error("the request has more than one DPoP proof; send exactly one")]
    ProofRepeated,
    /// The scheme is `DPoP`, and there is no proof.
    #[error("the request uses the DPoP scheme without a DPoP header; send a proof with it")]
    ProofMissing,
    /// Longer than 8 KiB.
    #[error("the DPoP proof is longer than 8192 bytes")]
    ProofOversize,
    /// Not a well-formed signed JWT (check 2).
    #[error("the DPoP proof is no well-formed signed JWT: {0}")]
    ProofMalformed(JoseError),
    /// A claim that is required is missing (check 3).
    #[error("the DPoP proof has no claim `{0}`")]
    ClaimMissing(&'static str),
    /// A claim has the wrong type, or a value that it cannot have (check 3).
    #[error("claim `{0}` of the DPoP proof is malformed")]
    ClaimMalformed(&'static str),
    /// `typ` is not `dpop+jwt` (check 4).
    #[error("the DPoP proof's type is {0}; `dpop+jwt` is needed")]
    TypeWrong(TokenType),
    /// `alg: none` (check 5).
    #[error("the DPoP proof says it is not signed (alg `none`)")]
    AlgorithmNone,
    /// `alg` is symmetric (check 5).
    #[error("the DPoP proof's algorithm `{0}` is symmetric; a proof is signed with a private key")]
    AlgorithmSymmetric(Excerpt),
    /// `alg` is not supported (check 5).
    #[error("the DPoP proof's algorithm `{0}` is not supported")]
    AlgorithmUnsupported(Excerpt),
    /// `alg` is supported, and not allowed here (check 5).
    #[error("the DPoP proof's algorithm {0} is not allowed here")]
    AlgorithmNotAllowed(Algorithm),
    /// No `jwk` in the header (check 6).
    #[error("the DPoP proof's header carries no key (jwk)")]
    KeyMissing,
    /// `jwk` holds a private key (check 7). Its holder has told it to everyone on the way.
    #[error("the DPoP proof carries a private key; replace that key, and send the public half only")]
    KeyPrivate,
    /// `jwk` is symmetric, weak, malformed, for something else, or not for the `alg` of the header (check 6).
    #[error("the DPoP proof's key cannot be used: {0}")]
    KeyUnusable(SelfSignedError),
    /// The signature does not match the key in the header (check 6).
    #[error("the DPoP proof's signature does not match its key")]
    Signature,
    /// `htm` is not the method of the request (check 8).
    #[error("the DPoP proof is for method `{0}`, not for this request's")]
    MethodMismatch(Excerpt),
    /// `htu` is not the URI of the request (check 9).
    #[error("the DPoP proof is for `{0}`, not for this request's URI; is the configured origin what clients see?")]
    TargetMismatch(Excerpt),
    /// This server gives nonces, and the proof has none (check 10, RFC 9449 §9).
    #[error("the DPoP proof has no nonce; use the one in the DPoP-Nonce header")]
    NonceRequired,
    /// The nonce is not one of this server's, or not of its last two periods (check 10).
    #[error("the DPoP proof's nonce is not this server's or has expired; use the one in the DPoP-Nonce header")]
    NonceRefused,
    /// `iat` lies further back than a proof may be old (check 11).
    #[error("the DPoP proof was made {0} s ago, which is too long; make one for each request")]
    TooOld(u64),
    /// `iat` lies in the future (check 11).
    #[error("the DPoP proof was made {0} s in the future; set the client's clock")]
    InFuture(u64),
    /// `ath` is not the hash of the access token (check 12 a).
    #[error("the DPoP proof was made for another access token (ath)")]
    TokenMismatch,
    /// The proof's key is not the one that the access token is bound to (check 12 b).
    #[error("the DPoP proof is signed with another key than the access token is bound to")]
    KeyMismatch,
    /// The proof has been used before (RFC 9449 §11.1).
    #[error("the DPoP proof has been used before; make one for each request")]
    Replayed,
    /// The replay store cannot say whether the proof has been used before.
    #[error("the replay store is full or not available, so no DPoP proof can be accepted")]
    ReplayUnavailable,
    /// A token that is bound to a key came with the `Bearer` scheme (RFC 9449 §7.2).
    #[error(
        "the access token is bound to a DPoP key, and was sent as a bearer token; use the DPoP scheme with a proof"
    )]
    BoundTokenAsBearer,
    /// The `DPoP` scheme, with a token that is bound to no key.
    #[error("the access token is not bound to a DPoP key (cnf.jkt), so it cannot be used with the DPoP scheme")]
    TokenNotBound,
    /// A proof beside a token that was sent with the `Bearer` scheme: it would not be looked at.
    #[error("the request has a DPoP proof, and sends its token as a bearer token; use the DPoP scheme")]
    ProofWithBearer,
}

impl DpopError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProofRepeated => "dpop_proof_repeated",
            Self::ProofMissing => "dpop_proof_missing",
            Self::ProofOversize => "dpop_proof_oversize",
            Self::ProofMalformed(_) => "dpop_proof_malformed",
            Self::ClaimMissing(_) => "dpop_claim_missing",
            Self::ClaimMalformed(_) => "dpop_claim_malformed",
            Self::TypeWrong(_) => "dpop_typ_wrong",
            Self::AlgorithmNone => "dpop_alg_none",
            Self::AlgorithmSymmetric(_) => "dpop_alg_symmetric",
            Self::AlgorithmUnsupported(_) => "dpop_alg_unsupported",
            Self::AlgorithmNotAllowed(_) => "dpop_alg_not_allowed",
            Self::KeyMissing => "dpop_key_missing",
            Self::KeyPrivate => "dpop_key_private",
            Self::KeyUnusable(_) => "dpop_key_unusable",
            Self::Signature => "dpop_signature_invalid",
            Self::MethodMismatch(_) => "dpop_htm_mismatch",
            Self::TargetMismatch(_) => "dpop_htu_mismatch",
            Self::NonceRequired => "dpop_nonce_required",
            Self::NonceRefused => "dpop_nonce_refused",
            Self::TooOld(_) => "dpop_iat_too_old",
            Self::InFuture(_) => "dpop_iat_in_future",
            Self::TokenMismatch => "dpop_ath_mismatch",
            Self::KeyMismatch => "dpop_key_mismatch",
            Self::Replayed => "dpop_replayed",
            Self::ReplayUnavailable => "dpop_replay_unavailable",
            Self::BoundTokenAsBearer => "dpop_bound_token_as_bearer",
            Self::TokenNotBound => "dpop_token_not_bound",
            Self::ProofWithBearer => "dpop_proof_with_bearer",
        }
    }

    /// The `error` of the answer (RFC 9449 §7.1, §9): `invalid_dpop_proof`, `use_dpop_nonce`, or `invalid_token` where
    /// the token itself was sent in the wrong way; `temporarily_unavailable` if the replay store is.
    #[must_use]
    pub const fn oauth_error(&self) -> &'static str {
        match self {
            Self::NonceRequired | Self::NonceRefused => "use_dpop_nonce",
            Self::KeyMismatch | Self::BoundTokenAsBearer | Self::TokenNotBound => "invalid_token",
            Self::ReplayUnavailable => "temporarily_unavailable",
            _ => "invalid_dpop_proof",
        }
    }
}

impl From<JoseError> for DpopError {
    fn from(error: JoseError) -> Self {
        match error {
            JoseError::Oversize => Self::ProofOversize,
            JoseError::WrongType { found, .. } => Self::TypeWrong(found),
            JoseError::AlgorithmNone => Self::AlgorithmNone,
            JoseError::AlgorithmSymmetric(alg) => Self::AlgorithmSymmetric(alg),
            JoseError::AlgorithmUnsupported(alg) => Self::AlgorithmUnsupported(alg),
            JoseError::AlgorithmNotOfKey { .. } => Self::KeyUnusable(error.into()),
            JoseError::Signature => Self::Signature,
            other => Self::ProofMalformed(other),
        }
    }
}

impl From<SelfSignedError> for DpopError {
    fn from(error: SelfSignedError) -> Self {
        match error {
            SelfSignedError::Jose(error) => error.into(),
            SelfSignedError::KeyMissing => Self::KeyMissing,
            SelfSignedError::Key(KeyError::Private) => Self::KeyPrivate,
            other => Self::KeyUnusable(other),
        }
    }
}
