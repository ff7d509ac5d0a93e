//! What a text that is looked for leaves in the bytes of an entry, so that most entries need not be read as JSON.

use memchr::memmem::Finder;

/// A value that is looked for: as it is, or all that begin so.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: Box<str>,
    is_prefix: bool,
    needle: Finder<'static>,
}

impl Pattern {
    /// `text`, or with `*` at its end whatever begins so.
    pub(super) fn of(text: &str) -> Self {
        let (text, is_prefix) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        // Names are written apart in JSON, and `%` stands for something else there.
        let parts = text.split('#').map(|part| part.split('%').next().unwrap_or_default());
        let needle = parts.max_by_key(|part| part.len()).unwrap_or_default();
        Self { text: text.into(), is_prefix, needle: Finder::new(needle).into_owned() }
    }

    /// A text that may stand anywhere within another.
    pub(super) fn within(text: &str) -> Self {
        Self { text: text.into(), is_prefix: false, needle: Finder::new(text).into_owned() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is(&self, value: &str) -> bool {
        if self.is_prefix { value.starts_with(&*self.text) } else { value == &*self.text }
    }

    fn may_be_in(&self, bytes: &Bytes<'_>) -> bool {
        bytes.halves.iter().any(|half| self.needle.find(half).is_some())
    }
}

/// The bytes of an entry's JSON.
pub(super) struct Bytes<'b> {
    halves: [&'b [u8]; 2],
}

impl<'b> Bytes<'b> {
    pub(super) const fn of(payload: &'b [u8], personal: &'b [u8]) -> Self {
        Self { halves: [payload, personal] }
    }

    /// False only if no value in them is any of `patterns`. A value that is written with escapes need not look like itself, so
    /// that bytes with a backslash may hold anything.
    pub(super) fn may_hold(&self, patterns: &[Pattern]) -> bool {
        patterns.iter().any(|pattern| pattern.may_be_in(self))
            || self.halves.iter().any(|half| memchr::memchr(b'\\', half).is_some())
    }
}
