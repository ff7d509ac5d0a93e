//! A policy engine that asks a policy decision point elsewhere.

mod discovery;
mod question;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentauth_core::policy::authzen::{EvaluationRequest, EvaluationResponse, MAX_DECISION_BYTES, MAX_EVALUATIONS};
use agentauth_core::policy::authzen::{EvaluationsRequest, EvaluationsResponse, MAX_DECISIONS_BYTES};
use agentauth_core::policy::{PolicyError, Reason, ReasonKind};
use agentauth_core::{AuthzRequest, Decision, PolicyEngine, Random, SystemRandom};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower_service::Service;

pub use discovery::AuthzenEngineError;

use self::question::Token;
use super::HttpsClient;

/// How long a decision may take, unless set: a tool call waits for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long it may take at most: as long as anything that an [`HttpsClient`] asks for.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// How many questions may be open at once. Where the decision point is slow, callers would fill the memory of this server.
const MAX_QUESTIONS: usize = 256;

/// Asks a policy decision point over the OpenID AuthZEN Authorization API 1.0, by an [`HttpsClient`] or what else answers requests as
/// it does: whole, bounded in size and in time.
///
/// What is asked, and how the answer is read, is a table: [`agentauth_core::policy::authzen`]. Nothing is kept from one question
/// to the next. A question takes 2 s at most unless set, an answer is 64 KiB at most, and 256 questions may be open at once. Whatever goes
/// wrong denies: no answer, another status than 200, another type than JSON, a redirect, an answer to another request, no decision; and
/// an obligation that is not known here.
///
/// ```no_run
/// use agentauth_tower::client::{AuthzenEngine, HttpsClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = HttpsClient::with_platform_roots()?;
/// let engine = AuthzenEngine::discover(client, "https://pdp.example.com").await?.bearer_from(|| {
///     // A token that the platform renews.
///     std::fs::read_to_string("/run/secrets/pdp-token").map_err(|error| error.to_string())
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuthzenEngine<C = HttpsClient> {
    client: C,
    identifier: Arc<str>,
    evaluation: Uri,
    evaluations: Option<Uri>,
    token: Token,
    timeout: Duration,
    random: Arc<dyn Random>,
    open: Arc<Semaphore>,
    /// Of the policies there, by the last answer.
    version: Arc<Mutex<Arc<str>>>,
}

impl<C> AuthzenEngine<C> {
    /// Asks the decision point with this identifier, at the endpoints that the standard gives it (§10.1).
    ///
    /// # Errors
    /// [`AuthzenEngineError::Identifier`].
    pub fn new(client: C, pdp: &str) -> Result<Self, AuthzenEngineError> {
        let (evaluation, evaluations) = discovery::default_endpoints(pdp)?;
        Ok(Self::at(client, pdp, evaluation, Some(evaluations)))
    }

    fn at(client: C, pdp: &str, evaluation: Uri, evaluations: Option<Uri>) -> Self {
        let identifier: Arc<str> = pdp.into();
        Self {
            client,
            evaluation,
            evaluations,
            token: Token::None,
            timeout: TIMEOUT,
            random: Arc::new(SystemRandom),
            open: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            version: Arc::new(Mutex::new(Arc::clone(&identifier))),
            identifier,
        }
    }

    /// Authenticates by this token (RFC 6750 §2.1). Unless set, by the certificate of the client, if it has one.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.token = Token::Fixed(token.into());
        self
    }

    /// Authenticates by the token that `source` gives at each question, white space around it removed. It is called on the way of a
    /// request, so it should keep what it has to wait for. Its error is a sentence for the operator.
    #[must_use]
    pub fn bearer_from(mut self, source: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Self {
        self.token = Token::From(Arc::new(source));
        self
    }

    /// How long a decision may take: 2 s unless set, and 10 s at most.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Where the identifiers of requests come from: the operating system unless set.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The identifier of the decision point.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    fn learn(&self, decision: &Decision) {
        if let Some(version) = decision.version() {
            *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(version);
        }
    }

    fn read(&self, answer: EvaluationResponse) -> Result<Decision, PolicyError> {
        let decision = answer.into_decision(&self.identifier).map_err(|error| self.failed(error))?;
        self.learn(&decision);
        Ok(decision)
    }

    fn failed(&self, why: impl fmt::Display) -> PolicyError {
        PolicyError::new(format!("the policy decision point `{}`: {why}", self.identifier))
    }
}

impl<C> AuthzenEngine<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + Send + Sync + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
{
    /// Asks several questions at once, to filter a list for instance: one request for each 256 of them (§7). If any of it goes wrong,
    /// all are denied.
    pub async fn evaluate_all(&self, requests: &[AuthzRequest<'_>]) -> Vec<Decision> {
        match self.decide_all(requests).await {
            Ok(decisions) => decisions,
            Err(error) => {
                let denial = Decision::deny(Reason::new(ReasonKind::PolicyFailed, error.to_string()));
                vec![denial; requests.len()]
            }
        }
    }

    async fn decide_all(&self, requests: &[AuthzRequest<'_>]) -> Result<Vec<Decision>, PolicyError> {
        let Some(endpoint) = &self.evaluations else {
            return Err(self.failed("its metadata has no access_evaluations_endpoint: ask one by one"));
        };
        let mut decisions = Vec::with_capacity(requests.len());
        for requests in requests.chunks(MAX_EVALUATIONS) {
            let questions: Result<Vec<_>, _> = requests.iter().map(EvaluationRequest::of).collect();
            let body = questions.and_then(|questions| EvaluationsRequest::write(&questions));
            let body = body.map_err(|error| self.failed(error))?;
            let answer = self.ask(endpoint, body, MAX_DECISIONS_BYTES).await.map_err(|why| self.failed(why))?;
            let answers = EvaluationsResponse::read(&answer, requests.len()).map_err(|error| self.failed(error))?;
            for answer in answers.iter() {
                decisions.push(self.read(answer.clone())?);
            }
        }
        Ok(decisions)
    }
}

#[async_trait]
impl<C> PolicyEngine for AuthzenEngine<C>
where
    C: Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + Send + Sync + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
{
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let question = EvaluationRequest::of(request).map_err(|error| self.failed(error))?;
        let body = question.to_json().to_string();
        let answer = self.ask(&self.evaluation, body, MAX_DECISION_BYTES).await.map_err(|why| self.failed(why))?;
        let answer = EvaluationResponse::read(&answer).map_err(|error| self.failed(error))?;
        self.read(answer)
    }

    /// The identifier of the decision point, and of which version its last answer was if it said so.
    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<C> fmt::Debug for AuthzenEngine<C> {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthzenEngine")
            .field("identifier", &self.identifier)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
