use signed_note::{Note, Signature};

use super::CheckpointError;

/// No note is longer, in bytes: room for 16 signatures, the largest kind included, which C2SP signed-note demands.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Whether a checkpoint has signatures, which stand behind a blank line (C2SP signed-note); they may be of anybody.
pub(crate) fn is_signed(note: &str) -> bool {
    note.contains("\n\n")
}

/// A note, taken apart. Nothing is verified yet.
pub(super) struct SignedText<'n> {
    text: &'n str,
    lines: &'n str,
}

impl<'n> SignedText<'n> {
    pub(super) fn read(note: &'n str) -> Result<Self, CheckpointError> {
        if note.len() > MAX_NOTE_BYTES || Note::from_bytes(note.as_bytes()).is_err() {
            return Err(CheckpointError::Malformed);
        }
        let end = note.rfind("\n\n").ok_or(CheckpointError::Malformed)?;
        let (text, rest) = note.split_at_checked(end + 1).ok_or(CheckpointError::Malformed)?;
        Ok(Self { text, lines: rest.strip_prefix('\n').unwrap_or(rest) })
    }

    /// What was signed.
    pub(super) const fn text(&self) -> &'n str {
        self.text
    }

    pub(super) fn signatures(&self) -> impl Iterator<Item = Result<Signature, CheckpointError>> + use<'n> {
        signatures(self.lines)
    }
}

/// The signatures in `lines`, each of which is one.
pub(super) fn signatures(lines: &str) -> impl Iterator<Item = Result<Signature, CheckpointError>> + use<'_> {
    lines.split_terminator('\n').map(|line| {
        let read = Signature::from_bytes(line.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        // Base64 has one form here, and so has the line.
        if read.to_bytes().strip_suffix(b"\n") == Some(line.as_bytes()) {
            Ok(read)
        } else {
            Err(CheckpointError::Malformed)
        }
    })
}
