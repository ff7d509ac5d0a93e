use crate::scope::ScopeError;
use crate::text::Excerpt;

/// Why something cannot be part of a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The action is no scope.
    #[error("the action is no scope: {0}")]
    Action(#[from] ScopeError),
    /// The name of a resource or an argument, or a text that an argument may be, cannot be stored and shown.
    #[error("`{0}` is empty, longer than 1024 bytes, or has control characters; name it otherwise")]
    Name(Excerpt),
    /// A prefix is not one path for everybody.
    #[error(
        "a prefix has segments between slashes: none empty, `.` or `..`, without `%`, `\\` and control characters, \
         1024 bytes at most"
    )]
    Path,
    /// A number is not finite, or beyond 2^53 - 1, where JSON implementations differ.
    #[error("a number is not finite or beyond 2^53 - 1, where JSON implementations differ; allow a text instead")]
    NumberRange,
    /// Nothing satisfies it: a range that ends before it begins, a set without members.
    #[error("nothing satisfies this; leave the grant out instead")]
    Unsatisfiable,
    /// It has more parts than anyone compares.
    #[error(
        "too many: 64 grants, 16 custom details, 256 scopes, 32 arguments a grant, 64 values, 16 audiences at most"
    )]
    TooMany,
}

impl GrantError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Action(error) => error.code(),
            Self::Name(_) => "grant_name_malformed",
            Self::Path => "grant_path_malformed",
            Self::NumberRange => "grant_number_range",
            Self::Unsatisfiable => "grant_unsatisfiable",
            Self::TooMany => "grant_too_large",
        }
    }
}
