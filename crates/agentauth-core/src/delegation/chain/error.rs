use crate::identity::AgentId;
use crate::jose::{JoseError, SelfSignedError, TokenType};
use crate::scope::{DetailError, ScopeError};
use crate::text::Excerpt;
use crate::token::TokenError;

/// Why a chain was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// More than one header with ancestors, or several that a proxy has joined with commas: which one counts would be a
    /// guess, and the authority of two chains is never put together.
    #[error("the request carries more than one chain of ancestors")]
    HeaderRepeated,
    /// The header is not compact JWS, joined by `~`.
    #[error("the ancestors are not compact JWS that are joined by `~`, the root first")]
    HeaderMalformed,
    /// The ancestors have more than 32 KiB.
    #[error("the ancestors are longer than 32768 bytes")]
    Oversize,
    /// More links than are followed here.
    #[error("the chain has {found} links, {limit} are allowed")]
    TooManyLinks {
        /// How many links the chain has, the leaf included.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The root is refused, as it would be by itself.
    #[error("the root of the chain is refused: {0}")]
    Root(TokenError),
    /// The root is not bound to a key by its thumbprint, so nobody can narrow it.
    #[error("the root of the chain is not bound to a key (cnf.jkt), so nobody can pass it on")]
    RootNotBound,
    /// The root names an agent that its issuer may not name.
    #[error("the root of the chain names agent {0}, which its issuer may not name")]
    RootAgentUntrusted(AgentId),
    /// One link is refused.
    #[error("link {at} of the chain is refused: {fault}")]
    Link {
        /// Which one; the first below the root is 1.
        at: usize,
        /// Why.
        fault: LinkError,
    },
    /// The leaf is for another server, byte for byte.
    #[error("the chain ends in a token for `{0}`, not for this server")]
    AudienceWrong(Excerpt),
    /// The leaf is for this server and for others, any of which it could be shown to.
    #[error("the chain ends in a token for {0} audiences; it must be for this server alone")]
    AudienceShared(usize),
}

/// Why one link of a chain was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link is no JWS, its header is refused, or its claims are no strict JSON object.
    #[error(transparent)]
    Form(JoseError),
    /// The header carries no key, or none that can be used.
    #[error(transparent)]
    HeaderKey(SelfSignedError),
    /// The header says another kind of token than a link.
    #[error("a link of type `{expected}` is needed, this one says {found}")]
    TypeWrong {
        /// The kind that is taken.
        expected: TokenType,
        /// What the header says.
        found: TokenType,
    },
    /// A claim is missing.
    #[error("claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// A claim is empty, too long, has control characters, or does not have its form.
    #[error("claim `{0}` is malformed")]
    ClaimMalformed(&'static str),
    /// A claim that is not known: it could be a restriction, and must not be passed over.
    #[error("claim `{0}` is not known here, and could be a restriction")]
    ClaimUnknown(Excerpt),
    /// The link is signed with a key that its parent does not confirm.
    #[error("the link is signed with another key than the one that its parent is bound to")]
    KeyBorrowed,
    /// The signature does not match.
    #[error("the signature does not match the parent's key")]
    Signature,
    /// `iss` is not the thumbprint URI of the key that the parent confirms.
    #[error("`iss` is not the thumbprint URI of the key that the parent is bound to")]
    IssuerWrong,
    /// The link was made below another parent.
    #[error("`par_hash` is not the hash of this parent: the link was made below another one")]
    ParentMismatch,
    /// `del_depth` is not one more than the parent's.
    #[error("`del_depth` is {found}, and must be {expected}")]
    DepthWrong {
        /// One more than the parent's.
        expected: u64,
        /// What the link says.
        found: u64,
    },
    /// The parent may not be passed on any further.
    #[error("the parent may be passed on to depth {limit}, and this is depth {depth}")]
    TooDeep {
        /// Where the link stands.
        depth: u64,
        /// How deep the parent lets it be.
        limit: u64,
    },
    /// `del_max_depth` is greater than the parent's.
    #[error("`del_max_depth` is {found}, and the parent's is {limit}")]
    MaxDepthWidened {
        /// What the link says.
        found: u64,
        /// What the parent says.
        limit: u64,
    },
    /// `sub` is not the parent's.
    #[error("`sub` is not the principal of the parent")]
    PrincipalChanged,
    /// The link begins before its parent, which has an `nbf`.
    #[error("the link is good before its parent is: `nbf` must be there, and not earlier than the parent's")]
    BeginsBeforeParent,
    /// The link ends after its parent.
    #[error("the link ends {0} s after its parent")]
    OutlivesParent(u64),
    /// `exp` has passed.
    #[error("the link expired {0} s ago")]
    Expired(u64),
    /// `nbf` has not come yet.
    #[error("the link is good only in {0} s")]
    NotYetValid(u64),
    /// `iat` lies in the future.
    #[error("the link was made {0} s in the future")]
    IssuedInFuture(u64),
    /// The link is for a server that the parent is not for.
    #[error("the link is for `{0}`, which the parent is not for")]
    AudienceWidened(Excerpt),
    /// The scope claim is malformed.
    #[error("claim `scope` is refused: {0}")]
    Scope(ScopeError),
    /// A detail is malformed, or of a type that is not known.
    #[error(transparent)]
    Detail(DetailError),
    /// The link holds authority that its parent does not hold.
    #[error("the link holds more authority than its parent")]
    AuthorityWidened,
    /// The delegate has acted in this chain already.
    #[error("agent `{0}` is in the chain already")]
    ActorLoop(Excerpt),
    /// The delegate's key is that of an earlier agent.
    #[error("the key that the link is bound to is an earlier agent's")]
    KeyReused,
}

