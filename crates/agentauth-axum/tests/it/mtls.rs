//! Real connections on loopback: who gets through the handshake, and as whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agentauth_axum::mtls::TlsConfigError;
use agentauth_axum::{AgentAuthLayer, Caller, MtlsListener, ServerIdentity, serve};
use agentauth_core::{AgentAuth, SpiffeId, Timestamp};
use axum::Router;
use axum::routing::get;
use axum::serve::Listener as _;
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, SanType, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, Error as TlsError, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Ca, Court, Identity, LAWYER, uri};

pub(crate) const SERVER: &str = "spiffe://court.example/server/tools";

/// A guard against hanging, not a measure.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), future).await.unwrap()
}

pub(crate) async fn socket() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Serves who is calling, to agents of the court or to anybody.
pub(crate) async fn open(court: &Court, anonymous: bool, auth: AgentAuth) -> SocketAddr {
    let (socket, identity, trust) = (socket().await, court.ca.mint(SERVER).server(), court.trust());
    let listener = if anonymous {
        MtlsListener::with_optional_clients(socket, identity, trust).unwrap()
    } else {
        MtlsListener::new(socket, identity, trust).unwrap()
    };
    serve_who(listener, auth)
}

pub(crate) fn serve_who(listener: MtlsListener, auth: AgentAuth) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let who = async |caller: Option<Caller>| match caller {
        Some(caller) => format!("{} over {:?}", caller.agent(), caller.peer().map(|peer| peer.id().path().to_owned())),
        None => "nobody".into(),
    };
    let app = Router::new().route("/", get(who)).layer(AgentAuthLayer::new(auth).optional());
    tokio::spawn(serve(listener, app));
    address
}

/// The configuration of a client that trusts the court, and shows `identity` if it has one.
pub(crate) fn client(
    court: &Court,
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(court.ca.root.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.key()).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

pub(crate) async fn connect(address: SocketAddr, client: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    handshake(TcpStream::connect(address).await.unwrap(), client).await
}

pub(crate) async fn handshake(stream: TcpStream, client: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::IpAddress(stream.peer_addr()?.ip().into());
    TlsConnector::from(client.clone()).connect(name, stream).await
}

/// One request on a connection that stays open: the status and the body of its answer.
pub(crate) async fn ask(stream: &mut TlsStream<TcpStream>, headers: &str) -> (u16, String) {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: tools.example\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    loop {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "the connection was closed");
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return (head[9..12].parse().unwrap(), body.to_owned());
        }
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// How the server ends a handshake that it refuses: the alert, in TLS 1.3 when the client thinks it is done.
async fn alert(address: SocketAddr, client: &Arc<ClientConfig>) -> AlertDescription {
    let error = match connect(address, client).await {
        Ok(mut stream) => stream.read_u8().await.unwrap_err(),
        Err(error) => error,
    };
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(TlsError::AlertReceived(alert)) => *alert,
        _ => panic!("no alert: {error:?}"),
    }
}

#[tokio::test]
async fn an_agent_is_known_by_its_certificate_and_its_bound_token_counts() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let address = open(&court, false, court.auth()).await;
    let token = bearer(&court.bound_token(&lawyer));
    for version in [&TLS13, &TLS12] {
        let mut stream = soon(connect(address, &client(&court, Some(&lawyer), version))).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), None);
        for _ in 0..2 {
            assert_eq!(soon(ask(&mut stream, &token)).await, (200, format!("{LAWYER} over Some(\"/agent/lawyer\")")));
            assert_eq!(court.records.only().peer.as_ref().map(SpiffeId::as_str), Some(LAWYER));
        }
        // The same connection without a token is nobody: a certificate alone delegates nothing.
        assert_eq!(soon(ask(&mut stream, "")).await, (200, "nobody".into()));
    }
}

