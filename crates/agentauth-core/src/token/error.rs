use super::introspection::IntrospectionUnavailable;
use super::status::StatusListError;
use crate::jose::JoseError;
use crate::scope::ScopeError;
use crate::text::Excerpt;

/// Why a token was refused (RFC 9068 §4, RFC 7519 §4.1, RFC 8725bis §3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The JWS itself is refused.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// `iss` is none of the trusted issuers, byte for byte.
    #[error("issuer `{0}` is not trusted here")]
    IssuerUntrusted(Excerpt),
    /// The issuer's keys cannot be had at the moment; this is not the token's fault.
    #[error("the keys of issuer `{0}` are not available")]
    KeysUnavailable(Excerpt),
    /// A claim that RFC 9068 §2.2 requires is missing.
    #[error("claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// A claim is empty, longer than 2048 bytes, or has control characters.
    #[error("claim `{0}` is empty, too long, or has control characters")]
    ClaimMalformed(&'static str),
    /// The scope claim is malformed.
    #[error("claim `scope` is refused: {0}")]
    Scope(ScopeError),
    /// `aud` does not name this resource server, byte for byte.
    #[error("the token is for `{0}`, not for this server")]
    AudienceWrong(Excerpt),
    /// `aud` names this resource server among others, any of which could replay the token here.
    #[error("the token is for {0} audiences; it must be for this server alone")]
    AudienceShared(usize),
    /// `exp` has passed.
    #[error("the token expired {0} s ago")]
    Expired(u64),
    /// The token lasts longer, from `iat` to `exp`, than tokens of its issuer may.
    #[error("the token lasts {length} s, and tokens of its issuer may last {limit} s (max_lifetime)")]
    LifetimeTooLong {
        /// How long it lasts, in seconds.
        length: u64,
        /// How long it may last, in seconds.
        limit: u64,
    },
    /// `nbf` has not come yet.
    #[error("the token is valid only in {0} s")]
    NotYetValid(u64),
    /// `iat` lies in the future: a wrong clock, or a made-up token.
    #[error("the token was issued {0} s in the future")]
    IssuedInFuture(u64),
    /// The token does not say its kind, and has a claim that stands only in ID tokens, logout tokens and security
    /// events (RFC 8725bis §3.12).
    #[error("claim `{0}` shows that this is no access token, but an ID token, a logout token or a security event")]
    OtherKind(&'static str),
    /// The token does not have the shape that its issuer's profile knows.
    #[error("the token is not read by profile `{profile}`: {problem}")]
    Shape {
        /// The profile's name.
        profile: &'static str,
        /// What is unlike the shape that it knows.
        problem: &'static str,
    },
    /// The issuer says that the token is not active: unknown, expired or revoked (RFC 7662 §2.2).
    #[error("the issuer says that the token is not active")]
    Inactive,
    /// The issuer could not be asked about the token; this is not the token's fault.
    #[error(transparent)]
    IntrospectionUnavailable(#[from] IntrospectionUnavailable),
    /// More than 4096 tokens wait for keys or answers already; this is not the token's fault.
    #[error("too many tokens wait for the issuer's keys or answers already")]
    TooManyWaiting,
    /// An introspection answer is not signed where that is required, or signed where no key could be expected.
    #[error("the issuer's answer is not signed as it must be (application/token-introspection+jwt)")]
    AnswerUnsigned,
    /// A signed answer is another issuer's, for another client, or from another time (RFC 9701 §5).
    #[error("the issuer's signed answer is not for this server, or not for now")]
    AnswerNotForUs,
    /// The token has a status, and nobody has said where the status lists of its issuer come from.
    #[error(
        "the token says where its status is found (status), but none is looked up for issuer `{0}`: call .status_lists(...)"
    )]
    StatusNotConfigured(Excerpt),
    /// The claim `status` has no `status_list` with `idx` and `uri`: another mechanism, or none.
    #[error("the claim `status` has no `status_list` with `idx` and `uri`; no other mechanism is known")]
    StatusUnsupported,
    /// The status list is not where those of the issuer are.
    #[error("the status list `{0}` is at no origin of its issuer's lists")]
    StatusUri(Excerpt),
    /// The status list cannot be had, or not believed; this is not the token's fault.
    #[error(transparent)]
    StatusList(#[from] StatusListError),
    /// The token has no place in its status list.
    #[error("the token's index {0} lies beyond the end of its status list")]
    StatusIndex(u64),
    /// The token has been revoked (status 1).
    #[error("the token has been revoked, says its status list")]
    StatusInvalid,
    /// The token has been suspended (status 2).
    #[error("the token is suspended, says its status list")]
    StatusSuspended,
    /// A status that is not known, and so not valid.
    #[error("the token has status {0}, which is not known")]
    StatusUnknown(u8),
    /// The token is bound by a method that is not known here, or by several at once (RFC 7800 §3.1).
    #[error("the token is bound by a confirmation method (cnf) that is not supported here, or by several")]
    ConfirmationUnsupported,
    /// The token is a JWT, and its issuer's tokens are opaque here: no keys of it are known.
    #[error("the token is a JWT, but tokens of issuer `{0}` are opaque here: it is asked about them, and has no keys")]
    NotOpaque(Excerpt),
    /// The token names an actor, but its issuer is not trusted to say who acts for whom.
    #[error("the token names an actor (act), but its issuer is not trusted to delegate")]
    ActUntrusted,
    /// More actors in `act` than the limit; never cut short, as that would hide who acted.
    #[error("the token names {found} actors in a chain, {limit} are allowed")]
    ActTooDeep {
        /// How many actors the token names.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
}

impl TokenError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jose(error) => error.code(),
            Self::IssuerUntrusted(_) => "issuer_untrusted",
            Self::KeysUnavailable(_) => "keys_unavailable",
            Self::ClaimMissing(_) => "claim_missing",
            Self::ClaimMalformed(_) => "claim_malformed",
            Self::Scope(error) => error.code(),
            Self::AudienceWrong(_) => "audience_wrong",
            Self::AudienceShared(_) => "audience_shared",
            Self::Expired(_) => "token_expired",
            Self::LifetimeTooLong { .. } => "token_lifetime_too_long",
            Self::NotYetValid(_) => "token_not_yet_valid",
            Self::IssuedInFuture(_) => "token_issued_in_future",
            Self::OtherKind(_) => "token_of_other_kind",
            Self::Shape { .. } => "profile_mismatch",
            Self::Inactive => "token_inactive",
            Self::IntrospectionUnavailable(_) => "introspection_unavailable",
            Self::TooManyWaiting => "too_many_waiting",
            Self::AnswerUnsigned => "introspection_unsigned",
            Self::AnswerNotForUs => "introspection_not_for_us",
            Self::StatusNotConfigured(_) => "status_not_configured",
            Self::StatusUnsupported => "status_unsupported",
            Self::StatusUri(_) => "status_uri_refused",
            Self::StatusList(error) => error.code(),
            Self::StatusIndex(_) => "status_index_out_of_range",
            Self::StatusInvalid => "status_invalid",
            Self::StatusSuspended => "status_suspended",
            Self::StatusUnknown(_) => "status_unknown",
            Self::ConfirmationUnsupported => "confirmation_unsupported",
            Self::NotOpaque(_) => "token_not_opaque",
            Self::ActUntrusted => "act_untrusted",
            Self::ActTooDeep { .. } => "act_too_deep",
        }
    }
}
