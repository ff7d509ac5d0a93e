//! Cedar's type-aware partial evaluation (experimental there), with arguments that are not known.
//!
//! Cedar takes a context that is known, or one that is not, and of ours only the arguments are not. So policies are evaluated
//! against another schema, in which `context.arguments` is an entity with the same members, about which nothing is known. To a
//! policy both read alike; one to which they do not (it compares arguments as a whole) is taken for one of which nothing is known.

use std::collections::{HashMap, HashSet};

use agentauth_core::policy::{MAX_RESIDUAL_BYTES, Preview, PreviewRequest};
use cedar_policy::{
    Context, Effect, Entities, EntityUid, PartialEntities, PartialEntity, PartialEntityUid, PartialRequest, Policy,
    PolicyId, PolicySet, RestrictedExpression, Schema, TpeResponse, ValidationMode, Validator,
};
use serde_json::Value;

use super::{Asking, Target};
use crate::index::Loaded;
use crate::names::uid;
use crate::request::{datetime, delegation};
use crate::schema::PolicySchema;

/// Cedar checks the type of each policy that it evaluates so. Of more than these, which no list of tools can wait for, nothing
/// is said.
const MAX_CANDIDATES: usize = 1000;

/// Residuals nested deeper than this are not looked into.
const MAX_DEPTH: usize = 64;

/// What a policy's arguments are called, as an entity.
const ARGUMENTS: &str = "arguments";

#[derive(Debug)]
pub(super) struct Partial {
    schema: Schema,
    /// What stands for the arguments of each action.
    arguments: HashMap<EntityUid, EntityUid>,
    /// Policies that are not well-typed where arguments are an entity.
    opaque: HashSet<PolicyId>,
}

/// What became of the candidates for one identity.
#[derive(Default)]
struct Weighed {
    /// Whatever is not known yet, it is denied.
    denied: bool,
    may_permit: bool,
    /// Something permits, without a condition.
    permits: bool,
    /// Something is left to be decided.
    open: bool,
    left: String,
}

impl Partial {
    /// Nothing if the schema cannot be put so.
    pub(super) fn new(schema: &PolicySchema, policies: &[Loaded]) -> Option<Self> {
        let (json, kinds) = schema.with_argument_entities()?;
        let cedar = Schema::from_json_value(json).ok()?;
        let mut all = PolicySet::new();
        policies.iter().for_each(|one| _ = all.add(one.policy.clone()));
        let checked = Validator::new(cedar.clone()).validate(&all, ValidationMode::Strict);
        let opaque = checked.validation_errors().map(|error| error.policy_id().clone()).collect();
        let named = |(action, kind)| (action, uid(&kind, ARGUMENTS));
        Some(Self { schema: cedar, arguments: kinds.into_iter().map(named).collect(), opaque })
    }

    /// What is left of `candidates`, among which is one that permits. Nothing if Cedar cannot tell.
    pub(super) fn preview(
        &self,
        candidates: &[&Loaded],
        target: &Target,
        asking: &Asking<'_>,
        request: &PreviewRequest<'_>,
        schema: &PolicySchema,
    ) -> Option<Preview> {
        if candidates.len() > MAX_CANDIDATES {
            return None;
        }
        // An entity of which nothing is known yet may be refused.
        let is_told = schema.entity(target.kind()).is_none_or(|known| known.tells);
        let mut is_certain = !matches!(target, Target::Some(_)) || !is_told;
        let mut left = String::new();
        for (at, (agent, entities)) in asking.identities.iter().enumerate() {
            let weighed = self.weigh(candidates, target, asking, agent, entities.as_deref(), request, schema)?;
            // Of another identity counts what forbids, and what errs.
            if weighed.denied || (at == 0 && !weighed.may_permit) {
                return Some(Preview::Never);
            }
            is_certain &= entities.is_some() && !weighed.open && (at > 0 || weighed.permits);
            left.push_str(&weighed.left);
        }
        Some(if is_certain { Preview::Always } else { Preview::possibly(left.trim_end()) })
    }

    #[allow(clippy::too_many_arguments, reason = "each is a part of one question")]
    fn weigh(
        &self,
        candidates: &[&Loaded],
        target: &Target,
        asking: &Asking<'_>,
        agent: &EntityUid,
        entities: Option<&Entities>,
        request: &PreviewRequest<'_>,
        schema: &PolicySchema,
    ) -> Option<Weighed> {
        let arguments = self.arguments.get(&asking.action.uid)?;
        let (opaque, clear): (Vec<&Loaded>, Vec<&Loaded>) =
            candidates.iter().partition(|one| self.opaque.contains(one.policy.id()));
        let mut policies = PolicySet::new();
        for one in &clear {
            policies.add(one.policy.clone()).ok()?;
        }
        let resource = match target {
            Target::This(uid) => PartialEntityUid::from_concrete(uid.clone()),
            Target::Some(kind) => PartialEntityUid::new(kind.clone(), None),
        };
        let principal = PartialEntityUid::from_concrete(asking.principal.clone());
        let context = context(agent, arguments, request, schema)?;
        let asked =
            PartialRequest::new(principal, asking.action.uid.clone(), resource, Some(context), &self.schema).ok()?;
        let known = self.known(entities, arguments)?;
        let response = policies.tpe(&asked, &known, &self.schema).ok()?;
        Some(weighed(&response, &clear, &opaque, &arguments.to_string()))
    }

