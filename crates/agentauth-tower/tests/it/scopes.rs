//! [`RequireScopesLayer`]: what a route requires, before anything of the request is read.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use agentauth_core::audit::RecordKind;
use agentauth_core::policy::Effect;
use agentauth_core::{AgentAuth, Excerpt, Rejection, ScopeError, ScopeImplications};
use agentauth_tower::{AgentAuthLayer, RequireScopesLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Layer, Service, ServiceExt};

use crate::inbound::{code_in, on_the_wire, refusal};
use crate::support::{Court, Failing, Held, SCOPES, TOOLS, Tool, bearer, claims, request, with};

const CHALLENGE: &str = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";

/// A body that must not be read.
struct Sealed;

impl Body for Sealed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read");
    }
}

async fn send(auth: AgentAuth, scopes: &str, tool: &Tool, request: Request<String>) -> Response<String> {
    let inner = RequireScopesLayer::new(scopes).unwrap().layer(tool.clone());
    AgentAuthLayer::new(auth).layer(inner).oneshot(request.map(|_| Sealed)).await.unwrap()
}

#[tokio::test]
async fn a_missing_scope_is_403_with_one_challenge_that_names_all() {
    let court = Court::new();
    let token = court.mint(&with("scope", "records:read"));
    for (needed, named) in
        [("motions:file", "motions:file"), ("records:read motions:file", "motions:file records:read")]
    {
        let tool = Tool::default();
        let answer = send(court.auth(TOOLS), needed, &tool, bearer(&token)).await;
        let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{named}\"");
        // The first identifier is that of the authentication.
        let id = "00000000000000000000000000000002";
        assert_eq!(on_the_wire(&answer), refusal(403, Some(&challenge), "insufficient_scope", id));
        assert_eq!((code_in(&answer), tool.calls().len()), ("insufficient_scope", 0));
        let [authentication, decision] = &court.records.take()[..] else { panic!("two records") };
        assert_eq!(
            (decision.kind, decision.effect, decision.code),
            (RecordKind::Decision, Effect::Deny, "insufficient_scope")
        );
        assert_eq!(decision.authentication_id.as_ref(), Some(&authentication.evaluation_id));
        assert_eq!(&*decision.evaluation_id, id);
        assert_eq!(&*decision.action.as_ref().unwrap().name, format!("require {named}"));
    }
}

#[tokio::test]
async fn a_caller_with_all_scopes_passes_once() {
    let court = Court::new();
    let tool = Tool::default();
    for needed in ["motions:file", SCOPES] {
        let answer = send(court.auth(TOOLS), needed, &tool, bearer(&court.mint(&claims()))).await;
        assert_eq!((answer.status().as_u16(), tool.calls().len()), (200, 1), "{needed}");
        assert_eq!(court.records.codes(), ["allowed", "allowed"]);
    }
}

/// Standards 3.1, rule 7: a broader scope implies the narrower.
#[tokio::test]
async fn implied_scopes_count() {
    let court = Court::new();
    let implications = ScopeImplications::new().includes("motions:file", "motions:read").unwrap();
    let auth = court.silent_engine(TOOLS).implications(implications).audit(court.records.clone()).build().unwrap();
    let (tool, token) = (Tool::default(), court.mint(&with("scope", "motions:file")));
    assert_eq!(send(auth.clone(), "motions:read", &tool, bearer(&token)).await.status(), 200);
    assert_eq!(send(auth, "motions:seal", &tool, bearer(&token)).await.status(), 403);
    assert_eq!(tool.calls().len(), 1);
}

#[tokio::test]
async fn without_the_layer_that_verifies_it_is_the_servers_mistake() {
    let tool = Tool::default();
    let layer = RequireScopesLayer::new("motions:file").unwrap();
    let answer = layer.layer(tool.clone()).oneshot(request("/", &[]).map(|_| Sealed)).await.unwrap();
    assert_eq!(
        on_the_wire(&answer),
        "500\ncontent-type: application/json\ncache-control: no-store\n\n{\"error\":\"server_error\"}"
    );
    assert!(answer.extensions().get::<Rejection>().is_none());
    assert_eq!(tool.calls().len(), 0);
}

