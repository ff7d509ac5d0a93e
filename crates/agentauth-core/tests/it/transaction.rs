//! Transaction tokens: verified beside the access token, narrowing it, on record, and forwarded as they came.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentauth_core::binding::dpop::Dpop;
use agentauth_core::jose::{Algorithm, KeySet};
use agentauth_core::token::{
    KeyRefresh, KeySnapshot, KeySource, Keys, TXN_TOKEN, TransactionToken, TransactionTokenError, TransactionTokens,
    TransactionVerifier,
};
use agentauth_core::{Action, AgentAuth, ConfigError, Evidence, ScopeImplications, ScopeSet, Timestamp};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use crate::profiles::{but, typed};
use crate::support::certs::NOW;
use crate::support::court::{
    ACCEPTED, Court, Key, Oracle, authenticate, claims, code, code_of, encode, key_set, wait, with,
};
use crate::support::dpop_client::DpopClient;

const DOMAIN: &str = "trust-domain.example";
const TYP: &str = "txntoken+jwt";

/// The example of the draft ("Txn-Token Format"), but for its times and its scope.
fn transaction() -> Value {
    json!({
        "iat": NOW, "aud": DOMAIN, "exp": NOW + 360, "txn": "97053963-771d-49cc-a4e3-20aad399c312",
        "sub": "d084sdrt234fsaw34tr23t", "req_wl": "apigateway.trust-domain.example",
        "rctx": {"req_ip": "69.151.72.123", "authn": "face"}, "scope": "records:read",
        "tctx": {
            "action": "BUY", "ticker": "MSFT", "quantity": "100", "customer_type": {"geo": "US", "level": "VIP"},
        },
    })
}

/// The token service of the trust domain.
struct Service {
    key: Key,
}

impl Service {
    fn new() -> Self {
        Self { key: Key::new() }
    }

    fn settings(&self) -> TransactionTokens {
        TransactionTokens::new(DOMAIN, self.key.key_set())
    }

    fn verifier(&self) -> TransactionVerifier {
        self.settings().build().unwrap()
    }

    fn mint(&self, changes: Value) -> String {
        typed(&self.key, Some(TYP), &but(&transaction(), changes))
    }

    fn token(&self, changes: Value) -> TransactionToken {
        self.verifier().verify(&self.mint(changes), Timestamp::from_secs(NOW)).unwrap()
    }
}

fn verdict(verifier: &TransactionVerifier, token: &str) -> &'static str {
    verifier.verify(token, Timestamp::from_secs(NOW)).map_or_else(|error| error.code(), |_| ACCEPTED)
}

#[test]
fn the_drafts_example_is_read_as_it_is_written() {
    let key = Key::new();
    let payload = r#"{
      "iat": 1686536226, "aud": "trust-domain.example", "exp": 1686536586,
      "txn": "97053963-771d-49cc-a4e3-20aad399c312", "sub": "d084sdrt234fsaw34tr23t",
      "req_wl": "apigateway.trust-domain.example", "rctx": {"req_ip": "69.151.72.123", "authn": "face"},
      "scope" : "trade.stocks",
      "tctx": {"action": "BUY", "ticker": "MSFT", "quantity": "100", "customer_type": {"geo": "US", "level": "VIP"}}
    }"#;
    let token = key.sign(&json!({"typ": TYP, "alg": "EdDSA", "kid": key.id}).to_string(), payload);
    let verifier = TransactionTokens::new(DOMAIN, key.key_set()).build().unwrap();
    let read = verifier.verify(&token, Timestamp::from_secs(1_686_536_300)).unwrap();
    assert_eq!(read.txn(), "97053963-771d-49cc-a4e3-20aad399c312");
    assert_eq!((read.subject(), read.trust_domain()), ("d084sdrt234fsaw34tr23t", DOMAIN));
    assert_eq!((read.scopes().to_string(), read.expires().secs()), ("trade.stocks".to_owned(), 1_686_536_586));
    assert_eq!(read.requesting_workload(), "apigateway.trust-domain.example");
    assert_eq!(read.context().unwrap()["customer_type"]["level"], "VIP");
    assert_eq!(read.request_context().unwrap()["req_ip"], "69.151.72.123");
}

