use std::sync::Arc;

use agentauth_core::policy::{
    Agents, AuthzRequest, Cases, Decision, Effect, Obligation, PolicyEngine, PolicyError, Preview, PreviewRequest,
    Principals, Problems, Reason, ReasonKind, Resources, Rule, Rules, WouldFlip,
};
use async_trait::async_trait;
use insta::assert_snapshot;
use serde_json::{Value, json};

const DEFAULTS: &str = r#""defaults": {
    "server": "https://court.example",
    "agent": "spiffe://court.example/agent/lawyer",
    "principal": { "issuer": "https://sts.court.example", "subject": "alice" },
    "action": "motions:file",
    "resource": { "kind": "case", "id": "17" }
}"#;

fn file(cases: &str) -> String {
    format!("{{\n{DEFAULTS},\n\"cases\": [\n{cases}\n]}}")
}

fn codes(text: &str) -> Vec<&'static str> {
    let problems = Cases::parse("a.cases.json", text).err().unwrap_or_else(Problems::none);
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn each_rule_for_a_file_of_cases_has_its_code() {
    let long = format!("{{\"cases\":[],\"defaults\":{{}}}}{}", " ".repeat(4 * 1024 * 1024));
    let ok = r#"{"name": "a", "expect": "allow"}"#;
    let with = |member: &str| file(&format!(r#"{{"name": "a", "expect": "allow", {member}}}"#));
    for (text, expected) in [
        (file(ok), &[][..]),
        (long, &["case_oversize"]),
        ("{".into(), &["case_syntax"]),
        (file("{},"), &["case_syntax"]),
        ("[]".into(), &["case_member_malformed"]),
        ("{}".into(), &["case_member_missing"]),
        (r#"{"cases": {}}"#.into(), &["case_member_malformed"]),
        (r#"{"cases": [], "case": []}"#.into(), &["case_member_unknown"]),
        (r#"{"cases": [], "c\u0061ses": []}"#.into(), &["case_member_repeated"]),
        (r#"{"cases": [], "defaults": {"expect": "allow"}}"#.into(), &["case_member_unknown"]),
        (file("7"), &["case_member_malformed"]),
        (file(&format!("{ok},{ok}")), &["case_name_taken"]),
        (file(r#"{"expect": "allow"}"#), &["case_member_missing"]),
        (file(r#"{"name": "a"}"#), &["case_member_missing"]),
        (file(r#"{"name": "a", "expect": "permit"}"#), &["case_member_malformed"]),
        (file(r#"{"name": "a", "name": "b", "expect": "allow"}"#), &["case_member_repeated"]),
        (file(r#"{"name": "a\nb", "expect": "allow"}"#), &["case_member_malformed"]),
        (file(r#"{"name": " ", "expect": "allow"}"#), &["case_member_malformed"]),
        (with(r#""expects": "allow""#), &["case_member_unknown"]),
        (with(r#""agent": "lawyer""#), &["case_member_malformed"]),
        (with(r#""agent": {"issuer": "https://sts.court.example"}"#), &["case_member_malformed"]),
        (with(r#""agent": {"issuer": "https://sts.court.example", "nam": "a"}"#), &["case_member_unknown"]),
        (with(r#""principal": "alice""#), &["case_member_malformed"]),
        (
            with(r#""principal": {"issuer": "https://sts.court.example", "subject": "a", "kind": "x"}"#),
            &["case_member_malformed"],
        ),
        (with(r#""server": null"#), &["case_member_malformed"]),
        (with(r#""mode": "shadow""#), &["case_member_malformed"]),
        (with(r#""depth": -1"#), &["case_member_malformed"]),
        (with(r#""resource": {"kind": "case", "id": ""}"#), &["case_member_malformed"]),
        (with(r#""resource": null"#), &[]),
        (with(r#""arguments": {"a": {"b": 1, "b": 2}}"#), &["case_member_malformed"]),
        (with(r#""arguments": [1]"#), &["case_member_malformed"]),
        (with(r#""at": "yesterday""#), &["case_member_malformed"]),
        (with(r#""holders": "x""#), &["case_member_malformed"]),
        (with(r#""policies": "x""#), &["case_member_malformed"]),
        (with(r#""preview": "maybe""#), &["case_member_malformed"]),
        (
            with(r#""code": 7, "obligations": [7], "unknown": 7"#),
            &["case_member_malformed", "case_member_malformed", "case_member_unknown"],
        ),
    ] {
        assert_eq!(codes(&text), expected, "{text:.400}");
    }
    let many: Vec<String> = (0..=10_000).map(|n| format!(r#"{{"name": "{n}", "expect": "allow"}}"#)).collect();
    assert_eq!(codes(&file(&many.join(","))), ["case_too_many"]);
    assert_eq!(Cases::read("no/such/directory").unwrap_err().iter().next().unwrap().code, "case_unreadable");
}

#[test]
fn every_problem_of_a_file_of_cases_has_its_place() {
    let problems = Cases::parse(
        "court.cases.json",
        r#"{
  "defaults": {
    "server": "https://court.example",
    "agent": "spiffe://court.example/agent/lawyer",
    "principle": { "issuer": "https://sts.court.example", "subject": "alice" },
    "mode": "on_behalf"
  },
  "cases": [
    { "name": "a small motion", "action": "motions:file", "expect": "allow" },
    { "name": "a strange one", "action": "motions:file", "expect": "yes",
      "arguments": { "fee": 9007199254740993 } }
  ]
}"#,
    );
    assert_snapshot!(problems.unwrap_err());
    assert_snapshot!(Cases::parse("a.cases.json", "{\n  \"cases\": [\n    { \"name\": \"a\",, }\n  ]\n}").unwrap_err());
}

fn rules() -> Rules {
    Rules::new([
        Rule::allow("file")
            .agents(Agents::below("spiffe://court.example/agent").unwrap())
            .principals(Principals::any())
            .action("motions:file")
            .resources(Resources::any())
            .any_arguments(),
        Rule::deny("sealed")
            .agents(Agents::any())
            .principals(Principals::any())
            .action("motions:file")
            .resources(Resources::exactly("case", "99")),
    ])
    .unwrap()
}

#[tokio::test]
async fn a_report_reads_like_a_test_runners() {
    let cases = Cases::parse(
        "court.cases.json",
        &file(
            r#"{ "name": "a motion", "arguments": { "fee": 120 }, "expect": "allow", "policies": ["file"], "code": "permitted" },
{ "name": "a sealed case", "resource": { "kind": "case", "id": "99" }, "expect": "deny", "code": "policy_forbidden" },
{ "name": "a stranger", "agent": { "issuer": "https://sts.court.example", "name": "x" }, "expect": "deny",
  "code": "actor_unauthorized", "policies": [] },
{ "name": "a wrong expectation", "resource": { "kind": "case", "id": "99" }, "expect": "allow", "policies": ["file"],
  "obligations": ["approval"] }"#,
        ),
    )
    .unwrap();
    let mut seen = Vec::new();
    let report = cases.run_each(&rules(), |outcome| seen.push(outcome.has_passed())).await;
    assert_eq!((seen, report.passed(), report.failed()), (vec![true, true, true, false], 3, 1));
    assert_snapshot!(report);
    let good = Cases::parse("a.cases.json", &file(r#"{ "name": "a", "expect": "allow" }"#)).unwrap();
    assert!(good.run(&rules()).await.to_string().ends_with("test result: ok. 1 passed; 0 failed"));
    assert_eq!(Cases::none().run(&rules()).await.failed(), 0);
}

/// Says of each request what it was asked.
#[derive(Debug)]
struct Mirror;

#[async_trait]
impl PolicyEngine for Mirror {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        if request.action() == "fail" {
            return Err(PolicyError::new("it is broken"));
        }
        let caller = request.caller();
        let seen = json!({
            "server": caller.server().as_str(), "agent": caller.agent(), "holders": caller.holders(),
            "principal": caller.principal(), "mode": caller.mode(), "issuer": caller.issuer().as_str(),
            "depth": caller.depth(), "resource": request.resource(), "arguments": request.arguments().as_json(),
            "now": request.now(),
        });
        Ok(Decision::allow(Reason::new(ReasonKind::Permitted, seen.to_string()))
            .on_condition_of(Obligation::read("approval", "8h").unwrap())
            .on_condition_of(Obligation::Unknown("watch".into()))
            .with_flip(WouldFlip::new("next", Effect::Deny)))
    }

    fn preview(&self, request: &PreviewRequest<'_>) -> Preview {
        if request.action() == "never" { Preview::Never } else { Preview::Possibly(None) }
    }

    fn version(&self) -> Arc<str> {
        "mirror".into()
    }
}

#[tokio::test]
async fn a_case_states_every_fact_and_every_part_of_the_answer() {
    let cases = Cases::parse(
        "a.cases.json",
        r#"{ "cases": [
            { "name": "all", "server": "https://a.example", "agent": {"issuer": "https://sts.example", "name": "x"},
              "holders": ["spiffe://a.example/h"], "mode": "client_only", "depth": 3, "issuer": "https://other.example",
              "principal": {"issuer": "https://sts.example", "subject": "bob", "tenant": "t", "kind": "client"},
              "action": "act", "resource": {"kind": "k", "id": "i"}, "arguments": {"a": [1, "b"]},
              "at": "2027-01-15T09:00:00+01:00", "expect": "allow", "obligations": ["watch", "approval"],
              "would_flip": ["next"], "preview": "possibly" },
            { "name": "failing", "server": "https://a.example", "agent": "spiffe://a.example/x", "action": "fail",
              "principal": {"issuer": "https://sts.example", "subject": "bob"}, "expect": "deny",
              "code": "policy_failed" },
            { "name": "unmeant", "server": "https://a.example", "agent": "spiffe://a.example/x", "action": "fail",
              "principal": {"issuer": "https://sts.example", "subject": "bob"}, "expect": "deny" },
            { "name": "never", "server": "https://a.example", "agent": "spiffe://a.example/x", "action": "never",
              "principal": {"issuer": "https://sts.example", "subject": "bob"}, "expect": "allow", "preview": "always",
              "would_flip": [] }
        ] }"#,
    )
    .unwrap();
    let report = cases.run(&Mirror).await;
    let outcomes: Vec<_> = report.iter().collect();
    let seen: Value = serde_json::from_str(outcomes[0].decision.reasons()[0].text()).unwrap();
    assert_eq!(
        seen,
        json!({
            "server": "https://a.example", "agent": {"named": {"issuer": "https://sts.example", "name": "x"}},
            "holders": [{"spiffe": "spiffe://a.example/h"}], "mode": "client_only", "depth": 3,
            "issuer": "https://other.example", "resource": {"kind": "k", "id": "i"}, "arguments": {"a": [1, "b"]},
            "principal": {"issuer": "https://sts.example", "kind": "client", "tenant": "t", "subject": "bob"},
            "now": "2027-01-15T08:00:00Z",
        })
    );
    assert!(outcomes[0].has_passed() && outcomes[1].has_passed(), "{report}");
    // A denial that stands whatever the policies say tests none of them.
    let [difference] = &outcomes[2].differences[..] else { panic!("{report}") };
    assert_eq!((difference.what, &*difference.expected, &*difference.actual), ("code", "not stated", "policy_failed"));
    let wrong: Vec<_> = outcomes[3].differences.iter().map(|one| (one.what, &*one.expected, &*one.actual)).collect();
    assert_eq!(wrong, [("would_flip", "{}", "{\"next\"}"), ("preview", "always", "never")]);
}
