//! Tree heads, signed: C2SP tlog-checkpoint in C2SP signed-note.
//!
//! ```
//! use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier, Head};
//! use agentauth_audit::tree::{Frontier, leaf_hash};
//! use agentauth_core::SystemRandom;
//!
//! # fn main() -> Result<(), agentauth_audit::checkpoint::CheckpointError> {
//! let key = CheckpointKey::generate("example.com/tool-server", &SystemRandom)?;
//! let mut tree = Frontier::default();
//! tree.push(leaf_hash(b"the first entry"));
//!
//! let note = key.sign(&Head::new(key.name(), &tree))?;
//! let head = CheckpointVerifier::new([key.verifier_key()])?.verify(&note)?;
//! assert_eq!((head.size, head.root), (1, tree.root()));
//! # Ok(())
//! # }
//! ```

mod cosignature;
mod error;
mod file;
mod head;
mod key;
mod note;
mod signer;
mod verifier;
mod vkey;

pub use cosignature::{Cosignature, Cosigner};
pub use error::CheckpointError;
pub use head::Head;
pub use key::CheckpointKey;
pub use note::MAX_NOTE_BYTES;
pub(crate) use note::is_signed;
pub use verifier::CheckpointVerifier;
