use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::Keycloak;
use serde_json::{Value, json};

use super::shapes::{KEYCLOAK, keycloak, keycloak_client, keycloak_delegation, keycloak_impersonation};
use super::{Desk, but};

fn desk() -> Desk {
    Desk::new(|key| TrustedIssuer::keycloak(KEYCLOAK, key.key_set()))
}

fn delegating() -> Desk {
    Desk::new(|key| TrustedIssuer::new(KEYCLOAK, key.key_set(), Keycloak::default().delegation()))
}

#[test]
fn keycloak_reads_users_and_clients() {
    for desk in [desk(), delegating()] {
        assert_eq!(
            desk.sees(&keycloak()),
            "Subject 2b7c0a5e-user, by court-app, ClientOnly, [motions:file records:read]"
        );
        assert_eq!(
            desk.sees(&keycloak_client()),
            "Client 9e1d44f0-account, by Court-Agent, Autonomous, [motions:file]"
        );
        let at_jwt = desk.sees_typ(Some("at+jwt"), &keycloak());
        assert_eq!(at_jwt, desk.sees(&keycloak()));
    }
    assert_eq!(
        delegating().sees(&keycloak_delegation()),
        "Subject 2b7c0a5e-user, by court-agent, OnBehalfOf, [motions:file]"
    );
}

#[test]
fn a_client_account_is_known_by_both_of_its_marks() {
    let user = "Subject 9e1d44f0-account, by Court-Agent, ClientOnly, [motions:file]";
    for changes in [
        json!({"client_id": null}),
        json!({"client_id": "another"}),
        json!({"preferred_username": null}),
        json!({"preferred_username": "alice"}),
        json!({"preferred_username": "service-account-court-agents"}),
        json!({"preferred_username": "x-service-account-court-agent"}),
    ] {
        assert_eq!(desk().sees(&but(&keycloak_client(), changes.clone())), user, "{changes}");
    }
}

#[test]
fn keycloak_tokens_of_other_kinds_are_told_by_their_claim() {
    for typ in ["ID", "Refresh", "Offline", "Logout", "bearer", "JWT"] {
        assert_eq!(desk().sees(&but(&keycloak(), json!({"typ": typ}))), "profile_mismatch", "{typ}");
    }
    assert_eq!(desk().sees(&but(&keycloak(), json!({"typ": null}))), "claim_missing");
    assert_eq!(desk().sees(&but(&keycloak(), json!({"scope": null}))), "profile_mismatch");
    // A DPoP token without its key would be a bearer token.
    assert_eq!(desk().sees(&but(&keycloak(), json!({"typ": "DPoP"}))), "profile_mismatch");
    let bound = but(&keycloak(), json!({"typ": "DPoP", "cnf": {"jkt": "A".repeat(43)}}));
    assert_ne!(desk().sees(&bound), "profile_mismatch", "it is up to the binding now");
}

#[test]
fn keycloak_impersonation_is_no_delegation() {
    assert_eq!(desk().sees(&keycloak_impersonation()), "act_untrusted");
    assert_eq!(
        delegating().sees(&keycloak_impersonation()),
        "Subject 2b7c0a5e-user, by 77aa-admin, Impersonation, [motions:file]"
    );
}

#[test]
fn a_forged_act_is_refused_where_act_is_not_trusted() {
    // What a hard-coded claim mapper can write.
    for act in [json!({"sub": "9e1d44f0-account", "client_id": "court-app"}), json!({"sub": "x"}), json!({})] {
        assert_eq!(desk().sees(&but(&keycloak(), json!({"act": act}))), "act_untrusted");
    }
}

#[test]
fn a_keycloak_delegation_is_to_the_tokens_own_client() {
    let act = |act: Value| delegating().sees(&but(&keycloak_delegation(), json!({"act": act})));
    let account = "9e1d44f0-account";
    assert_eq!(act(json!({"sub": account, "client_id": "another"})), "profile_mismatch");
    assert_eq!(act(json!({"client_id": "court-agent"})), "claim_missing");
    assert_eq!(
        act(json!({"sub": account, "client_id": "court-agent", "act": {"sub": "before"}})),
        "profile_mismatch",
        "the exchange takes no token that was delegated already"
    );
    assert_eq!(
        act(json!({"iss": "https://other.example", "sub": account, "client_id": "court-agent"})),
        "profile_mismatch"
    );
    assert_eq!(
        act(json!({"iss": "https://other.example", "sub": "2b7c0a5e-user", "client_id": "court-agent"})),
        "profile_mismatch",
        "someone of the same name elsewhere"
    );
    // The actor is the subject: no one delegated.
    assert_eq!(
        act(json!({"sub": "2b7c0a5e-user", "client_id": "court-agent"})),
        "Subject 2b7c0a5e-user, by court-agent, ClientOnly, [motions:file]"
    );
}
