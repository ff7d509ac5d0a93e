//! What is wrong with policy files: all of it at once, each with its place and what to do.

use agentauth_cedar::{CedarPolicies, Sources};
use insta::assert_snapshot;

use crate::support::SCHEMA;

/// Two files with a dozen mistakes, and right policies between them.
const FILING: &str = r#"@id("typo") @aproval("8h")
permit (principal, action == Action::"motions:file", resource);

@id("right")
permit (principal, action == Action::"records:read", resource is Case);

@mode("shadwo")
permit (principal, action == Action::"motion:file", resource);

permit (principal, action == Action::"motions:file", resource is Cse)
when { context.arguments.title like "*motion*" };

permit (principal, action == Action::"motions:file", resource)
when {
    context.arguments.fees <= 500 &&
    context.arguments.fee <= "500" &&
    context.agent.nick == "lawyer"
};

@id("right")
forbid (principal, action, resource == Case::"99");
"#;

const READING: &str = r#"permit (principal, action = Action::"records:read", resource);

permit (principal, action, resource) when { context.delegation.mode == Mode::"on-behalf" };

forbid (principal, resource, action);

forbid (principal, action, resource) where { true };

@approval("soon")
permit (principal, action, resource) unless { context.delegation.depth > };
"#;

fn problems(sources: &Sources) -> String {
    CedarPolicies::new(sources).unwrap_err().to_string()
}

/// The codes in the order of their places.
fn codes(policies: &str) -> Vec<&'static str> {
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", policies);
    match CedarPolicies::new(&sources) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.code).collect(),
    }
}

#[test]
fn every_mistake_of_a_directory_is_told_at_once() {
    let sources = Sources::new()
        .schema("a.cedarschema", SCHEMA)
        .policies("filing.cedar", FILING)
        .policies("reading.cedar", READING);
    assert_snapshot!("mistakes", problems(&sources));
}

/// What would be checked as one thing and evaluated as another, or never be given.
#[test]
fn a_schema_declares_nothing_that_is_not_so() {
    let with =
        |context: &str| format!("action \"a\" appliesTo {{ principal: User, resource: Server, context: {context} }};");
    for (schema, text) in [
        (format!("type datetime = String; {}", with("{}")), "`datetime` is a type of Cedar's own"),
        (format!("entity decimal; {}", with("{}")), "`decimal` is a type of Cedar's own"),
        (format!("namespace N {{ type ipaddr = String; {} }}", with("{}")), "`ipaddr` is a type of Cedar's own"),
        (with("{ arguments: { fee: Long }, suspicious?: Bool }"), "action `a`: nobody gives `context.suspicious`"),
        (format!("type C = {{ arguments: {{}} }}; {}", with("C")), "action `a`: its context is a type with a name"),
    ] {
        let found = problems(&Sources::new().schema("a.cedarschema", &schema).policies("a.cedar", ""));
        assert!(found.contains(text), "{found}");
    }
}

#[test]
fn habits_of_other_languages_are_answered_with_what_is_written_here() {
    let schema = |context: &str| {
        format!(
            "type Ctx = {{}};\naction \"pay\" appliesTo {{ principal: User, resource: Server, context: {context} }};"
        )
    };
    let permit =
        r#"permit (principal, action == Action::"pay", resource) when { context.delegation.mode == "client_only" };"#;
    for (context, policies, said) in [
        ("{ arguments: { amount: Int } }", "", "write `Long`"),
        ("{ arguments: { amount: Float } }", "", "write `decimal`"),
        ("{ arguments: { amount: Set } }", "", "write `Set<String>`"),
        ("{ amount: Long }", "", "nobody gives `context.amount`"),
        ("{ arguments: {}, ip?: String }", "", "nobody gives `context.ip`"),
        ("Ctx", "", "its context is a type with a name"),
        ("{}", permit, "write an entity with its type: `Mode::\"...\"`"),
    ] {
        let sources = Sources::new().schema("a.cedarschema", &schema(context)).policies("a.cedar", policies);
        let told = problems(&sources);
        assert!(told.contains(said) && told.starts_with("a.cedar"), "{context}: {told}");
    }
    let no_schema = problems(&Sources::new().policies("a.cedar", permit));
    assert!(no_schema.contains("declare them in a `*.cedarschema` file"), "{no_schema}");
}

