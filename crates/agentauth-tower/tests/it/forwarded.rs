//! [`AgentAuthLayer::forwarded_identity_from`]: what a trusted proxy says about its client is the caller's identity; what
//! anyone else says so is refused.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use agentauth_core::identity::forwarded::{Forwarded, Xfcc};
use agentauth_core::identity::svid::{BundleSource, TrustBundles, X509Svid};
use agentauth_core::{ActorBinding, AgentAuth, AgentTrust, Binding, Caller, PeerProof, SpiffeId};
use agentauth_tower::{AgentAuthLayer, ConnectionAddress, ConnectionPeer, TrustedProxy};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::inbound::{code_in, on_the_wire, refusal};
use crate::support::{Court, LAWYER, TOOLS, Tool, bearer, claims, with};

/// This server's sidecar.
const OWN: &str = "spiffe://court.example/server/tools";
const EDGE: &str = "spiffe://court.example/proxy/edge";
const CLERK: &str = "spiffe://court.example/agent/clerk";
const SIDECAR: &str = "127.0.0.6";
const METADATA: &str = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource\"";
const FIRST_ID: &str = "00000000000000000000000000000001";

fn own() -> SpiffeId {
    OWN.parse().unwrap()
}

/// Who sends a request: what its connection proves, and where it comes from.
#[derive(Clone, Copy, Default)]
struct From<'a> {
    peer: Option<&'a Arc<X509Svid>>,
    address: Option<&'a str>,
}

fn at(address: &str) -> From<'_> {
    From { address: Some(address), ..From::default() }
}

/// A request with `token` and these lines of a header.
fn shown(token: &str, headers: &[(&str, &str)], from: From<'_>) -> Request<String> {
    let mut request = bearer(token);
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    if let Some(peer) = from.peer {
        request.extensions_mut().insert(ConnectionPeer(peer.clone()));
    }
    if let Some(address) = from.address {
        request.extensions_mut().insert(ConnectionAddress(address.parse().unwrap()));
    }
    request
}

fn xfcc(value: &str) -> [(&str, &str); 1] {
    [("x-forwarded-client-cert", value)]
}

/// What the sidecar writes about a client with this ID and this hash of its certificate.
fn says(hash: &str, id: &str) -> String {
    format!("By={OWN};Hash={hash};Subject=\"\";URI={id}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sidecar(auth: AgentAuth) -> AgentAuthLayer {
    AgentAuthLayer::new(auth).forwarded_identity_from(TrustedProxy::loopback_and_sidecar(), Xfcc::append_forward(own()))
}

async fn send(layer: &AgentAuthLayer, tool: &Tool, request: Request<String>) -> Response<String> {
    layer.layer(tool.clone()).oneshot(request).await.unwrap()
}

fn code(answer: &Response<String>) -> &'static str {
    if answer.status() == 200 { "accepted" } else { code_in(answer) }
}

fn caller_of(tool: &Tool) -> Caller {
    tool.calls().remove(0).extensions.remove::<Caller>().unwrap()
}

