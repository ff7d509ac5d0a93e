#![doc = include_str!("lib.md")]

mod agentauth;
pub mod approval;
pub mod audit;
pub mod binding;
pub mod delegation;
mod digest;
mod disk;
mod evidence;
pub mod identity;
pub mod jose;
pub mod policy;
mod random;
mod rejection;
pub mod reload;
pub mod scope;
pub mod state;
mod text;
mod time;
pub mod token;
mod token_service;
mod trace;

pub use agentauth::{
    Admitted, AgentAuth, AgentAuthBuilder, Approvals, Authentication, Caller, ConfigError, DecisionPoint, DelegateTo,
    EvaluationError, MAX_PERMIT_AGE, Permit, Recorded, RevocationFailure,
};
pub use binding::Binding;
pub use delegation::outbound::{Delegator, NextHop, OutboundError, OutboundToken};
pub use delegation::{ActorBinding, AgentTrust, Delegation, Issuer, Mode, SubjectToken};
pub use evidence::{Evidence, RequestError};
pub use identity::{
    AgentId, IssuerId, NameError, Peer, PeerProof, PrincipalId, PrincipalKind, ResourceId, SpiffeId, SpiffeIdError,
    SpiffePattern, SpiffePatternError, TrustDomain, TrustDomainAliases,
};
pub use policy::{Action, Arguments, AuthzRequest, Decision, PolicyEngine};
pub use random::{Random, RandomUnavailable, SystemRandom};
pub use rejection::{Refusal, Rejection};
pub use scope::{Authority, Constraint, Grant, Scope, ScopeError, ScopeImplications, ScopeSet};
pub use text::Excerpt;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::TrustedIssuer;
pub use token_service::{TokenRefusal, TokenService};
pub use trace::{TRACEPARENT, TRACESTATE, TraceContext, TraceError};
