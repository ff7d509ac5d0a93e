//! A policy decision point: what other servers ask about, decided and recorded here.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::{Caller, Recorded};
use crate::audit::{ActionRecord, QuestionRecord};
use crate::identity::{AgentId, IssuerId, ResourceId};
use crate::policy::authzen::{
    AuthzenError, EvaluationRequest, EvaluationResponse, EvaluationsRequest, EvaluationsResponse, Unstated,
};
use crate::policy::{Decision, Effect, PolicyEngine, Reason, ReasonKind, Resource, Scenario};
use crate::rejection::{Refusal, Rejection};
use crate::scope::{Scope, ScopeSet};
use crate::text::Excerpt;

/// Answers other servers by a policy engine of this process, over the OpenID AuthZEN Authorization API 1.0.
///
/// Whoever asks is a [`Caller`] like any other, and needs a scope for it: whoever may ask learns what the policies say. What it asks
/// about is its own word, as the standard has it (§11.4), and an answer permits nothing here. Each answer is on record before
/// it is given.
///
/// ```
/// use agentauth_core::policy::{Agents, Principals, Resources, Rule, Rules};
/// use agentauth_core::DecisionPoint;
///
/// let rules = Rules::new([Rule::allow("lawyers-file")
///     .agents(Agents::below("spiffe://court.example/agent/lawyer")?)
///     .principals(Principals::any())
///     .action("motions:file")
///     .resources(Resources::any())])?;
/// let pdp = DecisionPoint::new(rules, &"decisions:ask".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct DecisionPoint {
    policy: Arc<dyn PolicyEngine>,
    scopes: ScopeSet,
    issuer: Option<IssuerId>,
    server: Option<ResourceId>,
    properties_as_arguments: bool,
}

/// Someone who may ask.
#[derive(Debug)]
#[must_use]
pub struct Admitted<'a> {
    pdp: &'a DecisionPoint,
    caller: &'a Caller,
}

/// Why there is no answer. A denial is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The request is none, which its sender can mend: 400.
    #[error("the request is refused: {0}")]
    Malformed(#[from] AuthzenError),
    /// The answer could not be put on record, or has no id.
    #[error("{0}")]
    Rejected(Rejection),
}

impl EvaluationError {
    /// The stable machine code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.code(),
            Self::Rejected(rejection) => rejection.code(),
        }
    }
}

impl DecisionPoint {
    /// Answers callers that hold `scope`, by `policy`.
    pub fn new(policy: impl PolicyEngine + 'static, scope: &Scope) -> Self {
        Self {
            policy: Arc::new(policy),
            scopes: ScopeSet::from(scope),
            issuer: None,
            server: None,
            properties_as_arguments: false,
        }
    }

    /// Whose subjects are meant by requests that do not say it. Unless set, they are denied.
    pub fn subjects_of(mut self, issuer: IssuerId) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Which server requests are about that do not say it. Unless set, they are denied.
    pub fn for_server(mut self, server: ResourceId) -> Self {
        self.server = Some(server);
        self
    }

    /// Gives policies what a request states of the subject and the resource beside their names, as the arguments `subject` and
    /// `resource`; an argument of the action that is called so is refused. Unless set, it is not read: it is the word of whoever asks.
    pub const fn properties_as_arguments(mut self) -> Self {
        self.properties_as_arguments = true;
        self
    }

    /// Lets `caller` ask, if it holds the scope; and records that.
    ///
    /// # Errors
    /// [`Rejection`], as of [`Caller::require_scopes`].
    pub async fn admit<'a>(&'a self, caller: &'a Caller) -> Result<Admitted<'a>, Rejection> {
        caller.require_scopes(&self.scopes).await?;
        Ok(Admitted { pdp: self, caller })
    }

    fn unstated(&self, agent: &AgentId) -> Unstated {
        Unstated {
            issuer: self.issuer.clone(),
            server: self.server.clone(),
            properties_as_arguments: self.properties_as_arguments,
            ..Unstated::by(agent.clone())
        }
    }
}

