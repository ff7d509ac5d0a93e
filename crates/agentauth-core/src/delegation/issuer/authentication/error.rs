use crate::identity::svid::JwtSvidError;
use crate::jose::JoseError;

/// Why a client has not proven who it is. Outside, it is told `invalid_client` whichever it was: a client that does not
/// exist looks like one whose proof is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// More than one proof of who the client is (RFC 6749 §2.3).
    #[error(
        "the client proves itself in more than one way; send a certificate, an assertion or a secret, and no other"
    )]
    Repeated,
    /// An `Authorization` header that is not `Basic`.
    #[error("the Authorization header is not `Basic`; tokens have no place there at this endpoint")]
    SchemeUnsupported,
    /// A `Basic` header that is not the base64 of an encoded client id and secret (RFC 6749 §2.3.1).
    #[error(
        "the Basic credentials are malformed; they are base64 of form-encoded client_id, a colon, form-encoded secret"
    )]
    BasicMalformed,
    /// A secret in the form, and no client that it would be of.
    #[error("the form has a client_secret without a client_id")]
    IdMissing,
    /// `client_id` is not the client that has proven itself.
    #[error("client_id names another client than the one that has proven itself")]
    IdMismatch,
    /// `client_assertion_type` is not one that is supported. Not shown: it may be the assertion, in the wrong place.
    #[error("client_assertion_type is not one that is supported: jwt-bearer or jwt-spiffe")]
    AssertionType,
    /// No such client is registered.
    #[error("no such client is registered")]
    Unknown,
    /// The client is registered to prove itself in another way.
    #[error("the client is registered to prove itself in another way")]
    MethodNotRegistered,
    /// The secret is not the client's.
    #[error("the secret is not this client's")]
    SecretWrong,
    /// The assertion is no JWT that a client could have signed, or it was signed with another key.
    #[error("the client's assertion is refused: {0}")]
    Assertion(JoseError),
    /// It has a claim that only tokens of other kinds have, and its `typ` does not say that it is an assertion.
    #[error(
        "the client's assertion has claim `{0}`, so it is a token of another kind; say client-authentication+jwt in typ"
    )]
    OtherKind(&'static str),
    /// The keys of the client cannot be had.
    #[error("the client's keys are not available")]
    KeysUnavailable,
    /// A claim is missing (RFC 7523 §3).
    #[error("the client's assertion has no claim `{0}`")]
    ClaimMissing(&'static str),
    /// A claim has a value that it cannot have.
    #[error("claim `{0}` of the client's assertion is malformed")]
    ClaimMalformed(&'static str),
    /// `iss` and `sub` are not the same client (RFC 7523 §3).
    #[error("iss and sub of the client's assertion must both be its client_id")]
    SubjectMismatch,
    /// `aud` is not this issuer alone.
    #[error("the client's assertion or SVID must have the issuer's identifier as its only audience")]
    AudienceWrong,
    /// `exp` has passed.
    #[error("the client's assertion has expired")]
    Expired,
    /// It counts for longer than an assertion may.
    #[error("the client's assertion counts for longer than 300 s; make one for each request")]
    TooLong,
    /// `nbf` or `iat` lies in the future.
    #[error("the client's assertion is from the future; set the client's clock")]
    NotYetValid,
    /// It has been used before.
    #[error("the client's assertion has been used before; make one for each request")]
    Replayed,
    /// The replay store cannot say whether it has been used before.
    #[error("the replay store is full or not available, so no assertion can be accepted")]
    ReplayUnavailable,
    /// The JWT-SVID is refused.
    #[error("the client's JWT-SVID is refused: {0}")]
    JwtSvid(#[from] JwtSvidError),
    /// The request came through a proxy that says whose it is, and no proxy is trusted here.
    #[error(
        "a header names the client of a proxy, and no proxy is configured here: the connection may be the proxy's own"
    )]
    Forwarded,
}

impl ClientError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Repeated => "client_proof_repeated",
            Self::SchemeUnsupported => "client_scheme_unsupported",
            Self::BasicMalformed => "client_basic_malformed",
            Self::IdMissing => "client_id_missing",
            Self::IdMismatch => "client_id_mismatch",
            Self::AssertionType => "client_assertion_type_unsupported",
            Self::Unknown => "client_unknown",
            Self::MethodNotRegistered => "client_method_not_registered",
            Self::SecretWrong => "client_secret_wrong",
            Self::Assertion(error) => error.code(),
            Self::OtherKind(_) => "client_assertion_of_other_kind",
            Self::KeysUnavailable => "client_keys_unavailable",
            Self::ClaimMissing(_) => "client_claim_missing",
            Self::ClaimMalformed(_) => "client_claim_malformed",
            Self::SubjectMismatch => "client_subject_mismatch",
            Self::AudienceWrong => "client_audience_wrong",
            Self::Expired => "client_assertion_expired",
            Self::TooLong => "client_assertion_too_long",
            Self::NotYetValid => "client_assertion_not_yet_valid",
            Self::Replayed => "client_assertion_replayed",
            Self::ReplayUnavailable => "client_replay_unavailable",
            Self::JwtSvid(error) => error.code(),
            Self::Forwarded => "client_forwarded",
        }
    }

    /// The `error` of the answer (RFC 6749 §5.2): two proofs and a proxy's word are faults of the request, whoever
    /// sends it.
    #[must_use]
    pub const fn oauth_error(&self) -> &'static str {
        match self {
            Self::Repeated | Self::Forwarded => "invalid_request",
            Self::ReplayUnavailable => "temporarily_unavailable",
            _ => "invalid_client",
        }
    }
}

impl From<JoseError> for ClientError {
    fn from(error: JoseError) -> Self {
        Self::Assertion(error)
    }
}
