//! A server whose identity and bundles follow the platform, and connections that are older than what the platform says now.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use agentauth_axum::{ConnectedAgent, MtlsListener, serve};
use agentauth_core::AgentTrust;
use agentauth_core::identity::svid::{BundleSource, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity};
use axum::Router;
use axum::routing::get;
use rustls::version::TLS13;

use crate::mtls::{SERVER, ask, bearer, client, connect, serve_who, socket, soon};
use crate::support::{Ca, Court, Identity, LAWYER, TOOLS};

/// What the platform says, as a test sets it.
#[derive(Debug, Clone)]
struct Platform(Arc<Mutex<Says>>);

type Says = (Result<Arc<X509Identity>, IdentityUnavailable>, TrustBundles);

impl Platform {
    fn new(identity: &Identity, bundles: TrustBundles) -> Self {
        Self(Arc::new(Mutex::new((Ok(owned(identity)), bundles))))
    }

    fn set_identity(&self, identity: Result<Arc<X509Identity>, IdentityUnavailable>) {
        self.0.lock().unwrap().0 = identity;
    }

    fn set_bundles(&self, bundles: TrustBundles) {
        self.0.lock().unwrap().1 = bundles;
    }
}

impl IdentitySource for Platform {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        self.0.lock().unwrap().0.clone()
    }
}

impl BundleSource for Platform {
    fn bundles(&self) -> TrustBundles {
        self.0.lock().unwrap().1.clone()
    }
}

fn owned(identity: &Identity) -> Arc<X509Identity> {
    Arc::new(X509Identity::new(identity.chain(), identity.key()).unwrap())
}

fn bundles(ca: &Ca) -> TrustBundles {
    TrustBundles::new().with_der("court.example".parse().unwrap(), &[ca.root.der().clone()]).unwrap()
}

#[tokio::test]
async fn a_server_shows_what_its_platform_says_in_each_handshake() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let platform = Platform::new(&court.ca.mint(SERVER), bundles(&court.ca));
    let listener = MtlsListener::new(socket().await, platform.clone(), court.trust()).unwrap();
    let address = serve_who(listener, court.auth());
    let client = client(&court, Some(&lawyer), &TLS13);
    for _ in 0..2 {
        let renewed = court.ca.mint(SERVER);
        platform.set_identity(Ok(owned(&renewed)));
        let stream = soon(connect(address, &client)).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), renewed.chain());
    }
    for gone in [IdentityUnavailable::Withdrawn, IdentityUnavailable::Expired] {
        platform.set_identity(Err(gone));
        // Why is not told to strangers; nothing is shown to them.
        let ended = soon(connect(address, &client)).await.unwrap_err().kind();
        assert!(matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{ended}");
    }
    platform.set_identity(Ok(owned(&court.ca.mint(SERVER))));
    assert!(soon(connect(address, &client)).await.is_ok());
}

/// A connection is made once, and its peer is looked at on each request.
#[tokio::test]
async fn a_connection_does_not_outlive_the_root_of_its_peer() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let platform = Platform::new(&court.ca.mint(SERVER), bundles(&court.ca));
    let trust = AgentTrust::spiffe(platform.clone());
    let listener = MtlsListener::new(socket().await, platform.clone(), trust.clone()).unwrap();
    let auth = court.engine(TOOLS).agents(trust).build().unwrap();
    let address = serve_who(listener, auth);
    let token = bearer(&court.bound_token(&lawyer));
    let mut stream = soon(connect(address, &client(&court, Some(&lawyer), &TLS13))).await.unwrap();
    for (bundles, status, code) in [
        (bundles(&court.ca), 200, "allowed"),
        // The same roots once more, as platforms send them.
        (bundles(&court.ca), 200, "allowed"),
        (bundles(&Ca::new()), 401, "svid_unknown_issuer"),
        (TrustBundles::new(), 401, "svid_unknown_trust_domain"),
        (bundles(&court.ca), 200, "allowed"),
    ] {
        platform.set_bundles(bundles);
        assert_eq!(soon(ask(&mut stream, &token)).await.0, status);
        assert_eq!(court.records.codes(), [code]);
    }
}

/// The same for handlers that ask for no token.
#[tokio::test]
async fn a_connected_agent_is_good_at_each_request() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let platform = Platform::new(&court.ca.mint(SERVER), bundles(&court.ca));
    let trust = AgentTrust::spiffe(platform.clone());
    let listener = MtlsListener::with_optional_clients(socket().await, platform.clone(), trust).unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    let who = async |agent: ConnectedAgent| agent.id().to_string();
    tokio::spawn(serve(listener, Router::new().route("/", get(who))));

    let mut stream = soon(connect(address, &client(&court, Some(&lawyer), &TLS13))).await.unwrap();
    for (bundles, expected) in [
        (bundles(&court.ca), (200, LAWYER)),
        (bundles(&Ca::new()), (401, r#"{"error":"unauthenticated"}"#)),
        (TrustBundles::new(), (401, r#"{"error":"unauthenticated"}"#)),
        (bundles(&court.ca), (200, LAWYER)),
    ] {
        platform.set_bundles(bundles);
        let (status, body) = soon(ask(&mut stream, "")).await;
        assert_eq!((status, body.as_str()), expected);
    }
    let mut nobody = soon(connect(address, &client(&court, None, &TLS13))).await.unwrap();
    assert_eq!(soon(ask(&mut nobody, "")).await.0, 401);
}

/// Where nobody has said who is connected, nobody is.
#[tokio::test]
async fn without_the_listener_there_is_no_connected_agent() {
    let who = async |agent: Option<ConnectedAgent>| agent.is_some().to_string();
    let app = Router::new().route("/", get(who));
    let answer = tower::ServiceExt::oneshot(app, axum::extract::Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 500);
}
