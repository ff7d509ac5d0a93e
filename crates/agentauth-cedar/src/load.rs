//! From files to policies in force: parsed, named, checked strictly against the schema.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use agentauth_core::policy::{MAX_PROBLEMS, Problem, Problems};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;

use crate::annotations::{Terms, Wrong};
use crate::index::Loaded;
use crate::invalid;
use crate::nobody::nobody;
use crate::schema::PolicySchema;
use crate::sources::{Source, Sources};
use crate::syntax::{self, Expr, Kind, PolicyText, Span};
use crate::templates::{Linked, Templates};

/// Reads and checks the policies of `sources`.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn load(sources: &Sources, schema: &PolicySchema) -> Result<Vec<Loaded>, Problems> {
    checked(sources, schema).map(|read| read.loaded)
}

/// What is wrong with the policies of `sources` can be told without the schema, in part: `problems` and that.
pub(crate) fn with_policies(mut problems: Problems, sources: &Sources) -> Problems {
    problems.extend(read(sources).problems);
    problems.sorted()
}

/// Reads and checks the policies of `sources`, and makes those that their links ask for.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn checked<'s>(sources: &'s Sources, schema: &PolicySchema) -> Result<Read<'s>, Problems> {
    let mut read = read(sources);
    let Read { loaded, all, places, templates, problems } = &mut read;
    let mut made_of: HashMap<PolicyId, Box<str>> = HashMap::new();
    for Linked { policy, terms, template, place } in templates.link(&sources.links, schema, problems) {
        if all.add(policy.clone()).is_err() {
            problems.push(place.problem(format!("policy `{}` stands twice", policy.id())));
            continue;
        }
        made_of.insert(policy.id().clone(), template);
        loaded.push(Loaded { policy, terms });
    }
    let checked = Validator::new(schema.cedar.clone()).validate(all, ValidationMode::Strict);
    let erring: HashSet<&PolicyId> = checked.validation_errors().map(ValidationError::policy_id).collect();
    let mut invalid: Vec<Problem> = Vec::new();
    for error in checked.validation_errors() {
        let problem = if let Some(PlaceOf { source, shift }) = places.get(error.policy_id()) {
            Some(invalid::problem(&source.name, &source.text, *shift, error, schema))
        } else {
            let template = made_of.get(error.policy_id());
            // What is wrong with the template as it stands is not told again of each of its links.
            let template = template.filter(|template| !erring.contains(&PolicyId::new(template)));
            let text = || format!("as its link `{}`: {error}", error.policy_id());
            template
                .and_then(|template| templates.origin(template))
                .map(|origin| origin.problem("policy_invalid", text()))
        };
        invalid.extend(problem);
        if invalid.len() > MAX_PROBLEMS {
            break;
        }
    }
    // Cedar says it once for each action that the policy is for, in any order.
    let invalid: Problems = invalid.into_iter().collect::<Problems>().sorted();
    let mut last: Option<&Problem> = None;
    for problem in invalid.iter() {
        let is_told = last.is_some_and(|known| {
            (known.code, &known.file, &known.place) == (problem.code, &problem.file, &problem.place)
                && (known.code != "policy_invalid" || known.text == problem.text)
        });
        if !is_told {
            problems.push(problem.clone());
        }
        last = Some(problem);
    }
    std::mem::take(problems).sorted().or(())?;
    Ok(read)
}

/// The policies of some sources, as far as they can be read.
pub(crate) struct Read<'s> {
    pub(crate) loaded: Vec<Loaded>,
    /// Those, what has annotations that cannot be read, and templates.
    pub(crate) all: PolicySet,
    places: HashMap<PolicyId, PlaceOf<'s>>,
    templates: Templates<'s>,
    problems: Problems,
}

/// Where a policy stands.
#[derive(Debug, Clone, Copy)]
struct PlaceOf<'s> {
    source: &'s Source,
    /// How many bytes stand before what Cedar counts from.
    shift: usize,
}

/// Parses the policies of `sources`, and reads their annotations.
fn read(sources: &Sources) -> Read<'_> {
    let mut read = Read {
        loaded: Vec::new(),
        all: PolicySet::new(),
        places: HashMap::new(),
        templates: Templates::default(),
        problems: Problems::none(),
    };
    for source in &sources.policies {
        let may_be_open = Templates::may_be_in(source);
        let mut file = File { source, may_be_open, written: OnceCell::new(), policies: 0, templates: 0 };
        for piece in parse(source, &mut read.problems) {
            file.read(&piece, &mut read);
        }
    }
    read
}

