//! What is read here is what Cedar reads: written out with every bracket, it is the same policy to Cedar.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use cedar_policy::PolicySet;

use super::*;

/// `expr` with brackets around every part of it.
fn bracketed(source: &str, expr: &Expr) -> String {
    let one = |expr: &Expr| format!("({})", bracketed(source, expr));
    let joined = |exprs: &[Expr], between: &str| exprs.iter().map(one).collect::<Vec<_>>().join(between);
    // What stands behind the last part.
    let rest = |last: &Expr| {
        let rest = Span { start: last.span.end, end: expr.span.end }.of(source).trim_start();
        rest.trim_start_matches([')', ' ', '\n', '\t', '\r']).to_owned()
    };
    match &expr.kind {
        Kind::Bool(flag) => flag.to_string(),
        Kind::Long(number) => number.to_string(),
        Kind::Variable(name) => name.to_string(),
        Kind::Text | Kind::Entity(_) | Kind::Slot => expr.span.of(source).to_owned(),
        Kind::Not(inner) => format!("!{}", one(inner)),
        Kind::Negated(inner) => format!("-{}", one(inner)),
        Kind::All(parts) => joined(parts, " && "),
        Kind::Any(parts) => joined(parts, " || "),
        Kind::Binary(sign, left, right) => format!("{} {sign} {}", one(left), one(right)),
        Kind::Has(left) | Kind::Like(left) | Kind::Is(left, None) => format!("{} {}", one(left), rest(left)),
        Kind::Is(left, Some(right)) => {
            let kind = rest(left);
            let kind = kind.trim_start_matches("is").split_whitespace().next().unwrap();
            format!("{} is {kind} in {}", one(left), one(right))
        }
        Kind::If(three) => format!("if {} then {} else {}", one(&three[0]), one(&three[1]), one(&three[2])),
        Kind::Get(of, name) => format!("{}[\"{name}\"]", one(of)),
        Kind::Function(name, arguments) => format!("{name}({})", joined(arguments, ", ")),
        Kind::Method(of, name, arguments) => format!("{}.{name}({})", one(of), joined(arguments, ", ")),
        Kind::Set(items) => format!("[{}]", joined(items, ", ")),
        // The names of its members are not kept.
        Kind::Record(_) => expr.span.of(source).to_owned(),
    }
}

fn json(policies: &str) -> serde_json::Value {
    let set = PolicySet::from_str(policies).unwrap_or_else(|error| panic!("{policies}: {error}"));
    set.to_json().unwrap()
}

/// How many policies were compared.
fn compare(source: &str) -> usize {
    let read = policies(source);
    let rewritten = read.iter().map(|policy| {
        let conditions = policy.conditions.iter().map(|condition| {
            let word = if condition.unless { "unless" } else { "when" };
            format!("{word} {{ {} }}", bracketed(source, &condition.body))
        });
        let head = Span { start: policy.span.start, end: policy.scope[2].span.end };
        format!("{}) {};\n", head.of(source), conditions.collect::<Vec<_>>().join(" "))
    });
    assert_eq!(json(source), json(&rewritten.collect::<String>()), "{source}");
    read.len()
}

#[test]
fn policies_are_read_as_cedar_reads_them() {
    for conditions in [
        "when { context.c == 1 || principal.x && !resource.y || context.z has a.b && true }",
        "when { 1 + 2 * 3 - -4 == context.a - (5 - 6) } unless { !(principal in resource) }",
        "when { if principal has a then principal.a else (if true then false else true) }",
        "when { (if true then 1 else 2) < 3 && [1, (2), 3,].contains(context[\"a b\"].c) }",
        "when { ip(\"::1\").isInRange(ip(\"::/0\")) && principal is A::B in C::\"d\\\"e\" && action in [Action::\"x\"] }",
        "when { {a: 1, \"b c\": {d: [true]}}.a == 1 && principal.name like \"a*\\\\*\" } // the end\n",
        "when { !!(principal.a) && ((((context.b)))) == \"//;}\" }",
    ] {
        for scope in [
            "principal, action, resource",
            "principal is A in B::\"c\", action in [Action::\"a\"], resource == C::\"d\"",
        ] {
            let policy = format!("({scope}) {conditions};\n");
            assert_eq!(compare(&format!("@a(\"b\") @c permit {policy} forbid {policy}")), 2);
        }
    }
}

#[test]
fn policies_of_others_are_read_as_cedar_reads_them() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/cedar-integration-tests");
    let mut folders = vec![vectors.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "cedar") {
                files.push(entry.path());
            }
        }
    }
    if files.is_empty() {
        println!("skipped: no policies in {}", vectors.display());
        return;
    }
    let compared: usize = files.iter().map(|file| compare(&fs::read_to_string(file).unwrap())).sum();
    assert!(compared > 20, "{compared} policies");
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let read = policies("permit (principal, action, resource) when { ( };\nforbid (principal, action, resource);");
    assert_eq!(read.iter().map(|policy| policy.permits).collect::<Vec<_>>(), [false]);
    assert!(policies("permit (principal, action, resource) when { \"open };").is_empty());
    let deep = format!("permit (principal, action, resource) when {{ {}true{} }};", "(".repeat(5000), ")".repeat(5000));
    assert!(policies(&deep).is_empty());
}

#[test]
fn a_condition_is_taken_apart_where_its_parts_are_needed() {
    let source = "permit (principal, action, resource) when { context.a && (context.b.c || true) && (context.d && !context.e) };";
    let read = policies(source);
    let parts: Vec<&str> = read[0].conditions[0].body.conjuncts().iter().map(|part| part.span.of(source)).collect();
    assert_eq!(parts, ["context.a", "context.b.c || true", "context.d", "!context.e"]);
    let paths: Vec<&str> = read[0].conditions[0].body.paths().iter().map(|path| path.span.of(source)).collect();
    assert_eq!(paths, ["context.a", "context.b.c", "context.d", "context.e"]);
}