#[test]
fn each_rule_for_a_transaction_token_has_its_code() {
    let service = Service::new();
    let verifier = service.verifier();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for (changes, expected) in [
        (json!({}), ACCEPTED),
        (json!({"aud": [DOMAIN]}), ACCEPTED),
        (json!({"tctx": null, "rctx": null}), ACCEPTED),
        (json!({"scope": ""}), ACCEPTED),
        (json!({"exp": NOW + 600}), ACCEPTED),
        (json!({"act": {"sub": "agent"}}), ACCEPTED),
        (json!({"iat": null}), "claim_missing"),
        (json!({"aud": null}), "claim_missing"),
        (json!({"exp": null}), "claim_missing"),
        (json!({"txn": null}), "claim_missing"),
        (json!({"sub": null}), "claim_missing"),
        (json!({"scope": null}), "claim_missing"),
        (json!({"req_wl": null}), "claim_missing"),
        (json!({"txn": "a\nb"}), "claim_malformed"),
        (json!({"sub": ""}), "claim_malformed"),
        (json!({"req_wl": ""}), "claim_malformed"),
        (json!({"aud": "other.example"}), "audience_wrong"),
        (json!({"aud": "Trust-Domain.example"}), "audience_wrong"),
        (json!({"aud": [DOMAIN, "other.example"]}), "audience_shared"),
        (json!({"exp": NOW - 30}), "token_expired"),
        (json!({"exp": NOW + 601}), "token_lifetime_too_long"),
        (json!({"iat": NOW + 31}), "token_issued_in_future"),
        (json!({"nbf": NOW + 31}), "token_not_yet_valid"),
        (json!({"iss": "https://tts.example"}), "issuer_untrusted"),
        (json!({"iss": DOMAIN}), "issuer_untrusted"),
        (json!({"cnf": {"jkt": encode([7; 32])}}), "confirmation_unsupported"),
        (json!({"scope": ["records:read"]}), "json_wrong_type"),
        (json!({"scope": "a  b"}), "scope_malformed"),
        (json!({"tctx": []}), "json_wrong_type"),
        (json!({"rctx": "x"}), "json_wrong_type"),
        (json!({"tctx": {"x": deep}}), "json_too_deep"),
    ] {
        assert_eq!(verdict(&verifier, &service.mint(changes.clone())), expected, "{changes}");
    }
    let twice = r#"{"tctx": {"quantity": "1", "quantity": "100"}}"#;
    let header = json!({"typ": TYP, "alg": "EdDSA", "kid": service.key.id}).to_string();
    assert_eq!(verdict(&verifier, &service.key.sign(&header, twice)), "json_duplicate_member");
    assert_eq!(verdict(&verifier, &Service::new().mint(json!({}))), "key_unknown");
    for typ in [Some("at+jwt"), Some("JWT"), Some("oauth-id-jag+jwt"), None] {
        assert_eq!(verdict(&verifier, &typed(&service.key, typ, &transaction())), "typ_wrong", "{typ:?}");
    }
}

#[test]
fn a_service_that_has_a_name_may_say_it_and_no_other() {
    let service = Service::new();
    let verifier = service.settings().issuer("https://tts.example").build().unwrap();
    for (iss, expected) in [
        (Value::Null, ACCEPTED),
        (json!("https://tts.example"), ACCEPTED),
        (json!("https://tts.example/"), "issuer_untrusted"),
    ] {
        assert_eq!(verdict(&verifier, &service.mint(json!({"iss": iss}))), expected, "{iss}");
    }
}

/// A tool server that takes the transaction tokens of `service`.
fn server(court: &Court, settings: TransactionTokens) -> AgentAuth {
    court.engine().policy(Oracle::permitting()).transaction_tokens(settings).build().unwrap()
}

fn with_transaction(court: &Court, transaction: &str) -> Evidence {
    Evidence::bearer(&court.key.mint(&claims())).with_transaction_token(transaction)
}

