use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{
    ActionRecord, ApprovalRecord, ClientRecord, DelegationRecord, IssuedRecord, PolicyReloadRecord, QuestionRecord,
    RevocationRecord,
};
use crate::identity::{Peer, PeerProof, SpiffeId};
use crate::policy::{Decision, Effect, Obligation, PolicyFault, Reason, WouldFlip};
use crate::time::Timestamp;
use crate::trace::TraceContext;

/// The version of this record's shape.
pub const RECORD_VERSION: u32 = 2;

/// One line of the record: what was asked, by whom, for whom, what was answered, and why.
///
/// The fields are the audit minimum of the WIMSE agent drafts (agent, subject, tool and resource, action and
/// decision, time and correlation id) and what it takes to explain the decision later. There is no field that a
/// token, a proof or a key could be in, nor an argument's value unless it was asked for by name: tokens appear as a keyed
/// hash of their id, arguments as the digest of their canonical form.
///
/// Written as JSON, all that is personal stands in the one member `personal`, which can be erased ([`Record::write`]): elsewhere,
/// names of people are keyed hashes, by which records can be joined.
#[derive(Debug, Clone)]
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
    pub authentication_id: Option<Arc<str>>,
    /// Who acts, for whom, and how that is known. Absent if no one was verified.
    pub delegation: Option<Arc<DelegationRecord>>,
    /// The transaction that the token was used for (`txn`): the same in the records of every workload that takes part.
    pub transaction: Option<Arc<str>>,
    /// The agent that the connection proved, or that a trusted proxy passed on.
    pub peer: Option<SpiffeId>,
    /// How that is known.
    pub peer_proof: Option<PeerProof>,
    /// The client of an issuer, and how it has proven itself.
    pub client: Option<ClientRecord>,
    /// The trace that the request says it is a part of: claimed, and never trusted for anything.
    pub trace: Option<TraceContext>,
    /// Which of the processes that are this server, if it was given a name.
    pub replica: Option<Arc<str>>,
    /// How long it took, in microseconds by the engine's clock: a decision until it was made, a tool until it had ended.
    pub took_micros: Option<u64>,
    /// What was to be done.
    pub action: Option<ActionRecord>,
    /// What a policy decision point was asked: who acts for whom there. In such a record, `delegation` is of the server that asks.
    pub question: Option<QuestionRecord>,
    /// Which version of the policies answered.
    pub policy_version: Option<Arc<str>>,
    /// What an allow was on condition of.
    pub obligations: Vec<Obligation>,
    /// Policies that could not be evaluated.
    pub policy_errors: Vec<PolicyFault>,
    /// What only rehearses and would have decided otherwise: none of it was in force.
    pub would_flip: Vec<WouldFlip>,
    /// The human's approval that was asked for, given, denied or used.
    pub approval: Option<ApprovalRecord>,
    /// The token that was issued, for an exchange.
    pub issued: Option<IssuedRecord>,
    /// What was revoked.
    pub revocation: Option<RevocationRecord>,
    /// Which policies came into force, or did not.
    pub policy_reload: Option<PolicyReloadRecord>,
    /// Whether parts that others had written too long were cut.
    pub truncated: bool,
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
            trace: None,
            replica: None,
            took_micros: None,
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
            truncated: false,
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

    /// Notes how long it took from its beginning, which is its time, to `end`.
    pub(crate) fn took_until(&mut self, end: Timestamp) {
        self.took(end.since(self.time));
    }

    pub(crate) fn took(&mut self, duration: Duration) {
        self.took_micros = Some(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
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
