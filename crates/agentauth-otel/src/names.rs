//! Every name that is emitted, and nothing that is not: metrics, their labels, the attributes of spans, and what stands in
//! [`tracing`] events.
//!
//! **Ours** (`agentauth.*`) are part of the interface as the codes of refusals are: one that is renamed or removed is a breaking
//! change, one that is added is not. **OpenTelemetry's** (`gen_ai.*`) are in development there and move without notice, so
//! [`Semconv`] says which of their versions is spoken; `error.type` alone is stable. No convention has names for
//! decisions about authorization.
//!
//! Agents, principals, subjects, token ids, grants, resources and arguments are never labels of a metric. All that a label can
//! hold is closed or bounded: see [`Metrics`](crate::Metrics).

/// Raised when a name of ours changes what it means.
pub const VERSION: u32 = 1;

/// The instrumentation scope of all metrics and spans.
pub const SCOPE: &str = "agentauth";

/// Which version of OpenTelemetry's names for generative AI is spoken on spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Semconv {
    /// Up to 1.41, in the general conventions: the agent is `gen_ai.agent.id`.
    V1_41,
    /// `semantic-conventions-genai` 0.1.0. It took `gen_ai.agent.id` from spans inside of a process, so the agent has our own
    /// name, `agentauth.agent.id`.
    #[default]
    GenAi0_1,
}

impl Semconv {
    /// The attribute with the agent that acts, as it was verified.
    #[must_use]
    pub const fn agent_id(self) -> &'static str {
        match self {
            Self::V1_41 => "gen_ai.agent.id",
            Self::GenAi0_1 => "agentauth.agent.id",
        }
    }

    /// The attribute with what is done: always `execute_tool`.
    #[must_use]
    pub const fn operation_name(self) -> &'static str {
        "gen_ai.operation.name"
    }

    /// The attribute with the name of the action.
    #[must_use]
    pub const fn tool_name(self) -> &'static str {
        "gen_ai.tool.name"
    }
}

/// The value of [`Semconv::operation_name`].
pub const EXECUTE_TOOL: &str = "execute_tool";

/// Attributes of spans, and the names of what they are.
pub mod attribute {
    /// `allow` or `deny`.
    pub const DECISION: &str = "agentauth.decision";
    /// The code of the answer.
    pub const REASON: &str = "agentauth.reason";
    /// The id under which the decision stands in the record.
    pub const EVALUATION_ID: &str = "agentauth.evaluation_id";
    /// The id under which the verification of the caller stands in the record.
    pub const AUTHENTICATION_ID: &str = "agentauth.authentication_id";
    /// In what capacity the agent acts.
    pub const MODE: &str = "agentauth.mode";
    /// Which version of the policies answered.
    pub const POLICY_VERSION: &str = "agentauth.policy.version";
    /// How many agents the authority has passed through.
    pub const DELEGATION_DEPTH: &str = "agentauth.delegation.depth";
    /// The code of a refusal. Stable in OpenTelemetry.
    pub const ERROR_TYPE: &str = "error.type";

    /// All of them but the three that [`Semconv`](super::Semconv) names.
    pub const ALL: [&str; 8] =
        [DECISION, REASON, EVALUATION_ID, AUTHENTICATION_ID, MODE, POLICY_VERSION, DELEGATION_DEPTH, ERROR_TYPE];
}

/// The event of a decision beyond the first on one span.
pub const DECISION_EVENT: &str = "agentauth.decision";

/// The span, at level `DEBUG`, in which a policy decision point elsewhere is asked.
pub const AUTHORIZE_SPAN: &str = "agentauth.authorize";

/// What [`TracingSink`](agentauth_core::audit::TracingSink) writes.
pub mod event {
    /// Its target.
    pub const TARGET: &str = "agentauth::audit";
    /// Its fields. `agent` and `principal` are names of people and programs: filter the target where these must not go.
    pub const FIELDS: [&str; 7] = ["kind", "evaluation_id", "code", "agent", "principal", "action", "why"];
}

/// The value of a label in place of one that is not known here.
pub const OTHER: &str = "_other";

/// The value of a label where there is nothing to say.
pub const NONE: &str = "none";

/// Labels of metrics.
pub mod label {
    /// `allow` or `deny`.
    pub const EFFECT: &str = "effect";
    /// A code of ours.
    pub const REASON: &str = "reason";
    /// A registered action.
    pub const ACTION_CLASS: &str = "action_class";
    /// What the policies are, as this server calls it; `none` where they were not asked.
    pub const ENGINE: &str = "engine";
    /// In what capacity the agent acts.
    pub const MODE: &str = "mode";
    /// How the presenter was tied to the token; `none` where nobody was verified.
    pub const METHOD: &str = "method";
    /// What came of it.
    pub const RESULT: &str = "result";
    /// The code of a refusal.
    pub const ERROR_TYPE: &str = "error.type";
    /// A policy, or an engine in shadow mode.
    pub const POLICY: &str = "policy";
    /// What would have been answered.
    pub const TO: &str = "to";
    /// A version of the policies.
    pub const VERSION: &str = "version";
    /// Which kind of limit.
    pub const LIMIT: &str = "limit";
    /// The kind of a record.
    pub const KIND: &str = "kind";
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in OpenTelemetry.
    pub name: &'static str,
    /// What it does.
    pub kind: MetricKind,
    /// Its unit, in UCUM: `s`, or what is counted in braces.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub about: &'static str,
}

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often a value was in which range.
    Histogram,
}

