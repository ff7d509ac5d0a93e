//! The issuer, the agents that come to it, and the servers it issues tokens for.

use std::sync::Arc;

use agentauth_core::delegation::{
    Client, Consent, DelegationGrant, ExchangeError, ExchangeRequest, IssuedToken, IssuerBuilder,
};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{
    AgentAuth, Authority, Issuer, IssuerId, PrincipalId, ResourceId, SpiffeId, SubjectToken, TrustedIssuer,
};
use serde_json::{Value, json};

use super::certs::NOW;
use super::court::{ACCEPTED, CLERK, Court, LAWYER, RESOURCE, STS, encode, wait};

pub(crate) const RECORDS: &str = "https://records.example";
pub(crate) const TOOLS_AGENT: &str = "spiffe://court.example/server/tools";
pub(crate) const SCOPES: &str = "motions:file records:read";

/// The issuer, and the agents that come to it.
pub(crate) struct Office {
    pub(crate) court: Court,
    pub(crate) issuer: Issuer,
    pub(crate) lawyer: Arc<X509Svid>,
    pub(crate) clerk: Arc<X509Svid>,
    pub(crate) tools: Arc<X509Svid>,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(settings: impl FnOnce(IssuerBuilder) -> IssuerBuilder) -> Self {
        let court = Court::new();
        let builder = court
            .issuer()
            .resource_operated_by(RESOURCE, SCOPES, spiffe(TOOLS_AGENT))
            .resource(RECORDS, "records:read");
        let issuer = settings(builder).build().unwrap();
        let (lawyer, clerk, tools) = (court.peer(LAWYER), court.peer(CLERK), court.peer(TOOLS_AGENT));
        Self { court, issuer, lawyer, clerk, tools }
    }

    /// Alice's consent that the lawyer may act for her.
    pub(crate) fn consent(&self) -> String {
        let consent = Consent::new("alice", spiffe(LAWYER), SCOPES.parse().unwrap());
        wait(self.issuer.consent(&consent)).unwrap().token().to_owned()
    }

    /// A token with which the lawyer can pass on what alice delegated.
    pub(crate) fn delegable(&self) -> String {
        self.exchange(&self.lawyer, &request(&self.consent(), STS)).unwrap().token().to_owned()
    }

    pub(crate) fn own_token(&self, agent: &X509Svid) -> String {
        self.agent_token(agent, &resource(STS)).unwrap().token().to_owned()
    }

    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.court.key.mint(claims)
    }

    /// The claims of a consent, made by hand.
    pub(crate) fn subject(&self) -> Value {
        json!({
            "iss": STS, "sub": "alice", "aud": STS, "client_id": LAWYER, "jti": "jti-s", "iat": NOW,
            "exp": NOW + 300, "scope": SCOPES, "may_act": {"iss": STS, "sub": LAWYER},
        })
    }

    /// An access token of alice's for the issuer itself, from some client of hers: it names no agent.
    pub(crate) fn users_token(&self) -> String {
        self.mint(&self.users_claims())
    }

    pub(crate) fn users_claims(&self) -> Value {
        set(set(self.subject(), "may_act", json!(null)), "client_id", "web")
    }

    /// The claims of the clerk's own token, made by hand.
    pub(crate) fn actor(&self) -> Value {
        json!({
            "iss": STS, "sub": CLERK, "aud": STS, "client_id": CLERK, "jti": "jti-a", "iat": NOW,
            "exp": NOW + 300, "cnf": {"x5t#S256": encode(self.clerk.thumbprint())},
        })
    }

    /// The engine of the server at `audience`, which takes this issuer's tokens.
    pub(crate) fn server(&self, audience: &str) -> AgentAuth {
        AgentAuth::builder(audience)
            .clock(self.court.clock.clone())
            .audit(self.court.records.clone())
            .agents(self.court.ca.trust())
            .issuer(TrustedIssuer::rfc8693(STS, self.issuer.keys()))
            .build()
            .unwrap()
    }

    pub(crate) fn exchange(&self, client: &X509Svid, request: &ExchangeRequest) -> Result<IssuedToken, ExchangeError> {
        wait(self.issuer.exchange(&Client::from(client), request))
    }

    pub(crate) fn agent_token(&self, client: &X509Svid, audience: &ResourceId) -> Result<IssuedToken, ExchangeError> {
        wait(self.issuer.agent_token(&Client::from(client), audience))
    }

    pub(crate) fn code(&self, client: &X509Svid, request: &ExchangeRequest) -> &'static str {
        code(&self.exchange(client, request))
    }
}

pub(crate) fn code(answer: &Result<IssuedToken, ExchangeError>) -> &'static str {
    answer.as_ref().map_or_else(ExchangeError::code, |_| ACCEPTED)
}

pub(crate) fn spiffe(id: &str) -> SpiffeId {
    id.parse().unwrap()
}

pub(crate) fn resource(id: &str) -> ResourceId {
    ResourceId::new(id).unwrap()
}

pub(crate) fn request(subject: &str, audience: &str) -> ExchangeRequest {
    ExchangeRequest::new(SubjectToken::new(subject), resource(audience))
}

pub(crate) fn request_for(subject: &str, actor: &str, audience: &str) -> ExchangeRequest {
    request(subject, audience).for_actor(SubjectToken::new(actor))
}

/// `claims`, with `name` set to `value`, or left out if that is null.
pub(crate) fn set(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// Alice lets the lawyer act within [`SCOPES`].
pub(crate) fn grant(id: &str) -> DelegationGrant {
    grant_of(id, "alice", LAWYER, SCOPES)
}

pub(crate) fn grant_of(id: &str, principal: &str, agent: &str, scopes: &str) -> DelegationGrant {
    let principal = PrincipalId::new(IssuerId::new(STS).unwrap(), principal);
    DelegationGrant::new(id, principal, spiffe(agent), Authority::of_scopes(scopes.parse().unwrap())).unwrap()
}
