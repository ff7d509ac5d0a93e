//! Texts that many records have in common, each held once.

use std::collections::HashMap;
use std::sync::Arc;

/// A longer text is cut off where it is held: it is for lists and filters, and the record has it whole.
const MAX_NAME_BYTES: usize = 512;

/// Whoever asks chooses the names of actions and resources: so much of them is held, in bytes, and those that come later are
/// [`Name::NOT_HELD`].
const MAX_NAMES_BYTES: usize = 64 * 1024 * 1024;

/// A text that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

impl Name {
    /// No text.
    pub(super) const NONE: Self = Self(0);
    /// There was no room.
    const NOT_HELD: Self = Self(1);
    /// It was personal, and is erased.
    pub(super) const ERASED: Self = Self(2);
}

#[derive(Debug)]
pub(super) struct Names {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
    bytes: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        let texts = ["", "(not held)", "(erased)"].map(Arc::from).to_vec();
        Self { texts, numbers: HashMap::from([("".into(), Name::NONE)]), bytes: 0 }
    }

    pub(super) fn hold(&mut self, text: &str) -> Name {
        let text = if text.len() > MAX_NAME_BYTES { &cut(text) } else { text };
        if let Some(&name) = self.numbers.get(text) {
            return name;
        }
        let (Ok(number), true) = (u32::try_from(self.texts.len()), self.bytes + text.len() <= MAX_NAMES_BYTES) else {
            return Name::NOT_HELD;
        };
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, Name(number));
        Name(number)
    }

    pub(super) fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }

    /// The name of exactly this text.
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        let reserved = [Name::NOT_HELD, Name::ERASED].into_iter();
        self.numbers.get(text).copied().or_else(|| reserved.into_iter().find(|&name| self.text(name) == text))
    }

    /// For each name, whether `needle` stands in it, in whatever case.
    pub(super) fn containing(&self, needle: &str) -> Containing {
        let needle = needle.to_lowercase();
        Containing(self.texts.iter().map(|text| text.to_lowercase().contains(&needle)).collect())
    }

    /// Whether there are names for which there was no room.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes + MAX_NAME_BYTES > MAX_NAMES_BYTES
    }
}

fn cut(text: &str) -> String {
    let end = (0..=MAX_NAME_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[derive(Debug)]
pub(super) struct Containing(Vec<bool>);

impl Containing {
    pub(super) fn has(&self, name: Name) -> bool {
        self.0.get(name.0 as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_once_and_cut_off_where_it_is_long() {
        let mut names = Names::new();
        let name = names.hold("alice");
        assert_eq!((names.hold("alice"), names.find("alice"), names.text(name)), (name, Some(name), "alice"));
        assert_eq!((names.hold(""), names.find("bob"), names.find("(erased)")), (Name::NONE, None, Some(Name::ERASED)));
        let long = names.hold(&"é".repeat(MAX_NAME_BYTES));
        assert_eq!(names.text(long).len(), MAX_NAME_BYTES + "…".len());
        let found = names.containing("LIC");
        assert!(found.has(name) && !found.has(long));
    }

    #[test]
    fn there_is_an_end_to_what_is_held() {
        let mut names = Names::new();
        let filler = "x".repeat(MAX_NAME_BYTES - 8);
        let distinct = (0_u32..).map(|n| format!("{n:08}{filler}"));
        let first_without_room = distinct.map(|text| names.hold(&text)).take(200_000).position(|n| n == Name::NOT_HELD);
        assert_eq!(first_without_room, Some(MAX_NAMES_BYTES / MAX_NAME_BYTES));
        assert!(names.is_full());
    }
}
