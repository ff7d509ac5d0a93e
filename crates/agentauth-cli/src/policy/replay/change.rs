//! What other policies answer to what was decided.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agentauth_cedar::CedarPolicies;
use agentauth_core::audit::RecordedDecision;
use agentauth_core::policy::{Effect, Preview};
use agentauth_core::{Decision, PolicyEngine as _};
use serde::Serialize;

/// How the answer to one decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Same,
    NowDenied,
    NowAllowed,
    /// Allowed before and after, on other conditions.
    OtherConditions,
    /// It depends on arguments that are not on record.
    Undetermined,
}

/// The answer, and how it differs.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) change: Change,
    /// Why: the code of a denial, and the policy that decided.
    pub(super) ground: String,
    /// Without arguments, supposing that they are of the types in the schema.
    pub(super) supposed: bool,
}

/// What `policies` answer to `recorded`.
pub(super) fn of(policies: &CedarPolicies, recorded: &RecordedDecision) -> Outcome {
    if recorded.has_arguments {
        return match at_once(policies.decide(&recorded.scenario.request())) {
            Some(Ok(decision)) => decided(recorded, &decision),
            _ => compared(recorded, Effect::Deny, &[], "policy_failed".into()),
        };
    }
    match policies.preview(&recorded.scenario.preview()) {
        Preview::Never => compared(recorded, Effect::Deny, &[], "whatever the arguments are".into()),
        Preview::Always => Outcome { supposed: true, ..compared(recorded, Effect::Allow, &[], String::new()) },
        _ => Outcome { change: Change::Undetermined, ground: String::new(), supposed: false },
    }
}

fn decided(recorded: &RecordedDecision, decision: &Decision) -> Outcome {
    let obligations: Vec<_> = decision.obligations().iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    let first = decision.reasons().first();
    let policy = first.and_then(|reason| reason.policy()).map(|id| format!("by {id}"));
    let code = first.filter(|_| decision.effect() == Effect::Deny).map(|reason| reason.kind().code().to_owned());
    let ground: Vec<String> = code.into_iter().chain(policy).collect();
    compared(recorded, decision.effect(), &obligations, ground.join(" "))
}

fn compared(recorded: &RecordedDecision, now: Effect, obligations: &[serde_json::Value], ground: String) -> Outcome {
    let change = match (recorded.effect, now) {
        (Effect::Allow, Effect::Deny) => Change::NowDenied,
        (Effect::Deny, Effect::Allow) => Change::NowAllowed,
        (Effect::Allow, Effect::Allow) if sorted(&recorded.obligations) != sorted(obligations) => {
            Change::OtherConditions
        }
        _ => Change::Same,
    };
    Outcome { change, ground, supposed: false }
}

fn sorted(obligations: &[serde_json::Value]) -> Vec<String> {
    let mut all: Vec<String> = obligations.iter().map(ToString::to_string).collect();
    all.sort();
    all.dedup();
    all
}

/// The answer of what waits for nothing: policies in this process ask nobody.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
