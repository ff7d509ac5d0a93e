//! Rules in files: the same rules as in Rust, or every problem with its place.

use std::fs;
use std::time::Duration;

use agentauth_core::policy::{
    Agents, Limit, MAX_RULES_BYTES, Obligation, Principals, Problems, Resources, Rule, Rules,
};
use agentauth_core::{AgentId, IssuerId, PolicyEngine, PrincipalId, SpiffeId};
use proptest::prelude::*;
use serde_json::{Value, json};

const STS: &str = "https://sts.court.example";

fn sts() -> IssuerId {
    IssuerId::new(STS).unwrap()
}

fn version(rules: Result<Rules, Problems>) -> String {
    rules.unwrap_or_else(|problems| panic!("{problems}")).version().to_string()
}

fn built(rules: impl IntoIterator<Item = Rule>) -> String {
    Rules::new(rules).unwrap().version().to_string()
}

fn codes(problems: Result<Rules, Problems>) -> Vec<&'static str> {
    problems.err().map(|problems| problems.iter().map(|problem| problem.code).collect()).unwrap_or_default()
}

/// The value as it is written in one line of TOML.
#[cfg(feature = "toml")]
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{} = {}", json!(key), inline(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The rules as a file in TOML has them.
#[cfg(feature = "toml")]
fn toml_of(file: &Value) -> String {
    let mut text = String::new();
    for (list, rules) in file.as_object().unwrap() {
        match rules.as_array() {
            Some(rules) if rules.iter().all(Value::is_object) => {
                for rule in rules {
                    text.push_str(&format!("[[{list}]]\n"));
                    for (key, value) in rule.as_object().unwrap() {
                        text.push_str(&format!("{key} = {}\n", inline(value)));
                    }
                }
            }
            _ => text.push_str(&format!("{list} = {}\n", inline(rules))),
        }
    }
    text
}

/// Reads `file` in each of the languages.
fn read(file: &Value) -> Vec<Result<Rules, Problems>> {
    vec![
        Rules::from_json("rules.json", &serde_json::to_string_pretty(file).unwrap()),
        #[cfg(feature = "toml")]
        Rules::from_toml("rules.toml", &toml_of(file)),
    ]
}

fn filled(rule: Rule) -> Rule {
    rule.agents(Agents::any()).principals(Principals::any()).action("a").resources(Resources::any())
}

fn condition(name: &str, terms: &str) -> Obligation {
    Obligation::read(name, terms).unwrap()
}

/// A rule with all its parts, and `others`.
fn entry(others: &Value) -> Value {
    let mut entry = json!({"id": "r", "agents": "any", "principals": "any", "action": "a", "resources": "any"});
    entry.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    entry
}

