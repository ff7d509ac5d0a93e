use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use serde::Serialize;
use serde_json::Value;

use crate::binding::Binding;
use crate::delegation::{Delegation, Mode};
use crate::identity::{AgentId, Approver, IssuerId, Peer, PeerProof, PrincipalId, ResourceId, SpiffeId};
use crate::policy::{Decision, Effect, Obligation, PolicyFault, Reason, Resource, Scenario, WouldFlip};
use crate::random::{Random, RandomUnavailable, hex};
use crate::scope::ScopeSet;
use crate::state::revocation::{Revocation, RevocationKind, RevocationTarget};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// The version of this record's shape.
pub const RECORD_VERSION: u32 = 1;

/// One line of the record: what was asked, by whom, for whom, what was answered, and why.
///
/// The fields are the audit minimum of the WIMSE agent drafts (agent, subject, tool and resource, action and
/// decision, time and correlation id) and what it takes to explain the decision later. There is no field that a
/// token, a proof or a key could be in, nor an argument's value unless it was asked for by name: tokens appear as a keyed
/// hash of their id, arguments as the digest of their canonical form.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// What kind of event this is.
    pub kind: RecordKind,
    /// Unique to the event; a refusal tells it to the caller. An outcome has the id of its decision.
    pub evaluation_id: Arc<str>,
    /// When, in UTC.
    pub time: Timestamp,
    /// Who decided: the resource server or the issuer.
    pub server: Arc<str>,
    /// What the answer was. An outcome has its decision's; its `code` says how the action ended.
    pub effect: Effect,
    /// The stable machine code of the answer.
    pub code: &'static str,
    /// Why, for the operator.
    pub reasons: Vec<Reason>,
    /// The evaluation that verified the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_id: Option<Arc<str>>,
    /// Who acts, for whom, and how that is known. Absent if no one was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Arc<DelegationRecord>>,
    /// The transaction that the token was used for (`txn`): the same in the records of every workload that takes part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Arc<str>>,
    /// The agent that the connection proved, or that a trusted proxy passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<SpiffeId>,
    /// How that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_proof: Option<PeerProof>,
    /// The client of an issuer, and how it has proven itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRecord>,
    /// What was to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionRecord>,
    /// What a policy decision point was asked: who acts for whom there. In such a record, `delegation` is of the server that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionRecord>,
    /// Which version of the policies answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<Arc<str>>,
    /// What an allow was on condition of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
    /// Policies that could not be evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy_errors: Vec<PolicyFault>,
    /// What only rehearses and would have decided otherwise: none of it was in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would_flip: Vec<WouldFlip>,
    /// The human's approval that was asked for, given, denied or used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRecord>,
    /// The token that was issued, for an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<IssuedRecord>,
    /// What was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationRecord>,
    /// Which policies came into force, or did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_reload: Option<PolicyReloadRecord>,
}

impl Record {
    /// Of something that was allowed, with nothing said of it yet.
    pub(crate) fn of_allowed(
        kind: RecordKind,
        code: &'static str,
        evaluation_id: &Arc<str>,
        time: Timestamp,
        server: Arc<str>,
    ) -> Self {
        Self {
            version: RECORD_VERSION,
            kind,
            evaluation_id: Arc::clone(evaluation_id),
            time,
            server,
            effect: Effect::Allow,
            code,
            reasons: Vec::new(),
            authentication_id: None,
            delegation: None,
            transaction: None,
            peer: None,
            peer_proof: None,
            client: None,
            action: None,
            question: None,
            policy_version: None,
            obligations: Vec::new(),
            policy_errors: Vec::new(),
            would_flip: Vec::new(),
            approval: None,
            issued: None,
            revocation: None,
            policy_reload: None,
        }
    }

    /// Notes what the policy has said, whose `version` it is unless it says another.
    pub(crate) fn decided(&mut self, decision: &Decision, version: Arc<str>) {
        self.policy_version = Some(decision.version().cloned().unwrap_or(version));
        self.reasons = decision.reasons().to_vec();
        self.obligations = decision.obligations().to_vec();
        self.policy_errors = decision.errors().to_vec();
        self.would_flip = decision.would_flip().to_vec();
    }

