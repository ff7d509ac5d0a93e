//! A policy decision point: who may ask it, how it answers, and that it answers the standard's recorded requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentauth_axum::authzen_pdp;
use agentauth_core::audit::RecordKind;
use agentauth_core::policy::authzen::{MAX_EVALUATION_BYTES, MAX_EVALUATIONS_BYTES};
use agentauth_core::policy::{
    Agents, ApprovalTerms, Effect, Limit, Obligation, PolicyError, Principals, Reason, ReasonKind, Resources, Rule,
    Rules, Scenario,
};
use agentauth_core::{
    AgentAuth, Arguments, AuthzRequest, Decision, DecisionPoint, IssuerId, Mode, PolicyEngine, PrincipalId, ResourceId,
    SpiffeId,
};
use agentauth_tower::client::{AuthzenEngine, HttpsClient};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Court, Failing, LAWYER, STS, TOOLS, claims, fetch, send, with};

const JSON: &str = "application/json";

fn point(policy: impl PolicyEngine + 'static) -> DecisionPoint {
    DecisionPoint::new(policy, &"records:read".parse().unwrap())
}

fn rules() -> Rules {
    let lawyers = Agents::below("spiffe://court.example/agent").unwrap();
    let rule = Rule::allow("lawyers-file").agents(lawyers).principals(Principals::any()).action("motions:file");
    Rules::new([rule.resources(Resources::of_kind("case")).argument("fee", Limit::between(0, 500))]).unwrap()
}

fn post(path: &str, token: Option<&str>, kind: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).header("x-request-id", "r-7");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    request.body(body.into()).unwrap()
}

fn question() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice", "properties": {"issuer": STS}},
        "action": {"name": "motions:file", "properties": {"fee": 120}},
        "resource": {"type": "case", "id": "2026-17"},
        "context": {
            "agent": {"type": "spiffe", "id": LAWYER},
            "delegation": {"mode": "on_behalf_of", "depth": 1},
            "server": "https://filing.example",
        },
    })
}

async fn ask(app: &Router, token: &str, path: &str, body: &Value) -> Answer {
    send(app, post(path, Some(token), Some(JSON), body.to_string())).await
}

/// A decision point that anybody could ask would tell anybody what the policies say.
#[tokio::test]
async fn nobody_is_answered_who_may_not_ask() {
    let court = Court::new();
    let app: Router = authzen_pdp(&court.auth(), point(rules()));
    let whole = court.mint(&claims());
    let narrow = court.mint(&with("scope", "motions:file"));
    let other = court.mint(&with("aud", "https://other.example"));
    for (token, status, code) in [
        (None, 401, "no_credentials"),
        (Some("x"), 401, "token_not_opaque"),
        (Some(&*other), 401, "audience_wrong"),
        (Some(&*narrow), 403, "insufficient_scope"),
        (Some(&*whole), 200, "allowed"),
    ] {
        for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
            court.records.take();
            let answer = send(&app, post(path, token, Some(JSON), question().to_string())).await;
            assert_eq!(answer.status(), status, "{answer:?}");
            assert_eq!(answer.header("x-request-id"), Some("r-7"), "whatever the answer is");
            let last = court.records.take().pop().unwrap();
            if code != "token_not_opaque" {
                assert_eq!(last.code, code, "{path}");
            }
            assert_eq!(last.question.is_some(), status == 200, "{path}");
            assert!(status == 200 || !answer.body.contains("decision"), "{answer:?}");
        }
    }
}

