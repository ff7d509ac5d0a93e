//! What all profiles have in common.

use agentauth_core::token::profile::Rfc8693;
use agentauth_core::{Evidence, TrustedIssuer};
use serde_json::json;

use super::shapes::{rfc8693, wso2};
use super::{Desk, KNOWN, but};
use crate::support::court::{Court, LAWYER, STS, authenticate};

#[test]
fn a_token_that_does_not_say_its_kind_must_not_look_like_another() {
    for known in &KNOWN {
        let desk = Desk::new(known.issuer);
        for claim in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
            for value in [json!("x"), json!({}), json!(null)] {
                let mut claims = (known.claims)();
                claims[claim] = value;
                for typ in known.typ {
                    let seen = desk.sees_typ(*typ, &claims);
                    if *typ == Some("at+jwt") {
                        assert!(seen.contains(", by "), "{} {claim}: {seen}", known.name);
                    } else {
                        assert_eq!(seen, "token_of_other_kind", "{} {typ:?} {claim}", known.name);
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_profile_does_not_know_it_refuses() {
    for (name, changes, problem) in [
        ("keycloak", json!({"typ": "ID"}), "its claim typ is neither Bearer nor DPoP, so it is no access token"),
        ("entra", json!({"ver": "3.0"}), "its version (ver) is neither 1.0 nor 2.0"),
        ("auth0", json!({"sub_profile": "service"}), "an agent acts for a subject that is no user (sub_profile)"),
        (
            "okta",
            json!({"scp": null}),
            "its typ is not at+jwt, and it has no claim that tells it from an ID token, such as scope",
        ),
        ("zitadel", json!({"client_id": "another"}), "client_id and azp are two clients"),
        ("wso2", json!({"act": {"iss": "https://x", "sub": "a"}}), "one of its actors (act) is of another issuer"),
        ("ping-am", json!({"sub": "(svc!x)"}), "a name is not of the form (usr!name) or (age!name)"),
        (
            "ping-one",
            json!({"scope": null}),
            "its typ is not at+jwt, and it has no claim that tells it from an ID token, such as scope",
        ),
        ("kubernetes-actor", json!({"act": {"sub": "lawyer"}}), "an actor (act.sub) is no service account"),
    ] {
        for known in KNOWN.iter().filter(|known| known.name == name) {
            let desk = Desk::new(known.issuer);
            let claims = but(&(known.claims)(), changes.clone());
            assert_eq!(desk.sees(&claims), "profile_mismatch", "{name}");
            assert_eq!(desk.refusal(&claims), format!("the token is not read by profile `{name}`: {problem}"));
        }
    }
}

#[test]
fn an_actor_without_issuer_is_the_issuers() {
    let desk = Desk::new(|key| TrustedIssuer::wso2(super::shapes::WSO2, key.key_set()));
    let named = but(&wso2(), json!({"act": {"iss": super::shapes::WSO2, "sub": "a-agent"}}));
    assert_eq!(desk.sees(&named), desk.sees(&wso2()));

    let strict = Desk::new(|key| TrustedIssuer::new(STS, key.key_set(), Rfc8693::default().require_actor_issuer()));
    let both = json!({"iss": STS, "sub": LAWYER, "act": {"iss": STS, "sub": "earlier"}});
    let act = |act: &serde_json::Value| but(&rfc8693(), json!({"act": act}));
    assert!(strict.sees_typ(Some("at+jwt"), &act(&both)).contains("OnBehalfOf"));
    for missing in [
        json!({"sub": LAWYER}),
        json!({"sub": LAWYER, "act": {"iss": STS, "sub": "earlier"}}),
        json!({"iss": STS, "sub": LAWYER, "act": {"sub": "earlier"}}),
    ] {
        let token = strict.court.key.mint(&act(&missing));
        let rejection = authenticate(&strict.auth, Evidence::bearer(&token)).unwrap_err();
        assert_eq!((rejection.code(), rejection.status().as_u16()), ("claim_missing", 401), "{missing}");
        assert_eq!(rejection.public_error(), "invalid_token");
        assert_eq!(rejection.refusal().to_string(), "claim `act.iss` is missing");
    }
}

/// What one profile wants to see, or accepts as `typ`, changes nothing for the others.
#[test]
fn issuers_side_by_side_are_each_read_in_their_own_way() {
    let court = Court::new();
    // Two of them have the issuer of another one.
    let known = || KNOWN.iter().enumerate().filter(|(at, _)| ![0, 2].contains(at)).map(|(_, known)| known);
    let all = known().fold(court.bare_engine(), |engine, known| engine.issuer((known.issuer)(&court.key)));
    let together = Desk { auth: all.build().unwrap(), court };
    for known in known() {
        let alone = Desk::new(known.issuer);
        for typ in [Some("at+jwt"), Some("JWT"), None] {
            let claims = (known.claims)();
            let seen = together.sees_typ(typ, &claims);
            assert_eq!(seen, alone.sees_typ(typ, &claims), "{} {typ:?}", known.name);
            assert_eq!(seen == "typ_wrong", !known.typ.contains(&typ), "{} {typ:?}: {seen}", known.name);
        }
    }
}

/// A client of an issuer whose profile is for its own clients is called like someone's workload.
#[test]
fn no_issuer_of_clients_names_a_workload() {
    let workload = "spiffe://court.example/agent/lawyer";
    let desk = Desk::new(|key| TrustedIssuer::keycloak(super::shapes::KEYCLOAK, key.key_set()));
    let claims = but(&super::shapes::keycloak(), json!({"azp": workload}));
    let token = super::typed(&desk.court.key, Some("JWT"), &claims);
    let caller = authenticate(&desk.auth, Evidence::bearer(&token)).unwrap();
    assert_eq!(caller.agent().spiffe_id(), None);
    for (name, act) in [
        ("wso2", json!({"sub": workload})),
        ("zitadel", json!({"sub": workload})),
        ("ping-one", json!({"sub": workload})),
        ("okta", json!({"sub": workload})),
        ("auth0", json!({"sub": workload, "sub_profile": "ai_agent"})),
        ("ping-am", json!({"sub": format!("(age!{workload})")})),
    ] {
        let known = KNOWN.iter().find(|known| known.name == name).unwrap();
        let desk = Desk::new(known.issuer);
        assert_eq!(desk.sees(&but(&(known.claims)(), json!({"act": act}))), "agent_untrusted", "{name}");
    }
    let realm = Desk::new(KNOWN[3].issuer);
    let act = json!({"azp": workload, "act": {"sub": "x", "client_id": workload}});
    assert_eq!(realm.sees(&but(&(KNOWN[3].claims)(), act)), "agent_untrusted");
}
