//! Policies as they are written, by the names that they have.

use std::str::FromStr as _;

use cedar_policy::EntityUid;

use crate::load::{name_of, template_name_of};
use crate::sources::{Source, Sources};
use crate::syntax::{self, Expr, Kind, PolicyText, Span};

/// What an entity is written with that a link fills in.
const OPEN: &str = "\"?";

/// One policy, and where it stands.
#[derive(Debug)]
pub(crate) struct Written<'s> {
    pub(crate) id: Box<str>,
    pub(crate) source: &'s Source,
    pub(crate) text: PolicyText,
    pub(crate) shadow: bool,
}

/// One thing that must hold, or with `unless` must not, for a policy to apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'p> {
    pub(crate) unless: bool,
    pub(crate) expr: &'p Expr,
}

/// All policies of `sources`, in their order.
pub(crate) fn written(sources: &Sources) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    for source in &sources.policies {
        let (mut policies, mut templates) = (0_usize, 0_usize);
        for text in syntax::policies(&source.text) {
            let value = |name| text.annotation(name).map(|span| unquoted(span.of(&source.text)));
            let own = if text.is_template() {
                templates = templates.saturating_add(1);
                template_name_of(&source.name, templates.saturating_sub(1)).into()
            } else {
                policies = policies.saturating_add(1);
                name_of(&source.name, policies.saturating_sub(1))
            };
            let id = value("id").unwrap_or(own);
            let shadow = value("mode").as_deref() == Some("shadow");
            all.push(Written { id, source, text, shadow });
        }
    }
    all
}

/// What a string says.
pub(crate) fn unquoted(literal: &str) -> Box<str> {
    // Cedar reads the escapes.
    let read = EntityUid::from_str(&format!("Text::{literal}"));
    read.map_or_else(|_| literal.trim_matches('"').into(), |read| read.id().unescaped().into())
}

impl Written<'_> {
    pub(crate) fn of(&self, span: Span) -> &str {
        span.of(&self.source.text)
    }

    /// From `permit` or `forbid` to the end of its scope, without the bracket.
    pub(crate) fn head(&self) -> Span {
        let PolicyText { effect, scope, .. } = &self.text;
        Span { start: effect.start, end: scope.last().map_or(effect.end, |part| part.span.end) }
    }

    /// Whether links fill something in: it decides nothing itself.
    pub(crate) fn is_open(&self) -> bool {
        self.text.is_template()
            || self
                .text
                .all()
                .iter()
                .any(|expr| matches!(expr.kind, Kind::Entity(_)) && self.of(expr.span).contains(OPEN))
    }

    /// Its conditions in their order, taken apart: each of them is needed.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let parts = self.text.conditions.iter().flat_map(|condition| {
            let unless = condition.unless;
            let exprs = if unless { condition.body.disjuncts() } else { condition.body.conjuncts() };
            exprs.into_iter().map(move |expr| Part { unless, expr })
        });
        parts.collect()
    }
}
