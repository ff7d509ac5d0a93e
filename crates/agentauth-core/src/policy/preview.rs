use super::{CallerFacts, Resource};
use crate::time::Timestamp;

/// What a policy engine is asked before the arguments of an action are known.
#[derive(Debug)]
pub struct PreviewRequest<'a> {
    pub(crate) caller: CallerFacts<'a>,
    pub(crate) action: &'a str,
    pub(crate) resource: PreviewResource<'a>,
    pub(crate) now: Timestamp,
}

/// What is known of the resource of an action that is looked ahead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PreviewResource<'a> {
    /// Nothing yet: it may turn out to be any, or none.
    Unknown,
    /// The action has none.
    None,
    /// It is this one.
    Known(&'a Resource),
}

/// Whether an action may possibly be permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preview {
    /// Whatever the arguments are, it is denied.
    Never,
    /// It depends on what is not known yet. For operators, what is left of the policies to be decided, where that is known.
    Possibly(Option<Box<str>>),
    /// Whatever the arguments are, it is permitted, if they are such as the engine takes for this action, and without any condition.
    Always,
}

/// What is left of several engines' policies is shown up to this length: enough for a person, and no more than they read.
pub const MAX_RESIDUAL_BYTES: usize = 4096;

impl Preview {
    /// What is possible where both must permit.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, other) | (other, Self::Always) => other,
            (Self::Possibly(None), other) | (other, Self::Possibly(None)) => other,
            (Self::Possibly(Some(one)), Self::Possibly(Some(other))) => Self::possibly(&format!("{one}\n{other}")),
        }
    }

    /// [`Preview::Possibly`], with what is left to be decided: at most [`MAX_RESIDUAL_BYTES`] of it.
    #[must_use]
    pub fn possibly(left: &str) -> Self {
        let mut end = left.len().min(MAX_RESIDUAL_BYTES);
        while !left.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Self::Possibly(left.get(..end).map(Into::into))
    }

    /// Whether it is [`Preview::Never`].
    #[must_use]
    pub const fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}

impl<'a> PreviewRequest<'a> {
    /// Who acts, for whom, and on what grounds.
    #[must_use]
    pub const fn caller(&self) -> &CallerFacts<'a> {
        &self.caller
    }

    /// The name of the action.
    #[must_use]
    pub const fn action(&self) -> &'a str {
        self.action
    }

    /// What is known of what the action is done to.
    #[must_use]
    pub const fn resource(&self) -> PreviewResource<'a> {
        self.resource
    }

    /// The time: the one reading of the clock that counts.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}
