use super::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a word of the language.
    Name,
    Number,
    /// With its quotes.
    Text,
    Slot,
    /// An operator or a bracket.
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Longer ones first.
const SIGNS: [&str; 29] = [
    "==", "!=", "<=", ">=", "||", "&&", "::", "@", ".", ",", ";", ":", "(", ")", "{", "}", "[", "]", "<", ">", "+",
    "-", "*", "/", "%", "!", "=", "?", "|",
];

/// How many semicolons there are outside of texts and comments.
pub(crate) fn semicolons(source: &str) -> usize {
    let is_semicolon = |token: &&Token| token.kind == Kind::Sign && token.span.of(source) == ";";
    tokens(source).map_or(0, |tokens| tokens.iter().filter(is_semicolon).count())
}

/// The tokens of `source`, without white space and comments; nothing if it has something else in it.
pub(crate) fn tokens(source: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find(['\n', '\r']).and_then(|end| comment.get(end..)).unwrap_or_default();
            continue;
        }
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        let word = |from: &str| from.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(from.len());
        let (kind, length) = match first {
            '_' | 'a'..='z' | 'A'..='Z' => (Kind::Name, word(rest)),
            '0'..='9' => (Kind::Number, rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
            '"' => (Kind::Text, text(rest)?),
            '?' => (Kind::Slot, word(rest.get(1..)?).checked_add(1)?),
            _ => (Kind::Sign, SIGNS.iter().find(|sign| rest.starts_with(**sign))?.len()),
        };
        let start = source.len().checked_sub(rest.len())?;
        tokens.push(Token { kind, span: Span { start, end: start.checked_add(length)? } });
        rest = rest.get(length..)?;
    }
}

/// How long the string is that `rest` begins with, with its quotes.
fn text(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at.checked_add(1),
            _ => {}
        }
    }
    None
}
