use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use agentauth_core::policy::{
    AuthzRequest, CallerFacts, PolicyEngine, PolicyError, Preview, PreviewRequest, Problems, Reason, ReasonKind,
};
use agentauth_core::{AgentId, Decision, Mode};
use async_trait::async_trait;
use cedar_policy::{Entities, EntityUid, Request};

use crate::entities::{Asked, EntityProvider, EntityStore, KnownEntities, Unmade};
use crate::index::{Index, Loaded, Verdict};
use crate::load::{load, with_policies};
use crate::preview::{Ahead, Set};
use crate::request::{Question, Unaskable};
use crate::schema::PolicySchema;
use crate::shadow::{Rehearsal, Shadow, Whose};
use crate::sources::Sources;

/// Cedar policies in force: a [`PolicyEngine`].
///
/// ```
/// use agentauth_cedar::{CedarPolicies, Sources};
///
/// let policies = CedarPolicies::new(&Sources::new()
///     .schema("court.cedarschema", r#"
///         @kind("case") entity Case;
///         action "motions:file" appliesTo { principal: User, resource: Case, context: { arguments: { fee: Long } } };
///     "#)
///     .policies("court.cedar", r#"
///         permit (principal, action == Action::"motions:file", resource)
///         when { context.agent in TrustDomain::"court.example" && context.arguments.fee <= 500 };
///     "#))?;
/// # Ok::<(), agentauth_core::policy::Problems>(())
/// ```
pub struct CedarPolicies {
    schema: PolicySchema,
    /// For explanations.
    sources: Sources,
    enforced: Index,
    shadow: Shadow,
    ahead: Ahead,
    version: Arc<str>,
    also_in: Vec<Mode>,
    entities: EntityStore,
    /// Whether a policy speaks of the time.
    with_time: bool,
}

impl CedarPolicies {
    /// Reads, checks and puts into force the policies of the directory `path`: all its `*.cedar` and `*.cedarschema` files,
    /// `entities.json` and `links.json`.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place and what to do about it.
    pub fn from_dir(path: impl AsRef<Path>) -> Result<Self, Problems> {
        Self::new(&Sources::read(path)?)
    }

    /// Checks `sources` and puts them into force.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place and what to do about it.
    pub fn new(sources: &Sources) -> Result<Self, Problems> {
        let schema = PolicySchema::new(&sources.schemas).map_err(|problems| with_policies(problems, sources))?;
        let (loaded, known) = match (load(sources, &schema), KnownEntities::read(&sources.entities, &schema)) {
            (Ok(loaded), Ok(known)) => (loaded, known),
            (loaded, known) => {
                let mut problems = loaded.err().unwrap_or_default();
                problems.extend(known.err().unwrap_or_default());
                return Err(problems);
            }
        };
        let (shadow, enforced): (Vec<Loaded>, Vec<Loaded>) = if loaded.iter().any(|one| one.terms.shadow) {
            loaded.into_iter().partition(|one| one.terms.shadow)
        } else {
            (Vec::new(), loaded)
        };
        // A word is enough, or an escape that it may be behind: that it is built in vain costs time, and no more.
        let with_time = sources.policies.iter().any(|source| source.text.contains("now") || source.text.contains('\\'));
        Ok(Self {
            enforced: Index::new(enforced, &schema.cedar),
            shadow: Shadow::new(shadow, &schema.cedar),
            ahead: Ahead::default(),
            version: sources.digest().into(),
            also_in: Vec::new(),
            entities: EntityStore::new(known),
            with_time,
            schema,
            sources: sources.clone(),
        })
    }

    /// Lets policies permit callers in this mode too. Without it, only agents that act for themselves
    /// ([`Mode::Autonomous`]) or because someone delegated to them ([`Mode::OnBehalfOf`]) are permitted anything.
    #[must_use]
    pub fn even_in(mut self, mode: Mode) -> Self {
        if !self.also_in.contains(&mode) {
            self.also_in.push(mode);
        }
        self
    }

    /// Whether there is no policy at all, in force or in shadow mode.
    pub(crate) fn is_empty(&self) -> bool {
        self.enforced.is_empty() && self.shadow.is_empty()
    }

    /// Asks `provider` what policies must know of agents, principals and resources beyond what was verified, and what the
    /// set's own `entities.json` says.
    #[must_use]
    pub fn entities(mut self, provider: impl EntityProvider + 'static) -> Self {
        self.entities = self.entities.provided_by(provider);
        self
    }

    /// The whole schema that policies are checked against: what is shipped, and what the application adds. Editors can use it.
    #[must_use]
    pub fn schema_text(&self) -> String {
        self.schema.text()
    }

    pub(crate) const fn schema(&self) -> &PolicySchema {
        &self.schema
    }

    pub(crate) const fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(crate) async fn answer(&self, request: &AuthzRequest<'_>) -> Decision {
        match self.verdicts(request).await {
            Ok(decision) => decision,
            Err(Unaskable { kind, text }) => Decision::deny(Reason::new(kind, text)),
        }
    }

