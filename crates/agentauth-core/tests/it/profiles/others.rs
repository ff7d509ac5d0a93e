//! ZITADEL, WSO2, and service accounts of Kubernetes.

use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::Zitadel;
use serde_json::json;

use super::shapes::{KUBERNETES, WSO2, ZITADEL, kubernetes, wso2, zitadel};
use super::{Desk, but};

fn zitadel_desk() -> Desk {
    Desk::new(|key| TrustedIssuer::zitadel(ZITADEL, key.key_set()))
}

fn wso2_desk() -> Desk {
    Desk::new(|key| TrustedIssuer::wso2(WSO2, key.key_set()))
}

fn kubernetes_desk() -> Desk {
    Desk::new(|key| TrustedIssuer::kubernetes_actor(KUBERNETES, key.key_set()))
}

#[test]
fn zitadel_act_is_no_consent() {
    assert_eq!(zitadel_desk().sees(&zitadel()), "Subject 17001, by 17009, Impersonation, [motions:file]");
    let agreed = Desk::new(|key| TrustedIssuer::new(ZITADEL, key.key_set(), Zitadel::default().act_is_consent()));
    assert_eq!(agreed.sees(&zitadel()), "Subject 17001, by 17009, OnBehalfOf, [motions:file]");
}

#[test]
fn zitadel_reads_users_and_clients() {
    for (changes, expected) in [
        (json!({"act": null}), "Subject 17001, by app@court, ClientOnly, [motions:file]"),
        (json!({"act": null, "azp": null, "client_id": "app"}), "Subject 17001, by app, ClientOnly, [motions:file]"),
        (json!({"act": null, "sub": "app@court"}), "Client app@court, by app@court, Autonomous, [motions:file]"),
        (json!({"act": {"sub": "17001"}}), "Subject 17001, by app@court, ClientOnly, [motions:file]"),
        (json!({"act": {"iss": ZITADEL, "sub": "17001"}}), "Subject 17001, by app@court, ClientOnly, [motions:file]"),
        (json!({"act": {"iss": "https://x", "sub": "17001"}}), "agent_untrusted"),
        (json!({"scope": null}), "profile_mismatch"),
        (json!({"client_id": "another"}), "profile_mismatch"),
        (json!({"jti": null}), "claim_missing"),
    ] {
        assert_eq!(zitadel_desk().sees(&but(&zitadel(), changes.clone())), expected, "{changes}");
    }
}

#[test]
fn wso2_names_its_own_actors() {
    for (changes, expected) in [
        (json!({}), "Subject 6d3e-alice, by a-agent, OnBehalfOf, [motions:file]"),
        (
            json!({"act": {"sub": "b-agent", "act": {"sub": "a-agent"}}}),
            "Subject 6d3e-alice, by b-agent, OnBehalfOf, [motions:file]",
        ),
        (json!({"act": null}), "Subject 6d3e-alice, by app-1, ClientOnly, [motions:file]"),
        (json!({"act": null, "sub": "app-1"}), "Client app-1, by app-1, Autonomous, [motions:file]"),
        (json!({"act": {"sub": "6d3e-alice"}}), "Subject 6d3e-alice, by app-1, ClientOnly, [motions:file]"),
        (json!({"act": {"sub": "a-agent", "iss": "https://x"}}), "profile_mismatch"),
        (json!({"act": {"sub": "a", "act": {"sub": "b", "iss": "https://x"}}}), "profile_mismatch"),
        (json!({"azp": "another"}), "profile_mismatch"),
        (json!({"scope": null}), "profile_mismatch"),
        (json!({"jti": null}), "claim_missing"),
    ] {
        assert_eq!(wso2_desk().sees(&but(&wso2(), changes.clone())), expected, "{changes}");
    }
}

