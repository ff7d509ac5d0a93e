//! What an issuer says of itself (RFC 8414), and of its tokens (RFC 7662).

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::RegisteredClient;
use agentauth_core::jose::Algorithm;
use agentauth_core::state::MemoryRevocations;
use agentauth_core::{Issuer, TokenService};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, RESOURCE, STS, wait};
use crate::support::office::{SCOPES, TOOLS_AGENT, spiffe};
use crate::support::reception::{APP, CLERKS, Letter, OLD, Reception, code_of, json_of};

fn metadata(issuer: &Issuer) -> Value {
    serde_json::from_str(&issuer.metadata()).unwrap()
}

#[test]
fn the_metadata_says_what_is_configured_and_no_more() {
    let reception = Reception::new();
    let methods = json!([
        "tls_client_auth",
        "spiffe_x509",
        "spiffe_jwt",
        "private_key_jwt",
        "client_secret_basic",
        "client_secret_post"
    ]);
    let algorithms =
        json!(["EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    let all = json!({
        "issuer": STS,
        "token_endpoint": "https://sts.court.example/token",
        "jwks_uri": "https://sts.court.example/jwks.json",
        "introspection_endpoint": "https://sts.court.example/introspect",
        "response_types_supported": [],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": ["EdDSA", "Ed25519", "ES256", "ES384", "RS256", "PS256"],
        "tls_client_certificate_bound_access_tokens": true,
        "authorization_details_types_supported": ["agent_action"],
    });
    assert_eq!(metadata(reception.service.issuer()), all);

    let bare = |client| Issuer::builder(STS, reception.court.key.signing_key()).client(client).build().unwrap();
    let keys = RegisteredClient::new(APP).keys(reception.key.key_set());
    let secret = RegisteredClient::new(OLD).secret(reception.secret.hash());
    let own_name = RegisteredClient::new(CLERKS).spiffe(spiffe(CLERK));
    let svids = reception.court.issuer().build().unwrap();
    for (issuer, methods, signs) in [
        (bare(keys), json!(["private_key_jwt"]), true),
        (bare(secret), json!(["client_secret_basic", "client_secret_post"]), false),
        (bare(own_name), json!([]), false),
        (svids, json!(["tls_client_auth", "spiffe_x509", "spiffe_jwt"]), false),
    ] {
        let document = metadata(&issuer);
        for endpoint in ["token", "introspection"] {
            assert_eq!(document[format!("{endpoint}_endpoint_auth_methods_supported")], methods);
            let algorithms = &document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            assert_eq!(algorithms.is_array(), signs, "{document}");
        }
        assert!(document["revocation_endpoint"].is_null());
        let takes_certificates = document["tls_client_certificate_bound_access_tokens"].as_bool().unwrap();
        assert_eq!(takes_certificates, methods[0] == "tls_client_auth");
        assert!(document["dpop_signing_alg_values_supported"].is_null());
    }
}

#[test]
fn the_algorithms_of_proofs_are_those_that_are_taken() {
    let only = Dpop::new(STS).algorithms([Algorithm::EdDsa]);
    let reception = Reception::with(|builder| builder.dpop(only));
    let document = metadata(reception.service.issuer());
    assert_eq!(document["dpop_signing_alg_values_supported"], json!(["EdDSA", "Ed25519"]));
}

fn introspect(service: &TokenService, letter: &Letter) -> http::Response<String> {
    let body = letter.body();
    wait(service.answer_introspection(&letter.request(&body)))
}

