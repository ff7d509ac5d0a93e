use crate::token::TokenError;

/// Why an identity assertion was refused (RFC 7521 §5.2, ID-JAG "Processing Rules").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// It is no ID-JAG of a trusted issuer for this authorization server, or not one for now.
    #[error("the assertion is refused: {0}")]
    Token(#[from] TokenError),
    /// It was made for another client than the one that presents it.
    #[error("the assertion is for another client than the one that has authenticated")]
    ClientMismatch,
    /// It is bound to a key (`cnf`), and the client has not shown to hold it.
    #[error(
        "the assertion is bound to a key, and the client has not proven to hold it; send a DPoP proof made with it"
    )]
    NotHeld,
    /// It names an actor (`act`) that is not the client, or several.
    #[error("the assertion names an actor (act) other than the client, or several; no one may act here but the client")]
    ActorUnsuitable,
    /// It names a tenant of its issuer that is not trusted, or none where one must be named.
    #[error("the assertion's tenant is not one that its issuer is trusted for; list it with .tenant(...)")]
    TenantWrong,
    /// It is for a tenant of another authorization server than this one (`aud_tenant`).
    #[error("the assertion is for a tenant that this authorization server does not have (aud_tenant)")]
    AudienceTenantWrong,
    /// The resource that is asked for is not among those of the assertion.
    #[error("the resource that was asked for is not among those of the assertion")]
    ResourceOutside,
    /// Neither the request nor the assertion says which one resource the token is to be for.
    #[error("the assertion names no resource, or the request must say which of several it means")]
    ResourceMissing,
    /// The principal is not known here. Nobody is made up.
    #[error("the assertion's subject is not known at this issuer")]
    SubjectUnknown,
    /// The principal's name here could not stand in a token, or would be taken for the client's or a workload's.
    #[error(
        "the assertion's subject has a name here that could not stand in a token, or that is the client's or a workload's"
    )]
    SubjectUnsuitable,
    /// The subjects cannot be looked up at the moment.
    #[error("the subjects cannot be looked up at the moment")]
    SubjectsUnavailable,
    /// It has been used already.
    #[error("the assertion has been used already; ask the identity provider for another")]
    Replayed,
    /// It cannot be told whether it has been used.
    #[error("it cannot be told or remembered whether the assertion has been used")]
    ReplayUnavailable,
}

impl AssertionError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::ClientMismatch => "assertion_client_mismatch",
            Self::NotHeld => "assertion_not_held",
            Self::ActorUnsuitable => "assertion_actor_unsuitable",
            Self::TenantWrong => "assertion_tenant_wrong",
            Self::AudienceTenantWrong => "assertion_audience_tenant_wrong",
            Self::ResourceOutside => "assertion_resource_outside",
            Self::ResourceMissing => "assertion_resource_missing",
            Self::SubjectUnknown => "assertion_subject_unknown",
            Self::SubjectUnsuitable => "assertion_subject_unsuitable",
            Self::SubjectsUnavailable => "assertion_subjects_unavailable",
            Self::Replayed => "assertion_replayed",
            Self::ReplayUnavailable => "assertion_replay_unavailable",
        }
    }

    /// The `error` of the OAuth answer: `invalid_grant` for whatever is wrong with an assertion (RFC 7521 §4.1.1).
    #[must_use]
    pub const fn oauth_error(&self) -> &'static str {
        match self {
            Self::ResourceOutside | Self::ResourceMissing => "invalid_target",
            Self::SubjectsUnavailable | Self::ReplayUnavailable => "temporarily_unavailable",
            Self::Token(TokenError::KeysUnavailable(_) | TokenError::TooManyWaiting) => "temporarily_unavailable",
            _ => "invalid_grant",
        }
    }
}