#[tokio::test]
async fn nobody_behind_an_optional_layer_is_401_and_recorded() {
    let court = Court::new();
    let tool = Tool::default();
    let inner = RequireScopesLayer::new("motions:file").unwrap().layer(tool.clone());
    let service = AgentAuthLayer::new(court.auth(TOOLS)).optional().layer(inner);
    let answer = service.oneshot(request("/", &[]).map(|_| Sealed)).await.unwrap();
    let record = court.records.only();
    assert_eq!(on_the_wire(&answer), refusal(401, Some(CHALLENGE), "unauthenticated", &record.evaluation_id));
    assert_eq!((code_in(&answer), record.code, record.effect), ("no_credentials", "no_credentials", Effect::Deny));
    assert_eq!(tool.calls().len(), 0);
}

#[test]
fn the_service_is_called_only_after_both_records_are_taken() {
    let court = Court::new();
    let (held, tool) = (Held::default(), Tool::default());
    let auth = court.silent_engine(TOOLS).audit(held.clone()).build().unwrap();
    let mut answer = pin!(send(auth, "motions:file", &tool, bearer(&court.mint(&claims()))));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(answer.as_mut().poll(&mut context).is_pending());
        assert_eq!((tool.calls().len(), held.waiting()), (0, 1));
        held.release(Ok(()));
    }
    let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still pending") };
    assert_eq!((answer.status().as_u16(), tool.calls().len(), held.waiting()), (200, 1, 0));
}

#[tokio::test]
async fn a_decision_that_cannot_be_recorded_is_503() {
    let court = Court::new();
    let caller =
        court.auth(TOOLS).authenticate(agentauth_core::Evidence::bearer(&court.mint(&claims()))).await.unwrap();
    let full = court.silent_engine(TOOLS).audit(Failing).build().unwrap();
    let tool = Tool::default();
    let layer = RequireScopesLayer::new("motions:file").unwrap();
    // Nobody is calling, and that cannot be recorded.
    let mut anonymous = request("/", &[]);
    anonymous.extensions_mut().insert(full);
    let answer = layer.layer(tool.clone()).oneshot(anonymous).await.unwrap();
    assert_eq!((answer.status().as_u16(), code_in(&answer), tool.calls().len()), (503, "audit_unavailable", 0));
    // A caller is the engine's that verified it, whatever else stands in the request.
    let mut verified = request("/", &[]);
    verified.extensions_mut().insert(caller);
    assert_eq!(layer.layer(tool).oneshot(verified).await.unwrap().status(), 200);
}

#[tokio::test]
async fn one_service_serves_many_requests() {
    let court = Court::new();
    let tool = Tool::default();
    let inner = RequireScopesLayer::new("motions:file").unwrap().layer(tool.clone());
    let mut service = AgentAuthLayer::new(court.auth(TOOLS)).layer(inner);
    for (scope, status) in [("motions:file", 200), ("records:read", 403), ("motions:file", 200)] {
        let request = bearer(&court.mint(&with("scope", scope)));
        assert_eq!(
            ServiceExt::<Request<String>>::ready(&mut service).await.unwrap().call(request).await.unwrap().status(),
            status
        );
    }
    assert_eq!(tool.calls().len(), 2);
}

#[test]
fn malformed_scopes_are_refused_when_the_layer_is_made() {
    // What is required by an empty variable would let everyone pass.
    assert_eq!(RequireScopesLayer::new("").unwrap_err(), ScopeError::Empty);
    for spacing in ["a  b", " a", "a "] {
        assert_eq!(RequireScopesLayer::new(spacing).unwrap_err(), ScopeError::Spacing, "{spacing}");
    }
    // The challenge quotes scopes: what would end the quotation is no scope.
    for character in ["a\"b", "a\\b"] {
        let expected = ScopeError::Character(Excerpt::of(character));
        assert_eq!(RequireScopesLayer::new(character).unwrap_err(), expected, "{character}");
    }
}
