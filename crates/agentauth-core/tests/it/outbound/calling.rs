//! `caller.delegate_to(..)`, and how what it gives is sent.

use http::Request;

use super::*;
use agentauth_core::binding::dpop::DpopKey;
use agentauth_core::jose::Algorithm;
use agentauth_core::state::{MemoryRevocations, Revocation};

fn auth(court: &Court, sts: &Sts) -> agentauth_core::AgentAuth {
    court.engine().delegate_through(sts.delegator().build()).build().unwrap()
}

#[test]
fn a_caller_passes_on_what_is_named_and_nothing_else() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let token = court.key.mint(&with("jti", "1"));
    let caller = crate::support::court::caller(&auth(&court, &sts), &token);
    let onward = wait(caller.delegate_to(RECORDS).scopes("records:read").into_future()).unwrap();
    assert_eq!((onward.token(), onward.audience().as_str()), ("token-1", RECORDS));
    let form = sts.asked.lock().unwrap().remove(0);
    let asked: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("resource", RECORDS),
        ("subject_token", &token),
        ("subject_token_type", ACCESS_TOKEN),
        ("scope", "records:read"),
    ];
    assert_eq!(asked, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let authority = Authority::of_scopes("records:read".parse().unwrap());
    assert_eq!(wait(caller.delegate_to(RECORDS).authority(authority).into_future()).unwrap().token(), "token-1");
    assert!(!format!("{onward:?} {:?}", caller.delegate_to(RECORDS)).contains(&token));
    assert!(!format!("{onward:?}").contains("token-1"));
}

#[test]
fn nothing_is_asked_for_what_cannot_be_delegated() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let caller = caller_of(&court, &auth(&court, &sts));
    for (audience, scopes, expected) in [
        (RECORDS, None, "outbound_no_scopes"),
        (RECORDS, Some(""), "outbound_no_scopes"),
        (RECORDS, Some("a  b"), "outbound_malformed"),
        (RECORDS, Some("a\"b"), "outbound_malformed"),
        ("records", Some("records:read"), "outbound_malformed"),
        ("https://records.example#x", Some("records:read"), "outbound_malformed"),
    ] {
        let asked = caller.delegate_to(audience);
        let asked = scopes.into_iter().fold(asked, agentauth_core::DelegateTo::scopes);
        assert_eq!(code_of(&wait(asked.into_future())), expected, "{audience} {scopes:?}");
    }
    let nowhere = caller_of(&court, &court.auth());
    let asked = nowhere.delegate_to(RECORDS).scopes("records:read");
    assert_eq!(code_of(&wait(asked.into_future())), "outbound_not_configured");
    assert_eq!(sts.count(), 0);
}

fn caller_of(court: &Court, auth: &agentauth_core::AgentAuth) -> Caller {
    crate::support::court::caller(auth, &court.key.mint(&with("jti", "1")))
}

/// The certificate that the caller came with has ended, or is no longer trusted.
#[test]
fn a_caller_whose_connection_is_over_passes_nothing_on() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let auth = auth(&court, &sts);
    let mut leaf = court.ca.leaf("/agent/lawyer");
    leaf.not_after = crate::support::certs::at(NOW + 60);
    let peer = Arc::new(court.ca.trust().verify(&[court.ca.sign(&leaf)], court.clock.now()).unwrap());
    let token = court.key.mint(&with("jti", "1"));
    let caller = wait(auth.authenticate(Evidence::bearer(&token).with_peer(Some(peer.clone())))).unwrap();
    let ask = || code_of(&wait(caller.delegate_to(RECORDS).scopes("records:read").into_future()));
    assert_eq!(ask(), ACCEPTED);
    court.at(peer.not_after().secs() + 1);
    assert_eq!((ask(), sts.count()), ("outbound_caller_ended", 1));
}

/// A caller that is kept does not outlive a revocation, whatever was exchanged for it before.
#[test]
fn a_caller_that_was_revoked_passes_nothing_on() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let builder = court.engine().delegate_through(sts.delegator().build());
    let auth = builder.revocations(Arc::new(MemoryRevocations::new())).build().unwrap();
    let caller = caller_of(&court, &auth);
    let ask = || code_of(&wait(caller.delegate_to(RECORDS).scopes("records:read").into_future()));
    assert_eq!(ask(), ACCEPTED);
    let principal = agentauth_core::PrincipalId::new(agentauth_core::IssuerId::new(STS).unwrap(), "alice");
    wait(auth.revoke(&Revocation::principal(principal))).unwrap();
    assert_eq!((ask(), sts.count()), ("outbound_caller_ended", 1));
}

#[test]
fn a_delegation_is_put_onto_requests_to_its_audience_and_takes_off_what_is_copied() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let caller = caller_of(&court, &auth(&court, &sts));
    let token = wait(caller.delegate_to("https://records.example/api").scopes("records:read").into_future()).unwrap();
    let copied = [
        "authorization",
        "host",
        "dpop",
        "agent-delegation",
        "agent-delegation",
        "client-cert",
        "client-cert-chain",
        "x-forwarded-client-cert",
    ];
    let request = |uri: &str| {
        let request = copied
            .iter()
            .fold(Request::get(uri).header("x-other", "1"), |request, name| request.header(*name, "copied"));
        request.body(()).unwrap()
    };
    let mut good = request("https://records.example/api/7?page=2");
    token.authorize(&mut good).unwrap();
    assert_eq!((authorization(&good), good.headers().len()), ("Bearer token-1", 2));
    assert!(good.headers()["authorization"].is_sensitive());
    for uri in
        ["https://records.example/apis", "https://records.example.evil/api", "http://records.example/api", "/api"]
    {
        let mut bad = request(uri);
        assert_eq!(token.authorize(&mut bad).unwrap_err().code(), "outbound_wrong_audience", "{uri}");
        assert_eq!(bad.headers()["authorization"], "copied", "it is left as it was");
    }
}

/// A proof is for an absolute URI with a scheme; without randomness there is none at all.
#[test]
fn without_a_proof_nothing_is_sent() {
    let court = Court::new();
    let random = crate::support::court::Counter::up_to(1);
    let key = Arc::new(DpopKey::generate(Algorithm::EdDsa).unwrap().random(random));
    let mut body = answer("opaque", 300);
    body["token_type"] = json!("DPoP");
    let sts = Sts::new(&court, move |_| body.to_string()).held_by(Holder::Dpop(key));
    let caller = caller_of(&court, &auth(&court, &sts));
    let token = wait(caller.delegate_to(RECORDS).scopes("records:read").into_future()).unwrap();
    let mut request = Request::get(RECORDS).body(()).unwrap();
    token.authorize(&mut request).unwrap();
    let mut again = Request::get(RECORDS).body(()).unwrap();
    assert_eq!(token.authorize(&mut again).unwrap_err().code(), "outbound_proof_failed");
    assert!(again.headers().is_empty());
}
