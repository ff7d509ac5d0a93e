//! Policies as they are written: where each part of one stands.
//!
//! Cedar says what a policy means, and decides; where its parts are, it tells only of those that are wrong. What is read here is
//! for those who write policies, once Cedar has taken the text: nothing is permitted by it.

mod depth;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use depth::{schema_too_deep, too_deep};
pub(crate) use lex::{Kind as TokenKind, semicolons, tokens};
pub(crate) use parse::policies;

/// The bytes from `start` up to `end` of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// What stands there.
    pub(crate) fn of(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or_default()
    }
}

/// One policy.
#[derive(Debug)]
pub(crate) struct PolicyText {
    /// With its annotations and its semicolon.
    pub(crate) span: Span,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) permits: bool,
    /// From `permit` or `forbid` on, without the semicolon.
    pub(crate) body: Span,
    /// `permit` or `forbid`.
    pub(crate) effect: Span,
    /// What it says of the principal, the action and the resource.
    pub(crate) scope: Vec<Expr>,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug)]
pub(crate) struct Annotation {
    pub(crate) span: Span,
    pub(crate) name: Box<str>,
    /// With its quotes.
    pub(crate) value: Option<Span>,
}

/// `when` or `unless`, and what stands in its braces.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) unless: bool,
    pub(crate) body: Expr,
}

/// An expression, without parentheses around it.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Bool(bool),
    Long(i128),
    /// With its quotes.
    Text,
    /// `principal`, `action`, `resource` or `context`.
    Variable(Box<str>),
    /// Of the type that is named.
    Entity(Box<str>),
    Slot,
    Not(Box<Expr>),
    Negated(Box<Expr>),
    /// All of two or more.
    All(Vec<Expr>),
    /// Any of two or more.
    Any(Vec<Expr>),
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`; `+`, `-`, `*`.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Has(Box<Expr>),
    Like(Box<Expr>),
    Is(Box<Expr>, Option<Box<Expr>>),
    If(Box<[Expr; 3]>),
    /// An attribute, by its name.
    Get(Box<Expr>, Box<str>),
    #[cfg_attr(not(test), expect(dead_code, reason = "its name is for tests"))]
    Function(Box<str>, Vec<Expr>),
    Method(Box<Expr>, Box<str>, Vec<Expr>),
    Set(Vec<Expr>),
    Record(Vec<Expr>),
}

impl Expr {
    /// What it is made of.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Bool(_) | Kind::Long(_) | Kind::Text | Kind::Variable(_) | Kind::Entity(_) | Kind::Slot => Vec::new(),
            Kind::Not(one) | Kind::Negated(one) | Kind::Has(one) | Kind::Like(one) | Kind::Get(one, _) => vec![one],
            Kind::All(many) | Kind::Any(many) | Kind::Function(_, many) | Kind::Set(many) | Kind::Record(many) => {
                many.iter().collect()
            }
            Kind::Binary(_, left, right) => vec![left, right],
            Kind::Is(one, within) => std::iter::once(&**one).chain(within.as_deref()).collect(),
            Kind::If(three) => three.iter().collect(),
            Kind::Method(one, _, many) => std::iter::once(&**one).chain(many).collect(),
        }
    }

    /// Itself and all that it is made of, from left to right.
    pub(crate) fn all(&self) -> Vec<&Self> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(one) = found.get(next).copied() {
            found.extend(one.parts());
            next = next.saturating_add(1);
        }
        found.sort_by_key(|one| (one.span.start, usize::MAX.saturating_sub(one.span.end)));
        found
    }

    /// The names of a path such as `context.arguments.fee`.
    pub(crate) fn path(&self) -> Option<Vec<&str>> {
        let (mut names, mut at) = (Vec::new(), self);
        loop {
            match &at.kind {
                Kind::Get(of, name) => {
                    names.push(&**name);
                    at = of;
                }
                Kind::Variable(name) => {
                    names.push(name);
                    names.reverse();
                    return Some(names);
                }
                _ => return None,
            }
        }
    }

    /// The longest paths in it, from left to right.
    pub(crate) fn paths(&self) -> Vec<&Self> {
        let mut end = 0;
        let all = self.all().into_iter().filter(|one| one.path().is_some());
        all.filter(|one| {
            let outside = one.span.start >= end;
            end = end.max(one.span.end);
            outside
        })
        .collect()
    }

    /// Whether it depends on an argument of the action.
    pub(crate) fn first_argument(&self) -> Option<&Self> {
        self.paths().into_iter().find(|one| one.is_argument())
    }

    pub(crate) fn is_argument(&self) -> bool {
        self.path().is_some_and(|names| names.starts_with(&["context", "arguments"]))
    }

    /// What must hold for this to hold: itself, or the parts of an `&&`.
    pub(crate) fn conjuncts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::All(parts) => parts.iter().flat_map(Self::conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// What must not hold for this not to hold.
    pub(crate) fn disjuncts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Any(parts) => parts.iter().flat_map(Self::disjuncts).collect(),
            _ => vec![self],
        }
    }
}

impl PolicyText {
    /// Whether its scope has slots.
    pub(crate) fn is_template(&self) -> bool {
        self.scope.iter().flat_map(Expr::all).any(|expr| matches!(expr.kind, Kind::Slot))
    }

    /// The value of the annotation `name`, as it is written.
    pub(crate) fn annotation(&self, name: &str) -> Option<Span> {
        self.annotations.iter().find(|one| &*one.name == name)?.value
    }

    /// All expressions of its conditions, from left to right.
    pub(crate) fn conditions_all(&self) -> Vec<&Expr> {
        self.conditions.iter().flat_map(|condition| condition.body.all()).collect()
    }

    /// All of its expressions.
    pub(crate) fn all(&self) -> Vec<&Expr> {
        self.scope.iter().flat_map(Expr::all).chain(self.conditions_all()).collect()
    }
}
