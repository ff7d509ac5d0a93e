use super::RevocationKind;

/// A caller is refused because something that it depends on has been revoked, or because that cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revoked {
    /// Its token.
    #[error("the token has been revoked")]
    Token,
    /// The grant that its token descends from.
    #[error("the grant that the token descends from (grant_id) has been revoked")]
    Grant,
    /// The agent, one that acted before it in the chain, or the one at the other end of the connection.
    #[error("the agent, or one that acted before it in the chain, has been revoked")]
    Agent,
    /// Its principal.
    #[error("the principal has been revoked")]
    Principal,
    /// The issuer of its token.
    #[error("the token's issuer has been revoked")]
    Issuer,
    /// The store of revocations cannot tell.
    #[error("the store of revocations cannot tell whether the caller has been revoked")]
    Unavailable,
}

impl Revoked {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Token => "token_revoked",
            Self::Grant => "grant_revoked",
            Self::Agent => "agent_revoked",
            Self::Principal => "principal_revoked",
            Self::Issuer => "issuer_revoked",
            Self::Unavailable => "revocation_unavailable",
        }
    }
}

impl From<RevocationKind> for Revoked {
    fn from(kind: RevocationKind) -> Self {
        match kind {
            RevocationKind::Token => Self::Token,
            RevocationKind::Grant => Self::Grant,
            RevocationKind::Agent => Self::Agent,
            RevocationKind::Principal => Self::Principal,
            RevocationKind::Issuer => Self::Issuer,
        }
    }
}

/// Why a store could not revoke something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The store is full of revocations that count still.
    #[error("the store of revocations is full: revoke the whole agent, principal or issuer, or give it more capacity")]
    Full,
    /// The end of the revocation has come already.
    #[error("the revocation ends before it begins")]
    Over,
    /// The store could not keep it. It may or may not count.
    #[error("the revocation could not be kept: {0}")]
    Store(Box<str>),
}

impl RevokeError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "revocations_full",
            Self::Over => "revocation_over",
            Self::Store(_) => "revocation_not_kept",
        }
    }
}