/// §10.1.2 and §10.1.3: a denial is an answer, and what is no request is not.
#[tokio::test]
async fn what_is_no_request_is_answered_with_400_and_a_sentence() {
    let court = Court::new();
    let (app, token): (Router, _) = (authzen_pdp(&court.auth(), point(rules())), court.mint(&claims()));
    let good = question().to_string();
    let long = format!("{good}{}", " ".repeat(MAX_EVALUATIONS_BYTES));
    let longer = format!("{good}{}", " ".repeat(MAX_EVALUATION_BYTES));
    for (path, kind, body, status, text) in [
        ("evaluation", Some(JSON), &*good, 200, "\"decision\":true"),
        ("evaluation", Some("application/json; charset=utf-8"), &good, 200, "\"decision\":true"),
        ("evaluations", Some(JSON), &good, 200, "\"decision\":true"),
        ("evaluation", Some("text/plain"), &good, 400, "it needs a body of type application/json"),
        ("evaluation", None, &good, 400, "it needs a body of type application/json"),
        ("evaluation", Some(JSON), "", 400, "not one well-formed UTF-8 JSON object"),
        ("evaluation", Some(JSON), "{", 400, "not one well-formed UTF-8 JSON object"),
        ("evaluation", Some(JSON), "{}", 400, "`subject` is missing"),
        ("evaluation", Some(JSON), r#"{"subject":"alice"}"#, 400, "member `subject` has the wrong type"),
        ("evaluation", Some(JSON), r#"{"subject":{},"subject":{}}"#, 400, "member `subject` stands twice"),
        ("evaluation", Some(JSON), &longer, 400, "it needs a body of type application/json"),
        ("evaluations", Some(JSON), &long, 400, "it needs a body"),
        ("evaluations", Some(JSON), r#"{"evaluations":[7]}"#, 400, "member `evaluations` has the wrong type"),
    ] {
        let answer = send(&app, post(&format!("/access/v1/{path}"), Some(&token), kind, body.to_owned())).await;
        assert_eq!(answer.status(), status, "{path} {kind:?} {body:.60}: {answer:?}");
        assert!(answer.body.contains(text), "{answer:?}");
        assert_eq!(answer.header("x-request-id"), Some("r-7"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(send(&app, post("/access/v1/search/subject", Some(&token), Some(JSON), good)).await.status(), 404);
}

#[tokio::test]
async fn a_denial_is_answered_with_its_reasons() {
    let court = Court::new();
    let (app, token): (Router, _) = (authzen_pdp(&court.auth(), point(rules())), court.mint(&claims()));
    let mut dear = question();
    dear["action"]["properties"]["fee"] = json!(501);
    let answer = ask(&app, &token, "/access/v1/evaluation", &dear).await;
    let (record, answer) = (court.records.take().pop().unwrap(), answer.json());
    assert_eq!(
        (record.kind, record.effect, record.code),
        (RecordKind::Decision, Effect::Deny, "argument_outside_limit")
    );
    assert_eq!(answer["decision"], false);
    let context = &answer["context"];
    assert_eq!(context["evaluation_id"], &*record.evaluation_id);
    assert_eq!(context["reasons"][0]["code"], "argument_outside_limit");
    assert_eq!(context["reasons"][0]["text"], record.reasons[0].text());
    assert_eq!(context["reason_admin"]["argument_outside_limit"], record.reasons[0].text());
    assert_eq!(context["policy_version"], rules().version().as_ref());
}

#[tokio::test]
async fn without_a_record_there_is_no_answer() {
    let court = Court::new();
    let auth = court.engine(TOOLS).audit(Failing).build().unwrap();
    let app: Router = authzen_pdp(&auth, point(rules()));
    let answer = ask(&app, &court.mint(&claims()), "/access/v1/evaluation", &question()).await;
    assert_eq!(answer.status(), 503);
}

/// §9: the metadata says whose it is and where, and stands before the path of the identifier.
#[tokio::test]
async fn the_metadata_of_a_decision_point_is_public() {
    let court = Court::new();
    for (identifier, at, base) in [
        (TOOLS, "/.well-known/authzen-configuration", TOOLS.to_owned()),
        ("https://tools.example/t/1", "/.well-known/authzen-configuration/t/1", "https://tools.example/t/1".into()),
        ("https://tools.example/t/", "/.well-known/authzen-configuration/t", "https://tools.example/t".into()),
    ] {
        let app: Router = authzen_pdp(&court.engine(identifier).build().unwrap(), point(rules()));
        let document = fetch(&app, at).await.json();
        assert_eq!(
            document,
            json!({
                "policy_decision_point": identifier,
                "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
                "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
                "supported_obligations": ["custom"],
            })
        );
        let path = base.strip_prefix(TOOLS).unwrap();
        let answer = send(&app, post(&format!("{path}/access/v1/evaluation"), None, Some(JSON), "{}")).await;
        assert_eq!(answer.status(), 401, "{identifier}");
    }
    assert!(court.records.codes().iter().all(|code| *code == "no_credentials"));
}

/// Rules that say nothing of to-do lists, and an engine that does: the scenario of the standard's interoperability tests.
#[derive(Debug)]
struct Todos;

impl Todos {
    /// The roles of a user, and the address under which it owns lists.
    fn user(id: &str) -> Option<(&'static [&'static str], &'static str)> {
        Some(match id {
            "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" => {
                (&["admin", "evil_genius"], "rick@the-citadel.com")
            }
            "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" => (&["editor"], "morty@the-citadel.com"),
            "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" => (&["editor"], "summer@the-smiths.com"),
            "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" => (&["viewer"], "beth@the-smiths.com"),
            "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" => (&["viewer"], "jerry@the-smiths.com"),
            _ => return None,
        })
    }

    fn permits(request: &AuthzRequest<'_>) -> bool {
        let Some((roles, address)) = Self::user(request.principal().subject()) else { return false };
        let has = |role: &str| roles.contains(&role);
        let owner = request.arguments().get("resource").and_then(|resource| resource["ownerID"].as_str());
        let owns = owner == Some(address);
        match request.action() {
            "can_read_user" | "can_read_todos" => true,
            "can_create_todo" => has("admin") || has("editor"),
            "can_update_todo" => has("evil_genius") || (has("editor") && owns),
            "can_delete_todo" => has("admin") || (has("editor") && owns),
            _ => false,
        }
    }
}

#[async_trait]
impl PolicyEngine for Todos {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        // Nobody has said that an agent acts.
        if request.mode() != Mode::ClientOnly {
            return Err(PolicyError::new("to-do lists are not for agents"));
        }
        Ok(match Self::permits(request) {
            true => Decision::allow(Reason::new(ReasonKind::Permitted, "a role permits it")),
            false => Decision::deny(Reason::new(ReasonKind::NotPermitted, "no role permits it")),
        })
    }

    fn version(&self) -> Arc<str> {
        "todos-1".into()
    }
}

fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("AGENTAUTH_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    let file = folder.join("authzen-interop/decisions-authorization-api-1_0-02.json");
    if file.is_file() {
        return Some(file);
    }
    println!("skipped: vectors not found");
    None
}

/// A decision point for those who say no more than the standard asks for.
fn plain(policy: impl PolicyEngine + 'static) -> DecisionPoint {
    let server = ResourceId::new("https://todo.example").unwrap();
    point(policy)
        .subjects_of(IssuerId::new("https://idp.example").unwrap())
        .for_server(server)
        .properties_as_arguments()
}

#[tokio::test]
async fn the_recorded_requests_of_the_standard_are_answered_as_recorded() {
    let Some(file) = vectors() else { return };
    let court = Court::new();
    let (app, token): (Router, _) = (authzen_pdp(&court.auth(), plain(Todos)), court.mint(&claims()));
    let recorded: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut single, mut several) = (0, 0);
    for case in recorded["evaluation"].as_array().unwrap() {
        let answer = ask(&app, &token, "/access/v1/evaluation", &case["request"]).await.json();
        assert_eq!(answer["decision"], case["expected"], "{case}");
        single += 1;
    }
    for case in recorded["evaluations"].as_array().unwrap() {
        let answer = ask(&app, &token, "/access/v1/evaluations", &case["request"]).await.json();
        let decisions: Vec<_> =
            answer["evaluations"].as_array().unwrap().iter().map(|one| json!({"decision": one["decision"]})).collect();
        assert_eq!(json!(decisions), case["expected"], "{case}");
        several += 1;
    }
    println!(
        "{single} recorded evaluations and {several} recorded requests of several evaluations: answered as recorded"
    );
    assert_eq!((single, several), (40, 3));
}

/// The fixture of the standard's certification scenario: what is stated of subject, action and resource decides.
#[derive(Debug)]
struct Records;

#[async_trait]
impl PolicyEngine for Records {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let stated = |of: &str, name: &str| request.arguments().get(of).map_or(Value::Null, |of| of[name].clone());
        let (who, what) = (request.principal().subject(), request.action());
        let permits = match what {
            "read" => true,
            "write" if stated("resource", "status") == "archived" => stated("subject", "role") == "admin",
            "write" => who == "alice",
            "delete" => request.arguments().get("soft") == Some(&json!(true)),
            _ => false,
        };
        let reason = Reason::new(if permits { ReasonKind::Permitted } else { ReasonKind::NotPermitted }, "the fixture");
        Ok(if permits { Decision::allow(reason) } else { Decision::deny(reason) })
    }

    fn version(&self) -> Arc<str> {
        "records-1".into()
    }
}

#[tokio::test]
async fn the_rules_of_the_certification_scenario_hold() {
    let court = Court::new();
    let (app, token): (Router, _) = (authzen_pdp(&court.auth(), plain(Records)), court.mint(&claims()));
    let archived = json!({"status": "archived"});
    for (who, properties, what, soft, record, expected) in [
        ("alice", json!({}), "read", None, json!({}), true),
        ("alice", json!({}), "write", None, json!({}), true),
        ("bob", json!({}), "read", None, json!({}), true),
        ("bob", json!({}), "write", None, json!({}), false),
        ("alice", json!({}), "write", None, archived.clone(), false),
        ("bob", json!({"role": "admin"}), "write", None, archived, true),
        ("alice", json!({}), "delete", Some(true), json!({}), true),
        ("alice", json!({}), "delete", Some(false), json!({}), false),
        ("alice", json!({"x": [1]}), "read", None, json!({"y": {}}), true),
    ] {
        let mut request = json!({
            "subject": {"type": "user", "id": who, "properties": properties}, "action": {"name": what},
            "resource": {"type": "record", "id": "record-1", "properties": record}, "unknown": {"is": "ignored"},
        });
        if let Some(soft) = soft {
            request["action"]["properties"] = json!({"soft": soft});
        }
        let answer = ask(&app, &token, "/access/v1/evaluation", &request).await.json();
        assert_eq!(answer["decision"], expected, "{request}");
    }
}

/// Answers as it is told to, by the name of the action; and says what it was asked.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl PolicyEngine for Echo {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, PolicyError> {
        let asked = Reason::new(
            ReasonKind::Permitted,
            format!("{:?}", (request.caller(), request.resource(), request.arguments())),
        );
        Ok(match request.action() {
            "allow" => Decision::allow(asked.of_policy("echo")),
            "approve" => {
                Decision::allow(asked).needing_approval(ApprovalTerms::within(std::time::Duration::from_secs(60)))
            }
            "oblige" => Decision::allow(asked).on_condition_of(Obligation::Unknown("watermark".into())),
            "fail" => return Err(PolicyError::new("the echo failed")),
            _ => {
                Decision::deny(Reason::new(ReasonKind::Forbidden, "no echo").of_policy("silence").telling("quiet here"))
            }
        })
    }

    fn version(&self) -> Arc<str> {
        "echo-1".into()
    }
}

