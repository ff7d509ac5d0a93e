use std::time::Duration;

use serde::{Serialize, Serializer};

/// The longest time for which a request for approval, and the approval, can count: a week has a weekend in it, and what was
/// true longer ago is no ground to act on.
pub const MAX_APPROVAL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Nobody reads and decides in less.
pub(super) const MIN_APPROVAL_LIFETIME: Duration = Duration::from_secs(1);

/// What an allow is on condition of. Until it is met, the action is refused; what cannot be met refuses it for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obligation {
    /// A human must approve this very action, for one use: see [`approval`](crate::approval).
    Approval(ApprovalTerms),
    /// Something that another system asks for under this name, and that is not known here. It refuses the action.
    Unknown(Box<str>),
}

/// On what terms a human's approval is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApprovalTerms {
    lifetime: Duration,
}

impl ApprovalTerms {
    /// The action must be approved and done within `lifetime` after it was first asked for, and within
    /// [`MAX_APPROVAL_LIFETIME`] in any case.
    #[must_use]
    pub fn within(lifetime: Duration) -> Self {
        Self { lifetime: lifetime.min(MAX_APPROVAL_LIFETIME) }
    }

    /// How long a request, and the approval of it, counts.
    #[must_use]
    pub const fn lifetime(self) -> Duration {
        self.lifetime
    }
}

impl Serialize for ApprovalTerms {
    /// Writes the lifetime in seconds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.lifetime.as_secs())
    }
}
