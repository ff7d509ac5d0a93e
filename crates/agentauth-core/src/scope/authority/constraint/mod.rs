//! What one argument may be: classes whose order and meet can be decided, each in one canonical form.

mod encoding;
mod number;
mod scalar;

use std::fmt;
use std::ops::{RangeBounds, RangeInclusive};

use serde_json::Value;

use self::number::Number;
use self::scalar::{Scalar, Values};
use super::error::GrantError;
use super::path::Prefix;

/// Longer than any argument ([`MAX_ARGUMENT_BYTES`](crate::policy::MAX_ARGUMENT_BYTES)): to be allowed more is to be
/// allowed all.
const MAX_CHARS: usize = 64 * 1024;

/// What one argument of an action may be.
///
/// An argument that is not given satisfies no constraint, and neither does one of another type: nothing is converted.
///
/// Each class can be compared and met, so that what is passed on can be shown to be no more than what was held. That is
/// why there are no patterns: whether one regular expression is within another is not a question to answer on a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Constraint(Kind);

/// Two constraints with the same meaning have the same form, where one class can say what another can: a range with one
/// member is a set of values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    OneOf(Values),
    /// Between two integers that differ.
    Integer(Number, Number),
    /// Between two numbers that differ.
    Decimal(Number, Number),
    Text(Text),
    SubsetOf(Values),
}

/// A text of so many characters, at or below a prefix if there is one. More than one text satisfies it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Text {
    below: Option<Prefix>,
    least: usize,
    most: usize,
}

impl Constraint {
    /// Exactly this text, number or truth value. A number is equal to one with the same canonical spelling: `5` to `5.0`,
    /// and not to `"5"`.
    ///
    /// # Errors
    /// [`GrantError`] if it is an object, an array or null; a number beyond 2^53 - 1; or longer than 1024 bytes.
    pub fn exactly(value: impl Into<Value>) -> Result<Self, GrantError> {
        Self::one_of([value.into()])
    }

    /// One of these texts, numbers and truth values.
    ///
    /// # Errors
    /// As [`Constraint::exactly`]; and if there are none, or more than 64.
    pub fn one_of<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Result<Self, GrantError> {
        read_all(values).map(Kind::OneOf).map(Self)
    }

    /// An array that is not empty, all of whose members are among these. (An empty one means "all" to some tools.)
    ///
    /// # Errors
    /// As [`Constraint::one_of`].
    pub fn subset_of<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Result<Self, GrantError> {
        read_all(values).map(Kind::SubsetOf).map(Self)
    }

    /// An integer in this range: a number whose canonical spelling is one, as that of `5.0` is.
    ///
    /// # Errors
    /// [`GrantError`] if a bound is beyond 2^53 - 1, or the range is empty.
    pub fn integers(range: RangeInclusive<i64>) -> Result<Self, GrantError> {
        let bound = |integer: &i64| Number::of_integer(*integer).ok_or(GrantError::NumberRange);
        Self::range(bound(range.start())?, bound(range.end())?, Kind::Integer)
    }

    /// A number in this range, compared as the decimals that are written (RFC 8785 §3.2.2.3).
    ///
    /// # Errors
    /// [`GrantError`] if a bound is not finite or beyond 2^53 - 1, or the range is empty.
    pub fn decimals(range: RangeInclusive<f64>) -> Result<Self, GrantError> {
        let bound = |double: &f64| Number::of_double(*double).ok_or(GrantError::NumberRange);
        Self::range(bound(range.start())?, bound(range.end())?, Kind::Decimal)
    }

    /// A text of so many characters (Unicode scalar values).
    ///
    /// # Errors
    /// [`GrantError`] if the range is empty.
    pub fn length(chars: impl RangeBounds<usize>) -> Result<Self, GrantError> {
        Self::text(None, chars)
    }