#[test]
fn a_schemas_mistakes_are_told_with_those_of_the_policies() {
    let schema = "@kind(\"case\") entity Case in [Cabinet] { owner: Usr };\nentity Court { name: string };\n";
    let policies = "permit (principal, action, resource) when { };";
    let unresolved = Sources::new().schema("a.cedarschema", schema).policies("a.cedar", policies);
    assert_snapshot!("schema_unresolved", problems(&unresolved));
    let schema = "entity Case\nentity Court;\naction \"a\" appliesTo { principal: User };\nentty Judge;\n";
    let broken = Sources::new().schema("a.cedarschema", schema).policies("a.cedar", policies);
    assert_snapshot!("schema_broken", problems(&broken));
    let twice = Sources::new()
        .schema("a.cedarschema", "entity Case;\nentity User { issuer: String };")
        .schema("b.cedarschema", "entity Case;\naction \"a\" appliesTo { principal: User, resource: Case, context: { arguments: { who: User } } };");
    assert_snapshot!("schema_twice", problems(&twice));
    let kinds = Sources::new().schema("a.cedarschema", "@kind(\"case\") entity Case;\n@kind(\"case\") entity Court;");
    assert!(problems(&kinds).contains("a.cedarschema:"), "{}", problems(&kinds));
    let parents = Sources::new()
        .schema("a.cedarschema", "action \"a\" in [\"b\"] appliesTo { principal: User, resource: Server };");
    assert!(problems(&parents).contains("a.cedarschema:1:16"), "{}", problems(&parents));
}

#[test]
fn each_mistake_has_its_code() {
    let when = |condition: &str| {
        format!("permit (principal, action == Action::\"motions:file\", resource is Case) when {{ {condition} }};")
    };
    for (policy, code) in [
        ("permit (principal, action);".to_owned(), "policy_syntax"),
        ("permit (principal, action, resource) when { \"a }".to_owned(), "policy_syntax"),
        ("@who(\"me\") permit (principal, action, resource);".to_owned(), "policy_annotation"),
        ("@approval(\"8h\") forbid (principal, action, resource);".to_owned(), "policy_annotation"),
        ("@mode(\"off\") permit (principal, action, resource);".to_owned(), "policy_mode"),
        (when("resource is Statue"), "policy_unknown_type"),
        (when("action == Action::\"burn\""), "policy_unknown_action"),
        (when("context.arguments.fees > 1"), "policy_unknown_attribute"),
        (when("resource.owner == principal"), "policy_unknown_attribute"),
        (when("context.arguments.title == \"a\""), "policy_unguarded"),
        (when("principal.tenant == \"a\""), "policy_unguarded"),
        (when("context.arguments.fee > \"1\""), "policy_type"),
        (when("context.arguments.fee == \"1\""), "policy_type"),
        (when("context.arguments has title && ip(context.arguments.title).isLoopback()"), "policy_invalid"),
        (when("ip(\"300.1.1.1\").isLoopback()"), "policy_invalid"),
        (when("[].contains(1)"), "policy_invalid"),
        (when("context.delegation.mode == Mode::\"x\""), "policy_unknown_value"),
    ] {
        assert_eq!(codes(&policy), [code], "{policy}");
        assert_eq!(codes(&policy.replace("};", "}; permit (principal, action, resource);")), [code], "{policy}");
    }
    let right = "permit (principal, action, resource);";
    assert_eq!(codes(right), [""; 0]);
    assert_eq!(codes(&format!("@id(\"a\") {right} @id(\"a\") {right}")), ["policy_duplicate"]);
}

/// A permission by such a name is only useless, and a warning.
#[test]
fn what_forbids_by_a_name_that_nobody_has_is_refused() {
    let schema = crate::support::SCHEMA;
    for name in [
        "(principal == User::\"bob\", action, resource)",
        "(principal in Subject::\"bob\", action, resource)",
        "(principal, action, resource) when { context.agent == Agent::\"thief\" }",
        "(principal, action, resource) unless { context.agent in TrustDomain::\"spiffe://court.example\" }",
    ] {
        let loaded = |effect: &str| {
            let sources = Sources::new().schema("a", schema).policies("a", &format!("{effect} {name};"));
            CedarPolicies::new(&sources).map(drop).map_err(|problems| problems.iter().next().unwrap().code)
        };
        assert_eq!(loaded("forbid"), Err("policy_unknown_name"), "{name}");
        assert_eq!(loaded("permit"), Ok(()), "{name}");
    }
}
