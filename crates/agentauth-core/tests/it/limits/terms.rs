//! How limits are stated.

use std::time::Duration;

use agentauth_core::policy::{
    BudgetTerms, ConcurrencyTerms, MAX_CONCURRENCY, MAX_HOLD, MAX_LIMIT_PERIOD, Obligation, ObligationError, RateTerms,
};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_limit_is_read_as_policy_files_state_it() {
    let rate = |times, period| RateTerms::at_most(times, period).unwrap();
    let places = |places| ConcurrencyTerms::at_most(places).unwrap();
    let budget = |amount| BudgetTerms::at_most(amount, "amount", DAY).unwrap();
    for (name, terms, expected) in [
        ("rate", "10/1m", Obligation::Rate(rate(10, MINUTE))),
        ("rate", "1/1s", Obligation::Rate(rate(1, Duration::from_secs(1)))),
        (
            "rate",
            "filings: 9007199254740991/31d",
            Obligation::Rate(rate((1 << 53) - 1, 31 * DAY).counted_as("filings").unwrap()),
        ),
        ("rate", "10/1m per principal", Obligation::Rate(rate(10, MINUTE).per_principal())),
        ("concurrency", "2", Obligation::Concurrency(places(2))),
        ("concurrency", "2 for 30m", Obligation::Concurrency(places(2).held_for(30 * MINUTE).unwrap())),
        (
            "concurrency",
            "exports: 1000 per principal",
            Obligation::Concurrency(places(1000).counted_as("exports").unwrap().per_principal()),
        ),
        ("budget", "amount 5000/1d", Obligation::Budget(budget(5000))),
        (
            "budget",
            "spend: amount 1/1d per principal",
            Obligation::Budget(budget(1).counted_as("spend").unwrap().per_principal()),
        ),
    ] {
        assert_eq!(Obligation::read(name, terms), Ok(expected.clone()), "{name} {terms}");
        let shown = serde_json::to_value(&expected).unwrap();
        assert_eq!(shown, serde_json::json!({ name: terms }), "it is recorded as it is stated");
    }
}

#[test]
fn terms_that_cannot_be_read_are_shown_what_could_stand_there() {
    let cases: [(&str, &[&str], &str); 3] = [
        (
            "rate",
            &[
                "",
                "10",
                "0/1m",
                "01/1m",
                "+1/1m",
                "-1/1m",
                "1.5/1m",
                "10/0s",
                "10/32d",
                "10/m",
                "10 / 1m",
                "10/1m ",
                " 10/1m",
                "x:10/1m",
                ": 10/1m",
                "a b: 10/1m",
                "a:b: 10/1m",
                "10/1m per agent",
                "9007199254740992/1m",
                "99999999999999999999/1m",
                "10/1m\n",
            ],
            "10/1m",
        ),
        ("concurrency", &["", "0", "1001", "2/1m", "2 for", "2 for 0s", "2 for 25h", "4294967297", "two"], "2 for 30m"),
        (
            "budget",
            &[
                "",
                "5000/1d",
                "amount 5000",
                "amount  5000/1d",
                "amount 0/1d",
                "amount 5000/1y",
                "a\tb 1/1d",
                "amount fee 1/1d",
                " 1/1d",
            ],
            "amount 5000/1d",
        ),
    ];
    for (name, all, example) in cases {
        for terms in all {
            let Err(error @ ObligationError::Terms { .. }) = Obligation::read(name, terms) else {
                panic!("{name} {terms:?}")
            };
            assert!(error.to_string().contains(example), "{error}");
        }
        let long = format!("{}: {example}", "x".repeat(129));
        assert!(Obligation::read(name, &long).is_err());
        assert!(Obligation::read(name, &long[1..]).is_ok());
    }
    assert!(RateTerms::at_most(1, Duration::from_millis(1500)).is_err());
    assert!(RateTerms::at_most(1, MAX_LIMIT_PERIOD + Duration::from_secs(1)).is_err());
    assert!(ConcurrencyTerms::at_most(MAX_CONCURRENCY + 1).is_err());
    assert!(ConcurrencyTerms::at_most(1).unwrap().held_for(MAX_HOLD + Duration::from_secs(1)).is_err());
    assert!(BudgetTerms::at_most(1, "an amount", DAY).is_err());
    assert!(BudgetTerms::at_most(1, "amount", DAY).unwrap().counted_as("").is_err());
}

proptest! {
    /// What the record says of a limit is what a policy file would.
    #[test]
    fn terms_are_read_as_they_are_shown(
        number in 1u64..1000, seconds in 1u64..86_400, name in proptest::option::of("[a-z]{1,8}"), per_principal: bool, kind in 0..3
    ) {
        let period = Duration::from_secs(seconds);
        macro_rules! named {
            ($terms:expr, $kind:path) => {{
                let terms = $terms.unwrap();
                let terms = name.iter().fold(terms, |terms, name| terms.counted_as(name).unwrap());
                $kind(if per_principal { terms.per_principal() } else { terms })
            }};
        }
        let (called, limit) = match kind {
            0 => ("rate", named!(RateTerms::at_most(number, period), Obligation::Rate)),
            1 => {
                let places = ConcurrencyTerms::at_most(u32::try_from(number).unwrap());
                ("concurrency", named!(places.and_then(|places| places.held_for(period)), Obligation::Concurrency))
            }
            _ => ("budget", named!(BudgetTerms::at_most(number, "amount", period), Obligation::Budget)),
        };
        let shown = serde_json::to_value(&limit).unwrap();
        prop_assert_eq!(Obligation::read(called, shown[called].as_str().unwrap()), Ok(limit));
    }
}