fn client() -> HttpsClient {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    HttpsClient::builder().tls(tls).allow_loopback().build().unwrap()
}

/// Serves `policy` on this host, and discovers it.
async fn served(court: &Court, policy: impl PolicyEngine + 'static) -> (AuthzenEngine, AgentAuth) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pdp = format!("http://{}", listener.local_addr().unwrap());
    let auth = court.engine(&pdp).build().unwrap();
    let app: Router = authzen_pdp(&auth, point(policy));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let token = court.mint(&with("aud", &*pdp));
    (AuthzenEngine::discover(client(), &pdp).await.unwrap().bearer(&token), auth)
}

fn lawyer_does(action: &str) -> Scenario {
    let alice = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice").in_tenant("t#1");
    let scenario = Scenario::new(ResourceId::new(TOOLS).unwrap(), LAWYER.parse::<SpiffeId>().unwrap(), alice, action);
    scenario.with(Arguments::of(&json!({"fee": 1.5, "note": ["é"]})).unwrap())
}

/// Our engine asks our decision point: what it is asked is what was asked, and what it says is what is heard.
#[tokio::test]
async fn an_engine_and_a_decision_point_understand_each_other() {
    let court = Court::new();
    let (engine, auth) = served(&court, Echo).await;
    for scenario in
        [lawyer_does("allow"), lawyer_does("allow").on("case", "7"), lawyer_does("allow").in_mode(Mode::Autonomous)]
    {
        let decision = engine.decide(&scenario.request()).await.unwrap();
        let request = scenario.request();
        let asked = format!("{:?}", (request.caller(), request.resource(), request.arguments()));
        // Engines may name whom they like: the record takes the principal's name out of what they say.
        let on_record = asked.replace("alice", "[principal]");
        let record = court.records.take().pop().unwrap();
        let [reason] = decision.reasons() else { panic!("one reason") };
        let heard = format!("{:.500} (evaluation {})", asked, record.evaluation_id);
        assert_eq!((reason.policy(), decision.effect()), (Some("echo"), Effect::Allow));
        assert_eq!(record.reasons[0].text(), on_record);
        assert!(heard.starts_with(&reason.text()[..400]), "{}", reason.text());
        assert_eq!(decision.version().map(|version| &**version), Some(&*format!("{} echo-1", auth.resource())));
    }
    let all = ["allow", "approve", "oblige", "fail", "deny"].map(lawyer_does);
    let decisions = engine.evaluate_all(&all.each_ref().map(Scenario::request)).await;
    let heard: Vec<_> =
        decisions.iter().map(|one| (one.effect(), one.reasons()[0].kind(), one.obligations().len())).collect();
    assert_eq!(
        heard,
        [
            (Effect::Allow, ReasonKind::Permitted, 0),
            (Effect::Allow, ReasonKind::Permitted, 1),
            (Effect::Allow, ReasonKind::Permitted, 1),
            (Effect::Deny, ReasonKind::PolicyFailed, 0),
            (Effect::Deny, ReasonKind::Forbidden, 0),
        ]
    );
    assert!(matches!(decisions[1].obligations(), [Obligation::Approval(terms)] if terms.lifetime().as_secs() == 60));
    assert_eq!(decisions[2].obligations(), [Obligation::Unknown("watermark".into())]);
    let denied = &decisions[4].reasons()[0];
    assert_eq!((denied.policy(), denied.public_text()), (Some("silence"), Some("quiet here")));
    // Five questions, and one that asks whether the engine may: each is on record.
    assert_eq!(court.records.codes().len(), 7, "and the token");
}

/// Who may not ask is not answered, which denies.
#[tokio::test]
async fn an_engine_that_may_not_ask_denies() {
    let court = Court::new();
    let (engine, _) = served(&court, Echo).await;
    for engine in [engine.clone().bearer("x"), engine.bearer_from(|| Err("none".into()))] {
        assert!(engine.decide(&lawyer_does("allow").request()).await.is_err());
    }
}
