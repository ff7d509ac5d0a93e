//! Which files an SVID is in: the names that platforms give them.

use std::io;
use std::path::{Path, PathBuf};

use super::FilesError;
use super::read::{Found, Reading, Wanted, read_together};

/// Ten certificates and a key take a quarter of it.
const MAX_SVID_BYTES: usize = 64 * 1024;

/// What a ConfigMap can hold.
pub(super) const MAX_BUNDLE_BYTES: usize = 1024 * 1024;

/// Names of single files with key and chain: SPIFFE's for files that are delivered, and those of Kubernetes' examples.
const CREDENTIAL_BUNDLES: [&str; 3] =
    ["credential-bundle.private-key.pem", "credentialbundle.pem", "credential-bundle.pem"];

/// The files that an X.509-SVID is delivered in.
///
/// Beside the chain and its key there can be the roots of the SVID's own trust domain. They are optional, since some
/// platforms deliver them elsewhere, and looked for under several names each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvidFiles {
    pub(super) dir: PathBuf,
    pub(super) chain: PathBuf,
    /// `None`: it is in the file of the chain.
    pub(super) key: Option<PathBuf>,
    pub(super) roots: Vec<PathBuf>,
}

impl SvidFiles {
    /// A volume of cert-manager's csi-driver-spiffe, or a mounted TLS Secret: `tls.crt`, `tls.key`, and `ca.crt`
    /// where the driver has a source for it.
    #[must_use]
    pub fn csi_driver(dir: impl Into<PathBuf>) -> Self {
        Self::named(dir, "tls.crt", "tls.key").or_roots("ca.crt")
    }

    /// The directory that spiffe-helper writes to: `svid.pem`, `svid_key.pem`, and `bundle.pem` or `svid_bundle.pem`.
    #[must_use]
    pub fn spiffe_helper(dir: impl Into<PathBuf>) -> Self {
        Self::named(dir, "svid.pem", "svid_key.pem").or_roots("bundle.pem").or_roots("svid_bundle.pem")
    }

    /// The directory that Istio's proxy writes to (`OUTPUT_CERTS`): `cert-chain.pem`, `key.pem`, and `root-cert.pem`.
    #[must_use]
    pub fn istio(dir: impl Into<PathBuf>) -> Self {
        Self::named(dir, "cert-chain.pem", "key.pem").or_roots("root-cert.pem")
    }

    /// One file with the key and the chain: what Kubernetes mounts for Pod Certificates (KEP-4317), and SPIFFE's
    /// delivery by files. Two files cannot be torn apart that are one.
    #[must_use]
    pub fn credential_bundle(file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        let (dir, name) = split(&file);
        Self { dir, chain: name, key: None, roots: Vec::new() }
    }

    /// Files of these names in `dir`: a certificate chain, leaf first, and the key of the leaf.
    #[must_use]
    pub fn named(dir: impl Into<PathBuf>, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), chain: chain.into(), key: Some(key.into()), roots: Vec::new() }
    }

    /// Looks for the roots of the SVID's trust domain also under this name, if there is none of the names so far.
    ///
    /// csi-driver-spiffe uses two names where the name of the CA file is set: `ca.crt` when it has issued a
    /// certificate, and the one that was set when it has received new roots.
    #[must_use]
    pub fn or_roots(mut self, name: impl Into<PathBuf>) -> Self {
        self.roots.push(name.into());
        self
    }

    /// The layout of `dir`, told by the names of the files that are there now. For files that come later, name the
    /// layout.
    ///
    /// # Errors
    /// [`FilesError::NoDirectory`], [`FilesError::NotDirectory`]; [`FilesError::Unreadable`] if this process may not look
    /// into it; [`FilesError::UnknownLayout`], [`FilesError::AmbiguousLayout`].
    pub fn detect(dir: impl AsRef<Path>) -> Result<Self, FilesError> {
        let dir = dir.as_ref();
        let pairs = [
            ("csi-driver-spiffe", Self::csi_driver(dir)),
            ("spiffe-helper", Self::spiffe_helper(dir)),
            ("Istio", Self::istio(dir)),
        ];
        let single = CREDENTIAL_BUNDLES.map(|name| ("a credential bundle", Self::credential_bundle(dir.join(name))));
        let look = || -> io::Result<Vec<(&'static str, Self)>> {
            if !std::fs::metadata(dir)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            let mut found = Vec::new();
            for (name, files) in pairs.into_iter().chain(single) {
                if files.are_there()? {
                    found.push((name, files));
                }
            }
            Ok(found)
        };
        let found = look().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FilesError::NoDirectory(dir.into()),
            io::ErrorKind::NotADirectory => FilesError::NotDirectory(dir.into()),
            _ => FilesError::Unreadable { path: dir.into(), source },
        })?;
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some((_, files)), None) => Ok(files),
            (None, _) => Err(FilesError::UnknownLayout(dir.into())),
            (Some((first, _)), Some((second, _))) => {
                Err(FilesError::AmbiguousLayout { dir: dir.into(), first, second })
            }
        }
    }

    /// Half of a pair is enough to tell whose it is.
    fn are_there(&self) -> io::Result<bool> {
        for name in std::iter::once(&self.chain).chain(&self.key) {
            if self.dir.join(name).try_exists()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads all of them, as they are at one moment.
    pub(super) fn read(&self) -> SvidReading {
        let one = |name: &PathBuf| Wanted { names: vec![name.clone()], limit: MAX_SVID_BYTES };
        let roots = Wanted { names: self.roots.clone(), limit: MAX_BUNDLE_BYTES };
        let wanted = std::iter::once(one(&self.chain)).chain(self.key.as_ref().map(one)).chain([roots]);
        let Reading { files, is_atomic } = read_together(&self.dir, &wanted.collect::<Vec<_>>());
        let mut files = files.into_iter();
        let mut next = || files.next().unwrap_or_else(|| Found::Gone(FilesError::Missing(self.dir.clone())));
        SvidReading { chain: next(), key: self.key.is_some().then(&mut next), roots: next(), is_atomic }
    }

    /// Where each of them may be.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        std::iter::once(&self.chain).chain(&self.key).chain(&self.roots).map(|name| self.dir.join(name))
    }
}

/// What was found in the place of the files of an SVID.
#[derive(Debug)]
pub(super) struct SvidReading {
    pub(super) chain: Found,
    /// `None`: it is in the file of the chain.
    pub(super) key: Option<Found>,
    pub(super) roots: Found,
    /// See [`Reading::is_atomic`].
    pub(super) is_atomic: bool,
}

/// The directory that a file is in, and its name there.
pub(super) fn split(file: &Path) -> (PathBuf, PathBuf) {
    let name = file.file_name().map_or_else(|| file.into(), PathBuf::from);
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    (dir.map_or_else(|| ".".into(), PathBuf::from), name)
}