#[tokio::test]
async fn what_the_proxy_says_is_who_the_caller_is() {
    let court = Court::new();
    let (lawyer, edge) = (court.peer(LAWYER), court.peer(EDGE));
    let hash = hex(lawyer.thumbprint());
    let header = says(&hash, LAWYER);
    let by_edge = || TrustedProxy::agents([EDGE.parse().unwrap()]);
    let by_network = |networks: &[&str]| TrustedProxy::networks(networks.iter().copied()).unwrap();
    for (proxy, from) in [
        (TrustedProxy::loopback_and_sidecar(), at("127.0.0.1")),
        (TrustedProxy::loopback_and_sidecar(), at(SIDECAR)),
        (TrustedProxy::loopback_and_sidecar(), at("::1")),
        (TrustedProxy::loopback_and_sidecar(), at("::6")),
        (TrustedProxy::loopback_and_sidecar(), at("::ffff:127.0.0.6")),
        (by_network(&["192.0.2.0/24", "2001:db8::/32"]), at("192.0.2.255")),
        (by_network(&["192.0.2.0/24", "2001:db8::/32"]), at("2001:db8::7")),
        (by_network(&["192.0.2.0/24"]), at("::ffff:192.0.2.7")),
        (by_edge(), From { peer: Some(&edge), ..From::default() }),
    ] {
        let tool = Tool::default();
        let layer = AgentAuthLayer::new(court.auth(TOOLS)).forwarded_identity_from(proxy, Xfcc::append_forward(own()));
        let answer = send(&layer, &tool, shown(&court.bound_token(&lawyer), &xfcc(&header), from)).await;
        assert_eq!(on_the_wire(&answer), "200\n\ndone");
        let caller = caller_of(&tool);
        let peer = caller.peer().unwrap();
        assert_eq!((peer.id().as_str(), peer.thumbprint()), (LAWYER, Some(lawyer.thumbprint())));
        // The hash is that of the certificate which the token is bound to.
        assert_eq!((caller.delegation().binding(), peer.proof()), (Binding::MutualTls, PeerProof::Forwarded));
        let record = court.records.only();
        assert_eq!(record.peer.as_ref().map(SpiffeId::as_str), Some(LAWYER));
        assert_eq!(record.peer_proof, Some(PeerProof::Forwarded));
    }
}

/// The header is its sender's word. Each case: who is trusted, the certificate and the address of who sends.
#[tokio::test]
async fn from_anyone_but_the_proxy_a_forwarded_identity_is_refused() {
    let court = Court::new();
    let [lawyer, edge] = [LAWYER, EDGE].map(|id| court.peer(id));
    let header = says(&hex(lawyer.thumbprint()), LAWYER);
    let by_network = || TrustedProxy::networks(["192.0.2.0/24"]).unwrap();
    for value in [header.as_str(), "", "garbage", "By=;URI="] {
        for (proxy, from) in [
            (TrustedProxy::loopback_and_sidecar(), From::default()),
            (TrustedProxy::loopback_and_sidecar(), at("192.0.2.7")),
            (TrustedProxy::loopback_and_sidecar(), at("::2")),
            (TrustedProxy::loopback_and_sidecar(), at("::7f00:1")),
            (TrustedProxy::loopback_and_sidecar(), From { peer: Some(&edge), address: Some("192.0.2.7") }),
            (by_network(), at("192.0.3.0")),
            (by_network(), at("127.0.0.1")),
            (TrustedProxy::networks([]).unwrap(), at("127.0.0.1")),
            (TrustedProxy::agents([EDGE.parse().unwrap()]), at("127.0.0.1")),
            (TrustedProxy::agents([EDGE.parse().unwrap()]), From { peer: Some(&lawyer), ..From::default() }),
        ] {
            let tool = Tool::default();
            let layer = AgentAuthLayer::new(court.auth(TOOLS)).forwarded_identity_from(proxy, Xfcc::sanitize_set());
            let answer = send(&layer, &tool, shown(&court.mint(&claims()), &xfcc(value), from)).await;
            let challenge = format!("{METADATA}, error=\"invalid_request\"");
            assert_eq!(on_the_wire(&answer), refusal(400, Some(&challenge), "invalid_request", FIRST_ID));
            assert_eq!((code_in(&answer), tool.calls().len()), ("xfcc_untrusted", 0));
            let record = court.records.only();
            assert_eq!(record.code, "xfcc_untrusted");
            assert_eq!(record.peer.as_ref(), from.peer.map(|peer| peer.id()), "the record says who tried");
        }
    }
}