#[test]
fn a_transaction_narrows_what_is_delegated_and_grants_nothing() {
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, service.settings());
    let ask = |scope: &str, needed: &str| {
        let caller = authenticate(&auth, with_transaction(&court, &service.mint(json!({"scope": scope})))).unwrap();
        let action = Action::new(needed).unwrap();
        code_of(&wait(caller.authorize(action)))
    };
    // The access token holds motions:file and records:read.
    for (scope, needed, expected) in [
        ("records:read", "records:read", ACCEPTED),
        ("motions:file records:read", "motions:file", ACCEPTED),
        ("records:read", "motions:file", "insufficient_scope"),
        ("verdicts:read", "verdicts:read", "insufficient_scope"),
        ("verdicts:read", "records:read", "insufficient_scope"),
        ("", "records:read", "insufficient_scope"),
    ] {
        assert_eq!(ask(scope, needed), expected, "{scope:?} {needed}");
    }
    let caller = authenticate(&auth, with_transaction(&court, &service.mint(json!({})))).unwrap();
    assert_eq!(caller.scopes().to_string(), "records:read");
    assert_eq!(
        code_of(&wait(caller.require_scopes(&"motions:file".parse::<ScopeSet>().unwrap()))),
        "insufficient_scope"
    );
}

#[test]
fn a_trust_domain_may_have_scopes_of_its_own() {
    let (court, service) = (Court::new(), Service::new());
    let table = ScopeImplications::new().includes("court.filing", "motions:file").unwrap();
    let auth = court
        .engine()
        .policy(Oracle::permitting())
        .implications(table)
        .transaction_tokens(service.settings())
        .build()
        .unwrap();
    let token = service.mint(json!({"scope": "court.filing"}));
    let caller = authenticate(&auth, with_transaction(&court, &token)).unwrap();
    assert_eq!(caller.scopes().to_string(), "motions:file");
}

#[test]
fn the_record_of_a_token_says_what_each_transaction_leaves_of_it() {
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, service.settings().optional());
    let token = court.key.mint(&claims());
    for (scope, expected) in [
        (Some("records:read"), "records:read"),
        (None, "motions:file records:read"),
        (Some("motions:file"), "motions:file"),
    ] {
        let evidence = Evidence::bearer(&token);
        let evidence = match scope {
            Some(scope) => evidence.with_transaction_token(&service.mint(json!({"scope": scope}))),
            None => evidence,
        };
        authenticate(&auth, evidence).unwrap();
        assert_eq!(court.records.only().delegation.as_ref().unwrap().scopes.to_string(), expected);
    }
}

