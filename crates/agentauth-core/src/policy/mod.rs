//! Is it permitted? The action, the decision, and the engines that make it.

mod action;
mod arguments;
mod decision;
mod engine;
mod finite;
mod limit;
mod nearest;
mod obligation;
mod pattern;
mod rules;

pub use action::{Action, Resource};
pub use arguments::{Arguments, ArgumentsError, MAX_ARGUMENT_BYTES};
pub use decision::{Decision, Effect, Reason, ReasonKind};
pub(crate) use engine::NoPolicy;
pub use engine::{AuthzRequest, PolicyEngine, PolicyError};
pub use limit::Limit;
pub use obligation::{ApprovalTerms, MAX_APPROVAL_LIFETIME, Obligation};
pub use pattern::{Agents, Principals, Resources};
pub use rules::{Rule, Rules, RulesError};
