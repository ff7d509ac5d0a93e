//! A decision by Cedar policies: ours, and that of Cedar itself on the whole set.

use std::error::Error;

use agentauth_benches::case::{Case, Lap, Verdict, at_once};
use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::{Effect, Scenario};
use agentauth_core::{Decision, PolicyEngine};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema,
};

use crate::court::{PLAIN_SCHEMA, SCHEMA, SIZES, policies};

/// What one caller asks, for us and for plain Cedar.
pub(crate) struct Asked {
    pub(crate) scenario: Scenario,
    plain: Plain,
}

/// What plain Cedar needs of a request that is not made for it anew.
struct Plain {
    principal: String,
    agent: String,
    entities: Entities,
}

impl Asked {
    pub(crate) fn all(scenarios: Vec<Scenario>) -> Result<Vec<Self>, Box<dyn Error>> {
        scenarios.into_iter().map(|scenario| Ok(Self { plain: Plain::new(&scenario)?, scenario })).collect()
    }
}

impl Plain {
    fn new(scenario: &Scenario) -> Result<Self, Box<dyn Error>> {
        let (issuer, subject) = (scenario.principal.issuer().as_str(), scenario.principal.subject());
        let (principal, agent) = (format!("{issuer}#{subject}"), scenario.agent.name().to_owned());
        let text = |text: &str| RestrictedExpression::new_string(text.into());
        let attributes = [("issuer".to_owned(), text(issuer)), ("subject".to_owned(), text(subject))].into();
        let user = Entity::new(uid("User", &principal)?, attributes, [uid("Subject", &principal)?].into())?;
        let mut above = vec![uid("TrustDomain", "agents.example.com")?];
        for (at, _) in agent.match_indices('/').skip(3) {
            above.push(uid("SpiffePath", agent.get(..at).unwrap_or_default())?);
        }
        above.push(uid("SpiffePath", &agent)?);
        let attributes = [("name".to_owned(), text(&agent))].into();
        let agents = Entity::new(uid("Agent", &agent)?, attributes, above.into_iter().collect())?;
        let schema = Schema::from_cedarschema_str(PLAIN_SCHEMA)?.0;
        Ok(Self { principal, agent, entities: Entities::from_entities([user, agents], Some(&schema))? })
    }

    fn request(&self, scenario: &Scenario, schema: &Schema) -> Result<Request, Box<dyn Error>> {
        let arguments = scenario.arguments.as_json();
        let title = arguments.get("title").and_then(|title| title.as_str()).ok_or("no title")?;
        let fee = arguments.get("fee").and_then(serde_json::Value::as_i64).ok_or("no fee")?;
        let arguments = RestrictedExpression::new_record([
            ("title".to_owned(), RestrictedExpression::new_string(title.into())),
            ("fee".to_owned(), RestrictedExpression::new_long(fee)),
        ])?;
        let entity = |kind, id: &str| uid(kind, id).map(RestrictedExpression::new_entity_uid);
        let delegation = RestrictedExpression::new_record([
            ("mode".to_owned(), entity("Mode", "on_behalf_of")?),
            ("depth".to_owned(), RestrictedExpression::new_long(i64::try_from(scenario.depth)?)),
            ("issuer".to_owned(), entity("Issuer", scenario.issuer.as_str())?),
        ])?;
        let context = Context::from_pairs([
            ("arguments".to_owned(), arguments),
            ("agent".to_owned(), entity("Agent", &self.agent)?),
            ("delegation".to_owned(), delegation),
            ("server".to_owned(), entity("Server", scenario.server.as_str())?),
        ])?;
        let case = scenario.resource.as_ref().map_or("", |resource| resource.id());
        let (principal, action) = (uid("User", &self.principal)?, uid("Action", &scenario.action)?);
        Ok(Request::new(principal, action, uid("Case", case)?, context, Some(schema))?)
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Box<dyn Error>> {
    Ok(EntityUid::from_type_name_and_id(kind.parse::<EntityTypeName>()?, EntityId::new(id)))
}

/// A set of policies in force.
pub(crate) fn engine(count: usize) -> Result<CedarPolicies, Box<dyn Error>> {
    let sources = Sources::new().schema("court.cedarschema", SCHEMA).policies("court.cedar", &policies(count));
    Ok(CedarPolicies::new(&sources)?)
}

pub(crate) fn cases() -> Result<Vec<Case<'static, Vec<Asked>>>, Box<dyn Error>> {
    let mut cases = Vec::new();
    for count in SIZES {
        let plain_name = format!("plain-cedar/{count}");
        let set: PolicySet = policies(count).parse()?;
        let (schema, _) = Schema::from_cedarschema_str(PLAIN_SCHEMA)?;
        let (lap, authorizer) = (Lap::new(1), Authorizer::new());
        cases.push(Case::new(plain_name.clone(), Some(&plain_name), move |all: &Vec<Asked>| {
            let (_, asked) = lap.next(all)?;
            let request = asked.plain.request(&asked.scenario, &schema)?;
            match authorizer.is_authorized(&request, &set, &asked.plain.entities).decision() {
                cedar_policy::Decision::Allow => Ok(()),
                cedar_policy::Decision::Deny => Err("denied".into()),
            }
        }));
        cases.push(case(format!("cedar/{count}"), Some(&plain_name), engine(count)?));
    }
    Ok(cases)
}

/// Decisions by `engine`, of one caller after the other.
pub(crate) fn case(
    name: String,
    floor: Option<&str>,
    engine: impl PolicyEngine + 'static,
) -> Case<'static, Vec<Asked>> {
    let lap = Lap::new(1);
    Case::new(name, floor, move |all: &Vec<Asked>| {
        let (_, asked) = lap.next(all)?;
        permitted(&at_once(engine.decide(&asked.scenario.request()))??)
    })
}

fn permitted(decision: &Decision) -> Verdict {
    match decision.effect() {
        Effect::Allow => Ok(()),
        Effect::Deny => Err(decision.reasons().first().map_or("denied", |reason| reason.text()).into()),
    }
}

#[cfg(test)]
mod tests {
    use agentauth_benches::case;

    use super::*;
    use crate::court::scenarios;

    #[test]
    fn all_engines_permit_every_caller_and_no_stranger() {
        let asked = |genuine| Asked::all(scenarios(genuine).unwrap()).unwrap();
        let cases = [
            super::case("cedar".into(), None, engine(10).unwrap()),
            super::case("rules".into(), None, crate::rules::engine(20).unwrap()),
        ];
        for _ in 0..10 {
            case::check(&cases, &asked(true), &asked(false)).unwrap();
        }
    }
}
