//! Evaluates policies piece by piece.

use std::str::FromStr as _;
use std::sync::Arc;

use agentauth_core::AgentId;
use agentauth_core::policy::{AuthzRequest, Place};
use cedar_policy::{Entities, EntityUid, EvalResult, Expression, Request, eval_expression};

use super::{Outcome, Value, Weighed, WeighedPart};
use crate::engine::CedarPolicies;
use crate::listed::listed;
use crate::named::Written;
use crate::names::agent_name;
use crate::request::Question;
use crate::syntax::{Expr, Kind, Span};

/// A condition speaks of more than this only if people have ceased to read it.
const MAX_VALUES: usize = 4;

/// Longer values are cut.
const MAX_VALUE_CHARS: usize = 120;

/// A request of one agent, as Cedar sees it.
pub(super) struct Scales {
    agent: Box<str>,
    request: Request,
    entities: Arc<Entities>,
}

/// A policy's scope, or one of its conditions.
struct Piece<'p> {
    unless: bool,
    expr: &'p Expr,
    is_action: bool,
}

impl Scales {
    /// Nothing, where policies cannot be asked.
    pub(super) async fn of(policies: &CedarPolicies, request: &AuthzRequest<'_>, agent: &AgentId) -> Option<Self> {
        let schema = policies.schema();
        let question = Question::new(request, schema, true).ok()?;
        let (request, entities) =
            policies.asked(question, agent, &policies.schema().types.agent(agent), request).await.ok()?;
        Some(Self { agent: agent_name(agent).into(), request, entities })
    }

    fn evaluate(&self, text: &str) -> Result<EvalResult, String> {
        let expression = Expression::from_str(text).map_err(|error| error.to_string())?;
        eval_expression(&self.request, &self.entities, &expression).map_err(|error| error.to_string())
    }

    fn weigh(&self, policy: &Written<'_>) -> Weighed {
        let mut reached = true;
        let parts = pieces(policy).into_iter().map(|piece| {
            let outcome = match self.evaluate(policy.of(piece.expr.span)) {
                Ok(EvalResult::Bool(holds)) if holds != piece.unless => Outcome::Met,
                Ok(_) => Outcome::NotMet,
                // What stands behind a guard is not evaluated where the guard fails.
                Err(_) if !reached => Outcome::NotReached,
                Err(text) => Outcome::Errs(text.into()),
            };
            reached &= outcome == Outcome::Met;
            self.part(policy, &piece, outcome)
        });
        Weighed {
            policy: policy.id.clone(),
            permits: policy.text.permits,
            file: policy.source.name.clone(),
            line: place(policy, policy.text.effect).line,
            applies_to: None,
            parts: parts.collect(),
        }
    }

    fn part(&self, policy: &Written<'_>, piece: &Piece<'_>, outcome: Outcome) -> WeighedPart {
        let mut paths: Vec<&str> = piece.expr.paths().into_iter().map(|path| policy.of(path.span)).collect();
        paths.dedup();
        let values = paths.into_iter().take(MAX_VALUES).filter_map(|path| {
            let value = shown(&self.evaluate(path).ok()?);
            Some(Value { path: path.split_whitespace().collect::<String>().into(), value: value.into() })
        });
        let help = match outcome {
            Outcome::NotMet => self.help(policy, piece),
            _ => None,
        };
        WeighedPart {
            text: policy.of(piece.expr.span).into(),
            unless: piece.unless,
            place: place(policy, piece.expr.span),
            values: values.collect(),
            help: help.map(Into::into),
            outcome,
        }
    }

    /// What would be needed for one piece.
    fn help(&self, policy: &Written<'_>, piece: &Piece<'_>) -> Option<String> {
        let text = |expr: &Expr| policy.of(expr.span).to_owned();
        if piece.unless {
            return Some("it stands in `unless`, and must not hold".into());
        }
        if let Some(argument) = piece.expr.first_argument() {
            let name = argument.path().and_then(|path| path.get(2).map(|name| format!("another `{name}`")));
            let name = name.unwrap_or_else(|| "other arguments".into());
            return Some(match &piece.expr.kind {
                Kind::Has(_) => {
                    format!("give the argument `{}`", text(piece.expr).rsplit(' ').next().unwrap_or_default())
                }
                _ => format!("call it with {name}, or change this condition"),
            });
        }
        match &piece.expr.kind {
            _ if piece.is_action => Some("the policy is for another action: add this one, `action in [...]`".into()),
            Kind::Binary("in", left, right) | Kind::Is(left, Some(right)) => {
                Some(self.help_in(&text(left), &text(right), right))
            }
            Kind::Binary("==", left, right) => Some(format!(
                "the policy is for `{}` alone: ask as that, or name `{}` here",
                text(right),
                self.value_of(left, policy)
            )),
            _ => None,
        }
    }

