use std::borrow::Cow;
use std::ops::Deref;

use agentauth_core::policy::Effect;
use serde::Deserialize;

use super::names::{WrittenAgent, WrittenPrincipal};

/// The version of records that is read here.
const VERSION: u32 = 2;

/// A record, read: its parts by name. Texts in it are as they were written, whoever wrote them: show them printable.
#[derive(Debug, Clone)]
pub struct View<'r> {
    body: Fields<'r>,
    personal: Personal<'r>,
}

/// One ground of a decision.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ReasonView<'r> {
    /// What kind of ground: `permitted`, `refused` and so on.
    #[serde(borrow)]
    pub kind: Cow<'r, str>,
    /// The policy, if it is one.
    #[serde(borrow, default)]
    pub policy: Option<Cow<'r, str>>,
    /// A sentence for the operator.
    #[serde(borrow, default)]
    pub text: Cow<'r, str>,
}

/// One actor of a chain of delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop<'r> {
    /// Its SPIFFE ID, or `<issuer>#<name>`.
    pub agent: Cow<'r, str>,
    /// The thumbprint of its key, if it is known.
    pub key: Option<Cow<'r, str>>,
    /// How its name is known: `token`, `mutual_tls` and so on.
    pub proof: Option<Cow<'r, str>>,
    /// The scopes that it held, if they are known one by one.
    pub authority: Option<Cow<'r, str>>,
}

/// A text that is not copied, also where it may be absent.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
struct Text<'r>(#[serde(borrow)] Cow<'r, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Fields<'r> {
    version: u32,
    #[serde(borrow)]
    kind: Cow<'r, str>,
    #[serde(borrow)]
    evaluation_id: Cow<'r, str>,
    #[serde(borrow)]
    time: Cow<'r, str>,
    #[serde(borrow)]
    server: Cow<'r, str>,
    effect: WrittenEffect,
    #[serde(borrow)]
    code: Cow<'r, str>,
    #[serde(borrow, default)]
    reasons: Vec<ReasonView<'r>>,
    #[serde(borrow, default)]
    authentication_id: Option<Text<'r>>,
    #[serde(borrow, default)]
    delegation: Option<Delegation<'r>>,
    #[serde(borrow, default)]
    transaction: Option<Text<'r>>,
    #[serde(borrow, default)]
    trace: Option<Text<'r>>,
    #[serde(borrow, default)]
    replica: Option<Text<'r>>,
    #[serde(default)]
    took_micros: Option<u64>,
    #[serde(borrow, default)]
    peer: Option<Text<'r>>,
    #[serde(borrow, default)]
    client: Option<Client<'r>>,
    #[serde(borrow, default)]
    action: Option<Action<'r>>,
    #[serde(borrow, default)]
    question: Option<Question<'r>>,
    #[serde(borrow, default)]
    policy_version: Option<Text<'r>>,
    #[serde(borrow, default)]
    approval: Option<Approval<'r>>,
    #[serde(borrow, default)]
    issued: Option<Issued<'r>>,
    #[serde(borrow, default)]
    revocation: Option<Revocation<'r>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenEffect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Deserialize)]
struct Delegation<'r> {
    #[serde(borrow)]
    agent: WrittenAgent<'r>,
    #[serde(borrow, default)]
    principal_hash: Option<Text<'r>>,
    #[serde(borrow)]
    mode: Cow<'r, str>,
    #[serde(borrow, default)]
    chain: Vec<Link<'r>>,
    #[serde(borrow, default)]
    issuer: Option<Text<'r>>,
    #[serde(borrow, default)]
    token: Option<Text<'r>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Link<'r> {
    #[serde(borrow)]
    agent: WrittenAgent<'r>,
    #[serde(borrow, default)]
    key: Option<Text<'r>>,
    #[serde(borrow, default)]
    proof: Option<Text<'r>>,
    #[serde(borrow, default)]
    authority: Option<Text<'r>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Client<'r> {
    #[serde(borrow)]
    id: Cow<'r, str>,
}

#[derive(Debug, Clone, Deserialize)]
struct Action<'r> {
    #[serde(borrow)]
    name: Cow<'r, str>,
    #[serde(borrow, default)]
    resource: Option<Resource<'r>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'r>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Resource<'r> {
    #[serde(borrow)]
    kind: Cow<'r, str>,
    #[serde(borrow)]
    id: Cow<'r, str>,
}

