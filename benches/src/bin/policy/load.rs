//! From the text of policies to policies in force.

use agentauth_benches::case::Case;
use agentauth_cedar::{CedarPolicies, Sources};
use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};

use crate::court::{PLAIN_SCHEMA, SCHEMA, policies};

pub(crate) const POLICIES: usize = 10_000;

/// A call takes about a second: this many batches of one are enough.
pub(crate) const MAX_BATCHES: u32 = 5;

/// The text of policies, and the same with one that does not fit the schema.
pub(crate) fn texts(count: usize) -> (String, String) {
    let genuine = policies(count);
    let forged = format!("{genuine}permit (principal, action, resource) when {{ context.arguments.fees > 1 }};\n");
    (genuine, forged)
}

pub(crate) fn cases(count: usize) -> Vec<Case<'static, String>> {
    let plain_name = format!("plain-load/{count}");
    vec![
        Case::new(plain_name.clone(), Some(&plain_name), |text: &String| {
            let set: PolicySet = text.parse()?;
            let (schema, _) = Schema::from_cedarschema_str(PLAIN_SCHEMA)?;
            let checked = Validator::new(schema).validate(&set, ValidationMode::Strict);
            match checked.validation_errors().next() {
                None => Ok(()),
                Some(error) => Err(error.to_string().into()),
            }
        }),
        Case::new(format!("load/{count}"), Some(&plain_name), |text: &String| {
            let sources = Sources::new().schema("court.cedarschema", SCHEMA).policies("court.cedar", text);
            Ok(CedarPolicies::new(&sources).map(drop)?)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use agentauth_benches::case;

    #[test]
    fn both_refuse_what_does_not_fit_the_schema() {
        let (genuine, forged) = super::texts(20);
        case::check(&super::cases(20), &genuine, &forged).unwrap();
    }
}
