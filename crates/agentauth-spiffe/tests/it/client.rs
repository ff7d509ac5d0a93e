//! Calls from agent to agent over real connections on loopback: who is called, and which connections are used again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentauth_core::identity::svid::{IdentitySource as _, IdentityUnavailable, TrustBundles};
use agentauth_core::{ResourceId, SubjectToken, Timestamp};
use agentauth_spiffe::client::{SvidClient, SvidClientError};
use agentauth_spiffe::tls::Servers;
use agentauth_tower::DelegationLayer;
use agentauth_tower::client::HttpExchanger;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::{Layer as _, ServiceExt as _};

use crate::tls::support::{Ca, NOW, Workload, at, id};

const SERVER: &str = "spiffe://court.example/this/side";

/// A workload that answers each request with the number of its connection.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// Each answer takes one.
    answers: Arc<Semaphore>,
    body: &'static str,
}

impl Server {
    async fn of(workload: &Workload) -> Self {
        Self::answering(workload, "").await
    }

    async fn answering(workload: &Workload, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            answers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            body,
        };
        let tls = TlsAcceptor::from(Arc::new(workload.server().config().unwrap()));
        let shared = server.shared();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.shared().serve(tls.clone(), stream));
            }
        });
        server
    }

    fn shared(&self) -> Self {
        let (seen, connections, answers) = (self.seen.clone(), self.connections.clone(), self.answers.clone());
        Self { address: self.address, seen, connections, answers, body: self.body }
    }

    async fn serve(self, tls: TlsAcceptor, stream: TcpStream) {
        let Ok(mut stream) = tls.accept(stream).await else { return };
        let number = self.connections.fetch_add(1, Ordering::Relaxed).to_string();
        let body = if self.body.is_empty() { &*number } else { self.body };
        let mut read = Vec::new();
        while stream.read_buf(&mut read).await.is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if rest.len() < length.parse().unwrap() {
                continue;
            }
            read.clear();
            self.seen.lock().unwrap().push(text);
            self.answers.acquire().await.unwrap().forget();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn has_seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn get(&self) -> Request<Full<Bytes>> {
        get(&self.url("/"))
    }
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

fn client_of(workload: &Workload, servers: Servers) -> SvidClient {
    let builder = SvidClient::builder(workload.platform.clone(), workload.platform.clone(), servers);
    builder.allow_loopback().clock(workload.clock.clone()).build().unwrap()
}

async fn ask(client: &SvidClient, server: &Server) -> Result<String, &'static str> {
    let answer: Result<Response<Bytes>, SvidClientError> = client.send(server.get(), 64).await;
    answer.map(|answer| String::from_utf8(answer.into_body().into()).unwrap()).map_err(|error| error.code())
}

/// Two workloads of one trust domain.
struct World {
    ca: Ca,
    here: Workload,
    there: Workload,
    client: SvidClient,
    server: Server,
}

impl World {
    async fn new() -> Self {
        let ca = Ca::new("court.example");
        let (here, there) = (Workload::new(&ca, ca.bundles()), Workload::new(&ca, ca.bundles()));
        let (client, server) = (client_of(&here, Servers::exactly(id(SERVER))), Server::of(&there).await);
        Self { ca, here, there, client, server }
    }

    async fn ask(&self) -> Result<String, &'static str> {
        ask(&self.client, &self.server).await
    }
}

#[tokio::test]
async fn a_connection_is_used_again_while_what_it_was_made_with_holds() {
    let world = World::new().await;
    let World { ca, here, there, .. } = &world;
    let ask = async || world.ask().await.unwrap();
    assert_eq!([ask().await, ask().await], ["0", "0"]);

    let renewed = ca.mint("/this/side").identity();
    here.platform.set_identity(Ok(renewed.clone()));
    assert_eq!([ask().await, ask().await], ["1", "1"], "older identity");
    here.platform.set_identity(Ok(renewed));
    assert_eq!(ask().await, "1", "the same identity");

    here.platform.set_bundles(ca.bundles());
    assert_eq!([ask().await, ask().await], ["2", "2"], "older bundles");

    // The server's certificate ends, and it has a new one.
    let (lasting, end) = (|ca: &Ca| ca.certify("/this/side", |params| params.not_after = at(NOW + 7200)), NOW + 3600);
    here.platform.set_identity(Ok(lasting(ca).identity()));
    assert_eq!(ask().await, "3");
    there.platform.set_identity(Ok(lasting(ca).identity()));
    here.clock.set(Timestamp::from_secs(end));
    there.clock.set(Timestamp::from_secs(end));
    assert_eq!(ask().await, "3", "the last second counts");
    here.clock.set(Timestamp::from_secs(end + 1));
    assert_eq!([ask().await, ask().await], ["4", "4"], "the server's certificate has ended");
}

