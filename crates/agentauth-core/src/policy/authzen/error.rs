use crate::jose::JsonError;
use crate::text::Excerpt;

/// A request or an answer that is not one of the Authorization API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthzenError {
    /// Not strict JSON, or a member is of another type than the standard says.
    #[error("{0}")]
    Json(JsonError),
    /// Longer than is read.
    #[error("longer than {0} bytes")]
    Oversize(usize),
    /// A member that every evaluation has is not there (§10.1.1).
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// More than 256 evaluations in one request.
    #[error("more than 256 evaluations in one request; ask in several")]
    TooManyEvaluations,
    /// An `evaluations_semantic` that is none (§7.1.2.1).
    #[error("`{0}` is no evaluations_semantic; write execute_all, deny_on_first_deny or permit_on_first_permit")]
    Semantic(Excerpt),
    /// An answer whose `decision` is absent, or neither true nor false (§5.5).
    #[error("the answer has no `decision` that is true or false")]
    NoDecision,
    /// Another number of decisions than of questions.
    #[error("the answer has {found} decisions for {asked} evaluations")]
    Count {
        /// How many questions there were.
        asked: usize,
        /// How many decisions came.
        found: usize,
    },
    /// An obligation that cannot be read, so that it cannot be met (obligations profile §3).
    #[error("an obligation of the answer cannot be met: {0}")]
    Obligation(Box<str>),
    /// Metadata of another decision point (§9.2.3).
    #[error("it is the metadata of the policy decision point `{0}`, byte for byte another one")]
    IdentifierMismatch(Excerpt),
    /// A resource that would be taken for the server itself.
    #[error("a resource of the kind `server` with the server's own identifier stands for no resource")]
    ResourceIsServer,
}

impl AuthzenError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Oversize(_) => "authzen_oversize",
            Self::Missing(_) => "authzen_member_missing",
            Self::TooManyEvaluations => "authzen_too_many_evaluations",
            Self::Semantic(_) => "authzen_semantic_unknown",
            Self::NoDecision => "authzen_decision_missing",
            Self::Count { .. } => "authzen_count_mismatch",
            Self::Obligation(_) => "authzen_obligation_malformed",
            Self::IdentifierMismatch(_) => "authzen_metadata_mismatch",
            Self::ResourceIsServer => "authzen_resource_is_server",
        }
    }
}
