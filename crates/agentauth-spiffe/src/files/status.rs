use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use agentauth_core::identity::svid::{BundleConcern, SvidError};
use agentauth_core::{Timestamp, TrustDomain};

use super::FilesError;

/// How it stands with the files of a source, for programs: for a health check, or a metric.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FilesStatus {
    /// When they were last read, or tried to be.
    pub read_at: Option<Timestamp>,
    /// What could not be taken that time. Nothing, if all is well.
    pub failures: Vec<FilesFailure>,
    /// What works, and is probably not as it was meant.
    pub warnings: Vec<FilesWarning>,
}

/// A part of a source that cannot be had from its files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilesFailure {
    /// Which part.
    pub part: FilesPart,
    /// What went wrong the last time.
    pub error: Arc<FilesError>,
    /// Since when nothing good was read.
    pub since: Timestamp,
    /// Whether the last good one still stands in its place.
    pub is_kept: bool,
}

/// What files are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FilesPart {
    /// The workload's own identity.
    Identity,
    /// The roots that are delivered with it.
    Roots,
    /// The bundle of a trust domain.
    Bundle(TrustDomain),
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilesWarning {
    /// The file is mounted by itself, as Kubernetes does with `subPath`: it will never be replaced.
    SubPath(PathBuf),
    /// Changes in the directories are not reported by the system, so they are noticed within 30 s and no sooner.
    Unwatched(Box<str>),
    /// The workload's own chain does not verify by the bundle of its own trust domain. For a moment that may be, since
    /// the two can come by different ways; peers that have the same bundle do not believe this workload meanwhile.
    OwnChain(SvidError),
    /// A bundle is odd.
    Bundle(TrustDomain, BundleConcern),
}

impl FilesStatus {
    /// Whether everything that was last read is good.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.failures.is_empty() && self.read_at.is_some()
    }
}

impl FilesWarning {
    /// The stable machine code of this warning.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SubPath(_) => "files_sub_path",
            Self::Unwatched(_) => "files_unwatched",
            Self::OwnChain(_) => "files_own_chain",
            Self::Bundle(..) => "files_bundle_odd",
        }
    }
}

impl fmt::Display for FilesPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("the identity"),
            Self::Roots => f.write_str("the roots of the identity's trust domain"),
            Self::Bundle(domain) => write!(f, "the bundle of trust domain `{domain}`"),
        }
    }
}

impl fmt::Display for FilesWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubPath(path) => write!(
                f,
                "{}: the file is mounted by itself (subPath), so it will never change; mount its directory",
                path.display()
            ),
            Self::Unwatched(reason) => {
                write!(f, "the directories cannot be watched, so changes are noticed within 30 s: {reason}")
            }
            Self::OwnChain(error) => write!(f, "this workload's own chain does not verify by its own bundle: {error}"),
            Self::Bundle(domain, concern) => write!(f, "trust domain `{domain}`: {concern}"),
        }
    }
}
