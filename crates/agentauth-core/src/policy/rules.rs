//! The built-in rules: for those who need no policy language.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};

use super::limit::Limit;
use super::nearest::Nearest;
use super::obligation::MIN_APPROVAL_LIFETIME;
use super::pattern::{Agents, Principals, Resources};
use super::{
    ApprovalTerms, AuthzRequest, Decision, Effect, MAX_APPROVAL_LIFETIME, PolicyEngine, PolicyError, Reason, ReasonKind,
};
use crate::delegation::Mode;
use crate::random::hex;
use crate::text::Excerpt;

/// One rule: it allows or denies when all of its parts match.
///
/// Every part must be stated, so that a forgotten one is an error and not "everything".
///
/// ```
/// use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
///
/// let rules = Rules::new([
///     Rule::allow("lawyers-file-for-alice")
///         .agents(Agents::below("spiffe://court.example/agent/lawyer")?)
///         .principals(Principals::exactly("https://sts.court.example", "alice")?)
///         .action("motions:file")
///         .resources(Resources::exactly("case", "2026-17"))
///         .argument("title", Limit::max_length(200))
///         .argument("fee", Limit::between(0, 500)),
///     Rule::deny("nobody-seals")
///         .agents(Agents::any())
///         .principals(Principals::any())
///         .action("records:seal")
///         .resources(Resources::any()),
/// ])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Rule {
    id: Box<str>,
    effect: Effect,
    agents: Option<Agents>,
    principals: Option<Principals>,
    action: Option<Box<str>>,
    resources: Option<Resources>,
    /// These arguments, and no others, may be given.
    arguments: BTreeMap<Box<str>, Limit>,
    any_arguments: bool,
    /// For which modes it is, beside those in which an agent acts for itself or by delegation.
    also_in: Vec<Mode>,
    /// For how long a human's approval counts, where one is needed.
    approval: Option<Duration>,
}

/// A set of rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A rule leaves one of its parts open.
    #[error("rule `{rule}` does not say which {part} it is for; say any() if it is for all")]
    Incomplete {
        /// The rule.
        rule: Box<str>,
        /// The part that is missing.
        part: &'static str,
    },
    /// Two rules have one name, so the record could not tell them apart.
    #[error("rule `{0}` stands twice")]
    Duplicate(Box<str>),
    /// An explicit deny looks at arguments: an argument left out would slip past it.
    #[error("deny rule `{0}` has argument limits; state what is allowed instead")]
    DenyWithArguments(Box<str>),
    /// An explicit deny that asks for approval: it would not be one.
    #[error("deny rule `{0}` needs approval; make it a rule that allows, or leave needs_approval out")]
    DenyWithApproval(Box<str>),
    /// Nobody could approve in time, or what was approved would count for too long.
    #[error("rule `{0}` has an approval that does not last between a second and 7 days")]
    ApprovalLifetime(Box<str>),
}

impl Rule {
    /// A rule that allows.
    pub fn allow(id: &str) -> Self {
        Self::new(id, Effect::Allow)
    }

    /// A rule that denies, whatever other rules allow. It is also for those that its agents have passed authority on to offline
    /// (feature `unstable-chain`).
    pub fn deny(id: &str) -> Self {
        Self::new(id, Effect::Deny)
    }

    /// Which agents.
    pub fn agents(mut self, agents: Agents) -> Self {
        self.agents = Some(agents);
        self
    }

    /// On whose behalf.
    pub fn principals(mut self, principals: Principals) -> Self {
        self.principals = Some(principals);
        self
    }

    /// Which action, by its exact name.
    pub fn action(mut self, name: &str) -> Self {
        self.action = Some(name.into());
        self
    }

    /// On which resources.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Within which limit the argument `name` must be. An argument that has a limit must be given, and one that has
    /// none must not be.
    pub fn argument(mut self, name: &str, limit: Limit) -> Self {
        self.arguments.insert(name.into(), limit);
        self
    }

    /// Lets the action have any arguments at all. Without this, and without limits, it must have none.
    pub const fn any_arguments(mut self) -> Self {
        self.any_arguments = true;
        self
    }

    /// Lets the rule allow clients that hold a principal's token without a word about delegation
    /// ([`Mode::ClientOnly`]): plain OAuth, where the client is whatever its user lets it be. A rule that denies
    /// covers them in any case.
    pub fn even_client_only(self) -> Self {
        self.even_in(Mode::ClientOnly)
    }

