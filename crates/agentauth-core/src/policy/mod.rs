//! Is it permitted? The action, the decision, and the engines that make it.

mod action;
mod arguments;
pub mod authzen;
mod decision;
mod engine;
mod engines;
mod finite;
mod flips;
mod limit;
mod nearest;
mod obligation;
mod pattern;
mod preview;
mod problem;
mod prospect;
mod rules;
mod scenario;

pub use action::{Action, Resource};
pub use arguments::{Arguments, ArgumentsError, MAX_ARGUMENT_BYTES};
pub use decision::{Decision, Effect, MAX_PUBLIC_TEXT_BYTES, PolicyFault, Reason, ReasonKind, WouldFlip};
pub(crate) use engine::NoPolicy;
pub use engine::{AuthzRequest, CallerFacts, PolicyEngine, PolicyError};
pub use engines::Engines;
pub(crate) use flips::FlipCounts;
pub use flips::{FlipCount, MAX_FLIP_NAMES};
pub use limit::Limit;
pub use obligation::{ApprovalTerms, MAX_APPROVAL_LIFETIME, Obligation, ObligationError};
pub use pattern::{Agents, Principals, Resources};
pub use preview::{MAX_RESIDUAL_BYTES, Preview, PreviewRequest, PreviewResource};
pub use problem::{MAX_PROBLEMS, Place, Problem, Problems};
pub use prospect::Prospect;
pub use rules::{Rule, Rules, RulesError};
pub use scenario::Scenario;
