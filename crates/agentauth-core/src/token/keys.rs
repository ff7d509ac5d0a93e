use std::fmt;
use std::sync::Arc;

use crate::jose::KeySet;

/// Where the keys of one issuer come from. Asked once per token, so it answers at once: a source that fetches
/// does so elsewhere and hands out its latest snapshot.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The keys as they are now, or `None` if they cannot be had: tokens are then refused, never passed.
    fn current(&self) -> Option<Arc<KeySet>>;
}

impl KeySource for Arc<KeySet> {
    fn current(&self) -> Option<Arc<KeySet>> {
        Some(Self::clone(self))
    }
}

/// The keys of one issuer, wherever they come from.
#[derive(Debug, Clone)]
pub struct Keys(Arc<dyn KeySource>);

impl Keys {
    /// Keys from a source of one's own.
    #[must_use]
    pub fn from_source(source: impl KeySource + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.0.current()
    }
}

impl From<KeySet> for Keys {
    /// Keys that do not change.
    fn from(keys: KeySet) -> Self {
        Self::from_source(Arc::new(keys))
    }
}
