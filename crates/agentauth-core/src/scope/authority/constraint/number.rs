//! Numbers as RFC 8785 has them, in their exact order.

use serde_json::Value;

/// The integers that every JSON implementation reads alike (RFC 7493 §2.2).
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// A number between -(2^53 - 1) and 2^53 - 1.
///
/// The canonical spelling of a JSON number is the shortest one of a double (RFC 8785 §3.2.2.3). Between doubles lie no
/// other canonical spellings, so the order of doubles is the order of the decimals that are written: nothing is
/// calculated here, and nothing rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(f64);

impl Number {
    pub(super) const LEAST: Self = Self(-(MAX_SAFE_INTEGER as f64));
    pub(super) const MOST: Self = Self(MAX_SAFE_INTEGER as f64);

    pub(super) fn of_integer(integer: i64) -> Option<Self> {
        (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&integer).then_some(Self(integer as f64))
    }

    pub(super) fn of_double(double: f64) -> Option<Self> {
        // Minus zero is written `0`.
        (Self::LEAST.0..=Self::MOST.0).contains(&double).then_some(Self(if double == 0.0 { 0.0 } else { double }))
    }

    /// The number that `value` is. Text is never one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let Value::Number(number) = value else { return None };
        match number.as_i64() {
            Some(integer) => Self::of_integer(integer),
            None => number.as_f64().and_then(Self::of_double),
        }
    }

    /// Whether its canonical spelling is an integer: that of `5.0` is `5`.
    pub(super) fn is_integer(self) -> bool {
        self.0.fract() == 0.0
    }

    /// The least integer that is not below it.
    pub(super) fn ceil(self) -> Self {
        Self(self.0.ceil() + 0.0)
    }

    /// The greatest integer that is not above it.
    pub(super) fn floor(self) -> Self {
        Self(self.0.floor() + 0.0)
    }

    pub(super) fn to_json(self) -> Value {
        if self.is_integer() { Value::from(self.0 as i64) } else { Value::from(self.0) }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Compares two canonical spellings as decimals, digit by digit.
    fn by_spelling(a: &str, b: &str) -> Ordering {
        /// Sign, and the digits with 40 places before the point and 400 behind it.
        fn fixed(text: &str) -> (bool, String) {
            let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
            let (digits, exponent) = text.split_once('e').map_or((text, 0), |(d, e)| (d, e.parse::<i32>().unwrap()));
            let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
            let point = usize::try_from(i32::try_from(whole.len()).unwrap() + exponent + 400).unwrap();
            let mut all = "0".repeat(400) + whole + part;
            all.push_str(&"0".repeat(1000));
            (negative, all.get(point - 40..point + 400).unwrap().to_owned())
        }
        match (fixed(a), fixed(b)) {
            ((false, a), (false, b)) => a.cmp(&b),
            ((true, a), (true, b)) => b.cmp(&a),
            ((true, _), (false, _)) => Ordering::Less,
            ((false, _), (true, _)) => Ordering::Greater,
        }
    }

    fn spelled(number: Number) -> String {
        ryu_js::Buffer::new().format_finite(number.0).to_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_order_is_that_of_the_decimals_as_they_are_written(
            a in prop_oneof![-1e3..1e3, -9e15..9e15, Just(0.1), Just(0.3)], steps in -3i64..4, b in -1e3..1e3,
        ) {
            let near = f64::from_bits(f64::to_bits(a).saturating_add_signed(steps));
            for b in [near, b] {
                let (Some(a), Some(b)) = (Number::of_double(a), Number::of_double(b)) else { continue };
                prop_assert_eq!(a.cmp(&b), by_spelling(&spelled(a), &spelled(b)), "{:?} {:?}", a, b);
                prop_assert_eq!(Number::of(&a.to_json()), Some(a));
                prop_assert_eq!(a.is_integer(), !spelled(a).contains(['.', 'e']));
            }
        }
    }

    #[test]
    fn a_number_is_one_that_all_read_alike() {
        for (value, expected) in [
            (json!(9_007_199_254_740_991_u64), true),
            (json!(9_007_199_254_740_992_u64), false),
            (json!(9_007_199_254_740_992.0), false),
            (json!(-9_007_199_254_740_992_i64), false),
            (json!(u64::MAX), false),
            (json!(1e300), false),
            (json!("5"), false),
            (json!(true), false),
            (json!(null), false),
            (json!(0.1), true),
        ] {
            assert_eq!(Number::of(&value).is_some(), expected, "{value}");
        }
        assert_eq!(Number::of(&json!(-0.0)), Number::of(&json!(0)));
        assert_eq!(Number::of(&json!(5.0)), Number::of(&json!(5)));
        assert_eq!(Number::of_double(f64::NAN), None);
        assert_eq!(Number::of_double(-0.4).map(|number| number.ceil().to_json()), Some(json!(0)));
    }
}
