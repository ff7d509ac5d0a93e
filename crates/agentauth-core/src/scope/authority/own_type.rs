//! Types of authorization details that a server adds for itself.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{GrantError, Wanted};

/// More than one kind of thing that a delegation of an agent is about.
const MAX_OWN_DETAILS: usize = 16;

/// A type of authorization details of one's own (RFC 9396 §2): how it is read, compared, met, and what it allows.
///
/// The details that it is given have been read strictly: no member twice, at most 8 KiB and 8 levels. Its answers are bound by
/// laws, which are its own to keep: `is_within` is a partial order; whatever a detail allows, those that it is within allow;
/// `meet` is within both, and allows what both allow, or less. (A meet that is not within both grants nothing.)
///
/// ```
/// use agentauth_core::scope::{DetailType, DetailTypes, Wanted};
/// use agentauth_core::{ResourceId, ScopeImplications, Timestamp};
/// use serde_json::{Value, json};
///
/// /// `{"type": "payment", "currency": "EUR", "cents": 5000}`: payments of at most so much.
/// #[derive(Debug)]
/// struct Payment;
///
/// fn parts(detail: &Value) -> Option<(&str, u64)> {
///     Some((detail.get("currency")?.as_str()?, detail.get("cents")?.as_u64()?))
/// }
///
/// impl DetailType for Payment {
///     fn name(&self) -> &str {
///         "payment"
///     }
///
///     fn read(&self, detail: &Value) -> Option<Value> {
///         let (currency, cents) = parts(detail)?;
///         // What has other members means something else, or more.
///         (detail.as_object()?.len() == 3).then(|| json!({"type": "payment", "currency": currency, "cents": cents}))
///     }
///
///     fn is_within(&self, detail: &Value, other: &Value) -> bool {
///         parts(detail).zip(parts(other)).is_some_and(|((a, x), (b, y))| a == b && x <= y)
///     }
///
///     fn meet(&self, detail: &Value, other: &Value) -> Option<Value> {
///         let ((a, x), (b, y)) = parts(detail).zip(parts(other))?;
///         (a == b).then(|| if x <= y { detail.clone() } else { other.clone() })
///     }
///
///     fn allows(&self, detail: &Value, wanted: &Wanted<'_>) -> bool {
///         let given = |name| wanted.argument(name);
///         wanted.action().as_str() == "pay"
///             && parts(detail).is_some_and(|(currency, most)| {
///                 given("currency").and_then(Value::as_str) == Some(currency)
///                     && given("cents").and_then(Value::as_u64).is_some_and(|cents| cents <= most)
///             })
///     }
/// }
///
/// let types = DetailTypes::new().with(Payment)?;
/// let authority = types.read_strictly(&json!([{"type": "payment", "currency": "EUR", "cents": 5000}]))?;
/// let (pay, shop) = ("pay".parse()?, ResourceId::new("https://shop.example")?);
/// let arguments = json!({"currency": "EUR", "cents": 4999});
/// let wanted = Wanted::new(&pay, &shop, Timestamp::from_secs(0)).with(&arguments);
/// assert!(authority.allows(&wanted, &ScopeImplications::new()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait DetailType: Send + Sync + fmt::Debug {
    /// The name: what stands in `type`.
    fn name(&self) -> &str;

    /// The canonical form of a detail of this type, with its `type`; nothing if it has unknown, ill-typed or missing members.
    /// The canonical form of a canonical form is itself.
    fn read(&self, detail: &Value) -> Option<Value>;

    /// Whether everything that `detail` allows, `other` allows too.
    fn is_within(&self, detail: &Value, other: &Value) -> bool;

    /// What both allow, in canonical form, if anything.
    fn meet(&self, detail: &Value, other: &Value) -> Option<Value>;

    /// Whether `detail` allows what is wanted.
    fn allows(&self, detail: &Value, wanted: &Wanted<'_>) -> bool;
}

/// A detail, and the type that knows how to read it.
#[derive(Debug, Clone)]
pub(super) struct OwnDetail {
    kind: Arc<dyn DetailType>,
    value: Arc<Value>,
}

impl OwnDetail {
    /// What `kind` makes of `detail`.
    pub(super) fn read(kind: &Arc<dyn DetailType>, detail: &Value) -> Option<Self> {
        Self::of(kind, kind.read(detail)?)
    }

    fn of(kind: &Arc<dyn DetailType>, value: Value) -> Option<Self> {
        let is_of_type = value.get("type").and_then(Value::as_str) == Some(kind.name());
        is_of_type.then(|| Self { kind: Arc::clone(kind), value: Arc::new(value) })
    }

    pub(super) fn to_json(&self) -> Value {
        Value::clone(&self.value)
    }

    fn is_of_type_of(&self, other: &Self) -> bool {
        self.kind.name() == other.kind.name()
    }

    fn is_within(&self, other: &Self) -> bool {
        self.is_of_type_of(other) && (self.value == other.value || self.kind.is_within(&self.value, &other.value))
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        if !self.is_of_type_of(other) {
            return None;
        }
        let met = Self::of(&self.kind, self.kind.meet(&self.value, &other.value)?)?;
        (met.is_within(self) && met.is_within(other)).then_some(met)
    }
}

/// Details of one's own types, none within another.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnDetails(Vec<OwnDetail>);

impl OwnDetails {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OwnDetail> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, detail: OwnDetail) -> Result<(), GrantError> {
        if self.cover(&detail) {
            return Ok(());
        }
        self.0.retain(|held| !held.is_within(&detail));
        if self.0.len() >= MAX_OWN_DETAILS {
            return Err(GrantError::TooMany);
        }
        self.0.push(detail);
        Ok(())
    }

    pub(super) fn are_within(&self, other: &Self) -> bool {
        self.0.iter().all(|detail| other.cover(detail))
    }

    pub(super) fn meet(&self, other: &Self) -> Self {
        let mut met = Self::none();
        for (one, other) in self.0.iter().flat_map(|one| other.0.iter().map(move |other| (one, other))) {
            _ = one.meet(other).map(|both| met.add(both));
        }
        met
    }

    pub(super) fn allow(&self, wanted: &Wanted<'_>) -> bool {
        self.0.iter().any(|detail| detail.kind.allows(&detail.value, wanted))
    }

    fn cover(&self, detail: &OwnDetail) -> bool {
        self.0.iter().any(|held| detail.is_within(held))
    }
}

impl PartialEq for OwnDetails {
    /// In any order.
    fn eq(&self, other: &Self) -> bool {
        let has = |detail: &OwnDetail, held: &Self| {
            held.0.iter().any(|held| held.is_of_type_of(detail) && held.value == detail.value)
        };
        self.0.len() == other.0.len() && self.0.iter().all(|detail| has(detail, other))
    }
}

impl Eq for OwnDetails {}
