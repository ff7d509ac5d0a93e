//! What is valid, and hardly meant: each lint fires where it should, and nowhere else.

use agentauth_cedar::{Severity, Sources, lint};
use insta::assert_snapshot;

const SCHEMA: &str = r#"
    @kind("case") entity Case in [Court] { owner: User, judge?: User };
    entity Court;
    action "motions:file" appliesTo {
        principal: [User, Client, Account], resource: [Case, Server],
        context: { arguments: { title?: String, fee: Long } }
    };
    action "cases:read" appliesTo { principal: User, resource: Case };
"#;

/// A policy about which there is nothing to say, so that a set permits something.
const PLAIN: &str = r#"@id("plain") permit (
    principal in Group::"clerks", action == Action::"cases:read", resource
) when { context.agent in TrustDomain::"court.example" };"#;

fn findings(policies: &str) -> Vec<agentauth_cedar::Finding> {
    lint(&Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", policies)).unwrap().findings
}

/// The codes of the warnings about `policies`, beside a plain one.
fn warnings(policies: &str) -> Vec<&'static str> {
    let found = findings(&format!("{PLAIN}\n{policies}"));
    found.iter().filter(|one| one.severity == Severity::Warning).map(|one| one.problem.code).collect()
}

/// What is found in one condition on filing.
fn in_condition(effect: &str, condition: &str) -> Vec<&'static str> {
    let scope = "(principal in Group::\"g\", action == Action::\"motions:file\", resource is Case)";
    warnings(&format!("@id(\"a\") {effect} {scope} {condition};"))
}

#[test]
fn a_permit_without_limits_is_found() {
    assert_eq!(warnings("permit (principal, action, resource);"), ["lint_always_allow"]);
    for policy in [
        "permit (principal, action == Action::\"cases:read\", resource);",
        "permit (principal is User, action == Action::\"motions:file\", resource is Case) when { context.arguments.fee < 5 };",
    ] {
        assert_eq!(warnings(policy), ["lint_any_agent"], "{policy}");
    }
    for policy in [
        "forbid (principal, action, resource == Case::\"1\");",
        "permit (principal, action == Action::\"cases:read\", resource) when { resource.owner == principal };",
        "permit (principal, action, resource) when { context.agent in TrustDomain::\"a.example\" };",
        "permit (principal is User in Group::\"g\", action, resource);",
        "permit (principal, action, resource) when { context.delegation.depth == 1 };",
    ] {
        assert_eq!(warnings(policy), [""; 0], "{policy}");
    }
}

/// A condition that all meet limits nobody, whatever it speaks of.
#[test]
fn a_condition_that_always_holds_is_no_limit() {
    for condition in [
        "when { true }",
        "unless { false }",
        "when { context.agent == context.agent }",
        "when { principal in principal && true }",
        "when { context.delegation.depth >= 0 }",
        "unless { context.delegation.depth < 0 }",
        "when { context.agent in TrustDomain::\"a.example\" || 1 < 2 }",
        "when { principal is User || principal is Client || principal is Account }",
        "when { context has agent } unless { !(context has delegation) }",
    ] {
        assert_eq!(
            warnings(&format!("permit (principal, action, resource) {condition};")),
            ["lint_always_allow"],
            "{condition}"
        );
        let on_one = format!("permit (principal, action == Action::\"cases:read\", resource) {condition};");
        assert_eq!(warnings(&on_one), ["lint_any_agent"], "{condition}");
    }
    for condition in [
        "when { principal is User }",
        "when { context.delegation.depth >= 1 }",
        "when { context.agent in TrustDomain::\"a.example\" || 2 < 1 }",
        "unless { context.agent == Agent::\"spiffe://court.example/a\" && true }",
    ] {
        assert_eq!(warnings(&format!("permit (principal, action, resource) {condition};")), [""; 0], "{condition}");
    }
}

