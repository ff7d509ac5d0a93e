//! Names that nobody can have: a policy that names them never applies, and says nothing of it. One that forbids by such a name is
//! refused when it is loaded.

use super::Findings;
use crate::named::{Written, unquoted};
use crate::nobody::nobody;
use crate::syntax::Kind;

pub(super) fn find(policy: &Written<'_>, found: &mut Findings) {
    for expr in policy.text.all() {
        let Kind::Entity(kind) = &expr.kind else { continue };
        let written = policy.of(expr.span);
        let Some((_, literal)) = written.split_once('"') else { continue };
        let id = unquoted(&format!("\"{literal}"));
        if id.starts_with('?') {
            // A link fills it in.
            continue;
        }
        if let Some((why, help)) = nobody(kind, &id) {
            found.warn("lint_unknown_name", policy, expr.span, format!("{why}, so that `{written}` is nobody"), &help);
        }
    }
}