#[test]
fn an_issuer_may_have_its_own_name_for_this_server() {
    let named = |name: &str| {
        let name = name.to_owned();
        Desk::new(move |key| TrustedIssuer::wso2(WSO2, key.key_set()).audience(&name))
    };
    let sample = but(&wso2(), json!({"aud": "app-1"}));
    assert!(named("app-1").sees(&sample).contains("OnBehalfOf"));
    assert_eq!(named("app-1").sees(&wso2()), "audience_wrong", "it stands in place of the server's identifier");
    assert_eq!(named("app-2").sees(&sample), "audience_wrong");
    assert_eq!(wso2_desk().sees(&sample), "audience_wrong");
    assert_eq!(named("app-1").sees(&but(&sample, json!({"aud": ["app-1", "app-2"]}))), "audience_shared");

    let desk = wso2_desk();
    let long = "x".repeat(2049);
    for name in ["", "a b", "a\nb", WSO2, &long] {
        let issuer = TrustedIssuer::wso2(WSO2, desk.court.key.key_set()).audience(name);
        let error = desk.court.bare_engine().issuer(issuer).build().unwrap_err();
        assert!(error.to_string().contains("its name for this server"), "{name:.10}: {error}");
    }
}

#[test]
fn a_kubernetes_actor_is_a_service_account() {
    let lawyer = "system:serviceaccount:kagent:lawyer";
    for (changes, expected) in [
        (json!({}), "Subject alice@court.example, by system:serviceaccount:kagent:lawyer, OnBehalfOf, [motions:file]"),
        (
            json!({"act": null, "sub": lawyer}),
            "Client system:serviceaccount:kagent:lawyer, by system:serviceaccount:kagent:lawyer, Autonomous, \
             [motions:file]",
        ),
        (
            json!({"act": {"sub": lawyer}, "sub": lawyer}),
            "Client system:serviceaccount:kagent:lawyer, by system:serviceaccount:kagent:lawyer, Autonomous, \
             [motions:file]",
        ),
        (json!({"act": null, "client_id": "web"}), "Subject alice@court.example, by web, ClientOnly, [motions:file]"),
        (json!({"act": null}), "claim_missing"),
        (json!({"act": null, "sub": "system:serviceaccount:kagent"}), "profile_mismatch"),
        (json!({"sub": "system:serviceaccount:kagent:clerk"}), "profile_mismatch"),
        (json!({"sub": lawyer, "act": {"sub": lawyer, "iss": "https://cluster.example"}}), "profile_mismatch"),
        (json!({"scope": null}), "profile_mismatch"),
        (json!({"act": {"sub": lawyer, "iss": "https://cluster.example"}}), "agent_untrusted"),
        (json!({"act": {"sub": lawyer, "act": {"sub": "alice"}}}), "profile_mismatch"),
    ] {
        assert_eq!(kubernetes_desk().sees(&but(&kubernetes(), changes.clone())), expected, "{changes}");
    }
    let long = format!("system:serviceaccount:{}:lawyer", "n".repeat(64));
    let long_account = format!("system:serviceaccount:kagent:{}a", "a.".repeat(127));
    for sub in [
        "lawyer",
        "system:serviceaccount::lawyer",
        "system:serviceaccount:kagent:",
        "system:serviceaccount:kagent:a:b",
        "system:serviceaccount:Kagent:lawyer",
        "system:serviceaccount:-kagent:lawyer",
        "system:serviceaccount:kagent-:lawyer",
        "system:serviceaccount:ka.gent:lawyer",
        "system:serviceaccount:kagent:law/yer",
        "system:serviceaccount:kagent:lawyer.",
        "system:serviceaccounts:kagent:lawyer",
        "system:node:kagent:lawyer",
        " system:serviceaccount:kagent:lawyer",
        &long,
        &long_account,
    ] {
        let seen = kubernetes_desk().sees(&but(&kubernetes(), json!({"act": {"sub": sub}})));
        assert_eq!(seen, "profile_mismatch", "{sub}");
    }
}
