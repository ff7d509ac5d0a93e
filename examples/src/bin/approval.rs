//! A shop whose agent pays small refunds by itself, and large ones once a human has approved them: this refund, and once.
//!
//! Two routers share one engine: the agents' and the humans'. They are called as they are, without sockets between.

#![allow(clippy::print_stdout, reason = "a program that shows something prints it")]

use std::time::Duration;

use agentauth_axum::{AgentAuthLayer, Caller, Rejection};
use agentauth_core::audit::TracingSink;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
use agentauth_core::state::MemoryApprovalStore;
use agentauth_core::{Action, AgentAuth, Approvals, Clock as _, SystemClock, TrustedIssuer};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;

type Error = Box<dyn std::error::Error>;

const SHOP: &str = "https://shop.example";
const STS: &str = "https://sts.shop.example";
const AGENT: &str = "spiffe://shop.example/agent/desk";

/// What dana's browser shows after she has logged in. How humans prove who they are is the application's own matter.
const DANAS_SESSION: &str = "session=of-dana";

#[derive(Serialize, Deserialize)]
struct Refund {
    amount: u32,
}

fn engine(key: &SigningKey) -> Result<AgentAuth, Error> {
    let refunds = |id| -> Result<Rule, Error> {
        Ok(Rule::allow(id)
            .agents(Agents::exactly(AGENT.parse::<agentauth_core::SpiffeId>()?))
            .principals(Principals::exactly(STS, "alice")?)
            .action("refunds:pay")
            .resources(Resources::of_kind("order")))
    };
    let rules = Rules::new([
        refunds("small")?.argument("amount", Limit::between(1, 100)),
        refunds("large")?.argument("amount", Limit::between(101, 5000)).needs_approval(Duration::from_secs(3600)),
    ])?;
    let issuer = TrustedIssuer::rfc8693(STS, key.public_key_set()?);
    let store = MemoryApprovalStore::new();
    Ok(AgentAuth::builder(SHOP).issuer(issuer).policy(rules).approvals(store).audit(TracingSink).build()?)
}

/// Where agents call.
fn shop(auth: AgentAuth) -> Router {
    async fn pay(caller: Caller, Path(order): Path<String>, Json(refund): Json<Refund>) -> Result<String, Rejection> {
        let permit = caller.authorize(Action::new("refunds:pay")?.on("order", &order).with(refund)?).await?;
        permit.run(|refund| async move { Ok(format!("{} paid for order {order}", refund.amount)) }).await?
    }
    Router::new().route("/orders/{order}/refunds", post(pay)).layer(AgentAuthLayer::new(auth))
}

/// Where humans look, once they have logged in.
fn office(approvals: Approvals) -> Router {
    fn human(headers: &HeaderMap) -> Result<&'static str, StatusCode> {
        let is_dana = headers.get(header::COOKIE).is_some_and(|cookie| cookie == DANAS_SESSION);
        is_dana.then_some("dana@shop.example").ok_or(StatusCode::UNAUTHORIZED)
    }
    async fn list(State(approvals): State<Approvals>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
        human(&headers)?;
        let waiting = approvals.pending().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        // As data, for a page that escapes it.
        Ok(waiting
            .iter()
            .map(|request| json!({"id": request.id(), "what": request.to_string()}))
            .collect::<Value>()
            .into())
    }
    async fn decide(
        State(approvals): State<Approvals>,
        Path((id, verdict)): Path<(String, String)>,
        headers: HeaderMap,
    ) -> Result<StatusCode, StatusCode> {
        let dana = human(&headers)?;
        let taken = match verdict.as_str() {
            "approve" => approvals.approve(&id, dana).await,
            "deny" => approvals.deny(&id, dana).await,
            _ => return Err(StatusCode::NOT_FOUND),
        };
        taken.map(|()| StatusCode::NO_CONTENT).map_err(|_| StatusCode::CONFLICT)
    }
    Router::new().route("/approvals", get(list)).route("/approvals/{id}/{verdict}", post(decide)).with_state(approvals)
}

struct Answer {
    status: StatusCode,
    body: String,
}

impl Answer {
    fn json(&self, pointer: &str) -> String {
        let value: Value = serde_json::from_str(&self.body).unwrap_or_default();
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

async fn call(app: &Router, request: axum::http::request::Builder, body: String) -> Result<Answer, Error> {
    let response = app.clone().oneshot(request.body(Body::from(body))?).await?;
    let status = response.status();
    Ok(Answer { status, body: String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())? })
}

/// What happens, line by line, against what should.
#[derive(Default)]
struct Play {
    surprises: usize,
}

impl Play {
    fn line(&mut self, who: &str, what: &str, answer: &Answer, expected: &str) {
        let word = answer.json("/error");
        let said = format!("{} {word}", answer.status.as_u16());
        let said = said.trim();
        let surprise = if said == expected { String::new() } else { format!("   SURPRISE: expected {expected}") };
        self.surprises += usize::from(said != expected);
        println!("{who:<6} {what:<52} {said}{surprise}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let key = SigningKey::generate(Algorithm::EdDsa)?;
    let auth = engine(&key)?;
    let office = office(auth.approvals().ok_or("no store of approvals")?);
    let shop = shop(auth);
    let now = SystemClock.now().secs();
    let claims = json!({
        "iss": STS, "aud": SHOP, "sub": "alice", "client_id": "desk", "act": {"sub": AGENT}, "scope": "refunds:pay",
        "iat": now, "exp": now + 300, "jti": "1",
    });
    let token = key.sign(TokenType::AccessToken, claims.to_string().as_bytes())?;

    let refund = async |amount: u32| {
        let request = Request::post("/orders/17/refunds")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        call(&shop, request, json!({"amount": amount}).to_string()).await
    };
    let decide = async |id: &str, verdict: &str, credentials: (header::HeaderName, &str)| {
        let request = Request::post(format!("/approvals/{id}/{verdict}")).header(credentials.0, credentials.1);
        call(&office, request, String::new()).await
    };
    let dana = || (header::COOKIE, DANAS_SESSION);

    let mut play = Play::default();
    play.line("agent", "refunds 80, which it may by itself", &refund(80).await?, "200");
    let asked = refund(800).await?;
    play.line("agent", "refunds 800", &asked, "403 approval_required");
    let id = asked.json("/approval_id");
    let own_token = format!("Bearer {token}");
    let itself = decide(&id, "approve", (header::AUTHORIZATION, &own_token)).await?;
    play.line("agent", "approves that itself, with its token", &itself, "401");
    play.line("agent", "refunds 800 again, and it waits still", &refund(800).await?, "403 approval_required");

    let list = call(&office, Request::get("/approvals").header(header::COOKIE, DANAS_SESSION), String::new()).await?;
    play.line("dana", "looks at what waits:", &list, "200");
    println!("         {}", list.json("/0/what"));
    play.line("dana", "approves it", &decide(&id, "approve", dana()).await?, "204");

    let changed = refund(801).await?;
    play.line("agent", "refunds 801 instead", &changed, "403 approval_required");
    play.line("agent", "refunds 800", &refund(800).await?, "200");
    play.line("agent", "refunds 800 once more", &refund(800).await?, "403 approval_used");
    play.line("dana", "denies the 801", &decide(&changed.json("/approval_id"), "deny", dana()).await?, "204");
    play.line("agent", "refunds 801", &refund(801).await?, "403 approval_denied");
    play.line("agent", "refunds 9000, which no human is asked about", &refund(9000).await?, "403 access_denied");

    println!("\napproval: {} surprises", play.surprises);
    if play.surprises == 0 { Ok(()) } else { Err("not all went as it should".into()) }
}
