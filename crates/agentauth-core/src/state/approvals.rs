use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::time::Timestamp;

/// The largest [`AskedApproval::payload`]: 16 KiB of arguments, each byte of which may be escaped, and the names.
pub const MAX_APPROVAL_PAYLOAD_BYTES: usize = 64 * 1024;

/// Remembers what a human is asked to approve, and what the human said.
///
/// It compares digests, and never reads what they were made of: see [`approval`](crate::approval) for what they stand for.
/// Each method is one step: nothing else happens to the same act between its reading and its writing. A store that is
/// elsewhere must bound its waits. What it cannot do it answers as unavailable, which refuses the action.
#[async_trait]
pub trait ApprovalStore: Send + Sync + fmt::Debug {
    /// Uses up the approval of `asked.act`, if there is one; else says how it stands. By what is known of that act:
    ///
    /// | known | then | answer |
    /// |---|---|---|
    /// | nothing, or a denied or used one that is over | `asked` is kept, pending | [`ApprovalStanding::Pending`] |
    /// | pending or approved, and over | `asked` takes its place, pending | [`ApprovalStanding::Expired`] |
    /// | denied | | [`ApprovalStanding::Denied`] |
    /// | used | | [`ApprovalStanding::Used`] |
    /// | pending or approved, of another `policy` | `asked` takes its place, pending | [`ApprovalStanding::OtherPolicy`] |
    /// | pending | | [`ApprovalStanding::Pending`] |
    /// | approved | it is used from now on | [`ApprovalStanding::Approved`] |
    ///
    /// A request is over from its `expires` on. Where there is no room for `asked`, nothing that is not over makes room.
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding;

    /// Takes what a human says about the request `id`: an approval of one that is pending, or a denial of one that is
    /// pending, or approved and not used yet. `by` is the human, as an opaque text.
    async fn decide(&self, id: &str, verdict: ApprovalVerdict, by: &str, now: Timestamp) -> VerdictAnswer;

    /// The request `id`, however it stands, if it is still known.
    ///
    /// # Errors
    /// [`ApprovalsUnavailable`].
    async fn find(&self, id: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable>;

    /// The requests of `server` that are pending and not over, those that end first at the front, at most `limit`. Where there
    /// are more, no agent should be able to keep those of others from being listed.
    ///
    /// # Errors
    /// [`ApprovalsUnavailable`].
    async fn pending(
        &self,
        server: &[u8; 32],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredApproval>, ApprovalsUnavailable>;
}

/// A request for approval, as a store keeps it.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "four digests that are told apart by their names alone")]
pub struct AskedApproval {
    /// Its name: 32 hexadecimal digits.
    pub id: Arc<str>,
    /// The digest of what is to be done, by whom and for whom: the same act has the same digest.
    pub act: [u8; 32],
    /// The digest of the agent whose share of the store it takes: the one that asks, or the one to which the issuer
    /// delegated, where that has passed it on without it.
    pub agent: [u8; 32],
    /// The digest of the server where it asks.
    pub server: [u8; 32],
    /// The digest of the version of the policies that want it approved.
    pub policy: [u8; 32],
    /// From when on it does not count any more, approved or not.
    pub expires: Timestamp,
    /// What the approver is shown; at most [`MAX_APPROVAL_PAYLOAD_BYTES`]. It has the values of arguments.
    pub payload: Arc<[u8]>,
}

impl fmt::Debug for AskedApproval {
    /// Shows when it ends. The payload may have anybody's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedApproval").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A request, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "stores make it")]
pub struct StoredApproval {
    /// What was asked.
    pub asked: AskedApproval,
    /// What has become of it.
    pub state: ApprovalState,
}

/// What has become of a request. `by` is the human who decided, as [`ApprovalStore::decide`] was given it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store that does not know a state could not keep it")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// A human has approved, and nothing was done with it yet.
    Approved {
        /// Who.
        by: Arc<str>,
    },
    /// A human has denied.
    Denied {
        /// Who.
        by: Arc<str>,
    },
    /// It was approved, and what was approved has been permitted once.
    Used {
        /// Who had approved.
        by: Arc<str>,
    },
}

/// How an act stands that was presented. Only [`ApprovalStanding::Approved`] lets it go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "an answer that the engine does not know would permit or deny by accident")]
pub enum ApprovalStanding {
    /// It was approved, and is used up by this call.
    Approved {
        /// The request.
        id: Arc<str>,
        /// Who had approved.
        by: Arc<str>,
    },
    /// It waits for a human.
    Pending {
        /// The request.
        id: Arc<str>,
    },
    /// The request before this one ended, and a new one waits.
    Expired {
        /// The new request.
        id: Arc<str>,
    },
    /// The request before this one was for other policies, and a new one waits.
    OtherPolicy {
        /// The new request.
        id: Arc<str>,
    },
    /// A human has denied it.
    Denied {
        /// The request.
        id: Arc<str>,
    },
    /// It was approved, and has been used.
    Used {
        /// The request.
        id: Arc<str>,
    },
    /// No more requests are taken from this agent for now.
    AgentFull,
    /// No more requests are taken for now.
    Full,
    /// The store cannot tell.
    Unavailable,
}

/// What a human says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a third answer would be neither")]
pub enum ApprovalVerdict {
    /// It may be done, once.
    Approve,
    /// It may not be done.
    Deny,
}

/// Whether a verdict was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "the engine answers each")]
pub enum VerdictAnswer {
    /// It counts from now on.
    Taken,
    /// There is no such request.
    Unknown,
    /// The request is over.
    Expired,
    /// It has been decided already, or has been used.
    Decided,
    /// The store cannot tell.
    Unavailable,
}

/// The store of approvals cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store of approvals cannot be asked")]
pub struct ApprovalsUnavailable;

#[async_trait]
impl<S: ApprovalStore + ?Sized> ApprovalStore for Arc<S> {
    async fn present(&self, asked: &AskedApproval, now: Timestamp) -> ApprovalStanding {
        (**self).present(asked, now).await
    }

    async fn decide(&self, id: &str, verdict: ApprovalVerdict, by: &str, now: Timestamp) -> VerdictAnswer {
        (**self).decide(id, verdict, by, now).await
    }

    async fn find(&self, id: &str) -> Result<Option<StoredApproval>, ApprovalsUnavailable> {
        (**self).find(id).await
    }

    async fn pending(
        &self,
        server: &[u8; 32],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredApproval>, ApprovalsUnavailable> {
        (**self).pending(server, limit, now).await
    }
}
