//! Whether a policy's scope can match, by what stands in it.

use cedar_policy::{Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

/// What an action may turn out to be done to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    This(EntityUid),
    /// Something of this type.
    Some(EntityTypeName),
}

impl Target {
    pub(crate) fn kind(&self) -> &EntityTypeName {
        match self {
            Self::This(uid) => uid.type_name(),
            Self::Some(kind) => kind,
        }
    }
}

/// Whether a scope matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Fit {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

/// Whether the scope of `policy` matches, but for the action. `known` is what is known of the principal, if all of it is.
pub(crate) fn fit(policy: &Policy, principal: &EntityUid, known: Option<&Entities>, target: &Target) -> Fit {
    let is_in = |group: &EntityUid| match known.and_then(|known| known.ancestors(principal)) {
        Some(mut above) => Fit::from(principal == group || above.any(|one| one == group)),
        None if principal == group => Fit::Yes,
        None => Fit::Maybe,
    };
    let by_principal = match policy.principal_constraint() {
        PrincipalConstraint::Any => Fit::Yes,
        PrincipalConstraint::Eq(only) => Fit::from(only == *principal),
        PrincipalConstraint::Is(kind) => Fit::from(kind == *principal.type_name()),
        PrincipalConstraint::In(group) => is_in(&group),
        PrincipalConstraint::IsIn(kind, group) => Fit::from(kind == *principal.type_name()).min(is_in(&group)),
    };
    let below = |group: &EntityUid| match target {
        Target::This(uid) if uid == group => Fit::Yes,
        _ => Fit::Maybe,
    };
    let by_resource = match policy.resource_constraint() {
        ResourceConstraint::Any => Fit::Yes,
        ResourceConstraint::Eq(only) => match target {
            Target::This(uid) => Fit::from(*uid == only),
            Target::Some(kind) => Fit::from(kind == only.type_name()).min(Fit::Maybe),
        },
        ResourceConstraint::Is(kind) => Fit::from(kind == *target.kind()),
        ResourceConstraint::In(group) => below(&group),
        ResourceConstraint::IsIn(kind, group) => Fit::from(kind == *target.kind()).min(below(&group)),
    };
    by_principal.min(by_resource)
}
