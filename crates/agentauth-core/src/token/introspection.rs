//! Opaque tokens: the issuer is asked about each (RFC 7662).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is believed unless set otherwise.
const DEFAULT_TTL: Duration = Duration::from_secs(30);

/// Longer, and a revoked token would count for longer than people expect.
const MAX_TTL: Duration = Duration::from_secs(60);

/// The largest answer that is read, in bytes: four times the largest token.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The wait for an answer.
pub type Introspecting = Pin<Box<dyn Future<Output = Result<IntrospectionAnswer, IntrospectionUnavailable>> + Send>>;

/// Asks an issuer about its tokens (RFC 7662 §2.1), authenticating as this resource server.
pub trait Introspector: Send + Sync + fmt::Debug {
    /// Asks about `token`. The wait, the size of the answer and the number of questions at a time are bounded here.
    fn introspect(&self, token: &str) -> Introspecting;
}

impl<I: Introspector + ?Sized> Introspector for Arc<I> {
    fn introspect(&self, token: &str) -> Introspecting {
        (**self).introspect(token)
    }
}

/// The issuer's answer, not yet believed.
#[derive(Clone)]
#[non_exhaustive]
pub enum IntrospectionAnswer {
    /// `application/json` (RFC 7662 §2.2).
    Json(Vec<u8>),
    /// `application/token-introspection+jwt` (RFC 9701 §5).
    Jwt(String),
}

impl fmt::Debug for IntrospectionAnswer {
    /// Shows no claim: they are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "IntrospectionAnswer::Json",
            Self::Jwt(_) => "IntrospectionAnswer::Jwt",
        })
    }
}

/// The issuer did not answer, or not with an answer. Says nothing about the token: it is refused for now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer could not be asked about the token: {0}")]
pub struct IntrospectionUnavailable(pub Box<str>);

/// How an issuer is asked about tokens that cannot be read here.
#[derive(Debug, Clone)]
pub struct Introspection {
    pub(super) introspector: Arc<dyn Introspector>,
    pub(super) ttl: Duration,
    pub(super) signed_for: Option<Box<str>>,
    pub(super) subject_may_be_client: bool,
}

impl Introspection {
    /// Asks `introspector`. Its answers are kept for 30 s at most.
    #[must_use]
    pub fn new(introspector: impl Introspector + 'static) -> Self {
        Self { introspector: Arc::new(introspector), ttl: DEFAULT_TTL, signed_for: None, subject_may_be_client: false }
    }

    /// For how long a positive answer is believed, and a revocation goes unseen: at most 60 s. Zero asks every time.
    #[must_use]
    pub fn keep_for(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.min(MAX_TTL);
        self
    }

    /// Takes only answers that are signed by the issuer's keys, for this resource server, which the issuer knows as
    /// `client_id` (RFC 9701 §5).
    #[must_use]
    pub fn require_signed_for(mut self, client_id: &str) -> Self {
        self.signed_for = Some(client_id.into());
        self
    }

    /// Takes an answer without `sub` for a token of the client itself. RFC 7662 §2.2 lets issuers leave `sub` out, and
    /// some do where no user is involved; with an issuer that also hides users, a user's token would pass as the
    /// client's own.
    #[must_use]
    pub const fn client_if_no_subject(mut self) -> Self {
        self.subject_may_be_client = true;
        self
    }
}
