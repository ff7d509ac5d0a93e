use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;

use super::{Found, LivePolicies, Office, PolicySource, ReloadError, Trouble, settled};
use crate::audit::AuditSink;
use crate::identity::ResourceId;
use crate::random::{Random, SystemRandom};
use crate::text::Excerpt;
use crate::time::{Clock, SystemClock};

/// Policies that are not in force yet: see [`LivePolicies::of`].
#[must_use = "nothing is in force before `start` is awaited"]
pub struct LivePoliciesBuilder<S> {
    source: S,
    office: Office,
}

impl<S: PolicySource> LivePoliciesBuilder<S> {
    pub(super) fn new(source: S, server: &ResourceId) -> Self {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        Self { source, office: Office { server: server.clone(), sinks: Vec::new(), replica: None, clock, random } }
    }

    /// Where replacements are recorded; may be called for several. Give the sinks that decisions are recorded in.
    pub fn audit(mut self, sink: impl AuditSink + 'static) -> Self {
        self.office.sinks.push(Arc::new(sink));
        self
    }

    /// What this process is called in the record: as [`AgentAuthBuilder::replica`](crate::AgentAuthBuilder::replica).
    pub fn replica(mut self, name: &str) -> Self {
        self.office.replica = Some(Excerpt::of(name).to_string().into());
        self
    }

    /// Tells the time by `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.office.clock = clock;
        self
    }

    /// Takes the ids of records from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.office.random = random;
        self
    }

    /// Reads the source for the first time, as [`LivePolicies::reload`] does later: there are no live policies without any.
    ///
    /// # Errors
    /// [`ReloadError`], which is on record too.
    pub async fn start(self) -> Result<LivePolicies<S>, ReloadError> {
        let Self { source, office } = self;
        let state = source.state();
        let found = match source.load() {
            Ok(set) => Found::checked(set, settled(&source, state), office.clock.now()).await,
            Err(problems) => Err(ReloadError::Refused(problems)),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                office.refused(&error, None).await;
                return Err(error);
            }
        };
        let Found { set, passed } = found;
        office.replaced(None, &set.version, passed).await.map_err(ReloadError::Unrecorded)?;
        Ok(LivePolicies {
            source,
            office,
            current: ArcSwap::from_pointee(set),
            is_at_work: AtomicBool::new(false),
            trouble: std::sync::Mutex::new(Trouble::default()),
        })
    }
}

impl<S> fmt::Debug for LivePoliciesBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePoliciesBuilder").field("server", &self.office.server).finish_non_exhaustive()
    }
}
