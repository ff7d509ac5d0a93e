use http::StatusCode;

use super::issuer::ClientError;
use super::{AssertionError, GrantsUnavailable};
use crate::binding::dpop::{DpopConfigError, DpopError};
use crate::identity::{AgentId, IssuerId, NameError, ResourceId, SpiffeId};
use crate::random::RandomUnavailable;
use crate::scope::{DetailError, ScopeSet};
use crate::state::revocation::Revoked;
use crate::text::Excerpt;
use crate::token::TokenError;

/// Why a verified token is not a delegation that this server accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegationError {
    /// The token names an agent of a trust domain for which no bundle is configured, or one that its issuer may not
    /// name.
    #[error("agent {0} belongs to a trust domain that is not trusted here, or that the issuer may not name")]
    AgentUntrusted(AgentId),
    /// The token names one agent and the connection is another's: a lawyer with someone else's bar card.
    #[error("the token names agent {actor}, but the connection is {peer}'s")]
    ActorIsNotPeer {
        /// The agent that the token names.
        actor: AgentId,
        /// The agent that the connection proved.
        peer: SpiffeId,
    },
    /// The connection proves no agent, and here it must.
    #[error(
        "the token names agent {0}, and the connection proves no agent; connect with the agent's own certificate, through every proxy on the way"
    )]
    PeerMissing(AgentId),
    /// Nothing ties the token to its holder, and here it must be bound.
    #[error("the token names agent {0} and is bound to no key; here it must be, by DPoP or to a certificate")]
    ActorNotBound(AgentId),
    /// This server acts only on delegations, and the caller represents no one.
    #[error("agent {0} represents no one, and this server requires a delegation")]
    Required(AgentId),
    /// The delegation has ended since the caller was verified.
    #[error("the delegation has expired since it was verified")]
    Expired,
}

impl DelegationError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AgentUntrusted(_) => "agent_untrusted",
            Self::ActorIsNotPeer { .. } => "actor_is_not_peer",
            Self::PeerMissing(_) => "peer_missing",
            Self::ActorNotBound(_) => "actor_not_bound",
            Self::Required(_) => "delegation_required",
            Self::Expired => "delegation_expired",
        }
    }
}

