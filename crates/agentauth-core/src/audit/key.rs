use std::fmt;

use aws_lc_rs::hmac;

use crate::identity::IssuerId;
use crate::random::{Random, RandomUnavailable, hex};

/// The key under which identifiers are hashed before they are recorded.
///
/// With a key of its own, a log can be joined with itself, and not with anything else. The key belongs to the
/// deployment: processes that share it write joinable logs.
#[derive(Clone)]
pub struct AuditKey(hmac::Key);

impl AuditKey {
    /// The key with these 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A fresh key, gone with the process.
    pub(crate) fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        Ok(Self::new(&bytes))
    }

    /// The first 128 bits of the keyed hash of `id` as `issuer` gave it.
    pub(crate) fn hash(&self, issuer: &IssuerId, id: &str) -> Box<str> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(issuer.as_str().as_bytes());
        context.update(&[0]);
        context.update(id.as_bytes());
        hex(context.sign().as_ref().get(..16).unwrap_or_default())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}
