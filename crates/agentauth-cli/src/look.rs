use std::borrow::Cow;

/// How output looks: with colours or without, with ticks and lines or in ASCII only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    colour: bool,
    unicode: bool,
}

/// What came of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Passed,
    Failed,
    NotReached,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";

impl Look {
    /// Without colours, in ASCII.
    pub const PLAIN: Self = Self { colour: false, unicode: false };

    /// The look that the environment asks for. Colours need a terminal, no `NO_COLOR`, and a `TERM` that is not `dumb`;
    /// ticks need a UTF-8 locale (`LC_ALL`, then `LC_CTYPE`, then `LANG`).
    pub fn from_environment(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        Self {
            colour: is_terminal && set("NO_COLOR").is_none() && set("TERM").as_deref() != Some("dumb"),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    pub(crate) const fn in_ascii(self) -> Self {
        Self { unicode: false, ..self }
    }

    pub(crate) const fn has_colour(self) -> bool {
        self.colour
    }

    /// A tick, a cross or a dash; all of the same width.
    pub(crate) fn mark(self, mark: Mark) -> Cow<'static, str> {
        let sign = match (mark, self.unicode) {
            (Mark::Passed, true) => "✓",
            (Mark::Failed, true) => "✗",
            (Mark::NotReached, true) => "–",
            (Mark::Passed, false) => "ok  ",
            (Mark::Failed, false) => "FAIL",
            (Mark::NotReached, false) => "-   ",
        };
        self.coloured(mark, sign)
    }

    pub(crate) fn coloured(self, mark: Mark, text: &'static str) -> Cow<'static, str> {
        let colour = match mark {
            Mark::Passed => GREEN,
            Mark::Failed => RED,
            Mark::NotReached => DIM,
        };
        self.styled(colour, text)
    }

    pub(crate) fn title(self, text: &str) -> Cow<'_, str> {
        self.styled(BOLD, text)
    }

    pub(crate) fn warning(self, text: &str) -> Cow<'_, str> {
        self.styled(YELLOW, text)
    }

    pub(crate) fn failure(self, text: &str) -> Cow<'_, str> {
        self.styled(RED, text)
    }

    pub(crate) fn dim(self, text: &str) -> Cow<'_, str> {
        self.styled(DIM, text)
    }

    /// A reference such as `RFC 7515 §7.1`.
    pub(crate) fn section(self, text: &str) -> Cow<'_, str> {
        if self.unicode { text.into() } else { text.replace('§', "section ").into() }
    }

    /// What stands before a branch of a tree, below `depth` others.
    pub(crate) fn branch(self, depth: usize) -> String {
        format!("{:1$}{2}", "", depth * 3, if self.unicode { "└─ " } else { "`- " })
    }

    fn styled<'a>(self, style: &str, text: &'a str) -> Cow<'a, str> {
        if self.colour { format!("{style}{text}{RESET}").into() } else { text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(is_terminal: bool, variables: &[(&str, &str)]) -> Look {
        Look::from_environment(is_terminal, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert!(look(true, &[]).colour && look(true, &[("NO_COLOR", ""), ("TERM", "xterm")]).colour);
        assert!(!look(false, &[]).colour);
        assert!(!look(true, &[("NO_COLOR", "1")]).colour);
        assert!(!look(true, &[("TERM", "dumb")]).colour);
    }

    #[test]
    fn ticks_are_for_utf_8_locales() {
        for (variables, unicode) in [
            (&[("LANG", "en_GB.UTF-8")][..], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")], true),
            (&[], false),
        ] {
            assert_eq!(look(false, variables).unicode, unicode, "{variables:?}");
        }
    }

    #[test]
    fn ascii_is_ascii() {
        let look = look(true, &[("LANG", "C.UTF-8")]).in_ascii();
        for text in [look.mark(Mark::Passed), look.section("RFC 8725bis §3.1, §3.2"), look.branch(2).into()] {
            assert!(text.is_ascii(), "{text}");
        }
    }
}