impl ChainError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::HeaderRepeated => "chain_header_repeated",
            Self::HeaderMalformed => "chain_header_malformed",
            Self::Oversize => "chain_oversize",
            Self::TooManyLinks { .. } => "chain_too_many_links",
            Self::Root(error) => error.code(),
            Self::RootNotBound => "chain_root_not_bound",
            Self::RootAgentUntrusted(_) => "chain_root_agent_untrusted",
            Self::Link { fault, .. } => fault.code(),
            Self::AudienceWrong(_) => "chain_audience_wrong",
            Self::AudienceShared(_) => "chain_audience_shared",
        }
    }

    /// Whether the request could not even be read, whatever it shows.
    pub(crate) const fn is_of_request(&self) -> bool {
        matches!(self, Self::HeaderRepeated | Self::HeaderMalformed | Self::Oversize)
    }
}

impl LinkError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(error) => error.code(),
            Self::HeaderKey(SelfSignedError::Jose(error)) => error.code(),
            Self::HeaderKey(SelfSignedError::Key(error)) => error.code(),
            Self::HeaderKey(SelfSignedError::KeyMissing) => "chain_key_missing",
            Self::TypeWrong { .. } => "chain_typ_wrong",
            Self::ClaimMissing(_) => "chain_claim_missing",
            Self::ClaimMalformed(_) => "chain_claim_malformed",
            Self::ClaimUnknown(_) => "chain_claim_unknown",
            Self::KeyBorrowed => "chain_key_borrowed",
            Self::Signature => "chain_signature_invalid",
            Self::IssuerWrong => "chain_issuer_wrong",
            Self::ParentMismatch => "chain_parent_mismatch",
            Self::DepthWrong { .. } => "chain_depth_wrong",
            Self::TooDeep { .. } => "chain_too_deep",
            Self::MaxDepthWidened { .. } => "chain_max_depth_widened",
            Self::PrincipalChanged => "chain_principal_changed",
            Self::BeginsBeforeParent => "chain_begins_before_parent",
            Self::OutlivesParent(_) => "chain_outlives_parent",
            Self::Expired(_) => "chain_expired",
            Self::NotYetValid(_) => "chain_not_yet_valid",
            Self::IssuedInFuture(_) => "chain_issued_in_future",
            Self::AudienceWidened(_) => "chain_audience_widened",
            Self::Scope(error) => error.code(),
            Self::Detail(error) => error.code(),
            Self::AuthorityWidened => "chain_authority_widened",
            Self::ActorLoop(_) => "chain_actor_loop",
            Self::KeyReused => "chain_key_reused",
        }
    }
}

impl From<SelfSignedError> for LinkError {
    fn from(error: SelfSignedError) -> Self {
        match error {
            SelfSignedError::Jose(error) => Self::Form(error),
            other => Self::HeaderKey(other),
        }
    }
}

/// Why a holder's token was not narrowed. What a server would refuse is refused here already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttenuationError {
    /// What is held is no chain, or one that a server would refuse.
    #[error("what is to be narrowed is refused: {0}")]
    Held(#[from] ChainError),
    /// The signing key is not the one that the token is bound to.
    #[error("the token is bound to another key than the one it was to be narrowed with")]
    KeyNotHeld,
    /// The token is for several servers, and the link must be for one.
    #[error("the token is for several servers; say for which one the link is to be: .audience(..)")]
    AudienceUnsaid,
    /// Nothing would be passed on.
    #[error("nothing is passed on; say what: .scopes(..) or .authority(..)")]
    Empty,
    /// A server would refuse the link.
    #[error("the link would be refused: {0}")]
    Link(LinkError),
    /// No identifier could be made, or signing failed.
    #[error("the link could not be signed: the random source or the key is unusable")]
    Unavailable,
}

impl AttenuationError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Held(error) => error.code(),
            Self::KeyNotHeld => "attenuation_key_not_held",
            Self::AudienceUnsaid => "attenuation_audience_unsaid",
            Self::Empty => "attenuation_empty",
            Self::Link(error) => error.code(),
            Self::Unavailable => "attenuation_unavailable",
        }
    }
}
