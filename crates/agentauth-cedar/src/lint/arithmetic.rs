//! Arithmetic that overflows for some arguments: the policy then errs, and the action is denied.

use super::Findings;
use super::range::Bounds;
use crate::named::Written;
use crate::syntax::{Expr, Kind};

pub(super) fn find(policy: &Written<'_>, found: &mut Findings) {
    let mut bounds = Bounds::new(&policy.source.text);
    for condition in &policy.text.conditions {
        check(policy, &condition.body, &bounds, found);
        bounds.learn(&condition.body, !condition.unless);
    }
}

/// Looks at `expr` in the order in which it is evaluated.
fn check(policy: &Written<'_>, expr: &Expr, bounds: &Bounds<'_>, found: &mut Findings) {
    match &expr.kind {
        Kind::All(parts) | Kind::Any(parts) => {
            let mut bounds = bounds.clone();
            for part in parts {
                check(policy, part, &bounds, found);
                bounds.learn(part, matches!(expr.kind, Kind::All(_)));
            }
        }
        Kind::If(three) => {
            let [condition, then, otherwise] = &**three;
            check(policy, condition, bounds, found);
            for (branch, truth) in [(then, true), (otherwise, false)] {
                let mut bounds = bounds.clone();
                bounds.learn(condition, truth);
                check(policy, branch, &bounds, found);
            }
        }
        Kind::Binary("+" | "-" | "*", ..) | Kind::Negated(_) if !bounds.range(expr).fits() => {
            let written = policy.of(expr.span);
            let first = expr.first_argument().or_else(|| expr.paths().first().copied());
            let number = first.map_or("the number", |path| policy.of(path.span));
            let what = if first.is_some_and(Expr::is_argument) { "for some arguments" } else { "for some values" };
            found.warn(
                "lint_overflow",
                policy,
                expr.span,
                format!("`{written}` overflows {what}; the policy then errs, and the action is denied whatever others permit"),
                &format!("bound it before: `{number} >= 0 && {number} <= 1000 && ...`, or compare without arithmetic"),
            );
        }
        Kind::Method(_, name, _)
            if matches!(&**name, "offset" | "durationSince") && expr.first_argument().is_some() =>
        {
            found.warn(
                "lint_overflow",
                policy,
                expr.span,
                format!("`.{name}()` overflows for some arguments; the policy then errs, and the action is denied"),
                "compare the argument with a fixed date or duration before",
            );
        }
        _ => expr.parts().into_iter().for_each(|part| check(policy, part, bounds, found)),
    }
}
