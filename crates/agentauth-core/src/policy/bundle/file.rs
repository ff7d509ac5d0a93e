//! A bundle in a file, which only ever becomes newer.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::MapAccess;

use super::{BundleError, MAX_BUNDLE_BYTES, PolicyBundle};
use crate::disk::{read_at_most, sync_directory};
use crate::identity::ResourceId;
use crate::jose::KeySet;
use crate::jose::json::{self, Members, Value};
use crate::random::hex;
use crate::time::{Clock, SystemClock};

/// A file with one number and one digest in it.
const MAX_MEMORY_BYTES: usize = 4096;

/// The signed policies of one server, in a file that is replaced whole (`mv`), and the keys that may sign them.
///
/// A bundle that is older than one that was seen is refused, and so is another with the same sequence number. What was seen is
/// known as long as the process runs, and beyond that if it is [remembered](BundleFile::remembering).
pub struct BundleFile {
    path: PathBuf,
    keys: KeySet,
    audience: ResourceId,
    clock: Arc<dyn Clock>,
    memory: Option<PathBuf>,
    seen: Mutex<Option<Seen>>,
}

/// The newest bundle that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Seen {
    aud: Box<str>,
    seq: u64,
    manifest: Box<str>,
}

/// The same, as it stands in a file.
#[derive(Default)]
struct Recalled {
    aud: Box<str>,
    seq: Option<u64>,
    manifest: Box<str>,
    has_other: bool,
}

impl BundleFile {
    /// The file at `path`, for the server `audience`, signed by one of `keys`.
    #[must_use]
    pub fn new(path: impl AsRef<Path>, keys: KeySet, audience: &ResourceId) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            keys,
            audience: audience.clone(),
            clock: Arc::new(SystemClock),
            memory: None,
            seen: Mutex::new(None),
        }
    }

    /// Remembers the newest bundle that was seen in the file `memory`, beyond the end of the process. It is made if it is not
    /// there; if it cannot be read or written, no bundle is taken.
    #[must_use]
    pub fn remembering(mut self, memory: impl AsRef<Path>) -> Self {
        self.memory = Some(memory.as_ref().to_owned());
        self
    }

    /// Tells by `clock` whether a bundle is over.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of the file as it is now, if it can be read.
    #[must_use]
    pub fn digest(&self) -> Option<Box<str>> {
        let bytes = read_at_most(&self.path, MAX_BUNDLE_BYTES).ok()?;
        Some(hex(digest(&SHA256, &bytes).as_ref()))
    }

    /// Reads the bundle. From then on, no older one is taken.
    ///
    /// # Errors
    /// Each rule has its own [`BundleError`].
    pub fn read(&self) -> Result<PolicyBundle, BundleError> {
        let unreadable = |error: io::Error| BundleError::Unreadable(error.to_string().into());
        let bytes = read_at_most(&self.path, MAX_BUNDLE_BYTES).map_err(unreadable)?;
        let audience = self.audience.as_str();
        let bundle = PolicyBundle::verify(&bytes, &self.keys, audience, self.clock.now())?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &*seen {
            Some(before) => Some(before.clone()),
            None => self.recalled()?,
        };
        let now = Seen { aud: audience.into(), seq: bundle.sequence(), manifest: bundle.digest() };
        if let Some(before) = &before {
            if now.seq < before.seq {
                return Err(BundleError::Rollback { found: now.seq, seen: before.seq });
            }
            if now.seq == before.seq && now.manifest != before.manifest {
                return Err(BundleError::SequenceReused(now.seq));
            }
        }
        if before.as_ref() != Some(&now) {
            self.remember(&now).map_err(|error| BundleError::Memory(error.to_string().into()))?;
        }
        *seen = Some(now);
        Ok(bundle)
    }

    /// What an earlier process has seen.
    fn recalled(&self) -> Result<Option<Seen>, BundleError> {
        let Some(memory) = &self.memory else { return Ok(None) };
        let bytes = match read_at_most(memory, MAX_MEMORY_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BundleError::Memory(error.to_string().into())),
        };
        let recalled: Recalled = json::read(&bytes).map_err(|error| BundleError::Memory(error.to_string().into()))?;
        match recalled {
            Recalled { aud, seq: Some(seq), manifest, has_other: false }
                if &*aud == self.audience.as_str() && !manifest.is_empty() =>
            {
                Ok(Some(Seen { aud, seq, manifest }))
            }
            _ => Err(BundleError::Memory("it is not what was written for this server".into())),
        }
    }

    /// Replaces the file whole, so that a crash leaves the old one or the new one.
    fn remember(&self, seen: &Seen) -> io::Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let mut next = memory.clone().into_os_string();
        next.push(".new");
        let next = PathBuf::from(next);
        // One that is there may lead elsewhere.
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&next)?;
        file.write_all(&serde_json::to_vec(seen)?)?;
        file.sync_all()?;
        fs::rename(&next, memory)?;
        sync_directory(memory)
    }
}

impl<'de> Members<'de> for Recalled {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "aud" => self.aud = value.text()?.into(),
            "seq" => self.seq = Some(value.integer()?),
            "manifest" => self.manifest = value.text()?.into(),
            _ => {
                self.has_other = true;
                value.skip()?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for BundleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleFile").field("path", &self.path).field("audience", &self.audience).finish_non_exhaustive()
    }
}