#[test]
fn a_transaction_is_on_record_and_nothing_else_of_its_token_is() {
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, service.settings());
    let token = service.mint(json!({}));
    let caller = authenticate(&auth, with_transaction(&court, &token)).unwrap();
    let _permit = wait(caller.authorize(Action::new("records:read").unwrap())).unwrap();
    let records = court.records.take();
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(record.transaction.as_deref(), Some("97053963-771d-49cc-a4e3-20aad399c312"));
        let shown = format!("{} {record:?}", serde_json::to_string(&*record).unwrap());
        for secret in [token.as_str(), "d084sdrt", "apigateway", "69.151", "MSFT"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
    let transaction = caller.transaction().unwrap();
    let shown = format!("{transaction:?} {caller:?} {:?}", with_transaction(&court, &token));
    for secret in [token.split('.').nth(2).unwrap(), "d084sdrt", "apigateway", "69.151", "MSFT"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn a_transaction_token_comes_beside_an_access_token_and_never_in_its_place() {
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, service.settings());
    let good = service.mint(json!({}));
    let request = |authorization: Option<&str>, transactions: &[&str]| {
        let mut headers = HeaderMap::new();
        if let Some(token) = authorization {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        for token in transactions {
            headers.append(TXN_TOKEN, HeaderValue::from_str(token).unwrap());
        }
        let evidence = Evidence::from_http(&Method::GET, &Uri::from_static("/"), &headers);
        let answer = authenticate(&auth, evidence);
        let status = answer.as_ref().map_or_else(|rejection| rejection.status().as_u16(), |_| 200);
        (code_of(&answer), status)
    };
    let access = court.key.mint(&claims());
    let both = format!("{good}, {good}");
    let spoilt = format!("{good}x");
    for (authorization, transactions, expected) in [
        (Some(access.as_str()), &[good.as_str()][..], (ACCEPTED, 200)),
        (Some(access.as_str()), &[], ("transaction_token_missing", 400)),
        (Some(access.as_str()), &[&good, &good], ("transaction_token_repeated", 400)),
        (Some(access.as_str()), &[&both], ("transaction_token_malformed", 400)),
        (Some(access.as_str()), &[""], ("transaction_token_malformed", 400)),
        (Some(access.as_str()), &["Bearer x"], ("transaction_token_malformed", 400)),
        (Some(access.as_str()), &[&spoilt], ("token_not_canonical", 400)),
        (Some(access.as_str()), &[&access], ("typ_wrong", 400)),
        // Whoever has no access token is told no more than that.
        (None, &[good.as_str()], ("no_credentials", 401)),
        (Some(good.as_str()), &[&good], ("typ_wrong", 401)),
        (Some("x"), &[&spoilt], ("token_not_compact", 401)),
    ] {
        assert_eq!(request(authorization, transactions), expected, "{authorization:?} {transactions:?}");
    }
    let long = Evidence::bearer(&access).with_transaction_token(&"A".repeat(20_000));
    assert_eq!(code_of(&authenticate(&auth, long)), "token_oversize");
}

#[test]
fn where_transaction_tokens_are_not_taken_they_are_not_read() {
    let (court, service) = (Court::new(), Service::new());
    let auth = court.auth();
    let caller = authenticate(&auth, with_transaction(&court, &service.mint(json!({"scope": ""})))).unwrap();
    assert!(caller.transaction().is_none());
    assert_eq!(caller.scopes().to_string(), "motions:file records:read");
    assert_eq!(court.records.only().transaction, None);
    assert_eq!(code_of(&authenticate(&auth, with_transaction(&court, "x y"))), ACCEPTED);

    let auth = server(&court, service.settings().optional());
    assert_eq!(code(&auth, &court.key.mint(&claims())), ACCEPTED);
    assert_eq!(code_of(&authenticate(&auth, with_transaction(&court, "x y"))), "transaction_token_malformed");
}

#[test]
fn a_caller_does_not_outlive_its_transaction() {
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, service.settings());
    let caller = authenticate(&auth, with_transaction(&court, &service.mint(json!({"exp": NOW + 60})))).unwrap();
    court.at(NOW + 89);
    let ask = || code_of(&wait(caller.authorize(Action::new("records:read").unwrap())));
    assert_eq!(ask(), ACCEPTED);
    court.at(NOW + 90);
    assert_eq!(ask(), "token_expired");
}

#[test]
fn a_refused_transaction_uses_no_proof_up() {
    let (court, service) = (Court::new(), Service::new());
    let auth =
        court.engine().dpop(Dpop::new("https://tools.example")).transaction_tokens(service.settings()).build().unwrap();
    let client = DpopClient::new(Algorithm::EdDsa);
    let token = court.key.mint(&with("cnf", client.cnf()));
    let proof = client.proof("GET", "https://tools.example/", &token, NOW);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("DPoP {token}").parse().unwrap());
    headers.insert("dpop", proof.parse().unwrap());
    let ask = |headers: &HeaderMap| {
        code_of(&authenticate(&auth, Evidence::from_http(&Method::GET, &Uri::from_static("/"), headers)))
    };
    assert_eq!(ask(&headers), "transaction_token_missing");
    headers.insert(TXN_TOKEN, service.mint(json!({})).parse().unwrap());
    assert_eq!(ask(&headers), ACCEPTED);
    assert_eq!(ask(&headers), "dpop_replayed");
}

#[test]
fn newer_keys_are_waited_for_once() {
    #[derive(Debug, Clone)]
    struct Rotating {
        keys: [Arc<KeySet>; 2],
        fetched: Arc<AtomicUsize>,
    }
    impl KeySource for Rotating {
        fn current(&self) -> Option<KeySnapshot> {
            let generation = self.fetched.load(Ordering::SeqCst).min(1);
            Some(KeySnapshot { keys: self.keys[generation].clone(), generation: generation as u64 })
        }

        fn refresh(&self, _: Option<u64>) -> Option<KeyRefresh> {
            let fetched = self.fetched.clone();
            Some(Box::pin(async move {
                fetched.fetch_add(1, Ordering::SeqCst);
            }))
        }
    }
    let (court, old, new) = (Court::new(), Key::new(), Service::new());
    let keys = [&old, &new.key].map(|key| Arc::new(key_set(&[&key.jwk])));
    let source = Rotating { keys, fetched: Arc::default() };
    let auth = server(&court, TransactionTokens::new(DOMAIN, Keys::from_source(source.clone())));
    assert_eq!(code_of(&authenticate(&auth, with_transaction(&court, &new.mint(json!({}))))), ACCEPTED);
    assert_eq!(source.fetched.load(Ordering::SeqCst), 1);
    let by_old = typed(&old, Some(TYP), &transaction());
    assert_eq!(code_of(&authenticate(&auth, with_transaction(&court, &by_old))), "key_unknown");
    assert_eq!(source.fetched.load(Ordering::SeqCst), 2);
}

