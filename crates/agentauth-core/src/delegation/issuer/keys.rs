//! The keys an issuer signs with, and their rotation.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::jose::{Algorithm, KeyError, KeySet, Signer};
use crate::text::Excerpt;
use crate::time::{Clock, Timestamp};
use crate::token::{KeySnapshot, KeySource};

/// How long a key is published before it signs. Verifiers that are told nothing else fetch keys every 10 minutes; half as
/// much again is for those that come late.
pub const MIN_PUBLICATION: Duration = Duration::from_secs(15 * 60);

/// How long after `exp` a token may still be taken: verifiers allow for 60 s between clocks at most.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// Rotations that come faster than tokens expire are a mistake, and each key is one more to try to steal.
const MAX_KEYS: usize = 8;

/// The keys of an [`Issuer`](super::Issuer): one signs, the next may be published already, and earlier ones stay published
/// until all that they signed has expired.
///
/// What happens when follows from the clock: after [`SigningKeys::rotate`], nothing more has to be called.
pub struct SigningKeys {
    clock: Arc<dyn Clock>,
    /// How long the tokens last that these keys sign.
    lifetime: Duration,
    ring: RwLock<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// In the order in which they sign.
    keys: Vec<Arc<Key>>,
    /// The last of them: there is always one.
    newest: Arc<Key>,
    snapshot: Arc<KeySet>,
    generation: u64,
    /// When the first of the keys has had its time.
    next_end: Option<Timestamp>,
}

#[derive(Debug)]
struct Key {
    signer: Arc<dyn Signer>,
    signs_from: Timestamp,
}

/// A key, and what it is for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStatus {
    /// Its `kid`.
    pub key_id: Box<str>,
    /// What it is for.
    pub phase: KeyPhase,
}

/// What a published key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPhase {
    /// It is published, and signs from then on.
    Next {
        /// The first moment at which it signs.
        signs_from: Timestamp,
    },
    /// It signs.
    Signing,
    /// It signs no more, and is published until then, for what it signed.
    Retired {
        /// The first moment at which it is published no more.
        published_until: Timestamp,
    },
}

/// Why keys cannot be rotated so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// A next key is waiting for its turn.
    #[error("key `{key_id}` is published and signs from {signs_from} on: wait, or withdraw it first")]
    Pending {
        /// Its `kid`.
        key_id: Excerpt,
        /// The first moment at which it signs.
        signs_from: Timestamp,
    },
    /// The key is published already, or another one with its id.
    #[error("a key with the id `{0}` is published already; make a new one")]
    Known(Excerpt),
    /// Eight keys are published.
    #[error("8 keys are published; wait until the tokens of the oldest have expired, or withdraw one")]
    TooMany,
    /// The public half cannot be published.
    #[error("the key cannot be published: {0}")]
    Key(KeyError),
    /// No key with this id is published.
    #[error("no key with the id `{0}` is published")]
    Unknown(Excerpt),
    /// Without it, nothing could be signed.
    #[error("key `{0}` is the one that signs, and no next one is published: call rotate_at_once first")]
    NoOther(Excerpt),
}

impl RotationError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "rotation_pending",
            Self::Known(_) => "rotation_key_known",
            Self::TooMany => "rotation_too_many_keys",
            Self::Key(error) => error.code(),
            Self::Unknown(_) => "rotation_key_unknown",
            Self::NoOther(_) => "rotation_no_other_key",
        }
    }
}

impl SigningKeys {
    pub(super) fn new(
        signer: impl Signer + 'static,
        lifetime: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let key = Arc::new(Key { signer: Arc::new(signer), signs_from: Timestamp::from_secs(0) });
        let keys = vec![Arc::clone(&key)];
        let ring = Ring { snapshot: Arc::new(public_halves(&keys)?), keys, newest: key, generation: 0, next_end: None };
        Ok(Self { clock, lifetime, ring: RwLock::new(ring) })
    }

    /// Publishes `next`, which signs in place of the present key from [`MIN_PUBLICATION`] on: by then, verifiers have
    /// fetched it. Returns the moment.
    ///
    /// The present key stays published until the last token it signed has expired everywhere.
    ///
    /// # Errors
    /// [`RotationError`]; nothing has then changed.
    pub fn rotate(&self, next: impl Signer + 'static) -> Result<Timestamp, RotationError> {
        self.add(Arc::new(next), MIN_PUBLICATION)
    }

    /// Publishes `next`, and signs with it at once, as when the present key is not to be used any more. Verifiers that
    /// fetch keys now and then refuse its tokens until they do; those that fetch when they see a new `kid` do not.
    ///
    /// # Errors
    /// [`RotationError`]; nothing has then changed.
    pub fn rotate_at_once(&self, next: impl Signer + 'static) -> Result<(), RotationError> {
        self.add(Arc::new(next), Duration::ZERO).map(|_| ())
    }

    /// Takes back a key at once, as when it has been stolen: all that it signed counts here no more, and elsewhere as soon
    /// as verifiers fetch the keys again. If it is the one that signs, the next takes its place, published or not for as
    /// long as it was to be.
    ///
    /// # Errors
    /// [`RotationError::Unknown`], [`RotationError::NoOther`]; nothing has then changed.
    pub fn withdraw(&self, key_id: &str) -> Result<(), RotationError> {
        let now = self.clock.now();
        self.change(now, |keys, now| {
            let place = keys.iter().position(|key| key.signer.key_id() == key_id);
            let place = place.ok_or_else(|| RotationError::Unknown(Excerpt::of(key_id)))?;
            if place == signing(keys, now) {
                let next = keys.get_mut(place.saturating_add(1));
                let next = next.ok_or_else(|| RotationError::NoOther(Excerpt::of(key_id)))?;
                *next = Arc::new(Key { signer: Arc::clone(&next.signer), signs_from: now });
            }
            keys.remove(place);
            Ok(())
        })
    }

