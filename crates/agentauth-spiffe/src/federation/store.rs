//! Bundles that outlive the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agentauth_core::jose::MAX_JWKS_BYTES;
use agentauth_core::{Timestamp, TrustDomain};
use bytes::Bytes;

use super::FederationError;

/// The file of one trust domain: the document as it was retrieved. The time at which the file was modified is when it
/// was last confirmed.
#[derive(Debug, Clone)]
pub(super) struct Store {
    path: PathBuf,
    draft: PathBuf,
}

impl Store {
    pub(super) fn new(dir: &Path, domain: &TrustDomain) -> Self {
        let draft = format!("{domain}.json.{}", std::process::id());
        Self { path: dir.join(format!("{domain}.json")), draft: dir.join(draft) }
    }

    /// What was kept, and when it was confirmed. Blocks.
    pub(super) fn load(&self) -> Result<Option<(Bytes, Timestamp)>, FederationError> {
        match self.read() {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Puts `document` in the place of what was kept, in one step that a crash does not tear. Blocks.
    pub(super) fn keep(&self, document: &[u8], confirmed: Timestamp) -> Result<(), FederationError> {
        self.write(document, confirmed).map_err(|source| self.failed(source))
    }

    fn read(&self) -> io::Result<(Bytes, Timestamp)> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(&self.path)?;
        let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut document = Vec::new();
        let limit = u64::try_from(MAX_JWKS_BYTES).unwrap_or(u64::MAX);
        file.take(limit.saturating_add(1)).read_to_end(&mut document)?;
        Ok((document.into(), Timestamp::from_secs(0).plus(modified)))
    }

    fn write(&self, document: &[u8], confirmed: Timestamp) -> io::Result<()> {
        // A process that has crashed may have left one. A link that somebody has put there is not followed.
        match fs::remove_file(&self.draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&self.draft)?;
        file.write_all(document)?;
        file.set_modified(system_time(confirmed))?;
        file.sync_all()?;
        fs::rename(&self.draft, &self.path)
    }

    fn failed(&self, source: io::Error) -> FederationError {
        FederationError::Store { path: self.path.clone(), source }
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_micros(time.micros())).unwrap_or(UNIX_EPOCH)
}
