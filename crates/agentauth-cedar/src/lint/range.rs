//! Between which bounds numbers are.

use std::collections::HashMap;

use crate::syntax::{Expr, Kind};

/// Every integer of Cedar.
const ALL: Range = Range { low: i64::MIN as i128, high: i64::MAX as i128 };

/// Arguments are integers that every JSON implementation reads alike.
const ARGUMENT: Range = Range { low: -((1 << 53) - 1), high: (1 << 53) - 1 };

/// More actors than any token is accepted with.
const DEPTH: Range = Range { low: 0, high: 1000 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    low: i128,
    high: i128,
}

impl Range {
    /// Whether Cedar can do with all of it.
    pub(super) fn fits(self) -> bool {
        self.low >= ALL.low && self.high <= ALL.high
    }

    /// How `sign` compares any number in here with any in `other`, if that is the same for all.
    pub(super) fn compares(self, sign: &str, other: Self) -> Option<bool> {
        let decided = |holds: bool, fails: bool| if holds { Some(true) } else { fails.then_some(false) };
        match sign {
            "<" => decided(self.high < other.low, self.low >= other.high),
            "<=" => decided(self.high <= other.low, self.low > other.high),
            ">" => other.compares("<", self),
            ">=" => other.compares("<=", self),
            _ => None,
        }
    }

    fn within(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    fn of(ends: &[i128]) -> Self {
        let low = ends.iter().min().copied().unwrap_or(ALL.low);
        Self { low, high: ends.iter().max().copied().unwrap_or(ALL.high) }
    }
}

/// What is known of the numbers at some place of a policy, because it is not reached otherwise.
#[derive(Debug, Clone)]
pub(super) struct Bounds<'s> {
    source: &'s str,
    known: HashMap<String, Range>,
}

impl<'s> Bounds<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, known: HashMap::new() }
    }

    fn key(&self, expr: &Expr) -> Option<String> {
        expr.path()?;
        Some(expr.span.of(self.source).split_whitespace().collect())
    }

    /// Before it is cut to what Cedar can do with.
    pub(super) fn range(&self, expr: &Expr) -> Range {
        let fitting = |expr: &Expr| self.range(expr).within(ALL);
        match &expr.kind {
            Kind::Long(number) => Range::of(&[*number]),
            Kind::Negated(one) => {
                let Range { low, high } = fitting(one);
                Range::of(&[low.saturating_neg(), high.saturating_neg()])
            }
            Kind::Binary(sign @ ("+" | "-" | "*"), left, right) => {
                let (left, right) = (fitting(left), fitting(right));
                let ends =
                    [(left.low, right.low), (left.low, right.high), (left.high, right.low), (left.high, right.high)];
                Range::of(&ends.map(|(one, other)| match *sign {
                    "+" => one.saturating_add(other),
                    "-" => one.saturating_sub(other),
                    _ => one.saturating_mul(other),
                }))
            }
            Kind::If(three) => {
                let [_, then, otherwise] = &**three;
                let (then, otherwise) = (fitting(then), fitting(otherwise));
                Range::of(&[then.low, then.high, otherwise.low, otherwise.high])
            }
            _ => {
                let own = match expr.path().as_deref() {
                    Some(["context", "arguments", ..]) => ARGUMENT,
                    Some(["context", "delegation", "depth"]) => DEPTH,
                    _ => ALL,
                };
                let known = self.key(expr).and_then(|key| self.known.get(&key));
                known.map_or(own, |known| own.within(*known))
            }
        }
    }

    /// From here on, `expr` is known to be `truth`.
    pub(super) fn learn(&mut self, expr: &Expr, truth: bool) {
        match (&expr.kind, truth) {
            (Kind::Not(one), _) => self.learn(one, !truth),
            (Kind::All(parts), true) | (Kind::Any(parts), false) => {
                for part in parts {
                    self.learn(part, truth);
                }
            }
            (Kind::Binary(sign, left, right), _) => {
                let opposite = |sign| match sign {
                    "<" => ">=",
                    "<=" => ">",
                    ">" => "<=",
                    ">=" => "<",
                    "!=" => "==",
                    _ => "",
                };
                let sign = if truth { *sign } else { opposite(sign) };
                let turned = match sign {
                    "<" => ">",
                    "<=" => ">=",
                    ">" => "<",
                    ">=" => "<=",
                    other => other,
                };
                self.narrow(left, sign, right);
                self.narrow(right, turned, left);
            }
            _ => {}
        }
    }

    fn narrow(&mut self, path: &Expr, sign: &str, other: &Expr) {
        let (Some(key), limit) = (self.key(path), self.range(other)) else { return };
        let own = self.range(path);
        let allowed = match sign {
            "<" => Range { low: ALL.low, high: limit.high.saturating_sub(1) },
            "<=" => Range { low: ALL.low, high: limit.high },
            ">" => Range { low: limit.low.saturating_add(1), high: ALL.high },
            ">=" => Range { low: limit.low, high: ALL.high },
            "==" => limit,
            _ => return,
        };
        self.known.insert(key, own.within(allowed));
    }
}