#[tokio::test]
async fn a_bound_token_does_not_count_on_another_connection() {
    let court = Court::new();
    let [lawyer, renewed] = [court.ca.mint(LAWYER), court.ca.mint(LAWYER)];
    let thief = court.ca.mint("spiffe://court.example/agent/thief");
    let address = open(&court, true, court.auth()).await;
    let forged = format!("{}x-forwarded-client-cert: URI={LAWYER}\r\n", bearer(&court.bound_token(&lawyer)));
    for (identity, peer, code) in [
        (Some(&renewed), Some(LAWYER), "binding_certificate_mismatch"),
        (Some(&thief), Some("spiffe://court.example/agent/thief"), "binding_certificate_mismatch"),
        (None, None, "binding_certificate_missing"),
    ] {
        let mut stream = soon(connect(address, &client(&court, identity, &TLS13))).await.unwrap();
        assert_eq!(soon(ask(&mut stream, &forged)).await.0, 401);
        let record = court.records.only();
        assert_eq!((record.code, record.peer.as_ref().map(SpiffeId::as_str)), (code, peer));
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_or_nobody() {
    let court = Court::new();
    let required = open(&court, false, court.auth()).await;
    let optional = open(&court, true, court.auth()).await;
    for version in [&TLS13, &TLS12] {
        let anonymous = client(&court, None, version);
        assert_eq!(soon(alert(required, &anonymous)).await, AlertDescription::CertificateRequired);
        let mut stream = soon(connect(optional, &anonymous)).await.unwrap();
        assert_eq!(soon(ask(&mut stream, "")).await, (200, "nobody".into()));
        // Without a certificate, what is not bound to one counts.
        let token = bearer(&court.mint(&crate::support::claims()));
        assert_eq!(soon(ask(&mut stream, &token)).await, (200, format!("{LAWYER} over None")));
    }
    assert_eq!(court.records.codes(), ["allowed", "allowed"]);
}

#[tokio::test]
async fn a_certificate_that_is_no_svid_of_a_trusted_domain_is_refused_in_the_handshake() {
    let (court, other) = (Court::new(), Ca::new());
    let dns = || SanType::DnsName("tools.example".try_into().unwrap());
    let addresses = [open(&court, false, court.auth()).await, open(&court, true, court.auth()).await];
    for (what, identity) in [
        ("another trust domain's", other.mint("spiffe://other.example/agent/lawyer")),
        ("another authority's", other.mint(LAWYER)),
        ("a name in another trust domain", court.ca.mint("spiffe://other.example/agent/lawyer")),
        ("no URI", court.ca.certify(vec![dns()], |_| {})),
        ("two URIs", court.ca.certify(vec![uri(LAWYER), uri("spiffe://court.example/agent/clerk")], |_| {})),
        ("an https URI", court.ca.certify(vec![uri("https://court.example/agent/lawyer")], |_| {})),
        ("no path", court.ca.certify(vec![uri("spiffe://court.example")], |_| {})),
        ("expired", court.ca.certify(vec![uri(LAWYER)], |params| params.not_after = date_time_ymd(2021, 1, 1))),
        ("not yet valid", court.ca.certify(vec![uri(LAWYER)], |params| params.not_before = date_time_ymd(2048, 1, 1))),
        (
            "a CA",
            court.ca.certify(vec![uri(LAWYER)], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        ),
        (
            "a signer",
            court.ca.certify(vec![uri(LAWYER)], |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
        ),
        (
            "for servers",
            court.ca.certify(vec![uri(LAWYER)], |params| {
                params.extended_key_usages.pop();
            }),
        ),
    ] {
        for address in addresses {
            for version in [&TLS13, &TLS12] {
                let alert = soon(alert(address, &client(&court, Some(&identity), version))).await;
                assert_eq!(alert, AlertDescription::CertificateUnknown, "{what}");
            }
        }
    }
    assert_eq!(court.records.codes(), [""; 0]);
}

/// The certificate must be the client's own: showing a copy of it is not enough.
#[tokio::test]
async fn a_copied_certificate_without_its_key_is_refused_in_the_handshake() {
    let court = Court::new();
    let thief = Identity { key: rcgen::KeyPair::generate().unwrap(), ..court.ca.mint(LAWYER) };
    let address = open(&court, true, court.auth()).await;
    for version in [&TLS13, &TLS12] {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(thief.key()).unwrap();
        let mut config = (*client(&court, None, version)).clone();
        config.client_auth_cert_resolver =
            Arc::new(rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(thief.chain(), key)));
        assert_eq!(soon(alert(address, &Arc::new(config))).await, AlertDescription::DecryptError);
    }
}

#[tokio::test]
async fn a_connection_does_not_outlive_its_certificate() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let address = open(&court, false, court.auth()).await;
    let token = bearer(&court.bound_token(&lawyer));
    let mut stream = soon(connect(address, &client(&court, Some(&lawyer), &TLS13))).await.unwrap();
    assert_eq!(soon(ask(&mut stream, &token)).await.0, 200);
    court.clock.set(Timestamp::from_secs(court.verified(&lawyer).not_after().secs() + 1));
    assert_eq!(soon(ask(&mut stream, &token)).await.0, 401);
    assert_eq!(court.records.codes(), ["allowed", "svid_expired"]);
}

#[tokio::test]
async fn what_is_no_handshake_is_closed_and_delays_nobody() {
    let court = Court::new();
    let address = open(&court, true, court.auth()).await;
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Closed with an alert, or reset.
    _ = soon(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut stream = soon(connect(address, &client(&court, None, &TLS13))).await.unwrap();
    assert_eq!(soon(ask(&mut stream, "")).await, (200, "nobody".into()));
}

/// A resumed session would skip the checks of the certificate.
#[tokio::test]
async fn sessions_are_not_resumed() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let address = open(&court, false, court.auth()).await;
    let token = bearer(&court.bound_token(&lawyer));
    for version in [&TLS13, &TLS12] {
        // Clients remember sessions in their configuration, unless told otherwise.
        let client = client(&court, Some(&lawyer), version);
        for _ in 0..2 {
            let mut stream = soon(connect(address, &client)).await.unwrap();
            // Tickets would come with the first answer.
            assert_eq!(soon(ask(&mut stream, &token)).await.0, 200);
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn a_dropped_listener_stops_accepting() {
    let court = Court::new();
    let listener = MtlsListener::new(socket().await, court.ca.mint(SERVER).server(), court.trust()).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(TcpStream::connect(address).await.is_ok());
    drop(listener);
    let refused = async {
        loop {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => break,
                // The task that accepts ends at its next turn.
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon(refused).await;
}

#[tokio::test]
async fn a_server_is_told_what_is_wrong_with_its_certificate() {
    let court = Court::new();
    let (identity, other) = (court.ca.mint(SERVER), court.ca.mint(SERVER));
    let (chain, key) = (identity.certificate.pem(), identity.key.serialize_pem());
    let whole = ServerIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(format!("{whole:?}"), "ServerIdentity { certificates: 1, .. }");
    for (chain, key, is_chain) in [
        ("", &*key, true),
        (&*key, &*key, true),
        ("-----BEGIN CERTIFICATE-----\n!\n", &*key, true),
        (&*chain, "", false),
        (&*chain, &*chain, false),
    ] {
        let error = ServerIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(
            (matches!(error, TlsConfigError::Chain), matches!(error, TlsConfigError::Key)),
            (is_chain, !is_chain)
        );
    }
    let mixed = ServerIdentity::new(identity.chain(), other.key());
    let error = MtlsListener::new(socket().await, mixed, court.trust()).unwrap_err();
    assert!(matches!(error, TlsConfigError::Unusable(TlsError::InconsistentKeys(_))), "{error:?}");
}