impl Metric {
    /// Its name in Prometheus, without the `_bucket`, `_sum` and `_count` of histograms.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut name = self.name.replace('.', "_");
        if self.unit == "s" {
            name.push_str("_seconds");
        }
        if self.kind == MetricKind::Counter {
            name.push_str("_total");
        }
        name
    }
}

macro_rules! metrics {
    ($($ident:ident = $kind:ident $name:literal $unit:literal [$($label:ident),*] $about:literal;)*) => {
        $(
            #[doc = $about]
            pub const $ident: Metric = Metric {
                name: $name, kind: MetricKind::$kind, unit: $unit, labels: &[$(label::$label),*], about: $about,
            };
        )*

        /// Every metric.
        pub const METRICS: &[Metric] = &[$($ident),*];
    };
}

metrics! {
    AUTHN_REQUESTS = Counter "agentauth.authn.requests" "{request}" [METHOD, RESULT, ERROR_TYPE]
        "Callers that were verified or refused.";
    DECISIONS = Counter "agentauth.decisions" "{decision}" [ACTION_CLASS, EFFECT, REASON, ENGINE, MODE]
        "Actions that were permitted or refused. One whose record could not be kept counts twice: as decided, and as refused for that.";
    DECISION_DURATION = Histogram "agentauth.decision.duration" "s" [EFFECT]
        "How long a decision took, without the wait for its record.";
    OUTCOMES = Counter "agentauth.outcomes" "{outcome}" [ACTION_CLASS, RESULT]
        "Permitted actions: succeeded, failed, abandoned, expired, or never run.";
    POLICY_ERRORS = Counter "agentauth.policy.errors" "{error}" [POLICY]
        "Policies that could not be evaluated.";
    POLICY_RELOADS = Counter "agentauth.policy.reloads" "{reload}" [RESULT]
        "Newer policies that came into force, or were kept out, by the code of that.";
    POLICY_LAST_SUCCESS = Gauge "agentauth.policy.last_success_timestamp" "s" []
        "When policies last came into force, in seconds since 1970.";
    POLICY_INFO = Gauge "agentauth.policy.info" "" [VERSION]
        "1, for the version of the policies that answered last.";
    SHADOW_FLIPS = Counter "agentauth.shadow.flips" "{flip}" [POLICY, TO]
        "Decisions that what only rehearses would have changed.";
    DELEGATION_DEPTH = Histogram "agentauth.delegation.depth" "{agent}" []
        "Through how many agents the authority of a verified caller has passed.";
    APPROVALS = Counter "agentauth.approvals" "{approval}" [RESULT]
        "What humans answered when an action needed their approval.";
    APPROVALS_WAIT = Histogram "agentauth.approvals.wait.duration" "s" [RESULT]
        "How long a human took to answer, of what was asked for and answered in this process.";
    BUDGET_DENIED = Counter "agentauth.budget.denied" "{decision}" [LIMIT]
        "Actions that were refused since a limit of rate, concurrency or budget was reached.";
    AUDIT_RECORDS = Counter "agentauth.audit.records" "{record}" [KIND]
        "Records that were made.";
    AUDIT_WRITE_DURATION = Histogram "agentauth.audit.write.duration" "s" [RESULT]
        "How long an answer waited for its record.";
    AUDIT_QUEUE_DEPTH = Gauge "agentauth.audit.queue.depth" "{record}" []
        "Records that wait for the disk.";
    AUDIT_DROPPED = Counter "agentauth.audit.dropped" "{record}" []
        "Records that were given up, and are counted in the log as a gap.";
    AUDIT_UNANCHORED = Gauge "agentauth.audit.unanchored_records" "{record}" []
        "Records that no anchor outside of the log knows yet.";
    AUDIT_CHAIN_OK = Gauge "agentauth.audit.chain_ok" "" []
        "1 while the log can be written, 0 once it has stopped.";
    AUDIT_DISK_WRITES = Counter "agentauth.audit.disk.writes" "{write}" []
        "Writes to the disk, each of a group of records, with its `fdatasync`.";
    AUDIT_DISK_TIME = Counter "agentauth.audit.disk.time" "s" []
        "How long they took, together.";
    REPLAY_CHECKS = Counter "agentauth.replay.checks" "{check}" [RESULT]
        "Proofs that were looked up, so that none is used twice.";
    REVOCATION_STALENESS = Gauge "agentauth.revocation.staleness" "s" []
        "How old what is known of revocations may be.";
    JWKS_REFRESH = Counter "agentauth.jwks.refresh" "{refresh}" [RESULT]
        "Attempts to fetch the keys of issuers.";
}
