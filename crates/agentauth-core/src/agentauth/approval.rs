//! The one use of a human's approval.

use std::sync::Arc;

use super::Caller;
use crate::approval::{Act, ApprovalRefusal, Asked, asked};
use crate::audit::{ApprovalRecord, Record};
use crate::identity::Approver;
use crate::policy::{Action, ApprovalTerms, Decision, Reason, ReasonKind};
use crate::rejection::Refusal;
use crate::state::{ApprovalStanding, AskedApproval};

impl Caller {
    /// Uses the approval of this very action, or asks for one.
    pub(super) async fn use_approval<A>(
        &self,
        decision: &Decision,
        terms: ApprovalTerms,
        action: &Action<A>,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let auth = &self.inner.auth;
        let asked = self.asked(decision, terms, action, record)?;
        let store = auth.inner.approvals.as_ref().ok_or(ApprovalRefusal::NotConfigured)?;
        let (id, approver) = match store.present(&asked, auth.now()).await {
            ApprovalStanding::Approved { id, by } => (id, Ok(Approver::from_text(&by))),
            ApprovalStanding::Pending { id } => (Arc::clone(&id), Err(ApprovalRefusal::Required { id })),
            ApprovalStanding::Expired { id } => (Arc::clone(&id), Err(ApprovalRefusal::Expired { id })),
            ApprovalStanding::OtherPolicy { id } => (Arc::clone(&id), Err(ApprovalRefusal::StalePolicy { id })),
            ApprovalStanding::Denied { id } => (Arc::clone(&id), Err(ApprovalRefusal::Denied { id })),
            ApprovalStanding::Used { id } => (Arc::clone(&id), Err(ApprovalRefusal::Used { id })),
            ApprovalStanding::AgentFull => return Err(ApprovalRefusal::TooMany.into()),
            ApprovalStanding::Full => return Err(ApprovalRefusal::Full.into()),
            ApprovalStanding::Unavailable => return Err(ApprovalRefusal::Unavailable.into()),
        };
        let known = record.approval.insert(ApprovalRecord { id, approver: None, approver_hash: None, asked_by: None });
        // An approval by nobody who can be named is none.
        let approver = approver?.ok_or(ApprovalRefusal::Unavailable)?;
        known.approver_hash = Some(auth.inner.audit_key.hash_approver(&approver));
        known.approver = Some(approver);
        Ok(())
    }

    fn asked<A>(
        &self,
        decision: &Decision,
        terms: ApprovalTerms,
        action: &Action<A>,
        record: &Record,
    ) -> Result<AskedApproval, Refusal> {
        let Self { inner } = self;
        let policy_version = record.policy_version.as_deref().unwrap_or_default();
        if &*inner.auth.inner.policy.version() != policy_version {
            let text = "the policy was replaced while it was asked".into();
            return Err(Refusal::Policy { kind: ReasonKind::PolicyFailed, text, public: None });
        }
        let act = Act {
            server: inner.auth.inner.resource.clone(),
            agent: inner.delegation.actor().clone(),
            holders: inner.delegation.holders().to_vec(),
            principal: inner.delegation.principal().clone(),
            mode: inner.delegation.mode(),
            issuer: inner.delegation.issuer().clone(),
            action: action.name.as_str().into(),
            resource: action.resource.clone(),
            arguments: action.arguments.canonical().map_err(|_| ApprovalRefusal::Oversize)?.into(),
        };
        let request = Asked {
            act: &act,
            policies: decision.reasons().iter().filter_map(Reason::policy).collect(),
            policy_version,
            evaluation_id: &record.evaluation_id,
            created: record.time,
            expires: record.time.plus(terms.lifetime()),
        };
        Ok(asked(inner.auth.new_id()?, &request).ok_or(ApprovalRefusal::Oversize)?)
    }
}
