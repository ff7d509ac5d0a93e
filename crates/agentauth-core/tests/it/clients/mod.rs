//! Who comes to the issuer: every way in which a client proves itself, and every way in which it fails to.

mod assertions;
mod bound;

use std::sync::Arc;

use agentauth_core::audit::Record;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::{ClientError, ClientSecret, RegisteredClient};
use agentauth_core::{Issuer, SystemRandom};
use http::Response;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, JUDGE, LAWYER, RESOURCE, STS, claims_of};
use crate::support::office::spiffe;
use crate::support::reception::{APP, CLERKS, Letter, OLD, Reception, code_of, json_of};

/// The claims of a good assertion, with `name` set to `value`, or left out if that is null.
fn but(reception: &Reception, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = reception.claims();
    claims[name] = value.into();
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn svid_claims() -> Value {
    json!({"sub": CLERK, "aud": STS, "iat": NOW, "exp": NOW + 300})
}

/// The one record of a request that was granted.
fn granted(reception: &Reception, letter: &Letter) -> (Value, Arc<Record>) {
    reception.court.records.take();
    let response = reception.send(letter);
    assert_eq!(code_of(&response), ACCEPTED);
    (json_of(&response), reception.court.records.only())
}

#[test]
fn each_client_is_known_by_one_proof_and_recorded_with_it() {
    let reception = Reception::new();
    let secret = reception.secret.reveal();
    let named = |name: &str| json!({"named": {"issuer": STS, "name": name}});
    let mut as_clerk = reception.claims();
    (as_clerk["iss"], as_clerk["sub"]) = (CLERKS.into(), CLERKS.into());
    for (letter, id, method, subject) in [
        (reception.asserted(), APP, "private_key_jwt", APP),
        (reception.asserted().field("client_id", APP), APP, "private_key_jwt", APP),
        (reception.with_secret(OLD, secret), OLD, "client_secret_post", OLD),
        (reception.bare().proven(&reception).basic(OLD, secret), OLD, "client_secret_basic", OLD),
        (
            reception.bare().proven(&reception).basic(OLD, secret).field("client_id", OLD),
            OLD,
            "client_secret_basic",
            OLD,
        ),
        (reception.with_jwt_svid(&svid_claims()), CLERK, "spiffe_jwt", CLERK),
        (reception.with_jwt_svid(&svid_claims()).field("client_id", CLERK), CLERK, "spiffe_jwt", CLERK),
        (reception.bare().over(&reception.lawyer), LAWYER, "spiffe_x509", LAWYER),
        (reception.bare().over(&reception.lawyer).field("client_id", LAWYER), LAWYER, "spiffe_x509", LAWYER),
        (reception.bare().over(&reception.clerk).field("client_id", CLERKS), CLERK, "spiffe_x509", CLERK),
        (reception.with_assertion(&reception.sign(&as_clerk)), CLERKS, "private_key_jwt", CLERK),
    ] {
        let (answer, record) = granted(&reception, &letter);
        let client = record.client.as_ref().unwrap();
        assert_eq!((&*client.id, client.method), (id, method));
        assert_eq!(record.peer.is_some(), method == "spiffe_x509", "what the connection proved");
        let claims = claims_of(answer["access_token"].as_str().unwrap());
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(subject), &json!(subject)), "{id}");
        assert!(claims["cnf"].is_object(), "{claims}");
    }
    // A name at this issuer, and not a workload.
    let server = reception.court.bare_engine().dpop(Dpop::new(RESOURCE));
    let trusted = agentauth_core::TrustedIssuer::rfc8693(STS, reception.service.issuer().keys());
    let server = server.issuer(trusted).build().unwrap();
    let (answer, _) = granted(&reception, &reception.asserted());
    let token = answer["access_token"].as_str().unwrap();
    let proof = reception.dpop.proof("GET", RESOURCE, token, NOW);
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
    headers.insert("dpop", proof.parse().unwrap());
    let uri = http::Uri::from_static("/");
    let evidence = agentauth_core::Evidence::from_http(&http::Method::GET, &uri, &headers);
    let caller = crate::support::court::authenticate(&server, evidence).unwrap();
    assert_eq!(serde_json::to_value(caller.agent()).unwrap(), named(APP));
}

