use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Random;
use agentauth_core::jose::{Algorithm, Signer};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::signer::{SIGNING_TIME, signed};
use super::vkey::{Kind, Parts, VerifierKey, line};
use super::{CheckpointError, Head, file};

/// What the text of a private key begins with, so that it is not taken for a public one.
const PRIVATE: &str = "PRIVATE+KEY+";

/// What signs the checkpoints of one log: an Ed25519 key that has the log's name.
///
/// Whoever can read it can forge the log: it belongs where those who write to the log's files cannot reach, at best in a
/// key service ([`CheckpointKey::from_signer`]).
pub struct CheckpointKey {
    secret: Secret,
    public: VerifierKey,
    verifier: Box<str>,
}

enum Secret {
    Here(Ed25519KeyPair),
    Elsewhere(Arc<dyn Signer>),
}

impl CheckpointKey {
    /// Makes a key for the log that is called `origin`, such as `example.com/tool-server`.
    ///
    /// # Errors
    /// [`CheckpointError::Name`], [`CheckpointError::Random`].
    pub fn generate(origin: &str, random: &dyn Random) -> Result<Self, CheckpointError> {
        let mut seed = [0; 32];
        random.fill(&mut seed)?;
        Self::of_seed(origin, &seed)
    }

    /// Reads a private key: `PRIVATE+KEY+<name>+<id>+<key>`, as `agentauth audit keygen` and Go's
    /// `golang.org/x/mod/sumdb/note` write it. A line feed at the end is not minded.
    ///
    /// # Errors
    /// [`CheckpointError::Key`], [`CheckpointError::KeyId`], [`CheckpointError::Name`].
    pub fn read(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').unwrap_or(text).strip_prefix(PRIVATE).ok_or(CheckpointError::Key)?;
        let Parts { name, id, secret } = Parts::read(text, Kind::Ed25519)?;
        let key = Self::of_seed(name, &secret)?;
        if key.public.id() == id { Ok(key) } else { Err(CheckpointError::KeyId) }
    }

    /// Reads a private key from a file that its owner alone may read.
    ///
    /// # Errors
    /// [`CheckpointError::Exposed`] if others may; [`CheckpointError::File`]; those of [`CheckpointKey::read`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::read(&file::private(path.as_ref())?)
    }

    /// Signs with `signer`, which may keep its key elsewhere, for the log that is called `origin`.
    ///
    /// It must sign with EdDSA (Ed25519). It is waited for on a thread of the log's own, for 1 s at most; one that needs a
    /// runtime brings it along. What it signs is verified before it counts.
    ///
    /// # Errors
    /// [`CheckpointError::Key`] if it signs with something else, [`CheckpointError::Name`].
    pub fn from_signer(origin: &str, signer: Arc<dyn Signer>) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Jwk {
            crv: String,
            x: String,
        }
        let jwk: Jwk = serde_json::from_str(signer.public_jwk()).map_err(|_| CheckpointError::Key)?;
        if signer.algorithm() != Algorithm::EdDsa || jwk.crv != "Ed25519" {
            return Err(CheckpointError::Key);
        }
        let public = URL_SAFE_NO_PAD.decode(jwk.x).map_err(|_| CheckpointError::Key)?;
        let public = public.try_into().map_err(|_| CheckpointError::Key)?;
        Self::new(Secret::Elsewhere(signer), VerifierKey::new(origin, Kind::Ed25519, public)?)
    }

    fn of_seed(name: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CheckpointError::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| CheckpointError::Key)?;
        Self::new(Secret::Here(pair), VerifierKey::new(name, Kind::Ed25519, public)?)
    }

    #[expect(clippy::unnecessary_wraps, reason = "each of its callers ends with it")]
    fn new(secret: Secret, public: VerifierKey) -> Result<Self, CheckpointError> {
        Ok(Self { secret, verifier: public.to_string().into(), public })
    }

    /// Signs `head`: the note, as it stands in a [`Checkpoint`](crate::format::Checkpoint).
    ///
    /// # Errors
    /// [`CheckpointError::Origin`] if the log is not called as the key is; [`CheckpointError::Signer`].
    pub fn sign(&self, head: &Head) -> Result<String, CheckpointError> {
        self.sign_within(head, SIGNING_TIME)
    }

    fn sign_within(&self, head: &Head, within: Duration) -> Result<String, CheckpointError> {
        if head.origin != self.public.name() {
            return Err(CheckpointError::Origin);
        }
        let failed = |why: &str| CheckpointError::Signer(why.into());
        let text = head.text();
        let signature = match &self.secret {
            Secret::Here(pair) => {
                pair.try_sign(text.as_bytes()).map_err(|_| failed("the key is not usable"))?.as_ref().to_vec()
            }
            Secret::Elsewhere(signer) => signed(&**signer, text.as_bytes(), within).map_err(failed)?,
        };
        if !self.public.has_signed(text.as_bytes(), &signature) {
            return Err(failed("what it has signed with is not the key that it shows"));
        }
        Ok(format!("{text}\n{}", self.public.line(&signature)))
    }

    /// The name of the key, which is that of its log.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.public.name()
    }

    /// The verifier key (C2SP signed-note `vkey`): what whoever verifies is given.
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        &self.verifier
    }

    /// The private key as text, without a line feed. It is as secret as the key. `None` if the key is elsewhere.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let Secret::Here(pair) = &self.secret else { return None };
        let seed = pair.seed().ok()?;
        let seed =
            aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::Curve25519SeedBin<'_>>::as_be_bytes(&seed).ok()?;
        let seed = seed.as_ref().try_into().ok()?;
        Some(format!("{PRIVATE}{}", line(self.public.name(), &self.public.id(), Kind::Ed25519, seed)))
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
