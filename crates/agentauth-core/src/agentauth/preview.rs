//! What a verified caller may possibly do, before it asks.

use super::Caller;
use crate::policy::{Preview, PreviewRequest, PreviewResource, Prospect, Resource};
use crate::scope::{Foreseen, Outlook};
use crate::time::Timestamp;

/// A list of more actions than this is no list of tools. What stands behind them is left out of it.
const MAX_VISIBLE: usize = 4096;

impl Caller {
    /// Whether the caller may possibly do this, whatever its arguments will be: by what was delegated, and by the policy, now.
    ///
    /// It is no decision: nothing is recorded, spent or asked of a store (of revocations, for instance), and nothing is permitted
    /// by it. What is done is asked for with [`Caller::authorize`], each time. What is not known yet counts for the caller: of
    /// [`Preview::Possibly`], most may turn out to be denied.
    #[must_use]
    pub fn preview(&self, prospect: &Prospect) -> Preview {
        self.look_ahead(prospect, self.inner.auth.now())
    }

    /// Those of `prospects` that the caller may possibly do, in their order: the list of tools to show it. Of more than 4096,
    /// those behind them are left out.
    #[must_use]
    pub fn visible<'p>(&self, prospects: impl IntoIterator<Item = &'p Prospect>) -> Vec<&'p Prospect> {
        let now = self.inner.auth.now();
        let mut visible: Vec<_> = prospects.into_iter().take(MAX_VISIBLE).collect();
        visible.retain(|prospect| !self.look_ahead(prospect, now).is_never());
        visible
    }

    fn look_ahead(&self, prospect: &Prospect, now: Timestamp) -> Preview {
        let auth = &self.inner.auth.inner;
        let resource = match prospect.resource() {
            PreviewResource::Known(resource) if !resource.is_well_formed() => return Preview::Never,
            PreviewResource::Known(resource) => Some(Some((Resource::kind(resource), Resource::id(resource)))),
            PreviewResource::None => Some(None),
            PreviewResource::Unknown => None,
        };
        if self.check_standing(now).is_err() {
            return Preview::Never;
        }
        let foreseen = Foreseen { action: &prospect.scope, audience: &auth.resource, now, resource };
        let delegated = match self.inner.delegation.authority().outlook(foreseen, &auth.implications) {
            Outlook::Never => return Preview::Never,
            Outlook::Possibly => Preview::Possibly(None),
            Outlook::Always => Preview::Always,
        };
        let request =
            PreviewRequest { caller: self.facts(), action: prospect.name(), resource: prospect.resource(), now };
        delegated.and(auth.policy.preview(&request))
    }
}
