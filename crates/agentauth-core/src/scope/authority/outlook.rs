//! What of an action is delegated, while its arguments are not known.

use super::reach::Reach;
use super::{Authority, Grant};
use crate::identity::ResourceId;
use crate::scope::{Scope, ScopeImplications};
use crate::time::Timestamp;

/// Whether an action is delegated, whatever its arguments will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outlook {
    Never,
    Possibly,
    Always,
}

/// What is known of an action before it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreseen<'a> {
    pub(crate) action: &'a Scope,
    pub(crate) audience: &'a ResourceId,
    pub(crate) now: Timestamp,
    /// `None` if it is not known; then what it is done to, if anything.
    pub(crate) resource: Option<Option<(&'a str, &'a str)>>,
}

impl Authority {
    /// Whether `action` may be within what this allows.
    pub(crate) fn outlook(&self, foreseen: Foreseen<'_>, implications: &ScopeImplications) -> Outlook {
        if implications.satisfies(&self.scopes, foreseen.action) {
            return Outlook::Always;
        }
        // What a type of one's own allows, only that type knows, and it wants to see the arguments.
        let own = if self.limited().details.is_empty() { Outlook::Never } else { Outlook::Possibly };
        let grants = self.grants().filter(|grant| implications.reaches(&grant.action, foreseen.action));
        grants.map(|grant| grant.outlook(foreseen)).fold(own, Ord::max)
    }
}

impl Grant {
    fn outlook(&self, foreseen: Foreseen<'_>) -> Outlook {
        let elsewhere = self.audiences.as_ref().is_some_and(|audiences| !audiences.contains(foreseen.audience));
        let now = foreseen.now.secs();
        let not_now = now < self.not_before.secs() || self.expires.is_some_and(|expires| now >= expires.secs());
        let reached = match foreseen.resource {
            None => {
                if self.reach == Reach::Anything {
                    Outlook::Always
                } else {
                    Outlook::Possibly
                }
            }
            Some(resource) if self.reach.contains(resource) => Outlook::Always,
            Some(_) => Outlook::Never,
        };
        if elsewhere || not_now {
            return Outlook::Never;
        }
        let depends = !self.arguments.is_empty() || self.closed || self.uses.is_some();
        if depends { reached.min(Outlook::Possibly) } else { reached }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scope::{Constraint, ScopeSet, Wanted};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn never_and_always_hold_for_all_arguments(
            scopes in prop_oneof![3 => Just(""), 1 => Just("a"), 1 => Just("b")],
            grants in proptest::collection::vec((0u8..2, 0u8..4, 0u8..4, any::<bool>(), 0u8..3), 0..4),
            known in 0u8..4, fee in 0i64..4, more in any::<bool>(), on in 0u8..3,
        ) {
            let audience = ResourceId::new("https://court.example").unwrap();
            let grants = grants.into_iter().map(|(action, reach, fee, closed, time)| {
                let grant = Grant::new(["a", "b"][usize::from(action)]).unwrap();
                let grant = match reach {
                    0 => grant,
                    1 => grant.on("case", "1").unwrap(),
                    2 => grant.on_kind("case").unwrap(),
                    _ => grant.below("room", "2").unwrap(),
                };
                let grant = match fee {
                    0 | 1 => grant,
                    most => grant.argument("fee", Constraint::integers(0..=i64::from(most)).unwrap()).unwrap(),
                };
                let grant = if closed { grant.no_other_arguments() } else { grant };
                match time {
                    0 => grant,
                    1 => grant.valid_until(Timestamp::from_secs(5)),
                    _ => grant.audiences([ResourceId::new("https://other.example").unwrap()]).unwrap(),
                }
            });
            let authority = Authority::new(scopes.parse().unwrap_or_else(|_| ScopeSet::none()), grants).unwrap();
            let (action, now) = ("a".parse().unwrap(), Timestamp::from_secs(7));
            let things = [None, Some(("case", "1")), Some(("room", "2/3"))];
            let (known, actual) = match known {
                0 => (None, things[usize::from(on)]),
                known => (Some(things[usize::from(known) - 1]), things[usize::from(known) - 1]),
            };
            let table = ScopeImplications::new();
            let outlook = authority.outlook(Foreseen { action: &action, audience: &audience, now, resource: known }, &table);
            let arguments = if more { json!({"fee": fee, "x": 1}) } else { json!({"fee": fee}) };
            let wanted = Wanted::new(&action, &audience, now).with(&arguments);
            let wanted = actual.into_iter().fold(wanted, |wanted, (kind, id)| wanted.on(kind, id));
            match outlook {
                Outlook::Never => prop_assert!(!authority.allows(&wanted, &table)),
                Outlook::Always => prop_assert!(authority.allows(&wanted, &table)),
                Outlook::Possibly => {}
            }
        }
    }
}
