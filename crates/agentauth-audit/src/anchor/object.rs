use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agentauth_core::Excerpt;
use aws_lc_rs::digest;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

use super::{AnchorError, AnchorSink, ConsistencyProofs, check_growth};
use crate::checkpoint::{Head, MAX_NOTE_BYTES};

/// A store that takes longer does not work. The log goes on meanwhile, and the next checkpoint tries again.
const CALL_TIME: Duration = Duration::from_secs(30);

/// What fails for a moment is tried again so often.
const RETRIES: usize = 2;

/// So many of the latest notes are asked for: one would do, and each takes a request.
const LATEST: usize = 16;

/// A directory with more names than this is not read: it takes longer than a call may.
const MAX_NAMES: usize = 1_000_000;

/// An anchor in an object store: one object for each checkpoint, which is written only if it is not there yet.
///
/// An object is called `<SHA-256 of the origin>/<2^64 - 1 - size>-<size>`, so that the latest comes first when they are
/// listed. With a retention lock on the bucket (S3 Object Lock), and credentials that may put, get and list, and not
/// delete, not even the log's owner can take the memory away.
pub struct ObjectStoreAnchor {
    name: String,
    store: Box<dyn ObjectStore>,
    prefix: Path,
    /// Whether names come in their order. Of a directory they do not.
    is_sorted: bool,
    within: Duration,
    runtime: Option<Runtime>,
    /// What it was given last.
    known: Mutex<Option<Head>>,
}