#[test]
fn keys_that_cannot_be_had_are_not_the_tokens_fault() {
    #[derive(Debug)]
    struct Gone;
    impl KeySource for Gone {
        fn current(&self) -> Option<KeySnapshot> {
            None
        }
    }
    let (court, service) = (Court::new(), Service::new());
    let auth = server(&court, TransactionTokens::new(DOMAIN, Keys::from_source(Gone)));
    let rejection = authenticate(&auth, with_transaction(&court, &service.mint(json!({})))).unwrap_err();
    assert_eq!((rejection.code(), rejection.status().as_u16()), ("keys_unavailable", 503));
}

#[test]
fn a_transaction_token_is_forwarded_as_it_came_within_its_trust_domain() {
    let service = Service::new();
    let text = service.mint(json!({}));
    let token = service.verifier().verify(&text, Timestamp::from_secs(NOW)).unwrap();
    let mut headers = HeaderMap::new();
    headers.append(TXN_TOKEN, HeaderValue::from_static("one"));
    headers.append(TXN_TOKEN, HeaderValue::from_static("two"));
    let error = token.forward("other.example", &mut headers).unwrap_err();
    assert_eq!((error.code(), headers.get_all(TXN_TOKEN).iter().count()), ("transaction_token_other_domain", 2));
    token.forward(DOMAIN, &mut headers).unwrap();
    let values: Vec<_> = headers.get_all(TXN_TOKEN).iter().collect();
    assert_eq!(values, [&HeaderValue::from_str(&text).unwrap()]);
    assert!(values[0].is_sensitive());
}

#[test]
fn a_replacement_is_the_same_transaction_and_no_broader() {
    let service = Service::new();
    let original = service.token(json!({"scope": "motions:file records:read", "exp": NOW + 20}));
    for (changes, expected) in [
        (json!({}), ACCEPTED),
        (json!({"scope": "motions:file records:read", "tctx": {"more": 1}, "exp": NOW + 600}), ACCEPTED),
        (json!({"iat": NOW + 19}), ACCEPTED),
        (json!({"iat": NOW + 20}), "transaction_replacement_late"),
        (json!({"txn": "other"}), "transaction_replacement_altered"),
        (json!({"sub": "other"}), "transaction_replacement_altered"),
        (json!({"scope": "records:read verdicts:read"}), "transaction_replacement_widened"),
    ] {
        let answer = original.check_replacement(&service.token(changes.clone()));
        assert_eq!(answer.as_ref().map_or_else(TransactionTokenError::code, |()| ACCEPTED), expected, "{changes}");
    }
    let elsewhere = TransactionTokens::new("other.example", service.key.key_set()).build().unwrap();
    let other = elsewhere.verify(&service.mint(json!({"aud": "other.example"})), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(original.check_replacement(&other).unwrap_err().code(), "transaction_replacement_altered");
}

#[test]
fn settings_that_are_no_good_are_refused() {
    let court = Court::new();
    for domain in ["", "a b", "a\n", "dömäin"] {
        let settings = TransactionTokens::new(domain, court.key.key_set());
        let built = court.engine().transaction_tokens(settings).build();
        assert!(matches!(built, Err(ConfigError::Transactions(_))), "{domain:?}");
    }
    let vague = TransactionTokens::new(DOMAIN, court.key.key_set()).leeway(Duration::from_secs(61));
    assert!(vague.build().is_err());
    let service = Service::new();
    let strict = service.settings().leeway(Duration::ZERO).max_lifetime(Duration::from_secs(300)).build().unwrap();
    assert_eq!(verdict(&strict, &service.mint(json!({}))), "token_lifetime_too_long");
    assert_eq!(verdict(&strict, &service.mint(json!({"iat": NOW - 10, "exp": NOW}))), "token_expired");
}
