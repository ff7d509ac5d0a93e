//! Secrets that clients share with the issuer: generated here, and kept as a hash.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};

use super::is_same;
use crate::jose::base64url;
use crate::random::{Random, RandomUnavailable};
use crate::text::Secret;

/// 256 bits: nobody finds one by trying, whatever the hash costs.
const SECRET_BYTES: usize = 32;

/// 32 characters of base64url hold 192 bits. What people choose is shorter.
const MIN_SECRET_CHARS: usize = 32;

/// How a hash is written.
const PREFIX: &str = "sha256:";

/// A new secret for a client: 43 characters, to be handed to the client once. The issuer keeps its
/// [`ClientSecret::hash`].
///
/// ```
/// use agentauth_core::SystemRandom;
/// use agentauth_core::delegation::{ClientSecret, SecretHash};
///
/// let secret = ClientSecret::generate(&SystemRandom)?;
/// let stored = secret.hash().to_string();
/// assert_eq!(stored.parse(), Ok(secret.hash()));
/// assert_eq!(SecretHash::of(secret.reveal()), Ok(secret.hash()));
/// # Ok::<(), agentauth_core::RandomUnavailable>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientSecret(Secret);

/// The SHA-256 of a client's secret, written as `sha256:` and 43 characters of base64url.
///
/// It has no salt and takes no time to compute, as a hash of passwords must: those slow down guessing, and a secret of
/// 192 bits or more cannot be guessed at any speed. So only such secrets are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; SECRET_BYTES]);

/// Why a text is no secret, or no hash of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It is shorter than 32 characters: someone may have chosen it.
    #[error("a client secret must have at least 32 characters; generate one with ClientSecret::generate")]
    Weak,
    /// It is no hash of a secret.
    #[error("the hash of a client secret is `sha256:` and 43 characters of base64url")]
    Hash,
}

impl SecretError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Weak => "client_secret_weak",
            Self::Hash => "client_secret_hash_malformed",
        }
    }
}

impl ClientSecret {
    /// A new secret.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; SECRET_BYTES];
        random.fill(&mut bytes)?;
        Ok(Self(Secret::new(base64url::encode(&bytes))))
    }

    /// The secret, for the client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// What the issuer keeps.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::digest(self.reveal())
    }
}

impl SecretHash {
    /// The hash of a secret that was generated elsewhere.
    ///
    /// # Errors
    /// [`SecretError::Weak`] for one of fewer than 32 characters: it could be guessed from its hash.
    pub fn of(secret: &str) -> Result<Self, SecretError> {
        if secret.chars().count() < MIN_SECRET_CHARS { Err(SecretError::Weak) } else { Ok(Self::digest(secret)) }
    }

    fn digest(secret: &str) -> Self {
        let mut hash = [0; SECRET_BYTES];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// Whether `secret` has this hash; never, and in the same time, if there is none.
    pub(super) fn is_of(hash: Option<&Self>, secret: &str) -> bool {
        let shown = Self::digest(secret);
        let Self(expected) = hash.copied().unwrap_or(Self([0; SECRET_BYTES]));
        is_same(&expected, &shown.0) && hash.is_some()
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", base64url::encode(&self.0))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

impl FromStr for SecretHash {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Hash)?;
        base64url::decode_exactly(encoded).map(Self).map_err(|_| SecretError::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn secrets_are_long_and_do_not_show() {
        let (one, other) =
            (ClientSecret::generate(&SystemRandom).unwrap(), ClientSecret::generate(&SystemRandom).unwrap());
        assert_eq!(one.reveal().len(), 43);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(format!("{one:?} {:?}", one.hash()), "ClientSecret([43 bytes redacted]) SecretHash([redacted])");
        assert_eq!(SecretHash::of("correct horse battery staple").unwrap_err().code(), "client_secret_weak");
        assert_eq!(SecretHash::of(&"x".repeat(31)).unwrap_err().code(), "client_secret_weak");
        assert!(SecretHash::of(&"x".repeat(32)).is_ok());
        let stored = one.hash().to_string();
        for text in
            ["", "sha256:", &stored.replace("sha256:", ""), &stored.replace("sha256", "sha1"), &format!("{stored}A")]
        {
            assert_eq!(text.parse::<SecretHash>().unwrap_err().code(), "client_secret_hash_malformed", "{text}");
        }
    }

    #[test]
    fn a_secret_is_right_only_with_its_own_hash() {
        let secret = ClientSecret::generate(&SystemRandom).unwrap();
        let hash = secret.hash();
        assert!(SecretHash::is_of(Some(&hash), secret.reveal()));
        assert!(!SecretHash::is_of(Some(&hash), &format!("{}A", secret.reveal())));
        assert!(!SecretHash::is_of(Some(&hash), ""));
        assert!(!SecretHash::is_of(None, secret.reveal()));
    }
}