impl ObjectStoreAnchor {
    /// The store at `url`: `s3://bucket/prefix`, or `file:///directory`, which must be there.
    ///
    /// Settings of S3 are those of the environment (`AWS_REGION`, `AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID` and so on), unless
    /// `options` says otherwise, by the same names in small letters. A store that does not list names in their order (S3's
    /// directory buckets) cannot be used.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`].
    pub fn open<K: AsRef<str>, V: Into<String>>(
        url: &str,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, AnchorError> {
        let (store, prefix, is_sorted) = if let Some(place) = url.strip_prefix("s3://") {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            (s3(bucket, options)?, Path::parse(prefix).map_err(|error| unavailable(&error))?, true)
        } else if let Some(path) =
            url.strip_prefix("file://").filter(|path| path.starts_with('/') && !path.contains('%'))
        {
            let store = LocalFileSystem::new_with_prefix(path).map_err(|error| unavailable(&error))?;
            (Box::new(store.with_fsync(true)) as Box<dyn ObjectStore>, Path::default(), false)
        } else {
            return Err(AnchorError::Unavailable("the URL begins with s3:// or file:///".into()));
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Some(runtime.map_err(|error| unavailable(&error))?);
        let (name, known) = (format!("the object store `{url}`"), Mutex::new(None));
        Ok(Self { name, store, prefix, is_sorted, within: CALL_TIME, runtime, known })
    }

    /// How long a call may take: 30 s unless set.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Does `work` in the runtime of this anchor, on a thread that is in no other.
    fn run<T: Send>(&self, work: impl Future<Output = Result<T, AnchorError>> + Send) -> Result<T, AnchorError> {
        let Some(runtime) = &self.runtime else { return Err(unavailable(&"it is closed")) };
        let bounded = async {
            let late = |_| Err(unavailable(&"it has not answered in time"));
            tokio::time::timeout(self.within, work).await.unwrap_or_else(late)
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("audit-anchor".into());
            let thread =
                thread.spawn_scoped(scope, || runtime.block_on(bounded)).map_err(|error| unavailable(&error))?;
            thread.join().unwrap_or_else(|_| Err(unavailable(&"its client has panicked")))
        })
    }

    fn folder(&self, origin: &str) -> Path {
        let hash = digest::digest(&digest::SHA256, origin.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.prefix.clone().join(hash)
    }

    /// The latest notes of the log, the oldest first.
    async fn latest(&self, origin: &str, count: usize) -> Result<Vec<(Head, String)>, AnchorError> {
        let mut names = self.store.list(Some(&self.folder(origin)));
        let mut latest = BTreeMap::new();
        let mut seen = 0;
        while let Some(object) = names.next().await {
            let path = object.map_err(|error| unavailable(&error))?.location;
            let Some(size) = path.filename().and_then(size_of) else { continue };
            seen += 1;
            if self.is_sorted && latest.first_key_value().is_some_and(|(&earlier, _)| earlier < size) {
                return Err(unavailable(&"it does not list names in their order"));
            }
            latest.insert(size, path);
            if latest.len() > count {
                latest.pop_first();
            }
            if self.is_sorted && latest.len() == count {
                break;
            }
            if seen > MAX_NAMES {
                return Err(unavailable(&"the directory has too many names; begin a new anchor"));
            }
        }
        let mut notes = Vec::new();
        for (size, path) in latest {
            let note = self.get(&path).await?;
            let head = Head::read(&note).ok().filter(|head| head.size == size && head.origin == origin);
            let head = head.ok_or_else(|| AnchorError::Damaged(format!("{path} is not what its name says").into()))?;
            notes.push((head, note));
        }
        Ok(notes)
    }

    async fn get(&self, path: &Path) -> Result<String, AnchorError> {
        let object = self.store.get(path).await.map_err(|error| unavailable(&error))?;
        if object.meta.size > MAX_NOTE_BYTES as u64 {
            return Err(AnchorError::Damaged(format!("{path} is longer than any note").into()));
        }
        let bytes = object.bytes().await.map_err(|error| unavailable(&error))?;
        String::from_utf8(bytes.into()).map_err(|_| AnchorError::Damaged(format!("{path} is no note").into()))
    }

    async fn put(&self, next: &Head, note: &str) -> Result<(), AnchorError> {
        let own = self.known().filter(|known| known.origin == next.origin);
        let known = match own {
            Some(known) => Some(known),
            None => self.latest(&next.origin, 1).await?.pop().map(|(head, _)| head),
        };
        if let Some(known) = known {
            check_growth(&known, next)?;
            if known == *next {
                return Ok(());
            }
        }
        let path = self.folder(&next.origin).join(format!("{:020}-{}", u64::MAX - next.size, next.size));
        match self.store.put_opts(&path, note.to_owned().into(), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            // It may have been put by a request whose answer was lost.
            Err(object_store::Error::AlreadyExists { .. }) => {
                let there = Head::read(&self.get(&path).await?)
                    .map_err(|error| AnchorError::Damaged(error.to_string().into()))?;
                check_growth(&there, next)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn known(&self) -> Option<Head> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AnchorSink for ObjectStoreAnchor {
    fn name(&self) -> &str {
        &self.name
    }

    fn anchor(&self, note: &str, _: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        let next = Head::read(note).map_err(|_| AnchorError::Refused("it is no checkpoint".into()))?;
        self.run(self.put(&next, note))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(())
    }

    fn anchored(&self, origin: &str) -> Result<Vec<String>, AnchorError> {
        let notes = self.run(self.latest(origin, LATEST))?;
        Ok(notes.into_iter().map(|(_, note)| note).collect())
    }
}

impl fmt::Debug for ObjectStoreAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreAnchor").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for ObjectStoreAnchor {
    /// A runtime must not be waited for where another one runs.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn s3<K: AsRef<str>, V: Into<String>>(
    bucket: &str,
    options: impl IntoIterator<Item = (K, V)>,
) -> Result<Box<dyn ObjectStore>, AnchorError> {
    let mut builder = AmazonS3Builder::from_env();
    for (key, value) in options {
        let key: AmazonS3ConfigKey = key.as_ref().parse().map_err(|_| {
            AnchorError::Unavailable(format!("`{}` is no option of S3", Excerpt::of(key.as_ref())).into())
        })?;
        builder = builder.with_config(key, value);
    }
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: CALL_TIME, ..RetryConfig::default() };
    let store = builder.with_bucket_name(bucket).with_retry(retry).build().map_err(|error| unavailable(&error))?;
    Ok(Box::new(store))
}

/// The size that the name of an object says.
fn size_of(name: &str) -> Option<u64> {
    let (left, size) = name.split_once('-')?;
    let size: u64 = size.parse().ok()?;
    (left == format!("{:020}", u64::MAX - size)).then_some(size)
}

/// What failed, and its first cause, briefly.
fn unavailable(error: &(impl fmt::Display + ?Sized)) -> AnchorError {
    AnchorError::Unavailable(Excerpt::of(&error.to_string()).to_string().into())
}
