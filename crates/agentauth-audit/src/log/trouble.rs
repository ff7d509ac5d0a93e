use std::io;

/// What can go wrong while the log is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Trouble {
    DiskFull,
    WriteFailed,
    SyncFailed,
    FileGone,
    FileChanged,
    SignerFailed,
    AnchorFailed,
    CheckpointFileFailed,
}

impl Trouble {
    pub(super) const ALL: [Self; 8] = [
        Self::DiskFull,
        Self::WriteFailed,
        Self::SyncFailed,
        Self::FileGone,
        Self::FileChanged,
        Self::SignerFailed,
        Self::AnchorFailed,
        Self::CheckpointFileFailed,
    ];

    /// Those of the disk that a successful write ends.
    pub(super) const OF_WRITING: [Self; 5] =
        [Self::DiskFull, Self::WriteFailed, Self::SyncFailed, Self::FileGone, Self::FileChanged];

    /// As [`Recovered::after`](crate::format::Recovered::after) and [`Health::last_error`](super::Health::last_error) say it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::WriteFailed => "write_failed",
            Self::SyncFailed => "sync_failed",
            Self::FileGone => "file_gone",
            Self::FileChanged => "file_changed",
            Self::SignerFailed => "signer_failed",
            Self::AnchorFailed => "anchor_failed",
            Self::CheckpointFileFailed => "checkpoint_file_failed",
        }
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// What `error` of a write is, if it is not `otherwise`.
    pub(super) fn of(error: &io::Error, otherwise: Self) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => otherwise,
        }
    }
}
