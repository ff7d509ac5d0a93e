//! From files to policies in force: parsed, named, checked strictly against the schema.

use std::collections::HashMap;
use std::str::FromStr as _;

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use crate::annotations::Terms;
use crate::index::Loaded;
use crate::schema::PolicySchema;
use crate::sources::{Source, Sources};

/// Reads and checks the policies of `sources`.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn load(sources: &Sources, schema: &PolicySchema) -> Result<Vec<Loaded>, Problems> {
    let mut problems = Problems::none();
    let mut all = PolicySet::new();
    let mut loaded: Vec<Loaded> = Vec::new();
    let mut files: HashMap<PolicyId, &Source> = HashMap::new();
    for source in &sources.policies {
        let parsed = match PolicySet::from_str(&source.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                errors.iter().for_each(|error| problems.push(problem_of("policy_syntax", source, error)));
                continue;
            }
        };
        for (number, policy) in parsed.policies().enumerate() {
            let terms = match Terms::read(policy) {
                Ok(terms) => terms,
                Err(wrong) => {
                    for (code, text) in wrong {
                        problems.push(problem_in(code, source, policy, text));
                    }
                    continue;
                }
            };
            let own = || format!("{}#{number}", source.name).into();
            let policy = policy.new_id(PolicyId::new(terms.id.clone().unwrap_or_else(own)));
            if all.add(policy.clone()).is_err() {
                let text = format!("policy `{}` stands twice", policy.id());
                problems.push(problem_in("policy_duplicate", source, &policy, text));
                continue;
            }
            files.insert(policy.id().clone(), source);
            loaded.push(Loaded { policy, terms });
        }
    }
    let checked = Validator::new(schema.cedar.clone()).validate(&all, ValidationMode::Strict);
    for error in checked.validation_errors() {
        if let Some(source) = files.get(error.policy_id()) {
            problems.push(problem_of("policy_invalid", source, error));
        }
    }
    problems.or(loaded)
}

/// What Cedar says of `source`, with its place.
pub(crate) fn problem_of(code: &'static str, source: &Source, error: &dyn Diagnostic) -> Problem {
    let problem = Problem::new(code, &source.name, error.to_string());
    let problem = match error.labels().into_iter().flatten().next() {
        Some(label) => {
            let end = label.offset().saturating_add(label.len());
            problem.at(&source.text, label.offset(), end)
        }
        None => problem,
    };
    match error.help() {
        Some(help) => problem.help(help.to_string()),
        None => problem,
    }
}

/// Something about one policy of `source`.
fn problem_in(code: &'static str, source: &Source, policy: &Policy, text: String) -> Problem {
    let problem = Problem::new(code, &source.name, text);
    match policy.to_cedar().and_then(|own| Some((source.text.find(&own)?, own.len()))) {
        Some((start, length)) => problem.at(&source.text, start, start.saturating_add(length)),
        None => problem,
    }
}
