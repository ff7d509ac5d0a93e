//! Nonces that the server does not have to remember (RFC 9449 §8, §9).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};

use crate::jose::base64url;
use crate::random::{Random, RandomUnavailable};
use crate::time::Timestamp;

/// 128 bits of the tag: far beyond guessing online, and short enough for a header.
const TAG_BYTES: usize = 16;

const BUCKET_BYTES: usize = 8;

const NONCE_BYTES: usize = BUCKET_BYTES + TAG_BYTES;

/// The secret that a server's nonces are made with. Replicas of one server share it, so that each takes the nonces of
/// the others.
pub struct NonceKey(hmac::Key);

impl NonceKey {
    /// The key with these 32 bytes, which must be secret and random.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A fresh key, gone with the process.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        Ok(Self::new(&bytes))
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey([redacted])")
    }
}

/// Whether a nonce is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// It is of this period.
    Current,
    /// It is of the period before: good, and due to be replaced.
    Previous,
}

/// Makes and recognises the nonces of one server: the number of the period, and a keyed hash of it and the server's
/// origin.
#[derive(Debug)]
pub(super) struct Nonces {
    key: NonceKey,
    period_secs: u64,
    origin: Box<str>,
}

impl Nonces {
    pub(super) fn new(key: NonceKey, period: Duration, origin: &str) -> Self {
        Self { key, period_secs: period.as_secs().max(1), origin: origin.into() }
    }

    /// The nonce of the period in which `now` lies.
    pub(super) fn current(&self, now: Timestamp) -> String {
        let bucket = self.bucket(now);
        let mut nonce = [0; NONCE_BYTES];
        let (number, tag) = nonce.split_at_mut(BUCKET_BYTES);
        number.copy_from_slice(&bucket.to_be_bytes());
        tag.copy_from_slice(&self.tag(bucket));
        base64url::encode(&nonce)
    }

    /// The age of `nonce`, if it is one of this server's, of the period of `now` or the one before.
    pub(super) fn age(&self, nonce: &str, now: Timestamp) -> Option<Age> {
        let mut buffer = [0; NONCE_BYTES + 2];
        let bytes: &[u8; NONCE_BYTES] = base64url::decode_into(nonce, &mut buffer).ok()?.try_into().ok()?;
        let (number, tag) = bytes.split_first_chunk::<BUCKET_BYTES>()?;
        let bucket = u64::from_be_bytes(*number);
        let age = match self.bucket(now).checked_sub(bucket)? {
            0 => Age::Current,
            1 => Age::Previous,
            _ => return None,
        };
        constant_time::verify_slices_are_equal(&self.tag(bucket), tag).ok().map(|()| age)
    }

    const fn bucket(&self, now: Timestamp) -> u64 {
        now.secs() / self.period_secs
    }

    fn tag(&self, bucket: u64) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.key.0);
        // Keys may be given to more than one use by mistake.
        context.update(b"agentauth dpop nonce\0");
        context.update(&bucket.to_be_bytes());
        context.update(self.origin.as_bytes());
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn nonces(key: u8, period: u64, origin: &str) -> Nonces {
        Nonces::new(NonceKey::new(&[key; 32]), Duration::from_secs(period), origin)
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_nonce_counts_in_its_period_and_the_next() {
        let nonces = nonces(1, 60, "https://a.example");
        let nonce = nonces.current(at(NOW));
        assert_eq!(nonce.len(), 32);
        for (now, expected) in [
            (NOW, Some(Age::Current)),
            (NOW + 59, Some(Age::Current)),
            (NOW + 60, Some(Age::Previous)),
            (NOW + 119, Some(Age::Previous)),
            (NOW + 120, None),
            (NOW - 1, None),
            (0, None),
            (u64::MAX, None),
        ] {
            assert_eq!(nonces.age(&nonce, at(now)), expected, "{now}");
        }
    }

    #[test]
    fn a_nonce_is_made_by_this_key_for_this_server() {
        let ours = nonces(1, 60, "https://a.example");
        let nonce = ours.current(at(NOW));
        assert_eq!(nonces(1, 60, "https://a.example").age(&nonce, at(NOW)), Some(Age::Current), "a replica's");
        assert_eq!(nonces(2, 60, "https://a.example").age(&nonce, at(NOW)), None);
        assert_eq!(nonces(1, 60, "https://b.example").age(&nonce, at(NOW)), None);
        for position in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(ours.age(std::str::from_utf8(&forged).unwrap(), at(NOW)), None, "{position}");
        }
        for text in
            ["", "A", nonce.trim_start_matches("AA"), &format!("{nonce}A"), &format!("{nonce}="), &"A".repeat(8000)]
        {
            assert_eq!(ours.age(text, at(NOW)), None, "{text:.40}");
        }
        assert_eq!(format!("{:?}", ours.key), "NonceKey([redacted])");
    }
}
