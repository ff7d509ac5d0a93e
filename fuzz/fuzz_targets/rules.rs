//! Any bytes as a file of rules, in TOML and in JSON.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agentauth_core::policy::{Effect, Preview, Problems, Rules, Scenario};
use agentauth_core::{IssuerId, PolicyEngine, PrincipalId, ResourceId, SpiffeId};
use libfuzzer_sys::fuzz_target;

fn wait<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(answer) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is nothing to wait for");
    };
    answer
}

/// A request that hits what seeds allow.
fn scenario() -> Scenario {
    let server = ResourceId::new("https://tools.example.com").unwrap();
    let alice = PrincipalId::new(IssuerId::new("https://sts.example.com").unwrap(), "alice");
    let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse().unwrap();
    Scenario::new(server, lawyer, alice, "motions:file").on("case", "2026-17")
}

/// What is read can be asked, and keeps its word.
fn check_read(rules: &Rules) {
    let scenario = scenario();
    let decision = wait(rules.decide(&scenario.request())).unwrap();
    assert!(!decision.reasons().is_empty());
    match rules.preview(&scenario.preview()) {
        Preview::Never => assert_eq!(decision.effect(), Effect::Deny),
        Preview::Always => assert_eq!(decision.effect(), Effect::Allow),
        _ => {}
    }
}

/// What is not read is a problem of each place, which can be shown.
fn check_refused(problems: &Problems, text: &str) {
    assert!(!problems.is_empty());
    for problem in problems.iter() {
        assert!(!problem.code.is_empty() && !problem.text.is_empty(), "{problem:?}");
        let place = problem.place.as_ref().unwrap();
        let line = text.split('\n').nth(place.line - 1).unwrap();
        // What would drive a terminal is shown as something else, character by character.
        assert!(place.source.chars().count() <= line.chars().count(), "{problem:?}");
        assert!(!problem.to_string().chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{problem:?}");
        assert!(place.column <= line.chars().count() + 1, "{problem:?}");
    }
    assert!(problems.to_string().len() < 300_000);
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for rules in [Rules::from_toml("rules.toml", text), Rules::from_json("rules.json", text)] {
        match rules {
            Ok(rules) => check_read(&rules),
            Err(problems) => check_refused(&problems, text),
        }
    }
    // A general parser agrees that it is JSON.
    if Rules::from_json("rules.json", text).is_ok() {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    }
});