#[derive(Debug, Clone, Deserialize)]
struct Question<'r> {
    #[serde(borrow)]
    agent: WrittenAgent<'r>,
    #[serde(borrow, default)]
    principal_hash: Option<Text<'r>>,
    #[serde(borrow)]
    mode: Cow<'r, str>,
}

#[derive(Debug, Clone, Deserialize)]
struct Approval<'r> {
    #[serde(borrow)]
    id: Cow<'r, str>,
}

#[derive(Debug, Clone, Deserialize)]
struct Issued<'r> {
    #[serde(borrow, default)]
    subject_hash: Option<Text<'r>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Revocation<'r> {
    #[serde(borrow, default)]
    agent: Option<WrittenAgent<'r>>,
    #[serde(borrow, default)]
    principal_hash: Option<Text<'r>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Personal<'r> {
    #[serde(borrow, default)]
    principal: Option<WrittenPrincipal<'r>>,
    #[serde(borrow, default)]
    question_principal: Option<WrittenPrincipal<'r>>,
    #[serde(borrow, default)]
    revoked_principal: Option<WrittenPrincipal<'r>>,
    #[serde(borrow, default)]
    subject: Option<Text<'r>>,
}

impl<'r> View<'r> {
    /// Reads the two halves of a record. What is personal and cannot be read is as if it were erased. None if it is no record of
    /// the version that is read here.
    #[must_use]
    pub fn read(body: &'r [u8], personal: &'r [u8]) -> Option<Self> {
        let body: Fields<'r> = serde_json::from_slice(body).ok()?;
        let personal = serde_json::from_slice(personal).unwrap_or_default();
        (body.version == VERSION).then_some(Self { body, personal })
    }

    /// What kind of event it is about: `decision`, `outcome`, `authentication` and so on.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.body.kind
    }

    /// What the event is called. An outcome has the id of its decision.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        &self.body.evaluation_id
    }

    /// The evaluation that verified the caller.
    #[must_use]
    pub fn authentication_id(&self) -> Option<&str> {
        self.body.authentication_id.as_deref()
    }

    /// When it happened: RFC 3339, UTC.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.body.time
    }

    /// Who decided.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.body.server
    }

    /// Which of its instances, if it says so.
    #[must_use]
    pub fn replica(&self) -> Option<&str> {
        self.body.replica.as_deref()
    }

    /// Allow or deny. An outcome has its decision's.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match self.body.effect {
            WrittenEffect::Allow => Effect::Allow,
            WrittenEffect::Deny => Effect::Deny,
        }
    }

    /// The stable machine code of the answer.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.body.code
    }

    /// Why.
    #[must_use]
    pub fn reasons(&self) -> &[ReasonView<'r>] {
        &self.body.reasons
    }

    /// Who acted: its SPIFFE ID, or `<issuer>#<name>` (with `%23` for a `#` of the name's own). Of a question, who is asked about;
    /// of a revocation, who is revoked. Where nobody was verified, whom the connection proved, or the client.
    #[must_use]
    pub fn agent(&self) -> Option<Cow<'_, str>> {
        let Fields { question, delegation, revocation, client, peer, .. } = &self.body;
        let asked = question.as_ref().map(|question| &question.agent);
        let acting = || delegation.as_ref().map(|delegation| &delegation.agent);
        let revoked = || revocation.as_ref().and_then(|revocation| revocation.agent.as_ref());
        let agent = asked.or_else(acting).or_else(revoked).map(WrittenAgent::text);
        let id = client.as_ref().map(|client| &*client.id).or(peer.as_deref());
        agent.or(id.map(Cow::Borrowed))
    }

    /// Whom the connection proved, or a trusted proxy passed on.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.body.peer.as_deref()
    }

    /// On whose behalf: `<issuer>#<subject>`, or `<issuer>#<tenant>#<subject>`; of a token that was issued, the subject alone.
    /// Absent where there is none, or it is erased.
    #[must_use]
    pub fn principal(&self) -> Option<String> {
        let written = self.written_principal().map(WrittenPrincipal::text);
        written.or_else(|| self.personal.subject.as_deref().map(Into::into))
    }

    /// The keyed hash of it, which stays when it is erased.
    #[must_use]
    pub fn principal_hash(&self) -> Option<&str> {
        let Fields { question, delegation, revocation, issued, .. } = &self.body;
        let asked = question.as_ref().and_then(|question| question.principal_hash.as_deref());
        let acting = || delegation.as_ref().and_then(|delegation| delegation.principal_hash.as_deref());
        let revoked = || revocation.as_ref().and_then(|revocation| revocation.principal_hash.as_deref());
        let issued = || issued.as_ref().and_then(|issued| issued.subject_hash.as_deref());
        asked.or_else(acting).or_else(revoked).or_else(issued)
    }

    pub(super) fn written_principal(&self) -> Option<&WrittenPrincipal<'r>> {
        let Personal { principal, question_principal, revoked_principal, .. } = &self.personal;
        question_principal.as_ref().or(principal.as_ref()).or(revoked_principal.as_ref())
    }

    /// In what capacity the agent acts: `on_behalf_of`, `autonomous` and so on.
    #[must_use]
    pub fn mode(&self) -> Option<&str> {
        let Fields { question, delegation, .. } = &self.body;
        let asked = question.as_ref().map(|question| &*question.mode);
        asked.or_else(|| delegation.as_ref().map(|delegation| &*delegation.mode))
    }

    /// The actors that the authority has passed through, the current one first.
    pub fn chain(&self) -> impl Iterator<Item = Hop<'_>> {
        let chain = self.body.delegation.as_ref().map(|delegation| &*delegation.chain).unwrap_or_default();
        chain.iter().map(|link| Hop {
            agent: link.agent.text(),
            key: link.key.as_deref().map(Cow::Borrowed),
            proof: link.proof.as_deref().map(Cow::Borrowed),
            authority: link.authority.as_deref().map(Cow::Borrowed),
        })
    }

    /// Who vouches for the delegation.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.body.delegation.as_ref()?.issuer.as_deref()
    }

    /// The keyed hash of the token's id: the same token has the same in one log.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.body.delegation.as_ref()?.token.as_deref()
    }

    /// What was to be done.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.body.action.as_ref().map(|action| &*action.name)
    }

    /// To what: its kind and its id.
    #[must_use]
    pub fn resource(&self) -> Option<(&str, &str)> {
        self.body.action.as_ref()?.resource.as_ref().map(|resource| (&*resource.kind, &*resource.id))
    }

    /// The SHA-256 of the canonical arguments.
    #[must_use]
    pub fn arguments(&self) -> Option<&str> {
        self.body.action.as_ref()?.arguments.as_deref()
    }

    /// Which version of the policies answered.
    #[must_use]
    pub fn policy_version(&self) -> Option<&str> {
        self.body.policy_version.as_deref()
    }

    /// The request for an approval that it names.
    #[must_use]
    pub fn approval(&self) -> Option<&str> {
        self.body.approval.as_ref().map(|approval| &*approval.id)
    }

    /// The transaction that it is part of (`txn`).
    #[must_use]
    pub fn transaction(&self) -> Option<&str> {
        self.body.transaction.as_deref()
    }

    /// The `traceparent` (W3C Trace Context) of the request, as it was received.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.body.trace.as_deref()
    }

    /// How long it took, in microseconds.
    #[must_use]
    pub const fn took_micros(&self) -> Option<u64> {
        self.body.took_micros
    }
}
