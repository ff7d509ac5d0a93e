use std::path::PathBuf;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::{BundleError, IdentityError};

/// Why files are no source, or what is in them could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// Called outside of a tokio runtime, which the files need to be followed.
    #[error("there is no tokio runtime to follow the files: call this from async code")]
    NoRuntime,
    /// Neither an identity nor a bundle is named.
    #[error("no files are named: name those of an SVID, or of a bundle")]
    Nothing,
    /// Two files are named for one trust domain.
    #[error("two bundle files are named for trust domain `{0}`; put all its roots into one")]
    Repeated(TrustDomain),
    /// A directory has the files of no layout that is known by its names.
    #[error(
        "{}: none of tls.crt, svid.pem, cert-chain.pem, credential-bundle.private-key.pem, credentialbundle.pem and \
         credential-bundle.pem is here; if the SVID comes later, or has other names, name the files",
        .0.display()
    )]
    UnknownLayout(PathBuf),
    /// The directory that is to be looked at is not there.
    #[error("{}: there is no such directory", .0.display())]
    NoDirectory(PathBuf),
    /// What is to be looked at is a file.
    #[error("{}: this is a file: give the directory that it is in", .0.display())]
    NotDirectory(PathBuf),
    /// A directory has the files of more than one layout.
    #[error("{}: the files of {first} and of {second} are here; name the files that are meant", dir.display())]
    AmbiguousLayout {
        /// The directory.
        dir: PathBuf,
        /// One of the layouts, for people.
        first: &'static str,
        /// Another one, for people.
        second: &'static str,
    },
    /// There is no such file.
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    /// The file holds nothing.
    #[error("{}: the file is empty", .0.display())]
    Empty(PathBuf),
    /// The file could not be opened or read.
    #[error("{}: {source}; the user of this process must be able to read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Not a regular file.
    #[error("{}: not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// The file is larger than what it should be could be.
    #[error("{}: the file is larger than {limit} bytes", path.display())]
    Oversize {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The files were replaced each time while they were being read.
    #[error("{}: the files did not stay the same for as long as it takes to read them", .0.display())]
    Unsettled(PathBuf),
    /// Reading took longer than 10 s.
    #[error("the files could not be read within 10 s; does their file system answer?")]
    Timeout,
    /// The certificate chain and the key are no identity, or none that is good now.
    #[error("{}: {source}", path.display())]
    Identity {
        /// The certificate chain.
        path: PathBuf,
        /// What is wrong.
        source: IdentityError,
    },
    /// The bundle cannot be used.
    #[error("{}: {source}", path.display())]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        source: BundleError,
    },
    /// The bundle brings the roots that certify web sites for everyone, whom nobody asked about workloads.
    #[error(
        "{}: it holds {count} roots of public web authorities ({organisation} is one), under which others than trust \
         domain `{domain}` can get certificates; give the trust domain's own roots, in a file of their own",
        path.display()
    )]
    PublicRoots {
        /// The bundle.
        path: PathBuf,
        /// Whose it should be.
        domain: TrustDomain,
        /// How many of its roots are public.
        count: usize,
        /// Whose one of them is.
        organisation: &'static str,
    },
}

impl FilesError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRuntime => "files_no_runtime",
            Self::Nothing => "files_none_named",
            Self::Repeated(_) => "files_domain_repeated",
            Self::UnknownLayout(_) => "files_layout_unknown",
            Self::NoDirectory(_) => "files_no_directory",
            Self::NotDirectory(_) => "files_not_directory",
            Self::AmbiguousLayout { .. } => "files_layout_ambiguous",
            Self::Missing(_) => "files_missing",
            Self::Empty(_) => "files_empty",
            Self::Unreadable { .. } => "files_unreadable",
            Self::NotRegular(_) => "files_not_regular",
            Self::Oversize { .. } => "files_oversize",
            Self::Unsettled(_) => "files_unsettled",
            Self::Timeout => "files_timed_out",
            Self::Identity { source, .. } => source.code(),
            Self::Bundle { source, .. } => source.code(),
            Self::PublicRoots { .. } => "files_public_roots",
        }
    }
}