/// Cedar's parser follows brackets on the stack, and its validator takes for valid what is too deep for it.
#[test]
fn what_cedar_would_not_look_into_is_refused() {
    let code = |schema: &str, condition: &str| {
        let policies = format!("{PLAIN}\npermit (principal, action, resource) when {{ {condition} }};");
        let sources =
            Sources::new().schema("a.cedarschema", &format!("{SCHEMA}\n{schema}")).policies("a.cedar", &policies);
        lint(&sources).map_or_else(|problems| problems.iter().next().unwrap().code, |_| "taken")
    };
    let around = |open: &str, times: usize, close: &str| format!("{}true{}", open.repeat(times), close.repeat(times));
    for (condition, expected) in [
        (around("(", 19, ")"), "taken"),
        (around("(", 500, ")"), "policy_too_deep"),
        (around("if true then ", 2000, " else true"), "policy_too_deep"),
        (around("[if ", 60, " then true else true]"), "policy_too_deep"),
        (format!("{} && context.nonsense == 1", vec!["true"; 50].join(" && ")), "policy_unknown_attribute"),
        (format!("{} && context.nonsense == 1", vec!["true"; 2000].join(" && ")), "policy_too_deep"),
        (format!("context{}", "[\"a\"]".repeat(500)), "policy_too_deep"),
    ] {
        assert_eq!(code("", &condition), expected, "{condition:.60}");
    }
    let nested = format!("type T = {}Long{};", "{a: ".repeat(500), "}".repeat(500));
    assert_eq!(code(&nested, "true"), "policy_too_deep");
}

#[test]
fn a_policy_that_never_applies_is_found_with_the_condition() {
    for condition in [
        "when { false }",
        "when { principal == resource }",
        "when { context.arguments.fee > 1 && context has nothing }",
        "unless { 1 == 1 }",
        "when { resource in Group::\"g\" }",
    ] {
        assert_eq!(in_condition("permit", condition), ["lint_never_matches"], "{condition}");
    }
    assert_eq!(warnings("permit (principal == Group::\"g\", action, resource);"), ["lint_never_matches"]);
    assert_eq!(
        warnings("permit (principal in Group::\"g\", action == Action::\"cases:read\", resource is Server);"),
        ["lint_never_matches"]
    );
    for condition in ["when { true }", "when { resource in Court::\"c\" }", "unless { context.arguments.fee > 1 }"] {
        assert_eq!(in_condition("permit", condition), [""; 0], "{condition}");
    }
}

#[test]
fn a_permit_under_a_forbid_without_conditions_is_found() {
    let permit = "permit (principal in Group::\"g\", action == Action::\"cases:read\", resource == Case::\"1\");";
    for (forbid, found) in [
        ("forbid (principal, action, resource == Case::\"1\");", &["lint_overruled"][..]),
        ("forbid (principal, action == Action::\"cases:read\", resource == Case :: \"1\" );", &["lint_overruled"]),
        ("forbid (principal, action, resource == Case::\"2\");", &[]),
        ("forbid (principal, action, resource == Case::\"1\") when { context.delegation.depth > 1 };", &[]),
        ("@mode(\"shadow\") forbid (principal, action, resource == Case::\"1\");", &[]),
    ] {
        assert_eq!(warnings(&format!("{permit}\n{forbid}")), found, "{forbid}");
    }
}

#[test]
fn a_policy_that_stands_twice_is_found() {
    let policy = "permit (principal in Group::\"g\", action, resource) when { context.delegation.depth < 2 };";
    let again = policy.replace(" (", "(\n// again\n");
    assert_eq!(warnings(&format!("@id(\"a\") {policy} @id(\"b\") {again}")), ["lint_duplicate"]);
    assert_eq!(warnings(&format!("@id(\"a\") {policy} @id(\"b\") @mode(\"shadow\") {again}")), [""; 0]);
    assert_eq!(warnings(&format!("@id(\"a\") {policy} @id(\"b\") {}", policy.replace("< 2", "< 3"))), [""; 0]);
}

