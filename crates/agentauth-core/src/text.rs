//! Texts that come from outside: shown briefly, or not at all.

use std::fmt;

/// Enough to recognise a value by; too little to fill a log with.
const EXCERPT_CHARS: usize = 80;

/// A short, printable piece of a text that someone else wrote.
///
/// Errors carry excerpts instead of the text: at most 80 characters, each printable ASCII (others become `?`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// The beginning of `text`, made printable.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut shown: String =
            text.chars().take(EXCERPT_CHARS).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        if text.chars().nth(EXCERPT_CHARS).is_some() {
            shown.push_str("...");
        }
        Self(shown.into())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Cuts `text` to at most `limit` bytes.
pub(crate) fn cut(text: &mut Box<str>, limit: usize) {
    if text.len() > limit {
        *text = beginning(text, limit).into();
    }
}

/// At most `limit` bytes of `text`.
pub(crate) fn beginning(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// A text that must not be shown: a token, for instance. `Debug` says only how long it is, and it has no `Display`.
#[derive(Clone)]
pub(crate) struct Secret(Box<str>);

impl Secret {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes redacted]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(Excerpt::of("a\nb\u{202e}c").to_string(), "a?b?c");
        assert_eq!(Excerpt::of(&"x".repeat(20_000)).to_string().len(), EXCERPT_CHARS + 3);
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("eyJ.secret.sig")), "[14 bytes redacted]");
    }
}