#[tokio::test]
async fn what_the_proxy_says_is_compared_with_the_token() {
    let court = Court::new();
    let [lawyer, clerk] = [LAWYER, CLERK].map(|id| hex(court.peer(id).thumbprint()));
    let token = court.mint(&claims());
    let foreign = with("act", json!({"sub": "spiffe://other.example/a"}));
    let auth = |binding: ActorBinding, trust: AgentTrust| {
        court.silent_engine(TOOLS).agents(trust).actor_binding(binding).audit(court.records.clone()).build().unwrap()
    };
    let known = || court.trust();
    let vouched = || court.trust().vouched_for_by_proxy("other.example".parse().unwrap());
    let if_proven = || ActorBinding::PeerIfProven;
    for (auth, token, value, status, expected) in [
        (auth(if_proven(), known()), &token, says(&lawyer, LAWYER), 200, "accepted"),
        (auth(if_proven(), known()), &token, says(&clerk, CLERK), 401, "actor_is_not_peer"),
        // A proxy that says nothing about its client: the connection is its own.
        (auth(if_proven(), known()), &token, says(&lawyer, ""), 200, "accepted"),
        (auth(ActorBinding::Peer, known()), &token, says(&lawyer, ""), 401, "peer_missing"),
        (auth(ActorBinding::Peer, known()), &token, says(&lawyer, LAWYER), 200, "accepted"),
        // The mesh may know trust domains that do not count here.
        (
            auth(if_proven(), known()),
            &court.mint(&foreign),
            says(&clerk, "spiffe://other.example/a"),
            401,
            "svid_unknown_trust_domain",
        ),
        (
            auth(if_proven(), vouched()),
            &court.mint(&foreign),
            says(&clerk, "spiffe://other.example/a"),
            200,
            "accepted",
        ),
        (auth(if_proven(), known()), &token, says("00", LAWYER), 400, "xfcc_hash_malformed"),
        (auth(if_proven(), known()), &token, format!("URI={LAWYER}"), 400, "xfcc_by_missing"),
        (auth(if_proven(), known()), &token, "garbage".into(), 400, "xfcc_malformed"),
    ] {
        let tool = Tool::default();
        let answer = send(&sidecar(auth), &tool, shown(token, &xfcc(&value), at(SIDECAR))).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), (status, expected), "{value}");
        assert_eq!(tool.calls().len(), usize::from(status == 200), "{value}");
        court.records.only();
    }
}

#[tokio::test]
async fn a_trusted_proxys_own_connection_says_nothing_about_the_caller() {
    let court = Court::new();
    let lawyer = court.peer(LAWYER);
    let layer = AgentAuthLayer::new(court.auth(TOOLS))
        .forwarded_identity_from(TrustedProxy::agents([LAWYER.parse().unwrap()]), Xfcc::sanitize_set());
    let tool = Tool::default();
    let over_proxy = From { peer: Some(&lawyer), ..From::default() };
    let answer = send(&layer, &tool, shown(&court.bound_token(&lawyer), &[], over_proxy)).await;
    assert_eq!((code(&answer), tool.calls().len()), ("binding_certificate_missing", 0));
    let answer = send(&layer, &tool, shown(&court.mint(&claims()), &[], over_proxy)).await;
    assert_eq!((code(&answer), caller_of(&tool).peer().is_none()), ("accepted", true));
    // Others still come over connections of their own.
    let clerk = court.peer(CLERK);
    let answer =
        send(&layer, &tool, shown(&court.mint(&claims()), &[], From { peer: Some(&clerk), ..From::default() })).await;
    assert_eq!(code(&answer), "actor_is_not_peer");
}

/// Bundles that the test withdraws.
#[derive(Debug, Clone)]
struct Withdrawn(Arc<Mutex<TrustBundles>>);

impl BundleSource for Withdrawn {
    fn bundles(&self) -> TrustBundles {
        self.0.lock().unwrap().clone()
    }
}

