//! Where the entities of decisions come from.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::policy::{AuthzRequest, Resource};
use agentauth_core::{AgentId, IssuerId, PrincipalId, ResourceId, Timestamp};
use cedar_policy::{Entities, Entity, EntityUid};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::cache::{Gathered, Told, Validity};
use super::gather::Gathering;
use super::{EntityFacts, EntityProvider, EntityQuery, KnownEntities, MAX_FACTS_LIFETIME, Unmade};
use crate::names::uid;
use crate::schema::PolicySchema;

/// How long a provider may take for all that one decision asks it. The call that is decided on waits for it.
const PROVIDER_TIME: Duration = Duration::from_secs(1);

/// Whose entities are needed. What nothing can be told of is left out, so that it does not tell apart what is the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(super) agent: &'a AgentId,
    pub(super) principal: &'a PrincipalId,
    pub(super) server: Option<&'a ResourceId>,
    pub(super) issuer: Option<&'a IssuerId>,
    pub(super) resource: Option<&'a Resource>,
    /// If it is in others.
    pub(super) action: Option<&'a EntityUid>,
    pub(super) now: Timestamp,
}

impl<'a> Asked<'a> {
    /// Those of `request`, were it `agent`'s. `action` is the request's in the schema.
    pub(crate) fn by(
        agent: &'a AgentId,
        request: &'a AuthzRequest<'_>,
        action: &'a EntityUid,
        schema: &'a PolicySchema,
    ) -> Self {
        let told = &schema.told;
        Self {
            agent,
            principal: request.principal(),
            server: told.servers.then(|| request.caller().server()),
            issuer: told.issuers.then(|| request.issuer()),
            resource: request.resource().filter(|resource| told.kinds.contains(resource.kind())),
            action: schema.grouped.contains_key(action).then_some(action),
            now: request.now(),
        }
    }
}

/// The entities of decisions: by what was verified, by what a file says of them, and by what a provider tells.
#[derive(Debug)]
pub(crate) struct EntityStore {
    known: KnownEntities,
    provider: Option<Box<dyn EntityProvider>>,
    gathered: Gathered,
    told: Told,
}

impl EntityStore {
    pub(crate) fn new(known: KnownEntities) -> Self {
        Self { known, provider: None, gathered: Gathered::new(), told: Told::new() }
    }

    /// Asks `provider` from now on, and no other.
    pub(crate) fn provided_by(self, provider: impl EntityProvider + 'static) -> Self {
        Self { provider: Some(Box::new(provider)), ..Self::new(self.known) }
    }

    /// The entities, as far as they are told at this time.
    pub(crate) async fn of(&self, asked: Asked<'_>, schema: &PolicySchema) -> Result<Arc<Entities>, Unmade> {
        if let Some(at_once) = self.at_once(asked, schema) {
            return at_once;
        }
        let Some(provider) = &self.provider else { return self.of_known(asked, schema) };
        if Handle::try_current().is_err() {
            return Err(Unmade::failed("a provider of entities needs a tokio runtime with time"));
        }
        let slow = |_| Unmade::failed("the provider of entities did not answer within a second");
        let gathering = self.ask(&**provider, asked, schema);
        let (entities, validity) = timeout(PROVIDER_TIME, gathering).await.map_err(slow)??;
        let entities = Arc::new(entities);
        self.gathered.insert(&asked, Arc::clone(&entities), validity);
        Ok(entities)
    }

    /// The entities, if no provider need be asked for them.
    pub(crate) fn at_once(&self, asked: Asked<'_>, schema: &PolicySchema) -> Option<Result<Arc<Entities>, Unmade>> {
        if let Some(kept) = self.gathered.get(&asked) {
            return Some(Ok(kept));
        }
        self.provider.is_none().then(|| self.of_known(asked, schema))
    }

    fn of_known(&self, asked: Asked<'_>, schema: &PolicySchema) -> Result<Arc<Entities>, Unmade> {
        let mut gathering = Gathering::of(schema, roots(asked, schema)?)?;
        while let Some(entity) = gathering.next() {
            let known: Vec<&EntityFacts> = self.known.get(&entity).into_iter().collect();
            gathering.tell(&entity, &known)?;
        }
        let entities = Arc::new(gathering.finish(action(asked, schema))?);
        self.gathered.insert(&asked, Arc::clone(&entities), Validity::ALWAYS);
        Ok(entities)
    }

