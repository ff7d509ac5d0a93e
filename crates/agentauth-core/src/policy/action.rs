use std::fmt;

use serde::Serialize;

use super::{Arguments, ArgumentsError};
use crate::identity::MAX_NAME_BYTES;
use crate::scope::{Scope, ScopeError};
use crate::text::Excerpt;

/// What an agent wants to do: a named action, on a resource, with arguments.
///
/// The name is also the scope that the delegation must hold, so that nothing is done outside of what was
/// delegated; [`Action::under_scope`] names another scope where the two differ.
///
/// ```
/// use agentauth_core::Action;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Motion { title: String, fee: u32 }
///
/// let motion = Motion { title: "to dismiss".into(), fee: 120 };
/// let action = Action::new("motions:file")?.on("case", "2026-17").with(motion)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Action<A = ()> {
    pub(crate) name: Scope,
    pub(crate) scope: Scope,
    pub(crate) resource: Option<Resource>,
    pub(crate) input: A,
    pub(crate) arguments: Arguments,
}

/// What an action is done to: a kind of thing and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Resource {
    pub(crate) kind: Box<str>,
    pub(crate) id: Box<str>,
}

impl<A> fmt::Debug for Action<A> {
    /// Shows what is to be done, and of the arguments their digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("name", &self.name)
            .field("resource", &self.resource)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

impl Resource {
    /// Whether both parts can be stored and shown: not empty, at most 2048 bytes, without control characters.
    pub(crate) fn is_well_formed(&self) -> bool {
        [&self.kind, &self.id]
            .into_iter()
            .all(|part| !part.is_empty() && part.len() <= MAX_NAME_BYTES && !part.chars().any(char::is_control))
    }

    /// As it goes into the record.
    pub(crate) fn to_record(&self) -> Self {
        if self.is_well_formed() {
            return self.clone();
        }
        let shown = |part: &str| Excerpt::of(part).to_string().into();
        Self { kind: shown(&self.kind), id: shown(&self.id) }
    }

    /// The kind of thing, such as `case`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which one, such as `2026-17`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Action {
    /// The action `name`, such as `motions:file`, without resource or arguments.
    ///
    /// # Errors
    /// [`ScopeError`] if the name has characters that no scope could have, or is longer than 2048 bytes.
    pub fn new(name: &str) -> Result<Self, ScopeError> {
        let name: Scope = name.parse()?;
        let arguments = Arguments::none();
        Ok(Self { scope: name.clone(), name, resource: None, input: (), arguments })
    }
}

impl<A> Action<A> {
    /// Done to the `kind` of thing called `id`. A name that is empty, longer than 2048 bytes, or has control
    /// characters is refused when the action is to be authorised.
    #[must_use]
    pub fn on(mut self, kind: &str, id: &str) -> Self {
        self.resource = Some(Resource { kind: kind.into(), id: id.into() });
        self
    }

    /// Needs `scope` instead of the scope with the action's own name.
    #[must_use]
    pub fn under_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// With these arguments. The action takes them in, and only its permit gives them out again: the tool runs on
    /// exactly what was authorised.
    ///
    /// # Errors
    /// [`ArgumentsError`] if they have no canonical form. Whatever `input` does not serialise is not bound.
    pub fn with<B: Serialize>(self, input: B) -> Result<Action<B>, ArgumentsError> {
        let arguments = Arguments::of(&input)?;
        Ok(Action { name: self.name, scope: self.scope, resource: self.resource, input, arguments })
    }

    /// With these arguments, read already.
    #[must_use]
    pub fn with_arguments(self, arguments: Arguments) -> Action<Arguments> {
        Action { name: self.name, scope: self.scope, resource: self.resource, input: arguments.clone(), arguments }
    }
}