#[test]
fn a_file_says_what_the_builder_says() {
    let named = AgentId::named_by(&sts(), "app");
    let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse().unwrap();
    let allow = || filled(Rule::allow("r"));
    let pattern = |text: &str| text.parse::<agentauth_core::SpiffePattern>().unwrap();
    let tenant = PrincipalId::new(sts(), "alice").in_tenant("t");
    let eight_hours = Duration::from_secs(8 * 3600);
    for (others, rule) in [
        (json!({}), allow()),
        (json!({"agents": "spiffe://court.example/agent/lawyer"}), allow().agents(Agents::exactly(lawyer))),
        (
            json!({"agents": "spiffe://court.example/agent/**"}),
            allow().agents(Agents::matching(pattern("spiffe://court.example/agent/**"))),
        ),
        (
            json!({"agents": ["spiffe://court.example/a", "spiffe://court.example/*/b"]}),
            allow()
                .agents(Agents::matching_any(["spiffe://court.example/a", "spiffe://court.example/*/b"].map(pattern))),
        ),
        (json!({"agents": {"iss": STS, "sub": "app"}}), allow().agents(Agents::exactly(named))),
        (json!({"principals": "itself"}), allow().principals(Principals::itself())),
        (
            json!({"principals": {"iss": STS, "sub": "alice"}}),
            allow().principals(Principals::exactly(STS, "alice").unwrap()),
        ),
        (json!({"principals": {"iss": STS, "sub": "alice", "tenant": "t"}}), allow().principals(tenant.into())),
        (
            json!({"principals": {"iss": STS, "sub": "bot", "kind": "agent_account"}}),
            allow().principals(PrincipalId::agent_account(sts(), "bot").into()),
        ),
        (
            json!({"principals": {"iss": STS, "sub": "app", "kind": "client"}}),
            allow().principals(PrincipalId::client(sts(), "app").into()),
        ),
        (json!({"resources": {"kind": "case"}}), allow().resources(Resources::of_kind("case"))),
        (json!({"resources": {"kind": "case", "id": "1"}}), allow().resources(Resources::exactly("case", "1"))),
        (json!({"arguments": "any"}), allow().any_arguments()),
        (json!({"arguments": {}}), allow()),
        (
            json!({"arguments": {"fee": {"between": [0, 500]}, "title": {"max_length": 200}, "note": "any"}}),
            allow()
                .argument("fee", Limit::between(0, 500))
                .argument("title", Limit::max_length(200))
                .argument("note", Limit::any()),
        ),
        (
            json!({"arguments": {"kind": {"one_of": ["x", "y"]}, "to": {"exactly": "z"}, "sealed": false}}),
            allow()
                .argument("kind", Limit::one_of(["x", "y"]))
                .argument("to", Limit::exactly("z"))
                .argument("sealed", Limit::flag(false)),
        ),
        (
            json!({"arguments": {"fee": "any"}, "other_arguments": "any"}),
            allow().argument("fee", Limit::any()).any_arguments(),
        ),
        (
            json!({"even": ["client_only", "impersonation", "agent_account"]}),
            allow().even_client_only().even_impersonation().even_agent_account(),
        ),
        (json!({"approval": "8h"}), allow().needs_approval(eight_hours)),
        (
            json!({"budget": "fee 5000/1d", "rate": "10/1m"}),
            allow().on_condition_of(condition("budget", "fee 5000/1d")).on_condition_of(condition("rate", "10/1m")),
        ),
        (json!({"mode": "shadow"}), allow().shadow()),
        (json!({"mode": "enforce", "message": "Not here."}), allow().telling("Not here.")),
    ] {
        let expected = built([rule]);
        for rules in read(&json!({"allow": [entry(&others)]})) {
            assert_eq!(version(rules), expected, "{others}");
        }
    }
    let several = json!({"allow": [{
        "id": "r", "agents": "any", "principals": "any", "actions": ["a", "b"], "resources": "any",
    }], "deny": [{"id": "d", "agents": "any", "principals": "any", "action": "c", "resources": "any"}]});
    let expected = built([allow().actions(["a", "b"]), filled(Rule::deny("d")).action("c")]);
    read(&several).into_iter().for_each(|rules| assert_eq!(version(rules), expected));
    assert_eq!(version(Rules::from_json("none", "{}")), built([]));
}

fn strategy() -> impl Strategy<Value = Value> {
    let agents = prop::sample::select(vec![
        json!("any"),
        json!("spiffe://court.example/agent"),
        json!("spiffe://court.example/*/lawyer/**"),
        json!({"iss": STS, "sub": "é \"quoted\" \\ 'x'"}),
    ]);
    let principals =
        prop::sample::select(vec![json!("any"), json!("itself"), json!({"iss": STS, "sub": "alice", "tenant": "t"})]);
    let argument = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (any::<i32>(), 0..i32::MAX)
            .prop_map(|(least, more)| json!({"between": [least, i64::from(least) + i64::from(more)]})),
        "[ -~é]{0,9}".prop_map(|text| json!({"exactly": text})),
        Just(json!("any")),
    ];
    let arguments = prop::collection::btree_map("[a-z\"é .]{1,5}", argument, 0..4);
    (agents, principals, arguments, "[ -~é]{1,20}", any::<bool>()).prop_map(
        |(agents, principals, arguments, message, shadow)| {
            entry(&json!({
                "agents": agents, "principals": principals, "arguments": arguments, "message": message,
                "mode": if shadow { "shadow" } else { "enforce" },
            }))
        },
    )
}

