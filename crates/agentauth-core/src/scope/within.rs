//! Authority, as far as a set of scopes goes that is of another making.

use super::{Authority, Grant, Scope, ScopeImplications, ScopeSet};

impl Authority {
    /// What of this is also held by whoever holds `scopes`, where either side may name by a broader scope what the other
    /// names by a narrower one. Grants keep their limits; details of a type of one's own have no scope, and are left out.
    ///
    /// The result is within both. An action that both only include, each by another scope, is left out too.
    #[must_use]
    pub fn within(&self, scopes: &ScopeSet, implications: &ScopeImplications) -> Self {
        let actions = self.grants().map(Grant::action).map(Scope::as_str);
        let named_here = implications.held_of(scopes, self.scopes().iter().chain(actions));
        let named_there = implications.held_of(self.scopes(), scopes.iter());
        self.meet(&Self::of_scopes(named_here)).and(&Self::of_scopes(named_there))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];

    fn table(lines: &[(usize, usize)]) -> ScopeImplications {
        let line =
            |table: ScopeImplications, (broad, narrow): &(usize, usize)| table.includes(NAMES[*broad], NAMES[*narrow]);
        lines.iter().try_fold(ScopeImplications::new(), line).unwrap()
    }

    fn set(names: &[usize]) -> ScopeSet {
        names.iter().map(|name| NAMES[*name]).collect::<Vec<_>>().join(" ").parse().unwrap()
    }

    fn names() -> impl Strategy<Value = Vec<usize>> {
        proptest::collection::vec(0usize..6, 0..4)
    }

    proptest! {
        #[test]
        fn what_is_within_is_held_by_both(
            lines in proptest::collection::vec((0usize..6, 0usize..6), 0..10),
            own in names(), limited in names(), scopes in names(), needed in 0usize..6,
        ) {
            let table = table(&lines);
            let grants = limited.iter().map(|name| Grant::new(NAMES[*name]).unwrap().on("case", "7").unwrap());
            let authority = Authority::new(set(&own), grants).unwrap();
            let scopes = set(&scopes);
            let within = authority.within(&scopes, &table);
            let needed: Scope = NAMES[needed].parse().unwrap();

            if table.satisfies(within.scopes(), &needed) {
                prop_assert!(table.satisfies(authority.scopes(), &needed) && table.satisfies(&scopes, &needed));
            }
            for grant in within.grants() {
                prop_assert!(authority.grants().any(|own| grant.is_within(own)));
                prop_assert!(table.satisfies(&scopes, grant.action()));
            }
            prop_assert!(authority.meet(&Authority::of_scopes(scopes.clone())).is_within(&within));
            let without_table = Authority::of_scopes(set(&own)).within(&scopes, &ScopeImplications::new());
            prop_assert_eq!(without_table.scopes(), &set(&own).meet(&scopes));
        }
    }

    #[test]
    fn each_side_may_name_the_broader_scope() {
        let table = ScopeImplications::new().includes("files", "files:read").unwrap();
        for (own, scopes, expected) in [
            ("files", "files:read", "files:read"),
            ("files:read", "files", "files:read"),
            ("files", "files", "files"),
            ("files:read", "files:write", ""),
            ("files files:read", "files:read", "files:read"),
        ] {
            let authority = Authority::of_scopes(own.parse().unwrap());
            let within = authority.within(&scopes.parse().unwrap(), &table);
            assert_eq!(within.scopes().to_string(), expected, "{own} within {scopes}");
        }
    }
}
