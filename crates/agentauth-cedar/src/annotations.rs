//! What a policy's annotations say.

use agentauth_core::policy::Obligation;
use agentauth_core::policy::suggest::nearest;
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

/// What somebody may have meant who misspells one. What is no obligation of this version is not among the answers.
const NAMES: [&str; 8] = ["id", "message", "reason", "mode", "approval", "rate", "concurrency", "budget"];

/// An annotation that cannot be read or is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) annotation: Box<str>,
    pub(crate) text: String,
    pub(crate) help: Option<String>,
}

impl Terms {
    /// Reads the annotations of `policy`.
    ///
    /// # Errors
    /// Each that cannot be read or is not known, and what the others say.
    pub(crate) fn read(policy: &Policy) -> Result<Self, (Self, Vec<Wrong>)> {
        Self::of(policy.effect(), policy.annotations())
    }

    /// Reads the annotations of a policy, or of a template, that has this effect.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn of<'a>(
        effect: Effect,
        annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (Self, Vec<Wrong>)> {
        let mut terms = Self { id: None, message: None, reason: None, shadow: false, obligations: Vec::new() };
        let mut wrong = Vec::new();
        for (name, value) in annotations {
            let mut refuse = |code, text: String, help: Option<String>| {
                wrong.push(Wrong { code, annotation: name.into(), text, help });
            };
            match name {
                "id" => terms.id = Some(value.into()),
                "message" => terms.message = Some(value.into()),
                "reason" => terms.reason = Some(value.into()),
                "mode" => match value {
                    "enforce" => {}
                    "shadow" => terms.shadow = true,
                    _ => {
                        let help = "write \"enforce\", as without it, or \"shadow\" to rehearse";
                        refuse("policy_mode", format!("`{value}` is no mode"), Some(help.into()));
                    }
                },
                name if name.starts_with(FOR_PEOPLE) => {}
                name => match Obligation::read(name, value) {
                    Ok(Obligation::Unknown(_)) => {
                        let text = format!("`@{name}` is not known");
                        refuse("policy_annotation", text, Some(meant(name)));
                    }
                    Ok(_) if effect == Effect::Forbid => {
                        let help = "leave it out, or state it in the policy that permits";
                        refuse(
                            "policy_annotation",
                            format!("`@{name}` is for policies that permit"),
                            Some(help.into()),
                        );
                    }
                    Ok(obligation) => terms.obligations.push(obligation),
                    Err(error) => refuse("policy_annotation", error.to_string(), None),
                },
            }
        }
        if wrong.is_empty() { Ok(terms) } else { Err((terms, wrong)) }
    }
}

fn meant(name: &str) -> String {
    let is_known = |name: &&str| {
        matches!(*name, "id" | "message" | "reason" | "mode")
            || !matches!(Obligation::read(name, ""), Ok(Obligation::Unknown(_)))
    };
    match nearest(name, NAMES.into_iter().filter(is_known)) {
        Some(meant) => format!("did you mean `@{meant}`? What is for people only begins with `@{FOR_PEOPLE}`"),
        None => format!("what is for people only begins with `{FOR_PEOPLE}`: `@{FOR_PEOPLE}{name}`"),
    }
}
