//! The keys of one trust domain's JWT-SVIDs.

use crate::jose::{Algorithm, CompactJws, JoseError, Jwk, VerificationKey};
use crate::text::Excerpt;

/// How many keys are tried for a token that names none. Several authorities, each with a key of yesterday, today and
/// tomorrow, stay below; a forgery costs no more than this many verifications.
const MAX_TRIES: usize = 16;

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

    /// Verifies `jws` under the key that it names, or, if it names none, under any that is for its algorithm.
    ///
    /// # Errors
    /// [`JoseError::KeyUnknown`], [`JoseError::AlgorithmNotOfKey`], [`JoseError::Signature`], and
    /// [`JoseError::KeyNotNamed`] for a token that names no key where none fits, or more than 16 do.
    pub(in crate::identity::svid) fn verify(&self, jws: &CompactJws<'_>) -> Result<(), JoseError> {
        let fits = |key: &&VerificationKey| key.algorithm() == jws.algorithm();
        let Some(kid) = jws.key_id() else {
            let fitting = self.keys.iter().filter(fits);
            if !(1..=MAX_TRIES).contains(&fitting.clone().count()) {
                return Err(JoseError::KeyNotNamed);
            }
            return fitting.map(|key| jws.verify(key)).find(Result::is_ok).unwrap_or(Err(JoseError::Signature));
        };
        let mut named = self.keys.iter().filter(|key| key.key_id() == Some(kid));
        let any = named.clone().next().ok_or_else(|| JoseError::KeyUnknown(Excerpt::of(kid)))?;
        // One that is for another algorithm says so.
        jws.verify(named.find(fits).unwrap_or(any))
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
