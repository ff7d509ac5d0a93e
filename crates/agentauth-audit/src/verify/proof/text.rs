//! C2SP tlog-proof, the text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MAX_PROOF_BYTES, Proof, ProofError};
use crate::tree::Hash;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A tree has no more leaves than a number of 64 bits can say.
const MAX_HASHES: usize = 64;

impl Proof {
    pub(super) const fn new(frame: Vec<u8>, index: u64, path: Vec<Hash>, note: String) -> Self {
        Self { frame, index, path, note }
    }

    /// As it is given away, in a file whose name ends in `.tlog-proof`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nextra {}\nindex {}\n", STANDARD.encode(&self.frame), self.index);
        for hash in &self.path {
            STANDARD.encode_string(hash.0, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// Reads the text. Nothing is checked yet.
    ///
    /// # Errors
    /// [`ProofError::Oversize`], [`ProofError::Malformed`], [`ProofError::Entry`].
    pub fn read(text: &[u8]) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::Oversize);
        }
        let text = std::str::from_utf8(text).map_err(|_| ProofError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Malformed);
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(number);
        let index = index.ok_or(ProofError::Malformed)?;
        let mut path = Vec::new();
        for line in lines {
            let hash: Option<[u8; 32]> = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
            path.push(Hash(hash.filter(|_| path.len() < MAX_HASHES).ok_or(ProofError::Malformed)?));
        }
        let frame = extra.and_then(|line| line.strip_prefix("extra ")).ok_or(ProofError::Entry)?;
        let frame = STANDARD.decode(frame).map_err(|_| ProofError::Malformed)?;
        Ok(Self::new(frame, index, path, note.into()))
    }
}

/// In decimal, without leading zeros.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