proptest! {
    /// TOML and JSON are two ways to write the same.
    #[cfg(feature = "toml")]
    #[test]
    fn what_is_written_is_what_is_read(entries in prop::collection::vec(strategy(), 0..5)) {
        let numbered = entries.into_iter().enumerate().map(|(number, mut entry)| {
            entry["id"] = format!("r{number}").into();
            entry
        });
        let file = json!({"allow": numbered.collect::<Vec<_>>()});
        let versions: Vec<_> = read(&file).into_iter().map(version).collect();
        prop_assert_eq!(&versions[0], &versions[1]);
    }

    /// Whatever stands in a file, it is refused with places, and nothing panics.
    #[test]
    fn a_file_with_a_piece_missing_is_no_other_set_of_rules(from in 0..400usize, length in 1..40usize) {
        let file = json!({"allow": [entry(&json!({"arguments": {"fee": {"between": [0, 5]}}, "approval": "8h"}))]});
        let text = serde_json::to_string_pretty(&file).unwrap();
        let kept: String = text.chars().take(from).chain(text.chars().skip(from + length)).collect();
        if let Err(problems) = Rules::from_json("rules.json", &kept) {
            prop_assert!(problems.iter().all(|problem| problem.place.is_some()));
        }
    }
}

#[test]
fn each_fault_of_a_file_has_its_code() {
    let deny = |others: Value| json!({"deny": [entry(&others)]});
    let allow = |others: Value| json!({"allow": [entry(&others)]});
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    for (file, expected) in [
        (json!({"alow": [entry(&json!({}))]}), "rules_key_unknown"),
        (allow(json!({"agnets": "any"})), "rules_key_unknown"),
        (allow(json!({"notary": "8h"})), "rules_key_unknown"),
        (allow(json!({"arguments": {"a": {"less_than": 5}}})), "rules_key_unknown"),
        (allow(json!({"principals": {"iss": STS, "sub": "a", "x": 1}})), "rules_key_unknown"),
        (json!({"allow": {"id": "r"}}), "rules_wrong_type"),
        (json!({"allow": ["r"]}), "rules_wrong_type"),
        (allow(json!({"id": 5})), "rules_wrong_type"),
        (allow(json!({"agents": true})), "rules_wrong_type"),
        (allow(json!({"even": "client_only"})), "rules_wrong_type"),
        (allow(json!({"approval": 8})), "rules_wrong_type"),
        (allow(json!({"arguments": {"a": 5}})), "rules_wrong_type"),
        (allow(json!({"arguments": {"a": {"max_length": -1}}})), "rules_wrong_type"),
        (allow(json!({"arguments": {"a": 1.5}})), "rules_wrong_type"),
        (allow(json!({"id": ""})), "rules_wrong_value"),
        (allow(json!({"id": "x".repeat(129)})), "rules_wrong_value"),
        (allow(json!({"id": "a\nb"})), "rules_wrong_value"),
        (allow(json!({"agents": "Any"})), "rules_wrong_value"),
        (allow(json!({"agents": "*"})), "rules_wrong_value"),
        (allow(json!({"agents": []})), "rules_wrong_value"),
        (allow(json!({"agents": ["any"]})), "rules_wrong_value"),
        (allow(json!({"agents": "spiffe://court.example/law*"})), "rules_wrong_value"),
        (allow(json!({"agents": {"iss": STS}})), "rules_wrong_value"),
        (allow(json!({"agents": {"iss": "a b", "sub": "x"}})), "rules_wrong_value"),
        (allow(json!({"principals": "alice"})), "rules_wrong_value"),
        (allow(json!({"principals": {"iss": STS, "sub": ""}})), "rules_wrong_value"),
        (allow(json!({"principals": {"iss": STS, "sub": "a", "kind": "human"}})), "rules_wrong_value"),
        (allow(json!({"resources": "case"})), "rules_wrong_value"),
        (allow(json!({"resources": {"kind": ""}})), "rules_wrong_value"),
        (allow(json!({"resources": {"id": "1"}})), "rules_wrong_value"),
        (allow(json!({"action": "motions:*"})), "rules_wrong_value"),
        (allow(json!({"action": "any"})), "rules_wrong_value"),
        (allow(json!({"action": "a b"})), "rules_wrong_value"),
        (allow(json!({"actions": ["b"]})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": {}}})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": "x"}})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": {"between": [5, 1]}}})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": {"between": [1]}}})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": {"one_of": []}}})), "rules_wrong_value"),
        (allow(json!({"arguments": {"a": {"one_of": ["x"], "max_length": 5}}})), "rules_wrong_value"),
        (allow(json!({"other_arguments": "none"})), "rules_wrong_value"),
        (allow(json!({"even": ["on_behalf_of"]})), "rules_wrong_value"),
        (allow(json!({"mode": "monitor"})), "rules_mode_unknown"),
        (allow(json!({"approval": "8 hours"})), "rules_condition_malformed"),
        (allow(json!({"approval": "8d"})), "rules_condition_malformed"),
        (allow(json!({"agents": deep})), "rules_too_deep"),
        (allow(json!({"message": ""})), "rule_telling"),
        (json!({"allow": [entry(&json!({})), entry(&json!({}))]}), "rule_duplicate"),
        (json!({"allow": [entry(&json!({}))], "deny": [entry(&json!({}))]}), "rule_duplicate"),
        (
            json!({"allow": [{"agents": "any", "principals": "any", "action": "a", "resources": "any"}]}),
            "rule_incomplete",
        ),
        (json!({"allow": [{"id": "r", "principals": "any", "action": "a", "resources": "any"}]}), "rule_incomplete"),
        (json!({"allow": [{"id": "r", "agents": "any", "principals": "any", "action": "a"}]}), "rule_incomplete"),
        (json!({"allow": [{"id": "r", "agents": "any", "principals": "any", "resources": "any"}]}), "rule_incomplete"),
        (deny(json!({"arguments": {"fee": "any"}})), "rule_deny_with_arguments"),
        (deny(json!({"approval": "8h"})), "rule_deny_with_approval"),
        (deny(json!({"rate": "10/1m"})), "rule_deny_with_condition"),
    ] {
        for rules in read(&file) {
            assert_eq!(codes(rules), [expected], "{file}");
        }
    }
    let json = |text: &str| codes(Rules::from_json("rules.json", text));
    for (text, expected) in [
        ("", "rules_syntax"),
        ("{", "rules_syntax"),
        ("{} {}", "rules_syntax"),
        (r#"{"allow": [{"id": "\ud800"}]}"#, "rules_syntax"),
        ("[]", "rules_wrong_type"),
        (r#"{"allow": null}"#, "rules_wrong_type"),
        (r#"{"allow": [], "allow": []}"#, "rules_key_twice"),
        (&" ".repeat(MAX_RULES_BYTES + 1), "rules_oversize"),
    ] {
        assert_eq!(json(text), [expected], "{text:.40}");
    }
    assert_eq!(json(&"[".repeat(1_000_000)), ["rules_syntax"]);
    assert_eq!(json(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), ["rules_too_deep"]);
    #[cfg(feature = "toml")]
    for (text, expected) in [
        ("[[allow]]\nid = ", "rules_syntax"),
        ("[[allow]]\nid = 'a'\nid = 'b'", "rules_key_twice"),
        ("[allow]\nid = 'a'", "rules_wrong_type"),
        ("[[allow]]\nid = 2027-01-01", "rules_wrong_type"),
    ] {
        assert!(codes(Rules::from_toml("rules.toml", text)).contains(&expected), "{text}");
    }
}

#[test]
fn all_problems_of_a_file_are_found_at_once_and_no_more_are_kept_than_are_read() {
    let many: Vec<Value> = (0..5_000).map(|_| json!({"id": 5})).collect();
    let problems = Rules::from_json("rules.json", &json!({"allow": many}).to_string()).unwrap_err();
    assert_eq!(problems.iter().count(), 100);
    assert!(problems.to_string().ends_with("... and 24900 more"), "{problems}");
    assert!(problems.to_string().len() < 100_000);
}

#[test]
fn rules_are_read_from_a_file_by_its_name() {
    let folder = std::env::temp_dir().join(format!("agentauth-rules-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let written = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        Rules::from_file(path)
    };
    let good = json!({"allow": [entry(&json!({}))]});
    assert_eq!(version(written("rules.json", good.to_string().as_bytes())), built([filled(Rule::allow("r"))]));
    #[cfg(feature = "toml")]
    assert_eq!(version(written("rules.toml", toml_of(&good).as_bytes())), built([filled(Rule::allow("r"))]));
    assert_eq!(codes(written("rules.yaml", b"{}")), ["rules_unreadable"]);
    assert_eq!(codes(written("latin.json", b"\xff")), ["rules_unreadable"]);
    assert_eq!(codes(written("large.json", &vec![b' '; MAX_RULES_BYTES + 1])), ["rules_oversize"]);
    assert_eq!(codes(Rules::from_file(folder.join("none.json"))), ["rules_unreadable"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_problems_of_a_json_file_are_shown_where_they_are() {
    let text = r#"{
  "allow": [
    { "id": "file", "agents": "spiffe://Court.example/agent", "principals": {"issuer": "https://a", "sub": "x"},
      "action": "motions:file", "resources": "any", "mode": "shadwo" },
    { "id": "file", "agents": "any", "agents": "any", "principals": "any", "action": "motions:*", "resources": "any" }
  ]
}"#;
    let problems = Rules::from_json("rules.json", text).unwrap_err();
    insta::assert_snapshot!("json", problems.to_string());
    let problems = Rules::from_json("rules.json", "{\n  \"allow\": [\n    { \"id\": \"a\", }\n  ]\n}").unwrap_err();
    insta::assert_snapshot!("json_syntax", problems.to_string());
}

#[cfg(feature = "toml")]
#[test]
fn the_problems_of_a_toml_file_are_shown_where_they_are() {
    let text = r#"
[[allow]]
id = "lawyers-file"
agnets = "spiffe://court.example/agent/lawyer/**"
principals = "alice"
actions = ["motions:file", "motions:*"]
arguments = { fee = { between = [500, 0] }, title = "x", kind = { oneof = ["a"] } }
approval = "8 hours"

[[deny]]
id = "nobody-seals"
agents = "all"
principals = "any"
action = "records:seal"
resources = "any"
arguments = { sealed = true }

[[deny]]
id = "nobody-seals"
agents = "any"
principals = "any"
action = "records:seal"
resources = "any"
even = ["clientonly"]
"#;
    let problems = Rules::from_toml("rules.toml", text).unwrap_err();
    insta::assert_snapshot!("toml", problems.to_string());
    let text = "[[allow]]\nid = \"a\nagents = any\n\n[[allow]\nid = 'b'\n";
    insta::assert_snapshot!("toml_syntax", Rules::from_toml("rules.toml", text).unwrap_err().to_string());
    let text = "[[allow]]\nid = 'a'\nmessage = \"\"\nid = 'b'\n\n[allow.x]\n";
    insta::assert_snapshot!("toml_twice", Rules::from_toml("rules.toml", text).unwrap_err().to_string());
}
