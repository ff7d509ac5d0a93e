use std::path::Path;

use super::note::SignedText;
use super::vkey::{Kind, VerifierKey};
use super::{CheckpointError, Head, file};

/// Whose checkpoints are believed: one key, or several while keys are changed, or of several logs.
#[derive(Debug, Clone)]
pub struct CheckpointVerifier {
    keys: Vec<VerifierKey>,
}

impl CheckpointVerifier {
    /// Believes these verifier keys (C2SP signed-note `vkey`), as [`CheckpointKey::verifier_key`](super::CheckpointKey::verifier_key)
    /// gives them. At least one.
    ///
    /// # Errors
    /// [`CheckpointError::Key`], [`CheckpointError::KeyId`], [`CheckpointError::KeyTwice`], [`CheckpointError::Name`].
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Result<Self, CheckpointError> {
        let mut known: Vec<VerifierKey> = Vec::new();
        for key in keys {
            let key = VerifierKey::read(key.as_ref(), Kind::Ed25519)?;
            if known.iter().any(|other| key.is_called_like(other)) {
                return Err(CheckpointError::KeyTwice);
            }
            known.push(key);
        }
        if known.is_empty() { Err(CheckpointError::Key) } else { Ok(Self { keys: known }) }
    }

    /// Believes the verifier keys in a file, one a line. Empty lines, and those that begin with `#`, are not read.
    ///
    /// # Errors
    /// [`CheckpointError::File`]; those of [`CheckpointVerifier::new`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let text = file::public(path.as_ref())?;
        Self::new(text.lines().map(str::trim_ascii).filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    /// Reads `note`, which must be signed by a key that is known here and has the name of the log.
    ///
    /// Signatures by keys that are not known are not looked at, and every one by a key that is must be true (C2SP
    /// signed-note).
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`], [`CheckpointError::Unsigned`], [`CheckpointError::Signature`],
    /// [`CheckpointError::Origin`].
    pub fn verify(&self, note: &str) -> Result<Head, CheckpointError> {
        let signed = SignedText::read(note)?;
        let head = Head::read_text(signed.text())?;
        let mut refused = CheckpointError::Unsigned;
        let mut is_signed = false;
        for signature in signed.signatures() {
            let signature = signature?;
            let Some(key) = self.keys.iter().find(|key| key.is_of(&signature)) else { continue };
            if !key.has_signed(signed.text().as_bytes(), signature.signature()) {
                return Err(CheckpointError::Signature);
            }
            if key.name() == head.origin {
                is_signed = true;
            } else {
                refused = CheckpointError::Origin;
            }
        }
        if is_signed { Ok(head) } else { Err(refused) }
    }
}