    async fn ask(
        &self,
        provider: &dyn EntityProvider,
        asked: Asked<'_>,
        schema: &PolicySchema,
    ) -> Result<(Entities, Validity), Unmade> {
        let mut gathering = Gathering::of(schema, roots(asked, schema)?)?;
        let mut validity = Validity::ALWAYS;
        while let Some(entity) = gathering.next() {
            let (told, valid) = match self.told.get(&entity, asked.now) {
                Some(kept) => kept,
                None => self.told_by(provider, &entity, asked.now).await?,
            };
            validity = validity.and(valid);
            let known: Vec<&EntityFacts> = self.known.get(&entity).into_iter().chain([&*told]).collect();
            gathering.tell(&entity, &known)?;
        }
        Ok((gathering.finish(action(asked, schema))?, validity))
    }

    async fn told_by(
        &self,
        provider: &dyn EntityProvider,
        entity: &EntityUid,
        now: Timestamp,
    ) -> Result<(Arc<EntityFacts>, Validity), Unmade> {
        let kind = entity.type_name().to_string();
        let query = EntityQuery { kind: &kind, id: entity.id().as_ref(), now };
        let facts = provider.facts(&query).await.map_err(|error| Unmade::failed(error.to_string()))?;
        let (facts, validity) = (Arc::new(facts), Validity::of(now, provider.lifetime().min(MAX_FACTS_LIFETIME)));
        self.told.insert(entity.clone(), Arc::clone(&facts), validity);
        Ok((facts, validity))
    }
}

/// What a decision begins with.
fn roots(asked: Asked<'_>, schema: &PolicySchema) -> Result<Vec<EntityUid>, Unmade> {
    let types = &schema.types;
    let unknown = || Unmade::outside("a kind of principal that is not known here");
    let mut roots = vec![types.principal(asked.principal).ok_or_else(unknown)?, types.agent(asked.agent)];
    roots.extend(asked.server.map(|server| uid(&types.server, server.as_str())));
    roots.extend(asked.issuer.map(|issuer| uid(&types.issuer, issuer.as_str())));
    let of_kind = |resource: &Resource| Some(uid(schema.kinds.get(resource.kind())?, resource.id()));
    roots.extend(asked.resource.and_then(of_kind));
    Ok(roots)
}

fn action(asked: Asked<'_>, schema: &PolicySchema) -> Option<Entity> {
    let action = asked.action?;
    Some(Entity::new_no_attrs(action.clone(), schema.grouped.get(action)?.clone()))
}

#[cfg(test)]
mod tests {
    use agentauth_core::SpiffeId;
    use agentauth_core::policy::Scenario;

    use super::*;
    use crate::sources::Source;

    const SCHEMA: &str = r#"
        entity Court;
        @kind("case") entity Case in [Court];
        @kind("note") entity Note;
        action "all";
        action "read" in [Action::"all"] appliesTo { principal: [User, Client], resource: [Case, Note, Server] };
        action "write" appliesTo { principal: [User, Client], resource: [Case, Note, Server] };
    "#;

    fn scenario(agent: &str, action: &str) -> Scenario {
        let user = PrincipalId::new(IssuerId::new("https://sts.example").unwrap(), "u");
        let server = ResourceId::new("https://tools.example").unwrap();
        Scenario::new(server, agent.parse::<SpiffeId>().unwrap(), user, action).on("note", "1")
    }

    #[test]
    fn what_a_decision_is_about_is_gathered_once_and_never_taken_for_another() {
        let schema = PolicySchema::new(&[Source::new("a", SCHEMA)]).unwrap();
        let store = EntityStore::new(KnownEntities::default());
        let of = |scenario: &Scenario| {
            let (request, schema) = (scenario.request(), &schema);
            let action = &schema.actions.get(request.action()).unwrap().uid;
            store.at_once(Asked::by(&scenario.agent, &request, action, schema), schema).unwrap().unwrap()
        };
        let base = scenario("spiffe://a.example/b", "write");
        let first = of(&base);
        // What nothing is known of makes no difference.
        assert!(Arc::ptr_eq(&first, &of(&base)));
        assert!(Arc::ptr_eq(&first, &of(&base.clone().on("note", "2"))));
        let mut client = base.clone();
        client.principal = PrincipalId::client(client.issuer.clone(), "u");
        let mut in_tenant = base.clone();
        in_tenant.principal = in_tenant.principal.in_tenant("t");
        for other in [
            scenario("spiffe://a.example/c", "write"),
            scenario("spiffe://a.example/b", "read"),
            base.clone().on("case", "1"),
            client,
            in_tenant,
        ] {
            let others = of(&other);
            assert!(!Arc::ptr_eq(&first, &others) && !first.deep_eq(&others), "{other:?}");
            assert!(Arc::ptr_eq(&others, &of(&other)));
        }
    }
}
