use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::Entra;
use serde_json::json;

use super::shapes::{ENTRA, TENANT, entra_account, entra_autonomous, entra_on_behalf, entra_user};
use super::{Desk, but};

fn desk() -> Desk {
    Desk::new(|key| TrustedIssuer::entra(ENTRA, key.key_set()))
}

#[test]
fn entra_reads_agents_and_plain_applications() {
    let desk = desk();
    for (claims, expected) in [
        (
            entra_on_behalf(),
            format!("Subject oid-alice of {TENANT}, by app-agent, OnBehalfOf, [motions:file records:read]"),
        ),
        (entra_autonomous(), format!("Client oid-agent of {TENANT}, by app-agent, Autonomous, [Records.Read.All]")),
        (
            but(&entra_autonomous(), json!({"scp": null, "roles": null})),
            format!("Client oid-agent of {TENANT}, by app-agent, Autonomous, []"),
        ),
        (entra_account(), format!("AgentAccount oid-account of {TENANT}, by app-agent, AgentAccount, [motions:file]")),
        (entra_user(), format!("Subject oid-alice of {TENANT}, by app-agent, ClientOnly, [motions:file]")),
        (
            but(&entra_user(), json!({"idtyp": "user"})),
            format!("Subject oid-alice of {TENANT}, by app-agent, ClientOnly, [motions:file]"),
        ),
        (
            but(&entra_user(), json!({"idtyp": "app", "scp": null, "roles": ["R"], "oid": "oid-app"})),
            format!("Client oid-app of {TENANT}, by app-agent, Autonomous, [R]"),
        ),
        // A user's roles are no scopes, and "/" is none either.
        (
            but(&entra_user(), json!({"scp": "/", "roles": ["R"]})),
            format!("Subject oid-alice of {TENANT}, by app-agent, ClientOnly, []"),
        ),
    ] {
        assert_eq!(desk.sees(&claims), expected, "{claims}");
    }
}

#[test]
fn entra_facet_13_is_no_human() {
    let seen = desk().sees(&entra_account());
    assert!(seen.starts_with("AgentAccount ") && !seen.contains("OnBehalfOf"), "{seen}");
    // In an account without an agent there is something that is not known.
    for facets in [json!("3"), json!(null), json!("113 1 1"), json!("")] {
        assert_eq!(desk().sees(&but(&entra_account(), json!({"xms_act_fct": facets.clone()}))), "profile_mismatch");
    }
}

#[test]
fn entra_facets_are_words_in_any_order_and_unknown_ones_are_ignored() {
    let by = |facets: &str| desk().sees(&but(&entra_on_behalf(), json!({"xms_act_fct": facets})));
    for facets in ["11", "11 3 9", "3 11 9 999", "x 11"] {
        assert!(by(facets).contains("OnBehalfOf"), "{facets}");
    }
    for facets in ["", "3 9", "111", "1 1", "3,11", "-11", "11.0"] {
        assert!(by(facets).contains("ClientOnly"), "{facets}");
    }
}

#[test]
fn entra_facets_that_contradict_each_other_are_refused() {
    for claims in [
        but(&entra_on_behalf(), json!({"xms_sub_fct": "11"})),
        but(&entra_account(), json!({"xms_sub_fct": "11 13"})),
        but(&entra_autonomous(), json!({"xms_sub_fct": "13"})),
        but(&entra_autonomous(), json!({"xms_sub_fct": "11 13"})),
        but(&entra_autonomous(), json!({"xms_sub_fct": "3"})),
        but(&entra_autonomous(), json!({"xms_act_fct": "3"})),
        but(&entra_autonomous(), json!({"scp": "motions:file"})),
        but(&entra_on_behalf(), json!({"scp": null})),
        but(&entra_on_behalf(), json!({"idtyp": null})),
        but(&entra_on_behalf(), json!({"idtyp": null, "xms_sub_fct": null})),
        but(&entra_account(), json!({"idtyp": null, "xms_act_fct": null})),
        but(&entra_on_behalf(), json!({"idtyp": "device"})),
        but(&entra_user(), json!({"scp": null})),
        but(&entra_user(), json!({"scp": null, "roles": ["R"]})),
    ] {
        assert_eq!(desk().sees(&claims), "profile_mismatch", "{claims}");
    }
}

#[test]
fn a_pairwise_sub_is_no_key() {
    let seen = desk().sees(&entra_on_behalf());
    for sub in [json!("pairwise-other"), json!(null)] {
        assert_eq!(desk().sees(&but(&entra_on_behalf(), json!({"sub": sub}))), seen);
    }
    assert_eq!(desk().sees(&but(&entra_on_behalf(), json!({"oid": null}))), "claim_missing");
    // Nor is an agent's blueprint.
    assert_eq!(desk().sees(&but(&entra_on_behalf(), json!({"xms_par_app_azp": "app-other"}))), seen);
}

#[test]
fn each_version_of_entra_names_its_client_in_its_own_claim() {
    for (claims, expected) in [
        (but(&entra_on_behalf(), json!({"azp": null, "appid": "app-agent"})), "claim_missing"),
        (but(&entra_autonomous(), json!({"appid": null, "azp": "app-agent"})), "claim_missing"),
        (but(&entra_on_behalf(), json!({"ver": "3.0"})), "profile_mismatch"),
        (but(&entra_on_behalf(), json!({"ver": null})), "claim_missing"),
    ] {
        assert_eq!(desk().sees(&claims), expected, "{claims}");
    }
    assert!(desk().sees(&but(&entra_on_behalf(), json!({"appid": "app-other"}))).contains("by app-agent"));
}

#[test]
fn a_tenant_is_the_issuers_or_one_that_is_listed() {
    const OTHER: &str = "99999999-0000-cccc-1111-dddd2222eeee";
    let listed = Desk::new(|key| TrustedIssuer::new(ENTRA, key.key_set(), Entra::default().tenants([OTHER])));
    let own = entra_on_behalf();
    let other = but(&own, json!({"tid": OTHER}));
    assert!(desk().sees(&own).contains(TENANT) && listed.sees(&other).contains(OTHER));
    assert_eq!(desk().sees(&other), "profile_mismatch");
    assert_eq!(listed.sees(&own), "profile_mismatch");
    for tid in ["v2.0 ", "aaaabbbb", "https:/", "login.microsoftonline.com/"] {
        assert_eq!(desk().sees(&but(&own, json!({"tid": tid}))), "profile_mismatch", "{tid}");
    }
    assert_eq!(desk().sees(&but(&own, json!({"tid": null}))), "claim_missing");
    assert_eq!(desk().sees(&but(&own, json!({"act": {"sub": "app-agent"}}))), "act_untrusted");
}