/// RFC 7662 §2.2, §4.
#[test]
fn a_client_is_told_of_its_own_tokens_and_of_those_for_its_server() {
    let reception = Reception::with(|builder| {
        builder.dpop(Dpop::new(STS)).resource_operated_by("https://archive.example", SCOPES, spiffe(TOOLS_AGENT))
    });
    let token_for = |letter: Letter, resource: &str| {
        let answer = json_of(&reception.send(&letter.without("resource").field("resource", resource)));
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let token = token_for(reception.asserted(), RESOURCE);
    let about = |token: &str, letter: Letter| {
        json_of(&introspect(&reception.service, &letter.field("token", token).field("token_type_hint", "access_token")))
    };
    reception.court.records.take();
    let answer = about(&token, reception.asserted());
    let cnf = reception.dpop.cnf();
    let expected = json!({
        "active": true, "iss": STS, "sub": APP, "client_id": APP, "aud": RESOURCE, "iat": NOW, "exp": NOW + 300,
        "jti": answer["jti"], "cnf": cnf, "token_type": "DPoP",
    });
    assert_eq!(answer, expected);
    assert_eq!(reception.court.records.take().len(), 0, "nothing was issued or refused");

    let inactive = json!({"active": false});
    let tools = reception.court.peer(TOOLS_AGENT);
    let consent = reception.consent(spiffe(CLERK));
    let archive = token_for(reception.bare().over(&reception.lawyer), "https://archive.example");
    let forged = reception.court.key.mint(&json!({"iss": "https://other.example", "sub": APP, "client_id": APP}));
    for (token, letter, expected) in [
        (&*token, reception.asserted().unproven(), true),
        (&token, reception.with_secret(OLD, reception.secret.reveal()), false),
        (&token, reception.bare().over(&reception.lawyer), false),
        (&archive, reception.bare().over(&reception.lawyer), true),
        (&archive, reception.bare().over(&tools), true),
        (&archive, reception.bare().over(&reception.clerk), false),
        (&consent, reception.bare().over(&reception.clerk), true),
        (&consent, reception.bare().over(&reception.lawyer), false),
        (&forged, reception.asserted(), false),
        ("a.b.c", reception.asserted(), false),
        (&token[..token.len() - 4], reception.asserted(), false),
    ] {
        let answer = about(token, letter);
        assert_eq!(answer["active"], expected, "{answer}");
        assert!(expected || answer == inactive, "{answer}");
        assert_eq!(answer.get("may_act"), None);
    }
    reception.court.at(NOW + 300);
    let late = reception.bare().over(&reception.lawyer);
    assert_eq!(about(&archive, late), inactive);
}

/// RFC 7009 §2.1, §2.2.
#[test]
fn a_client_takes_back_what_it_was_given_and_nothing_else() {
    let reception = Reception::with(|builder| builder.dpop(Dpop::new(STS)).revocations(MemoryRevocations::new()));
    let document = metadata(reception.service.issuer());
    assert_eq!(document["revocation_endpoint"], "https://sts.court.example/revoke");
    assert_eq!(
        document["revocation_endpoint_auth_methods_supported"],
        document["token_endpoint_auth_methods_supported"]
    );
    let answer = json_of(&reception.send(&reception.asserted()));
    let token = answer["access_token"].as_str().unwrap();
    let code = |letter: Letter, token: &str| {
        let letter = letter.field("token", token);
        let body = letter.body();
        code_of(&wait(reception.service.answer_revocation(&letter.request(&body))))
    };
    let is_active = || {
        json_of(&introspect(&reception.service, &reception.asserted().field("token", token)))["active"]
            .as_bool()
            .unwrap()
    };
    let used = reception.asserted();
    for (letter, token, expected, active) in [
        (reception.bare(), token, "exchange_client_unauthenticated", true),
        (reception.bare().over(&reception.lawyer), token, "revocation_token_of_another", true),
        (used.clone(), "a.b.c", ACCEPTED, true),
        (used, token, "client_assertion_replayed", true),
        (reception.asserted().unproven(), token, ACCEPTED, false),
        (reception.asserted(), token, ACCEPTED, false),
    ] {
        assert_eq!((code(letter, token), is_active()), (expected, active), "{token:.20}");
    }
}

#[test]
fn whoever_asks_about_a_token_proves_who_it_is() {
    let reception = Reception::new();
    let code = |letter: Letter| code_of(&introspect(&reception.service, &letter.field("token", "a.b.c")));
    let used = reception.asserted();
    for (letter, expected) in [
        (used.clone(), ACCEPTED),
        (used, "client_assertion_replayed"),
        (reception.bare(), "exchange_client_unauthenticated"),
        (reception.with_secret(OLD, "x"), "client_secret_wrong"),
        (reception.asserted().field("token", "d.e.f"), "exchange_malformed"),
    ] {
        reception.court.records.take();
        assert_eq!(code(letter), expected);
        let recorded: Vec<_> = reception.court.records.take().iter().map(|record| record.code).collect();
        assert_eq!(recorded, if expected == ACCEPTED { vec![] } else { vec![expected] });
    }
    let nothing = introspect(&reception.service, &reception.asserted());
    assert_eq!((code_of(&nothing), nothing.status().as_u16()), ("exchange_malformed", 400));
}
