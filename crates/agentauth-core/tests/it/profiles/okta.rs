use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::Okta;
use serde_json::json;

use super::shapes::{OKTA, okta_agent, okta_client, okta_user};
use super::{Desk, but};

fn desk(profile: Okta) -> Desk {
    Desk::new(|key| TrustedIssuer::new(OKTA, key.key_set(), profile))
}

#[test]
fn okta_reads_users_and_clients() {
    let desk = Desk::new(|key| TrustedIssuer::okta(OKTA, key.key_set()));
    for typ in [None, Some("JWT"), Some("at+jwt")] {
        assert_eq!(
            desk.sees_typ(typ, &okta_user()),
            "Subject 00u-alice, by 0oa-web, ClientOnly, [motions:file records:read]"
        );
        assert_eq!(desk.sees_typ(typ, &okta_client()), "Client 0oa-web, by 0oa-web, Autonomous, [motions:file]");
    }
}

#[test]
fn an_okta_actor_is_an_agent_only_by_option() {
    assert_eq!(desk(Okta::default()).sees(&okta_agent()), "act_untrusted");
    let trusting = desk(Okta::default().actor_is_agent());
    assert_eq!(
        trusting.sees(&okta_agent()),
        "Subject 00u-alice, by wlp-agent, OnBehalfOf, [motions:file records:read]"
    );
    assert_eq!(trusting.sees(&but(&okta_client(), json!({"act": {"sub": "wlp-agent"}}))), "profile_mismatch");
    // The actor of another issuer is not this one's to name.
    let foreign = json!({"act": {"iss": "https://other.example", "sub": "wlp-agent"}});
    assert_eq!(trusting.sees(&but(&okta_user(), foreign)), "agent_untrusted");
}

#[test]
fn a_login_is_no_key_for_a_user() {
    let renamed = but(&okta_user(), json!({"sub": "alice.new@court.example"}));
    assert_eq!(desk(Okta::default()).sees(&renamed), desk(Okta::default()).sees(&okta_user()));
    let without_uid = but(&okta_user(), json!({"uid": null}));
    assert_eq!(desk(Okta::default()).sees(&without_uid), "claim_missing");
    for claims in [okta_user(), without_uid] {
        assert_eq!(
            desk(Okta::default().principal_is_sub()).sees(&claims),
            "Subject alice@court.example, by 0oa-web, ClientOnly, [motions:file records:read]"
        );
    }
    // A user whose login is a client's id is that user.
    let named = but(&okta_user(), json!({"sub": "0oa-web"}));
    assert!(desk(Okta::default()).sees(&named).starts_with("Subject 00u-alice"));
}

#[test]
fn an_okta_id_token_has_no_scp() {
    for typ in [None, Some("JWT")] {
        let seen = desk(Okta::default()).sees_typ(typ, &but(&okta_user(), json!({"scp": null})));
        assert_eq!(seen, "profile_mismatch");
    }
    assert_eq!(desk(Okta::default()).sees(&but(&okta_user(), json!({"cid": null}))), "claim_missing");
}
