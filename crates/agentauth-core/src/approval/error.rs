use std::sync::Arc;

use crate::audit::AuditError;
use crate::random::RandomUnavailable;

/// Why an action that needs a human's approval was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalRefusal {
    /// Nobody has approved it yet.
    #[error("a human must approve this first, which request `{id}` waits for")]
    Required {
        /// The request.
        id: Arc<str>,
    },
    /// The time in which it had to be approved and done is over, and a new request was made.
    #[error("the approval of this, or the request for it, has expired; request `{id}` waits for a new one")]
    Expired {
        /// The new request.
        id: Arc<str>,
    },
    /// It was asked for under other policies than those in force, and a new request was made.
    #[error("the policies have changed since this was asked for; request `{id}` waits for a new approval")]
    StalePolicy {
        /// The new request.
        id: Arc<str>,
    },
    /// A human has denied it.
    #[error("a human has denied this in request `{id}`, and is not asked again before that has ended")]
    Denied {
        /// The request.
        id: Arc<str>,
    },
    /// It was approved for one use, and has been done.
    #[error(
        "the approval in request `{id}` was used already; the very same can be asked for again once that has ended"
    )]
    Used {
        /// The request.
        id: Arc<str>,
    },
    /// Nobody could judge so much.
    #[error("the arguments are longer than 16384 bytes, which is more than a human can be asked to approve")]
    Oversize,
    /// This agent has asked for as much as it may.
    #[error("this agent has asked for as many approvals as the store keeps of one agent; wait until some have ended")]
    TooMany,
    /// The store has no room.
    #[error("the store of approvals is full; give it more room, or let requests end sooner")]
    Full,
    /// The store cannot be asked.
    #[error("the store of approvals cannot be asked")]
    Unavailable,
    /// There is no store.
    #[error("the policy wants a human's approval, and no store of approvals is configured: call .approvals(...)")]
    NotConfigured,
}

impl ApprovalRefusal {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Required { .. } => "approval_required",
            Self::Expired { .. } => "approval_expired",
            Self::StalePolicy { .. } => "approval_stale_policy",
            Self::Denied { .. } => "approval_denied",
            Self::Used { .. } => "approval_used",
            Self::Oversize => "approval_oversize",
            Self::TooMany => "approval_too_many",
            Self::Full => "approvals_full",
            Self::Unavailable => "approvals_unavailable",
            Self::NotConfigured => "approvals_none",
        }
    }

    /// The request that the refusal is about.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Required { id }
            | Self::Expired { id }
            | Self::StalePolicy { id }
            | Self::Denied { id }
            | Self::Used { id } => Some(id),
            _ => None,
        }
    }
}

/// Why a human's decision was not taken, or a request cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is no such request at this server.
    #[error("there is no such request for approval here; it may have ended, and agents ask anew by trying again")]
    Unknown,
    /// It has been decided, or has been used.
    #[error("the request has been decided already")]
    Decided,
    /// It is over.
    #[error("the request has expired; the agent asks anew by trying again")]
    Expired,
    /// The approver is the agent that asks, or another agent.
    #[error("the approver is an agent; what an agent asks for is approved by a human")]
    ApproverIsAgent,
    /// The approver has no name that could be recorded.
    #[error("the approver's name is empty, longer than 2048 bytes, or has control characters")]
    ApproverMalformed,
    /// What the store has is not what was asked.
    #[error("the request in the store of approvals is not the one that was asked: it was changed there")]
    Corrupt,
    /// The store cannot be asked.
    #[error("the store of approvals cannot be asked")]
    Unavailable,
    /// The record could not be kept. An approval does not count then, and a denial does.
    #[error("the human's decision could not be recorded: {0}")]
    Audit(#[from] AuditError),
    /// No identifier for the record could be made.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl ApprovalError {
    /// The stable machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "approval_unknown",
            Self::Decided => "approval_decided",
            Self::Expired => "approval_expired",
            Self::ApproverIsAgent => "approver_is_agent",
            Self::ApproverMalformed => "approver_malformed",
            Self::Corrupt => "approval_corrupt",
            Self::Unavailable => "approvals_unavailable",
            Self::Audit(_) => "audit_unavailable",
            Self::Random(_) => "random_unavailable",
        }
    }
}
