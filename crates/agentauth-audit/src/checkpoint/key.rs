use std::fmt;

use super::{CheckpointError, Head};

/// What signs checkpoints.
pub struct CheckpointKey {
    signer: signed_note::StandardSigner,
    verifier: String,
}

impl CheckpointKey {
    /// Signs `head`: the note, as it stands in a [`Checkpoint`](crate::format::Checkpoint).
    ///
    /// # Errors
    /// [`CheckpointError::Signer`].
    pub fn sign(&self, head: &Head) -> Result<String, CheckpointError> {
        let failed = |error: signed_note::NoteError| CheckpointError::Signer(error.to_string().into());
        let mut note = signed_note::Note::new(head.text().as_bytes(), &[]).map_err(failed)?;
        note.add_sigs(&[&self.signer]).map_err(failed)?;
        String::from_utf8(note.to_bytes()).map_err(|_| CheckpointError::Malformed)
    }

    /// The verifier key (C2SP signed-note `vkey`): what whoever verifies is given.
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        &self.verifier
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Whose checkpoints are believed.
pub struct CheckpointVerifier {
    verifiers: signed_note::VerifierList,
}

impl CheckpointVerifier {
    /// Reads `note`, which must be signed by a key that is known here.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(&self, note: &str) -> Result<Head, CheckpointError> {
        let read = signed_note::Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        read.verify(&self.verifiers).map_err(|error| match error {
            signed_note::NoteError::UnverifiedNote => CheckpointError::Unsigned,
            _ => CheckpointError::Signature,
        })?;
        Head::read(note)
    }
}

impl fmt::Debug for CheckpointVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckpointVerifier")
    }
}
