//! What a handler sees of its caller, and what a refused caller sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agentauth_axum::{AgentAuthLayer, Caller, Rejection, RequireScopesLayer};
use agentauth_core::audit::RecordKind;
use agentauth_core::delegation::AnswerError;
use agentauth_core::policy::{Agents, Arguments, Limit, Principals, Resources, Rule, Rules};
use agentauth_core::state::MemoryApprovalStore;
use agentauth_core::{Action, AgentAuth, OutboundError};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{Court, LAWYER, NOW, claims, fetch, get as request, send, with};

const CHALLENGE: &str = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";

#[derive(Serialize, Deserialize)]
struct Motion {
    title: String,
    fee: u32,
}

/// How often the tool ran.
type Ran = Arc<AtomicUsize>;

async fn file_motion(
    State(ran): State<Ran>,
    caller: Caller,
    Path(case): Path<String>,
    Json(motion): Json<Motion>,
) -> Result<(StatusCode, String), Rejection> {
    let permit = caller.authorize(Action::new("motions:file")?.on("case", &case).with(motion)?).await?;
    permit
        .run(|motion| async move {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok((StatusCode::CREATED, format!("filed: {}", motion.title)))
        })
        .await?
}

/// What a handler answers that could not pass anything on: each with the status of whose fault it is, and one word.
#[tokio::test]
async fn what_cannot_be_passed_on_is_answered_by_whose_fault_it_is() {
    let refused = || OutboundError::Answer(AnswerError::WrongKind);
    for (error, status, word) in [
        (OutboundError::CallerEnded, 401, "unauthenticated"),
        (OutboundError::Busy, 503, "temporarily_unavailable"),
        (OutboundError::unreachable("10.0.0.7 is down"), 503, "temporarily_unavailable"),
        (OutboundError::inner("10.0.0.7 is down"), 502, "bad_gateway"),
        (refused(), 502, "bad_gateway"),
        (OutboundError::NotConfigured, 500, "server_error"),
        (OutboundError::NoScopes, 500, "server_error"),
    ] {
        let code = error.code();
        let rejection = Rejection::from(error);
        assert_eq!(rejection.code(), code);
        let response = rejection.into_response();
        assert_eq!(response.status(), status, "{code}");
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(body, format!(r#"{{"error":"{word}"}}"#), "{code}");
    }
}

async fn who(caller: Option<Caller>) -> String {
    caller.map_or_else(|| "nobody".into(), |caller| format!("{} for {}", caller.agent(), caller.principal().subject()))
}

/// An engine whose rules let lawyers file cheap motions in case 17 for alice.
fn lawful(court: &Court) -> AgentAuth {
    let rule = Rule::allow("lawyers-file")
        .agents(Agents::below(LAWYER).unwrap())
        .principals(Principals::exactly(crate::support::STS, "alice").unwrap())
        .action("motions:file")
        .resources(Resources::exactly("case", "17"))
        .argument("title", Limit::max_length(20))
        .argument("fee", Limit::between(0, 500));
    court.engine(crate::support::TOOLS).policy(Rules::new([rule]).unwrap()).build().unwrap()
}

fn app(layer: AgentAuthLayer, ran: &Ran) -> Router {
    let guarded = post(file_motion).layer(RequireScopesLayer::new("motions:file").unwrap());
    Router::new()
        .route("/cases/{case}/motions", post(file_motion))
        .route("/guarded/{case}/motions", guarded)
        .route("/who", get(who))
        .route("/caller", get(async |caller: Caller| who(Some(caller)).await))
        .layer(layer)
        .with_state(ran.clone())
}

fn filing(uri: &str, token: Option<&str>, body: &(impl ToString + ?Sized)) -> Request<Body> {
    let mut request = request(uri, token).map(|_| Body::from(body.to_string()));
    *request.method_mut() = http::Method::POST;
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    request
}

#[tokio::test]
async fn a_handler_is_given_the_verified_caller() {
    let court = Court::new();
    let app = app(AgentAuthLayer::new(court.auth()), &Ran::default());
    let token = court.mint(&claims());
    for uri in ["/caller", "/who"] {
        let answer = send(&app, request(uri, Some(&token))).await;
        assert_eq!((answer.status(), &*answer.body), (200, &*format!("{LAWYER} for alice")));
    }
    let core: fn(Caller) -> agentauth_core::Caller = Into::into;
    let same = Router::new().route("/", get(async move |caller: Caller| core(caller).scopes().to_string()));
    let answer = send(&same.layer(AgentAuthLayer::new(court.auth())), request("/", Some(&token))).await;
    assert_eq!(answer.body, crate::support::SCOPES);
}

#[tokio::test]
async fn an_optional_caller_is_none_when_absent_and_refused_when_bad() {
    let court = Court::new();
    let app = app(AgentAuthLayer::new(court.auth()).optional(), &Ran::default());
    let answer = fetch(&app, "/who").await;
    assert_eq!((answer.status(), &*answer.body), (200, "nobody"));
    assert_eq!(court.records.codes(), [""; 0]);
    for (token, code) in [("no-token", "token_not_compact"), (&*court.mint(&with("exp", NOW - 60)), "token_expired")] {
        let answer = send(&app, request("/who", Some(token))).await;
        let record = court.records.only();
        assert_eq!((answer.status(), answer.code, record.code), (401, Some(code), code));
        assert_eq!(answer.json(), json!({"error": "invalid_token", "evaluation_id": record.evaluation_id}));
    }
    assert_eq!(send(&app, request("/who", Some(&court.mint(&claims())))).await.body, format!("{LAWYER} for alice"));
}

#[tokio::test]
async fn a_caller_that_must_be_there_and_is_not_is_401_and_recorded() {
    let court = Court::new();
    for layer in [AgentAuthLayer::new(court.auth()), AgentAuthLayer::new(court.auth()).optional()] {
        let answer = fetch(&app(layer, &Ran::default()), "/caller").await;
        let record = court.records.only();
        assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some(CHALLENGE)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.json(), json!({"error": "unauthenticated", "evaluation_id": record.evaluation_id}));
        assert_eq!(
            (answer.code, record.code, record.kind),
            (Some("no_credentials"), "no_credentials", RecordKind::Authentication)
        );
    }
}

#[tokio::test]
async fn who_needs_a_human_is_told_what_to_show_to_one() {
    let (court, ran) = (Court::new(), Ran::default());
    let rule = Rule::allow("large-fees")
        .agents(Agents::any())
        .principals(Principals::any())
        .action("motions:file")
        .resources(Resources::any())
        .any_arguments()
        .needs_approval(std::time::Duration::from_secs(3600));
    let engine = court.engine(crate::support::TOOLS).approvals(MemoryApprovalStore::new());
    let auth = engine.policy(Rules::new([rule]).unwrap()).build().unwrap();
    let app = app(AgentAuthLayer::new(auth.clone()), &ran);
    let token = court.mint(&claims());
    let request = || filing("/cases/17/motions", Some(&token), &json!({"title": "x", "fee": 900}));

    let answer = send(&app, request()).await;
    let waiting = auth.approvals().unwrap().pending().await.unwrap();
    let id = waiting[0].id();
    assert_eq!((answer.status(), answer.code), (403, Some("approval_required")));
    assert_eq!(
        answer.json(),
        json!({"error": "approval_required", "evaluation_id": waiting[0].evaluation_id(), "approval_id": id})
    );
    assert_eq!((answer.header("www-authenticate"), answer.header("cache-control")), (None, Some("no-store")));
    auth.approvals().unwrap().approve(id, "dana").await.unwrap();
    assert_eq!(send(&app, request()).await.status(), 201);
    let answer = send(&app, request()).await;
    assert_eq!((answer.status(), answer.code, ran.load(Ordering::SeqCst)), (403, Some("approval_used"), 1));
    assert_eq!((&answer.json()["error"], &answer.json()["approval_id"]), (&json!("approval_used"), &json!(id)));
}

#[tokio::test]
async fn a_route_without_the_layer_is_the_servers_mistake() {
    let token = Court::new().mint(&claims());
    let app = Router::new().route("/who", get(who)).route("/caller", get(async |_: Caller| "never"));
    for (uri, token) in [("/who", None), ("/caller", None), ("/who", Some(&*token)), ("/caller", Some(&*token))] {
        let answer = send(&app, request(uri, token)).await;
        assert_eq!((answer.status(), answer.code), (500, None), "{uri}");
        assert_eq!(answer.json(), json!({"error": "server_error"}));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn the_layer_guards_routes_that_do_not_exist() {
    let court = Court::new();
    let app = app(AgentAuthLayer::new(court.auth()), &Ran::default());
    assert_eq!(fetch(&app, "/nowhere").await.status(), 401);
    assert_eq!(send(&app, request("/nowhere", Some(&court.mint(&claims())))).await.status(), 404);
}

#[tokio::test]
async fn a_permitted_action_is_done_and_recorded_three_times() {
    let court = Court::new();
    let ran = Ran::default();
    let app = app(AgentAuthLayer::new(lawful(&court)), &ran);
    let motion = json!({"title": "to dismiss", "fee": 500});
    let answer = send(&app, filing("/cases/17/motions", Some(&court.mint(&claims())), &motion)).await;
    assert_eq!((answer.status(), &*answer.body, ran.load(Ordering::SeqCst)), (201, "filed: to dismiss", 1));
    let [verified, decided, done] = &court.records.take()[..] else { panic!("three records") };
    assert_eq!(
        [verified.kind, decided.kind, done.kind],
        [RecordKind::Authentication, RecordKind::Decision, RecordKind::Outcome]
    );
    assert_eq!([verified.code, decided.code, done.code], ["allowed", "allowed", "succeeded"]);
    assert_eq!(decided.authentication_id.as_ref(), Some(&verified.evaluation_id));
    assert_eq!(done.evaluation_id, decided.evaluation_id);
    let [decided, done] = [decided, done].map(|record| record.action.as_ref().unwrap());
    assert_eq!(done.arguments, Some(Arguments::of(&motion).unwrap().digest()));
    assert_eq!(done.arguments, decided.arguments);
}

#[tokio::test]
async fn each_denial_is_answered_by_its_kind_and_the_tool_does_not_run() {
    let court = Court::new();
    let ran = Ran::default();
    let app = app(AgentAuthLayer::new(lawful(&court)), &ran);
    let (cheap, dear) = (json!({"title": "x", "fee": 0}), json!({"title": "x", "fee": 501}));
    let scope = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"motions:file\"");
    for (claims, case, motion, error, challenge, code) in [
        (with("scope", "records:read"), "17", &cheap, "insufficient_scope", Some(&*scope), "insufficient_scope"),
        (claims(), "17", &dear, "access_denied", None, "argument_outside_limit"),
        (claims(), "18", &cheap, "access_denied", None, "policy_not_permitted"),
        (with("sub", "bob"), "17", &cheap, "actor_unauthorized", None, "actor_unauthorized"),
    ] {
        let answer = send(&app, filing(&format!("/cases/{case}/motions"), Some(&court.mint(&claims)), motion)).await;
        let [_, record] = &court.records.take()[..] else { panic!("two records") };
        assert_eq!((answer.status(), answer.code, record.code), (403, Some(code), code));
        assert_eq!(answer.json(), json!({"error": error, "evaluation_id": record.evaluation_id}));
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_bad_body_does_not_come_before_who_may_send_it() {
    let court = Court::new();
    let app = app(AgentAuthLayer::new(lawful(&court)), &Ran::default());
    let [file, read] = ["motions:file", "records:read"].map(|scope| court.mint(&with("scope", scope)));
    for (uri, token, status, codes) in [
        ("/guarded/17/motions", None, 401, vec!["no_credentials"]),
        ("/guarded/17/motions", Some("no-token"), 401, vec!["token_not_compact"]),
        ("/guarded/17/motions", Some(&*read), 403, vec!["allowed", "insufficient_scope"]),
        ("/guarded/17/motions", Some(&*file), 400, vec!["allowed", "allowed"]),
        // Without the layer, the handler reads the body first; who is calling has been settled even so.
        ("/cases/17/motions", None, 401, vec!["no_credentials"]),
        ("/cases/17/motions", Some(&*read), 400, vec!["allowed"]),
    ] {
        assert_eq!(send(&app, filing(uri, token, "{\"title\":")).await.status(), status, "{uri} {token:?}");
        assert_eq!(court.records.codes(), codes, "{uri} {token:?}");
    }
}

/// What a handler does wrong is told apart from what its caller does wrong.
#[tokio::test]
async fn arguments_and_action_names_that_cannot_be_are_400_and_500() {
    async fn call(caller: Caller, Path(name): Path<String>, body: Bytes) -> Result<String, Rejection> {
        let action = Action::new(&name)?.with_arguments(Arguments::from_json(&body)?);
        caller.authorize(action).await?.run(|_| async { Ok(String::new()) }).await?
    }
    let court = Court::new();
    let app = Router::new().route("/{name}", post(call)).layer(AgentAuthLayer::new(lawful(&court)));
    let token = court.mint(&claims());
    for (name, body, status, error) in [
        ("motions:file", "[1]", 400, "invalid_request"),
        ("motions:file", "{\"fee\":1,\"fee\":900}", 400, "invalid_request"),
        ("motions:file", "{\"fee\":9007199254740993}", 400, "invalid_request"),
        ("a%20b", "{}", 500, "server_error"),
    ] {
        let answer = send(&app, filing(&format!("/{name}"), Some(&token), body)).await;
        assert_eq!((answer.status(), answer.code), (status, None), "{body}");
        assert_eq!(answer.json(), json!({"error": error}));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_rejection_keeps_its_code_and_its_sentence() {
    let court = Court::new();
    let refused = court.auth().authenticate(agentauth_core::Evidence::none()).await.unwrap_err();
    let id = refused.evaluation_id().to_owned();
    let rejection = Rejection::from(refused);
    assert_eq!(
        (rejection.code(), &*rejection.to_string()),
        ("no_credentials", "the request carries no credentials [no_credentials]")
    );
    assert_eq!(rejection.refusal().map(agentauth_core::Rejection::evaluation_id), Some(&*id));
    let rejection = Rejection::from(Arguments::of(&[1]).unwrap_err());
    assert_eq!((rejection.code(), rejection.refusal().is_none()), ("arguments_not_an_object", true));
    let rejection = Rejection::from(Action::new("a b").unwrap_err());
    assert_eq!((rejection.code(), rejection.refusal().is_none()), ("server_error", true));
}
