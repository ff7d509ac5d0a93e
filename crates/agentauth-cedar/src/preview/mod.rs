//! What may possibly be permitted, while the arguments, and maybe the resource, are not known.

#[cfg(feature = "unstable-preview")]
mod partial;
mod scope;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use agentauth_core::AgentId;
use agentauth_core::policy::{Preview, PreviewRequest, PreviewResource};
use cedar_policy::{ActionConstraint, Effect, Entities, EntityUid};

use crate::entities::{Asked, EntityStore};
use crate::index::Loaded;
use crate::names::uid;
use crate::schema::{ActionSchema, PolicySchema};
use scope::{Fit, Target};

/// What it takes to look ahead, made when somebody first does.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    by_action: OnceLock<ByAction>,
    #[cfg(feature = "unstable-preview")]
    partial: OnceLock<Option<partial::Partial>>,
}

/// The set that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set<'s> {
    /// Those in force.
    pub(crate) policies: &'s [Loaded],
    pub(crate) schema: &'s PolicySchema,
    pub(crate) entities: &'s EntityStore,
}

/// Where the policies about each action are among all.
#[derive(Debug)]
struct ByAction {
    these: HashMap<EntityUid, Vec<usize>>,
    any: Vec<usize>,
}

/// Who asks for what, as policies know it.
struct Asking<'s> {
    action: &'s ActionSchema,
    principal: EntityUid,
    /// The agent, and whoever else it must be allowed to be; each with what is known of it, if that is all that will be known
    /// when the action is decided.
    identities: Vec<(EntityUid, Option<Arc<Entities>>)>,
}

impl Ahead {
    /// What the policies in force may say of `request`, whose agent must be allowed to be each of `agents`, itself the first.
    pub(crate) fn preview<'a>(
        &self,
        request: &PreviewRequest<'_>,
        agents: impl Iterator<Item = Cow<'a, AgentId>>,
        set: Set<'_>,
    ) -> Preview {
        let Some((asking, targets)) = ask(request, agents, set) else { return Preview::Never };
        let each = targets.iter().map(|target| self.on(target, &asking, request, set));
        each.reduce(either).unwrap_or(Preview::Never)
    }

    fn on(&self, target: &Target, asking: &Asking<'_>, request: &PreviewRequest<'_>, set: Set<'_>) -> Preview {
        let known = asking.identities.first().and_then(|(_, entities)| entities.as_deref());
        let (mut candidates, mut is_permitted) = (Vec::new(), false);
        let by_action = self.by_action.get_or_init(|| ByAction::of(set));
        for one in by_action.about(&asking.action.uid, set.policies) {
            let fit = scope::fit(&one.policy, &asking.principal, known, target);
            match one.policy.effect() {
                _ if fit == Fit::No => continue,
                Effect::Forbid if fit == Fit::Yes && !one.policy.has_non_scope_constraint() => return Preview::Never,
                Effect::Forbid => {}
                Effect::Permit => is_permitted = true,
            }
            candidates.push(one);
        }
        if is_permitted { self.weigh(&candidates, target, asking, request, set) } else { Preview::Never }
    }

    #[cfg(feature = "unstable-preview")]
    fn weigh(
        &self,
        candidates: &[&Loaded],
        target: &Target,
        asking: &Asking<'_>,
        request: &PreviewRequest<'_>,
        set: Set<'_>,
    ) -> Preview {
        let partial = self.partial.get_or_init(|| partial::Partial::new(set.schema, set.policies));
        let known =
            partial.as_ref().and_then(|partial| partial.preview(candidates, target, asking, request, set.schema));
        known.unwrap_or(Preview::Possibly(None))
    }

    #[cfg(not(feature = "unstable-preview"))]
    #[allow(clippy::unused_self, reason = "there is more to it with the feature")]
    const fn weigh(&self, _: &[&Loaded], _: &Target, _: &Asking<'_>, _: &PreviewRequest<'_>, _: Set<'_>) -> Preview {
        Preview::Possibly(None)
    }
}

impl ByAction {
    fn of(set: Set<'_>) -> Self {
        let mut sorted = Self { these: HashMap::new(), any: Vec::new() };
        for (at, one) in set.policies.iter().enumerate() {
            match one.policy.action_constraint() {
                ActionConstraint::Any => sorted.any.push(at),
                ActionConstraint::Eq(action) => sorted.these.entry(action).or_default().push(at),
                ActionConstraint::In(groups) => {
                    for action in set.schema.actions.values().map(|action| &action.uid) {
                        let above = set.schema.grouped.get(action);
                        if groups.iter().any(|one| one == action || above.is_some_and(|above| above.contains(one))) {
                            sorted.these.entry(action.clone()).or_default().push(at);
                        }
                    }
                }
            }
        }
        sorted
    }

    fn about<'p>(&self, action: &EntityUid, policies: &'p [Loaded]) -> impl Iterator<Item = &'p Loaded> {
        let these = self.these.get(action).into_iter().flatten();
        these.chain(&self.any).filter_map(|at| policies.get(*at))
    }
}

/// Who asks for what, and what it may turn out to be done to; nothing if no such request could be decided, which denies it.
fn ask<'s, 'a>(
    request: &PreviewRequest<'_>,
    agents: impl Iterator<Item = Cow<'a, AgentId>>,
    set: Set<'s>,
) -> Option<(Asking<'s>, Vec<Target>)> {
    let schema = set.schema;
    let action = schema.actions.get(request.action())?;
    let principal = schema.types.principal(request.caller().principal())?;
    if !action.principals.contains(principal.type_name()) {
        return None;
    }
    let known = |uid: EntityUid| action.resources.contains(uid.type_name()).then(|| vec![Target::This(uid)]);
    let targets = match request.resource() {
        PreviewResource::Known(resource) => known(uid(schema.kinds.get(resource.kind())?, resource.id()))?,
        PreviewResource::None => known(uid(&schema.types.server, request.caller().server().as_str()))?,
        _ => action.resources.iter().cloned().map(Target::Some).collect(),
    };
    let mut identities = Vec::new();
    for agent in agents {
        // Where a provider has yet to be asked, nothing is known.
        let entities = set.entities.at_once(Asked::ahead(&agent, request, &action.uid, schema), schema);
        identities.push((schema.types.agent(&agent), entities.transpose().ok()?));
    }
    Some((Asking { action, principal, identities }, targets))
}

/// What is possible where it may turn out to be the one or the other.
fn either(one: Preview, other: Preview) -> Preview {
    match (one, other) {
        (Preview::Never, Preview::Never) => Preview::Never,
        (Preview::Always, Preview::Always) => Preview::Always,
        (Preview::Possibly(left), Preview::Never | Preview::Always)
        | (Preview::Never | Preview::Always, Preview::Possibly(left)) => Preview::Possibly(left),
        (Preview::Possibly(Some(one)), Preview::Possibly(Some(other))) if one != other => {
            Preview::possibly(&format!("{one}\n{other}"))
        }
        (Preview::Possibly(one), Preview::Possibly(other)) => Preview::Possibly(one.or(other)),
        _ => Preview::Possibly(None),
    }
}
