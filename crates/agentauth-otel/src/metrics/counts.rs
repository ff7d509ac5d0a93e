//! From records to counts.

use std::collections::HashSet;
use std::sync::Arc;

use agentauth_core::Mode;
use agentauth_core::audit::{Record, RecordKind};
use agentauth_core::binding::Binding;
use agentauth_core::policy::Effect;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{KeyValue, StringValue};

use super::observe::Observers;
use super::waiting::Waiting;
use super::{MAX_POLICIES, MAX_REASONS};
use crate::known::Known;
use crate::names::{self, Metric, NONE, OTHER, label};

/// Bounds of [`names::DECISION_DURATION`], in seconds: from policies in memory to a decision point elsewhere.
const DECISION_BOUNDS: [f64; 12] =
    [0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.025, 0.1, 0.5, 2.5];

/// Bounds of [`names::AUDIT_WRITE_DURATION`], in seconds: from a fast disk to one that hangs.
const WRITE_BOUNDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, 5.0];

/// Bounds of [`names::APPROVALS_WAIT`], in seconds: from somebody who sits there to a week.
const APPROVAL_BOUNDS: [f64; 8] = [10.0, 60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0, 604_800.0];

/// Bounds of [`names::DELEGATION_DEPTH`].
const DEPTH_BOUNDS: [f64; 7] = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0];

pub(super) struct Counts {
    actions: HashSet<Arc<str>>,
    engine: Arc<str>,
    reasons: Known,
    policies: Known,
    observers: Arc<Observers>,
    authn_requests: Counter<u64>,
    decisions: Counter<u64>,
    decision_duration: Histogram<f64>,
    outcomes: Counter<u64>,
    policy_errors: Counter<u64>,
    policy_reloads: Counter<u64>,
    shadow_flips: Counter<u64>,
    delegation_depth: Histogram<u64>,
    approvals: Counter<u64>,
    approvals_wait: Histogram<f64>,
    waiting: Waiting,
    budget_denied: Counter<u64>,
    audit_records: Counter<u64>,
    pub(super) write_duration: Histogram<f64>,
    pub(super) replay_checks: Counter<u64>,
}

