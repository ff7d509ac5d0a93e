//! The last steps before a permit. What can be given back is taken first, so that nothing is used up where another step refuses.

use std::sync::Arc;

use super::limits::{self, Held};
use super::{Caller, uses};
use crate::audit::Record;
use crate::policy::{Action, ApprovalTerms, Decision, Obligation};
use crate::rejection::Refusal;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// That every condition of an allow is met: without it, there is no permit. It keeps what was taken of limits.
pub(super) struct Settled {
    held: Option<Box<Held>>,
}

impl Settled {
    /// The tool is about to run. What is held is dropped when it has ended.
    pub(super) fn used(self) -> Option<Box<Held>> {
        let mut held = self.held;
        if let Some(held) = &mut held {
            held.used();
        }
        held
    }

    /// The first moment at which a condition may not be met any more.
    pub(super) fn lapses(&self) -> Option<Timestamp> {
        self.held.as_ref().and_then(|held| held.lapses())
    }
}

impl Caller {
    /// Meets all that an allow is on condition of.
    pub(super) async fn settle<A>(
        &self,
        decision: &Decision,
        action: &Action<A>,
        record: &mut Record,
    ) -> Result<Settled, Refusal> {
        let auth = &self.inner.auth;
        let mut settled = Settled { held: None };
        // The policy may have taken its time.
        let mut grant = self.check_action(action, auth.now())?;
        self.standing(auth.now()).await?;
        if !decision.obligations().is_empty() {
            settled.held = Box::pin(self.meet(decision, action, record)).await?;
            // So may the stores.
            grant = self.check_action(action, auth.now())?;
            self.standing(auth.now()).await?;
        }
        // After the approval, since an action that only asks for one spends no use.
        let Some(grant) = grant else { return Ok(settled) };
        uses::count(auth, &self.inner.delegation, grant).await?;
        // And whoever counts.
        self.check_action(action, auth.now())?;
        self.standing(auth.now()).await?;
        Ok(settled)
    }

    /// Meets the obligations of an allow, or says which is not met: then what was taken of limits is given back.
    async fn meet<A>(
        &self,
        decision: &Decision,
        action: &Action<A>,
        record: &mut Record,
    ) -> Result<Option<Box<Held>>, Refusal> {
        let approval = terms_of_approval(decision)?;
        let (auth, id) = (&self.inner.auth, Arc::clone(&record.evaluation_id));
        let held = limits::reserve(auth, &self.inner.delegation, action, decision.obligations(), &id).await?;
        if let Some(terms) = approval {
            self.use_approval(decision, terms, action, record).await?;
        }
        Ok(held)
    }
}

/// On what terms an approval is needed, if one is: of several, the shortest.
fn terms_of_approval(decision: &Decision) -> Result<Option<ApprovalTerms>, Refusal> {
    decision.obligations().iter().try_fold(None, |shortest, obligation| match obligation {
        Obligation::Approval(terms) => {
            Ok(Some(shortest.map_or(*terms, |shortest: ApprovalTerms| shortest.min(*terms))))
        }
        Obligation::Rate(_) | Obligation::Concurrency(_) | Obligation::Budget(_) => Ok(shortest),
        Obligation::Unknown(name) => Err(Refusal::Obligation(Excerpt::of(name))),
    })
}