/// Why a token exchange was refused (RFC 8693 §2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The client shows nothing that would prove who it is, or its SVID is not good now.
    #[error(
        "the client shows no proof of who it is, or an SVID that is not good now; connect with one, or send an assertion or a secret"
    )]
    ClientUnauthenticated,
    /// The client has not proven who it is.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The client's DPoP proof is refused (RFC 9449 §5).
    #[error(transparent)]
    Dpop(DpopError),
    /// The client sent a DPoP proof, and this issuer does not look at any.
    #[error("the request has a DPoP proof, and this issuer binds no tokens by DPoP: configure it, or send none")]
    DpopUnsupported,
    /// The client has shown no key that its token could be bound to, and may not have one that is bound to none.
    #[error("the client shows no key to bind its token to; send a DPoP proof, or connect with a certificate")]
    BindingRequired,
    /// The request lacks a parameter, repeats one, or gives one a value that is not supported.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// The grant type is neither token exchange nor client credentials, or one that this issuer is not set up for.
    #[error("the grant type is not supported")]
    GrantUnsupported,
    /// The subject token is refused.
    #[error("the subject token is refused: {0}")]
    SubjectToken(TokenError),
    /// The subject token is bound to a key, and the client is neither its holder nor the server it was meant for.
    #[error("the subject token is bound to another client's key")]
    SubjectTokenNotHeld,
    /// The actor token is refused.
    #[error("the actor token is refused: {0}")]
    ActorToken(TokenError),
    /// The client, the actor, or something that one of the tokens depends on has been revoked.
    #[error("nothing is issued: {0}")]
    Revoked(Revoked),
    /// The actor token does not stand for an agent by itself, bound to the agent's key.
    #[error("the actor token must be an agent's own token, bound to the agent's certificate")]
    ActorTokenUnsuitable,
    /// Nothing says that this actor may act for this subject: actor splicing, or a missing consent.
    #[error("agent {0} may not act for the subject: neither may_act, the current actor nor a registered grant says so")]
    ActorNotPermitted(AgentId),
    /// The actor has acted on this authority before, and others have since: passed round, it would look like one
    /// delegation while it is another.
    #[error("agent {0} has acted on this authority before, and cannot be given it again by one that it passed it to")]
    ActorLoop(AgentId),
    /// The grant that the subject token descends from does not count any more.
    #[error("grant `{0}`, which the subject descends from, has been withdrawn or has ended")]
    GrantWithdrawn(Excerpt),
    /// The grant that the subject token descends from is for another agent or principal.
    #[error("grant `{0}`, which the subject descends from, is for another agent or principal than the subject names")]
    GrantOfAnother(Excerpt),
    /// The grant does not reach to the target.
    #[error("grant `{0}` does not allow tokens for this target")]
    GrantAudience(Excerpt),
    /// Who may act for whom cannot be told.
    #[error("the registered grants cannot be had: {0}")]
    GrantsUnavailable(GrantsUnavailable),
    /// The chain of actors would become longer than the limit.
    #[error("the chain would have {found} actors, {limit} are allowed")]
    TooDeep {
        /// How long the chain would be.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// No token can be issued for the target.
    #[error("no tokens are issued for this target")]
    TargetUnknown,
    /// More was asked for than the subject token holds.
    #[error("scopes `{asked}` were asked for, the subject token holds `{held}`")]
    ScopeWidened {
        /// What was asked for.
        asked: ScopeSet,
        /// What the subject token holds.
        held: ScopeSet,
    },
    /// The `authorization_details` that were asked for are not understood, or those that are to be granted are more than a
    /// server reads.
    #[error("the authorization_details are refused: {0}")]
    Details(DetailError),
    /// The `authorization_details` that were asked for are more than the subject token holds.
    #[error("more was asked for in authorization_details than the subject token holds")]
    DetailsWidened,
    /// All that the subject holds may be used by its holder, and by nobody else.
    #[error("the current actor may not pass its authority on")]
    NotToBePassedOn,
    /// Nothing is left that could be granted at the target.
    #[error("no scope is left that could be granted at this target")]
    ScopeEmpty,
    /// One of the inputs has no lifetime left to pass on.
    #[error("the inputs have no lifetime left")]
    NoLifetime,
    /// A token is to be taken back by a client that it was not issued to.
    #[error("the token was issued to another client, and is not bound to this one's key")]
    TokenOfAnother,
    /// The identity assertion is refused.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// The issuer could not sign or make an identifier.
    #[error("the issuer cannot issue at the moment")]
    Unavailable,
}

impl ExchangeError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ClientUnauthenticated => "exchange_client_unauthenticated",
            Self::Client(error) => error.code(),
            Self::Dpop(error) => error.code(),
            Self::DpopUnsupported => "exchange_dpop_unsupported",
            Self::BindingRequired => "exchange_binding_required",
            Self::Malformed(_) => "exchange_malformed",
            Self::GrantUnsupported => "exchange_grant_unsupported",
            Self::SubjectToken(error) | Self::ActorToken(error) => error.code(),
            Self::Revoked(revoked) => revoked.code(),
            Self::SubjectTokenNotHeld => "exchange_subject_not_held",
            Self::ActorTokenUnsuitable => "exchange_actor_unsuitable",
            Self::ActorNotPermitted(_) => "exchange_actor_not_permitted",
            Self::ActorLoop(_) => "exchange_actor_loop",
            Self::GrantWithdrawn(_) => "exchange_grant_withdrawn",
            Self::GrantOfAnother(_) => "exchange_grant_of_another",
            Self::GrantAudience(_) => "exchange_grant_audience",
            Self::GrantsUnavailable(_) => "exchange_grants_unavailable",
            Self::TooDeep { .. } => "exchange_too_deep",
            Self::TargetUnknown => "exchange_target_unknown",
            Self::ScopeWidened { .. } => "exchange_scope_widened",
            Self::Details(error) => error.code(),
            Self::DetailsWidened => "exchange_details_widened",
            Self::NotToBePassedOn => "exchange_not_to_be_passed_on",
            Self::ScopeEmpty => "exchange_scope_empty",
            Self::NoLifetime => "exchange_no_lifetime",
            Self::TokenOfAnother => "revocation_token_of_another",
            Self::Assertion(error) => error.code(),
            Self::Unavailable => "exchange_unavailable",
        }
    }

    /// The `error` of the OAuth answer (RFC 8693 §2.2.2, RFC 6749 §5.2): all a client is told.
    #[must_use]
    pub const fn oauth_error(&self) -> &'static str {
        match self {
            Self::ClientUnauthenticated => "invalid_client",
            Self::Client(error) => error.oauth_error(),
            Self::Dpop(error) => error.oauth_error(),
            Self::DpopUnsupported | Self::BindingRequired => "invalid_dpop_proof",
            Self::GrantUnsupported => "unsupported_grant_type",
            Self::TokenOfAnother => "unauthorized_client",
            Self::TargetUnknown | Self::GrantAudience(_) => "invalid_target",
            Self::ScopeWidened { .. } | Self::ScopeEmpty | Self::NotToBePassedOn => "invalid_scope",
            Self::Details(_) | Self::DetailsWidened => "invalid_authorization_details",
            Self::Unavailable | Self::GrantsUnavailable(_) | Self::Revoked(Revoked::Unavailable) => {
                "temporarily_unavailable"
            }
            Self::Assertion(error) => error.oauth_error(),
            _ => "invalid_request",
        }
    }

    /// The status of that answer (RFC 6749 §5.2).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.oauth_error() {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<RandomUnavailable> for ExchangeError {
    fn from(_: RandomUnavailable) -> Self {
        Self::Unavailable
    }
}

