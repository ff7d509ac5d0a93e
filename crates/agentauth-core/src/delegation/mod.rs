//! For whom? Who acts for whom, with how much authority, and how that is passed on.

mod accept;
mod actor_binding;
mod assertion;
#[cfg(feature = "unstable-chain")]
pub mod chain;
mod error;
mod exchange;
mod grants;
mod issuer;
pub mod outbound;

use std::fmt;
use std::sync::Arc;

pub use accept::AgentTrust;
pub use actor_binding::ActorBinding;
pub use assertion::{
    AssertedSubject, AssertionError, AssertionIssuer, GRANT_PROFILE_ID_JAG, IdJagRequest, IdentityAssertion,
    JwtBearerRequest, KnownSubjects, SubjectKind, SubjectMapping, SubjectsUnavailable,
};
pub use error::{DelegationError, ExchangeError, IssuerError};
pub use exchange::{ExchangeRequest, IssuedToken, SubjectToken};
pub use grants::{
    DelegationGrant, DelegationGrants, FileGrants, GRANTS_NOTICED_WITHIN, GrantsError, GrantsFileError,
    GrantsUnavailable, MAX_GRANTS_BYTES, MemoryGrants,
};
use issuer::MAX_LIFETIME;
pub use issuer::{
    Client, ClientError, ClientSecret, Consent, Endpoints, IntrospectionBody, Issuer, IssuerBuilder, KeyPhase,
    KeyStatus, MAX_FORM_BYTES, MIN_PUBLICATION, RegisteredClient, RotationError, SecretError, SecretHash, SigningKeys,
    TokenRequest, dangerous,
};
pub(crate) use issuer::{Form, Parameters, details_of, token_response};
pub use outbound::AnswerError;

use http::HeaderName;

use crate::binding::Binding;
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::scope::{Authority, ScopeImplications, ScopeSet};
use crate::time::Timestamp;
pub use crate::token::Mode;
use crate::token::VerifiedToken;

/// The header that carries the ancestors of a token that was narrowed offline, unless another one is set. It is read with
/// the feature `unstable-chain` only; what copies requests should remove it in any case.
pub const AGENT_DELEGATION: HeaderName = HeaderName::from_static("agent-delegation");

/// A verified statement: this agent acts for this principal, with this authority, at this server.
///
/// Only the engine makes one, from a token that passed every check. The chain of earlier actors is kept for the
/// record alone: no public method shows it, and what policy is given does not contain it (RFC 8693 §4.1).
#[derive(Clone)]
pub struct Delegation {
    token: Arc<VerifiedToken>,
    /// The agent, where it may not be called what the token calls it.
    demoted: Option<AgentId>,
    /// What is left of the token's authority, where something beside it narrows that.
    narrowed: Option<Authority>,
    binding: Binding,
}

impl Delegation {
    /// On whose behalf. For an agent that acts for itself, that is the agent.
    #[must_use]
    pub fn principal(&self) -> &PrincipalId {
        &self.token.reading.principal
    }

    /// Who acts: the current actor.
    #[must_use]
    pub fn actor(&self) -> &AgentId {
        self.demoted.as_ref().unwrap_or(&self.token.reading.actor)
    }

