//! Limits as annotations: they become conditions, and are refused where they cannot be read.

use agentauth_cedar::{CedarPolicies, Sources};
use agentauth_core::policy::Obligation;
use serde_json::json;

use crate::support::{SCHEMA, answer, decide, policies, scenario};

#[tokio::test]
async fn each_policy_that_permits_adds_its_limits() {
    let policies = policies(
        r#"@id("often") @rate("10/1m") @concurrency("2 for 30m") permit (principal, action, resource);
        @id("much") @budget("spend: fee 5000/1d per principal") permit (principal, action == Action::"motions:file", resource)
        when { context.arguments.fee > 100 };"#,
    );
    let read = |name, terms| Obligation::read(name, terms).unwrap();
    let all =
        [read("rate", "10/1m"), read("concurrency", "2 for 30m"), read("budget", "spend: fee 5000/1d per principal")];
    let large = decide(&policies, &scenario("motions:file", json!({"fee": 200}))).await;
    let mut found: Vec<String> = large.obligations().iter().map(|one| format!("{one:?}")).collect();
    let mut expected: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let small = decide(&policies, &scenario("motions:file", json!({"fee": 20}))).await;
    assert_eq!(small.obligations().len(), 2);
    assert_eq!(answer(&policies, &scenario("records:read", json!({}))).await, "allow");
}

#[test]
fn a_limit_that_cannot_be_read_is_shown_how_it_is_stated() {
    for (annotation, help) in [
        (r#"@rate("10 per minute")"#, "10/1m"),
        (r#"@concurrency("many")"#, "2 for 30m"),
        (r#"@budget("5000/1d")"#, "amount 5000/1d"),
        (r#"@rates("10/1m")"#, "not known"),
    ] {
        let text = format!("{annotation} permit (principal, action, resource);");
        let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", &text);
        let problems = CedarPolicies::new(&sources).unwrap_err().to_string();
        assert!(problems.contains(help), "{problems}");
    }
    let text = r#"@rate("10/1m") forbid (principal, action, resource);"#;
    let sources = Sources::new().schema("a.cedarschema", SCHEMA).policies("a.cedar", text);
    assert!(CedarPolicies::new(&sources).unwrap_err().to_string().contains("policies that permit"));
}
