//! Constraints: each class by its values, and every pair of classes.

use std::ops::{Range, RangeInclusive};

use proptest::prelude::*;
use serde_json::{Value, json};

use agentauth_core::scope::Constraint;

use super::model::{limits, scalars};

/// Every kind of value that an argument can have.
fn values() -> Vec<Value> {
    let others = [
        json!(null),
        json!({}),
        json!({"a": 1}),
        json!([]),
        json!(["a"]),
        json!(["a", "b"]),
        json!(["b", "a", "b"]),
        json!(["a", 1]),
        json!(["a", "c"]),
        json!([["a"]]),
        json!([null]),
        json!([1, 2.0]),
        json!(-1),
        json!(5),
        json!(2.0),
        json!(-0.5),
        json!("x"),
        json!("xyz"),
        json!("\u{e9}\u{e9}"),
        json!("a/b/c/d"),
        json!("/a"),
        json!("a/b\\"),
    ];
    scalars().into_iter().chain(others).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn constraints_are_ordered_and_met_by_what_satisfies_them(one in limits(), other in limits(), third in limits()) {
        let values = values();
        for limit in [&one, &other, &third] {
            match limit.real() {
                Ok(real) => {
                    for value in &values {
                        prop_assert_eq!(real.contains(value), limit.takes(value), "{:?} {}", real, value);
                    }
                    prop_assert!(real.is_within(&real));
                    prop_assert_eq!(real.meet(&real), Some(real.clone()));
                }
                Err(_) => prop_assert!(!values.iter().any(|value| limit.takes(value)), "{:?}", limit),
            }
        }
        let (Ok(a), Ok(b), Ok(c)) = (one.real(), other.real(), third.real()) else { return Ok(()) };
        let met = a.meet(&b);
        prop_assert_eq!(&met, &b.meet(&a));
        prop_assert_eq!(a.is_within(&b), met.as_ref() == Some(&a));
        prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        prop_assert!(!(a.is_within(&b) && b.is_within(&c)) || a.is_within(&c));
        prop_assert_eq!(met.clone().and_then(|met| met.meet(&c)), b.meet(&c).and_then(|met| a.meet(&met)));
        prop_assert_eq!(c.is_within(&a) && c.is_within(&b), met.as_ref().is_some_and(|met| c.is_within(met)));
        for value in &values {
            let by_met = met.as_ref().is_some_and(|met| met.contains(value));
            prop_assert_eq!(by_met, one.takes(value) && other.takes(value), "{:?} and {:?}: {}", a, b, value);
            prop_assert!(!a.is_within(&b) || !one.takes(value) || other.takes(value));
        }
    }
}

fn code(constraint: Result<Constraint, agentauth_core::scope::GrantError>) -> &'static str {
    constraint.map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn what_can_be_no_constraint_is_refused_by_its_rule() {
    let long = "x".repeat(1025);
    for (constraint, expected) in [
        (Constraint::exactly("x"), "accepted"),
        (Constraint::exactly(long.as_str()), "grant_name_malformed"),
        (Constraint::exactly(json!(null)), "grant_unsatisfiable"),
        (Constraint::exactly(json!(["a"])), "grant_unsatisfiable"),
        (Constraint::one_of::<&str>([]), "grant_unsatisfiable"),
        (Constraint::subset_of::<&str>([]), "grant_unsatisfiable"),
        (Constraint::one_of((0..64).collect::<Vec<_>>()), "accepted"),
        (Constraint::one_of((0..65).collect::<Vec<_>>()), "grant_too_large"),
        (Constraint::exactly(1_u64 << 53), "grant_number_range"),
        (Constraint::exactly(1e300), "grant_number_range"),
        (Constraint::integers(0..=(1 << 53) - 1), "accepted"),
        (Constraint::integers(0..=1 << 53), "grant_number_range"),
        (Constraint::integers(i64::MIN..=0), "grant_number_range"),
        (Constraint::integers(RangeInclusive::new(1, 0)), "grant_unsatisfiable"),
        (Constraint::decimals(0.0..=f64::INFINITY), "grant_number_range"),
        (Constraint::decimals(f64::NAN..=1.0), "grant_number_range"),
        (Constraint::decimals(0.2..=0.1), "grant_unsatisfiable"),
        (Constraint::length(Range { start: 3, end: 3 }), "grant_unsatisfiable"),
        (Constraint::length(..0), "grant_unsatisfiable"),
        (Constraint::length(RangeInclusive::new(5, 4)), "grant_unsatisfiable"),
        (Constraint::length(70_000..), "grant_unsatisfiable"),
        (Constraint::below_of_length("docs", ..3), "grant_unsatisfiable"),
        (Constraint::below_of_length("docs", 5..=5), "grant_unsatisfiable"),
        (Constraint::below("/docs/a"), "accepted"),
        (Constraint::below(""), "grant_path_malformed"),
        (Constraint::below("/"), "grant_path_malformed"),
        (Constraint::below("docs/"), "grant_path_malformed"),
        (Constraint::below("docs//a"), "grant_path_malformed"),
        (Constraint::below("docs/../a"), "grant_path_malformed"),
        (Constraint::below("./docs"), "grant_path_malformed"),
        (Constraint::below("docs%2f"), "grant_path_malformed"),
        (Constraint::below("docs\\a"), "grant_path_malformed"),
        (Constraint::below("docs\0"), "grant_path_malformed"),
        (Constraint::below(&long), "grant_path_malformed"),
    ] {
        let shown = format!("{constraint:?}");
        assert_eq!(code(constraint), expected, "{shown:.80}");
    }
}

/// Cents are exact, whoever wrote them.
#[test]
fn numbers_are_compared_as_they_are_written() {
    let price = Constraint::decimals(0.1..=0.3).unwrap();
    for (value, expected) in [
        ("0.1", true),
        ("0.10", true),
        ("1e-1", true),
        ("0.3", true),
        ("0.30000000000000004", false),
        ("0.09999999999999999", false),
        ("\"0.2\"", false),
        ("9007199254740993", false),
        ("1e400", false),
    ] {
        let Ok(value) = serde_json::from_str::<Value>(value) else {
            assert!(!expected, "{value}");
            continue;
        };
        assert_eq!(price.contains(&value), expected, "{value}");
    }
    let integers = Constraint::integers(-5..=5).unwrap();
    assert!(integers.contains(&json!(5.0)) && integers.contains(&json!(-0.0)) && !integers.contains(&json!(4.5)));
    assert!(integers.is_within(&Constraint::decimals(-5.0..=5.0).unwrap()));
    assert!(!Constraint::decimals(-5.0..=5.0).unwrap().is_within(&integers));
    let half = Constraint::decimals(0.5..=2.5).unwrap();
    assert_eq!(half.meet(&integers), Some(Constraint::integers(1..=2).unwrap()));
    assert_eq!(Constraint::integers(3..=3), Constraint::exactly(3));
}
