use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use agentauth_core::{Clock, SystemClock, TrustDomain};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch as channel};

use super::follow::Follower;
use super::reader::Reader;
use super::state::BundleFile;
use super::watch::Watch;
use super::{FileSource, FilesError, FilesStatus, Running, SvidFiles};
use crate::live::Live;

/// Which files a [`FileSource`] follows.
#[must_use = "nothing is read before start()"]
pub struct FileSourceBuilder {
    svid: Option<SvidFiles>,
    bundles: Vec<BundleFile>,
    is_watched: bool,
    clock: Arc<dyn Clock>,
}

impl FileSourceBuilder {
    pub(super) fn new() -> Self {
        Self { svid: None, bundles: Vec::new(), is_watched: true, clock: Arc::new(SystemClock) }
    }

    /// The files of this workload's own SVID. Named twice, the later counts.
    pub fn svid(mut self, files: SvidFiles) -> Self {
        self.svid = Some(files);
        self
    }

    /// The file with the bundle of a trust domain: PEM certificates, such as trust-manager distributes, or a SPIFFE
    /// bundle (JSON). What is in it is taken for `domain`'s, whatever it says.
    pub fn bundle(self, domain: TrustDomain, file: impl Into<PathBuf>) -> Self {
        self.with(BundleFile { domain, path: file.into(), allows_public_roots: false })
    }

    /// Watches no directories: changes are noticed within 30 s. For hosts on which watches are scarce.
    pub const fn poll_only(mut self) -> Self {
        self.is_watched = false;
        self
    }

    /// The clock: the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What weakens the checks.
    pub const fn dangerous(self) -> dangerous::WeakenedFiles {
        dangerous::WeakenedFiles(self)
    }

    /// Starts to follow the files. Nothing waits here, and files may come later: until then there is no identity, and
    /// nobody is trusted. [`FileSource::loaded`] tells how the first reading went.
    ///
    /// # Errors
    /// [`FilesError::Nothing`], [`FilesError::Repeated`], [`FilesError::NoRuntime`] outside of a tokio runtime.
    pub fn start(self) -> Result<FileSource, FilesError> {
        let runtime = Handle::try_current().map_err(|_| FilesError::NoRuntime)?;
        let bell = Arc::new(Notify::new());
        let watch = self.is_watched.then(|| Watch::new(Arc::clone(&bell)));
        let Prepared { follower, live, status } = self.prepare(watch, bell)?;
        let task = runtime.spawn(follower.run()).abort_handle();
        Ok(FileSource(Arc::new(Running { live, status, task })))
    }

    pub(super) fn prepare(self, watch: Option<Watch>, bell: Arc<Notify>) -> Result<Prepared, FilesError> {
        if self.svid.is_none() && self.bundles.is_empty() {
            return Err(FilesError::Nothing);
        }
        let mut named = BTreeSet::new();
        if let Some(file) = self.bundles.iter().find(|file| !named.insert(&file.domain)) {
            return Err(FilesError::Repeated(file.domain.clone()));
        }
        let live = Live::new(self.clock);
        let (sender, status) = channel::channel(Arc::default());
        let reader = Reader { svid: self.svid, bundles: self.bundles, watch: Mutex::new(watch) };
        Ok(Prepared { follower: Follower::new(Arc::new(reader), live.clone(), bell, sender), live, status })
    }

    fn with(mut self, file: BundleFile) -> Self {
        self.bundles.push(file);
        self
    }
}

/// A source that is not followed yet.
pub(super) struct Prepared {
    pub(super) follower: Follower,
    pub(super) live: Live,
    pub(super) status: channel::Receiver<Arc<FilesStatus>>,
}

impl fmt::Debug for FileSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSourceBuilder")
            .field("svid", &self.svid)
            .field("bundles", &self.bundles)
            .finish_non_exhaustive()
    }
}

/// Settings that give up a protection; each says what it costs.
pub mod dangerous {
    use std::path::PathBuf;

    use agentauth_core::TrustDomain;

    use super::{BundleFile, FileSourceBuilder};

    /// See [`FileSourceBuilder::dangerous`].
    #[derive(Debug)]
    pub struct WeakenedFiles(pub(super) FileSourceBuilder);

    impl WeakenedFiles {
        /// As [`FileSourceBuilder::bundle`], and takes roots of public web authorities. Whoever gets one of them to
        /// certify a SPIFFE ID of this domain is believed; they have not promised to check such names.
        pub fn bundle_with_public_roots(self, domain: TrustDomain, file: impl Into<PathBuf>) -> FileSourceBuilder {
            self.0.with(BundleFile { domain, path: file.into(), allows_public_roots: true })
        }
    }
}