/// The bundle stays as it is; a root in it ends.
#[tokio::test]
async fn a_connection_is_not_used_again_when_the_root_of_its_server_has_ended() {
    let world = World::new().await;
    let end = NOW + 86_400;
    let lasting = world.ca.certify("/this/side", |params| params.not_after = at(end + 3600));
    for workload in [&world.here, &world.there] {
        workload.platform.set_identity(Ok(lasting.identity()));
        workload.clock.set(Timestamp::from_secs(end));
    }
    assert_eq!(world.ask().await, Ok("0".into()));
    world.here.clock.set(Timestamp::from_secs(end + 1));
    assert_eq!(world.ask().await, Err("svid_unknown_issuer"));
}

#[tokio::test]
async fn a_connection_is_not_used_again_when_the_root_of_its_server_is_gone() {
    let world = World::new().await;
    assert_eq!(world.ask().await, Ok("0".into()));
    world.here.platform.set_bundles(TrustBundles::new());
    assert_eq!(world.ask().await, Err("svid_unknown_trust_domain"));
    world.here.platform.set_bundles(Ca::called("x", "court.example").bundles());
    assert_eq!(world.ask().await, Err("svid_unknown_issuer"));
    world.here.platform.set_bundles(world.ca.bundles());
    assert_eq!(world.ask().await, Ok("1".into()));
    assert_eq!(world.server.has_seen(), 2);
}

/// The alert of the other side says no more than that.
#[tokio::test]
async fn a_client_whose_certificate_is_refused_is_told_where_to_look() {
    let world = World::new().await;
    world.there.platform.set_bundles(TrustBundles::new());
    let error = world.client.send(world.server.get(), 64).await.unwrap_err();
    assert_eq!(error.code(), "fetch_failed");
    let sentence = "the other side refused this workload's certificate; its log says why";
    assert!(error.to_string().ends_with(&format!("({sentence})")), "{error}");
}

#[tokio::test]
async fn without_an_identity_nothing_is_sent_on_any_connection() {
    let world = World::new().await;
    assert_eq!(world.ask().await, Ok("0".into()));
    let identity = world.here.platform.identity();
    for gone in [IdentityUnavailable::NotYet, IdentityUnavailable::Withdrawn, IdentityUnavailable::Expired] {
        world.here.platform.set_identity(Err(gone));
        assert_eq!(world.ask().await, Err(gone.code()));
    }
    world.here.platform.set_identity(identity);
    assert_eq!(world.ask().await, Ok("1".into()), "it has not waited on an open connection");
    world.here.clock.set(Timestamp::from_secs(NOW + 3601));
    assert_eq!(world.ask().await, Err("identity_expired"));
    assert_eq!(world.server.has_seen(), 2);
}

#[tokio::test]
async fn what_is_under_way_is_finished() {
    let world = World::new().await;
    world.server.answers.forget_permits(Semaphore::MAX_PERMITS);
    let first = tokio::spawn({
        let (client, request) = (world.client.clone(), world.server.get());
        async move { client.send(request, 64).await }
    });
    while world.server.has_seen() < 1 {
        tokio::task::yield_now().await;
    }
    world.here.platform.set_identity(Ok(world.ca.mint("/this/side").identity()));
    world.server.answers.add_permits(2);
    assert_eq!(world.ask().await, Ok("1".into()));
    assert_eq!(first.await.unwrap().unwrap().body(), "0");
}

