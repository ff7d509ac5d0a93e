//! Actions from a list of tools.

use agentauth_cedar::{CedarPolicies, Sources, ToolActions};
use agentauth_core::policy::Scenario;
use serde_json::json;

use crate::support::{answer, scenario};

const TOOLS: &str = r##"{ "tools": [
    { "name": "refunds_pay", "description": "Pays a refund.\nAt once.", "inputSchema": {
        "type": "object", "required": ["order", "amount"],
        "properties": {
            "order": { "type": "string" },
            "amount": { "type": "number" },
            "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
            "note": { "type": ["string", "null"] },
            "to \"whom\"": { "type": "object", "properties": { "iban": { "type": "string" } }, "required": ["iban"] }
        },
        "$defs": { "line": { "type": "object", "properties": { "sku": { "type": "string" }, "count": { "type": "integer" } },
            "required": ["sku", "count"] } }
    } },
    { "name": "ping" }
] }"##;

fn on_server(action: &str, arguments: serde_json::Value) -> Scenario {
    let mut scenario = scenario(action, arguments);
    scenario.resource = None;
    scenario
}

#[tokio::test]
async fn a_list_of_tools_becomes_actions_with_typed_arguments() {
    let schema = ToolActions::default().write("tools.json", TOOLS).unwrap();
    insta::assert_snapshot!(schema);
    let policies = CedarPolicies::new(&Sources::new().schema("tools.cedarschema", &schema).policies(
        "a.cedar",
        r#"permit (principal, action == Action::"refunds_pay", resource)
        when { context.arguments.amount.lessThan(decimal("100.0")) &&
               !(context.arguments has lines && context.arguments.lines.contains({ "sku": "gold", "count": 1 })) };
        permit (principal, action == Action::"ping", resource);"#,
    ))
    .unwrap();
    let pay = |arguments| on_server("refunds_pay", arguments);
    for (scenario, expected) in [
        (pay(json!({"order": "7", "amount": 20.5, "lines": [{"sku": "tin", "count": 2}]})), "allow"),
        (pay(json!({"order": "7", "amount": 20.5, "lines": [{"sku": "gold", "count": 1}]})), "policy_not_permitted"),
        (pay(json!({"order": "7", "amount": 120})), "policy_not_permitted"),
        (pay(json!({"amount": 20})), "argument_refused"),
        (pay(json!({"order": "7", "amount": 20, "note": null})), "argument_refused"),
        (pay(json!({"order": "7", "amount": 20, "lines": [{"sku": "tin", "count": 1.5}]})), "argument_refused"),
        (pay(json!({"order": "7", "amount": 20, "to \"whom\"": {"iban": "X", "bic": "Y"}})), "argument_refused"),
        (on_server("ping", json!({})), "allow"),
        (on_server("ping", json!({"host": "::1"})), "argument_refused"),
    ] {
        assert_eq!(answer(&policies, &scenario).await, expected, "{:?}", scenario.arguments);
    }
}

#[test]
fn what_has_no_one_type_is_a_problem_of_its_own() {
    let tool = |name: &str, argument: &str| {
        format!(r#"{{"name": "{name}", "inputSchema": {{"type": "object", "properties": {{"x": {argument}}}}}}}"#)
    };
    let tools = [
        tool("free", r#"{"type": "object"}"#),
        tool("either", r#"{"anyOf": [{"type": "string"}, {"type": "integer"}]}"#),
        tool("two", r#"{"type": ["string", "integer"]}"#),
        tool("list", r#"{"type": "array"}"#),
        tool("nulls", r#"{"type": "array", "items": {"type": ["string", "null"]}}"#),
        tool("itself", r##"{"$ref": "#/properties/x"}"##),
        tool("outside", r#"{"$ref": "https://example.com/x"}"#),
        tool("twice", r#"{"type": "string"}"#),
        tool("twice", r#"{"type": "string"}"#),
        r#"{"inputSchema": {}}"#.into(),
        r#"{"name": "a\u0000"}"#.into(),
    ];
    let problems = ToolActions::default().write("tools.json", &format!("[{}]", tools.join(","))).unwrap_err();
    insta::assert_snapshot!(problems);
    let code = |text: &str| ToolActions::default().write("tools.json", text).unwrap_err().iter().next().unwrap().code;
    assert_eq!(code("[{"), "tools_syntax");
    assert_eq!(code("{}"), "tools_form");
}

#[test]
fn a_name_or_a_description_is_never_anything_else() {
    let hostile = [
        r#"a" appliesTo { principal: User, resource: Server }; action "b"#,
        "\\",
        "\\\"",
        "//",
        "*/ };",
        "in",
        "__cedar",
        "\u{2028}",
    ];
    for text in hostile {
        let tools = json!([{"name": text, "description": text, "inputSchema": {
            "type": "object", "properties": { text: { "type": "string" } }, "required": [text] } }]);
        let schema = ToolActions::default().write("tools.json", &tools.to_string()).unwrap();
        let sources = Sources::new().schema("tools.cedarschema", &schema);
        CedarPolicies::new(&sources).unwrap_or_else(|problems| panic!("{text}: {problems}"));
    }
}

/// What refers to itself again and again is written out again and again: of a small list, gigabytes.
#[test]
fn what_a_list_of_tools_unfolds_into_is_bounded() {
    const REFERENCES: usize = 4;
    let level = |n: usize| {
        let reference = json!({"$ref": format!("#/$defs/l{}", n + 1)});
        let members = (0..REFERENCES).map(|member| (format!("m{member}"), reference.clone()));
        json!({"type": "object", "properties": members.collect::<serde_json::Map<_, _>>()})
    };
    let mut definitions: serde_json::Map<_, _> = (0..9).map(|n| (format!("l{n}"), level(n))).collect();
    definitions.insert("l9".into(), json!({"type": "string"}));
    let bomb = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": definitions});
    let long = "x".repeat(300_000);
    let wide = json!({"type": "object", "properties": {long: {"type": "string"}}});
    for schema in [bomb, wide] {
        let tools = json!([{"name": "t", "inputSchema": schema}]).to_string();
        let problems = ToolActions::default().write("tools.json", &tools).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert!(problem.code == "tools_argument" && problem.text.contains("longer than"), "{problem}");
    }
}
