use agentauth_core::Timestamp;

use super::note::{SignedText, signatures};
use super::vkey::{Kind, VerifierKey};
use super::{CheckpointError, Head};

/// A witness: it has seen that a log only grows, and says so with its signature and the time (C2SP tlog-cosignature).
#[derive(Debug, Clone)]
pub struct Cosigner {
    key: VerifierKey,
}

/// What a witness has said of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosignature {
    /// When it has signed, by its own clock.
    pub time: Timestamp,
    /// The line of the note.
    pub line: String,
}

impl Cosigner {
    /// Believes the witness with this verifier key, of the type 4 (Ed25519 with a time).
    ///
    /// # Errors
    /// [`CheckpointError::Key`], [`CheckpointError::KeyId`], [`CheckpointError::Name`].
    pub fn read(verifier_key: &str) -> Result<Self, CheckpointError> {
        Ok(Self { key: VerifierKey::read(verifier_key, Kind::TimedEd25519)? })
    }

    /// What the witness is called.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.key.name()
    }

    /// Reads a checkpoint that the witness has signed, and says when.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`], [`CheckpointError::Unsigned`], [`CheckpointError::Signature`].
    pub fn verify(&self, note: &str) -> Result<(Head, Cosignature), CheckpointError> {
        let signed = SignedText::read(note)?;
        let head = Head::read_text(signed.text())?;
        self.among(signed.text(), signed.signatures()).map(|cosignature| (head, cosignature))
    }

    /// Finds the witness's signature for the checkpoint `note` among `lines`, which are those of a note, and nothing else.
    ///
    /// # Errors
    /// As [`Cosigner::verify`].
    pub fn verify_lines(&self, note: &str, lines: &str) -> Result<Cosignature, CheckpointError> {
        if !lines.ends_with('\n') {
            return Err(CheckpointError::Malformed);
        }
        self.among(SignedText::read(note)?.text(), signatures(lines))
    }

    fn among(
        &self,
        text: &str,
        signatures: impl Iterator<Item = Result<signed_note::Signature, CheckpointError>>,
    ) -> Result<Cosignature, CheckpointError> {
        let mut found = None;
        for signature in signatures {
            let signature = signature?;
            if !self.key.is_of(&signature) {
                continue;
            }
            let (time, bytes) = signature.signature().split_first_chunk().ok_or(CheckpointError::Signature)?;
            let time = u64::from_be_bytes(*time);
            if time == 0 || i64::try_from(time).is_err() {
                return Err(CheckpointError::Signature);
            }
            let message = format!("cosignature/v1\ntime {time}\n{text}");
            if !self.key.has_signed(message.as_bytes(), bytes) {
                return Err(CheckpointError::Signature);
            }
            found = Some(Cosignature { time: Timestamp::from_secs(time), line: self.key.line(signature.signature()) });
        }
        found.ok_or(CheckpointError::Unsigned)
    }
}