    /// A path at or below `prefix`, by whole segments: `docs/2026` has `docs/2026/a` below it, and not `docs/20267`.
    ///
    /// Only what everybody takes for the same path is below anything: not with `.`, `..` or empty segments, `%`, `\` or
    /// control characters. Case counts.
    ///
    /// # Errors
    /// [`GrantError`] if `prefix` is no such path itself.
    pub fn below(prefix: &str) -> Result<Self, GrantError> {
        Self::text(Some(Prefix::new(prefix)?), ..)
    }

    /// A path below `prefix` of so many characters.
    ///
    /// # Errors
    /// As [`Constraint::below`] and [`Constraint::length`].
    pub fn below_of_length(prefix: &str, chars: impl RangeBounds<usize>) -> Result<Self, GrantError> {
        Self::text(Some(Prefix::new(prefix)?), chars)
    }

    /// Whether `argument` satisfies it.
    #[must_use]
    pub fn contains(&self, argument: &Value) -> bool {
        match &self.0 {
            Kind::OneOf(values) => values.contains(argument),
            Kind::Integer(least, most) => {
                Number::of(argument).is_some_and(|number| number.is_integer() && (*least..=*most).contains(&number))
            }
            Kind::Decimal(least, most) => Number::of(argument).is_some_and(|number| (*least..=*most).contains(&number)),
            Kind::Text(text) => argument.as_str().is_some_and(|argument| text.contains(argument)),
            Kind::SubsetOf(values) => argument
                .as_array()
                .is_some_and(|members| !members.is_empty() && members.iter().all(|member| values.contains(member))),
        }
    }

    /// Whether whatever satisfies this one satisfies `other` too. Sufficient: a range is not said to be within a set of
    /// values, even if that lists all of it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::OneOf(values), Kind::OneOf(others)) | (Kind::SubsetOf(values), Kind::SubsetOf(others)) => {
                values.is_subset_of(others)
            }
            (Kind::OneOf(values), _) => values.iter().all(|value| other.has(value)),
            (Kind::Integer(least, most), Kind::Integer(l, m) | Kind::Decimal(l, m))
            | (Kind::Decimal(least, most), Kind::Decimal(l, m)) => least >= l && most <= m,
            (Kind::Text(text), Kind::Text(other)) => text.is_within(other),
            _ => false,
        }
    }

    /// What satisfies both, if anything can.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let met = match (&self.0, &other.0) {
            (Kind::OneOf(values), _) => values.filter(|value| other.has(value)).map(Kind::OneOf)?,
            (_, Kind::OneOf(values)) => values.filter(|value| self.has(value)).map(Kind::OneOf)?,
            (Kind::Integer(a, b), Kind::Integer(c, d) | Kind::Decimal(c, d))
            | (Kind::Decimal(c, d), Kind::Integer(a, b)) => {
                return Self::range(*a.max(&c.ceil()), *b.min(&d.floor()), Kind::Integer).ok();
            }
            (Kind::Decimal(a, b), Kind::Decimal(c, d)) => {
                return Self::range(*a.max(c), *b.min(d), Kind::Decimal).ok();
            }
            (Kind::Text(text), Kind::Text(other)) => return text.meet(other)?.normalised().ok(),
            (Kind::SubsetOf(values), Kind::SubsetOf(others)) => {
                values.filter(|value| others.has(value)).map(Kind::SubsetOf)?
            }
            _ => return None,
        };
        Some(Self(met))
    }

    /// Whether a value of a set satisfies it.
    fn has(&self, value: &Scalar) -> bool {
        match (&self.0, value) {
            (Kind::OneOf(values), value) => values.has(value),
            (Kind::Integer(least, most), Scalar::Number(number)) => {
                number.is_integer() && number >= least && number <= most
            }
            (Kind::Decimal(least, most), Scalar::Number(number)) => number >= least && number <= most,
            (Kind::Text(text), Scalar::Text(value)) => text.contains(value),
            _ => false,
        }
    }

    fn range(least: Number, most: Number, class: fn(Number, Number) -> Kind) -> Result<Self, GrantError> {
        match least.cmp(&most) {
            std::cmp::Ordering::Less => Ok(Self(class(least, most))),
            std::cmp::Ordering::Equal => Ok(Self(Kind::OneOf(Values::of_one(Scalar::Number(least))))),
            std::cmp::Ordering::Greater => Err(GrantError::Unsatisfiable),
        }
    }

    fn text(below: Option<Prefix>, chars: impl RangeBounds<usize>) -> Result<Self, GrantError> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let least = match chars.start_bound() {
            Included(least) => *least,
            Excluded(least) => least.saturating_add(1),
            Unbounded => 0,
        };
        let most = match chars.end_bound() {
            Included(most) => *most,
            Excluded(most) => most.checked_sub(1).ok_or(GrantError::Unsatisfiable)?,
            Unbounded => MAX_CHARS,
        };
        Text { below, least, most: most.min(MAX_CHARS) }.normalised()
    }
}

