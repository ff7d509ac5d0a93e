use crate::jose::{JoseError, JsonError, SigningFailed};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Why a signed set of policies is refused, or cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The file cannot be read.
    #[error("the bundle cannot be read: {0}")]
    Unreadable(Box<str>),
    /// More than 32 MiB.
    #[error("a bundle has at most 33554432 bytes; split the policies among servers")]
    Oversize,
    /// More than 4,096 files.
    #[error("a bundle has at most 4096 files; join some of them")]
    TooManyFiles,
    /// Not the strict JSON object that a bundle is.
    #[error("this is no bundle ({0}): make one with `agentauth policy bundle`")]
    Malformed(JsonError),
    /// The manifest is not the strict JSON object that it is to be.
    #[error("the manifest of the bundle is not understood ({0}): it may be for a newer version")]
    Manifest(JsonError),
    /// Something in it is not known here, and might limit what it is for.
    #[error("the bundle says `{0}`, which is not known here: it may be for a newer version")]
    MemberUnknown(Excerpt),
    /// The manifest is no JWS of the right kind, or is not signed by a pinned key.
    #[error("the signature of the bundle is refused: {0}")]
    Signature(JoseError),
    /// The bundle is for another server.
    #[error("the bundle is for `{found}`, and this is `{expected}`: sign one for this server")]
    Audience {
        /// Who may use it.
        found: Excerpt,
        /// Who would.
        expected: Box<str>,
    },
    /// The bundle is over.
    #[error("the bundle ended at {0}: sign a new one, with a higher sequence number")]
    Expired(Timestamp),
    /// The bundle is older than one that was seen.
    #[error(
        "the bundle has sequence number {found}, and {seen} was there before: to go back, sign the older policies anew"
    )]
    Rollback {
        /// The number of this one.
        found: u64,
        /// The highest that was seen.
        seen: u64,
    },
    /// Two different bundles have one sequence number.
    #[error("another bundle has the sequence number {0} already: sign this one with a higher one")]
    SequenceReused(u64),
    /// A file's name is not one for a file in a directory of policies.
    #[error("`{0}` is no name for a file in a bundle; it has 1 to 255 bytes, no slash and no control character")]
    FileName(Excerpt),
    /// A file stands twice.
    #[error("the file `{0}` stands twice in the bundle")]
    FileRepeated(Excerpt),
    /// The files are not those that were signed.
    #[error("the files of the bundle are not those of its manifest, at `{0}`: copy the bundle again, as it was signed")]
    FilesOther(Excerpt),
    /// A file says something else than what was signed.
    #[error("the file `{0}` is not as it was signed: copy the bundle again, as it was signed")]
    FileChanged(Excerpt),
    /// What was seen before cannot be known, or kept.
    #[error(
        "the sequence number that was seen last cannot be told ({0}): repair the file, or remove it if that is what you mean"
    )]
    Memory(Box<str>),
    /// It could not be signed.
    #[error(transparent)]
    Unsigned(#[from] SigningFailed),
}

impl BundleError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "bundle_unreadable",
            Self::Oversize => "bundle_oversize",
            Self::TooManyFiles => "bundle_too_many_files",
            Self::Malformed(_) => "bundle_malformed",
            Self::Manifest(_) => "bundle_manifest_malformed",
            Self::MemberUnknown(_) => "bundle_member_unknown",
            Self::Signature(error) => error.code(),
            Self::Audience { .. } => "bundle_audience",
            Self::Expired(_) => "bundle_expired",
            Self::Rollback { .. } => "bundle_rollback",
            Self::SequenceReused(_) => "bundle_sequence_reused",
            Self::FileName(_) => "bundle_file_name",
            Self::FileRepeated(_) => "bundle_file_repeated",
            Self::FilesOther(_) => "bundle_files_other",
            Self::FileChanged(_) => "bundle_file_changed",
            Self::Memory(_) => "bundle_memory",
            Self::Unsigned(_) => "bundle_unsigned",
        }
    }
}
