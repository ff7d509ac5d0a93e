use std::fmt;

use aws_lc_rs::hmac;

use crate::identity::{Approver, IssuerId, PrincipalId};
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
        // An issuer has no zero byte in it, and no space.
        self.hash_all([issuer.as_str(), "\0", id])
    }

    /// That of a principal's name, of whatever kind it is: one who is revoked by name is found.
    pub(crate) fn hash_principal(&self, principal: &PrincipalId) -> Box<str> {
        self.hash_subject(principal.issuer(), principal.tenant(), principal.subject())
    }

    pub(crate) fn hash_subject(&self, issuer: &IssuerId, tenant: Option<&str>, subject: &str) -> Box<str> {
        let tenant = tenant.map(|tenant| format!("{} {tenant}", tenant.len()));
        self.hash_all([
            "agentauth principal 2 ",
            issuer.as_str(),
            "\0",
            tenant.as_deref().unwrap_or("-"),
            "\0",
            subject,
        ])
    }

    /// That of a human who approves.
    pub(crate) fn hash_approver(&self, approver: &Approver) -> Box<str> {
        match approver {
            Approver::Principal(principal) => self.hash_principal(principal),
            Approver::Named(name) => self.hash_name(name),
        }
    }

    /// That of the name by which the application knows someone.
    pub(crate) fn hash_name(&self, name: &str) -> Box<str> {
        self.hash_all(["agentauth name 2 ", name])
    }

    fn hash_all<const N: usize>(&self, parts: [&str; N]) -> Box<str> {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part.as_bytes());
        }
        hex(context.sign().as_ref().get(..16).unwrap_or_default())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}