/// Why an [`Issuer`](super::Issuer) cannot be configured so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The identifier of the issuer or of a resource is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The issuer's identifier has a query (RFC 8414 §2).
    #[error("issuer `{0}` has a query; an issuer is a URL without one")]
    Query(Excerpt),
    /// A resource is configured twice.
    #[error("resource `{0}` is configured twice")]
    DuplicateResource(ResourceId),
    /// A scope list is malformed.
    #[error("the scopes of resource `{resource}` are malformed: {error}")]
    Scopes {
        /// The resource.
        resource: ResourceId,
        /// What is wrong with its scopes.
        error: crate::scope::ScopeError,
    },
    /// A token lifetime of 0, or of more than a day.
    #[error("a token lifetime of {0} s is outside 1 s to 86400 s")]
    Lifetime(u64),
    /// An actor limit of 0, or over 16.
    #[error("a limit of {0} actors is outside 1 to 16")]
    MaxActors(usize),
    /// A setting names a server that is no resource of the issuer.
    #[error("`{0}` is given authorization details, and is no resource of this issuer: call .resource(...) for it")]
    NoResource(Excerpt),
    /// No client could authenticate: neither [`IssuerBuilder::agents`](super::IssuerBuilder::agents) nor
    /// [`IssuerBuilder::client`](super::IssuerBuilder::client) was called.
    #[error(
        "no agent trust is configured and no client is registered, so no client could authenticate: call .agents(...) or .client(...)"
    )]
    NoAgentTrust,
    /// The issuer is to accept identity assertions of its own, which the draft forbids.
    #[error("issuer `{0}` cannot accept its own identity assertions; name the identity provider")]
    OwnAssertions(IssuerId),
    /// A client id that could not be one, or that would be taken for a workload.
    #[error(
        "client id `{0}` is not 1 to 256 visible ASCII characters, or begins with `spiffe:`; say which workload it is with .spiffe(...)"
    )]
    ClientId(Excerpt),
    /// A client that could prove itself in no way, or in two.
    #[error("client `{0}` must prove itself in exactly one way: .keys(...), .secret(...), or .spiffe(...) alone")]
    ClientProof(Excerpt),
    /// Two clients have the same id.
    #[error("client `{0}` is registered twice")]
    DuplicateClient(Excerpt),
    /// The DPoP settings contradict themselves.
    #[error(transparent)]
    Dpop(#[from] DpopConfigError),
    /// The DPoP settings are for another server than the one in the issuer's identifier.
    #[error("the DPoP origin is not that of `{0}`, where proofs of clients are for")]
    DpopOrigin(Excerpt),
    /// The signing key cannot be published.
    #[error("the signing key cannot be used: {0}")]
    Key(crate::jose::KeyError),
    /// The issuer cannot trust its own tokens; its settings contradict each other.
    #[error(transparent)]
    Verifier(crate::token::IssuerConfigError),
}