    /// Lets the rule allow whoever took over a principal's session ([`Mode::Impersonation`]): the principal did not ask
    /// for it. A rule that denies covers them in any case.
    pub fn even_impersonation(self) -> Self {
        self.even_in(Mode::Impersonation)
    }

    /// Lets the rule allow agents that act through an account of their own ([`Mode::AgentAccount`]). Say for which:
    /// [`Principals::itself`], or one account. A rule that denies covers them in any case.
    pub fn even_agent_account(self) -> Self {
        self.even_in(Mode::AgentAccount)
    }

    /// Lets the rule allow only once a human has approved the very action, which must be approved and done within
    /// `lifetime` after it was first asked for: see [`approval`](crate::approval).
    ///
    /// Where several rules fit, one that needs approval outweighs those that need none, in any order: a wider rule that
    /// is added later must not do away with the human. Keep them apart by their limits; where they are not, the record
    /// names both.
    ///
    /// ```
    /// # use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
    /// # use std::time::Duration;
    /// # let refunds = |id| Rule::allow(id).agents(Agents::any()).principals(Principals::any()).action("refunds:pay")
    /// #     .resources(Resources::any());
    /// let rules = Rules::new([
    ///     refunds("small").argument("amount", Limit::between(1, 100)),
    ///     refunds("large").argument("amount", Limit::between(101, 5000)).needs_approval(Duration::from_secs(3600)),
    /// ])?;
    /// # Ok::<(), agentauth_core::policy::RulesError>(())
    /// ```
    pub const fn needs_approval(mut self, lifetime: Duration) -> Self {
        self.approval = Some(lifetime);
        self
    }

    fn even_in(mut self, mode: Mode) -> Self {
        if !self.also_in.contains(&mode) {
            self.also_in.push(mode);
        }
        self
    }

    fn new(id: &str, effect: Effect) -> Self {
        Self {
            id: id.into(),
            effect,
            agents: None,
            principals: None,
            action: None,
            resources: None,
            arguments: BTreeMap::new(),
            any_arguments: false,
            also_in: Vec::new(),
            approval: None,
        }
    }

    fn complete(self) -> Result<CompleteRule, RulesError> {
        let missing = |part| RulesError::Incomplete { rule: self.id.clone(), part };
        let agents = self.agents.ok_or_else(|| missing("agents"))?;
        let principals = self.principals.ok_or_else(|| missing("principals"))?;
        let action = self.action.ok_or_else(|| missing("action"))?;
        let resources = self.resources.ok_or_else(|| missing("resources"))?;
        if self.effect == Effect::Deny && !self.arguments.is_empty() {
            return Err(RulesError::DenyWithArguments(self.id));
        }
        if self.effect == Effect::Deny && self.approval.is_some() {
            return Err(RulesError::DenyWithApproval(self.id));
        }
        let lifetimes = MIN_APPROVAL_LIFETIME..=MAX_APPROVAL_LIFETIME;
        if self.approval.is_some_and(|lifetime| !lifetimes.contains(&lifetime)) {
            return Err(RulesError::ApprovalLifetime(self.id));
        }
        Ok(CompleteRule {
            id: self.id,
            effect: self.effect,
            agents,
            principals,
            action,
            resources,
            arguments: self.arguments,
            any_arguments: self.any_arguments,
            also_in: self.also_in,
            approval: self.approval.map(ApprovalTerms::within),
        })
    }
}

#[derive(Debug)]
struct CompleteRule {
    id: Box<str>,
    effect: Effect,
    agents: Agents,
    principals: Principals,
    action: Box<str>,
    resources: Resources,
    arguments: BTreeMap<Box<str>, Limit>,
    any_arguments: bool,
    also_in: Vec<Mode>,
    approval: Option<ApprovalTerms>,
}

/// The built-in policy engine: a list of rules. What no rule allows is denied; an explicit deny wins; and of those that
/// allow, one that needs approval wins.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<CompleteRule>,
    version: Arc<str>,
}