impl fmt::Display for Constraint {
    /// In words, such as `an integer from 0 to 500`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |values: &Values, by: &str| {
            let written: Vec<String> = values.iter().map(|value| value.to_json().to_string()).collect();
            written.join(by)
        };
        match &self.0 {
            Kind::OneOf(values) => f.write_str(&listed(values, " or ")),
            Kind::SubsetOf(values) => write!(f, "some of {}", listed(values, ", ")),
            Kind::Integer(least, most) => write!(f, "an integer from {} to {}", least.to_json(), most.to_json()),
            Kind::Decimal(least, most) => write!(f, "from {} to {}", least.to_json(), most.to_json()),
            Kind::Text(Text { below, least, most }) => {
                let shortest = below.as_ref().map_or(0, Prefix::chars);
                let (what, comma) = match below {
                    Some(prefix) => (format!("`{}` or below", prefix.as_str()), ", "),
                    None => ("a text".to_owned(), " "),
                };
                f.write_str(&what)?;
                match (*least > shortest, *most < MAX_CHARS) {
                    (false, false) => Ok(()),
                    (true, false) => write!(f, "{comma}of at least {least} characters"),
                    (false, true) => write!(f, "{comma}of at most {most} characters"),
                    (true, true) => write!(f, "{comma}of {least} to {most} characters"),
                }
            }
        }
    }
}

fn read_all<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Result<Values, GrantError> {
    Values::new(values.into_iter().map(|value| Scalar::read(&value.into())))
}

impl Text {
    fn contains(&self, text: &str) -> bool {
        self.below.as_ref().is_none_or(|prefix| prefix.contains(text))
            && (self.least..=self.most).contains(&text.chars().count())
    }

    fn is_within(&self, other: &Self) -> bool {
        let is_below = match (&self.below, &other.below) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(prefix), Some(other)) => prefix.is_within(other),
        };
        is_below && self.least >= other.least && self.most <= other.most
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        let below = match (&self.below, &other.below) {
            (Some(prefix), Some(other)) => Some(prefix.meet(other)?),
            (prefix, other) => prefix.as_ref().or(other.as_ref()).cloned(),
        };
        Some(Self { below, least: self.least.max(other.least), most: self.most.min(other.most) })
    }

    /// In the one form that these texts have.
    fn normalised(mut self) -> Result<Constraint, GrantError> {
        // The shortest text, and the next longer one.
        let (shortest, next) = self.below.as_ref().map_or((0, 1), |prefix| {
            let chars = prefix.chars();
            // A slash and one more.
            (chars, chars.saturating_add(2))
        });
        self.least = match self.least {
            least if least <= shortest => shortest,
            least => least.max(next),
        };
        if self.least > self.most {
            return Err(GrantError::Unsatisfiable);
        }
        if self.most < next {
            let only = self.below.map_or_else(Box::default, |prefix| prefix.as_str().into());
            return Ok(Constraint(Kind::OneOf(Values::of_one(Scalar::Text(only)))));
        }
        Ok(Constraint(Kind::Text(self)))
    }
}