/// Its connection is still open, and its certificate has not ended.
#[tokio::test]
async fn a_proxy_whose_root_is_gone_is_no_proxy_any_more() {
    let court = Court::new();
    let [edge, lawyer] = [EDGE, LAWYER].map(|id| court.peer(id));
    let bundles = Withdrawn(Arc::new(Mutex::new(court.trust().bundles().bundles())));
    let trust = AgentTrust::spiffe(bundles.clone()).vouched_for_by_proxy("court.example".parse().unwrap());
    let auth = court.silent_engine(TOOLS).agents(trust).audit(court.records.clone()).build().unwrap();
    let proxy = || TrustedProxy::agents([EDGE.parse().unwrap()]);
    let identity = AgentAuthLayer::new(auth.clone()).forwarded_identity_from(proxy(), Xfcc::sanitize_set());
    let certificate = AgentAuthLayer::new(auth).client_certificate_from(proxy());
    let says = says(&hex(lawyer.thumbprint()), LAWYER);
    let leaf = format!(":{}:", BASE64_STANDARD.encode(court.leaf(LAWYER)));
    let token = court.mint(&claims());
    for expected in ["accepted", "svid_unknown_trust_domain"] {
        for (layer, header) in [(&identity, ("x-forwarded-client-cert", &says)), (&certificate, ("client-cert", &leaf))]
        {
            for headers in [&[(header.0, header.1.as_str())][..], &[]] {
                let from = From { peer: Some(&edge), ..From::default() };
                let answer = send(layer, &Tool::default(), shown(&token, headers, from)).await;
                assert_eq!(code(&answer), expected, "{headers:?}");
            }
        }
        *bundles.0.lock().unwrap() = TrustBundles::new();
    }
}

#[tokio::test]
async fn a_certificate_that_was_passed_on_is_verified_under_the_engines_bundles() {
    let court = Court::new();
    let leaf = court.leaf(LAWYER);
    let thumbprint = digest(&SHA256, &leaf);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64_STANDARD.encode(&leaf));
    let encoded = [("\n", "%0A"), (" ", "%20"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")]
        .iter()
        .fold(pem, |text, (plain, encoded)| text.replace(plain, encoded));
    let value = format!("Hash={};Cert=\"{encoded}\";Subject=\"\";URI={LAWYER}", hex(thumbprint.as_ref()));
    let client_cert = format!(":{}:", BASE64_STANDARD.encode(&leaf));
    let confirmed = json!({"x5t#S256": BASE64_URL_SAFE_NO_PAD.encode(thumbprint)});
    let token = court.mint(&with("cnf", confirmed));
    let untrusting = || AgentTrust::spiffe(TrustBundles::new());
    let auth =
        |trust: AgentTrust| court.silent_engine(TOOLS).agents(trust).audit(court.records.clone()).build().unwrap();
    let verified = || Forwarded::from(Xfcc::sanitize_set().verify_certificates());
    for (forwarded, header, trust, status, expected) in [
        (verified(), ("x-forwarded-client-cert", &value), court.trust(), 200, "accepted"),
        (verified(), ("x-forwarded-client-cert", &value), untrusting(), 401, "svid_unknown_trust_domain"),
        (
            verified(),
            ("x-forwarded-client-cert", &value.replace("Hash", "DNS")),
            court.trust(),
            400,
            "xfcc_names_mismatch",
        ),
        (Forwarded::ClientCert, ("client-cert", &client_cert), court.trust(), 200, "accepted"),
        (Forwarded::ClientCert, ("client-cert", &client_cert), untrusting(), 401, "svid_unknown_trust_domain"),
        (Forwarded::ClientCert, ("client-cert", &"garbage".to_owned()), court.trust(), 400, "client_cert_encoding"),
        (Forwarded::ClientCert, ("client-cert-chain", &client_cert), court.trust(), 400, "client_cert_chain_alone"),
    ] {
        let tool = Tool::default();
        let layer =
            AgentAuthLayer::new(auth(trust)).forwarded_identity_from(TrustedProxy::loopback_and_sidecar(), forwarded);
        let answer = send(&layer, &tool, shown(&token, &[(header.0, header.1)], at(SIDECAR))).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), (status, expected), "{header:?}");
        if status == 200 {
            let caller = caller_of(&tool);
            assert_eq!(
                (caller.peer().unwrap().proof(), caller.delegation().binding()),
                (PeerProof::ForwardedCertificate, Binding::MutualTls)
            );
        }
        let record = court.records.only();
        assert_eq!(record.peer_proof, (status == 200).then_some(PeerProof::ForwardedCertificate));
    }
    for name in ["client-cert", "client-cert-chain"] {
        let layer = AgentAuthLayer::new(court.auth(TOOLS))
            .forwarded_identity_from(TrustedProxy::loopback_and_sidecar(), Forwarded::ClientCert);
        let answer = send(&layer, &Tool::default(), shown(&token, &[(name, &client_cert)], at("192.0.2.7"))).await;
        assert_eq!(code(&answer), "client_cert_untrusted");
    }
}