impl Rules {
    /// Checks `rules` and puts them into force.
    ///
    /// # Errors
    /// [`RulesError`], with the name of the rule.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RulesError> {
        let mut complete: Vec<CompleteRule> = Vec::new();
        for rule in rules {
            if complete.iter().any(|known| known.id == rule.id) {
                return Err(RulesError::Duplicate(rule.id));
            }
            complete.push(rule.complete()?);
        }
        // The debug form spells out every part of every rule, so it changes whenever what is permitted does.
        let version = Arc::from(hex(digest(&SHA256, format!("{complete:?}").as_bytes()).as_ref()));
        Ok(Self { rules: complete, version })
    }

    fn answer(&self, request: &AuthzRequest<'_>) -> Decision {
        let mut nearest = Nearest::NoPair;
        let mut allowed = None;
        let mut on_approval: Vec<&CompleteRule> = Vec::new();
        for rule in &self.rules {
            if !rule.is_about(request) {
                continue;
            }
            let target = *rule.action == *request.action && rule.resources.contains(request.resource);
            match (rule.effect, target) {
                (Effect::Deny, true) => return rule.denies(),
                (Effect::Allow, true) => match rule.refused_argument(request) {
                    None if rule.approval.is_some() => on_approval.push(rule),
                    None => allowed = allowed.or(Some(rule)),
                    Some(argument) => nearest = nearest.max(Nearest::Argument(rule.id.clone(), argument)),
                },
                (Effect::Allow, false) => nearest = nearest.max(Nearest::Pair),
                (Effect::Deny, false) => {}
            }
        }
        match (on_approval.split_first(), allowed) {
            (Some((first, others)), allowed) => {
                let decision = others.iter().fold(first.allows(), |decision, rule| rule.also_allows(decision));
                allowed.into_iter().fold(decision, |decision, rule| rule.also_allows(decision))
            }
            (None, Some(rule)) => rule.allows(),
            (None, None) => nearest.denies(request),
        }
    }
}

#[async_trait]
impl PolicyEngine for Rules {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(self.answer(request))
    }

    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version)
    }
}

impl CompleteRule {
    fn allows(&self) -> Decision {
        self.on_its_terms(Decision::allow(self.reason()))
    }

    /// Beside another rule, which needs approval.
    fn also_allows(&self, decision: Decision) -> Decision {
        self.on_its_terms(decision.because(self.reason()))
    }

    fn on_its_terms(&self, decision: Decision) -> Decision {
        match self.approval {
            Some(terms) => decision.needing_approval(terms),
            None => decision,
        }
    }

    fn reason(&self) -> Reason {
        let text =
            if self.approval.is_some() { "a rule allows it with a human's approval" } else { "a rule allows it" };
        Reason::new(ReasonKind::Permitted, text).of_policy(&self.id)
    }

    fn denies(&self) -> Decision {
        Decision::deny(Reason::new(ReasonKind::Forbidden, "a rule denies it").of_policy(&self.id))
    }

    /// Whether this rule is about this agent acting for this principal, in this capacity.
    fn is_about(&self, request: &AuthzRequest<'_>) -> bool {
        match self.effect {
            Effect::Deny => {
                // A holder could call a key of its own by any name: what is denied to it is denied to its delegates.
                let mut agents = std::iter::once(request.agent()).chain(request.caller.holders);
                self.principals.covers(request.principal()) && agents.any(|agent| self.agents.covers(agent))
            }
            Effect::Allow => {
                self.principals.contains(request.principal())
                    && self.agents.contains(request.agent())
                    && self.is_for(request.mode())
            }
        }
    }

    /// Every rule that allows is for agents that act for themselves, or because someone delegated to them; what shows
    /// no delegation must be named.
    fn is_for(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Autonomous | Mode::OnBehalfOf) || self.also_in.contains(&mode)
    }

    /// The first argument that keeps this rule from applying: outside its limit, missing, or not foreseen.
    fn refused_argument(&self, request: &AuthzRequest<'_>) -> Option<Box<str>> {
        let outside = self
            .arguments
            .iter()
            .find(|(name, limit)| !request.arguments.get(name).is_some_and(|value| limit.contains(value)))
            .map(|(name, limit)| format!("argument `{name}` is not {limit}").into());
        outside.or_else(|| {
            if self.any_arguments {
                return None;
            }
            let unforeseen = request.arguments.names().find(|name| !self.arguments.contains_key(*name));
            unforeseen.map(|name| format!("argument `{}` is not foreseen", Excerpt::of(name)).into())
        })
    }
}
