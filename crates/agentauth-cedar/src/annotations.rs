//! What a policy's annotations say.

use agentauth_core::policy::Obligation;
use cedar_policy::{Effect, Policy};

/// What stands above a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) id: Option<Box<str>>,
    /// What callers are told if it forbids (`@message`).
    pub(crate) message: Option<Box<str>>,
    /// For the operator (`@reason`).
    pub(crate) reason: Option<Box<str>>,
    pub(crate) shadow: bool,
    pub(crate) obligations: Vec<Obligation>,
}

/// Annotations for people only: an owner, a ticket. They begin with this.
const FOR_PEOPLE: &str = "x_";

impl Terms {
    /// Reads the annotations of `policy`.
    ///
    /// # Errors
    /// A code and a sentence for each that cannot be read or is not known.
    pub(crate) fn read(policy: &Policy) -> Result<Self, Vec<(&'static str, String)>> {
        Self::of(policy.effect(), policy.annotations())
    }

    /// Reads the annotations of a policy, or of a template, that has this effect.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn of<'a>(
        effect: Effect,
        annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let mut terms = Self { id: None, message: None, reason: None, shadow: false, obligations: Vec::new() };
        let mut wrong = Vec::new();
        for (name, value) in annotations {
            match name {
                "id" => terms.id = Some(value.into()),
                "message" => terms.message = Some(value.into()),
                "reason" => terms.reason = Some(value.into()),
                "mode" => match value {
                    "enforce" => {}
                    "shadow" => terms.shadow = true,
                    _ => wrong.push(("policy_mode", format!("`{value}` is no mode; write \"enforce\" or \"shadow\""))),
                },
                name if name.starts_with(FOR_PEOPLE) => {}
                name => match Obligation::read(name, value) {
                    Ok(Obligation::Unknown(_)) => wrong.push((
                        "policy_annotation",
                        format!("`@{name}` is not known; annotations for people only begin with `{FOR_PEOPLE}`"),
                    )),
                    Ok(_) if effect == Effect::Forbid => {
                        wrong.push(("policy_annotation", format!("`@{name}` is for policies that permit")));
                    }
                    Ok(obligation) => terms.obligations.push(obligation),
                    Err(error) => wrong.push(("policy_annotation", error.to_string())),
                },
            }
        }
        if wrong.is_empty() { Ok(terms) } else { Err(wrong) }
    }
}
