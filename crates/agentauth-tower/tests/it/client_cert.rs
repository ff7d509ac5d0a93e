//! The client certificate that a TLS-terminating proxy passes on (RFC 9440): from the proxy it counts, from others it
//! is an attempt, and without the setting it is nothing.

use std::net::IpAddr;
use std::sync::Arc;

use agentauth_core::identity::svid::X509Svid;
use agentauth_core::{AgentAuth, Binding, Caller, Timestamp};
use agentauth_tower::{AgentAuthLayer, ConnectionAddress, ConnectionPeer, RequireBindingLayer, TrustedProxy};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{Request, Response};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::inbound::{code_in, on_the_wire, refusal};
use crate::support::{Court, LAWYER, NOW, TOOLS, Tool, bearer, claims, clock, with};

const PROXY: &str = "spiffe://court.example/proxy/edge";
const CLERK: &str = "spiffe://court.example/agent/clerk";
const METADATA: &str = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";
const FIRST_ID: &str = "00000000000000000000000000000001";

/// A client's certificate, of no authority that is known here, valid in these years.
struct Client {
    header: String,
    cnf: serde_json::Value,
}

impl Client {
    fn valid(from: i32, to: i32) -> Self {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &der));
        Self { header: format!(":{}:", BASE64_STANDARD.encode(&der)), cnf: json!({"x5t#S256": thumbprint}) }
    }

    fn new() -> Self {
        Self::valid(2020, 2049)
    }

    fn token(&self, court: &Court) -> String {
        court.mint(&with("cnf", self.cnf.clone()))
    }
}

fn edge() -> TrustedProxy {
    TrustedProxy::agents([PROXY.parse().unwrap()])
}

/// A request with `token` and these `Client-Cert` headers, over a connection with this other end.
fn shown(token: &str, headers: &[&str], peer: Option<&Arc<X509Svid>>, address: Option<&str>) -> Request<String> {
    let mut request = bearer(token);
    for header in headers {
        request.headers_mut().append("client-cert", header.parse().unwrap());
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectionPeer(peer.clone()));
    }
    if let Some(address) = address {
        request.extensions_mut().insert(ConnectionAddress(address.parse().unwrap()));
    }
    request
}

async fn send(auth: AgentAuth, proxy: TrustedProxy, tool: &Tool, request: Request<String>) -> Response<String> {
    AgentAuthLayer::new(auth).client_certificate_from(proxy).layer(tool.clone()).oneshot(request).await.unwrap()
}

fn code(answer: &Response<String>) -> &'static str {
    if answer.status() == 200 { "accepted" } else { code_in(answer) }
}

#[tokio::test]
async fn what_the_proxy_passes_on_holds_the_token() {
    let court = Court::new();
    let (client, proxy) = (Client::new(), court.peer(PROXY));
    let token = client.token(&court);
    let address = |address: &str| TrustedProxy::addresses([address.parse::<IpAddr>().unwrap()]);
    for (trusted, peer, from) in [
        (edge(), Some(&proxy), None),
        (edge(), Some(&proxy), Some("203.0.113.9")),
        (address("192.0.2.7"), None, Some("192.0.2.7")),
        (address("192.0.2.7"), None, Some("::ffff:192.0.2.7")),
        (address("::ffff:192.0.2.7"), None, Some("192.0.2.7")),
        (address("2001:db8::1"), Some(&proxy), Some("2001:db8::1")),
    ] {
        let tool = Tool::default();
        let answer = send(court.auth(TOOLS), trusted, &tool, shown(&token, &[&client.header], peer, from)).await;
        assert_eq!(on_the_wire(&answer), "200\n\ndone");
        let caller = tool.calls().remove(0).extensions.remove::<Caller>().unwrap();
        assert_eq!((caller.delegation().binding(), caller.agent().to_string()), (Binding::MutualTls, LAWYER.into()));
        assert_eq!(caller.peer(), None, "the proxy is not the caller");
        let record = court.records.only();
        assert_eq!((record.code, record.peer.as_ref()), ("allowed", None));
    }
}