    /// In what capacity.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.token.reading.mode
    }

    /// What was delegated.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.narrowed.as_ref().unwrap_or(&self.token.authority)
    }

    /// What may be passed on to whoever is called next: less than all of it, where someone delegated to the agent.
    pub(crate) fn passed_on(&self) -> Authority {
        if self.depth() > 0 { self.authority().passed_on() } else { self.authority().clone() }
    }

    /// The same, with the scopes that `scopes` holds too.
    pub(crate) fn narrowed_to(mut self, scopes: &ScopeSet, implications: &ScopeImplications) -> Self {
        self.narrowed = Some(self.authority().within(scopes, implications));
        self
    }

    /// The one server at which this delegation counts.
    #[must_use]
    pub fn audience(&self) -> &ResourceId {
        &self.token.audience
    }

    /// How the presenter was tied to the delegation.
    #[must_use]
    pub const fn binding(&self) -> Binding {
        self.binding
    }

    /// What is left of the token's authority, where something beside it narrows that.
    pub(crate) const fn narrowed(&self) -> Option<&Authority> {
        self.narrowed.as_ref()
    }

    /// Who said so.
    #[must_use]
    pub fn issuer(&self) -> &IssuerId {
        &self.token.issuer
    }

    /// When the delegation ends (`exp`).
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.token.lifetime.expires
    }

    /// How many agents the principal's authority has passed through, the current one included; 0 if no one
    /// delegated.
    #[must_use]
    pub fn depth(&self) -> usize {
        let is_passed_on = self.mode() == Mode::OnBehalfOf || self.token.narrowing.is_some();
        if is_passed_on { self.earlier_actors().len().saturating_add(1) } else { 0 }
    }

    /// The actors before the current one, the most recent first: informational, never a ground for a decision.
    pub(crate) fn earlier_actors(&self) -> &[AgentId] {
        &self.token.reading.earlier
    }

    /// Those of them that have passed it on without its issuer, which has named the last of these.
    pub(crate) fn holders(&self) -> &[AgentId] {
        let links = self.token.narrowing.as_ref().map_or(0, |narrowing| narrowing.links);
        self.earlier_actors().get(..links).unwrap_or_default()
    }

    pub(crate) const fn token(&self) -> &Arc<VerifiedToken> {
        &self.token
    }

    pub(crate) fn token_id(&self) -> &str {
        &self.token.id
    }

    /// What uses are counted under, and until when: all that descends from one grant, or from one token that was narrowed
    /// without its issuer, shares its counters; and so do the tokens that a consent is exchanged for one after the other,
    /// for as long as the consent can last.
    pub(crate) fn root_id(&self, now: Timestamp) -> (&IssuerId, &str, Timestamp) {
        let (root, end) = match &self.token.narrowing {
            Some(narrowing) => (&narrowing.root.0, narrowing.root.1),
            None => (&self.token.id, self.token.lifetime.refused_from),
        };
        match &self.token.grant {
            Some(grant) => (&self.token.issuer, grant, end.max(now.plus(MAX_LIFETIME))),
            None => (&self.token.issuer, root, end),
        }
    }

    /// What `make` makes of what the token says. A token that is kept keeps that too.
    pub(crate) fn made_of_token<T: Send + Sync + 'static>(&self, make: impl Fn() -> T) -> Arc<T> {
        // What the agent is called here may depend on the connection, and what it may do on the transaction.
        if self.demoted.is_some() || self.narrowed.is_some() {
            Arc::new(make())
        } else {
            self.token.keepsake.get_or_make(make)
        }
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.refused_from()
    }

    /// The first moment at which it is over, with the leeway that clocks are given: a whole second.
    pub(crate) fn refused_from(&self) -> Timestamp {
        Timestamp::from_secs(self.token.lifetime.refused_from.secs())
    }
}

impl fmt::Debug for Delegation {
    /// Shows what the accessors show: neither the history nor the token's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delegation")
            .field("principal", self.principal())
            .field("actor", self.actor())
            .field("mode", &self.mode())
            .field("authority", self.authority())
            .field("audience", self.audience())
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::{AuditKey, DelegationRecord};
    use crate::jose::{Algorithm, SigningKey, TokenType};
    use crate::token::{TokenVerifier, TrustedIssuer};

    const ISSUER: &str = "https://id.example";
    const SERVER: &str = "https://tools.example";
    const WORKLOAD: &str = "spiffe://court.example/agent/lawyer";

    fn token() -> Arc<VerifiedToken> {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let issuer = TrustedIssuer::rfc9068(ISSUER, key.public_key_set().unwrap());
        let verifier = TokenVerifier::new(ResourceId::new(SERVER).unwrap(), vec![issuer]).unwrap();
        let claims = json!({
            "iss": ISSUER, "aud": SERVER, "sub": "alice", "client_id": WORKLOAD, "jti": "1", "iat": 1000, "exp": 2000,
        });
        let token = key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
        verifier.verify_cached(&token, Timestamp::from_secs(1000)).unwrap()
    }

    #[test]
    fn the_record_of_a_token_is_made_once_and_that_of_a_demoted_agent_each_time() {
        let (token, key) = (token(), AuditKey::new(&[7; 32]));
        let name = AgentId::Named { issuer: IssuerId::new(ISSUER).unwrap(), name: WORKLOAD.into() };
        let as_named = |demoted: Option<&AgentId>| {
            let token = Arc::clone(&token);
            let (demoted, binding) = (demoted.cloned(), Binding::Bearer);
            DelegationRecord::of(&Delegation { token, demoted, narrowed: None, binding }, None, &key)
        };
        let workload = AgentId::Spiffe(WORKLOAD.parse().unwrap());
        for (demoted, expected) in [(None, &workload), (Some(&name), &name), (None, &workload)] {
            assert_eq!(&as_named(demoted).agent, expected);
        }
        assert!(Arc::ptr_eq(&as_named(None), &as_named(None)));
        assert!(!Arc::ptr_eq(&as_named(Some(&name)), &as_named(Some(&name))));
    }
}
