use std::time::Duration;

/// The machines of a trust domain keep their clocks together, and a JWT-SVID lives for minutes.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(10);

/// More leeway than this would be a longer lifetime, not a tolerance.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// Whom JWT-SVIDs must be addressed to: the names, at least one, that this server goes by. And how far its clock may
/// be from that of whoever made them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences {
    names: Vec<Box<str>>,
    leeway: Duration,
}

/// Why there can be no such audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AudiencesError {
    /// No name: whoever checks against it checks nothing.
    #[error("there must be at least one audience")]
    None,
    /// An empty name.
    #[error("an audience must not be empty")]
    Nameless,
    /// More leeway than 60 s.
    #[error("a leeway of {seconds} s is more than the 60 s that clocks may differ")]
    Leeway {
        /// What was asked for.
        seconds: u64,
    },
}

impl AudiencesError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "jwt_svid_audiences_none",
            Self::Nameless => "jwt_svid_audiences_nameless",
            Self::Leeway { .. } => "jwt_svid_leeway_too_long",
        }
    }
}

impl Audiences {
    /// The audiences `names`, compared byte for byte, with a leeway of 10 s.
    ///
    /// # Errors
    /// [`AudiencesError::None`], [`AudiencesError::Nameless`].
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Self, AudiencesError> {
        let names: Vec<Box<str>> = names.into_iter().map(|name| name.into().into_boxed_str()).collect();
        if names.is_empty() {
            return Err(AudiencesError::None);
        }
        if names.iter().any(|name| name.is_empty()) {
            return Err(AudiencesError::Nameless);
        }
        Ok(Self { names, leeway: DEFAULT_LEEWAY })
    }

    /// The same audiences, with `leeway` at both ends of a token's lifetime, in whole seconds.
    ///
    /// # Errors
    /// [`AudiencesError::Leeway`] above 60 s.
    pub fn with_leeway(self, leeway: Duration) -> Result<Self, AudiencesError> {
        if leeway > MAX_LEEWAY {
            return Err(AudiencesError::Leeway { seconds: leeway.as_secs() });
        }
        Ok(Self { leeway, ..self })
    }

    pub(super) fn contains(&self, audience: &str) -> bool {
        self.names.iter().any(|name| **name == *audience)
    }

    pub(super) const fn leeway(&self) -> Duration {
        self.leeway
    }
}
