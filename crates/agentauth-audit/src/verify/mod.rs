//! Is the log what was written?
//!
//! ```no_run
//! use agentauth_audit::disk::RealDirectory;
//! use agentauth_audit::verify::{Verdict, Verifier};
//!
//! # fn main() -> std::io::Result<()> {
//! let report = Verifier::new().verify(&RealDirectory::existing("audit")?)?;
//! if report.verdict() != Verdict::Whole {
//!     println!("{:?}: {:?}", report.verdict(), report.fault());
//! }
//! # Ok(())
//! # }
//! ```

mod anchors;
mod entries;
mod entry;
mod erased;
mod fault;
mod proof;
mod report;
mod segments;
mod tail;
mod vouched;
mod walk;

use std::fmt;
use std::io;

pub use fault::{Fault, FaultKind};
pub use proof::{CheckedRecord, MAX_PROOF_BYTES, Proof, ProofError, ProveError, Proved, Which, prove};
pub use report::{Anchored, Range, Ranges, Report, Torn, Verdict};

use crate::anchor::AnchorSink;
use crate::checkpoint::CheckpointVerifier;
use crate::disk::Directory;
use walk::Walk;

/// How far a verifier has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many bytes are done.
    pub bytes: u64,
    /// Of how many. A log that is being written may have more.
    pub of: u64,
    /// How many entries these are.
    pub entries: u64,
}

/// Checks every frame, link, tree head and checkpoint of a log, from its first entry to its last.
///
/// Reads each byte once, in memory of bounded size. What is vouched for by nothing but the files themselves is told apart
/// in [`Ranges`]: without a key whoever can write the files can write others, and without an anchor they can cut the end off.
#[derive(Default)]
pub struct Verifier<'v> {
    key: Option<CheckpointVerifier>,
    origin: Option<String>,
    anchors: Vec<Box<dyn AnchorSink + 'v>>,
    progress: Option<Box<dyn FnMut(Progress) + 'v>>,
}

impl<'v> Verifier<'v> {
    /// Without a key and without anchors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Checkpoints must be signed by this key: all from the first on that is, and one at least.
    #[must_use]
    pub fn key(mut self, key: CheckpointVerifier) -> Self {
        self.key = Some(key);
        self
    }

    /// The log must call itself so. Then anchors can be asked even if nothing is left of it.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// What this anchor knows must be in the log. There may be several.
    #[must_use]
    pub fn anchor(mut self, anchor: impl AnchorSink + 'v) -> Self {
        self.anchors.push(Box::new(anchor));
        self
    }

    /// Is told now and then how far it has come.
    #[must_use]
    pub fn progress(mut self, progress: impl FnMut(Progress) + 'v) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Verifies the log in `directory`. It may be written meanwhile; its end may then be [`Verdict::TornTail`].
    ///
    /// # Errors
    /// Where the files cannot be read. What they hold is never an error: it is in the report.
    pub fn verify(&mut self, directory: &dyn Directory) -> io::Result<Report> {
        Walk::new(self, directory).run()
    }
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, anchors, progress: _ } = self;
        let mut shown = f.debug_struct("Verifier");
        shown.field("key", key).field("origin", origin).field("anchors", anchors).finish_non_exhaustive()
    }
}