    /// What would be needed where `left` is not in `right`.
    fn help_in(&self, left: &str, right: &str, group: &Expr) -> String {
        let parents = self.parents(left).unwrap_or_default();
        let names = listed(parents.iter().map(String::as_str));
        // What is in these is so by its name.
        let by_name = match &group.kind {
            Kind::Entity(kind) => matches!(&**kind, "SpiffePath" | "TrustDomain" | "Issuer" | "Subject"),
            _ => false,
        };
        match (by_name, parents.is_empty()) {
            (true, false) => format!("`{left}` is in {names}: if it is meant, name one of those here"),
            (true, true) => format!("nothing that `{left}` is called puts it there"),
            (false, false) => {
                format!("put `{left}` into `{right}` where groups are kept; it is in {names}, and no more")
            }
            (false, true) => format!("put `{left}` into `{right}` where groups are kept; it is in none"),
        }
    }

    fn value_of(&self, expr: &Expr, policy: &Written<'_>) -> String {
        let text = policy.of(expr.span);
        self.evaluate(text).map_or_else(|_| text.to_owned(), |value| shown(&value))
    }

    /// What the entity that `text` stands for is in.
    fn parents(&self, text: &str) -> Option<Vec<String>> {
        let EvalResult::EntityUid(uid) = self.evaluate(text).ok()? else { return None };
        let mut parents: Vec<String> = self.entities.ancestors(&uid)?.map(EntityUid::to_string).collect();
        parents.sort();
        Some(parents)
    }
}

/// The policy with the first of the agents that it applies to, or else with the one who acts.
pub(super) fn among(scales: &[Scales], policy: &Written<'_>) -> Weighed {
    let mut weighed = scales.iter().map(|scales| (scales, scales.weigh(policy)));
    let Some((_, own)) = weighed.next() else {
        return Weighed {
            policy: policy.id.clone(),
            permits: policy.text.permits,
            file: policy.source.name.clone(),
            line: place(policy, policy.text.effect).line,
            applies_to: None,
            parts: Vec::new(),
        };
    };
    let applies = |weighed: &Weighed| {
        let mut parts = weighed.parts.iter();
        parts.all(|part| !matches!(part.outcome, Outcome::NotMet | Outcome::NotReached))
    };
    if applies(&own) {
        return own;
    }
    match weighed.find(|(_, weighed)| applies(weighed)) {
        Some((scales, weighed)) => Weighed { applies_to: Some(scales.agent.clone()), ..weighed },
        None => own,
    }
}

/// The policies in force that nearly permit it, the nearest first: those for the action, if there are any.
pub(super) fn nearest(own: &Scales, all: &[Written<'_>], most: usize) -> Vec<Weighed> {
    let permits = all.iter().filter(|policy| policy.text.permits && !policy.shadow);
    // What links make of a template has no text of its own.
    let whole = permits.filter(|policy| !policy.is_open());
    let mut misses: Vec<((bool, usize), &Written<'_>)> = Vec::new();
    for policy in whole {
        let action = pieces(policy).into_iter().find(|piece| piece.is_action);
        let fits = |piece: Piece<'_>| holds(own, policy, &piece);
        let other_action = action.is_some_and(|piece| !fits(piece));
        let weighed = own.weigh(policy);
        misses.push(((other_action, weighed.misses().count()), policy));
    }
    misses.sort_by_key(|(rank, _)| *rank);
    let for_action = misses.iter().filter(|((other, _), _)| !other).count();
    // A policy for another action is near only if that is all that it misses.
    let near = misses.into_iter().filter(|((other, count), _)| !other || (for_action == 0 && *count == 1));
    near.take(most).map(|(_, policy)| own.weigh(policy)).collect()
}

fn holds(own: &Scales, policy: &Written<'_>, piece: &Piece<'_>) -> bool {
    matches!(own.evaluate(policy.of(piece.expr.span)), Ok(EvalResult::Bool(true)))
}

/// What a policy asks for, in the order in which Cedar looks at it.
fn pieces<'p>(policy: &'p Written<'_>) -> Vec<Piece<'p>> {
    let scope = policy.text.scope.iter().enumerate().filter(|(_, part)| !matches!(part.kind, Kind::Variable(_)));
    let scope = scope.map(|(at, expr)| Piece { unless: false, expr, is_action: at == 1 });
    let conditions = policy.parts().into_iter();
    scope.chain(conditions.map(|part| Piece { unless: part.unless, expr: part.expr, is_action: false })).collect()
}

fn place(policy: &Written<'_>, span: Span) -> Place {
    Place::of(&policy.source.text, span.start, span.end)
}

/// A value as people read it.
fn shown(value: &EvalResult) -> String {
    let text = match value {
        EvalResult::Record(record) => {
            let names: Vec<&str> = record.iter().map(|(name, _)| name.as_str()).collect();
            format!("{{ {} }}", names.join(", "))
        }
        other => other.to_string(),
    };
    if text.chars().count() <= MAX_VALUE_CHARS {
        return text;
    }
    text.chars().take(MAX_VALUE_CHARS).chain("...".chars()).collect()
}
