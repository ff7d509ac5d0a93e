use agentauth_core::RandomUnavailable;

/// A checkpoint that cannot be written or is not believed, or a key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is no C2SP tlog-checkpoint, or has lines that ours have not.
    #[error("this is no checkpoint (C2SP tlog-checkpoint): an origin, a size and a root, and signatures")]
    Malformed,
    /// The name of a key or of a log cannot stand in a note.
    #[error("a log's name is 1 to 255 bytes long, and has no plus sign, space or control character")]
    Name,
    /// The key is none.
    #[error(
        "this is no key for checkpoints (Ed25519) of the kind that is needed here: whoever signs needs the line in the file that \
         `agentauth audit keygen` writes, which begins with PRIVATE+KEY, and whoever verifies the line that it prints"
    )]
    Key,
    /// The id of a key is not that of its name and its public half.
    #[error(
        "the key's id does not belong to its name: the line was altered; take it again from where the key was made"
    )]
    KeyId,
    /// The same key stands twice, or two keys have one name and id.
    #[error("a key stands twice: name each key once")]
    KeyTwice,
    /// Nobody whose key is known has signed it.
    #[error("the checkpoint is not signed by a key that is known here")]
    Unsigned,
    /// A signature by a key that is known is false.
    #[error("the checkpoint's signature is false")]
    Signature,
    /// A key signs for the log that it is named after, and for no other.
    #[error("the checkpoint's log is called otherwise than the key: make a key for each log, by the log's name")]
    Origin,
    /// The signer did not sign.
    #[error("the signer has not signed: {0}")]
    Signer(Box<str>),
    /// The file cannot be read.
    #[error("the file {place} cannot be read: {why}")]
    File {
        /// The file.
        place: Box<str>,
        /// Why not.
        why: Box<str>,
    },
    /// Others than its owner may read the file of a private key.
    #[error(
        "others may read the private key in {0}: make it its owner's alone (chmod 600), or make a new key if they have"
    )]
    Exposed(Box<str>),
    /// No key can be made.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl CheckpointError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "checkpoint_malformed",
            Self::Name => "checkpoint_name",
            Self::Key => "checkpoint_key",
            Self::KeyId => "checkpoint_key_id",
            Self::KeyTwice => "checkpoint_key_twice",
            Self::Unsigned => "checkpoint_unsigned",
            Self::Signature => "checkpoint_signature",
            Self::Origin => "checkpoint_origin",
            Self::Signer(_) => "checkpoint_signer",
            Self::File { .. } => "checkpoint_key_file",
            Self::Exposed(_) => "checkpoint_key_exposed",
            Self::Random(_) => "random_unavailable",
        }
    }
}
