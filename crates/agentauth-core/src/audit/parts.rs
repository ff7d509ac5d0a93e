//! What a record has of whoever asked, what was asked, and what came of it.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;

use super::{AuditKey, HopProof, HopRecord};
use crate::binding::Binding;
use crate::delegation::{Delegation, Mode};
use crate::identity::{AgentId, Approver, IssuerId, Peer, PrincipalId, ResourceId};
use crate::policy::{Resource, Scenario};
use crate::scope::ScopeSet;
use crate::state::revocation::{Revocation, RevocationKind, RevocationTarget};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Who acts for whom, as far as it was verified.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DelegationRecord {
    /// The current actor.
    pub agent: AgentId,
    /// On whose behalf. Personal.
    #[serde(skip_serializing)]
    pub principal: PrincipalId,
    /// The keyed hash of the principal's name: the same principal has the same one in this log, also once the name is erased.
    pub principal_hash: Box<str>,
    /// In what capacity.
    pub mode: Mode,
    /// Through whom the authority came, and how that is known: the current actor first. Here, and nowhere else, the whole
    /// chain can be read.
    pub chain: Vec<HopRecord>,
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

impl DelegationRecord {
    /// What the record says of `delegation`, which came from `peer`, hashed with the one key of an engine: made once for a token
    /// that is kept, and for each way in which its actor is proven, since all else stands in the token.
    pub(crate) fn of(delegation: &Delegation, peer: Option<&Peer>, key: &AuditKey) -> Arc<Self> {
        let proof = HopProof::of(delegation, peer);
        let kept: Arc<Kept> = delegation.made_of_token(Kept::default);
        Arc::clone(kept.of(proof).get_or_init(|| Arc::new(Self::new(delegation, proof, key))))
    }

    /// The actors before the current one, the most recent first.
    pub fn earlier_actors(&self) -> impl Iterator<Item = &AgentId> {
        self.chain.iter().skip(1).map(|hop| &hop.agent)
    }

    fn new(delegation: &Delegation, proof: HopProof, key: &AuditKey) -> Self {
        Self {
            agent: delegation.actor().clone(),
            principal: delegation.principal().clone(),
            principal_hash: key.hash_principal(delegation.principal()),
            mode: delegation.mode(),
            chain: HopRecord::all(delegation, proof),
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

/// The records of one token, one for each way in which its actor can be proven.
#[derive(Default)]
struct Kept {
    token: OnceLock<Arc<DelegationRecord>>,
    link: OnceLock<Arc<DelegationRecord>>,
    tls: OnceLock<Arc<DelegationRecord>>,
    forwarded: OnceLock<Arc<DelegationRecord>>,
    certificate: OnceLock<Arc<DelegationRecord>>,
}

impl Kept {
    const fn of(&self, proof: HopProof) -> &OnceLock<Arc<DelegationRecord>> {
        match proof {
            HopProof::Token => &self.token,
            HopProof::OfflineLink => &self.link,
            HopProof::MutualTls => &self.tls,
            HopProof::Forwarded => &self.forwarded,
            HopProof::ForwardedCertificate => &self.certificate,
        }
    }
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
    /// [`AgentAuthBuilder::record_arguments`](crate::AgentAuthBuilder::record_arguments) names them. In decisions only. Personal.
    #[serde(skip_serializing)]
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
    /// On whose behalf. Personal.
    #[serde(skip_serializing)]
    pub principal: PrincipalId,
    /// The keyed hash of the principal's name.
    pub principal_hash: Box<str>,
    /// In what capacity.
    pub mode: Mode,
    /// Who vouches for the delegation.
    pub issuer: IssuerId,
    /// How many agents the authority has passed through.
    pub depth: usize,
}

impl QuestionRecord {
    pub(crate) fn of(scenario: &Scenario, key: &AuditKey) -> Self {
        Self {
            server: scenario.server.clone(),
            agent: scenario.agent.clone(),
            holders: scenario.holders.clone(),
            principal: scenario.principal.clone(),
            principal_hash: key.hash_principal(&scenario.principal),
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
    /// Who has approved or denied. Absent while nobody has. Personal.
    #[serde(skip_serializing)]
    pub approver: Option<Approver>,
    /// The keyed hash of the approver's name: a principal's is the same as where it is on record as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver_hash: Option<Box<str>>,
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
    /// Whose authority it carries (`sub`). Personal.
    #[serde(skip_serializing)]
    pub subject: Box<str>,
    /// The keyed hash of it: the same as that of the principal, where the token is used.
    pub subject_hash: Box<str>,
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
    /// The principal. Personal.
    #[serde(skip_serializing)]
    pub principal: Option<PrincipalId>,
    /// The keyed hash of the principal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_hash: Option<Box<str>>,
    /// The first moment at which it does not count any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// It concerns only tokens that were issued up to this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// Who revoked. Personal.
    #[serde(skip_serializing)]
    pub by: Option<Box<str>>,
    /// The keyed hash of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hash: Option<Box<str>>,
    /// Why. Personal: people write names into it.
    #[serde(skip_serializing)]
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
        let shown = |text: Option<&Excerpt>| text.map(|text| -> Box<str> { text.to_string().into() });
        let by = shown(revocation.author());
        Self {
            what: revocation.target().kind(),
            issuer,
            id,
            agent,
            principal_hash: principal.as_ref().map(|principal| key.hash_principal(principal)),
            principal,
            until: revocation.end(),
            issued_before: revocation.issued_before(),
            by_hash: by.as_deref().map(|by| key.hash_name(by)),
            by,
            reason: shown(revocation.reason()),
        }
    }
}
