use std::fmt;

use serde_json::Value;

use crate::identity::ResourceId;
use crate::scope::Scope;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// What someone wants to do, as far as delegated authority can tell: which action, on what, with which arguments, at which
/// server, when.
#[derive(Clone, Copy)]
#[must_use]
pub struct Wanted<'a> {
    pub(super) action: &'a Scope,
    pub(super) audience: &'a ResourceId,
    pub(super) now: Timestamp,
    pub(super) resource: Option<(&'a str, &'a str)>,
    arguments: Option<&'a Value>,
}

impl<'a> Wanted<'a> {
    /// The action `action` at the server `audience`, at the time `now`: without resource and arguments.
    pub const fn new(action: &'a Scope, audience: &'a ResourceId, now: Timestamp) -> Self {
        Self { action, audience, now, resource: None, arguments: None }
    }

    /// Done to the `kind` of thing called `id`.
    pub const fn on(mut self, kind: &'a str, id: &'a str) -> Self {
        self.resource = Some((kind, id));
        self
    }

    /// With these arguments, a JSON object.
    pub const fn with(mut self, arguments: &'a Value) -> Self {
        self.arguments = Some(arguments);
        self
    }

    /// The action: the scope that it needs.
    #[must_use]
    pub const fn action(&self) -> &'a Scope {
        self.action
    }

    /// The server at which it is to be done.
    #[must_use]
    pub const fn audience(&self) -> &'a ResourceId {
        self.audience
    }

    /// When it is to be done.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Kind and name of what it is to be done to, if anything.
    #[must_use]
    pub const fn resource(&self) -> Option<(&'a str, &'a str)> {
        self.resource
    }

    /// The argument `name`, if it is given.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&'a Value> {
        self.arguments?.get(name)
    }

    /// The names of the arguments that are given.
    pub fn argument_names(&self) -> impl Iterator<Item = &'a str> {
        self.arguments.and_then(Value::as_object).into_iter().flat_map(|members| members.keys().map(String::as_str))
    }
}

impl fmt::Debug for Wanted<'_> {
    /// Shows no arguments: their values may be anybody's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("action", &self.action)
            .field("audience", &self.audience)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// What of an action is outside of what was delegated. Of several grants of the action, the one that comes nearest counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDelegated {
    /// The action, whatever it is done to.
    #[error("the action is not delegated at all")]
    Action,
    /// It is for other servers.
    #[error("the action is delegated for other servers")]
    Audience,
    /// It begins later, or has ended.
    #[error("the action is delegated for another time")]
    NotNow,
    /// It is for other resources.
    #[error("the action is delegated on other resources, or its resource could be taken for another path")]
    Resource,
    /// An argument is missing, of another type, or outside of what it may be; or no such argument may be given.
    #[error("the action is delegated with other arguments: `{0}` is not as it may be")]
    Argument(Excerpt),
}

impl NotDelegated {
    pub(super) fn argument(name: &str) -> Self {
        Self::Argument(Excerpt::of(name))
    }

    /// The nearer of two.
    pub(super) fn or_nearer(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// How much of a grant was as wanted.
    const fn rank(&self) -> u8 {
        match self {
            Self::Action => 0,
            Self::Audience => 1,
            Self::NotNow => 2,
            Self::Resource => 3,
            Self::Argument(_) => 4,
        }
    }

    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Action => "insufficient_scope",
            Self::Audience => "delegated_elsewhere",
            Self::NotNow => "delegated_at_other_times",
            Self::Resource => "delegated_on_other_resources",
            Self::Argument(_) => "delegated_with_other_arguments",
        }
    }
}