/// The header is the sender's word. Each case: who is trusted, the certificate and the address of who sends.
#[tokio::test]
async fn from_anyone_else_it_is_refused_whatever_it_says() {
    let court = Court::new();
    let client = Client::new();
    let [clerk, lookalike, lawyer] = [CLERK, "spiffe://court.example/proxy/edge2", LAWYER].map(|id| court.peer(id));
    let addresses = || TrustedProxy::addresses(["192.0.2.7".parse::<IpAddr>().unwrap()]);
    for token in [client.token(&court), court.mint(&claims()), "no-token".into()] {
        for header in [client.header.as_str(), "", "garbage"] {
            for (trusted, peer, from) in [
                (edge(), None, None),
                (edge(), None, Some("192.0.2.7")),
                (edge(), Some(&clerk), None),
                (edge(), Some(&lookalike), None),
                (edge(), Some(&lawyer), None),
                (TrustedProxy::agents([]), Some(&lawyer), None),
                (addresses(), None, None),
                (addresses(), None, Some("192.0.2.8")),
                (addresses(), None, Some("::192.0.2.7")),
                (addresses(), Some(&lawyer), Some("192.0.2.70")),
                (TrustedProxy::addresses([]), None, Some("192.0.2.7")),
            ] {
                let tool = Tool::default();
                let answer = send(court.auth(TOOLS), trusted, &tool, shown(&token, &[header], peer, from)).await;
                let challenge = format!("{METADATA}, error=\"invalid_request\"");
                assert_eq!(on_the_wire(&answer), refusal(400, Some(&challenge), "invalid_request", FIRST_ID));
                assert_eq!((code_in(&answer), tool.calls().len()), ("client_cert_untrusted", 0));
                let record = court.records.only();
                assert_eq!(record.code, "client_cert_untrusted");
                assert_eq!(record.peer.as_ref(), peer.map(|peer| peer.id()), "the record says who tried");
            }
        }
    }
}

#[tokio::test]
async fn a_header_of_the_proxy_that_is_no_good_is_refused() {
    let court = Court::new();
    let (client, proxy) = (Client::new(), court.peer(PROXY));
    let (expired, early, other) = (Client::valid(2020, 2021), Client::valid(2040, 2049), Client::new());
    let good = client.header.as_str();
    let token = client.token(&court);
    let oversize = format!(":{}:", "A".repeat(16 * 1024));
    for (token, headers, status, expected) in [
        (&token, vec![good], 200, "accepted"),
        (&token, vec![good, good], 400, "client_cert_repeated"),
        (&token, vec![&*oversize], 400, "client_cert_oversize"),
        (&token, vec![""], 400, "client_cert_encoding"),
        (&token, vec![good.trim_matches(':')], 400, "client_cert_encoding"),
        (&token, vec![":MIIB:"], 400, "client_cert_malformed"),
        (&expired.token(&court), vec![&*expired.header], 401, "client_cert_expired"),
        (&early.token(&court), vec![&*early.header], 401, "client_cert_not_yet_valid"),
        (&token, vec![&*other.header], 401, "binding_certificate_mismatch"),
        (&token, vec![], 401, "binding_certificate_missing"),
        // A token that is bound to nothing is not made better, and not worse.
        (&court.mint(&claims()), vec![good], 200, "accepted"),
    ] {
        let tool = Tool::default();
        let answer = send(court.auth(TOOLS), edge(), &tool, shown(token, &headers, Some(&proxy), None)).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), (status, expected));
        assert_eq!(tool.calls().len(), usize::from(status == 200), "{expected}");
        let record = court.records.only();
        assert_eq!(record.peer, None, "{expected}: the proxy is never the caller");
    }
}

/// What is true of the connection to the proxy is not true of the client behind it.
#[tokio::test]
async fn the_proxys_own_identity_is_never_the_callers() {
    let court = Court::new();
    let proxy = court.peer(PROXY);
    // The lawyer's own process as the proxy: its certificate holds no token that comes through it.
    let lawyer = court.peer(LAWYER);
    let token = court.bound_token(&lawyer);
    let as_lawyer = || TrustedProxy::agents([LAWYER.parse().unwrap()]);
    let tool = Tool::default();
    let answer = send(court.auth(TOOLS), as_lawyer(), &tool, shown(&token, &[], Some(&lawyer), None)).await;
    assert_eq!((code(&answer), tool.calls().len()), ("binding_certificate_missing", 0));
    // And a caller that names another agent is not refused for not being the proxy.
    for headers in [&[][..], &[Client::new().header.as_str()]] {
        let answer =
            send(court.auth(TOOLS), edge(), &tool, shown(&court.mint(&claims()), headers, Some(&proxy), None)).await;
        assert_eq!(code(&answer), "accepted");
        let caller = tool.calls().remove(0).extensions.remove::<Caller>().unwrap();
        assert_eq!((caller.peer(), caller.delegation().binding()), (None, Binding::Bearer));
    }
    // Others still come over connections of their own.
    let answer = send(court.auth(TOOLS), edge(), &tool, shown(&token, &[], Some(&lawyer), None)).await;
    assert_eq!(code(&answer), "accepted");
    let caller = tool.calls().remove(0).extensions.remove::<Caller>().unwrap();
    assert_eq!((caller.peer(), caller.delegation().binding()), (Some(&lawyer.into()), Binding::MutualTls));
}

