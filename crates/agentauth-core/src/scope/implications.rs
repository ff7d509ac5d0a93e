//! Broader scopes that include narrower ones (MCP authorization asks servers to account for them).

use std::collections::{BTreeMap, BTreeSet};

use super::{Scope, ScopeError, ScopeSet};

/// Says which scopes include which others: holding `files` may include `files:read`.
///
/// OAuth gives scope names no structure, so nothing is implied that is not listed here. Implication is transitive
/// and worked out when a line is added; checking is a look-up.
///
/// ```
/// use agentauth_core::ScopeImplications;
///
/// let table = ScopeImplications::new().includes("files", "files:write")?.includes("files:write", "files:read")?;
/// assert!(table.satisfies(&"files".parse()?, &"files:read".parse()?));
/// assert!(!table.satisfies(&"files:read".parse()?, &"files".parse()?));
/// # Ok::<(), agentauth_core::ScopeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScopeImplications {
    /// For each scope, every scope that includes it.
    broader: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
}

impl ScopeImplications {
    /// Nothing includes anything but itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever holds `broad` also holds `narrow`.
    ///
    /// # Errors
    /// [`ScopeError`] if either is no scope.
    pub fn includes(mut self, broad: &str, narrow: &str) -> Result<Self, ScopeError> {
        let broad: Scope = broad.parse()?;
        let narrow: Scope = narrow.parse()?;
        let mut holders = self.holders(broad.as_str());
        holders.insert(broad.as_str().into());

        // Everything that `narrow` includes already is now included by all holders of `broad` as well.
        let mut affected: Vec<Box<str>> = vec![narrow.as_str().into()];
        affected
            .extend(self.broader.iter().filter(|(_, by)| by.contains(narrow.as_str())).map(|(scope, _)| scope.clone()));
        for scope in affected {
            self.broader.entry(scope).or_default().extend(holders.iter().cloned());
        }
        Ok(self)
    }

    /// Whether whoever holds `held` may do what `needed` asks.
    #[must_use]
    pub fn satisfies(&self, held: &ScopeSet, needed: &Scope) -> bool {
        self.holds(held, needed.as_str())
    }

    /// Whether whoever holds `held` may do all that `needed` asks.
    #[must_use]
    pub fn covers(&self, held: &ScopeSet, needed: &ScopeSet) -> bool {
        needed.iter().all(|scope| self.holds(held, scope))
    }

    /// Those of `scopes` that whoever holds `held` holds too.
    pub(super) fn held_of<'s>(&self, held: &ScopeSet, scopes: impl IntoIterator<Item = &'s str>) -> ScopeSet {
        // Too many to be a set at all are none.
        ScopeSet::collect(scopes.into_iter().filter(|scope| self.holds(held, scope))).unwrap_or_default()
    }

    /// Whether whoever holds the one scope `held` may do what `needed` asks.
    pub(super) fn reaches(&self, held: &Scope, needed: &Scope) -> bool {
        held == needed || self.broader.get(needed.as_str()).is_some_and(|holders| holders.contains(held.as_str()))
    }

    /// Those of `asked` that whoever holds `held` holds.
    pub(crate) fn covered(&self, held: &ScopeSet, asked: &ScopeSet) -> ScopeSet {
        asked.only(|scope| self.holds(held, scope))
    }

    fn holds(&self, held: &ScopeSet, needed: &str) -> bool {
        held.has(needed)
            || self.broader.get(needed).is_some_and(|holders| held.iter().any(|scope| holders.contains(scope)))
    }

    fn holders(&self, scope: &str) -> BTreeSet<Box<str>> {
        self.broader.get(scope).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plainest possible reading of the lines: walk them until nothing new is held.
    fn oracle(lines: &[(u8, u8)], held: u8, needed: u8) -> bool {
        let mut reached = BTreeSet::from([held]);
        loop {
            let more: BTreeSet<u8> =
                lines.iter().filter(|(broad, _)| reached.contains(broad)).map(|(_, narrow)| *narrow).collect();
            if more.is_subset(&reached) {
                return reached.contains(&needed);
            }
            reached.extend(more);
        }
    }

    proptest! {
        #[test]
        fn the_table_is_the_transitive_closure_in_any_order(
            lines in proptest::collection::vec((0u8..6, 0u8..6), 0..10), held in 0u8..6, needed in 0u8..6,
        ) {
            let name = |n: u8| format!("s{n}");
            let table = lines.iter().try_fold(ScopeImplications::new(), |table, (broad, narrow)| {
                table.includes(&name(*broad), &name(*narrow))
            }).unwrap();
            let answer = table.satisfies(&name(held).parse().unwrap(), &name(needed).parse().unwrap());
            prop_assert_eq!(answer, oracle(&lines, held, needed));
        }
    }
}