/// A file that is being read.
struct File<'s> {
    source: &'s Source,
    /// Whether a policy in it can be a template by what stands for the agent.
    may_be_open: bool,
    written: OnceCell<Vec<PolicyText>>,
    policies: usize,
    templates: usize,
}

impl Read<'_> {
    /// How many policies and templates stand in the files.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }
}

impl<'s> File<'s> {
    fn read(&mut self, piece: &Piece, read: &mut Read<'s>) {
        let source = self.source;
        read.loaded.reserve(piece.set.num_of_policies());
        for policy in piece.set.policies() {
            let (number, shift) = (self.policies, piece.shift);
            self.policies = number.saturating_add(1);
            let (terms, wrong) = match Terms::read(policy) {
                Ok(terms) => (terms, Vec::new()),
                Err((terms, wrong)) => (terms, wrong),
            };
            for wrong in &wrong {
                read.problems.push(annotation_problem(source, self.place(false, number, shift), wrong));
            }
            let id = terms.id.clone();
            let policy = policy.new_id(PolicyId::new(id.clone().unwrap_or_else(|| name_of(&source.name, number))));
            if read.all.add(policy.clone()).is_err() {
                read.problems.push(self.twice(policy.id().as_ref(), self.place(false, number, shift)));
                continue;
            }
            read.places.insert(policy.id().clone(), PlaceOf { source, shift });
            if self.may_be_open && Templates::is_one(&policy) {
                read.templates.add_policy(source, &policy, id.as_deref(), &mut read.problems);
            } else if wrong.is_empty() {
                if policy.effect() == Effect::Forbid {
                    self.check_names(&policy, number, shift, &mut read.problems);
                }
                read.loaded.push(Loaded { policy, terms });
            }
        }
        for template in piece.set.templates() {
            let (number, shift) = (self.templates, piece.shift);
            self.templates = number.saturating_add(1);
            if let Err((_, wrong)) = Terms::of(template.effect(), template.annotations()) {
                for wrong in &wrong {
                    read.problems.push(annotation_problem(source, self.place(true, number, shift), wrong));
                }
            }
            let id = template.annotation("id");
            let named = PolicyId::new(id.map_or_else(|| template_name_of(&source.name, number), Into::into));
            if read.all.add_template(template.new_id(named.clone())).is_err() {
                read.problems.push(self.twice(named.as_ref(), self.place(true, number, shift)));
            } else {
                read.templates.add(source, template, id, &mut read.problems);
            }
            read.places.insert(named, PlaceOf { source, shift });
        }
    }

    /// What forbids by a name that nobody has does not forbid what was meant.
    fn check_names(&self, policy: &Policy, number: usize, shift: usize, problems: &mut Problems) {
        for named in policy.entity_literals() {
            let kind = named.type_name().to_string();
            let Some((why, help)) = nobody(&kind, named.id().unescaped()) else { continue };
            let is_it = |expr: &&Expr| {
                matches!(&expr.kind, Kind::Entity(of) if **of == *kind)
                    && self.source.text.get(expr.span.start..expr.span.end) == Some(&*named.to_string())
            };
            // Only now: to find a place, the whole file is read once more.
            let place = self.place(false, number, shift);
            let span = place.map(|text| text.all().into_iter().find(is_it).map_or(text.span, |expr| expr.span));
            let text = format!("{why}, so that this is nobody");
            let problem = Problem::new("policy_unknown_name", &self.source.name, text).help(help);
            problems.push(at(problem, self.source, span));
        }
    }

    /// Where the `number`th policy, or template, of the file stands.
    fn place(&self, is_template: bool, number: usize, shift: usize) -> Option<&PolicyText> {
        let written = self.written.get_or_init(|| syntax::policies(&self.source.text));
        let mut alike = written.iter().filter(|text| text.is_template() == is_template);
        // In a file that is broken elsewhere, it is found by where it begins.
        if shift == 0 { alike.nth(number) } else { alike.find(|text| text.span.start >= shift) }
    }

    fn twice(&self, id: &str, place: Option<&PolicyText>) -> Problem {
        let problem = Problem::new("policy_duplicate", &self.source.name, format!("policy `{id}` stands twice"));
        let named =
            |text: &PolicyText| text.annotations.iter().find(|one| &*one.name == "id").map_or(text.span, |id| id.span);
        at(problem, self.source, place.map(named)).help("give each policy an @id of its own")
    }
}

