//! Is it permitted? The action, the decision, and the engines that make it.

mod action;
mod arguments;
pub mod authzen;
mod bundle;
mod cases;
mod decision;
mod engine;
mod finite;
mod limit;
mod obligation;
mod pattern;
mod preview;
mod problem;
mod quota;
mod quota_refusal;
mod rules;
mod scenario;
mod suggest;

pub use action::{Action, Resource};
pub use arguments::{Arguments, ArgumentsError, MAX_ARGUMENT_BYTES};
pub use bundle::{BundleError, BundleFile, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, PolicyBundle, PolicyFile};
pub use cases::{CASES_SUFFIX, Case, CaseOutcome, CaseReport, Cases, Difference, MAX_CASE_FILE_BYTES, MAX_CASES};
pub use decision::{Decision, Effect, MAX_PUBLIC_TEXT_BYTES, PolicyFault, Reason, ReasonKind, WouldFlip};
pub(crate) use engine::NoPolicy;
pub use engine::{AuthzRequest, CallerFacts, PolicyEngine, PolicyError};
pub use limit::Limit;
pub use obligation::{ApprovalTerms, MAX_APPROVAL_LIFETIME, Obligation, ObligationError};
pub use pattern::{Agents, Principals, Resources};
pub use preview::{Preview, PreviewRequest, PreviewResource};
pub use problem::{MAX_PROBLEMS, Place, Problem, Problems};
pub(crate) use quota::Counter;
pub use quota::{BudgetTerms, ConcurrencyTerms, DEFAULT_HOLD, MAX_CONCURRENCY, MAX_HOLD, MAX_LIMIT_PERIOD, RateTerms};
pub use quota_refusal::LimitRefusal;
pub use rules::{MAX_RULES_BYTES, Rule, Rules, RulesError};
pub use scenario::Scenario;