impl Admitted<'_> {
    /// Answers the body of an Access Evaluation request (§6): the body of the answer.
    ///
    /// # Errors
    /// [`EvaluationError`]. Whatever else is wrong is a denial.
    pub async fn evaluate(&self, body: &[u8]) -> Result<String, EvaluationError> {
        let request = EvaluationRequest::read(body)?;
        self.answer_one(&request).await
    }

    /// Answers the body of an Access Evaluations request (§7). What it asks is decided in its order.
    ///
    /// # Errors
    /// [`EvaluationError`], for all of it.
    pub async fn evaluate_all(&self, body: &[u8]) -> Result<String, EvaluationError> {
        let (evaluations, semantic) = match EvaluationsRequest::read(body)? {
            EvaluationsRequest::One(request) => return self.answer_one(&request).await,
            EvaluationsRequest::Several { evaluations, semantic } => (evaluations, semantic),
        };
        let mut recording = Vec::with_capacity(evaluations.len());
        for request in &evaluations {
            let (answer, allows) = self.decide(request.as_ref()).await.map_err(EvaluationError::Rejected)?;
            recording.push(answer);
            others_first().await;
            if semantic.ends_with(allows) {
                break;
            }
        }
        // They are being recorded together: a log that is flushed for each is flushed for all.
        let mut answers = Vec::with_capacity(recording.len());
        for answer in recording {
            answers.push(answer.await.map_err(EvaluationError::Rejected)?);
        }
        Ok(EvaluationsResponse::new(answers).to_json().to_string())
    }

    async fn answer_one(&self, request: &EvaluationRequest) -> Result<String, EvaluationError> {
        let decided = self.decide(Ok(request)).await;
        let answer = match decided {
            Ok((answer, _)) => answer.await,
            Err(rejection) => Err(rejection),
        };
        answer.map(|answer| answer.to_json().to_string()).map_err(EvaluationError::Rejected)
    }

    /// The answer, once it is on record, and whether it permits.
    async fn decide(
        &self,
        request: Result<&EvaluationRequest, &AuthzenError>,
    ) -> Result<(Recorded<EvaluationResponse>, bool), Rejection> {
        let auth = &self.caller.inner.auth;
        let now = auth.now();
        let (id, failure) = self.caller.id_for_decision();
        let mut record = self.caller.open_record(&id, now);
        if let Some(refusal) = failure {
            self.caller.conclude::<()>(record, Err(refusal)).await?;
            return Err(auth.reject(Refusal::Random, &id));
        }
        record.action = request.ok().map(stated_action);
        let scenario = match request {
            Ok(request) => request.scenario(&self.pdp.unstated(self.caller.agent()), now),
            Err(error) => Err(Reason::new(ReasonKind::NotInSchema, error.to_string())),
        };
        // Asked for before, so that an engine that changes meanwhile and does not say so is taken for the older.
        let version = self.pdp.policy.version();
        let decision = match scenario {
            Ok(scenario) => {
                if let Some(action) = &mut record.action {
                    action.name = scenario.action.clone();
                    action.arguments = Some(scenario.arguments.digest());
                }
                record.question = Some(QuestionRecord::of(&scenario, &auth.inner.audit_key));
                self.ask(&scenario).await
            }
            Err(reason) => Decision::deny(reason),
        };
        record.decided(&decision, Arc::clone(&version));
        auth.inner.flips.count(decision.would_flip());
        let allows = decision.effect() == Effect::Allow;
        if !allows {
            record.effect = Effect::Deny;
            record.code = decision.ground_of_denial().code();
        }
        let answer = EvaluationResponse::of(&decision, &version, &id);
        let mut record = record.close();
        record.took_until(auth.now());
        Ok((auth.recorded(Ok(answer), record), allows))
    }

    async fn ask(&self, scenario: &Scenario) -> Decision {
        match self.pdp.policy.decide(&scenario.request()).await {
            Ok(decision) => decision,
            Err(error) => Decision::failed(&error),
        }
    }
}

/// Ready at the second look: a small request can ask for a lot of work, and others are served by the same thread.
async fn others_first() {
    let mut is_first = true;
    poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// What is asked about, as it goes into the record whatever it is called.
fn stated_action(request: &EvaluationRequest) -> ActionRecord {
    let resource = Resource { kind: request.resource().kind.clone(), id: request.resource().id.clone() };
    let name = Excerpt::of(&request.action().name).to_string().into();
    ActionRecord { name, resource: Some(resource.to_record()), arguments: None, shown: None }
}