impl Counts {
    pub(super) fn new(meter: &Meter, actions: HashSet<Arc<str>>, engine: Arc<str>, observers: &Arc<Observers>) -> Self {
        let counter = |metric: Metric| {
            meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.about).build()
        };
        let seconds = |metric: Metric, bounds: &[f64]| {
            let histogram = meter.f64_histogram(metric.name).with_unit(metric.unit);
            histogram.with_description(metric.about).with_boundaries(bounds.to_vec()).build()
        };
        let depth = names::DELEGATION_DEPTH;
        Self {
            actions,
            engine,
            reasons: Known::first(MAX_REASONS),
            policies: Known::first(MAX_POLICIES),
            observers: Arc::clone(observers),
            authn_requests: counter(names::AUTHN_REQUESTS),
            decisions: counter(names::DECISIONS),
            decision_duration: seconds(names::DECISION_DURATION, &DECISION_BOUNDS),
            outcomes: counter(names::OUTCOMES),
            policy_errors: counter(names::POLICY_ERRORS),
            policy_reloads: counter(names::POLICY_RELOADS),
            shadow_flips: counter(names::SHADOW_FLIPS),
            delegation_depth: meter
                .u64_histogram(depth.name)
                .with_unit(depth.unit)
                .with_description(depth.about)
                .with_boundaries(DEPTH_BOUNDS.to_vec())
                .build(),
            approvals: counter(names::APPROVALS),
            approvals_wait: seconds(names::APPROVALS_WAIT, &APPROVAL_BOUNDS),
            waiting: Waiting::default(),
            budget_denied: counter(names::BUDGET_DENIED),
            audit_records: counter(names::AUDIT_RECORDS),
            write_duration: seconds(names::AUDIT_WRITE_DURATION, &WRITE_BOUNDS),
            replay_checks: counter(names::REPLAY_CHECKS),
        }
    }

    pub(super) fn count(&self, record: &Record) {
        self.audit_records.add(1, &[KeyValue::new(label::KIND, kind(record.kind))]);
        match record.kind {
            RecordKind::Authentication => self.authenticated(record),
            RecordKind::Decision => self.decided(record),
            RecordKind::Outcome => {
                let result = KeyValue::new(label::RESULT, self.reasons.label(record.code));
                self.outcomes.add(1, &[self.action_class(record), result]);
            }
            RecordKind::Approval => self.approved(record),
            RecordKind::PolicyReload => self.reloaded(record),
            _ => {}
        }
    }

    fn authenticated(&self, record: &Record) {
        let method = record.delegation.as_ref().map_or(NONE, |delegation| method(delegation.binding));
        let (method, result) =
            (KeyValue::new(label::METHOD, method), KeyValue::new(label::RESULT, effect(record.effect)));
        match record.effect {
            Effect::Allow => self.authn_requests.add(1, &[method, result]),
            Effect::Deny => {
                let error = KeyValue::new(label::ERROR_TYPE, self.reasons.label(record.code));
                self.authn_requests.add(1, &[method, result, error]);
            }
        }
        if let (Effect::Allow, Some(delegation)) = (record.effect, &record.delegation) {
            self.delegation_depth.record(u64::try_from(delegation.depth).unwrap_or(u64::MAX), &[]);
        }
    }

    fn decided(&self, record: &Record) {
        let asked = record.question.as_ref().map(|question| question.mode);
        let mode = asked.or_else(|| record.delegation.as_ref().map(|delegation| delegation.mode)).map_or(NONE, mode);
        let engine: StringValue = match record.policy_version {
            Some(_) => Arc::clone(&self.engine).into(),
            None => NONE.into(),
        };
        self.decisions.add(
            1,
            &[
                self.action_class(record),
                KeyValue::new(label::EFFECT, effect(record.effect)),
                KeyValue::new(label::REASON, self.reasons.label(record.code)),
                KeyValue::new(label::ENGINE, engine),
                KeyValue::new(label::MODE, mode),
            ],
        );
        if let ("approval_required", Some(approval)) = (record.code, &record.approval) {
            self.waiting.asked(&approval.id, record.time);
        }
        if let Some(limit) = limit(record.code) {
            self.budget_denied.add(1, &[KeyValue::new(label::LIMIT, limit)]);
        }
        for fault in &record.policy_errors {
            let policy = fault.policy.as_deref().map_or_else(|| NONE.into(), |policy| self.policies.label(policy));
            self.policy_errors.add(1, &[KeyValue::new(label::POLICY, policy)]);
        }
        for flip in &record.would_flip {
            let policy = KeyValue::new(label::POLICY, self.policies.label(&flip.policy));
            self.shadow_flips.add(1, &[policy, KeyValue::new(label::TO, effect(flip.to))]);
        }
        if let Some(version) = &record.policy_version {
            self.observers.answered(version);
        }
        if let Some(took) = record.took_micros {
            self.decision_duration.record(seconds(took), &[KeyValue::new(label::EFFECT, effect(record.effect))]);
        }
    }

    fn approved(&self, record: &Record) {
        let result = [KeyValue::new(label::RESULT, self.reasons.label(record.code))];
        self.approvals.add(1, &result);
        // Who may not approve has answered nothing.
        let is_answer = matches!(record.code, "approved" | "denied");
        let approval = record.approval.as_ref().filter(|_| is_answer);
        if let Some(waited) = approval.and_then(|approval| self.waiting.answered(&approval.id, record.time)) {
            self.approvals_wait.record(waited.as_secs_f64(), &result);
        }
    }

    fn reloaded(&self, record: &Record) {
        self.policy_reloads.add(1, &[KeyValue::new(label::RESULT, self.reasons.label(record.code))]);
        let after = record.policy_reload.as_ref().and_then(|reload| reload.after.as_ref());
        if let (Effect::Allow, Some(after)) = (record.effect, after) {
            self.observers.answered(after);
            self.observers.reloaded(seconds(record.time.micros()));
        }
    }

    fn action_class(&self, record: &Record) -> KeyValue {
        let known = record.action.as_ref().and_then(|action| self.actions.get(&*action.name));
        let class: StringValue = known.map_or_else(|| OTHER.into(), |known| Arc::clone(known).into());
        KeyValue::new(label::ACTION_CLASS, class)
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds are exact in a double for 285 years, as those since 1970 are"
)]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

pub(crate) const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}

pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Autonomous => "autonomous",
        Mode::OnBehalfOf => "on_behalf_of",
        Mode::Impersonation => "impersonation",
        Mode::AgentAccount => "agent_account",
        Mode::ClientOnly => "client_only",
        _ => OTHER,
    }
}

const fn method(binding: Binding) -> &'static str {
    match binding {
        Binding::Bearer => "bearer",
        Binding::MutualTls => "mutual_tls",
        Binding::Dpop => "dpop",
        _ => OTHER,
    }
}

const fn kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Authentication => "authentication",
        RecordKind::Decision => "decision",
        RecordKind::Outcome => "outcome",
        RecordKind::Issuance => "issuance",
        RecordKind::Approval => "approval",
        RecordKind::Revocation => "revocation",
        RecordKind::PolicyReload => "policy_reload",
        _ => OTHER,
    }
}

/// Which kind of limit was reached, by the code of that.
fn limit(code: &str) -> Option<&'static str> {
    match code {
        "rate_exceeded" => Some("rate"),
        "concurrency_exceeded" => Some("concurrency"),
        "budget_exceeded" => Some("budget"),
        _ => None,
    }
}
