use super::Resource;
use super::preview::PreviewResource;
use crate::scope::{Scope, ScopeError};

/// An action that somebody may want to do: what is known of it before it is called, to leave out of a list what never is
/// permitted.
///
/// ```
/// use agentauth_core::policy::Prospect;
///
/// // Of some case, whichever that will be.
/// let file = Prospect::new("motions:file")?;
/// // Without any resource.
/// let search = Prospect::new("records:search")?.without_resource();
/// # Ok::<(), agentauth_core::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Prospect {
    pub(crate) name: Scope,
    pub(crate) scope: Scope,
    resource: Known,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    Nothing,
    None,
    This(Resource),
}

impl Prospect {
    /// The action `name`, such as `motions:file`, whatever it will be done to.
    ///
    /// # Errors
    /// [`ScopeError`] if the name has characters that no scope could have, or is longer than 2048 bytes.
    pub fn new(name: &str) -> Result<Self, ScopeError> {
        let name: Scope = name.parse()?;
        Ok(Self { scope: name.clone(), name, resource: Known::Nothing })
    }

    /// Done to the `kind` of thing called `id`.
    pub fn on(self, kind: &str, id: &str) -> Self {
        Self { resource: Known::This(Resource { kind: kind.into(), id: id.into() }), ..self }
    }

    /// Done to nothing in particular, as an action without [`Action::on`](super::Action::on) is.
    pub fn without_resource(self) -> Self {
        Self { resource: Known::None, ..self }
    }

    /// Needs `scope` instead of the scope with the action's own name.
    pub fn under_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// The name of the action.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// What is known of what it will be done to.
    #[must_use]
    pub const fn resource(&self) -> PreviewResource<'_> {
        match &self.resource {
            Known::Nothing => PreviewResource::Unknown,
            Known::None => PreviewResource::None,
            Known::This(resource) => PreviewResource::Known(resource),
        }
    }
}
