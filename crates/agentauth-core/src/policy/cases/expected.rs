//! The answer that a case expects, and how another differs from it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Difference;
use super::document::Members;
use crate::policy::located::Located;
use crate::policy::{Decision, Effect, Obligation, Preview, Problem, ReasonKind};

/// What a case may expect.
pub(super) const MEMBERS: [&str; 6] = ["expect", "code", "policies", "obligations", "would_flip", "preview"];

/// What an answer must be, as far as it is stated.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    effect: Effect,
    code: Option<Box<str>>,
    policies: Option<Names>,
    obligations: Option<Names>,
    would_flip: Option<Names>,
    preview: Option<&'static str>,
}

type Names = BTreeSet<Box<str>>;

impl Expected {
    /// What `members` state.
    pub(super) fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let effect = members.required("expect", |json| match json.string().as_deref() {
            Some("allow") => Ok(Effect::Allow),
            Some("deny") => Ok(Effect::Deny),
            _ => Err(json.is_not("an answer").help("write \"allow\" or \"deny\"")),
        });
        let code = members
            .optional("code", |json| json.string().map(Into::into).ok_or_else(|| json.is_not("the code of a reason")));
        let policies = members.optional("policies", names);
        let obligations = members.optional("obligations", names);
        let would_flip = members.optional("would_flip", names);
        let preview = members.optional("preview", |json| {
            let stated = json.string();
            let known = ["never", "possibly", "always"].into_iter().find(|known| stated.as_deref() == Some(known));
            known.ok_or_else(|| json.is_not("a preview").help("write \"never\", \"possibly\" or \"always\""))
        });
        Some(Self { effect: effect?, code, policies, obligations, would_flip, preview })
    }

    /// In what `decision` and the preview, which is made if one is expected, differ from this.
    pub(super) fn differences(&self, decision: &Decision, preview: impl FnOnce() -> Preview) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut compare = |what, expected: Option<String>, actual: &dyn Fn() -> String| {
            let Some(expected) = expected else { return };
            let actual = actual();
            if expected != actual {
                all.push(Difference { what, expected: expected.into(), actual: actual.into() });
            }
        };
        compare("expect", Some(effect(self.effect).into()), &|| effect(decision.effect()).into());
        compare("code", self.code.as_deref().map(Into::into), &|| code(decision).into());
        if self.code.is_none() && self.effect == Effect::Deny && was_not_decided(decision) {
            compare("code", Some("not stated".into()), &|| code(decision).into());
        }
        compare("policies", self.policies.as_ref().map(listed), &|| listed(&deciding(decision)));
        compare("obligations", self.obligations.as_ref().map(listed), &|| {
            listed(&decision.obligations().iter().map(obligation).collect())
        });
        compare("would_flip", self.would_flip.as_ref().map(listed), &|| {
            listed(&decision.would_flip().iter().map(|flip| flip.policy.clone()).collect())
        });
        if let Some(expected) = self.preview {
            let actual = previewed(&preview());
            compare("preview", Some(expected.into()), &|| actual.into());
        }
        all
    }
}

fn names(json: Located<'_>) -> Result<Names, Problem> {
    let names = json.items().and_then(|names| names.into_iter().map(Located::string).collect::<Option<Vec<_>>>());
    let names = names.ok_or_else(|| json.is_not("a list of names"))?;
    Ok(names.into_iter().map(Into::into).collect())
}

fn listed(names: &Names) -> String {
    format!("{names:?}")
}

pub(super) const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}

fn code(decision: &Decision) -> &'static str {
    match decision.effect() {
        Effect::Allow => decision.reasons().first().map_or("permitted", |reason| reason.kind().code()),
        Effect::Deny => decision.ground_of_denial().code(),
    }
}

/// Whether it is denied because policies could not be asked or evaluated: an action that is misspelt in the case, for instance. No
/// forbid is missed then.
fn was_not_decided(decision: &Decision) -> bool {
    use ReasonKind::{ArgumentRefused, EntityRefused, NoPolicy, NotInSchema, PolicyErred, PolicyFailed};
    let ground = decision.ground_of_denial();
    let undecided = [ArgumentRefused, EntityRefused, NoPolicy, NotInSchema, PolicyErred, PolicyFailed];
    decision.effect() == Effect::Deny && undecided.contains(&ground)
}

/// The policies that are grounds of the decision, and those that could not be evaluated.
fn deciding(decision: &Decision) -> Names {
    let grounds = decision.reasons().iter().filter_map(|reason| reason.policy());
    let errors = decision.errors().iter().filter_map(|fault| fault.policy.as_deref());
    grounds.chain(errors).map(Into::into).collect()
}

/// What policy files call it.
fn obligation(obligation: &Obligation) -> Box<str> {
    if let Obligation::Unknown(name) = obligation {
        return name.clone();
    }
    match serde_json::to_value(obligation) {
        Ok(Value::String(name)) => name.into(),
        Ok(Value::Object(members)) => members.keys().next().map_or("", String::as_str).into(),
        _ => "".into(),
    }
}

const fn previewed(preview: &Preview) -> &'static str {
    match preview {
        Preview::Never => "never",
        Preview::Possibly(_) => "possibly",
        Preview::Always => "always",
    }
}
