//! The OpenID AuthZEN Authorization API 1.0: what a policy enforcement point asks a decision point, and how it is answered.
//!
//! This is the wire form, and what it means here. A server that asks a decision point elsewhere has `AuthzenEngine` of
//! `agentauth-tower` as its engine; a process that answers others is a [`DecisionPoint`](crate::DecisionPoint), served by
//! `authzen_pdp` of `agentauth-axum`.
//!
//! | what policy is asked | in the request |
//! |---|---|
//! | on whose behalf | `subject`: `type` is `user`, `client` or `account`, `id` is the issuer's name for it, `properties` has `issuer` and `tenant` |
//! | the action | `action.name` |
//! | its arguments | `action.properties`, as they are (§5.3.1); left out if there are none |
//! | what it is done to | `resource`: `type` is the kind, `id` the name; for no resource, `server` and the server's identifier |
//! | who acts | `context.agent`: `type` is `spiffe` (and `id` the SPIFFE ID) or `named` (and `properties.issuer` says by whom) |
//! | who has passed the authority on offline | `context.holders`, each as an agent |
//! | in what capacity, by whose word | `context.delegation`: `mode`, `depth`, `issuer` |
//! | what was delegated | `context.delegation.scope` and `authorization_details` (RFC 9396) |
//! | the server | `context.server` |
//! | when | `context.time` (RFC 3339), which a decision point here does not believe: it has a clock |
//!
//! | what is decided | in the answer |
//! |---|---|
//! | allow or deny | `decision` |
//! | for which reasons | `context.reasons`: `code`, `policy`, `text`, `public`; and the first in `reason_admin` and `reason_user`, by its code |
//! | on which conditions | `context.obligations` (obligations profile): `type` is `custom`, `properties` has `obligation` and `terms` |
//! | of which version of the policies | `context.policy_version` |
//! | under which id it is on record | `context.evaluation_id` |
//!
//! Members that are not known are ignored, as the standard demands (§10.1.1). What is known must have its type, and no member may
//! stand twice.

mod answer;
mod error;
mod evaluations;
mod members;
mod metadata;
mod question;
mod request;
mod response;
mod stated;

pub use error::AuthzenError;
pub use evaluations::{EvaluationsRequest, EvaluationsResponse, Semantic};
pub use metadata::PdpMetadata;
pub use request::{EvaluationRequest, StatedAction, StatedEntity};
pub use response::EvaluationResponse;
pub use stated::Unstated;

/// The longest request about one action, in bytes: the longest arguments, escaped, with the names around them.
pub const MAX_EVALUATION_BYTES: usize = 160 * 1024;

/// The longest request about several actions, in bytes: 256 of 1 KiB. What is read of it can take 80 times as much memory.
pub const MAX_EVALUATIONS_BYTES: usize = 256 * 1024;

/// Questions in one request: a server has fewer tools, and each is a decision and a record.
pub const MAX_EVALUATIONS: usize = 256;

/// The longest answer to one question, in bytes: a decision, its reasons and its conditions.
pub const MAX_DECISION_BYTES: usize = 64 * 1024;

/// The longest answer to several questions, in bytes: 256 of 2 KiB.
pub const MAX_DECISIONS_BYTES: usize = 512 * 1024;

/// Conditions of one decision: each has to be met, and more than a few is a mistake.
pub const MAX_OBLIGATIONS: usize = 16;

/// Reasons that are read of one decision; more tell nobody anything.
const MAX_REASONS: usize = 16;

/// Levels of a request or an answer: as deep as anything that is read here.
const MAX_LEVELS: u8 = 32;
