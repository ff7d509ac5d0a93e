//! What the lists show of a record: read from its JSON, of this version and the one before.

use std::borrow::Cow;

use serde::Deserialize;

/// A record, in brief. What is not known here is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Brief<'r> {
    #[serde(borrow)]
    pub(super) kind: Cow<'r, str>,
    #[serde(borrow)]
    pub(super) evaluation_id: Cow<'r, str>,
    #[serde(borrow)]
    pub(super) effect: Cow<'r, str>,
    #[serde(borrow)]
    pub(super) code: Cow<'r, str>,
    #[serde(borrow, default)]
    reasons: Vec<Reason<'r>>,
    #[serde(borrow)]
    delegation: Option<Delegation<'r>>,
    #[serde(borrow)]
    question: Option<Delegation<'r>>,
    #[serde(borrow)]
    peer: Option<Cow<'r, str>>,
    #[serde(borrow)]
    client: Option<Client<'r>>,
    #[serde(borrow)]
    issued: Option<Issued<'r>>,
    #[serde(borrow)]
    action: Option<Action<'r>>,
    #[serde(borrow)]
    personal: Option<Personal<'r>>,
}

#[derive(Debug, Deserialize)]
struct Reason<'r> {
    #[serde(borrow)]
    policy: Option<Cow<'r, str>>,
    #[serde(borrow)]
    text: Cow<'r, str>,
}

#[derive(Debug, Deserialize)]
struct Delegation<'r> {
    #[serde(borrow)]
    agent: Option<Agent<'r>>,
    #[serde(borrow)]
    principal: Option<Principal<'r>>,
    #[serde(borrow)]
    principal_hash: Option<Cow<'r, str>>,
    #[serde(borrow, default)]
    earlier_actors: Vec<Agent<'r>>,
    #[serde(borrow, default)]
    chain: Vec<Link<'r>>,
}

#[derive(Debug, Deserialize)]
struct Link<'r> {
    #[serde(borrow)]
    agent: Agent<'r>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Agent<'r> {
    Spiffe(#[serde(borrow)] Cow<'r, str>),
    Named {
        #[serde(borrow)]
        issuer: Cow<'r, str>,
        #[serde(borrow)]
        name: Cow<'r, str>,
    },
}

#[derive(Debug, Deserialize)]
struct Principal<'r> {
    #[serde(borrow)]
    issuer: Cow<'r, str>,
    #[serde(borrow)]
    tenant: Option<Cow<'r, str>>,
    #[serde(borrow)]
    subject: Cow<'r, str>,
}

#[derive(Debug, Deserialize)]
struct Client<'r> {
    #[serde(borrow)]
    id: Cow<'r, str>,
}

#[derive(Debug, Deserialize)]
struct Issued<'r> {
    #[serde(borrow)]
    audience: Cow<'r, str>,
    #[serde(borrow)]
    subject: Option<Cow<'r, str>>,
    #[serde(borrow, default)]
    actors: Vec<Agent<'r>>,
}

#[derive(Debug, Deserialize)]
struct Action<'r> {
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(borrow)]
    resource: Option<Resource<'r>>,
}

#[derive(Debug, Deserialize)]
struct Resource<'r> {
    #[serde(borrow)]
    kind: Cow<'r, str>,
    #[serde(borrow)]
    id: Cow<'r, str>,
}

#[derive(Debug, Deserialize)]
struct Personal<'r> {
    #[serde(borrow)]
    principal: Option<Principal<'r>>,
    #[serde(borrow)]
    question_principal: Option<Principal<'r>>,
    #[serde(borrow)]
    subject: Option<Cow<'r, str>>,
}

impl Agent<'_> {
    fn text(&self) -> String {
        match self {
            Self::Spiffe(id) => id.clone().into_owned(),
            Self::Named { issuer, name } => format!("{name} (at {issuer})"),
        }
    }
}

impl Principal<'_> {
    fn text(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{} ({tenant} at {})", self.subject, self.issuer),
            None => format!("{} (at {})", self.subject, self.issuer),
        }
    }
}

impl<'r> Brief<'r> {
    /// Reads one record, its personal part joined to it.
    pub(super) fn read(line: &'r [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Whose question it is: of the server that asks a policy decision point, or of the caller.
    fn facts(&self) -> Option<&Delegation<'r>> {
        self.question.as_ref().or(self.delegation.as_ref())
    }

    /// Who acts, the current actor first.
    pub(super) fn agents(&self) -> Vec<String> {
        if let Some(facts) = self.facts() {
            if !facts.chain.is_empty() {
                return facts.chain.iter().map(|link| link.agent.text()).collect();
            }
            return facts.agent.iter().chain(&facts.earlier_actors).map(Agent::text).collect();
        }
        if let Some(issued) = self.issued.as_ref().filter(|issued| !issued.actors.is_empty()) {
            return issued.actors.iter().map(Agent::text).collect();
        }
        let client = self.client.as_ref().map(|client| &client.id);
        client.or(self.peer.as_ref()).map(|id| id.clone().into_owned()).into_iter().collect()
    }

    /// On whose behalf. Of one that is erased, the hash that is left.
    pub(super) fn principal(&self) -> Option<String> {
        let personal = self.personal.as_ref();
        let facts = self.facts();
        let moved = personal.and_then(|personal| match self.question {
            Some(_) => personal.question_principal.as_ref(),
            None => personal.principal.as_ref(),
        });
        let subject = || personal.and_then(|personal| personal.subject.as_ref()).or(self.issued.as_ref()?.subject.as_ref());
        moved
            .or_else(|| facts?.principal.as_ref())
            .map(Principal::text)
            .or_else(|| Some(format!("{} (erased)", facts?.principal_hash.as_ref()?)))
            .or_else(|| subject().map(|subject| subject.clone().into_owned()))
    }

    pub(super) fn action(&self) -> Option<&str> {
        self.action.as_ref().map(|action| &*action.name)
    }

    /// What it is done to: a resource, or the server that a token is for.
    pub(super) fn resource(&self) -> Option<String> {
        let resource = self.action.as_ref().and_then(|action| action.resource.as_ref());
        let issued = || self.issued.as_ref().map(|issued| issued.audience.clone().into_owned());
        resource.map(|resource| format!("{} {}", resource.kind, resource.id)).or_else(issued)
    }

    /// The reason that has decided: of a refusal the last, which stands behind those that would have permitted it.
    pub(super) fn why(&self) -> Option<String> {
        let reason = if self.effect == "allow" { self.reasons.first() } else { self.reasons.last() }?;
        Some(match &reason.policy {
            Some(policy) => format!("{policy}: {}", reason.text),
            None => reason.text.clone().into_owned(),
        })
    }
}
