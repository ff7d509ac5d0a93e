//! Claims as the issuers document them, cut down to what is read and what could mislead.

use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{LAWYER, RESOURCE, STS};

pub(crate) const KEYCLOAK: &str = "https://id.example/realms/court";
pub(crate) const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
pub(crate) const ENTRA: &str = "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0";
pub(crate) const AUTH0: &str = "https://court.eu.auth0.com/";
pub(crate) const OKTA: &str = "https://court.okta.com/oauth2/default";
pub(crate) const ZITADEL: &str = "https://court.zitadel.cloud";
pub(crate) const WSO2: &str = "https://api.asgardeo.io/t/court/oauth2/token";
pub(crate) const PING_AM: &str = "https://am.court.example/am/oauth2/alpha";
pub(crate) const PING_ONE: &str = "https://auth.pingone.eu/4a1b/as";
pub(crate) const KUBERNETES: &str = "https://sts.cluster.example";

fn token(issuer: &str, subject: &str, more: Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "sub": subject, "aud": RESOURCE, "iat": NOW, "nbf": NOW, "exp": NOW + 300,
    });
    let Value::Object(more) = more else { panic!("{more}") };
    claims.as_object_mut().unwrap().extend(more);
    claims
}

pub(crate) fn rfc9068() -> Value {
    token(STS, "alice", json!({"client_id": LAWYER, "jti": "1", "scope": "motions:file"}))
}

pub(crate) fn rfc8693() -> Value {
    token(STS, "alice", json!({"client_id": LAWYER, "jti": "1", "scope": "motions:file", "act": {"sub": LAWYER}}))
}

/// A user at the standard token exchange.
pub(crate) fn keycloak() -> Value {
    token(
        KEYCLOAK,
        "2b7c0a5e-user",
        json!({
            "jti": "trrtcc:1", "typ": "Bearer", "azp": "court-app", "sid": "s-1", "acr": "1",
            "realm_access": {"roles": ["clerk"]}, "scope": "motions:file records:read", "preferred_username": "alice",
        }),
    )
}

pub(crate) fn keycloak_client() -> Value {
    token(
        KEYCLOAK,
        "9e1d44f0-account",
        json!({
            "jti": "trrtcc:2", "typ": "Bearer", "azp": "Court-Agent", "client_id": "Court-Agent",
            "clientHost": "192.0.2.1", "scope": "motions:file", "preferred_username": "service-account-court-agent",
        }),
    )
}

/// The preview of 26.8.
pub(crate) fn keycloak_delegation() -> Value {
    token(
        KEYCLOAK,
        "2b7c0a5e-user",
        json!({
            "jti": "trrtte:3", "typ": "Bearer", "azp": "court-agent", "scope": "motions:file",
            "preferred_username": "alice", "act": {"sub": "9e1d44f0-account", "client_id": "court-agent"},
        }),
    )
}

/// An administrator in the place of a user.
pub(crate) fn keycloak_impersonation() -> Value {
    token(
        KEYCLOAK,
        "2b7c0a5e-user",
        json!({
            "jti": "onrtac:4", "typ": "Bearer", "azp": "account-console", "scope": "motions:file",
            "preferred_username": "alice", "act": {"sub": "77aa-admin"},
        }),
    )
}

fn entra(more: Value) -> Value {
    let mut claims = token(
        ENTRA,
        "pairwise-Zk3",
        json!({
            "tid": TENANT, "oid": "oid-alice", "ver": "2.0", "azp": "app-agent", "azpacr": "2", "uti": "uti-1",
            "xms_ftd": "x", "rh": "1.x",
        }),
    );
    let Value::Object(more) = more else { panic!("{more}") };
    claims.as_object_mut().unwrap().extend(more);
    claims
}

/// Row 5: on behalf of a user.
pub(crate) fn entra_on_behalf() -> Value {
    entra(json!({
        "idtyp": "user", "scp": "motions:file records:read", "xms_act_fct": "3 9 11", "xms_sub_fct": "9 3",
        "xms_tnt_fct": "3 9", "xms_par_app_azp": "blueprint",
    }))
}