/// A connection can outlive the proxy's certificate; its word does not.
#[tokio::test]
async fn a_proxy_is_known_only_while_its_certificate_lasts() {
    let court = Court::new();
    let proxy = court.peer(PROXY);
    let client = Client::valid(2000, 2100);
    let clock = clock();
    let auth = court.silent_engine(TOOLS).clock(clock.clone()).audit(court.records.clone()).build().unwrap();
    for (time, with_header, without) in [
        (proxy.not_after().secs(), "accepted", "binding_certificate_missing"),
        (proxy.not_after().secs() + 1, "svid_expired", "svid_expired"),
        (proxy.not_before().secs(), "accepted", "binding_certificate_missing"),
        (proxy.not_before().secs() - 1, "svid_not_yet_valid", "svid_not_yet_valid"),
    ] {
        clock.set(Timestamp::from_secs(time));
        let mut claims = with("cnf", client.cnf.clone());
        (claims["iat"], claims["exp"]) = (json!(time), json!(time + 300));
        let token = court.mint(&claims);
        for (headers, expected) in [(&[client.header.as_str()][..], with_header), (&[], without)] {
            let tool = Tool::default();
            let answer = send(auth.clone(), edge(), &tool, shown(&token, headers, Some(&proxy), None)).await;
            assert_eq!((code(&answer), tool.calls().len()), (expected, usize::from(expected == "accepted")), "{time}");
        }
    }
}

#[tokio::test]
async fn without_the_setting_the_header_means_nothing() {
    let court = Court::new();
    let (client, proxy) = (Client::new(), court.peer(PROXY));
    for (token, headers, peer, expected) in [
        (client.token(&court), [client.header.as_str()], None, "binding_certificate_missing"),
        (client.token(&court), [client.header.as_str()], Some(&proxy), "binding_certificate_mismatch"),
        (court.mint(&claims()), [client.header.as_str()], None, "accepted"),
        (court.mint(&claims()), ["garbage"], None, "accepted"),
    ] {
        let tool = Tool::default();
        let layer = AgentAuthLayer::new(court.auth(TOOLS));
        let answer = layer.layer(tool.clone()).oneshot(shown(&token, &headers, peer, None)).await.unwrap();
        assert_eq!((code(&answer), tool.calls().len()), (expected, usize::from(expected == "accepted")));
    }
}

#[tokio::test]
async fn a_route_that_requires_a_binding_takes_it() {
    let court = Court::new();
    let (client, proxy) = (Client::new(), court.peer(PROXY));
    let tool = Tool::default();
    for (token, expected) in [(client.token(&court), "accepted"), (court.mint(&claims()), "binding_required")] {
        let layer = AgentAuthLayer::new(court.auth(TOOLS)).client_certificate_from(edge());
        let service = layer.layer(RequireBindingLayer::new().layer(tool.clone()));
        let answer = service.oneshot(shown(&token, &[&client.header], Some(&proxy), None)).await.unwrap();
        assert_eq!(code(&answer), expected);
    }
    assert_eq!(tool.calls().len(), 1);
}

/// An optional layer lets nobody pass who has an untrusted certificate to show.
#[tokio::test]
async fn an_attempt_is_no_absence() {
    let court = Court::new();
    let tool = Tool::default();
    let layer = AgentAuthLayer::new(court.auth(TOOLS)).client_certificate_from(edge()).optional();
    let mut attempt = Request::builder().uri("/").body(String::new()).unwrap();
    attempt.headers_mut().insert("client-cert", Client::new().header.parse().unwrap());
    let answer = layer.layer(tool.clone()).oneshot(attempt).await.unwrap();
    assert_eq!((code(&answer), tool.calls().len()), ("client_cert_untrusted", 0));
    assert_eq!(court.records.only().time.secs(), NOW);
}
