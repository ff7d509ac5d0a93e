//! Who is that here? The names of another organisation's users at this issuer.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;

use crate::identity::PrincipalId;

/// Whom an identity assertion is about, as its issuer knows them: verified, and a stranger still.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AssertedSubject {
    /// The principal at the identity provider: its issuer, its tenant if it has several, and the subject there. This is
    /// the key: a subject alone is nobody, since two providers, or two tenants of one, may each know an `alice`.
    pub principal: PrincipalId,
    /// What the provider believes the principal is called here (`aud_sub`): a hint, which it may have wrong or may have
    /// been told by whoever registered there.
    pub name_here: Option<Box<str>>,
}

/// The subjects cannot be looked up at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subjects cannot be looked up at the moment")]
pub struct SubjectsUnavailable;

/// Says who the principal of an identity assertion is at this issuer.
///
/// Names here belong to this issuer: one that is handed out for two principals makes them one. So there is no mapping
/// unless it is written down, and whoever is not known is refused (identity chaining: a subject that cannot be resolved
/// is denied).
#[async_trait]
pub trait SubjectMapping: Send + Sync + fmt::Debug {
    /// The `sub` that stands in tokens of this issuer for `subject`; `None` if it is not known here. An implementation
    /// that asks elsewhere bounds its wait.
    ///
    /// # Errors
    /// [`SubjectsUnavailable`] if it cannot tell, which refuses.
    async fn name_of(&self, subject: &AssertedSubject) -> Result<Option<Box<str>>, SubjectsUnavailable>;
}

/// A list of the principals that are known.
///
/// ```
/// use agentauth_core::delegation::KnownSubjects;
/// use agentauth_core::{IssuerId, PrincipalId};
///
/// let idp = IssuerId::new("https://idp.example")?;
/// let subjects = KnownSubjects::new()
///     .with(PrincipalId::new(idp.clone(), "U019488227"), "alice")
///     .with(PrincipalId::new(idp, "U019488227").in_tenant("acme"), "alice@acme");
/// # Ok::<(), agentauth_core::NameError>(())
/// ```
#[derive(Clone, Default)]
pub struct KnownSubjects {
    names: HashMap<PrincipalId, Box<str>>,
}

impl KnownSubjects {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And `principal`, who is called `name` here.
    #[must_use]
    pub fn with(mut self, principal: PrincipalId, name: &str) -> Self {
        self.names.insert(principal, name.into());
        self
    }
}

#[async_trait]
impl SubjectMapping for KnownSubjects {
    async fn name_of(&self, subject: &AssertedSubject) -> Result<Option<Box<str>>, SubjectsUnavailable> {
        Ok(self.names.get(&subject.principal).cloned())
    }
}

impl fmt::Debug for KnownSubjects {
    /// Shows how many there are: who they are is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownSubjects").field("len", &self.names.len()).finish()
    }
}