#[tokio::test]
async fn only_the_expected_workload_is_called_and_only_over_tls() {
    let world = World::new().await;
    let stranger = client_of(&world.here, Servers::exactly(id("spiffe://court.example/someone/else")));
    assert_eq!(ask(&stranger, &world.server).await, Err("server_not_expected"));
    assert_eq!(world.server.has_seen(), 0);
    let plain = get(&world.server.url("/").replace("https:", "http:"));
    assert_eq!(world.client.send(plain.clone(), 64).await.unwrap_err().code(), "svid_client_not_https");
    assert_eq!(world.client.clone().oneshot(plain).await.unwrap_err().code(), "svid_client_not_https");
    assert_eq!(world.client.clone().oneshot(world.server.get()).await.unwrap().body(), "0");
}

#[tokio::test]
async fn it_goes_only_where_an_https_client_may() {
    let world = World::new().await;
    let builder = || {
        let platform = world.here.platform.clone();
        SvidClient::builder(platform.clone(), platform, Servers::any()).clock(world.here.clock.clone())
    };
    for (client, expected) in [
        (builder().build(), Err("fetch_address_refused")),
        (builder().allow_network("10.0.0.0/8").build(), Err("fetch_address_refused")),
        (builder().allow_network("127.0.0.1/32").build(), Ok("0".to_owned())),
        (builder().https(|https| https.allow_loopback_if_named("https://localhost/")).build(), Ok("1".to_owned())),
    ] {
        assert_eq!(ask(&client.unwrap(), &world.server).await, expected);
    }
    assert_eq!(builder().allow_network("10.0.0.0").build().unwrap_err().code(), "fetch_network_malformed");
}

/// Where a delegation is attached, and where it is exchanged, this client can stand.
#[tokio::test]
async fn delegations_go_over_it() {
    let World { here, there, client, server, .. } = World::new().await;
    let answer = r#"{"access_token":"x.y.z","token_type":"Bearer","expires_in":60,
        "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#;
    let sts = Server::answering(&there, answer).await;
    let exchanger =
        HttpExchanger::new(client_of(&here, Servers::exactly(id(SERVER))), sts.url("/token").parse().unwrap());
    let audience = ResourceId::new(&server.url("")).unwrap();
    let layer = DelegationLayer::new(exchanger, audience, "records:read".parse().unwrap());
    let service = layer.subject(SubjectToken::new("a.b.c")).layer(client);
    assert_eq!(service.oneshot(server.get()).await.unwrap().body(), "0");
    assert!(server.seen.lock().unwrap()[0].contains("authorization: Bearer x.y.z\r\n"));
    assert!(sts.seen.lock().unwrap()[0].starts_with("POST /token HTTP/1.1\r\n"));
}

/// Both ends renew their identities, and the trust domain its root, while requests go on without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_request() {
    const CALLERS: usize = 8;
    const CALLS: usize = 20;

    let world = Arc::new(World::new().await);
    let mut ca = Arc::new(Ca::new("court.example"));
    for round in 0..10 {
        let next = Arc::new(Ca::called(&format!("root {round}"), "court.example"));
        let both = |old: &Ca, new: &Ca| {
            TrustBundles::new().with_der("court.example".parse().unwrap(), &[old.root(), new.root()]).unwrap()
        };
        if round == 0 {
            renew(&world, &ca, &ca.bundles());
        }
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let (world, ca, next) = (world.clone(), ca.clone(), next.clone());
            callers.spawn(async move {
                for call in 0..CALLS {
                    match (caller, call) {
                        (0, 5) => renew(&world, &ca, &both(&ca, &next)),
                        (0, 10 | 15) => renew(&world, &next, &both(&ca, &next)),
                        _ => {}
                    }
                    world.ask().await.unwrap();
                }
            });
        }
        while let Some(outcome) = callers.join_next().await {
            outcome.unwrap();
        }
        // Everyone has moved on: the old root goes.
        renew(&world, &next, &next.bundles());
        ca = next;
    }
    assert_eq!(world.server.has_seen(), 10 * CALLERS * CALLS);
    assert!(world.server.connections.load(Ordering::Relaxed) >= 40, "each rotation has made new connections");
}

fn renew(world: &World, ca: &Ca, bundles: &TrustBundles) {
    for workload in [&world.here, &world.there] {
        workload.platform.set_bundles(bundles.clone());
        workload.platform.set_identity(Ok(ca.mint("/this/side").identity()));
    }
}
