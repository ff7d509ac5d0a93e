//! Patterns of SPIFFE IDs, by whole segments.

use std::fmt;
use std::str::FromStr;

use super::spiffe_id::{SCHEME, check_segment};
use super::{SpiffeId, SpiffeIdError, TrustDomain};
use crate::text::Excerpt;

/// Longer patterns than the IDs that they are for match nothing.
const MAX_PATTERN_BYTES: usize = 2048;

/// Which SPIFFE IDs are meant: by whole path segments, and never by the beginning of one.
///
/// A segment stands for itself, or is `*` for any one segment. At the end, `**` is any path of one or more segments. The
/// trust domain always stands for itself.
///
/// ```
/// use agentauth_core::{SpiffeId, SpiffePattern};
///
/// let pattern: SpiffePattern = "spiffe://cluster.local/ns/*/sa/lawyer".parse()?;
/// assert!(pattern.matches(&"spiffe://cluster.local/ns/court/sa/lawyer".parse()?));
/// assert!(!pattern.matches(&"spiffe://cluster.local/ns/court/sa/lawyer-2".parse()?));
/// assert!("spiffe://cluster.local/ns/court/sa/law*".parse::<SpiffePattern>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffePattern {
    domain: TrustDomain,
    segments: Vec<Segment>,
    /// Whether one or more segments follow, of any kind.
    is_open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Exactly(Box<str>),
    Any,
}

/// Why a text is no pattern of SPIFFE IDs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffePatternError {
    /// What is no wildcard is no part of a SPIFFE ID.
    #[error(transparent)]
    Id(#[from] SpiffeIdError),
    /// A wildcard for a part of a segment: it would match by the beginning or the end of a name, as `sa-*` would match the
    /// `sa-evil` that someone registers tomorrow.
    #[error("`{0}` has a wildcard for a part of a segment; * stands for a whole one")]
    PartOfSegment(Excerpt),
    /// `**` before the end.
    #[error("`{0}` has ** before its end")]
    NotLast(Excerpt),
    /// A wildcard in the trust domain.
    #[error("`{0}` has a wildcard in its trust domain, which must be named")]
    TrustDomain(Excerpt),
}

impl SpiffePattern {
    /// Whether `id` is meant.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        if id.trust_domain_name() != self.domain.as_str() {
            return false;
        }
        // The path is empty, or has a slash before each segment.
        let mut found = id.path().split('/').skip(1);
        let begins_so = self.segments.iter().all(|expected| match (expected, found.next()) {
            (Segment::Exactly(expected), Some(found)) => **expected == *found,
            (Segment::Any, Some(_)) => true,
            (_, None) => false,
        });
        begins_so && found.next().is_some() == self.is_open
    }

    /// With what all of the IDs that are meant begin, by whole segments.
    pub(crate) fn beginning(&self) -> String {
        let mut beginning = format!("{SCHEME}{}", self.domain);
        for segment in &self.segments {
            let Segment::Exactly(segment) = segment else { break };
            beginning.push('/');
            beginning.push_str(segment);
        }
        beginning
    }

    /// The trust domain whose IDs are meant.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.domain
    }
}

impl FromStr for SpiffePattern {
    type Err = SpiffePatternError;

    fn from_str(text: &str) -> Result<Self, SpiffePatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(SpiffeIdError::TooLong.into());
        }
        let excerpt = || Excerpt::of(text);
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| SpiffeIdError::Scheme(excerpt()))?;
        let mut parts = rest.split('/');
        let domain = parts.next().unwrap_or_default();
        if domain.contains('*') {
            return Err(SpiffePatternError::TrustDomain(excerpt()));
        }
        let (domain, mut segments, mut is_open) = (domain.parse()?, Vec::new(), false);
        for segment in parts {
            if is_open {
                return Err(SpiffePatternError::NotLast(excerpt()));
            }
            match segment {
                "**" => is_open = true,
                "*" => segments.push(Segment::Any),
                _ if segment.contains('*') => return Err(SpiffePatternError::PartOfSegment(excerpt())),
                _ => {
                    check_segment(segment, text)?;
                    segments.push(Segment::Exactly(segment.into()));
                }
            }
        }
        Ok(Self { domain, segments, is_open })
    }
}

impl From<&SpiffeId> for SpiffePattern {
    /// This ID only.
    fn from(id: &SpiffeId) -> Self {
        let segments = id.path().split('/').skip(1).map(|segment| Segment::Exactly(segment.into())).collect();
        Self { domain: id.trust_domain(), segments, is_open: false }
    }
}

impl fmt::Display for SpiffePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.domain)?;
        for segment in &self.segments {
            match segment {
                Segment::Exactly(segment) => write!(f, "/{segment}")?,
                Segment::Any => f.write_str("/*")?,
            }
        }
        f.write_str(if self.is_open { "/**" } else { "" })
    }
}

/// Names of one and the same trust domain: an old and a new one, or one in each of several clusters.
///
/// A policy that is written for one of them can be put into force for all. That is all it can do: which roots a
/// certificate is verified against is never looked up here, so that an ID of an alias has to be proven under the bundle of
/// just that trust domain. Every domain here must be trusted to call its workloads by the same names.
///
/// ```
/// use agentauth_core::{SpiffePattern, TrustDomainAliases};
///
/// let aliases = TrustDomainAliases::new(["cluster.local".parse()?, "court.example".parse()?]);
/// let patterns = aliases.expand(&"spiffe://cluster.local/ns/court/**".parse()?);
/// assert_eq!(patterns[1].to_string(), "spiffe://court.example/ns/court/**");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustDomainAliases {
    names: Vec<TrustDomain>,
}

impl TrustDomainAliases {
    /// Each of `names` stands for all of them.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = TrustDomain>) -> Self {
        let mut distinct = Vec::new();
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        Self { names: distinct }
    }

    /// `pattern` in each of the trust domains, if its own is one of them; otherwise, itself alone.
    #[must_use]
    pub fn expand(&self, pattern: &SpiffePattern) -> Vec<SpiffePattern> {
        if !self.names.contains(&pattern.domain) {
            return vec![pattern.clone()];
        }
        self.names.iter().map(|name| SpiffePattern { domain: name.clone(), ..pattern.clone() }).collect()
    }
}
