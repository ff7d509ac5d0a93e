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
    /// `nbf` has not come yet.
    #[error("the token is valid only in {0} s")]
    NotYetValid(u64),
    /// `iat` lies in the future: a wrong clock, or a made-up token.
    #[error("the token was issued {0} s in the future")]
    IssuedInFuture(u64),
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
            Self::NotYetValid(_) => "token_not_yet_valid",
            Self::IssuedInFuture(_) => "token_issued_in_future",
            Self::ActUntrusted => "act_untrusted",
            Self::ActTooDeep { .. } => "act_too_deep",
        }
    }
}
