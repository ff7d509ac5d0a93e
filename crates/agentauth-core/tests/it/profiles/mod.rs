//! How the tokens of each known issuer are read: fixtures of the shapes that they document, and each trap by its name.

mod auth0;
mod entra;
mod keycloak;
mod kinds;
mod modes;
mod okta;
mod others;
mod ping;
pub(crate) mod shapes;

use agentauth_core::token::profile::{Auth0, Keycloak, Okta, PingAm, PingOne, Zitadel};
use agentauth_core::{AgentAuth, Evidence, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::court::{Court, Key, STS, authenticate};

/// A server that trusts one issuer, whose key it shares with the tokens that are made here.
pub(crate) struct Desk {
    pub(crate) court: Court,
    pub(crate) auth: AgentAuth,
}

impl Desk {
    pub(crate) fn new(issuer: impl FnOnce(&Key) -> TrustedIssuer) -> Self {
        let court = Court::new();
        let auth = court.bare_engine().issuer(issuer(&court.key)).build().unwrap();
        Self { court, auth }
    }

    /// What the server reads from a token with these claims, whose `typ` is `JWT`; or the code of its refusal.
    pub(crate) fn sees(&self, claims: &Value) -> String {
        self.sees_typ(Some("JWT"), claims)
    }

    pub(crate) fn sees_typ(&self, typ: Option<&str>, claims: &Value) -> String {
        let answer = authenticate(&self.auth, Evidence::bearer(&typed(&self.court.key, typ, claims)));
        match answer {
            Err(rejection) => rejection.code().to_owned(),
            Ok(caller) => {
                let principal = caller.principal();
                let tenant = principal.tenant().map(|tenant| format!(" of {tenant}")).unwrap_or_default();
                let (kind, subject) = (principal.kind(), principal.subject());
                let (mode, agent) = (caller.mode(), caller.agent().name());
                format!("{kind:?} {subject}{tenant}, by {agent}, {mode:?}, [{}]", caller.scopes())
            }
        }
    }

    /// Why a token with these claims, whose `typ` is `JWT`, is refused.
    pub(crate) fn refusal(&self, claims: &Value) -> String {
        let token = typed(&self.court.key, Some("JWT"), claims);
        authenticate(&self.auth, Evidence::bearer(&token)).unwrap_err().refusal().to_string()
    }
}

/// A token with this `typ`, or none.
pub(crate) fn typed(key: &Key, typ: Option<&str>, claims: &Value) -> String {
    let mut header = key.header();
    match typ {
        Some(typ) => header["typ"] = json!(typ),
        None => drop(header.as_object_mut().unwrap().remove("typ").unwrap()),
    }
    key.sign(&header.to_string(), claims.to_string())
}

/// `claims` with `changes`, of which null removes.
pub(crate) fn but(claims: &Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes}") };
    let mut claims = claims.clone();
    for (name, value) in changes {
        claims[name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// One way to read tokens, and claims that it reads.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) issuer: fn(&Key) -> TrustedIssuer,
    pub(crate) claims: fn() -> Value,
    /// What may stand in `typ`.
    pub(crate) typ: &'static [Option<&'static str>],
}

const ACCESS_TOKEN: &[Option<&str>] = &[Some("at+jwt")];
const OR_JWT: &[Option<&str>] = &[Some("at+jwt"), Some("JWT")];
const OR_NONE: &[Option<&str>] = &[Some("at+jwt"), Some("JWT"), None];

/// Every profile there is, with its options on: as little as possible is then refused for another reason.
pub(crate) const KNOWN: [Known; 12] = [
    Known {
        name: "rfc9068",
        issuer: |key| TrustedIssuer::rfc9068(STS, key.key_set()),
        claims: shapes::rfc9068,
        typ: ACCESS_TOKEN,
    },
    Known {
        name: "rfc8693",
        issuer: |key| TrustedIssuer::rfc8693(STS, key.key_set()),
        claims: shapes::rfc8693,
        typ: ACCESS_TOKEN,
    },
    Known {
        name: "keycloak",
        issuer: |key| TrustedIssuer::keycloak(shapes::KEYCLOAK, key.key_set()),
        claims: shapes::keycloak,
        typ: OR_JWT,
    },
    Known {
        name: "keycloak",
        issuer: |key| TrustedIssuer::new(shapes::KEYCLOAK, key.key_set(), Keycloak::default().delegation()),
        claims: shapes::keycloak_delegation,
        typ: OR_JWT,
    },
    Known {
        name: "entra",
        issuer: |key| TrustedIssuer::entra(shapes::ENTRA, key.key_set()),
        claims: shapes::entra_on_behalf,
        typ: OR_JWT,
    },
    Known {
        name: "auth0",
        issuer: |key| TrustedIssuer::new(shapes::AUTH0, key.key_set(), Auth0::default().on_behalf_of_clients()),
        claims: shapes::auth0_agent,
        typ: OR_JWT,
    },
    Known {
        name: "okta",
        issuer: |key| TrustedIssuer::new(shapes::OKTA, key.key_set(), Okta::default().actor_is_agent()),
        claims: shapes::okta_agent,
        typ: OR_NONE,
    },
    Known {
        name: "zitadel",
        issuer: |key| TrustedIssuer::new(shapes::ZITADEL, key.key_set(), Zitadel::default().act_is_consent()),
        claims: shapes::zitadel,
        typ: OR_JWT,
    },
    Known {
        name: "wso2",
        issuer: |key| TrustedIssuer::wso2(shapes::WSO2, key.key_set()),
        claims: shapes::wso2,
        typ: OR_JWT,
    },
    Known {
        name: "ping-am",
        issuer: |key| TrustedIssuer::new(shapes::PING_AM, key.key_set(), PingAm::default().untyped_names()),
        claims: shapes::ping_am,
        typ: OR_JWT,
    },
    Known {
        name: "ping-one",
        issuer: |key| TrustedIssuer::new(shapes::PING_ONE, key.key_set(), PingOne::default().act_is_mapped()),
        claims: shapes::ping_one,
        typ: OR_NONE,
    },
    Known {
        name: "kubernetes-actor",
        issuer: |key| TrustedIssuer::kubernetes_actor(shapes::KUBERNETES, key.key_set()),
        claims: shapes::kubernetes,
        typ: OR_JWT,
    },
];
