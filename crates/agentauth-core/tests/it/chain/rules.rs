//! Every rule of a chain by the code of its refusal, and the vectors that say the same to others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use agentauth_core::delegation::chain::{ChainError, ChainOutcome, ChainRule, ChainSettings, ChainVerifier};
use agentauth_core::{ResourceId, Timestamp, TrustedIssuer, token::TokenVerifier};
use serde_json::{Value, json};

use super::cases::Cases;
use super::forge::{Cast, SHARED, code, code_at, verifier};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, RESOURCE, STS, encode, key_set};

#[test]
fn each_rule_of_a_chain_has_its_code() {
    let cast = Cast::new();
    let cases = Cases::of(&cast).all;
    for case in &cases {
        assert_eq!(code_at(&cast, &case.ancestors, &case.leaf, case.now), case.expected, "{}", case.name);
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
}

#[test]
fn a_chain_is_bounded_before_anything_is_read() {
    let cast = Cast::new();
    let tokens = cast.chain(1);
    let long = format!("{}~{}", tokens[0], "A".repeat(32 * 1024));
    assert_eq!(code_at(&cast, &long, &tokens[1], NOW), "chain_oversize");
    assert_eq!(code_at(&cast, &tokens[0], &"A".repeat(16 * 1024 + 1), NOW), "chain_oversize");
    let many = format!("{}{}", tokens[0], "~".repeat(30 * 1024));
    assert_eq!(code_at(&cast, &many, &tokens[1], NOW), "chain_too_many_links");
}

/// One flipped bit anywhere, and the chain is refused.
#[test]
fn one_changed_character_anywhere_is_refused() {
    let cast = Cast::new();
    let tokens = cast.chain(2);
    for at in 0..tokens.len() {
        for place in (0..tokens[at].len()).step_by(7) {
            let mut changed = tokens.clone();
            let mut bytes = changed[at].clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            changed[at] = String::from_utf8(bytes).unwrap();
            assert_ne!(code(&cast, &changed), ACCEPTED, "token {at}, character {place}");
        }
    }
}

#[test]
fn a_server_may_follow_fewer_links_or_only_where_the_root_says_so() {
    let cast = Cast::new();
    let code = |settings: ChainSettings, tokens: &[String]| {
        let (ancestors, leaf) = super::forge::presented(tokens);
        let verified =
            ChainVerifier::new(settings).unwrap().verify(&cast.tokens(), &ancestors, &leaf, Timestamp::from_secs(NOW));
        verified.map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    assert_eq!(code(ChainSettings::new().max_links(1), &cast.chain(2)), "chain_too_many_links");
    // The links say 4, and this server goes no deeper than 2: that they could have gone on is no fault of theirs.
    assert_eq!(code(ChainSettings::new().max_links(2), &cast.chain(2)), ACCEPTED);
    assert_eq!(code(ChainSettings::new().roots_must_allow(), &cast.chain(1)), "chain_too_deep");
    let mut claims = cast.root_claims();
    claims["del_max_depth"] = json!(4);
    let tokens = cast.chain_below(cast.root_of(&claims), 1);
    assert_eq!(code(ChainSettings::new().roots_must_allow(), &tokens), ACCEPTED);
    for limit in [0, 17] {
        assert!(ChainVerifier::new(ChainSettings::new().max_links(limit)).is_err(), "{limit}");
    }
}

#[test]
fn an_explanation_says_how_far_it_got_and_what_it_did_not_check() {
    let cast = Cast::new();
    let explain = |tokens: &[String]| {
        let (ancestors, leaf) = super::forge::presented(tokens);
        verifier().explain(&cast.tokens(), &ancestors, &leaf, Timestamp::from_secs(NOW))
    };
    let good = explain(&cast.chain(2));
    assert!(good.is_valid() && good.refusal().is_none());
    let elsewhere: Vec<ChainRule> =
        good.steps().iter().filter(|step| step.outcome == ChainOutcome::Elsewhere).map(|step| step.rule).collect();
    assert_eq!(elsewhere, [ChainRule::Presenter, ChainRule::Authorization]);
    assert_eq!(good.steps().len(), 3 + 2 * 13 + 1 + 2);

    for case in Cases::of(&cast).all.iter().filter(|case| case.expected != ACCEPTED) {
        let explained = verifier().explain(&cast.tokens(), &case.ancestors, &case.leaf, Timestamp::from_secs(case.now));
        assert!(!explained.is_valid(), "{}", case.name);
        assert_eq!(explained.refusal().map(ChainError::code), Some(case.expected), "{}", case.name);
        let outcomes: Vec<&ChainOutcome> = explained.steps().iter().map(|step| &step.outcome).collect();
        let failed = outcomes.iter().position(|outcome| matches!(outcome, ChainOutcome::Failed(_))).unwrap();
        assert!(outcomes[..failed].iter().all(|outcome| **outcome == ChainOutcome::Passed), "{}", case.name);
        assert!(outcomes[failed + 1..].iter().all(|outcome| **outcome != ChainOutcome::Passed), "{}", case.name);
    }
    let mut borrowed = cast.chain(1);
    borrowed[1] = cast.mallory.link(&cast.link_claims(&borrowed[0], 1));
    let step = explain(&borrowed).steps().iter().find(|step| matches!(step.outcome, ChainOutcome::Failed(_))).cloned();
    assert_eq!(step.map(|step| (step.at, step.rule)), Some((1, ChainRule::Key)));
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/delegation-chain.json")
}

/// The file says what the cases say, byte for byte. `AGENTAUTH_WRITE_VECTORS=1` writes it anew.
///
/// Where another crate of the build keeps the members of JSON objects in another order than the sorted one, the tokens of the
/// cases are other bytes: this is for a build of the core by itself.
#[test]
fn the_vectors_are_the_cases() {
    if json!({"b": 0, "a": 0}).as_object().unwrap().keys().next().unwrap() == "b" {
        return;
    }
    let cast = Cast::new();
    let issuer: Value = serde_json::from_str(cast.issuer.key().public_jwk()).unwrap();
    let keys = |holder: &super::forge::Holder, seed: u8| json!({"jwk": holder.jwk, "d": encode([seed; 32])});
    let cases: Vec<Value> = Cases::of(&cast)
        .all
        .iter()
        .map(|case| {
            json!({
                "name": case.name, "ancestors": case.ancestors, "leaf": case.leaf, "now": case.now,
                "expected": case.expected,
            })
        })
        .collect();
    let vectors = json!({
        "about": "Chains by docs/delegation-chain.md: the header, the leaf, the time, and the code of the refusal, or \
                  `accepted`. Codes are those of SECURITY.md.",
        "verifier": {
            "audience": RESOURCE, "max_links": 4, "leeway": 30,
            "issuers": [
                {"issuer": STS, "shared_audience": false, "key": issuer},
                {"issuer": SHARED, "shared_audience": true, "key": issuer},
            ],
        },
        "agents": (10..).zip(&cast.agents).map(|(seed, agent)| {
            json!({"client_id": agent.name, "key": keys(agent, seed), "jkt": agent.jkt})
        }).collect::<Vec<_>>(),
        "cases": cases,
    });
    let text = format!("{vectors:#}\n");
    if std::env::var_os("AGENTAUTH_WRITE_VECTORS").is_some() {
        fs::create_dir_all(file().parent().unwrap()).unwrap();
        fs::write(file(), &text).unwrap();
    }
    assert!(fs::read_to_string(file()).unwrap() == text, "the vectors are not what the cases make");
}

/// What an implementation elsewhere does: it knows the file, and nothing of how it was made.
#[test]
fn the_vectors_get_the_verdicts_that_they_say() {
    let vectors: Value = serde_json::from_slice(&fs::read(file()).unwrap()).unwrap();
    let settings = &vectors["verifier"];
    let issuers = settings["issuers"].as_array().unwrap().iter().map(|issuer| {
        let trusted = TrustedIssuer::rfc8693(issuer["issuer"].as_str().unwrap(), key_set(&[&issuer["key"]]));
        if issuer["shared_audience"] == true { trusted.dangerous().allow_shared_audience() } else { trusted }
    });
    let audience = ResourceId::new(settings["audience"].as_str().unwrap()).unwrap();
    let tokens = TokenVerifier::new(audience, issuers.collect()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let now = Timestamp::from_secs(case["now"].as_u64().unwrap());
        let verdict = verifier().verify(&tokens, text("ancestors"), text("leaf"), now);
        let verdict = verdict.map_or_else(|error| error.code(), |_| ACCEPTED);
        assert_eq!(verdict, text("expected"), "{}", text("name"));
        *(if verdict == ACCEPTED { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted >= 10 && refused >= 60, "{accepted} accepted, {refused} refused");
}