    /// Notes who is at the other end, and how that is known.
    pub(crate) fn seen_from(&mut self, peer: Option<&Peer>) {
        self.peer = peer.map(|peer| peer.id().clone());
        self.peer_proof = peer.map(Peer::proof);
    }
}

/// What kind of event a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordKind {
    /// A caller was verified, or refused.
    Authentication,
    /// An action was permitted, or refused.
    Decision,
    /// A permitted action has been carried out, or has failed.
    Outcome,
    /// A token was issued, or refused.
    Issuance,
    /// A human has approved or denied what an agent wants to do, or has tried to.
    Approval,
    /// Something was revoked, or could not be.
    Revocation,
    /// Other policies came into force, or could not.
    PolicyReload,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "authentication",
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Issuance => "issuance",
            Self::Approval => "approval",
            Self::Revocation => "revocation",
            Self::PolicyReload => "policy_reload",
        })
    }
}

/// Who acts for whom, as far as it was verified.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DelegationRecord {
    /// The current actor.
    pub agent: AgentId,
    /// On whose behalf.
    pub principal: PrincipalId,
    /// In what capacity.
    pub mode: Mode,
    /// The earlier actors, the most recent first. Here, and nowhere else, the whole chain can be read.
    pub earlier_actors: Vec<AgentId>,
    /// How many of them, from the first on, have passed the authority on offline (feature `unstable-chain`).
    #[serde(skip_serializing_if = "is_zero")]
    pub passed_on_offline: usize,
    /// How many agents the authority has passed through.
    pub depth: usize,
    /// The scopes in force.
    pub scopes: ScopeSet,
    /// What else is in force, within which limits, as `authorization_details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Value>,
    /// The audience of the token.
    pub audience: ResourceId,
    /// Who vouches for it.
    pub issuer: IssuerId,
    /// How the presenter was tied to the token.
    pub binding: Binding,
    /// The keyed hash of the token's id: the same token has the same hash in this log, and only in this log.
    pub token: Box<str>,
    /// The same of the grant that it descends from, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Box<str>>,
    /// When the delegation ends.
    pub expires: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What was to be done.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ActionRecord {
    /// Its name.
    pub name: Box<str>,
    /// What it is done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// The SHA-256 of the canonical arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Box<str>>,
    /// Those of the arguments that are shown, as a JSON object: none, unless
    /// [`AgentAuthBuilder::record_arguments`](crate::AgentAuthBuilder::record_arguments) names them. In decisions only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<Value>,
}

/// Who acts for whom, by the word of a server that asks about it: nothing of it was verified here.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QuestionRecord {
    /// The server at which it is to be done.
    pub server: ResourceId,
    /// The current actor.
    pub agent: AgentId,
    /// Who has passed the authority on offline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<AgentId>,
    /// On whose behalf.
    pub principal: PrincipalId,
    /// In what capacity.
    pub mode: Mode,
    /// Who vouches for the delegation.
    pub issuer: IssuerId,
    /// How many agents the authority has passed through.
    pub depth: usize,
}

impl QuestionRecord {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        Self {
            server: scenario.server.clone(),
            agent: scenario.agent.clone(),
            holders: scenario.holders.clone(),
            principal: scenario.principal.clone(),
            mode: scenario.mode,
            issuer: scenario.issuer.clone(),
            depth: scenario.depth,
        }
    }
}

/// A human's approval of one action.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ApprovalRecord {
    /// The request, which every decision about the same action names.
    pub id: Arc<str>,
    /// Who has approved or denied. Absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<Approver>,
    /// The decision that first asked, where the record is of the approver's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Box<str>>,
}

/// A client of an issuer, as far as it has proven itself.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ClientRecord {
    /// Its SPIFFE ID, or the id that it is registered under.
    pub id: Box<str>,
    /// How it has proven itself, by the name of that in server metadata: `private_key_jwt`, for instance.
    pub method: &'static str,
}