/// Asserts that a refusal says this and no more.
fn assert_told(response: &Response<String>, code: &str, error: &str, status: u16) {
    if code == ACCEPTED {
        return;
    }
    let body = json_of(response);
    let description = "the request was refused; the operator finds the reason under the evaluation id";
    assert_eq!((&body["error"], &body["error_description"]), (&json!(error), &json!(description)), "{code}");
    assert_eq!((body.as_object().unwrap().len(), response.status().as_u16()), (3, status), "{code}");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[test]
fn a_request_has_one_proof_of_its_client() {
    let reception = Reception::new();
    let secret = reception.secret.reveal();
    let basic = || reception.bare().proven(&reception).basic(OLD, secret);
    let pair =
        |letter: Letter, kind: &str| letter.field("client_assertion", "a.b.c").field("client_assertion_type", kind);
    for (letter, expected) in [
        (reception.bare(), "exchange_client_unauthenticated"),
        (reception.bare().field("client_id", APP), "exchange_client_unauthenticated"),
        (reception.bare().proven(&reception), "exchange_client_unauthenticated"),
        (reception.asserted().over(&reception.lawyer), "client_proof_repeated"),
        (reception.asserted().over(&reception.clerk), "client_proof_repeated"),
        (reception.asserted().basic(OLD, secret), "client_proof_repeated"),
        (reception.asserted().field("client_id", OLD).field("client_secret", secret), "client_proof_repeated"),
        (basic().field("client_id", OLD).field("client_secret", secret), "client_proof_repeated"),
        (basic().over(&reception.lawyer), "client_proof_repeated"),
        (basic().basic(OLD, secret), "client_proof_repeated"),
        (reception.with_jwt_svid(&svid_claims()).over(&reception.clerk), "client_proof_repeated"),
        (reception.asserted().field("client_assertion", "a.b.c"), "exchange_malformed"),
        (reception.asserted().field("client_id", APP).field("client_id", APP), "exchange_malformed"),
        (reception.asserted().without("client_assertion_type"), "exchange_malformed"),
        (reception.asserted().without("client_assertion"), "exchange_malformed"),
        (
            pair(reception.bare(), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            "client_assertion_type_unsupported",
        ),
        (pair(reception.bare(), "jwt-bearer"), "client_assertion_type_unsupported"),
        (reception.bare().field("client_secret", secret), "client_id_missing"),
        (reception.bare().header("authorization", "Bearer abc"), "client_scheme_unsupported"),
        (reception.bare().header("authorization", "Basic abc"), "client_basic_malformed"),
        (reception.asserted().field("client_id", OLD), "client_id_mismatch"),
        (basic().field("client_id", APP), "client_id_mismatch"),
        (reception.bare().over(&reception.lawyer).field("client_id", CLERK), "client_id_mismatch"),
        (reception.bare().over(&reception.lawyer).field("client_id", CLERKS), "client_id_mismatch"),
        (reception.bare().over(&reception.lawyer).field("client_id", APP), "client_id_mismatch"),
        (reception.with_jwt_svid(&svid_claims()).field("client_id", LAWYER), "client_id_mismatch"),
        (reception.bare().over(&reception.lawyer).header("x-forwarded-client-cert", "Hash=0"), "client_forwarded"),
        (reception.asserted().header("client-cert", ":AAAA:"), "client_forwarded"),
        (reception.asserted().header("client-cert-chain", ":AAAA:"), "client_forwarded"),
    ] {
        let response = reception.send(&letter);
        assert_eq!(code_of(&response), expected, "{:?}", letter.fields);
        let is_request = ["client_proof_repeated", "exchange_malformed", "client_forwarded"].contains(&expected);
        let (error, status) = if is_request { ("invalid_request", 400) } else { ("invalid_client", 401) };
        assert_told(&response, expected, error, status);
        // RFC 6749 §5.2: whoever tried by the header is told how.
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        let tried = letter.headers.contains_key("authorization") && status == 401;
        assert_eq!(challenge, tried.then_some("Basic realm=\"https://sts.court.example\""), "{expected}");
    }
}

/// Whoever tries names and secrets learns nothing from the answers.
#[test]
fn a_client_that_does_not_exist_looks_like_one_whose_proof_is_wrong() {
    let reception = Reception::new();
    let other = ClientSecret::generate(&SystemRandom).unwrap();
    let secret = reception.secret.reveal();
    let basic = |id: &str, secret: &str| reception.bare().proven(&reception).basic(id, secret);
    let told = |response: &Response<String>| {
        let mut body = json_of(response);
        body["evaluation_id"].take();
        (response.status(), response.headers().clone(), body)
    };
    for make in [&(|id: &str, secret: &str| reception.with_secret(id, secret)) as &dyn Fn(&str, &str) -> Letter, &basic]
    {
        assert_eq!(reception.code(&make(OLD, secret)), ACCEPTED);
        let mut answers = Vec::new();
        for (id, secret, expected) in [
            (OLD, other.reveal(), "client_secret_wrong"),
            (OLD, &secret[..42], "client_secret_wrong"),
            ("nobody", secret, "client_unknown"),
            (APP, secret, "client_method_not_registered"),
            (CLERK, secret, "client_unknown"),
        ] {
            let response = reception.send(&make(id, secret));
            assert_eq!(code_of(&response), expected, "{id}");
            answers.push(told(&response));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

#[test]
fn clients_that_would_be_unsafe_make_no_issuer() {
    let reception = Reception::new();
    let keys = || reception.key.key_set();
    let client = |id: &str| RegisteredClient::new(id);
    let with = |client: RegisteredClient| reception.court.issuer().client(client);
    let only = |client| Issuer::builder(STS, reception.court.key.signing_key()).client(client);
    assert!(only(client("a").keys(keys())).build().is_ok(), "without any workload");
    for (builder, message) in [
        (
            with(client("a")),
            "client `a` must prove itself in exactly one way: .keys(...), .secret(...), or .spiffe(...) alone",
        ),
        (
            with(client("a").keys(keys()).secret(reception.secret.hash())),
            "client `a` must prove itself in exactly one way: .keys(...), .secret(...), or .spiffe(...) alone",
        ),
        (
            with(client("").keys(keys())),
            "client id `` is not 1 to 256 visible ASCII characters, or begins with `spiffe:`; say which workload it is with .spiffe(...)",
        ),
        (
            with(client("a b").keys(keys())),
            "client id `a b` is not 1 to 256 visible ASCII characters, or begins with `spiffe:`; say which workload it is with .spiffe(...)",
        ),
        (
            with(client("SPIFFE://court.example/agent/judge").keys(keys())),
            "client id `SPIFFE://court.example/agent/judge` is not 1 to 256 visible ASCII characters, or begins with `spiffe:`; say which workload it is with .spiffe(...)",
        ),
        (with(client("a").keys(keys())).client(client("a").spiffe(spiffe(JUDGE))), "client `a` is registered twice"),
        (
            with(client("a").keys(keys())).dpop(Dpop::new("https://other.example")),
            "the DPoP origin is not that of `https://sts.court.example`, where proofs of clients are for",
        ),
        (
            with(client("a").keys(keys())).dpop(Dpop::new(STS).algorithms([])),
            "no algorithm is allowed, so no DPoP proof could be accepted",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
    assert!(with(client(&"a".repeat(256)).keys(keys())).build().is_ok());
    assert!(with(client(&"a".repeat(257)).keys(keys())).build().is_err());
}

/// RFC 9700 §4.15: nobody is a principal by being called like one.
#[test]
fn a_principal_is_not_called_like_a_client() {
    let reception = Reception::new();
    let consent = |principal: &str| {
        let scopes = "records:read".parse().unwrap();
        let consent = agentauth_core::delegation::Consent::new(principal, spiffe(LAWYER), scopes);
        crate::support::court::wait(reception.service.consent(&consent))
            .map_or_else(|refusal| refusal.error.code(), |_| ACCEPTED)
    };
    assert_eq!([consent("alice"), consent(APP)], [ACCEPTED, "exchange_malformed"]);
}

#[test]
fn nothing_that_is_shown_of_a_client_shows_its_proof() {
    let reception = Reception::new();
    let letter = reception.with_secret(OLD, reception.secret.reveal());
    let body = letter.body();
    let shown = format!("{:?} {:?} {:?}", letter.request(&body), reception.service, reception.service.issuer());
    assert!(!shown.contains(reception.secret.reveal()), "{shown}");
    let stored = reception.secret.hash().to_string();
    assert!(!shown.contains(stored.strip_prefix("sha256:").unwrap()), "{shown}");
    assert_eq!(ClientError::SecretWrong.to_string(), "the secret is not this client's");
    reception.send(&reception.with_secret("nobody", reception.secret.reveal()));
    for record in reception.court.records.take() {
        assert!(!serde_json::to_string(&*record).unwrap().contains(reception.secret.reveal()));
    }
}
