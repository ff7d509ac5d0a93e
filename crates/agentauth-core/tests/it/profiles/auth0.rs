use agentauth_core::TrustedIssuer;
use agentauth_core::token::profile::Auth0;
use serde_json::{Value, json};

use super::shapes::{AUTH0, auth0_agent, auth0_agent_itself, auth0_on_behalf, auth0_user};
use super::{Desk, but};

fn desk() -> Desk {
    Desk::new(|key| TrustedIssuer::auth0(AUTH0, key.key_set()))
}

fn of_clients() -> Desk {
    Desk::new(|key| TrustedIssuer::new(AUTH0, key.key_set(), Auth0::default().on_behalf_of_clients()))
}

#[test]
fn auth0_reads_agents_users_and_clients() {
    let machine = but(
        &auth0_agent_itself(),
        json!({"sub": "agent-client@clients", "sub_profile": null, "client_profile": null, "scope": "motions:file"}),
    );
    // A login through an agent's client has an actor without any exchange.
    let login = but(&auth0_agent(), json!({"act": {"sub": "agt_17", "sub_profile": "ai_agent"}}));
    for desk in [desk(), of_clients()] {
        for (claims, expected) in [
            (&auth0_agent(), "Subject auth0|alice, by agt_17, OnBehalfOf, [motions:file]"),
            (&login, "Subject auth0|alice, by agt_17, OnBehalfOf, [motions:file]"),
            (&auth0_agent_itself(), "Client agt_17, by agt_17, Autonomous, []"),
            (&machine, "Client agent-client@clients, by agent-client, Autonomous, [motions:file]"),
            (&auth0_user(), "Subject auth0|alice of org_court, by web-app, ClientOnly, [motions:file]"),
        ] {
            assert_eq!(desk.sees(claims), expected, "{claims}");
            let rfc9068 = but(claims, json!({"jti": "j-1", "client_id": claims["azp"], "azp": null}));
            assert_eq!(desk.sees_typ(Some("at+jwt"), &rfc9068), expected, "{claims}");
        }
    }
}

#[test]
fn a_chain_of_clients_is_trusted_only_by_option() {
    assert_eq!(desk().sees(&auth0_on_behalf()), "act_untrusted");
    assert_eq!(of_clients().sees(&auth0_on_behalf()), "Subject auth0|alice, by mcp-server, OnBehalfOf, [motions:file]");
    assert_eq!(of_clients().sees(&but(&auth0_on_behalf(), json!({"azp": "another"}))), "profile_mismatch");
    let application = but(&auth0_on_behalf(), json!({"sub": "web-app@clients"}));
    assert_eq!(of_clients().sees(&application), "profile_mismatch", "no user is behind it");
    // An actor in the past may be an agent; that makes the current one no agent.
    let act = json!({"sub": "web-app", "act": {"sub": "agt_17", "sub_profile": "ai_agent"}});
    assert_eq!(desk().sees(&but(&auth0_agent(), json!({"act": act}))), "act_untrusted");
    let spa = json!({"sub": "spa-client", "sub_profile": "browser_app"});
    assert_eq!(desk().sees(&but(&auth0_agent(), json!({"act": spa}))), "act_untrusted");
}

#[test]
fn auth0_refuses_what_its_agents_are_not() {
    let agent = auth0_agent();
    for (changes, expected) in [
        (json!({"sub_profile": null}), "profile_mismatch"),
        (json!({"sub_profile": "service"}), "profile_mismatch"),
        (json!({"sub_profile": "ai_agent"}), "profile_mismatch"),
        (json!({"client_id": "a", "azp": "b"}), "profile_mismatch"),
        (json!({"client_id": "a", "azp": "a"}), "profile_mismatch"),
        (json!({"client_id": null, "azp": null}), "claim_missing"),
        (json!({"scope": null}), "profile_mismatch"),
        (json!({"act": {"sub": "agt_17", "sub_profile": "ai_agent", "iss": "https://x"}}), "profile_mismatch"),
        (json!({"act": {"sub_profile": "ai_agent"}}), "claim_missing"),
        (json!({"act": {"sub": "agt_17", "sub_profile": "not_ai_agent"}}), "act_untrusted"),
    ] {
        assert_eq!(desk().sees(&but(&agent, changes.clone())), expected, "{changes}");
    }
    let itself = but(&agent, json!({"sub": "agt_17", "sub_profile": "ai_agent"}));
    assert_eq!(desk().sees(&itself), "Client agt_17, by agt_17, Autonomous, [motions:file]");
    assert_eq!(desk().sees_typ(Some("at+jwt"), &but(&agent, json!({"jti": null}))), "claim_missing");
    // Someone who is called like a client is not that client.
    let user = but(&auth0_user(), json!({"sub": "another@clients", "org_id": null}));
    assert_eq!(desk().sees(&user), "Subject another@clients, by web-app, ClientOnly, [motions:file]");
}

#[test]
fn auth0_chains_five_actors_at_most() {
    let chained = |actors: usize| {
        let inner = (1..actors).fold(Value::Null, |inner, _| match inner {
            Value::Null => json!({"sub": "spa-client"}),
            inner => json!({"sub": "spa-client", "act": inner}),
        });
        let mut act = json!({"sub": "agt_17", "sub_profile": "ai_agent"});
        if !inner.is_null() {
            act["act"] = inner;
        }
        but(&auth0_agent(), json!({"act": act}))
    };
    let raised = Desk::new(|key| TrustedIssuer::auth0(AUTH0, key.key_set()).max_actors(16));
    assert!(desk().sees(&chained(4)).contains("OnBehalfOf"));
    assert_eq!(desk().sees(&chained(5)), "act_too_deep");
    assert!(raised.sees(&chained(5)).contains("OnBehalfOf"));
    assert_eq!(raised.sees(&chained(6)), "profile_mismatch");
}