#[test]
fn a_set_that_permits_nothing_is_found() {
    for policies in [
        "",
        "forbid (principal, action, resource);",
        "@mode(\"shadow\") permit (principal in Group::\"g\", action, resource);",
    ] {
        let found = findings(policies);
        assert_eq!(found.iter().filter(|one| one.problem.code == "lint_nothing_permitted").count(), 1, "{policies}");
    }
    assert!(findings(PLAIN).iter().all(|one| one.severity == Severity::Note));
}

#[test]
fn arithmetic_that_an_argument_can_make_overflow_is_found() {
    for condition in [
        "when { context.arguments.fee * 1000000 > 100000 }",
        "when { context.arguments.fee * context.arguments.fee > 100 }",
        "when { context.arguments.fee <= 1000 && context.arguments.fee * 10000 > 5 }",
        "when { context.arguments.fee * 10000 > 5 && context.arguments.fee <= 1000 && context.arguments.fee >= 0 }",
        "when { context.arguments.fee < 0 || context.arguments.fee * 10000 > 5 }",
        "when { if context.arguments.fee > 5 then context.arguments.fee * 10000 > 5 else false }",
        "unless { 5 > context.arguments.fee * 10000 }",
        "when { !(context.arguments.fee * 10000 > 5) }",
    ] {
        for effect in ["permit", "forbid"] {
            assert_eq!(in_condition(effect, condition), ["lint_overflow"], "{effect} {condition}");
        }
    }
    for condition in [
        // No argument is beyond 2^53.
        "when { context.arguments.fee * 1000 > 100000 }",
        "when { context.arguments.fee + 1 > 100 && -context.arguments.fee < 5 }",
        "when { context.arguments.fee <= 1000 && 0 < context.arguments.fee && context.arguments.fee * 10000 > 5 }",
        "when { context.arguments.fee <= 1000 && context.arguments.fee >= 0 } when { context.arguments.fee * 10000 > 5 }",
        "unless { context.arguments.fee > 1000 || context.arguments.fee < 0 } when { context.arguments.fee * 10000 > 5 }",
        "when { context.arguments.fee > 1000 || context.arguments.fee < 0 || context.arguments.fee * 10000 > 5 }",
        "when { if context.arguments.fee == 5 then context.arguments.fee * 10000 > 5 else false }",
        "when { !(context.arguments.fee > 9 || context.arguments.fee < 0) && context.arguments.fee * 10000 > 5 }",
        "when { context.delegation.depth * 10000 > 5 }",
    ] {
        assert_eq!(in_condition("forbid", condition), [""; 0], "{condition}");
    }
}

#[test]
fn an_entity_behind_another_is_found() {
    let far = "when { resource.owner.issuer == \"https://sts.court.example\" }";
    assert_eq!(in_condition("forbid", far), ["lint_far_entity"]);
    assert_eq!(
        in_condition("forbid", "when { resource.owner == principal && context.agent.name like \"*x\" }"),
        [""; 0]
    );
}

#[test]
fn a_name_that_nobody_can_have_is_found() {
    for (name, is_one) in [
        ("context.agent == Agent::\"lawyer\"", false),
        ("context.agent == Agent::\"spiffe://Court.example/x\"", false),
        ("context.agent == Agent::\"https://sts.example#\"", false),
        ("context.agent == Agent::\"spiffe://court.example/x\"", true),
        ("context.agent == Agent::\"https://sts.example#lawyer\"", true),
        ("context.agent in SpiffePath::\"spiffe://court.example\"", false),
        ("context.agent in SpiffePath::\"spiffe://court.example/x/\"", false),
        ("context.agent in SpiffePath::\"court.example/x\"", false),
        ("context.agent in SpiffePath::\"spiffe://court.example/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17\"", false),
        ("context.agent in SpiffePath::\"spiffe://court.example/x\"", true),
        ("context.agent in TrustDomain::\"spiffe://court.example\"", false),
        ("context.agent in TrustDomain::\"court.example\"", true),
        ("context.delegation.issuer == Issuer::\"the sts\"", false),
        ("context.delegation.issuer == Issuer::\"https://sts.example\"", true),
        ("principal == User::\"alice\"", false),
        ("principal == User::\"alice@https://sts.example\"", false),
        ("principal == User::\"https://sts.example#t#alice\"", true),
        ("principal in Subject::\"https://sts.example#t#alice\"", false),
        ("principal in Subject::\"https://sts.example#alice\"", true),
        ("context.server == Server::\"tools\"", false),
        ("context.server == Server::\"https://tools.example\"", true),
    ] {
        let expected: &[&str] = if is_one { &[] } else { &["lint_unknown_name"] };
        assert_eq!(in_condition("permit", &format!("when {{ {name} }}")), expected, "{name}");
    }
    assert_eq!(warnings("permit (principal == User::\"bob\", action, resource);"), ["lint_unknown_name"]);
}

