//! TLS between two workloads whose volumes are rotated all the while.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use agentauth_core::identity::svid::{IdentitySource as _, X509Identity};
use agentauth_core::{AgentTrust, Clock as _, ManualClock, Timestamp};
use agentauth_spiffe::files::FileSource;
use agentauth_spiffe::tls::{ClientTls, ServerTls, Servers, TlsRefusal};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::support::{Ca, Folder, NOW, POLL, Svid, csi, pass};

const ROTATIONS: usize = 1000;
const CONNECTING: usize = 4;

/// A workload with a volume of its own.
struct Workload {
    account: &'static str,
    volume: Arc<Folder>,
    /// What is rotated through it; a key is expensive to make.
    svids: Arc<Vec<Svid>>,
    leaves: BTreeSet<Vec<u8>>,
    roots: String,
    source: FileSource,
}

impl Workload {
    async fn new(ca: &Ca, account: &'static str, clock: &Arc<ManualClock>) -> Self {
        let volume = Arc::new(Folder::new());
        let svids: Vec<Svid> = (0..50).map(|_| ca.mint(account)).collect();
        let leaf = |svid: &Svid| {
            X509Identity::from_pem(svid.chain.as_bytes(), svid.key.as_bytes()).unwrap().chain()[0].to_vec()
        };
        let (leaves, roots) = (svids.iter().map(leaf).collect(), ca.pem());
        publish(&volume, &svids[0], &roots);
        let source = csi(&volume).clock(clock.clone()).start().unwrap();
        source.loaded().await.unwrap();
        Self { account, volume, svids: Arc::new(svids), leaves, roots, source }
    }
}

fn publish(volume: &Folder, svid: &Svid, roots: &str) {
    let [chain, key] = svid.csi();
    volume.publish(&[chain, key, ("ca.crt", roots)]);
}

/// Serves each connection with one byte, and answers with the address.
async fn serve(tools: &Workload, clock: &Arc<ManualClock>) -> SocketAddr {
    let tls = ServerTls::new(tools.source.clone(), AgentTrust::spiffe(tools.source.clone())).clock(clock.clone());
    let acceptor = TlsAcceptor::from(Arc::new(tls.config().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let accepting = acceptor.accept(tcp);
            tokio::spawn(async move {
                let mut tls = accepting.await?;
                tls.write_all(b"!").await?;
                tls.shutdown().await
            });
        }
    });
    address
}

/// The leaf that the server shows, once it has taken what the client shows.
async fn connect(connector: &TlsConnector, address: SocketAddr) -> io::Result<Vec<u8>> {
    let tcp = TcpStream::connect(address).await?;
    let mut tls = connector.connect(ServerName::IpAddress(address.ip().into()), tcp).await?;
    tls.read_u8().await?;
    Ok(tls.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_rotations_break_no_connection_and_the_end_does() {
    let ca = Ca::new("court.example");
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let (tools, lawyer) = (Workload::new(&ca, "tools", &clock).await, Workload::new(&ca, "lawyer", &clock).await);
    let address = serve(&tools, &clock).await;
    let servers = Servers::exactly("spiffe://court.example/ns/court/sa/tools".parse().unwrap());
    let tls = ClientTls::new(lawyer.source.clone(), lawyer.source.clone(), servers).clock(clock.clone());
    let connector = TlsConnector::from(Arc::new(tls.config().unwrap()));

    let (is_over, connected) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writer = thread::spawn({
        let (is_over, connected) = (is_over.clone(), connected.clone());
        let volumes = [&tools, &lawyer].map(|one| (one.volume.clone(), one.svids.clone(), one.roots.clone()));
        move || {
            for number in 1..=ROTATIONS {
                let (volume, svids, roots) = &volumes[number % 2];
                publish(volume, &svids[number % svids.len()], roots);
                // At least one connection for each rotation.
                while connected.load(Ordering::SeqCst) < number {
                    thread::yield_now();
                }
            }
            is_over.store(true, Ordering::SeqCst);
        }
    });
    let clients: Vec<_> = (0..CONNECTING)
        .map(|_| {
            let (connector, is_over, connected) = (connector.clone(), is_over.clone(), connected.clone());
            tokio::spawn(async move {
                let mut shown = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    shown.push(connect(&connector, address).await);
                    connected.fetch_add(1, Ordering::SeqCst);
                }
                shown
            })
        })
        .collect();
    // Time passes while there is work too: whenever both volumes have been looked at, it is time to look again.
    let passing = tokio::spawn({
        let (is_over, sources) = (is_over.clone(), [tools.source.clone(), lawyer.source.clone()]);
        let mut changes = sources.clone().map(|source| source.changes());
        async move {
            let mut taken_up = 0;
            while !is_over.load(Ordering::SeqCst) {
                let before = sources.clone().map(|source| source.status());
                tokio::time::advance(POLL).await;
                while sources.iter().zip(&before).any(|(source, before)| Arc::ptr_eq(&source.status(), before)) {
                    tokio::task::yield_now().await;
                }
                for changes in &mut changes {
                    taken_up += usize::from(tokio::time::timeout(Duration::ZERO, changes.next()).await.is_ok());
                }
            }
            taken_up
        }
    });
    let mut shown = Vec::new();
    for client in clients {
        shown.extend(client.await.unwrap());
    }
    writer.join().unwrap();
    let taken_up = passing.await.unwrap();
    let failures: Vec<_> = shown.iter().filter_map(|connection| connection.as_ref().err()).collect();
    let leaves: BTreeSet<_> = shown.iter().flatten().collect();
    assert!(leaves.iter().all(|leaf| tools.leaves.contains(*leaf)));
    println!(
        "{ROTATIONS} rotations, {taken_up} of them taken up, {} connections, {} failures; the server showed {} certificates",
        shown.len(),
        failures.len(),
        leaves.len()
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert!(leaves.len() > 5 && taken_up > 100, "the rotations were not seen");
    pass(POLL).await;
    assert!(tools.source.status().is_good() && lawyer.source.status().is_good());

    // Nobody renews: the second after the end, there is no connection any more.
    clock.set(Timestamp::from_secs(NOW + 3600));
    connect(&connector, address).await.unwrap();
    clock.set(clock.now().plus(Duration::from_secs(1)));
    for source in [&tools.source, &lawyer.source] {
        assert_eq!(source.identity().unwrap_err().code(), "identity_expired");
    }
    connect(&connector, address).await.unwrap_err();
    // One of the two is not enough; both are.
    for (renewed, expected) in [(&tools, Some("identity_expired")), (&lawyer, None)] {
        publish(&renewed.volume, &ca.mint_from_to(renewed.account, NOW + 3600, NOW + 7200), &renewed.roots);
        pass(POLL).await;
        let error = connect(&connector, address).await.err();
        assert_eq!(error.as_ref().map(|error| TlsRefusal::find(error).unwrap().code()), expected);
    }
}