/// What a policy without an `@id` is called: the `number`th of its file, from 0.
pub(crate) fn name_of(file: &str, number: usize) -> Box<str> {
    format!("{file}#{number}").into()
}

/// What a template without an `@id` is called, which no link can name.
pub(crate) fn template_name_of(file: &str, number: usize) -> String {
    format!("{file}#template{number}")
}

/// What of a file could be read at once.
struct Piece {
    set: PolicySet,
    /// Where it begins.
    shift: usize,
}

/// The policies of one file. Of a file that is broken somewhere, those that can be read.
fn parse(source: &Source, problems: &mut Problems) -> Vec<Piece> {
    if let Some(place) = syntax::too_deep(&source.text) {
        problems.push(too_deep(source, place));
        return Vec::new();
    }
    let errors = match PolicySet::from_str(&source.text) {
        Ok(set) => return vec![Piece { set, shift: 0 }],
        Err(errors) => errors,
    };
    // After the first that it cannot read, Cedar may not see the others.
    let Some(pieces) = pieces(&source.text) else {
        errors.iter().for_each(|error| problems.push(problem_of("policy_syntax", source, error)));
        return Vec::new();
    };
    let mut found = Vec::new();
    for piece in pieces {
        match PolicySet::from_str(piece.of(&source.text)) {
            Ok(set) => found.push(Piece { set, shift: piece.start }),
            Err(errors) => {
                errors
                    .iter()
                    .for_each(|error| problems.push(problem_from("policy_syntax", source, piece.start, error)));
            }
        }
    }
    found
}

/// That `source` is nested deeper than is read.
pub(crate) fn too_deep(source: &Source, place: Span) -> Problem {
    let text = "this is nested too deep, or one of too many operators in a row";
    let problem = Problem::new("policy_too_deep", &source.name, text).at(&source.text, place.start, place.end);
    problem.help("in a policy, compare with a set, `[..].contains(..)`, or make several of it; in a schema, name the inner types")
}

/// What stands up to each semicolon; nothing if there are no two pieces.
pub(crate) fn pieces(source: &str) -> Option<Vec<Span>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let tokens = syntax::tokens(source)?;
    for token in &tokens {
        if token.kind == syntax::TokenKind::Sign && token.span.of(source) == ";" {
            pieces.push(Span { start, end: token.span.end });
            start = token.span.end;
        }
    }
    if tokens.last().is_some_and(|last| last.span.end > start) {
        pieces.push(Span { start, end: source.len() });
    }
    (pieces.len() > 1).then_some(pieces)
}

/// What Cedar says of `source`, with its place.
pub(crate) fn problem_of(code: &'static str, source: &Source, error: &dyn Diagnostic) -> Problem {
    problem_from(code, source, 0, error)
}

/// What Cedar says of `source`, with its place. It has counted from the byte `shift` on.
pub(crate) fn problem_from(code: &'static str, source: &Source, shift: usize, error: &dyn Diagnostic) -> Problem {
    let text = error.to_string();
    let problem = Problem::new(code, &source.name, text.trim_start_matches("error parsing schema: "));
    let label = error.labels().into_iter().flatten().last();
    let expected = label.as_ref().and_then(|label| label.label()).map(shortened);
    let problem = match &label {
        Some(label) => {
            let start = label.offset().saturating_add(shift);
            problem.at(&source.text, start, start.saturating_add(label.len()))
        }
        None => problem,
    };
    match error.help().map(|help| help.to_string()).or(expected) {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// What Cedar expected, if that are not so many things that it says nothing.
fn shortened(expected: &str) -> String {
    const MOST: usize = 6;
    if expected.matches(',').count() < MOST {
        return expected.to_owned();
    }
    if expected.contains("string literal") {
        return "something is missing here: a name, a number, a text or a part in brackets".into();
    }
    if expected.contains("`in`") {
        return "a comma or a bracket may be missing before this".into();
    }
    expected.to_owned()
}

fn annotation_problem(source: &Source, written: Option<&PolicyText>, wrong: &Wrong) -> Problem {
    let annotation = written.map(|text| {
        text.annotations.iter().find(|one| *one.name == *wrong.annotation).map_or(text.span, |one| one.span)
    });
    let problem = at(Problem::new(wrong.code, &source.name, wrong.text.as_str()), source, annotation);
    match &wrong.help {
        Some(help) => problem.help(help.as_str()),
        None => problem,
    }
}

fn at(problem: Problem, source: &Source, span: Option<Span>) -> Problem {
    match span {
        Some(span) => problem.at(&source.text, span.start, span.end),
        None => problem,
    }
}
