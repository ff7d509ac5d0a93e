use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::DpopVerifier;
use super::nonce::{NonceKey, Nonces};
use super::target::Origin;
use crate::jose::Algorithm;
use crate::state::{MemoryReplayStore, ReplayStore};
use crate::text::Excerpt;

/// A proof is made for one request: what takes longer than this is not on its way, but kept. It includes what clocks
/// may be apart.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);

/// Beyond this a proof is no longer one of being there now, and stores have to remember too much.
const MAX_MAX_AGE: Duration = Duration::from_secs(300);

/// A few seconds: proofs from the future are proofs that can be made in advance (RFC 9449 §11.2).
const DEFAULT_MAX_AHEAD: Duration = Duration::from_secs(5);

/// Clocks that are further apart are wrong.
const MAX_MAX_AHEAD: Duration = Duration::from_secs(60);

/// A nonce counts for one to two of these.
const DEFAULT_NONCE_PERIOD: Duration = Duration::from_secs(60);

/// Nonces that live longer say little about when a proof was made.
const MAX_NONCE_PERIOD: Duration = Duration::from_secs(3600);

/// What clients of today sign with, under keys that no one has cause to doubt.
const DEFAULT_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256];

/// How DPoP proofs are checked.
///
/// ```
/// use std::time::Duration;
///
/// use agentauth_core::SystemRandom;
/// use agentauth_core::binding::dpop::{Dpop, NonceKey};
/// use agentauth_core::jose::Algorithm;
///
/// let dpop = Dpop::new("https://tools.example.com")
///     .algorithms([Algorithm::EdDsa, Algorithm::Es256])
///     .max_age(Duration::from_secs(30))
///     .require_nonce(NonceKey::generate(&SystemRandom)?)
///     .build()?;
/// assert_eq!(dpop.algorithms(), "EdDSA Ed25519 ES256");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Dpop {
    origin: String,
    algorithms: Vec<Algorithm>,
    max_age: Duration,
    max_ahead: Duration,
    nonce_key: Option<NonceKey>,
    nonce_period: Duration,
    replay_store: Option<Arc<dyn ReplayStore>>,
}

/// Settings that do not make a verifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopConfigError {
    /// The origin is not a scheme, a host and perhaps a port.
    #[error("`{0}` is no origin; give what clients see, such as https://tools.example.com, without a path")]
    Origin(Excerpt),
    /// No algorithm is allowed, so no proof could be accepted.
    #[error("no algorithm is allowed, so no DPoP proof could be accepted")]
    NoAlgorithm,
    /// A proof may be too old, or may not be any age at all.
    #[error("a largest age of {0} s is outside 1 to 300 s")]
    MaxAge(u64),
    /// A proof may be too far in the future.
    #[error("a proof may not lie {0} s in the future: 60 s is the most that clocks may differ")]
    MaxAhead(u64),
    /// A nonce would be refused at once, or would count for too long.
    #[error("a nonce period of {0} s is outside 1 to 3600 s")]
    NoncePeriod(u64),
}

impl Dpop {
    /// For the server that clients reach at `origin`: `https://tools.example.com`, or with a port.
    ///
    /// The path of each request is put behind it and compared with `htu`. What the request itself says of its host
    /// (`Host`, `Forwarded`, `X-Forwarded-*`) is the sender's word, and never looked at.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            max_age: DEFAULT_MAX_AGE,
            max_ahead: DEFAULT_MAX_AHEAD,
            nonce_key: None,
            nonce_period: DEFAULT_NONCE_PERIOD,
            replay_store: None,
        }
    }

    /// The algorithms that proofs may be signed with: EdDSA, ES256, ES384, RS256 and PS256 unless set.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How old a proof may be: 60 s unless set, at most 300 s, in whole seconds. There is no leeway beside it.
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How far in the future a proof may have been made: 5 s unless set, at most 60 s, in whole seconds.
    pub const fn max_ahead(mut self, max_ahead: Duration) -> Self {
        self.max_ahead = max_ahead;
        self
    }

    /// Gives nonces, and takes no proof without one (RFC 9449 §9, §11.3). Replicas need the same key.
    pub fn require_nonce(mut self, key: NonceKey) -> Self {
        self.nonce_key = Some(key);
        self
    }

    /// How often the nonce changes: every 60 s unless set, at most 3600 s. A nonce counts to the end of the next period.
    pub const fn nonce_period(mut self, period: Duration) -> Self {
        self.nonce_period = period;
        self
    }

    /// Where proofs that were used are remembered: in this process ([`MemoryReplayStore`]) unless set. Replicas that do
    /// not share a store each take a proof once.
    pub fn replay_store(mut self, store: Arc<dyn ReplayStore>) -> Self {
        self.replay_store = Some(store);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`DpopConfigError`], with the offending value.
    pub fn build(self) -> Result<DpopVerifier, DpopConfigError> {
        let origin = Origin::parse(&self.origin).ok_or_else(|| DpopConfigError::Origin(Excerpt::of(&self.origin)))?;
        if self.algorithms.is_empty() {
            return Err(DpopConfigError::NoAlgorithm);
        }
        let within = |duration: Duration, range: std::ops::RangeInclusive<u64>| {
            let secs = duration.as_secs();
            if range.contains(&secs) { Ok(secs) } else { Err(secs) }
        };
        let max_age = within(self.max_age, 1..=MAX_MAX_AGE.as_secs()).map_err(DpopConfigError::MaxAge)?;
        let max_ahead = within(self.max_ahead, 0..=MAX_MAX_AHEAD.as_secs()).map_err(DpopConfigError::MaxAhead)?;
        within(self.nonce_period, 1..=MAX_NONCE_PERIOD.as_secs()).map_err(DpopConfigError::NoncePeriod)?;
        Ok(DpopVerifier {
            nonces: self.nonce_key.map(|key| Nonces::new(key, self.nonce_period, origin.as_str())),
            algorithm_names: Names(&self.algorithms).to_string().into(),
            algorithms: self.algorithms.into(),
            max_age,
            max_ahead,
            replay_store: self.replay_store.unwrap_or_else(|| Arc::new(MemoryReplayStore::new())),
            origin,
        })
    }
}

/// The names of algorithms as a challenge lists them (RFC 9449 §7.1).
struct Names<'a>(&'a [Algorithm]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, algorithm) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            // RFC 9864: clients may know either name.
            let other_name = if *algorithm == Algorithm::EdDsa { " Ed25519" } else { "" };
            write!(f, "{space}{algorithm}{other_name}")?;
        }
        Ok(())
    }
}
