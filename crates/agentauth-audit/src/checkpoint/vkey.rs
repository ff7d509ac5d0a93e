use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::Signature;

use super::CheckpointError;

/// No name is longer, in bytes: C2SP tlog-cosignature knows no longer ones.
const MAX_NAME_BYTES: usize = 255;

/// What a signature is over (C2SP signed-note, "Signature types").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The text of the note.
    Ed25519 = 1,
    /// A time, and the text: what a witness signs.
    TimedEd25519 = 4,
}

/// The public half of an Ed25519 key, with its name: `<name>+<id>+<key>`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct VerifierKey {
    name: Box<str>,
    kind: Kind,
    public: [u8; 32],
    id: u32,
}

impl VerifierKey {
    pub(super) fn new(name: &str, kind: Kind, public: [u8; 32]) -> Result<Self, CheckpointError> {
        check_name(name)?;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(name.as_bytes());
        context.update(&[b'\n', kind as u8]);
        context.update(&public);
        let digest = context.finish();
        let id = digest.as_ref().first_chunk().map_or(0, |id| u32::from_be_bytes(*id));
        Ok(Self { name: name.into(), kind, public, id })
    }

    pub(super) fn read(text: &str, kind: Kind) -> Result<Self, CheckpointError> {
        let Parts { name, id, secret: public } = Parts::read(text, kind)?;
        let key = Self::new(name, kind, public)?;
        // An id has one form.
        if key.id() == id { Ok(key) } else { Err(CheckpointError::KeyId) }
    }

    pub(super) const fn name(&self) -> &str {
        &self.name
    }

    /// Eight hexadecimal digits.
    pub(super) fn id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// Whether `signature` says that it is by this key.
    pub(super) fn is_of(&self, signature: &Signature) -> bool {
        (signature.name(), signature.id()) == (self.name(), self.id)
    }

    /// Whether another key cannot be told from this one.
    pub(super) fn is_called_like(&self, other: &Self) -> bool {
        (self.name(), self.id) == (other.name(), other.id)
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }

    /// The line of a note that says that this key has made `signature`.
    pub(super) fn line(&self, signature: &[u8]) -> String {
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode([&self.id.to_be_bytes(), signature].concat()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.name, &self.id(), self.kind, &self.public))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key in its text form, public or private.
pub(super) struct Parts<'t> {
    pub(super) name: &'t str,
    pub(super) id: &'t str,
    pub(super) secret: [u8; 32],
}

impl<'t> Parts<'t> {
    pub(super) fn read(text: &'t str, kind: Kind) -> Result<Self, CheckpointError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(CheckpointError::Key);
        };
        check_name(name)?;
        let key = STANDARD.decode(key).map_err(|_| CheckpointError::Key)?;
        let Some((&[of], secret)) = key.split_first_chunk::<1>() else { return Err(CheckpointError::Key) };
        let secret = secret.try_into().map_err(|_| CheckpointError::Key)?;
        if of == kind as u8 { Ok(Self { name, id, secret }) } else { Err(CheckpointError::Key) }
    }
}

pub(super) fn line(name: &str, id: &str, kind: Kind, key: &[u8; 32]) -> String {
    let mut bytes = [kind as u8; 33];
    if let Some((_, rest)) = bytes.split_first_mut() {
        rest.copy_from_slice(key);
    }
    format!("{name}+{id}+{}", STANDARD.encode(bytes))
}

fn check_name(name: &str) -> Result<(), CheckpointError> {
    let is_refused = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(is_refused) {
        return Err(CheckpointError::Name);
    }
    Ok(())
}
