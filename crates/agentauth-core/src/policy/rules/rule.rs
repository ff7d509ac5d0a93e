use std::collections::BTreeMap;
use std::time::Duration;

use super::RulesError;
use super::complete::CompleteRule;
use crate::delegation::Mode;
use crate::policy::obligation::MIN_APPROVAL_LIFETIME;
use crate::policy::{
    Agents, ApprovalTerms, Effect, Limit, MAX_APPROVAL_LIFETIME, MAX_PUBLIC_TEXT_BYTES, Obligation, Principals,
    Resources,
};

/// One rule: it allows or denies when all of its parts match.
///
/// Every part must be stated, so that a forgotten one is an error and not "everything". People write rules in files:
/// `Rules::from_toml`, [`Rules::from_json`](super::Rules::from_json).
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
    actions: Vec<Box<str>>,
    resources: Option<Resources>,
    /// These arguments, and no others, may be given.
    arguments: BTreeMap<Box<str>, Limit>,
    any_arguments: bool,
    /// For which modes it is, beside those in which an agent acts for itself or by delegation.
    also_in: Vec<Mode>,
    /// For how long a human's approval counts, where one is needed.
    approval: Option<Duration>,
    conditions: Vec<Obligation>,
    /// What callers are told whom it denies.
    telling: Option<Box<str>>,
    shadow: bool,
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
    pub fn action(self, name: &str) -> Self {
        self.actions([name])
    }

    /// Which actions, each by its exact name.
    pub fn actions<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.actions = names.into_iter().map(Into::into).collect();
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

    /// Lets the rule allow only once `obligation` is met, beside others. Where several rules fit, those with conditions
    /// outweigh those without, and the conditions of all of them must be met.
    pub fn on_condition_of(mut self, obligation: Obligation) -> Self {
        self.conditions.push(obligation);
        self
    }

    /// Tells `public` to the caller whom this rule denies, or would allow with other arguments: one sentence, of at most
    /// [`MAX_PUBLIC_TEXT_BYTES`] bytes. Without it, callers are told nothing.
    pub fn telling(mut self, public: &str) -> Self {
        self.telling = Some(public.into());
        self
    }

    /// Only rehearses the rule: it allows and denies nothing, and a decision says if it would have been another with this
    /// rule in force ([`Decision::would_flip`](crate::Decision::would_flip)).
    pub const fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    pub(super) fn even_in(mut self, mode: Mode) -> Self {
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
            actions: Vec::new(),
            resources: None,
            arguments: BTreeMap::new(),
            any_arguments: false,
            also_in: Vec::new(),
            approval: None,
            conditions: Vec::new(),
            telling: None,
            shadow: false,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Checks that every part is stated and makes sense.
    pub(super) fn complete(self) -> Result<CompleteRule, RulesError> {
        let missing = |part| RulesError::Incomplete { rule: self.id.clone(), part };
        let agents = self.agents.ok_or_else(|| missing("agents"))?;
        let principals = self.principals.ok_or_else(|| missing("principals"))?;
        if self.actions.is_empty() {
            return Err(missing("action"));
        }
        let resources = self.resources.ok_or_else(|| missing("resources"))?;
        if self.effect == Effect::Deny && !self.arguments.is_empty() {
            return Err(RulesError::DenyWithArguments(self.id));
        }
        let lifetimes = MIN_APPROVAL_LIFETIME..=MAX_APPROVAL_LIFETIME;
        if self.approval.is_some_and(|lifetime| !lifetimes.contains(&lifetime)) {
            return Err(RulesError::ApprovalLifetime(self.id));
        }
        let approval = self.approval.map(|lifetime| Obligation::Approval(ApprovalTerms::within(lifetime)));
        let conditions: Vec<Obligation> = approval.into_iter().chain(self.conditions).collect();
        let lasts = |terms: &ApprovalTerms| lifetimes.contains(&terms.lifetime());
        for condition in &conditions {
            match condition {
                Obligation::Approval(_) if self.effect == Effect::Deny => {
                    return Err(RulesError::DenyWithApproval(self.id));
                }
                _ if self.effect == Effect::Deny => return Err(RulesError::DenyWithCondition(self.id)),
                Obligation::Approval(terms) if !lasts(terms) => return Err(RulesError::ApprovalLifetime(self.id)),
                _ => {}
            }
        }
        let can_be_told =
            |text: &str| !text.is_empty() && text.len() <= MAX_PUBLIC_TEXT_BYTES && !text.chars().any(char::is_control);
        if self.telling.as_deref().is_some_and(|text| !can_be_told(text)) {
            return Err(RulesError::Telling(self.id));
        }
        Ok(CompleteRule {
            id: self.id,
            effect: self.effect,
            agents,
            principals,
            actions: self.actions,
            resources,
            arguments: self.arguments,
            any_arguments: self.any_arguments,
            also_in: self.also_in,
            conditions,
            telling: self.telling,
            shadow: self.shadow,
        })
    }
}
