//! Policy files in one signed file: whoever can write to the disk of a server does not decide what is permitted there.

mod document;
mod error;
mod file;

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

pub use self::error::BundleError;
pub use self::file::BundleFile;
use crate::jose::{CompactJws, KeySet, Signer, TokenType, sign_compact};
use crate::random::hex;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// The largest bundle that is read, in bytes: hundreds of thousands of policies.
pub const MAX_BUNDLE_BYTES: usize = 32 * 1024 * 1024;

/// The most files of a bundle.
pub const MAX_BUNDLE_FILES: usize = 4096;

/// Room for the names and digests of so many files.
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// What file systems take.
const MAX_FILE_NAME_BYTES: usize = 255;

/// A set of policy files that someone answers for with a signature: for one server, with a sequence number, perhaps until
/// a certain time.
///
/// What is pinned is the key of whoever decides on policies, not the digest of what was decided, so that policies can be replaced
/// without touching the server.
///
/// ```
/// use agentauth_core::jose::{Algorithm, SigningKey};
/// use agentauth_core::policy::PolicyBundle;
/// use agentauth_core::Timestamp;
///
/// # async fn sign() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::EdDsa)?;
/// let signed = PolicyBundle::new("https://court.example", 7)
///     .with("court.cedar", "permit (principal, action, resource);")
///     .sign(&key)
///     .await?;
///
/// let pinned = key.public_key_set()?;
/// let now = Timestamp::from_secs(1_800_000_000);
/// let bundle = PolicyBundle::verify(signed.as_bytes(), &pinned, "https://court.example", now)?;
/// assert_eq!((bundle.sequence(), bundle.files().len()), (7, 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBundle {
    audience: Box<str>,
    sequence: u64,
    expires: Option<Timestamp>,
    files: Vec<PolicyFile>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicyFile {
    /// Its name, without a directory.
    pub name: Box<str>,
    /// What it says.
    pub text: Box<str>,
}

/// What is signed.
#[derive(Serialize)]
struct Manifest<'a> {
    aud: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    files: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    sha256: Box<str>,
}

/// The whole file.
#[derive(Serialize)]
struct Written<'a> {
    manifest: String,
    files: &'a [PolicyFile],
}

impl PolicyBundle {
    /// For the server `audience`, without files. Of two bundles, the one with the higher `sequence` is the newer.
    #[must_use]
    pub fn new(audience: &str, sequence: u64) -> Self {
        Self { audience: audience.into(), sequence, expires: None, files: Vec::new() }
    }

    /// Not to be loaded at this time or later. What is in force then stays so.
    #[must_use]
    pub const fn until(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }

    /// With the file `name`, which says `text`.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.files.push(PolicyFile { name: name.into(), text: text.into() });
        self
    }

    /// The signed file.
    ///
    /// # Errors
    /// [`BundleError::FileName`], [`BundleError::FileRepeated`], [`BundleError::TooManyFiles`], [`BundleError::Oversize`],
    /// [`BundleError::Unsigned`].
    pub async fn sign(&self, signer: &dyn Signer) -> Result<String, BundleError> {
        check_names(self.files.iter().map(|file| &*file.name))?;
        let payload = serde_json::to_vec(&self.manifest()).map_err(|_| BundleError::Oversize)?;
        let manifest = sign_compact(signer, TokenType::PolicyBundle, &payload).await?;
        let is_small = manifest.len() <= MAX_MANIFEST_BYTES;
        let written = serde_json::to_string(&Written { manifest, files: &self.files });
        written.ok().filter(|text| is_small && text.len() <= MAX_BUNDLE_BYTES).ok_or(BundleError::Oversize)
    }

    /// Reads a signed file: signed by one of the pinned `keys`, for the server `audience`, at the time `now`.
    ///
    /// That it is not older than another is for [`BundleFile`] to know.
    ///
    /// # Errors
    /// Each rule has its own [`BundleError`].
    pub fn verify(bytes: &[u8], keys: &KeySet, audience: &str, now: Timestamp) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::Oversize);
        }
        let written = document::Bundle::read(bytes)?;
        let payload = verified(&written.manifest, keys).map_err(BundleError::Signature)?;
        let manifest = document::Manifest::read(&payload)?;
        if manifest.audience != audience {
            return Err(BundleError::Audience { found: Excerpt::of(&manifest.audience), expected: audience.into() });
        }
        let expires = manifest.expires.map(Timestamp::from_secs);
        if let Some(end) = expires.filter(|end| now >= *end) {
            return Err(BundleError::Expired(end));
        }
        check_names(manifest.files.iter().map(|file| &*file.name))?;
        let bundle = Self { audience: audience.into(), sequence: manifest.sequence, expires, files: written.files() };
        bundle.check_files(&manifest.files)?;
        Ok(bundle)
    }

    /// For which server.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Its number among the bundles for this server.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// From when on it is not loaded any more.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Its files, in the order in which they were signed.
    #[must_use]
    pub fn files(&self) -> &[PolicyFile] {
        &self.files
    }

    /// Whether the files are exactly those that were signed.
    fn check_files(&self, signed: &[document::Listed]) -> Result<(), BundleError> {
        for (file, signed) in self.files.iter().zip(signed) {
            if file.name != signed.name {
                return Err(BundleError::FilesOther(Excerpt::of(&file.name)));
            }
            if sha256(&file.text) != signed.sha256 {
                return Err(BundleError::FileChanged(Excerpt::of(&file.name)));
            }
        }
        let extra = self.files.get(signed.len()).map(|file| &file.name);
        let missing = signed.get(self.files.len()).map(|file| &file.name);
        extra.or(missing).map_or(Ok(()), |name| Err(BundleError::FilesOther(Excerpt::of(name))))
    }

    fn manifest(&self) -> Manifest<'_> {
        let listed = |file: &'_ PolicyFile| sha256(&file.text);
        Manifest {
            aud: &self.audience,
            seq: self.sequence,
            exp: self.expires.map(Timestamp::secs),
            files: self.files.iter().map(|file| Listed { name: &file.name, sha256: listed(file) }).collect(),
        }
    }

    /// The SHA-256 of what is signed: of two bundles with one sequence number, it is the same or they are not.
    fn digest(&self) -> Box<str> {
        serde_json::to_string(&self.manifest()).map(|text| sha256(&text)).unwrap_or_default()
    }
}

/// The payload of `manifest`, if one of `keys` has signed it.
fn verified(manifest: &str, keys: &KeySet) -> Result<Vec<u8>, crate::jose::JoseError> {
    let jws = CompactJws::parse_at_most(manifest, MAX_MANIFEST_BYTES)?;
    jws.require_type(TokenType::PolicyBundle)?;
    jws.verify(keys.key_for(&jws)?)?;
    jws.unverified_payload()
}

/// Names are for a directory, should anybody unpack them, and each is there once.
fn check_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), BundleError> {
    if names.len() > MAX_BUNDLE_FILES {
        return Err(BundleError::TooManyFiles);
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let has_length = (1..=MAX_FILE_NAME_BYTES).contains(&name.len());
        let is_plain =
            !matches!(name, "." | "..") && !name.contains(['/', '\\']) && !name.chars().any(char::is_control);
        if !(has_length && is_plain) {
            return Err(BundleError::FileName(Excerpt::of(name)));
        }
        if !seen.insert(name) {
            return Err(BundleError::FileRepeated(Excerpt::of(name)));
        }
    }
    Ok(())
}

fn sha256(text: &str) -> Box<str> {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}
