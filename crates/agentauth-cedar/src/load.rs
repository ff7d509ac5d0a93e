//! From files to policies in force: parsed, named, checked strictly against the schema.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use agentauth_core::policy::{Problem, Problems};
use cedar_policy::{Policy, PolicyId, PolicySet, Template, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;

use crate::annotations::Terms;
use crate::index::Loaded;
use crate::schema::PolicySchema;
use crate::sources::{Source, Sources};
use crate::templates::{Linked, Origin, Templates};

/// Reads and checks the policies of `sources`.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn load(sources: &Sources, schema: &PolicySchema) -> Result<Vec<Loaded>, Problems> {
    let mut problems = Problems::none();
    let mut all = PolicySet::new();
    let mut loaded: Vec<Loaded> = Vec::new();
    let mut files: HashMap<PolicyId, &Source> = HashMap::new();
    let mut templates = Templates::default();
    for source in &sources.policies {
        let parsed = match PolicySet::from_str(&source.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                errors.iter().for_each(|error| problems.push(problem_of("policy_syntax", source, error)));
                continue;
            }
        };
        let may_be_open = Templates::may_be_in(source);
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
            let id = terms.id.clone();
            let policy = policy.new_id(PolicyId::new(id.clone().unwrap_or_else(own)));
            if all.add(policy.clone()).is_err() {
                let text = format!("policy `{}` stands twice", policy.id());
                problems.push(problem_in("policy_duplicate", source, &policy, text));
                continue;
            }
            files.insert(policy.id().clone(), source);
            if may_be_open && Templates::is_one(&policy) {
                templates.add_policy(source, &policy, id.as_deref(), &mut problems);
            } else {
                loaded.push(Loaded { policy, terms });
            }
        }
        for (number, template) in parsed.templates().enumerate() {
            let named = add_template(source, number, template, &mut all, &mut templates, &mut problems);
            files.insert(named, source);
        }
    }
    let mut made_of: HashMap<PolicyId, Box<str>> = HashMap::new();
    for Linked { policy, terms, template, place } in templates.link(&sources.links, schema, &mut problems) {
        if all.add(policy.clone()).is_err() {
            problems.push(place.problem(format!("policy `{}` stands twice", policy.id())));
            continue;
        }
        made_of.insert(policy.id().clone(), template);
        loaded.push(Loaded { policy, terms });
    }
    let checked = Validator::new(schema.cedar.clone()).validate(&all, ValidationMode::Strict);
    let erring: HashSet<&PolicyId> = checked.validation_errors().map(ValidationError::policy_id).collect();
    let mut invalid = Vec::new();
    for error in checked.validation_errors() {
        if let Some(source) = files.get(error.policy_id()) {
            invalid.push(problem_of("policy_invalid", source, error));
        } else if let Some(template) = made_of.get(error.policy_id()) {
            // What is wrong with the template as it stands is not told again of each of its links.
            let told = erring.contains(&PolicyId::new(template));
            let origin = templates.origin(template).filter(|_| !told);
            let text = format!("as its link `{}`: {error}", error.policy_id());
            invalid.extend(origin.map(|origin| origin.problem("policy_invalid", text)));
        }
    }
    // Cedar tells them in any order.
    invalid.sort_by_key(|problem: &Problem| {
        let place = problem.place.as_ref().map(|place| (place.line, place.column));
        (problem.file.clone(), place, problem.text.clone())
    });
    problems.extend(invalid.into_iter().collect());
    problems.or(loaded)
}

/// Names a template, and keeps it for its links.
fn add_template<'s>(
    source: &'s Source,
    number: usize,
    template: &Template,
    all: &mut PolicySet,
    templates: &mut Templates<'s>,
    problems: &mut Problems,
) -> PolicyId {
    let origin = Origin::of(source, &template.to_cedar());
    if let Err(wrong) = Terms::of(template.effect(), template.annotations()) {
        wrong.into_iter().for_each(|(code, text)| problems.push(origin.problem(code, text)));
    }
    let id = template.annotation("id");
    let named = PolicyId::new(id.map_or_else(|| format!("{}#template{number}", source.name), Into::into));
    if all.add_template(template.new_id(named.clone())).is_err() {
        problems.push(origin.problem("policy_duplicate", format!("policy `{named}` stands twice")));
    } else {
        templates.add(source, template, id, problems);
    }
    named
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
