//! What an allow is on condition of, and the last step before a permit: the one use of a human's approval.

use std::sync::Arc;

use super::{Caller, uses};
use crate::approval::{Act, ApprovalRefusal, Asked, asked};
use crate::audit::{ApprovalRecord, Record};
use crate::identity::Approver;
use crate::policy::{Action, ApprovalTerms, Decision, Obligation, Reason, ReasonKind};
use crate::rejection::Refusal;
use crate::state::{ApprovalStanding, AskedApproval};
use crate::text::Excerpt;

impl Caller {
    /// The last steps before a permit, each of which may use something up.
    pub(super) async fn settle<A>(
        &self,
        decision: &Decision,
        action: &Action<A>,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let auth = &self.inner.auth;
        // The policy may have taken its time.
        let mut grant = self.check_action(action, auth.now())?;
        self.standing(auth.now()).await?;
        if !decision.obligations().is_empty() {
            Box::pin(self.meet(decision, action, record)).await?;
            // So may the store.
            grant = self.check_action(action, auth.now())?;
            self.standing(auth.now()).await?;
        }
        // After the approval, since an action that only asks for one spends no use.
        let Some(grant) = grant else { return Ok(()) };
        uses::count(auth, &self.inner.delegation, grant).await?;
        // And whoever counts.
        self.check_action(action, auth.now())?;
        self.standing(auth.now()).await
    }

    /// Meets the conditions of an allow, or says which is not.
    async fn meet<A>(&self, decision: &Decision, action: &Action<A>, record: &mut Record) -> Result<(), Refusal> {
        match terms_of_approval(decision)? {
            Some(terms) => self.use_approval(decision, terms, action, record).await,
            None => Ok(()),
        }
    }

    async fn use_approval<A>(
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
        let known = record.approval.insert(ApprovalRecord { id, approver: None, asked_by: None });
        // An approval by nobody who can be named is none.
        known.approver = Some(approver?.ok_or(ApprovalRefusal::Unavailable)?);
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

/// On what terms an approval is needed, if one is: of several, the shortest.
fn terms_of_approval(decision: &Decision) -> Result<Option<ApprovalTerms>, Refusal> {
    decision.obligations().iter().try_fold(None, |shortest, obligation| match obligation {
        Obligation::Approval(terms) => {
            Ok(Some(shortest.map_or(*terms, |shortest: ApprovalTerms| shortest.min(*terms))))
        }
        Obligation::Unknown(name) => Err(Refusal::Obligation(Excerpt::of(name))),
    })
}
