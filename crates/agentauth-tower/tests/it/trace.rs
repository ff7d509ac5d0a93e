//! W3C Trace Context through both layers: what comes in is on record, what goes out is the same trace, and no baggage.

use std::sync::Arc;

use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{Authority, ResourceId, TRACEPARENT};
use agentauth_tower::outbound::{Delegator, InProcess, NextHop};
use agentauth_tower::{AgentAuthLayer, ConnectionPeer, DelegationLayer, RequireScopesLayer, TrustedProxy};
use http::Request;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Court, LAWYER, RECORDS, TOOL_SERVER, TOOLS, Tool, clock, request, scopes};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the next server is sent by a gateway that was sent `headers`, and adds `own` itself.
async fn sent_on(headers: &[(&str, &str)], own: Option<(&'static str, &'static str)>) -> http::HeaderMap {
    let court = Court::new();
    let lawyer: Arc<X509Svid> = court.peer(LAWYER);
    let next = Tool::default();
    let delegator = Delegator::builder(InProcess::new(court.service(), court.peer(TOOL_SERVER))).clock(clock()).build();
    let hop = NextHop::new(ResourceId::new(RECORDS).unwrap(), Authority::of_scopes(scopes("records:read"))).unwrap();
    let outbound = DelegationLayer::through(delegator, hop).layer(next.clone());
    let gateway = service_fn(move |request: Request<String>| {
        let mut onward = Request::get("https://records.example/api").body(String::new()).unwrap();
        *onward.extensions_mut() = request.extensions().clone();
        if let Some((name, value)) = own {
            onward.headers_mut().insert(name, value.parse().unwrap());
        }
        outbound.clone().oneshot(onward)
    });
    let token = format!("Bearer {}", court.bound_token(&lawyer));
    court.records.codes();
    let mut inbound = request("/", &[headers, &[("authorization", &*token)]].concat());
    inbound.extensions_mut().insert(ConnectionPeer(lawyer));
    AgentAuthLayer::new(court.auth(TOOLS)).layer(gateway).oneshot(inbound).await.unwrap();
    next.calls().remove(0).headers
}

#[tokio::test]
async fn a_trace_goes_on_with_the_request_and_baggage_does_not() {
    let inbound = [("traceparent", TRACE), ("tracestate", "vendor=1"), ("baggage", "user.id=root")];
    let sent = sent_on(&inbound, None).await;
    let onward = sent[TRACEPARENT].to_str().unwrap();
    assert_eq!((&onward[..36], &onward[52..]), (&TRACE[..36], "-01"), "the trace and its flags");
    assert_ne!(onward[36..52], TRACE[36..52], "a parent of its own");
    assert_eq!(sent["tracestate"], "vendor=1");
    assert!(!sent.contains_key("baggage"));

    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let sent = sent_on(&inbound, Some(("traceparent", own))).await;
    assert_eq!((&sent[TRACEPARENT], sent.contains_key("tracestate")), (&own.parse().unwrap(), false));
    for none in [&[][..], &[("traceparent", "00-no")], &[("traceparent", TRACE), ("traceparent", TRACE)]] {
        assert!(!sent_on(none, None).await.contains_key(TRACEPARENT), "{none:?}");
    }
}

/// Also what is refused before a caller is known, on whatever ground.
#[tokio::test]
async fn every_refusal_has_the_trace_on_record() {
    let court = Court::new();
    let layer = || AgentAuthLayer::new(court.auth(TOOLS));
    let proxied = || layer().client_certificate_from(TrustedProxy::agents([LAWYER.parse().unwrap()]));
    let needed = RequireScopesLayer::new("records:read").unwrap();
    let traced = |headers: &[(&str, &str)]| request("/", &[headers, &[("traceparent", TRACE)]].concat());
    let record = || court.records.only();
    let is_traced = |expected: &str| {
        let record = record();
        let trace = record.trace.as_ref().map(ToString::to_string);
        assert_eq!((record.code, trace.as_deref()), (expected, Some(TRACE)));
    };
    layer().layer(Tool::default()).oneshot(traced(&[])).await.unwrap();
    is_traced("no_credentials");
    layer().layer(Tool::default()).oneshot(traced(&[("authorization", "Bearer x")])).await.unwrap();
    is_traced("token_not_compact");
    let untrusted = traced(&[("client-cert", ":AA==:")]);
    proxied().layer(Tool::default()).oneshot(untrusted).await.unwrap();
    is_traced("client_cert_untrusted");
    layer().optional().layer(needed.layer(Tool::default())).oneshot(traced(&[])).await.unwrap();
    is_traced("no_credentials");
}
