use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::jose::KeySet;

/// The keys of one issuer at one moment.
#[derive(Debug, Clone)]
pub struct KeySnapshot {
    /// The keys.
    pub keys: Arc<KeySet>,
    /// Which keys these are: another number for every other set that the source has handed out.
    pub generation: u64,
}

/// An attempt to get newer keys. It ends when the attempt is over, however it went; what came of it is in
/// [`KeySource::current`].
pub type KeyRefresh = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the keys of one issuer come from. Asked once per token, so it answers at once: a source that fetches
/// does so elsewhere and hands out its latest snapshot.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The keys as they are now, or `None` if they cannot be had: tokens are then refused, never passed.
    fn current(&self) -> Option<KeySnapshot>;

    /// The generation of [`KeySource::current`], without the keys. What was verified under another generation is
    /// verified again.
    fn generation(&self) -> Option<u64> {
        self.current().map(|snapshot| snapshot.generation)
    }

    /// A token could not be verified under the keys of the generation `tried` (`None`: there were none). Where newer
    /// keys might be had, this is the wait for them; `None` if there is nothing to wait for. The source bounds how
    /// often it really asks, and how long it takes: anyone can send a token with an unknown key.
    fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        let _ = tried;
        None
    }
}

impl KeySource for Arc<KeySet> {
    fn current(&self) -> Option<KeySnapshot> {
        Some(KeySnapshot { keys: Self::clone(self), generation: 0 })
    }

    fn generation(&self) -> Option<u64> {
        Some(0)
    }
}

impl<S: KeySource> KeySource for Shared<S> {
    fn current(&self) -> Option<KeySnapshot> {
        self.0.current()
    }

    fn generation(&self) -> Option<u64> {
        self.0.generation()
    }

    fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        self.0.refresh(tried)
    }
}

/// A source that others hold too.
#[derive(Debug)]
struct Shared<S>(Arc<S>);

/// The keys of one issuer, wherever they come from.
#[derive(Debug, Clone)]
pub struct Keys(Option<Arc<dyn KeySource>>);

impl Keys {
    /// Keys from a source of one's own.
    #[must_use]
    pub fn from_source(source: impl KeySource + 'static) -> Self {
        Self(Some(Arc::new(source)))
    }

    /// Keys from a source that others hold too.
    pub(crate) fn from_shared(source: &Arc<impl KeySource + 'static>) -> Self {
        Self::from_source(Shared(Arc::clone(source)))
    }

    /// No keys: every token that is signed is refused.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn current(&self) -> Option<KeySnapshot> {
        self.0.as_ref()?.current()
    }

    pub(super) fn generation(&self) -> Option<u64> {
        self.0.as_ref()?.generation()
    }

    pub(crate) fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        self.0.as_ref()?.refresh(tried)
    }
}

impl From<KeySet> for Keys {
    /// Keys that do not change.
    fn from(keys: KeySet) -> Self {
        Self::from_source(Arc::new(keys))
    }
}
