//! A certificate authority that mints as csi-driver-spiffe does, volumes that are written as Kubernetes writes them,
//! and a clock that goes with the runtime's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource as _, IdentitySource as _, IdentityUnavailable};
use agentauth_core::{Clock, Timestamp, TrustDomain};
use agentauth_spiffe::files::{FileSource, FileSourceBuilder, SvidFiles};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;
use tokio::time::Instant;

/// The moment at which every test begins.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const POLL: Duration = Duration::from_secs(31);

/// A clock that goes with the timers of the runtime.
#[derive(Debug)]
pub(crate) struct Hands(Instant);

impl Hands {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW).plus(self.0.elapsed())
    }
}

/// The certificate authority of a trust domain.
pub(crate) struct Ca {
    pub(crate) domain: &'static str,
    root: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new(domain: &'static str) -> Self {
        Self::of(domain, domain)
    }

    /// An authority of the organisation of this name.
    pub(crate) fn of(organisation: &str, domain: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (at(NOW - 86_400), at(NOW + 30 * 86_400));
        let key = KeyPair::generate().unwrap();
        Self { domain, root: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn domain(&self) -> TrustDomain {
        self.domain.parse().unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        self.root.pem()
    }

    /// An SVID like the driver's: no subject, a critical name, an ECDSA key on P-256 as PKCS#8, for an hour.
    pub(crate) fn mint(&self, account: &str) -> Svid {
        self.mint_from_to(account, NOW - 60, NOW + 3600)
    }

    pub(crate) fn mint_from_to(&self, account: &str, not_before: u64, not_after: u64) -> Svid {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let id = format!("spiffe://{}/ns/court/sa/{account}", self.domain);
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (at(not_before), at(not_after));
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Svid { chain, key: key.serialize_pem() }
    }
}

fn at(secs: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(secs.try_into().unwrap()).unwrap()
}

/// A certificate chain and its key, both PEM.
#[derive(Clone)]
pub(crate) struct Svid {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Svid {
    pub(crate) fn csi(&self) -> [(&str, &str); 2] {
        [("tls.crt", &self.chain), ("tls.key", &self.key)]
    }
}

/// A directory of one test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("files-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        Self::at(path)
    }

    /// The directory at `path`, which is made.
    pub(crate) fn at(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes each file as it stands there.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::write(self.path(name), text).unwrap();
        }
    }

    /// Puts each file in its place in one step, but one after the other, as Istio's proxy does.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("tmp"), text).unwrap();
        fs::rename(self.path("tmp"), self.path(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Writes all files of a volume as the kubelet and CSI drivers do (Kubernetes' AtomicWriter): into a new
    /// directory, to which `..data` leads from one moment to the next; then the links that users see, for what is new
    /// and what is gone; then the old directory is removed.
    pub(crate) fn publish(&self, files: &[(&str, &str)]) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let data = self.path("..data");
        let old = fs::read_link(&data).ok();
        let new = format!("..2027_01_15_08_00_00.{}", COUNT.fetch_add(1, Ordering::SeqCst));
        fs::create_dir(self.path(&new)).unwrap();
        for (name, text) in files {
            fs::write(self.path(&new).join(name), text).unwrap();
        }
        symlink(&new, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), &data).unwrap();
        for (name, _) in files.iter().filter(|(name, _)| fs::symlink_metadata(self.path(name)).is_err()) {
            symlink(Path::new("..data").join(name), self.path(name)).unwrap();
        }
        let Some(old) = old else { return };
        for entry in fs::read_dir(self.0.join(&old)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !files.iter().any(|(kept, _)| *kept == name) {
                self.remove(&name);
            }
        }
        fs::remove_dir_all(self.0.join(old)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A source that looks when it is time to, and is told of nothing: whoever tells it would not know what time it is.
pub(crate) fn builder() -> FileSourceBuilder {
    FileSource::builder().poll_only().clock(Hands::new())
}

pub(crate) fn csi(folder: &Folder) -> FileSourceBuilder {
    builder().svid(SvidFiles::csi_driver(&folder.0))
}

/// Whose identity there is, or why there is none.
pub(crate) fn account(source: &FileSource) -> Result<String, IdentityUnavailable> {
    let identity = source.identity()?;
    Ok(identity.id().path().rsplit('/').next().unwrap().to_owned())
}

/// The trust domains that have roots.
pub(crate) fn trusted(source: &FileSource) -> Vec<String> {
    let bundles = source.bundles();
    let domains = bundles.trust_domains().filter(|domain| bundles.trusts(domain.as_str()));
    domains.map(ToString::to_string).collect()
}

/// The codes of what could not be taken the last time.
pub(crate) fn codes(source: &FileSource) -> Vec<&'static str> {
    source.status().failures.iter().map(|failure| failure.error.code()).collect()
}

pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