    async fn verdicts(&self, request: &AuthzRequest<'_>) -> Result<Decision, Unaskable> {
        let question = Question::new(request, &self.schema, self.with_time)?;
        let mut rehearsal = Rehearsal::default();
        // A holder could call a key of its own by any name: what is forbidden to it is forbidden to its delegates. And
        // nobody slips past a name by showing less proof of it.
        for other in others(request.caller()) {
            let theirs = self.ask(question.clone(), &other, request, Whose::Others, &mut rehearsal).await?;
            if let Some(denied) = denial(&theirs) {
                // Whatever is added to what forbids, it is denied: nothing would flip it.
                return Ok(denied);
            }
        }
        let verdict = self.ask(question, request.agent(), request, Whose::Agents, &mut rehearsal).await?;
        if let Some(denied) = denial(&verdict) {
            return Ok(denied);
        }
        let is_for = self.is_for(request.mode());
        let decision = if verdict.permits.is_empty() {
            let text = format!("no policy permits `{}`", request.action());
            Decision::deny(Reason::new(ReasonKind::NotPermitted, text))
        } else if !is_for {
            let text =
                "nobody delegated to this caller, and policies are not asked for those: see `CedarPolicies::even_in`";
            Decision::deny(Reason::new(ReasonKind::ActorNotAuthorized, text))
        } else {
            permission(&verdict.permits)
        };
        Ok(rehearsal.tell(decision, is_for))
    }

    /// `question` as it is asked of `agent`, which policies call `uid`, and the entities that it is about.
    pub(crate) async fn asked(
        &self,
        question: Question,
        agent: &AgentId,
        uid: &EntityUid,
        request: &AuthzRequest<'_>,
    ) -> Result<(Request, Arc<Entities>), Unaskable> {
        let of = Asked::by(agent, request, question.action(), &self.schema);
        let entities = self.entities.of(of, &self.schema).await;
        let entities = entities.map_err(|Unmade { kind, text }| Unaskable { kind, text })?;
        Ok((question.of(uid)?, entities))
    }

    /// Whether policies can permit callers in this mode anything.
    fn is_for(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Autonomous | Mode::OnBehalfOf) || self.also_in.contains(&mode)
    }

    async fn ask<'p>(
        &'p self,
        question: Question,
        agent: &AgentId,
        request: &AuthzRequest<'_>,
        whose: Whose,
        rehearsal: &mut Rehearsal<'p>,
    ) -> Result<Verdict<'p>, Unaskable> {
        let uid = self.schema.types.agent(agent);
        let (asked, entities) = self.asked(question, agent, &uid, request).await?;
        self.shadow.rehearse(&asked, &uid, &entities, whose, rehearsal);
        Ok(self.enforced.evaluate(&asked, &uid, &entities))
    }
}

/// Whoever else the caller must be allowed to be, beside its agent.
pub(crate) fn others<'r>(caller: &CallerFacts<'r>) -> impl Iterator<Item = Cow<'r, AgentId>> {
    let claimed = |agent: &AgentId| match agent {
        AgentId::Named { name, .. } => name.parse().ok().map(|claimed| Cow::Owned(AgentId::Spiffe(claimed))),
        _ => None,
    };
    let of_holders = caller.holders().iter().flat_map(move |holder| [Some(Cow::Borrowed(holder)), claimed(holder)]);
    std::iter::once(claimed(caller.agent())).chain(of_holders).flatten()
}

/// What forbids, or could not be evaluated.
fn denial(verdict: &Verdict<'_>) -> Option<Decision> {
    let mut decision = None;
    for one in &verdict.forbids {
        let text = one.terms.reason.as_deref().unwrap_or("a policy forbids it");
        let mut reason = Reason::new(ReasonKind::Forbidden, text).of_policy(one.policy.id().as_ref());
        if let Some(message) = &one.terms.message {
            reason = reason.telling(message);
        }
        decision = Some(match decision {
            None => Decision::deny(reason),
            Some(decision) => Decision::because(decision, reason),
        });
    }
    for (one, text) in &verdict.errors {
        let id: &str = one.policy.id().as_ref();
        let told = format!("policy `{id}` could not be evaluated: {text}");
        let reason = Reason::new(ReasonKind::PolicyErred, told.clone()).of_policy(id);
        let denied = decision.unwrap_or_else(|| Decision::deny(reason));
        decision = Some(denied.with_error(Some(id), told));
    }
    decision
}

/// What all that permit say together: each may have its conditions.
fn permission(permits: &[&Loaded]) -> Decision {
    let reason = |one: &Loaded| {
        let text = one.terms.reason.as_deref().unwrap_or("a policy permits it");
        Reason::new(ReasonKind::Permitted, text).of_policy(one.policy.id().as_ref())
    };
    let mut decision: Option<Decision> = None;
    for one in permits {
        let with = match decision {
            None => Decision::allow(reason(one)),
            Some(decision) => decision.because(reason(one)),
        };
        decision = Some(one.terms.obligations.iter().cloned().fold(with, Decision::on_condition_of));
    }
    decision.unwrap_or_else(|| Decision::deny(Reason::new(ReasonKind::NotPermitted, "no policy permits it")))
}

#[async_trait]
impl PolicyEngine for CedarPolicies {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(self.answer(request).await)
    }

    /// Looks ahead. Without the feature `unstable-preview`, only what no policy's scope could match is [`Preview::Never`].
    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        if !self.is_for(request.caller().mode()) {
            return Preview::Never;
        }
        let agents = std::iter::once(Cow::Borrowed(request.caller().agent())).chain(others(request.caller()));
        let set = Set { policies: self.enforced.policies(), schema: &self.schema, entities: &self.entities };
        self.ahead.preview(request, agents, set)
    }

    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version)
    }
}

impl fmt::Debug for CedarPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use cedar_policy::Effect::{Forbid, Permit};
        f.debug_struct("CedarPolicies")
            .field("version", &self.version)
            .field("permits", &self.enforced.count(Permit))
            .field("forbids", &self.enforced.count(Forbid))
            .finish_non_exhaustive()
    }
}