/// A proxy says one thing: of two settings the last one counts, and the other header means nothing.
#[tokio::test]
async fn two_kinds_of_forwarded_headers_are_never_both_believed() {
    let court = Court::new();
    let (lawyer, leaf) = (court.peer(LAWYER), court.leaf(CLERK));
    let client_cert = format!(":{}:", BASE64_STANDARD.encode(&leaf));
    let confirmed = json!({"x5t#S256": BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &leaf))});
    let header = says(&hex(lawyer.thumbprint()), LAWYER);
    let both = [("x-forwarded-client-cert", header.as_str()), ("client-cert", client_cert.as_str())];
    let proxy = TrustedProxy::loopback_and_sidecar;
    let layer = || AgentAuthLayer::new(court.auth(TOOLS));
    let identity =
        layer().client_certificate_from(proxy()).forwarded_identity_from(proxy(), Xfcc::append_forward(own()));
    let certificate =
        layer().forwarded_identity_from(proxy(), Xfcc::append_forward(own())).client_certificate_from(proxy());
    for (layer, claims, peer, expected) in [
        (&identity, claims(), Some(LAWYER), "accepted"),
        (&identity, with("cnf", confirmed.clone()), None, "binding_certificate_mismatch"),
        (&certificate, claims(), None, "accepted"),
        (&certificate, with("cnf", confirmed), None, "accepted"),
        (&AgentAuthLayer::new(court.auth(TOOLS)), self::claims(), None, "accepted"),
    ] {
        let tool = Tool::default();
        let answer = send(layer, &tool, shown(&court.mint(&claims), &both, at(SIDECAR))).await;
        assert_eq!(code(&answer), expected);
        if expected == "accepted" {
            assert_eq!(caller_of(&tool).peer().map(|peer| peer.id().as_str()), peer);
        }
    }
}

/// An optional layer lets nobody pass who has an untrusted header to show.
#[tokio::test]
async fn an_attempt_at_an_identity_is_no_absence() {
    let court = Court::new();
    let tool = Tool::default();
    let layer = sidecar(court.auth(TOOLS)).optional();
    let with_header = |address: &str, value: &str| {
        let mut request = Request::builder().uri("/").body(String::new()).unwrap();
        request.headers_mut().insert("x-forwarded-client-cert", value.parse().unwrap());
        request.extensions_mut().insert(ConnectionAddress(address.parse::<IpAddr>().unwrap()));
        request
    };
    let good = says(&"0".repeat(64), LAWYER);
    for (address, value, expected, calls) in [
        ("192.0.2.7", &good, "xfcc_untrusted", 0),
        (SIDECAR, &"garbage".into(), "xfcc_malformed", 0),
        (SIDECAR, &good, "accepted", 1),
    ] {
        let answer = send(&layer, &tool, with_header(address, value)).await;
        assert_eq!((code(&answer), tool.calls().len()), (expected, calls));
    }
}

#[tokio::test]
async fn a_server_can_say_where_it_keeps_the_address() {
    let court = Court::new();
    let header = says(&hex(court.peer(LAWYER).thumbprint()), LAWYER);
    let layer = sidecar(court.auth(TOOLS)).sent_from(|extensions| extensions.get::<IpAddr>().copied());
    for (kept, expected) in [("127.0.0.1", "accepted"), ("192.0.2.7", "xfcc_untrusted")] {
        // What stands in the usual place is not looked at.
        let mut request = shown(&court.mint(&claims()), &xfcc(&header), at("127.0.0.1"));
        request.extensions_mut().insert(kept.parse::<IpAddr>().unwrap());
        assert_eq!(code(&send(&layer, &Tool::default(), request).await), expected);
    }
}

#[test]
fn a_network_is_written_so_that_it_means_what_it_says() {
    for text in ["10.1.2.3/8", "10.0.0.0", "localhost", "::1"] {
        let error = TrustedProxy::networks([text]).unwrap_err();
        assert!(error.to_string().contains("is not a network"), "{error}");
    }
}
