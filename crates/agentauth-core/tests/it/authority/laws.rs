//! The laws of the order and of the meet, and the matcher, each against the model.

use agentauth_core::scope::DetailTypes;
use agentauth_core::{Authority, ScopeSet};
use proptest::prelude::*;

use super::model::{Plain, Plainly, REQUESTS, authorities};

fn real() -> impl Strategy<Value = Authority> {
    authorities().prop_map(|plainly| plainly.real())
}

/// Two that share something more often than chance has it.
fn kin() -> impl Strategy<Value = (Plainly, Plainly)> {
    (authorities(), authorities(), any::<bool>()).prop_map(|(one, mut other, are_kin)| {
        if are_kin {
            // The other has the grants of the one, and the last of them differs in one limit.
            let mut grants: Vec<Plain> = one.grants.clone();
            if let (Some(last), Some(model)) = (grants.last_mut(), other.grants.first()) {
                match model.arguments.len() {
                    0 => last.on = model.on.clone(),
                    1 => last.arguments.clone_from(&model.arguments),
                    _ => (last.until, last.closed) = (model.until, model.closed),
                }
            }
            other.grants = grants;
        }
        (one, other)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn within_is_a_partial_order((a, b) in kin(), c in real()) {
        let (a, b) = (a.real(), b.real());
        prop_assert!(a.is_within(&a));
        prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        // Chains that are there, and chains that chance has.
        let (low, lower) = (a.meet(&b), a.meet(&b).meet(&c));
        for (x, y, z) in [(&a, &b, &c), (&c, &a, &b), (&lower, &low, &a), (&lower, &low, &b), (&low, &a, &c)] {
            prop_assert!(!(x.is_within(y) && y.is_within(z)) || x.is_within(z));
        }
        prop_assert!(Authority::default().is_within(&a));
    }

    #[test]
    fn meet_is_the_greatest_lower_bound((a, b) in kin(), c in real()) {
        let (a, b) = (a.real(), b.real());
        let met = a.meet(&b);
        prop_assert!(met.is_within(&a) && met.is_within(&b));
        prop_assert_eq!(&met, &b.meet(&a));
        prop_assert_eq!(&a.meet(&a), &a);
        prop_assert_eq!(met.meet(&c), a.meet(&b.meet(&c)));
        for lower in [&c, &a, &b, &c.meet(&a), &c.meet(&b), &c.meet(&a).meet(&b)] {
            prop_assert_eq!(lower.is_within(&a) && lower.is_within(&b), lower.is_within(&met));
        }
        prop_assert_eq!(a.meet(&b) == a, a.is_within(&b));
    }

    #[test]
    fn whatever_a_child_allows_its_parent_allows((child, parent) in kin()) {
        let (c, p) = (child.real(), parent.real());
        let (met, within) = (c.meet(&p), c.is_within(&p));
        for request in &*REQUESTS {
            let (by_child, by_parent) = (child.allows(request), parent.allows(request));
            prop_assert_eq!(request.is_allowed_by(&c), by_child, "{:?}", request);
            prop_assert_eq!(request.is_allowed_by(&p), by_parent, "{:?}", request);
            prop_assert!(!(within && by_child) || by_parent, "{:?}", request);
            prop_assert_eq!(request.is_allowed_by(&met), by_child && by_parent, "{:?}", request);
        }
    }

    #[test]
    fn authority_never_grows_on_its_way(links in prop::collection::vec(authorities(), 1..5), at in any::<prop::sample::Index>()) {
        let mut effective = links[0].real();
        for link in &links[1..] {
            let next = effective.passed_on().meet(&link.real());
            prop_assert!(next.is_within(&effective));
            effective = next;
        }
        let request = at.get(&REQUESTS);
        let by_all = links.iter().all(|link| link.allows(request));
        prop_assert!(!request.is_allowed_by(&effective) || by_all);
    }

    #[test]
    fn order_and_repetition_of_grants_do_not_count(plainly in authorities(), turns in 0usize..4) {
        let mut shuffled = plainly.clone();
        shuffled.grants.extend(plainly.grants.clone());
        let turns = turns.min(shuffled.grants.len());
        shuffled.grants.rotate_left(turns);
        shuffled.grants.reverse();
        prop_assert_eq!(shuffled.real(), plainly.real());
        let authority = plainly.real();
        let again = Authority::new(authority.scopes().clone(), authority.grants().cloned()).unwrap();
        prop_assert_eq!(again, authority);
    }

    #[test]
    fn what_is_written_is_read_again(plainly in authorities()) {
        let authority = plainly.real();
        let limited = Authority::new(ScopeSet::none(), authority.grants().cloned()).unwrap();
        let (types, details) = (DetailTypes::new(), authority.to_details());
        prop_assert_eq!(types.read_strictly(&details), Ok(limited.clone()));
        prop_assert_eq!(types.parse(&details.to_string()), Ok(limited.clone()));
        prop_assert_eq!(types.read(&details), limited);
    }
}