    /// The published keys, the oldest first.
    #[must_use]
    pub fn status(&self) -> Vec<KeyStatus> {
        let now = self.now_tidied();
        self.read(|ring| {
            let signing = signing(&ring.keys, now);
            let phase = |(place, key): (usize, &Arc<Key>)| KeyStatus {
                key_id: key.signer.key_id().into(),
                phase: match place.cmp(&signing) {
                    std::cmp::Ordering::Less => {
                        KeyPhase::Retired { published_until: end_of(&ring.keys, place, self.lifetime).unwrap_or(now) }
                    }
                    std::cmp::Ordering::Equal => KeyPhase::Signing,
                    std::cmp::Ordering::Greater => KeyPhase::Next { signs_from: key.signs_from },
                },
            };
            ring.keys.iter().enumerate().map(phase).collect()
        })
    }

    /// The JWKS document (RFC 7517 §5) of all published keys.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.now_tidied();
        self.read(|ring| jwks_of(&ring.keys))
    }

    /// The algorithm of the key that signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.signer().algorithm()
    }

    /// The key that signs.
    pub(super) fn signer(&self) -> Arc<dyn Signer> {
        let now = self.clock.now();
        self.read(|ring| Arc::clone(&ring.keys.get(signing(&ring.keys, now)).unwrap_or(&ring.newest).signer))
    }

    fn add(&self, next: Arc<dyn Signer>, published_for: Duration) -> Result<Timestamp, RotationError> {
        let now = self.clock.now();
        let signs_from = now.plus(published_for);
        self.change(now, |keys, now| {
            let id = next.key_id();
            if keys.iter().any(|key| key.signer.key_id() == id) {
                return Err(RotationError::Known(Excerpt::of(id)));
            }
            if let Some(pending) = keys.get(signing(keys, now).saturating_add(1)) {
                let key_id = Excerpt::of(pending.signer.key_id());
                return Err(RotationError::Pending { key_id, signs_from: pending.signs_from });
            }
            if keys.len() >= MAX_KEYS {
                return Err(RotationError::TooMany);
            }
            keys.push(Arc::new(Key { signer: next, signs_from }));
            Ok(())
        })?;
        Ok(signs_from)
    }

    /// Puts what `change` makes of the keys into their place, all at once or not at all.
    fn change(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Vec<Arc<Key>>, Timestamp) -> Result<(), RotationError>,
    ) -> Result<(), RotationError> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut keys = ring.keys.clone();
        drop_ended(&mut keys, self.lifetime, now);
        change(&mut keys, now)?;
        self.replace(&mut ring, keys).map_err(RotationError::Key)
    }

    /// # Errors
    /// [`KeyError`]; the ring is then as it was.
    fn replace(&self, ring: &mut Ring, keys: Vec<Arc<Key>>) -> Result<(), KeyError> {
        let newest = keys.last().map(Arc::clone).ok_or(KeyError::NoUsableKey)?;
        *ring = Ring {
            newest,
            snapshot: Arc::new(public_halves(&keys)?),
            generation: ring.generation.wrapping_add(1),
            next_end: end_of(&keys, 0, self.lifetime),
            keys,
        };
        Ok(())
    }

    /// Drops the keys that have had their time. Returns the present moment.
    fn now_tidied(&self) -> Timestamp {
        let now = self.clock.now();
        if self.read(|ring| ring.next_end).is_some_and(|end| now >= end) {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            let mut keys = ring.keys.clone();
            drop_ended(&mut keys, self.lifetime, now);
            if keys.len() < ring.keys.len() {
                // What was published once can be published still.
                let _ = self.replace(&mut ring, keys);
            }
        }
        now
    }

    fn read<T>(&self, read: impl FnOnce(&Ring) -> T) -> T {
        // A ring is only ever replaced whole.
        read(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of the key that signs: the last whose turn has come. A clock that was put back before all turns gets the
/// oldest.
fn signing(keys: &[Arc<Key>], now: Timestamp) -> usize {
    keys.iter().rposition(|key| key.signs_from <= now).unwrap_or(0)
}

/// When all that the key at `place` signed has expired everywhere; `None` if nobody comes after it.
fn end_of(keys: &[Arc<Key>], place: usize, lifetime: Duration) -> Option<Timestamp> {
    keys.get(place.saturating_add(1)).map(|next| next.signs_from.plus(lifetime).plus(MAX_SKEW))
}

fn drop_ended(keys: &mut Vec<Arc<Key>>, lifetime: Duration, now: Timestamp) {
    while end_of(keys, 0, lifetime).is_some_and(|end| now >= end) {
        keys.remove(0);
    }
}

fn jwks_of(keys: &[Arc<Key>]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.signer.public_jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// All of them, or none.
fn public_halves(keys: &[Arc<Key>]) -> Result<KeySet, KeyError> {
    let set = KeySet::from_jwks(jwks_of(keys).as_bytes())?;
    let found = |key: &Arc<Key>| set.has_key(key.signer.key_id(), key.signer.algorithm());
    if set.len() == keys.len() && keys.iter().all(found) {
        return Ok(set);
    }
    Err(set.unusable().first().cloned().unwrap_or(KeyError::Malformed))
}

impl KeySource for SigningKeys {
    fn current(&self) -> Option<KeySnapshot> {
        self.now_tidied();
        Some(self.read(|ring| KeySnapshot { keys: Arc::clone(&ring.snapshot), generation: ring.generation }))
    }

    fn generation(&self) -> Option<u64> {
        self.now_tidied();
        Some(self.read(|ring| ring.generation))
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("keys", &self.status()).finish_non_exhaustive()
    }
}