    /// Those of whom all is known; and the arguments, of which nothing is.
    fn known(&self, entities: Option<&Entities>, arguments: &EntityUid) -> Option<PartialEntities> {
        let mut known =
            vec![PartialEntity::new(arguments.clone(), None, Some(HashSet::new()), None, &self.schema).ok()?];
        for entity in entities.into_iter().flat_map(Entities::iter) {
            // What actions are in stands in the schema.
            if self.arguments.contains_key(&entity.uid()) {
                continue;
            }
            let (uid, attributes, ancestors) = entity.clone().into_inner();
            let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
            known.push(PartialEntity::new(uid, Some(attributes), Some(ancestors), None, &self.schema).ok()?);
        }
        PartialEntities::from_partial_entities(known, &self.schema).ok()
    }
}

fn context(
    agent: &EntityUid,
    arguments: &EntityUid,
    request: &PreviewRequest<'_>,
    schema: &PolicySchema,
) -> Option<Context> {
    let caller = request.caller();
    let server = uid(&schema.types.server, caller.server().as_str());
    let entity = |uid: &EntityUid| RestrictedExpression::new_entity_uid(uid.clone());
    let pairs = [
        ("agent", entity(agent)),
        ("arguments", entity(arguments)),
        ("delegation", delegation(caller, &schema.types).ok()?),
        ("server", entity(&server)),
        ("now", datetime(request.now())),
    ];
    Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).ok()
}

fn weighed(response: &TpeResponse<'_>, clear: &[&Loaded], opaque: &[&Loaded], arguments: &str) -> Weighed {
    let permits: HashSet<&PolicyId> = response.true_permits().collect();
    let has_terms = |one: &&Loaded| permits.contains(one.policy.id()) && !one.terms.obligations.is_empty();
    // A policy that errs denies.
    let errs = response.error_permits().chain(response.error_forbids()).next().is_some();
    let mut weighed = Weighed {
        denied: errs || response.true_forbids().next().is_some(),
        may_permit: !permits.is_empty() || opaque.iter().any(|one| one.policy.effect() == Effect::Permit),
        permits: !permits.is_empty() && !clear.iter().any(has_terms),
        open: !opaque.is_empty(),
        left: String::new(),
    };
    for residual in response.residual_policies() {
        weighed.open = true;
        let body = body(&residual).unwrap_or(Value::Null);
        match residual.effect() {
            Effect::Permit => weighed.may_permit |= may_be(&body, true, MAX_DEPTH),
            // It is true, or errs.
            Effect::Forbid => weighed.denied |= !may_be(&body, false, MAX_DEPTH),
        }
        show(&residual.to_string().replace(arguments, "context.arguments"), &mut weighed.left);
    }
    opaque.iter().for_each(|one| show(&one.policy.to_string(), &mut weighed.left));
    weighed
}

/// Adds a policy to those that are shown, if there is room.
fn show(policy: &str, left: &mut String) {
    if left.len() < MAX_RESIDUAL_BYTES {
        left.push_str(policy);
        left.push('\n');
    }
}

/// The condition of a residual, in Cedar's JSON form.
fn body(residual: &Policy) -> Option<Value> {
    let mut json = residual.to_json().ok()?;
    json.pointer_mut("/conditions/0/body").map(Value::take)
}

/// Whether an expression can come out as `value`, and not only as the opposite or as an error. What is not looked into can.
fn may_be(expression: &Value, value: bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    let Some((operator, of)) = expression.as_object().and_then(|members| members.iter().next()) else { return true };
    let part = |name: &str, value| of.get(name).is_none_or(|part| may_be(part, value, depth));
    match (operator.as_str(), value) {
        ("Value", value) => of.as_bool().is_none_or(|is| is == value),
        ("error", _) => false,
        ("&&", true) | ("||", false) => part("left", value) && part("right", value),
        ("&&", false) | ("||", true) => part("left", value) || part("right", value),
        ("!", value) => part("arg", !value),
        ("if-then-else", value) => {
            (part("if", true) && part("then", value)) || (part("if", false) && part("else", value))
        }
        _ => true,
    }
}
