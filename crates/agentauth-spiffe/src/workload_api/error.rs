use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Excerpt;
use agentauth_core::identity::svid::{IdentityError, SvidError};
use tonic::{Code, Status};

/// Why the Workload API could not be used, or what came from it was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadApiError {
    /// No endpoint was named, and the environment names none.
    #[error("there is no Workload API to ask: set SPIFFE_ENDPOINT_SOCKET, such as unix:///run/spire/agent.sock")]
    NoEndpoint,
    /// The endpoint is not written as SPIFFE_Workload_Endpoint.md §4 says.
    #[error("`{endpoint}` is no endpoint of a Workload API: {reason}")]
    Endpoint {
        /// What was given.
        endpoint: Excerpt,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The hint that was asked for cannot be one.
    #[error("a hint of a Workload API has 1 to 1024 bytes")]
    Hint,
    /// Called outside of a tokio runtime, which the source needs to be kept up to date.
    #[error("there is no tokio runtime to keep the identity up to date: call this from async code")]
    NoRuntime,
    /// The endpoint cannot be reached, or cannot answer now. It is asked again.
    #[error("the Workload API at {endpoint} cannot be reached, or cannot answer now: {message}")]
    Unavailable {
        /// Who was asked.
        endpoint: Arc<str>,
        /// What is said of it.
        message: Excerpt,
    },
    /// `PermissionDenied`: this workload has no identity. It is asked again.
    #[error(
        "the Workload API at {endpoint} has no identity for this workload; is there a registration entry that selects it? ({message})"
    )]
    Denied {
        /// Who was asked.
        endpoint: Arc<str>,
        /// What is said of it.
        message: Excerpt,
    },
    /// `InvalidArgument`. It is not asked again.
    #[error("the Workload API at {endpoint} refuses the request itself, and is not asked again: {message}")]
    InvalidArgument {
        /// Who was asked.
        endpoint: Arc<str>,
        /// What is said of it.
        message: Excerpt,
    },
    /// `Unimplemented`. It is not asked again.
    #[error("the Workload API at {endpoint} does not offer this, and is not asked again: {message}")]
    Unimplemented {
        /// Who was asked.
        endpoint: Arc<str>,
        /// What is said of it.
        message: Excerpt,
    },
    /// Any other status. It is asked again.
    #[error("the Workload API at {endpoint} failed with the status {status}: {message}")]
    Failed {
        /// Who was asked.
        endpoint: Arc<str>,
        /// The name of the gRPC status.
        status: &'static str,
        /// What the other side says of it.
        message: Excerpt,
    },
    /// Nothing has come in time.
    #[error("nothing has come from the Workload API at {endpoint} within {within:?}")]
    TimedOut {
        /// Who was asked.
        endpoint: Arc<str>,
        /// How long it was waited for.
        within: Duration,
    },
    /// No identity has come in time, and this was wrong at last.
    #[error("no identity has come within {within:?}: {problem}")]
    GaveUp {
        /// How long it was waited for.
        within: Duration,
        /// What was wrong at last. Its code is this error's.
        problem: Box<Self>,
    },
    /// A mandatory field of a message was empty, so the message was discarded (SPIFFE_Workload_API.md §4.5).
    #[error("a message of the Workload API was discarded: its mandatory field {0} is empty")]
    FieldEmpty(&'static str),
    /// A field of a message could not be read, so the message was discarded.
    #[error("a message of the Workload API was discarded: its field {0} cannot be read")]
    FieldMalformed(&'static str),
    /// A bundle could not be read, so nobody of its trust domain is believed.
    #[error("the bundle that the Workload API has for `{0}` cannot be read; nobody of that trust domain is believed")]
    Bundle(Excerpt),
    /// No SVID has the hint that was asked for.
    #[error("the Workload API has no SVID with the hint `{0}`")]
    HintUnknown(Excerpt),
    /// The SVID is no identity: the last good one was kept.
    #[error("the SVID from the Workload API was not taken: {0}")]
    Identity(#[from] IdentityError),
    /// The SVID does not verify against the bundle that came with it: the last good one was kept.
    #[error("the SVID from the Workload API was not taken: {0}")]
    Chain(#[from] SvidError),
    /// The SVID is for another SPIFFE ID than the message says: the last good one was kept.
    #[error("the SVID from the Workload API was not taken: its certificate names another SPIFFE ID than its message")]
    IdMismatch,
    /// There is no audience to get a JWT-SVID for, or too much of it.
    #[error("a JWT-SVID is for 1 to 16 audiences of 1 to 2048 bytes each")]
    Audience,
    /// Too many JWT-SVIDs are being fetched at once.
    #[error("256 JWT-SVIDs are being fetched at this moment: ask again when some have come")]
    Busy,
}

impl WorkloadApiError {
    /// The stable machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "workload_api_no_endpoint",
            Self::Endpoint { .. } => "workload_api_endpoint_malformed",
            Self::Hint => "workload_api_hint_malformed",
            Self::NoRuntime => "workload_api_no_runtime",
            Self::Unavailable { .. } => "workload_api_unavailable",
            Self::Denied { .. } => "workload_api_denied",
            Self::InvalidArgument { .. } => "workload_api_invalid_argument",
            Self::Unimplemented { .. } => "workload_api_unimplemented",
            Self::Failed { .. } => "workload_api_failed",
            Self::TimedOut { .. } => "workload_api_timed_out",
            Self::GaveUp { problem, .. } => problem.code(),
            Self::FieldEmpty(_) => "workload_api_field_empty",
            Self::FieldMalformed(_) => "workload_api_field_malformed",
            Self::Bundle(_) => "workload_api_bundle_malformed",
            Self::HintUnknown(_) => "workload_api_hint_unknown",
            Self::Identity(error) => error.code(),
            Self::Chain(error) => error.code(),
            Self::IdMismatch => "workload_api_id_mismatch",
            Self::Audience => "workload_api_audience",
            Self::Busy => "workload_api_busy",
        }
    }

    /// What an answer of `endpoint` that is none means.
    pub(super) fn of_status(status: &Status, endpoint: Arc<str>) -> Self {
        let message = match std::error::Error::source(status) {
            // What the transport says is "transport error", and why is below it.
            Some(source) => Excerpt::of(&innermost(source).to_string()),
            None => Excerpt::of(status.message()),
        };
        match status.code() {
            Code::Unavailable => Self::Unavailable { endpoint, message },
            Code::PermissionDenied => Self::Denied { endpoint, message },
            Code::InvalidArgument => Self::InvalidArgument { endpoint, message },
            Code::Unimplemented => Self::Unimplemented { endpoint, message },
            other => Self::Failed { endpoint, status: other.description(), message },
        }
    }

    /// Whether asking again cannot help (SPIFFE_Workload_Endpoint.md §6).
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::InvalidArgument { .. } | Self::Unimplemented { .. })
    }
}

fn innermost<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
