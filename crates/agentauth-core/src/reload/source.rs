//! Where policies come from.

use crate::policy::{Cases, PolicyEngine, Problems};

/// A set of policies, checked and ready, and the cases that it is to pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct PolicySet<E> {
    /// What answers.
    pub engine: E,
    /// What it is to answer.
    pub cases: Cases,
}

impl<E> PolicySet<E> {
    /// `engine`, without cases.
    #[must_use]
    pub const fn new(engine: E) -> Self {
        Self { engine, cases: Cases::none() }
    }

    /// With the cases that it is to pass.
    #[must_use]
    pub fn with_cases(mut self, cases: Cases) -> Self {
        self.cases = cases;
        self
    }
}

/// Where policies are read from, again and again: a directory, a signed file, or a function.
///
/// What it loads is whole: all of one state of its files, or a problem. A set without a single policy is a problem too: it is
/// what a volume that is not mounted looks like.
pub trait PolicySource: Send + Sync {
    /// What answers requests.
    type Engine: PolicyEngine + 'static;

    /// Reads and checks what is there now. This may block, on files.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn load(&self) -> Result<PolicySet<Self::Engine>, Problems>;

    /// Names the present state of the files, if that takes less than to load them: while it stays the same, nothing is loaded.
    fn state(&self) -> Option<Box<str>> {
        None
    }
}

impl<F, E> PolicySource for F
where
    F: Fn() -> Result<PolicySet<E>, Problems> + Send + Sync,
    E: PolicyEngine + 'static,
{
    type Engine = E;

    fn load(&self) -> Result<PolicySet<E>, Problems> {
        self()
    }
}
