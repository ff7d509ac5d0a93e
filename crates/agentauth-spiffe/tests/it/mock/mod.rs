//! A Workload API whose every answer a test decides, over a Unix socket or TCP on loopback, and which keeps a record of
//! what it was asked. It answers in the shapes of SPIRE's agent.

pub(crate) mod authority;
pub(crate) mod jwt;
pub(crate) mod wire;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Code, Request, Status};

use authority::Issued;
use wire::{
    JwtBundlesResponse, JwtSvid, JwtSvidRequest, JwtSvidResponse, WorkloadApiService, X509Svid, X509SvidResponse,
};

/// How long a test waits for what is to happen. Nothing is concluded from what has not happened until then.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) const X509_SVID: &str = "FetchX509SVID";
pub(crate) const JWT_BUNDLES: &str = "FetchJWTBundles";
pub(crate) const JWT_SVID: &str = "FetchJWTSVID";

/// One request, and how it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) method: String,
    /// Whether the security header was there.
    pub(crate) has_header: bool,
    pub(crate) audience: Vec<String>,
    pub(crate) spiffe_id: String,
    pub(crate) code: Code,
    pub(crate) at: Instant,
}

impl Called {
    fn by<M>(method: &str, request: &Request<M>) -> Self {
        Self {
            method: method.into(),
            has_header: request.metadata().get("workload.spiffe.io").is_some_and(|value| value == "true"),
            audience: Vec::new(),
            spiffe_id: String::new(),
            code: Code::Ok,
            at: Instant::now(),
        }
    }

    fn with(self, request: &JwtSvidRequest) -> Self {
        Self { audience: request.audience.clone(), spiffe_id: request.spiffe_id.clone(), ..self }
    }
}

/// The state of a stream, and those who follow it.
struct Topic<M> {
    state: Option<M>,
    followers: Vec<mpsc::UnboundedSender<Result<M, Status>>>,
}

impl<M> Default for Topic<M> {
    fn default() -> Self {
        Self { state: None, followers: Vec::new() }
    }
}

impl<M: Clone> Topic<M> {
    fn push(&mut self, state: M) {
        self.followers.retain(|follower| follower.send(Ok(state.clone())).is_ok());
        self.state = Some(state);
    }

    fn close(&mut self, code: Code) {
        for follower in self.followers.drain(..) {
            if code != Code::Ok {
                let _ = follower.send(Err(refusal(code)));
            }
        }
    }
}

#[derive(Default)]
struct Inner {
    calls: Vec<Called>,
    /// What the next calls of a method are answered with, and how many of them.
    failures: HashMap<&'static str, (Code, usize)>,
    x509: Topic<X509SvidResponse>,
    jwt_bundles: Topic<JwtBundlesResponse>,
    jwt_svids: Vec<JwtSvid>,
    /// JWT-SVIDs are held back while this is there.
    gate: Option<watch::Receiver<bool>>,
}

/// What SPIRE says of it, if it is what SPIRE says.
fn refusal(code: Code) -> Status {
    Status::new(code, if code == Code::PermissionDenied { "no identity issued" } else { "the test says so" })
}

struct Shared {
    inner: Mutex<Inner>,
    calls: watch::Sender<usize>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Records a call, and refuses it if it is to be refused.
    fn admit(&self, mut called: Called) -> Result<(), Status> {
        let mut inner = self.lock();
        let failure = inner.failures.get_mut(called.method.as_str()).filter(|(_, left)| *left > 0);
        let admitted = if !called.has_header {
            Err(Status::invalid_argument("security header missing from request"))
        } else if let Some((code, left)) = failure {
            *left -= 1;
            Err(refusal(*code))
        } else {
            Ok(())
        };
        called.code = admitted.as_ref().map_or_else(Status::code, |()| Code::Ok);
        inner.calls.push(called);
        self.calls.send_replace(inner.calls.len());
        admitted
    }

    fn open<M: Clone>(
        &self,
        called: Called,
        topic: impl FnOnce(&mut Inner) -> &mut Topic<M>,
    ) -> Result<UnboundedReceiverStream<Result<M, Status>>, Status> {
        self.admit(called)?;
        let (follower, stream) = mpsc::unbounded_channel();
        let mut inner = self.lock();
        let topic = topic(&mut inner);
        if let Some(state) = &topic.state {
            let _ = follower.send(Ok(state.clone()));
        }
        topic.followers.push(follower);
        Ok(UnboundedReceiverStream::new(stream))
    }

    async fn jwt_svids(&self, called: Called, wanted: &str) -> Result<JwtSvidResponse, Status> {
        self.admit(called)?;
        let gate = self.lock().gate.clone();
        if let Some(mut gate) = gate {
            let _ = gate.wait_for(|is_open| *is_open).await;
        }
        let svids = self.lock().jwt_svids.clone();
        let svids: Vec<_> = svids.into_iter().filter(|svid| wanted.is_empty() || svid.spiffe_id == wanted).collect();
        if svids.is_empty() {
            Err(Status::permission_denied("no identity issued"))
        } else {
            Ok(JwtSvidResponse { svids })
        }
    }
}

/// What of a workload's X.509 state differs from test to test.
#[derive(Debug, Clone, Default)]
pub(crate) struct X509State<'a> {
    pub(crate) svids: Vec<(&'a Issued, &'a str)>,
    pub(crate) bundle: Vec<Vec<u8>>,
    pub(crate) federated: Vec<(&'a str, Vec<Vec<u8>>)>,
}

