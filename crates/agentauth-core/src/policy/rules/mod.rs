//! The built-in rules: for those who need no policy language.

mod complete;
mod error;
mod file;
mod index;
mod nearest;
#[cfg(test)]
mod oracle;
mod preview;
mod rule;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};

use self::complete::CompleteRule;
pub use self::error::RulesError;
pub use self::file::MAX_RULES_BYTES;
use self::index::{Index, Keys, Pairs, Sought};
use self::nearest::Nearest;
pub use self::rule::Rule;
use super::{
    AuthzRequest, Decision, Effect, PolicyEngine, PolicyError, Preview, PreviewRequest, PreviewResource, WouldFlip,
};
use crate::random::hex;

/// The built-in policy engine: rules. What no rule allows is denied; an explicit deny wins; and of those that allow, those
/// with conditions, such as a human's approval, win.
///
/// However many rules there are, a request is compared with those only that are for its action, agent, principal and
/// resource. Of a pattern of agents, what stands before the first wildcard counts for that.
pub struct Rules {
    rules: Vec<CompleteRule>,
    keys: Keys,
    enforced: Part,
    shadow: Part,
    pairs: Pairs,
    version: Arc<str>,
}

/// The rules of one mode.
#[derive(Debug)]
struct Part {
    allow: Index,
    deny: Index,
}

impl Rules {
    /// Checks `rules` and puts them into force.
    ///
    /// # Errors
    /// [`RulesError`], with the name of the rule.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RulesError> {
        let (mut complete, mut known) = (Vec::new(), HashSet::<Box<str>>::new());
        for rule in rules {
            if !known.insert(rule.id().into()) {
                return Err(RulesError::Duplicate(rule.id().into()));
            }
            complete.push(rule.complete()?);
        }
        Ok(Self::of(complete))
    }

    /// Puts rules into force whose ids have been found to differ.
    fn of(rules: Vec<CompleteRule>) -> Self {
        // The debug form spells out every part of every rule, so it changes whenever what is permitted does.
        let version = Arc::from(hex(digest(&SHA256, format!("{rules:?}").as_bytes()).as_ref()));
        let keys = Keys::for_rules(&rules);
        let (enforced, shadow) = (Part::of(&keys, &rules, false), Part::of(&keys, &rules, true));
        let pairs = Pairs::of(&keys, &rules);
        Self { rules, keys, enforced, shadow, pairs, version }
    }

    fn answer(&self, request: &AuthzRequest<'_>) -> Decision {
        let resource = request.resource.map_or(PreviewResource::None, PreviewResource::Known);
        let sought = self.keys.of(&request.caller, request.action, resource);
        // A rule that denies is for those too that the agent has its authority from.
        let with_holders = self.keys.with_holders(&sought, request.caller.holders);
        if let Some(rule) = self.matching(&self.enforced.deny, &with_holders, request).next() {
            return rule.denies();
        }
        let decision = self.permission(&sought, request);
        if self.shadow.is_empty() {
            return decision;
        }
        let (index, sought, to) = match decision.effect() {
            Effect::Allow => (&self.shadow.deny, &*with_holders, Effect::Deny),
            Effect::Deny => (&self.shadow.allow, &sought, Effect::Allow),
        };
        let takes = |rule: &&CompleteRule| rule.effect == Effect::Deny || rule.refused(request.arguments).is_none();
        let flips = self.matching(index, sought, request).filter(takes);
        flips.fold(decision, |decision, rule| decision.with_flip(WouldFlip::new(rule.id.clone(), to)))
    }

    /// What the rules that allow say together.
    fn permission(&self, sought: &Sought, request: &AuthzRequest<'_>) -> Decision {
        let mut nearest = Nearest::NoPair;
        let mut allowed = None;
        let mut on_conditions: Vec<&CompleteRule> = Vec::new();
        for rule in self.matching(&self.enforced.allow, sought, request) {
            // One that allows without a condition is enough.
            if allowed.is_some() && rule.conditions.is_empty() {
                continue;
            }
            match rule.refused(request.arguments) {
                None if !rule.conditions.is_empty() => on_conditions.push(rule),
                None => allowed = Some(rule),
                Some(refused) => nearest = nearest.or_argument(rule, refused),
            }
        }
        match (on_conditions.split_first(), allowed) {
            (Some((first, others)), allowed) => {
                let decision = others.iter().fold(first.allows(), |decision, rule| rule.also_allows(decision));
                allowed.into_iter().fold(decision, |decision, rule| rule.also_allows(decision))
            }
            (None, Some(rule)) => rule.allows(),
            (None, None) => {
                let is_pair = || self.these(self.pairs.find(sought)).any(|rule| rule.is_about(&request.caller));
                nearest.or_pair(is_pair).denies(request)
            }
        }
    }

    /// The rules of `index` that are about the caller, the action and the resource of `request`, in their order.
    fn matching<'r>(
        &'r self,
        index: &Index,
        sought: &Sought,
        request: &AuthzRequest<'_>,
    ) -> impl Iterator<Item = &'r CompleteRule> {
        let is_match =
            |rule: &&CompleteRule| rule.has_target(request.action, request.resource) && rule.is_about(&request.caller);
        self.these(index.find(sought)).filter(is_match)
    }

    fn these(&self, numbers: impl IntoIterator<Item = index::Number>) -> impl Iterator<Item = &CompleteRule> {
        numbers.into_iter().filter_map(|number| self.rules.get(usize::try_from(number).ok()?))
    }
}

impl Part {
    fn of(keys: &Keys, rules: &[CompleteRule], shadow: bool) -> Self {
        let of = |effect| {
            Index::of(keys, (0..).zip(rules).filter(move |(_, rule)| rule.shadow == shadow && rule.effect == effect))
        };
        Self { allow: of(Effect::Allow), deny: of(Effect::Deny) }
    }

    fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

#[async_trait]
impl PolicyEngine for Rules {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        Ok(self.answer(request))
    }

    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        self.look_ahead(request)
    }

    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("version", &self.version)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}
