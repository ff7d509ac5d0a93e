//! Identities and bundles that a platform keeps in files, and replaces there.
//! Needs the feature `files`.
//!
//! ```no_run
//! use agentauth_spiffe::files::{FileSource, SvidFiles};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The SVID that cert-manager's csi-driver-spiffe mounts, and the roots that trust-manager distributes.
//! let source = FileSource::builder()
//!     .svid(SvidFiles::csi_driver("/var/run/secrets/spiffe.io"))
//!     .bundle("court.example".parse()?, "/var/run/secrets/trust/roots.pem")
//!     .start()?;
//! source.loaded().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The files are read again when something happens in their directories, every 30 s in any case, and at half of the
//! time that the identity has left. Then:
//!
//! - **All or nothing.** A certificate and a key count together or not at all, and only if the key is the
//!   certificate's and the certificate is good now. What is known changes in one step.
//! - **What is broken is not taken.** The last good identity stays until its own end, and after that there is none; the
//!   last good roots stay, and each ends at its own time.
//! - **What is taken away does not count any more.** A file that is gone or empty means that the identity was
//!   withdrawn, or that the trust domain is not trusted any more: at once where all files of a directory change in
//!   one step (`..data` of Kubernetes), and after 30 s where one is replaced after the other. A SPIFFE bundle without
//!   keys trusts nothing, at once.
//! - **Whose roots they are** is said by whoever configures it, and for roots that come with the SVID by the SVID. A
//!   domain that is named with a file of its own has the roots in that file and no others. Roots of public web
//!   authorities are refused.
//!
//! What goes wrong is reported through `tracing`, and can be read: [`FileSource::status`].

mod builder;
mod error;
mod follow;
mod interpret;
mod layout;
mod mount;
mod part;
mod read;
mod reader;
mod state;
mod status;
mod watch;

use std::fmt;
use std::sync::Arc;

use agentauth_core::identity::svid::{BundleSource, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity};
use tokio::sync::watch as channel;
use tokio::task::AbortHandle;

pub use builder::{FileSourceBuilder, dangerous};
pub use error::FilesError;
pub use layout::SvidFiles;
pub use status::{FilesFailure, FilesPart, FilesStatus, FilesWarning};

use crate::live::Live;
use crate::{Changes, Snapshot};

/// What is in the files of an SVID and of bundles, followed by a task. Clones share it, and it ends with the last of
/// them.
///
/// Without an SVID it has no identity, and is a source of bundles only.
#[derive(Clone)]
pub struct FileSource(Arc<Running>);

struct Running {
    live: Live,
    status: channel::Receiver<Arc<FilesStatus>>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FileSource {
    /// Begins a source.
    pub fn builder() -> FileSourceBuilder {
        FileSourceBuilder::new()
    }

    /// Waits until the files have been read for the first time.
    ///
    /// # Errors
    /// The first failure, if something could not be taken then. The source follows the files nevertheless, and may
    /// have it later.
    pub async fn loaded(&self) -> Result<(), Arc<FilesError>> {
        let mut status = self.0.status.clone();
        let first = status.wait_for(|status| status.read_at.is_some()).await;
        // Without its runtime, nothing will come.
        let first = first.map_err(|_| Arc::new(FilesError::NoRuntime))?;
        first.failures.first().map_or(Ok(()), |failure| Err(Arc::clone(&failure.error)))
    }

    /// How it stands with the files.
    #[must_use]
    pub fn status(&self) -> Arc<FilesStatus> {
        Arc::clone(&self.0.status.borrow())
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.live.current()
    }

    /// The snapshots from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.0.live.changes()
    }
}

impl IdentitySource for FileSource {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        self.0.live.identity()
    }
}

impl BundleSource for FileSource {
    fn bundles(&self) -> TrustBundles {
        self.0.live.bundles()
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource").field("live", &self.0.live).finish_non_exhaustive()
    }
}
