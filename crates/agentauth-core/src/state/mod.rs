//! What must be remembered between requests, as traits over opaque digests, with bounded stores in memory and in files.

mod approvals;
mod limits;
mod memory;
mod memory_approvals;
mod memory_limits;
mod memory_uses;
mod replay;
pub mod revocation;
mod uses;
mod wait;
mod window;

pub use approvals::{
    ApprovalStanding, ApprovalState, ApprovalStore, ApprovalVerdict, ApprovalsUnavailable, AskedApproval,
    MAX_APPROVAL_PAYLOAD_BYTES, StoredApproval, VerdictAnswer,
};
pub use limits::{Demand, LimitStore, Reservation, Reserve, ReserveAnswer, Use};
pub use memory::MemoryReplayStore;
pub use memory_approvals::MemoryApprovalStore;
pub use memory_limits::MemoryLimits;
pub use memory_uses::MemoryUseStore;
pub use replay::{Remember, ReplayAnswer, ReplayStore};
pub use revocation::{FileRevocations, MemoryRevocations, Revocation, RevocationStore};
pub use uses::{Debit, DebitAnswer, UseStore};
