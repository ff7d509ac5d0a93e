//! Identity assertions (ID-JAG): what an issuer accepts of other organisations, and what a client makes of an answer.

mod accept;
mod client;

use std::sync::Arc;

use agentauth_core::delegation::{
    AssertionIssuer, ExchangeError, IdentityAssertion, IssuedToken, IssuerBuilder, JwtBearerRequest, KnownSubjects,
};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::state::RevocationStore;
use agentauth_core::{IssuerId, PrincipalId};
use serde_json::{Value, json};

use crate::profiles::{but, typed};
use crate::support::certs::NOW;
use crate::support::court::{Key, LAWYER, STS, wait};
use crate::support::office::{Office, RECORDS, code, resource};

pub(crate) const IDP: &str = "https://idp.example";
pub(crate) const ID_JAG: &str = "oauth-id-jag+jwt";

/// The office as the authorization server that an identity provider's assertions are for.
pub(crate) struct Embassy {
    pub(crate) office: Office,
    /// The identity provider's key.
    pub(crate) idp: Key,
}

impl Embassy {
    pub(crate) fn new() -> Self {
        Self::with(AssertionIssuer::delegates)
    }

    pub(crate) fn with(settings: impl FnOnce(AssertionIssuer) -> AssertionIssuer) -> Self {
        Self::at(settings, |builder| builder)
    }

    /// As [`Embassy::with`], of an issuer with these settings.
    pub(crate) fn at(
        settings: impl FnOnce(AssertionIssuer) -> AssertionIssuer,
        of_issuer: impl FnOnce(IssuerBuilder) -> IssuerBuilder,
    ) -> Self {
        let idp = Key::new();
        let issuer = settings(AssertionIssuer::new(IDP, idp.key_set(), subjects()));
        Self { office: Office::with(|builder| of_issuer(builder.identity_assertions_from(issuer))), idp }
    }

    /// Remembers in `store` what is revoked, and takes an assertion more than once.
    pub(crate) fn revoking(store: impl RevocationStore + 'static) -> Self {
        let idp = Key::new();
        let issuer = AssertionIssuer::new(IDP, idp.key_set(), subjects()).delegates().reusable();
        Self { office: Office::with(|builder| builder.identity_assertions_from(issuer).revocations(store)), idp }
    }

    /// The identity provider, for another server.
    pub(crate) fn issuer(&self) -> AssertionIssuer {
        AssertionIssuer::new(IDP, self.idp.key_set(), subjects())
    }

    /// The good assertion, changed by `changes`: a member that is null is left out.
    pub(crate) fn assertion(&self, changes: Value) -> String {
        typed(&self.idp, Some(ID_JAG), &but(&assertion(), changes))
    }

    pub(crate) fn ask(&self, client: &Arc<X509Svid>, request: &JwtBearerRequest) -> Result<IssuedToken, ExchangeError> {
        wait(self.office.issuer.jwt_bearer(&(&**client).into(), request))
    }

    /// What the issuer says when the lawyer presents `assertion` for the records.
    pub(crate) fn code(&self, assertion: &str) -> &'static str {
        code(&self.ask(&self.office.lawyer, &for_records(assertion)))
    }
}

pub(crate) fn for_records(assertion: &str) -> JwtBearerRequest {
    JwtBearerRequest::new(IdentityAssertion::new(assertion), resource(RECORDS))
}

/// Who of the identity provider's users is known here.
fn subjects() -> KnownSubjects {
    let idp = IssuerId::new(IDP).unwrap();
    let user = |name| PrincipalId::new(idp.clone(), name);
    KnownSubjects::new()
        .with(user("U1"), "alice")
        .with(user("U1").in_tenant("acme"), "alice@acme")
        .with(user("workload"), "spiffe://court.example/agent/judge")
        .with(user("client"), LAWYER)
        .with(user("nameless"), "")
}

/// The claims of an assertion in good form: alice lets the lawyer act at the records.
pub(crate) fn assertion() -> Value {
    json!({
        "iss": IDP, "sub": "U1", "aud": STS, "client_id": LAWYER, "jti": "jag-1", "iat": NOW, "exp": NOW + 300,
        "resource": RECORDS, "scope": "motions:file records:read", "auth_time": NOW, "amr": ["mfa"],
    })
}