impl X509State<'_> {
    pub(crate) fn message(&self) -> X509SvidResponse {
        let svid = |(issued, hint): &(&Issued, &str)| X509Svid {
            spiffe_id: issued.id.clone(),
            x509_svid: issued.chain.concat(),
            x509_svid_key: issued.key.clone(),
            bundle: self.bundle.concat(),
            hint: (*hint).into(),
        };
        let federated = self.federated.iter().map(|(name, roots)| ((*name).to_owned(), roots.concat()));
        X509SvidResponse {
            svids: self.svids.iter().map(svid).collect(),
            crl: Vec::new(),
            federated_bundles: federated.collect(),
        }
    }
}

/// The mock. It ends when it is dropped.
pub(crate) struct WorkloadApiMock {
    shared: Arc<Shared>,
    endpoint: String,
    socket: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
}

impl WorkloadApiMock {
    fn new(endpoint: String, socket: Option<PathBuf>) -> Self {
        let shared = Shared { inner: Mutex::default(), calls: watch::Sender::new(0) };
        Self { shared: Arc::new(shared), endpoint, socket, stop: None }
    }

    /// At a Unix socket which is not there yet.
    pub(crate) fn not_listening() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        // A socket's path is short, and the folder of a build may be deep.
        let name = format!("workload-api-{}-{}.sock", std::process::id(), MADE.fetch_add(1, Ordering::SeqCst));
        let socket = std::env::temp_dir().join(name);
        Self::new(format!("unix://{}", socket.display()), Some(socket))
    }

    /// At a Unix socket.
    pub(crate) fn unix() -> Self {
        let mut mock = Self::not_listening();
        mock.listen();
        mock
    }

    /// At a TCP port of the loopback.
    pub(crate) async fn tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut mock = Self::new(format!("tcp://{}", listener.local_addr().unwrap()), None);
        let (stop, stopped) = oneshot::channel();
        let service = WorkloadApiService(Arc::clone(&mock.shared));
        tokio::spawn(Server::builder().serve_with_incoming_shutdown(
            service,
            TcpListenerStream::new(listener),
            async move { drop(stopped.await) },
        ));
        mock.stop = Some(stop);
        mock
    }

    /// Begins to listen at the Unix socket.
    pub(crate) fn listen(&mut self) {
        let socket = self.socket.as_ref().expect("a Unix socket");
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = WorkloadApiService(Arc::clone(&self.shared));
        tokio::spawn(Server::builder().serve_with_incoming_shutdown(
            service,
            UnixListenerStream::new(listener),
            async move { drop(stopped.await) },
        ));
        self.stop = Some(stop);
    }

    /// Goes away: the socket, the connections and the streams.
    pub(crate) fn go_away(&mut self) {
        self.stop = None;
        self.close_streams(Code::Unavailable);
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn socket_path(&self) -> String {
        self.socket.as_ref().expect("a Unix socket").display().to_string()
    }

    /// Sends a new state to everyone who follows X.509-SVIDs, now and later.
    pub(crate) fn push(&self, state: &X509State<'_>) {
        self.push_message(state.message());
    }

    pub(crate) fn push_message(&self, message: X509SvidResponse) {
        self.shared.lock().x509.push(message);
    }

    /// Sends a new state to everyone who follows the keys of JWT-SVIDs: a document for each trust domain's SPIFFE ID.
    pub(crate) fn push_jwt_bundles(&self, bundles: &[(&str, Vec<u8>)]) {
        let bundles: BTreeMap<_, _> = bundles.iter().map(|(name, keys)| ((*name).to_owned(), keys.clone())).collect();
        self.shared.lock().jwt_bundles.push(JwtBundlesResponse { bundles });
    }

    /// The JWT-SVIDs that are given out from now on.
    pub(crate) fn set_jwt_svids(&self, svids: &[JwtSvid]) {
        self.shared.lock().jwt_svids = svids.to_vec();
    }

    /// Holds JWT-SVIDs back until `true` is sent.
    pub(crate) fn gate_jwt_svids(&self) -> watch::Sender<bool> {
        let (open, gate) = watch::channel(false);
        self.shared.lock().gate = Some(gate);
        open
    }

    /// Answers the next `times` calls of `method` with `code`.
    pub(crate) fn fail(&self, method: &'static str, code: Code, times: usize) {
        self.shared.lock().failures.insert(method, (code, times));
    }

    /// Answers every call with `code`.
    pub(crate) fn fail_all(&self, code: Code) {
        [X509_SVID, JWT_BUNDLES, JWT_SVID].into_iter().for_each(|method| self.fail(method, code, usize::MAX));
    }

    pub(crate) fn no_more_failures(&self) {
        self.shared.lock().failures.clear();
    }

    /// Ends all streams: with `code`, or without an error if it is `Ok`.
    pub(crate) fn close_streams(&self, code: Code) {
        let mut inner = self.shared.lock();
        inner.x509.close(code);
        inner.jwt_bundles.close(code);
    }

    /// Ends the streams of X.509-SVIDs, as SPIRE does when the last entry of a workload is deleted, and refuses new ones.
    pub(crate) fn withdraw(&self) {
        self.fail(X509_SVID, Code::PermissionDenied, usize::MAX);
        self.shared.lock().x509.close(Code::PermissionDenied);
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.shared.lock().calls.clone()
    }

    pub(crate) fn calls_of(&self, method: &str) -> Vec<Called> {
        self.calls().into_iter().filter(|call| call.method == method).collect()
    }

    /// Waits until `method` has been called `count` times.
    pub(crate) async fn called(&self, method: &str, count: usize) {
        let mut calls = self.shared.calls.subscribe();
        let enough = async {
            while self.calls_of(method).len() < count {
                calls.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("{method} was called less than {count} times"));
    }
}

impl Drop for WorkloadApiMock {
    fn drop(&mut self) {
        self.go_away();
    }
}
