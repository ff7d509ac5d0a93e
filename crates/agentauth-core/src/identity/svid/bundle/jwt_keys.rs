//! The keys of one trust domain's JWT-SVIDs.

use crate::jose::{Algorithm, Jwk, VerificationKey};

/// What a trust domain signs JWT-SVIDs with, each key for one algorithm.
#[derive(Debug, Default)]
pub(in crate::identity::svid) struct JwtKeys {
    /// An RSA key that was published without an algorithm stands here once for each that it is for.
    keys: Vec<VerificationKey>,
    published: usize,
    left_out: usize,
}

impl JwtKeys {
    /// Adds a key whose `use` has been seen to. What cannot verify a JWT-SVID is left out: a key without a name
    /// (JWT-SVID.md §6.2), or with that of one before it, and one of an algorithm that JWT-SVIDs do not have.
    pub(super) fn add(&mut self, jwk: &Jwk<'_>) {
        match jwk.keys() {
            Ok(keys) if keys.iter().all(|key| self.is_new(key) && signs_svids(key.algorithm())) => {
                self.keys.extend(keys);
                self.published += 1;
            }
            _ => self.left_out += 1,
        }
    }

    fn is_new(&self, key: &VerificationKey) -> bool {
        key.key_id().is_some_and(|kid| self.keys.iter().all(|known| known.key_id() != Some(kid)))
    }

    /// How many keys were published and can be used.
    pub(in crate::identity::svid) const fn published(&self) -> usize {
        self.published
    }

    pub(super) const fn left_out(&self) -> usize {
        self.left_out
    }
}

/// The nine algorithms of JWT-SVID.md §2.1.
pub(in crate::identity::svid) const fn signs_svids(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => true,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => true,
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => true,
        Algorithm::EdDsa => false,
    }
}
