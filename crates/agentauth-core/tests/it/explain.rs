//! An explanation and a verdict never disagree: of a token, and of a proof.

use agentauth_core::binding::dpop::{DpopError, ProofContext, ProofOutcome, ProofRule};
use agentauth_core::jose::Algorithm;
use agentauth_core::token::{Outcome, Rule, TokenVerifier};
use agentauth_core::{ResourceId, Timestamp, TrustedIssuer};
use http::{Method, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{Key, RESOURCE, STS, claims, with};
use crate::support::prover::{PATH, Prover, TOKEN, dpop, proof_claims, proof_claims_with};

fn verifier(key: &Key) -> TokenVerifier {
    TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), vec![TrustedIssuer::rfc8693(STS, key.key_set())]).unwrap()
}

/// One change that breaks one rule, and the rule.
fn faults() -> Vec<(Rule, &'static str, Value)> {
    vec![
        (Rule::Expiry, "exp", json!(NOW - 100)),
        (Rule::Start, "nbf", json!(NOW + 100)),
        (Rule::Issue, "iat", json!(NOW + 100)),
        (Rule::Length, "exp", json!(NOW + 86_401)),
        (Rule::Audience, "aud", json!("https://other.example")),
        (Rule::Actors, "act", crate::support::court::chain(&["a", "b", "c", "d", "e"])),
        (Rule::Profile, "jti", json!("")),
        (Rule::Confirmation, "cnf", json!({"jkt": "short"})),
    ]
}

#[test]
fn each_rule_is_blamed_for_what_breaks_it_alone() {
    let key = Key::new();
    let verifier = verifier(&key);
    let explain = |token: &str| verifier.explain(token, Timestamp::from_secs(NOW));
    let broken = |token: &str| -> Vec<Rule> {
        let failed = |check: &&agentauth_core::token::Check| matches!(check.outcome, Outcome::Failed(_));
        explain(token).checks().iter().filter(failed).map(|check| check.rule).collect()
    };
    assert!(explain(&key.mint(&claims())).is_good());
    let header = |name: &str, value: Value| {
        let mut header = key.header();
        header[name] = value;
        key.sign(&header.to_string(), claims().to_string())
    };
    let mut cases: Vec<(Rule, String)> = vec![
        (Rule::Form, "no token".into()),
        (Rule::Form, header("kid", json!(1))),
        (Rule::Algorithm, header("alg", json!("none"))),
        (Rule::Extensions, header("crit", json!(["exp"]))),
        (Rule::Type, header("typ", json!("dpop+jwt"))),
        (Rule::Claims, key.sign(&key.header().to_string(), "[]")),
        (Rule::Issuer, key.mint(&with("iss", "https://other.example"))),
        (Rule::Signature, Key::new().mint(&claims())),
    ];
    cases.extend(faults().into_iter().map(|(rule, name, value)| (rule, key.mint(&with(name, value)))));
    for (rule, token) in cases {
        assert!(broken(&token).contains(&rule), "{rule:?}: {:?}", explain(&token).checks());
        // A type that nobody takes is also none that this issuer takes; what cannot be believed is not read further.
        let others = broken(&token).into_iter().filter(|other| *other != rule && *other != Rule::Kind).count();
        assert_eq!(others, 0, "{rule:?}: {:?}", explain(&token).checks());
    }
}

#[test]
fn rules_say_what_they_ask_and_where_it_stands() {
    for rule in Rule::ALL {
        assert!(!rule.text().is_empty() && ["RFC", "draft-"].iter().any(|of| rule.section().contains(of)), "{rule:?}");
    }
    for rule in ProofRule::ALL {
        assert!(!rule.text().is_empty() && rule.section().contains("RFC 9449"), "{rule:?}");
    }
}

proptest! {
    /// Whatever is wrong at once: the verdict is the first failed rule's, and a good token has none.
    #[test]
    fn the_verdict_is_the_first_broken_rules(chosen in proptest::sample::subsequence(faults(), 0..=8)) {
        let key = Key::new();
        let verifier = verifier(&key);
        let mut claims = claims();
        for (_, name, value) in &chosen {
            claims[*name] = value.clone();
        }
        let token = key.mint(&claims);
        let explanation = verifier.explain(&token, Timestamp::from_secs(NOW));
        let verdict = verifier.verify(&token, Timestamp::from_secs(NOW)).map_err(|error| error.code());
        let first = explanation.checks().iter().find_map(|check| match &check.outcome {
            Outcome::Failed(error) => Some(error.code()),
            _ => None,
        });
        prop_assert_eq!(explanation.is_good(), verdict.is_ok());
        prop_assert_eq!(explanation.reading().is_some(), verdict.is_ok());
        prop_assert_eq!(verdict.err(), first);
    }
}

#[test]
fn a_proof_is_explained_up_to_the_rule_it_breaks() {
    let prover = Prover::new(Algorithm::EdDsa);
    let stranger = Prover::new(Algorithm::EdDsa);
    let (method, uri, now) = (Method::POST, Uri::from_static(PATH), Timestamp::from_secs(NOW));
    let request = ProofContext::new(&method, &uri, TOKEN, Some(prover.thumbprint.as_bytes()));
    for (proof, rule, code) in [
        ("no proof".into(), ProofRule::Form, "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("alg", "none"), "{}"), ProofRule::Algorithm, "dpop_alg_none"),
        (prover.sign(&prover.header_with("jwk", Value::Null), "{}"), ProofRule::Key, "dpop_key_missing"),
        (prover.prove(&proof_claims_with("jti", Value::Null)), ProofRule::Claims, "dpop_claim_missing"),
        (
            prover.sign(&prover.header_with("typ", "at+jwt"), proof_claims().to_string()),
            ProofRule::Type,
            "dpop_typ_wrong",
        ),
        (prover.prove(&proof_claims_with("htm", "GET")), ProofRule::Method, "dpop_htm_mismatch"),
        (prover.prove(&proof_claims_with("htu", "https://other.example")), ProofRule::Target, "dpop_htu_mismatch"),
        (prover.prove(&proof_claims_with("iat", NOW - 1000)), ProofRule::Age, "dpop_iat_too_old"),
        (prover.prove(&proof_claims_with("ath", Value::Null)), ProofRule::Token, "dpop_claim_missing"),
        (stranger.prove(&proof_claims()), ProofRule::Binding, "dpop_key_mismatch"),
    ] {
        assert_eq!(dpop().verify(&proof, &request, now).err().map(|error| error.code()), Some(code));
        for (checked, outcome) in dpop().explain(&proof, &request, now) {
            match outcome {
                ProofOutcome::Passed => assert!(checked < rule, "{checked:?} {code}"),
                ProofOutcome::Failed(error) => assert_eq!((checked, error.code()), (rule, code)),
                other => assert!(checked > rule && other == ProofOutcome::NotReached, "{checked:?} {code}"),
            }
        }
    }
    let good = dpop().explain(&prover.prove(&proof_claims()), &request, now);
    assert!(good.iter().all(|(_, outcome)| *outcome == ProofOutcome::Passed));
    assert_eq!(DpopError::Replayed.rule(), None);
}