/// A token that was issued.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct IssuedRecord {
    /// Whose authority it carries (`sub`).
    pub subject: Box<str>,
    /// Who may act with it, the current actor first. Empty for a principal's consent and for an agent's own token.
    pub actors: Vec<AgentId>,
    /// For a principal's consent: the agent that may exchange it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_act: Option<AgentId>,
    /// The one server it is for.
    pub audience: ResourceId,
    /// The scopes that were granted.
    pub scopes: ScopeSet,
    /// What was granted that scopes cannot say (RFC 9396).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<serde_json::Value>,
    /// The keyed hash of the id of the grant that it descends from; for a consent, that is the hash of the consent's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Box<str>>,
    /// The keyed hash of its id.
    pub token: Box<str>,
    /// When it ends.
    pub expires: Timestamp,
}

/// Policies that came into force, or did not.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PolicyReloadRecord {
    /// The version before. Absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Arc<str>>,
    /// The version that comes into force. Absent where nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Arc<str>>,
    /// How many cases it has passed.
    pub cases_passed: usize,
}

/// What was revoked, for how long, by whom and why.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RevocationRecord {
    /// What kind of thing.
    pub what: RevocationKind,
    /// The issuer of the token or the grant, or the issuer that is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// The keyed hash of the token's or the grant's id: the same as in the records of those who used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalId>,
    /// The first moment at which it does not count any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// It concerns only tokens that were issued up to this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// Who revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<str>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
}

impl RevocationRecord {
    pub(crate) fn of(revocation: &Revocation, key: &AuditKey) -> Self {
        let (mut issuer, mut id, mut agent, mut principal) = (None, None, None, None);
        match revocation.target() {
            RevocationTarget::Token { issuer: of, id: name } | RevocationTarget::Grant { issuer: of, id: name } => {
                (issuer, id) = (Some(of.clone()), Some(key.hash(of, name)));
            }
            RevocationTarget::Agent(revoked) => agent = Some(revoked.clone()),
            RevocationTarget::Principal(revoked) => principal = Some(revoked.clone()),
            RevocationTarget::Issuer(revoked) => issuer = Some(revoked.clone()),
        }
        let shown = |text: Option<&Excerpt>| text.map(|text| text.to_string().into());
        Self {
            what: revocation.target().kind(),
            issuer,
            id,
            agent,
            principal,
            until: revocation.end(),
            issued_before: revocation.issued_before(),
            by: shown(revocation.author()),
            reason: shown(revocation.reason()),
        }
    }
}

/// The key under which identifiers are hashed before they are recorded.
///
/// With a key of its own, a log can be joined with itself, and not with anything else. The key belongs to the
/// deployment: processes that share it write joinable logs.
#[derive(Clone)]
pub struct AuditKey(hmac::Key);

impl AuditKey {
    /// The key with these 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A fresh key, gone with the process.
    pub(crate) fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        Ok(Self::new(&bytes))
    }

    /// The first 128 bits of the keyed hash of `id` as `issuer` gave it.
    pub(crate) fn hash(&self, issuer: &IssuerId, id: &str) -> Box<str> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(issuer.as_str().as_bytes());
        context.update(&[0]);
        context.update(id.as_bytes());
        hex(context.sign().as_ref().get(..16).unwrap_or_default())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}

impl DelegationRecord {
    /// What the record says of `delegation`, hashed with the one key of an engine: made once for a token that is kept,
    /// since all of it stands in the token.
    pub(crate) fn of(delegation: &Delegation, key: &AuditKey) -> Arc<Self> {
        delegation.made_of_token(|| Self::new(delegation, key))
    }

    fn new(delegation: &Delegation, key: &AuditKey) -> Self {
        Self {
            agent: delegation.actor().clone(),
            principal: delegation.principal().clone(),
            mode: delegation.mode(),
            earlier_actors: delegation.earlier_actors().to_vec(),
            passed_on_offline: delegation.holders().len(),
            depth: delegation.depth(),
            scopes: delegation.authority().scopes().clone(),
            authorization_details: Some(delegation.authority().to_details())
                .filter(|details| *details != Value::Array(Vec::new())),
            audience: delegation.audience().clone(),
            issuer: delegation.issuer().clone(),
            binding: delegation.binding(),
            token: key.hash(delegation.issuer(), delegation.token_id()),
            grant: delegation.token().grant_id().map(|id| key.hash(delegation.issuer(), id)),
            expires: delegation.expires(),
        }
    }
}
