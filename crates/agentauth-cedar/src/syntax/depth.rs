//! How deep a text is nested, before anybody follows it.
//!
//! Cedar's parser follows brackets on the stack, however many there are; and its validator takes as valid what is deeper than its own
//! stack: it says nothing about such a policy. So what is deeper than people write is refused before it gets there.

use super::Span;

/// Brackets in brackets, and `if` in `if`. A stack of 2 MiB has room for 36 in Cedar's parser, and lints take time with the power of it.
pub(crate) const MAX_BRACKETS: usize = 20;

/// The same, with the operators that stand beside each other: each is one level for Cedar. It checks about 90 on a stack of 2 MiB.
pub(crate) const MAX_LEVELS: usize = 64;

/// Brackets in a schema. A stack of 2 MiB has room for over 100.
pub(crate) const MAX_SCHEMA_BRACKETS: usize = 40;

/// What stands between two brackets, so far.
#[derive(Clone, Copy, Default)]
struct Level {
    ifs: usize,
    operators: usize,
    /// `.` and `[` behind each other.
    members: usize,
}

/// Where the policies in `source` are too deep.
pub(crate) fn too_deep(source: &str) -> Option<Span> {
    let mut outer: Vec<Level> = Vec::new();
    let (mut here, mut levels, mut nested) = (Level::default(), 0_usize, 0_usize);
    for (start, piece) in Pieces::of(source) {
        match piece {
            "(" | "[" | "{" => {
                here.members = here.members.saturating_add(1);
                levels = levels.saturating_add(here.operators).saturating_add(1);
                nested = nested.saturating_add(here.ifs).saturating_add(1);
                outer.push(std::mem::take(&mut here));
            }
            ")" | "]" | "}" => {
                here = outer.pop().unwrap_or_default();
                levels = levels.saturating_sub(here.operators.saturating_add(1));
                nested = nested.saturating_sub(here.ifs.saturating_add(1));
            }
            "," | ";" => here = Level::default(),
            "." => here.members = here.members.saturating_add(1),
            "if" => (here.ifs, here.operators) = (here.ifs.saturating_add(1), here.operators.saturating_add(1)),
            "when" | "unless" | "&" | "|" | "+" | "-" | "*" | "!" => {
                (here.operators, here.members) = (here.operators.saturating_add(1), 0);
            }
            _ => here.members = 0,
        }
        let deepest = levels.saturating_add(here.operators).saturating_add(here.members);
        if nested.saturating_add(here.ifs) > MAX_BRACKETS || deepest > MAX_LEVELS {
            return Some(Span { start, end: start.saturating_add(piece.len()) });
        }
    }
    None
}

/// Where the schema `source` is too deep.
pub(crate) fn schema_too_deep(source: &str) -> Option<Span> {
    let mut nested = 0_usize;
    for (start, piece) in Pieces::of(source) {
        match piece {
            "(" | "[" | "{" | "<" => nested = nested.saturating_add(1),
            ")" | "]" | "}" | ">" => nested = nested.saturating_sub(1),
            _ => {}
        }
        if nested > MAX_SCHEMA_BRACKETS {
            return Some(Span { start, end: start.saturating_add(piece.len()) });
        }
    }
    None
}

/// Signs and the words that nest, with where they stand. Texts, comments, names and doubled signs are passed over, whatever else
/// there is: that this can be read is for Cedar to say.
struct Pieces<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Pieces<'s> {
    const fn of(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// How many bytes from `from` on are like this.
    fn run(&self, from: usize, is_one: impl Fn(u8) -> bool) -> usize {
        self.source.as_bytes().iter().skip(from).take_while(|byte| is_one(**byte)).count()
    }

    /// Behind the quotation mark that ends the text which begins at `from`.
    fn behind_text(&self, from: usize) -> usize {
        let mut escaped = false;
        let rest = self.source.as_bytes().iter().enumerate().skip(from.saturating_add(1));
        for (at, byte) in rest {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return at.saturating_add(1),
                _ => {}
            }
        }
        self.source.len()
    }
}

impl<'s> Iterator for Pieces<'s> {
    type Item = (usize, &'s str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.source.as_bytes();
        loop {
            let start = self.at;
            let (byte, next) = (*bytes.get(start)?, bytes.get(start.saturating_add(1)).copied());
            let length = match byte {
                b'"' => self.behind_text(start).saturating_sub(start),
                b'/' if next == Some(b'/') => self.run(start, |byte| !matches!(byte, b'\n' | b'\r')),
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.run(start, |byte| byte == b'_' || byte.is_ascii_alphanumeric())
                }
                // One of `&&` and of `||`.
                b'&' | b'|' if next == Some(byte) => 2,
                _ => 1,
            };
            self.at = start.saturating_add(length);
            let piece = match byte {
                b'&' | b'|' => self.source.get(start..start.saturating_add(1)),
                b'"' | b'0'..=b'9' | b':' | 0x80.. => None,
                b'/' if length > 1 => None,
                _ if byte.is_ascii_whitespace() => None,
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    // A member's name, and not what stands between members.
                    self.source.get(start..self.at).filter(|word| {
                        matches!(*word, "if" | "when" | "unless" | "then" | "else" | "in" | "has" | "like" | "is")
                    })
                }
                _ => self.source.get(start..self.at),
            };
            if let Some(piece) = piece {
                return Some((start, piece));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deep_is_counted_as_cedar_nests_it() {
        let policy =
            |body: &str| too_deep(&format!("permit (principal, action, resource) when {{ {body} }};")).is_some();
        let around =
            |open: &str, times: usize, close: &str| format!("{}true{}", open.repeat(times), close.repeat(times));
        for (open, close, most) in
            [("(", ")", 19), ("[", "]", 19), ("{a: ", "}", 19), ("if true then ", " else true", 19)]
        {
            assert!(!policy(&around(open, most, close)) && policy(&around(open, most + 1, close)), "{open}");
        }
        for sign in ["&&", "||", "+", "-", "*"] {
            let chain = |operators: usize| format!("a{}", format!(" {sign} a").repeat(operators));
            assert!(!policy(&chain(62)) && policy(&chain(63)), "{sign}");
        }
        assert!(!policy(&format!("context{}", ".a".repeat(60))) && policy(&format!("context{}", ".a".repeat(70))));
        assert!(policy(&format!("context{}", "[\"a\"]".repeat(70))));
        assert!(too_deep(&format!("permit (principal, action, resource) {};", "when { true } ".repeat(70))).is_some());
        let chain = vec!["a"; 30].join(" && ");
        assert!(policy(&format!("({chain}) && {chain} && ({chain} && ({chain}))")));
        for shallow in [
            &format!("a in [{}]", vec!["(((1)))"; 500].join(", ")),
            &vec!["context.a.b == context.c.d"; 60].join(" && "),
            &format!("\"{}\" == \"\\\"{}\" // {}\n", "(".repeat(90), "[".repeat(90), "{".repeat(90)),
        ] {
            assert!(!policy(shallow), "{shallow}");
        }
        let many = "permit (principal, action, resource) when { a && b && (c || d) } unless { e };\n".repeat(500);
        assert!(too_deep(&many).is_none());
        assert!(schema_too_deep(&format!("type T = {}Long{};", "Set<".repeat(40), ">".repeat(40))).is_none());
        assert!(schema_too_deep(&format!("type T = {}Long{};", "{a: ".repeat(41), "}".repeat(41))).is_some());
        for broken in ["\"", "\\", "\u{e9}((", "//", "/", "&", "))", "(\"((", "if"] {
            assert!(too_deep(broken).is_none() && schema_too_deep(broken).is_none());
        }
    }
}
