//! What the files of a log are called.

/// The latest checkpoint, for tools that read C2SP notes; what counts is in the log.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";

/// Room on the disk that is kept for the end.
pub(crate) const RESERVE_FILE: &str = "reserve";

/// What the one writer has locked.
pub(crate) const LOCK_FILE: &str = "lock";

/// Behind the name of a file until it is whole. What has such a name is removed when a log is opened.
pub(crate) const UNFINISHED: &str = ".tmp";

/// The file name of the segment whose first entry is `first`.
#[must_use]
pub fn segment_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The number of the first entry, by the name of a segment's file.
#[must_use]
pub fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

/// The numbers of the first entries of the segments among files with these `names`, in their order.
#[must_use]
pub fn segments_of<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Vec<u64> {
    let mut firsts: Vec<u64> = names.into_iter().filter_map(|name| segment_of(name.as_ref())).collect();
    firsts.sort_unstable();
    firsts
}

/// Whether it is a file that a log has beside its segments, whole or not: none of them has anything of an entry.
pub(crate) fn is_beside(name: &str) -> bool {
    [CHECKPOINT_FILE, RESERVE_FILE, LOCK_FILE].contains(&name.strip_suffix(UNFINISHED).unwrap_or(name))
}
