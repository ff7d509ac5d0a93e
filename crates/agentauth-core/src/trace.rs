//! Which trace is a request a part of? By its own word: W3C Trace Context.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

use crate::random::{Random, RandomUnavailable};

/// The header that says which trace a request is a part of (W3C Trace Context §3.2).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header with what tracing systems add to it (W3C Trace Context §3.3).
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `version "-" trace-id "-" parent-id "-" trace-flags`, as version 00 has it.
const LENGTH: usize = 55;

/// What is passed on of `tracestate`, in bytes and in members: what §3.3.1.5 asks to be passed on at least, and no more.
const MAX_STATE_BYTES: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;

/// The flags that have a meaning: sampled, and random trace id. Others must not be passed on (§3.2.2.5).
const KNOWN_FLAGS: u8 = 0b11;

/// The trace that a request says it is a part of.
///
/// It is the word of whoever sent the request: it is on record as such, so that records can be found by it, and nothing is decided,
/// sampled or left out by it. (`baggage` is not read at all, and not passed on.)
///
/// ```
/// use agentauth_core::TraceContext;
///
/// let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(trace.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// # Ok::<(), agentauth_core::TraceError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    /// Passed on, and not recorded.
    state: Option<Arc<str>>,
}

/// A text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no traceparent: version, trace id, parent id and flags in lower-case hexadecimal digits, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)]
#[non_exhaustive]
pub struct TraceError;

impl TraceError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self => "traceparent_malformed",
        }
    }
}

impl TraceContext {
    /// What the headers of a request say, if they say it once and well. A `tracestate` that is longer than 512 bytes or 32 members,
    /// or no visible ASCII, is left out.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let trace: Self = value.to_str().ok()?.parse().ok()?;
        Some(Self { state: state_of(headers), ..trace })
    }

    /// The trace id.
    #[must_use]
    pub const fn trace_id(&self) -> &[u8; 16] {
        &self.trace_id
    }

    /// The span that is the parent of whatever is done for the request.
    #[must_use]
    pub const fn parent_id(&self) -> &[u8; 8] {
        &self.parent_id
    }

    /// The flags, as they were sent.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// What tracing systems have added (`tracestate`).
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The same trace, for a request that is sent on: with a parent of its own.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn next(&self, random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut parent_id = [0; 8];
        random.fill(&mut parent_id)?;
        if parent_id == [0; 8] {
            return Err(RandomUnavailable);
        }
        Ok(Self { parent_id, flags: self.flags & KNOWN_FLAGS, ..self.clone() })
    }

    /// Writes it into the headers of a request, unless they have a `traceparent`, which then counts.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        if headers.contains_key(&TRACEPARENT) {
            return;
        }
        headers.remove(&TRACESTATE);
        let Ok(value) = HeaderValue::try_from(self.to_string()) else { return };
        headers.insert(TRACEPARENT, value);
        if let Some(state) = self.state().and_then(|state| HeaderValue::try_from(state).ok()) {
            headers.insert(TRACESTATE, state);
        }
    }
}

/// All `tracestate` headers, as one list.
fn state_of(headers: &HeaderMap) -> Option<Arc<str>> {
    let mut state = String::new();
    for value in headers.get_all(&TRACESTATE) {
        let value = value.to_str().ok()?;
        if !state.is_empty() {
            state.push(',');
        }
        if state.len().saturating_add(value.len()) > MAX_STATE_BYTES {
            return None;
        }
        state.push_str(value);
    }
    let is_short = state.split(',').count() <= MAX_STATE_MEMBERS;
    (is_short && !state.trim().is_empty()).then(|| state.into())
}

/// Reads a `traceparent` (§3.2.2). A later version may have more behind the flags, after a dash; version `ff` there is none.
impl FromStr for TraceContext {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let bytes = text.as_bytes();
        let (known, more) = bytes.split_at_checked(LENGTH).ok_or(TraceError)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let mut part = || parts.next().ok_or(TraceError);
        let [version] = digits(part()?)?;
        let trace_id: [u8; 16] = digits(part()?)?;
        let parent_id: [u8; 8] = digits(part()?)?;
        let [flags] = digits(part()?)?;
        let is_good = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.first().is_none_or(|byte| *byte == b'-'),
        };
        if is_good && trace_id != [0; 16] && parent_id != [0; 8] && parts.next().is_none() {
            Ok(Self { trace_id, parent_id, flags, state: None })
        } else {
            Err(TraceError)
        }
    }
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn digits<const N: usize>(text: &[u8]) -> Result<[u8; N], TraceError> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(TraceError);
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Ok(bytes)
}

const fn nibble(digit: u8) -> Result<u8, TraceError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(TraceError),
    }
}

/// Writes it as a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [trace, parent] = [u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.parent_id).into()];
        write!(f, "00-{trace:032x}-{parent:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