/// Row 6: an agent for itself, as in the documented sample (version 1.0).
pub(crate) fn entra_autonomous() -> Value {
    let v1 = entra(json!({
        "idtyp": "app", "ver": "1.0", "appid": "app-agent", "appidacr": "2", "oid": "oid-agent", "scp": "/",
        "roles": ["Records.Read.All"], "xms_act_fct": "3 9 11", "xms_sub_fct": "9 3 11",
        "xms_par_app_azp": "blueprint",
    }));
    super::but(&v1, json!({"azp": null, "azpacr": null}))
}

/// Row 7: an agent's user account.
pub(crate) fn entra_account() -> Value {
    entra(json!({
        "idtyp": "user", "oid": "oid-account", "scp": "motions:file", "xms_act_fct": "11 3", "xms_sub_fct": "3 13",
        "upn": "agent@court.example",
    }))
}

/// A plain application, for a user.
pub(crate) fn entra_user() -> Value {
    entra(json!({"scp": "motions:file", "name": "Alice"}))
}

/// Row 8: an agent for a user, after an exchange by way of a browser application.
pub(crate) fn auth0_agent() -> Value {
    token(
        AUTH0,
        "auth0|alice",
        json!({
            "client_id": "agent-client", "azp": "agent-client", "jti": "j-1", "scope": "motions:file",
            "sub_profile": "user", "client_profile": "service ai_agent",
            "act": {
                "sub": "agt_17", "sub_profile": "ai_agent", "client_id": "agent-client",
                "act": {"sub": "spa-client", "sub_profile": "browser_app"},
            },
        }),
    )
}

pub(crate) fn auth0_agent_itself() -> Value {
    token(
        AUTH0,
        "agt_17",
        json!({
            "azp": "agent-client", "gty": "client-credentials", "sub_profile": "ai_agent",
            "client_profile": "service ai_agent",
        }),
    )
}

/// Row 9.
pub(crate) fn auth0_on_behalf() -> Value {
    token(
        AUTH0,
        "auth0|alice",
        json!({"azp": "mcp-server", "scope": "motions:file", "act": {"sub": "mcp-server", "act": {"sub": "web-app"}}}),
    )
}

pub(crate) fn auth0_user() -> Value {
    token(AUTH0, "auth0|alice", json!({"azp": "web-app", "scope": "motions:file", "org_id": "org_court"}))
}

pub(crate) fn okta_user() -> Value {
    token(
        OKTA,
        "alice@court.example",
        json!({"ver": 1, "jti": "AT.1", "cid": "0oa-web", "uid": "00u-alice", "scp": ["motions:file", "records:read"]}),
    )
}

/// As a third party describes tokens after an ID-JAG.
pub(crate) fn okta_agent() -> Value {
    super::but(&okta_user(), json!({"act": {"sub": "wlp-agent"}}))
}

pub(crate) fn okta_client() -> Value {
    token(OKTA, "0oa-web", json!({"ver": 1, "jti": "AT.2", "cid": "0oa-web", "scp": ["motions:file"]}))
}

pub(crate) fn zitadel() -> Value {
    token(
        ZITADEL,
        "17001",
        json!({"azp": "app@court", "jti": "V2_1", "scope": "motions:file", "act": {"iss": ZITADEL, "sub": "17009"}}),
    )
}

pub(crate) fn wso2() -> Value {
    token(
        WSO2,
        "6d3e-alice",
        json!({"client_id": "app-1", "azp": "app-1", "jti": "1", "scope": "motions:file", "act": {"sub": "a-agent"}}),
    )
}

pub(crate) fn ping_am() -> Value {
    token(
        PING_AM,
        "(usr!alice)",
        json!({
            "tokenName": "access_token", "token_type": "Bearer", "cts": "OAUTH2_STATELESS_GRANT", "jti": "am-1",
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "realm": "/alpha",
            "scope": ["motions:file", "records:read"], "act": {"sub": "(age!delegate)"},
            "may_act": {"sub": "(age!someone)", "client_id": "someone"},
        }),
    )
}

pub(crate) fn ping_one() -> Value {
    token(
        PING_ONE,
        "p1-alice",
        json!({"client_id": "p1-app", "env": "4a1b", "org": "o", "scope": "motions:file", "act": {"sub": "p1-agent"}}),
    )
}

pub(crate) fn kubernetes() -> Value {
    token(
        KUBERNETES,
        "alice@court.example",
        json!({"scope": "motions:file", "act": {"sub": "system:serviceaccount:kagent:lawyer"}}),
    )
}