#[test]
fn a_budget_of_an_argument_that_no_action_has_is_found() {
    let lint: &[&str] = &["lint_unknown_argument"];
    let file = r#"action == Action::"motions:file""#;
    let (none, read) = ("action", r#"action == Action::"cases:read""#);
    let both = r#"action in [Action::"motions:file", Action::"cases:read"]"#;
    for (action, budget, expected) in [
        (file, "fee 500/1d", &[][..]),
        (file, "spend: fee 500/1d", &[]),
        (file, "fees 500/1d", lint),
        (file, "spend: fees 500/1d", lint),
        (file, "title 500/1d", lint),
        (read, "fee 500/1d", lint),
        (both, "fee 500/1d per principal", &[]),
        (none, "fee 500/1d", &[]),
        (none, "total 500/1d", lint),
    ] {
        let policy = format!(r#"@id("a") @budget("{budget}") permit (principal in Group::"g", {action}, resource);"#);
        assert_eq!(warnings(&policy), expected, "{policy}");
    }
}

#[test]
fn letters_that_look_like_others_are_found() {
    for (text, expected) in
        [("say \u{202e}on", &["lint_confusable"][..]), ("c\u{430}se", &["lint_confusable"]), ("caf\u{e9}", &[])]
    {
        let condition = format!("when {{ context.arguments has title && context.arguments.title == \"{text}\" }}");
        assert_eq!(in_condition("forbid", &condition), expected, "{text}");
    }
}

#[test]
fn what_is_worth_knowing_is_a_note() {
    let notes = |policy: &str| -> Vec<&str> {
        let found = findings(&format!("{PLAIN}\n{policy}"));
        found.iter().filter(|one| one.severity == Severity::Note).map(|one| one.problem.code).collect()
    };
    let scope = "(principal in Group::\"g\", action == Action::\"motions:file\", resource is Case)";
    assert_eq!(notes(&format!("forbid {scope};")), ["lint_unnamed"]);
    assert_eq!(
        notes(&format!("@id(\"a\") forbid {scope} when {{ context.arguments.fee > 1 }};")),
        ["lint_undecided_in_lists"]
    );
    assert_eq!(
        notes(&format!("@id(\"a\") forbid {scope} when {{ resource.owner == principal }};")),
        ["lint_needs_entity"]
    );
    assert_eq!(notes(&format!("@id(\"a\") forbid {scope} when {{ context.delegation.depth > 1 }};")), [""; 0]);
}

#[test]
fn findings_tell_their_place_and_what_to_do() {
    let policies = format!(
        "{PLAIN}\npermit (principal, action, resource);\n@id(\"guard\")\nforbid (principal == User::\"https://sts.court.example#bob\", action == \
         Action::\"motions:file\", resource)\nwhen {{\n    context.arguments.fee * 1000000 > 100000 &&\n    \
         principal == resource\n}};\n"
    );
    let shown: Vec<String> = findings(&policies).iter().map(ToString::to_string).collect();
    assert_snapshot!("findings", shown.join("\n\n"));
}
