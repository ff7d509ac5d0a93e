use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::{PingAm, PingOne};
use serde_json::json;

use super::shapes::{PING_AM, PING_ONE, ping_am, ping_one};
use super::{Desk, but};

fn am() -> Desk {
    Desk::new(|key| TrustedIssuer::ping_am(PING_AM, key.key_set()))
}

#[test]
fn ping_am_reads_typed_names() {
    for (changes, expected) in [
        (json!({}), "Subject alice, by delegate, OnBehalfOf, [motions:file records:read]"),
        (json!({"scope": "motions:file"}), "Subject alice, by delegate, OnBehalfOf, [motions:file]"),
        (
            json!({"act": {"sub": "(age!delegate)", "act": {"sub": "(usr!clerk)"}}}),
            "Subject alice, by delegate, OnBehalfOf, [motions:file records:read]",
        ),
        (json!({"act": null, "client_id": "web"}), "Subject alice, by web, ClientOnly, [motions:file records:read]"),
        (json!({"act": null, "sub": "(age!robot)"}), "Client robot, by robot, Autonomous, [motions:file records:read]"),
        (
            json!({"act": {"sub": "(age!robot)"}, "sub": "(age!robot)"}),
            "Client robot, by robot, Autonomous, [motions:file records:read]",
        ),
        (json!({"act": null}), "claim_missing"),
        (json!({"act": {"sub": "(age!a)"}, "sub": "(age!b)"}), "profile_mismatch"),
        (json!({"act": {"sub": "(usr!a)"}, "sub": "(age!b)"}), "profile_mismatch"),
        (json!({"act": {"sub": "(age!)"}}), "profile_mismatch"),
        (json!({"act": null, "sub": "(age!)"}), "profile_mismatch"),
        (json!({"act": {"sub": "(age!a)", "iss": "https://x"}}), "profile_mismatch"),
        (json!({"tokenName": "id_token"}), "profile_mismatch"),
        (json!({"tokenName": null}), "profile_mismatch"),
    ] {
        assert_eq!(am().sees(&but(&ping_am(), changes.clone())), expected, "{changes}");
    }
}

#[test]
fn a_person_who_acts_for_another_is_no_agent() {
    let seen = am().sees(&but(&ping_am(), json!({"act": {"sub": "(usr!admin)"}})));
    assert_eq!(seen, "Subject alice, by admin, Impersonation, [motions:file records:read]");
}

#[test]
fn may_act_is_no_authority() {
    let may_act = but(&ping_am(), json!({"act": null, "client_id": "web"}));
    assert!(am().sees(&may_act).contains("by web, ClientOnly"), "nobody became the actor");
    assert_eq!(am().sees(&but(&ping_am(), json!({"may_act": null}))), am().sees(&ping_am()));
}

#[test]
fn a_name_without_a_type_is_refused_unless_it_is_asked_for() {
    let untyped = Desk::new(|key| TrustedIssuer::new(PING_AM, key.key_set(), PingAm::default().untyped_names()));
    for (sub, act) in [("alice", "(age!delegate)"), ("(usr!alice)", "delegate"), ("alice", "delegate")] {
        let claims = but(&ping_am(), json!({"sub": sub, "act": {"sub": act}}));
        assert_eq!(am().sees(&claims), "profile_mismatch", "{sub} {act}");
        assert!(untyped.sees(&claims).starts_with("Subject alice, by delegate, OnBehalfOf"), "{sub} {act}");
    }
    for sub in ["(usr!)", "(usr!alice", "(usr)", "(svc!alice)", "(USR!alice)", "()", "(age!)"] {
        for desk in [am(), Desk::new(|key| TrustedIssuer::ping_am(PING_AM, key.key_set()))] {
            assert_eq!(desk.sees(&but(&ping_am(), json!({"sub": sub}))), "profile_mismatch", "{sub}");
        }
        assert_eq!(untyped.sees(&but(&ping_am(), json!({"sub": sub}))), "profile_mismatch", "{sub}");
    }
}

#[test]
fn ping_one_has_an_actor_only_if_it_is_mapped() {
    let plain = Desk::new(|key| TrustedIssuer::ping_one(PING_ONE, key.key_set()));
    let mapped = Desk::new(|key| TrustedIssuer::new(PING_ONE, key.key_set(), PingOne::default().act_is_mapped()));
    assert_eq!(plain.sees_typ(None, &ping_one()), "act_untrusted");
    assert_eq!(mapped.sees_typ(None, &ping_one()), "Subject p1-alice, by p1-agent, OnBehalfOf, [motions:file]");
    for desk in [&plain, &mapped] {
        for (changes, expected) in [
            (json!({"act": null}), "Subject p1-alice, by p1-app, ClientOnly, [motions:file]"),
            (json!({"act": null, "sub": "p1-app"}), "Client p1-app, by p1-app, Autonomous, [motions:file]"),
            (json!({"act": null, "scope": null}), "profile_mismatch"),
            (json!({"act": null, "client_id": null}), "claim_missing"),
            (json!({"act": null, "sub": null}), "claim_missing"),
        ] {
            assert_eq!(desk.sees_typ(None, &but(&ping_one(), changes.clone())), expected, "{changes}");
        }
    }
    let elsewhere = but(&ping_one(), json!({"act": {"iss": "https://x", "sub": "p1-alice"}}));
    assert_eq!(mapped.sees(&elsewhere), "agent_untrusted");
    let itself = but(&ping_one(), json!({"act": {"sub": "p1-alice"}}));
    assert_eq!(mapped.sees(&itself), "Subject p1-alice, by p1-app, ClientOnly, [motions:file]");
}
