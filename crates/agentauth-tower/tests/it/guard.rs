//! The guard of the HTTPS client: what is not public is refused before any connection, however it is named.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentauth_tower::client::{Dialer, FetchError, HttpsClient, HttpsClientBuilder, Resolver};
use async_trait::async_trait;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};

use crate::client::{JSON, Server, get, tls};

/// Answers each question with the next list of addresses, and with the last one for ever.
#[derive(Debug, Clone, Default)]
struct Names {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn answering<'a>(lists: impl IntoIterator<Item = &'a str>) -> Self {
        let list = |list: &str| list.split_whitespace().map(|address| address.parse().unwrap()).collect();
        let answers = lists.into_iter().map(list).collect::<VecDeque<_>>();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Writes down where it is to connect to, and connects to one server instead, if there is one.
#[derive(Debug, Clone, Default)]
struct Lines {
    server: Option<SocketAddr>,
    dialled: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Lines {
    fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(SocketAddr::to_string).collect()
    }
}

#[async_trait]
impl Dialer for Lines {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        match self.server {
            Some(server) => tokio::net::TcpStream::connect(server).await?.into_std(),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

fn guarded(names: &Names, lines: &Lines) -> HttpsClientBuilder {
    HttpsClient::builder().tls(tls()).resolver(names.clone()).dialer(lines.clone())
}

#[tokio::test]
async fn nothing_is_sent_to_what_is_not_public() {
    let mut connections = 0;
    for (what, addresses, kind) in [
        ("loopback", "127.0.0.1", "loopback"),
        ("loopback elsewhere", "127.1.2.3", "loopback"),
        ("loopback v6", "::1", "loopback"),
        ("private 10/8", "10.0.0.1", "private"),
        ("private 172.16/12", "172.31.0.1", "private"),
        ("private 192.168/16", "192.168.1.1", "private"),
        ("unique local", "fd12::1", "private"),
        ("link-local", "169.254.1.1", "link-local"),
        ("link-local v6", "fe80::1", "link-local"),
        ("metadata", "169.254.169.254", "a metadata service"),
        ("metadata v6", "fd00:ec2::254", "a metadata service"),
        ("metadata at a public address", "168.63.129.16", "a metadata service"),
        ("carrier NAT", "100.64.0.1", "shared by a carrier's customers"),
        ("unspecified", "0.0.0.0", "unspecified"),
        ("unspecified v6", "::", "unspecified"),
        ("multicast", "224.0.0.1", "multicast"),
        ("broadcast", "255.255.255.255", "reserved or broadcast"),
        ("documentation", "192.0.2.1", "for documentation"),
        ("benchmarks", "198.18.0.1", "for benchmarks"),
        ("mapped", "::ffff:10.0.0.1", "an IPv4 address in an IPv6 form"),
        ("compatible", "::10.0.0.1", "an IPv4 address in an IPv6 form"),
        ("NAT64", "64:ff9b::10.0.0.1", "an IPv4 address in an IPv6 form"),
        ("metadata by NAT64", "64:ff9b::a9fe:a9fe", "a metadata service"),
        ("6to4", "2002:a00:1::1", "an IPv4 address in an IPv6 form"),
        ("public, then private", "8.8.8.8 10.0.0.1", "private"),
        ("private, then public", "10.0.0.1 8.8.8.8", "private"),
        ("many public, one metadata", "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 169.254.169.254", "a metadata service"),
    ] {
        let (names, lines) = (Names::answering([addresses]), Lines::default());
        let client = guarded(&names, &lines).build().unwrap();
        let error = client.fetch_keys("https://sts.example/jwks").await.unwrap_err();
        let FetchError::Address { kind: found, .. } = &error else { panic!("{what}: {error:?}") };
        assert_eq!((error.code(), *found), ("fetch_address_refused", kind), "{what}");
        assert_eq!(names.asked.load(Ordering::SeqCst), 1, "{what}");
        connections += lines.dialled().len();
        println!("{what}: refused as {kind}, {} connections", lines.dialled().len());
    }
    assert_eq!(connections, 0);
}

#[tokio::test]
async fn a_literal_address_is_refused_without_a_question() {
    for (url, code) in [
        ("https://127.0.0.1/", "fetch_address_refused"),
        ("https://[::1]/", "fetch_address_refused"),
        ("https://[::ffff:169.254.169.254]/", "fetch_address_refused"),
        ("https://10.0.0.1/", "fetch_address_refused"),
        ("https://8.8.8.8/", "fetch_address_refused"),
        ("https://127.1/", "fetch_host_refused"),
        ("https://0x7f000001/", "fetch_host_refused"),
        ("https://2130706433/", "fetch_host_refused"),
        ("https://0177.0.0.1/", "fetch_host_refused"),
        ("https://127.0.0.1./", "fetch_host_refused"),
        ("https://metadata.google.internal/computeMetadata/v1/", "fetch_host_refused"),
        ("http://sts.example/", "fetch_url_refused"),
        ("https://user:secret@sts.example/", "fetch_url_refused"),
    ] {
        let (names, lines) = (Names::answering(["8.8.8.8"]), Lines::default());
        let error = guarded(&names, &lines).build().unwrap().fetch_keys(url).await.unwrap_err();
        let questions = names.asked.load(Ordering::SeqCst);
        assert_eq!((error.code(), questions, lines.dialled().len()), (code, 0, 0), "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
        println!("{url}: {code}, 0 questions, 0 connections");
    }
}

#[tokio::test]
async fn what_passes_is_dialled_and_nothing_else() {
    let (public, inside) = ("93.184.215.14 2606:4700::1111", "10.20.30.40");
    for (builder, addresses, url, dialled) in [
        (guarded as fn(&_, &_) -> _, public, "https://a.example/", "93.184.215.14:443 [2606:4700::1111]:443"),
        (guarded, "64:ff9b::8.8.8.8", "https://a.example:8443/", "[64:ff9b::808:808]:8443"),
        (
            |names, lines| guarded(names, lines).allow_network("10.20.0.0/16"),
            inside,
            "https://a.example/",
            "10.20.30.40:443",
        ),
        (|names, lines| guarded(names, lines).allow_network("10.20.0.0/16"), "", "https://10.20.1.1/", "10.20.1.1:443"),
        (
            |names, lines| guarded(names, lines).allow_network("169.254.169.254/32"),
            "169.254.169.254",
            "https://a.example/",
            "169.254.169.254:443",
        ),
        (
            |names, lines| guarded(names, lines).allow_loopback(),
            "127.0.0.1 ::1",
            "http://a.example/",
            "127.0.0.1:80 [::1]:80",
        ),
        // Four addresses, and no more, are tried.
        (
            guarded,
            "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5",
            "https://a.example/",
            "1.1.1.1:443 1.1.1.2:443 1.1.1.3:443 1.1.1.4:443",
        ),
        // Allowed, and yet not all of what is asked for is.
        (
            |names, lines| guarded(names, lines).allow_network("10.20.0.0/16"),
            "10.20.0.1 10.21.0.1",
            "https://a.example/",
            "",
        ),
        (
            |names, lines| guarded(names, lines).allow_network("169.254.0.0/16"),
            "169.254.169.254",
            "https://a.example/",
            "",
        ),
        (|names, lines| guarded(names, lines).allow_loopback(), "127.0.0.1 8.8.8.8", "http://a.example/", ""),
        (|names, lines| guarded(names, lines).allow_loopback(), "::ffff:127.0.0.1", "https://a.example/", ""),
        (guarded, "", "https://a.example/", ""),
    ] {
        let (names, lines) = (Names::answering([addresses]), Lines::default());
        let error = builder(&names, &lines).build().unwrap().fetch_keys(url).await.unwrap_err();
        assert_eq!(lines.dialled().join(" "), dialled, "{url} {addresses}: {error}");
        let code = if dialled.is_empty() && !addresses.is_empty() { "fetch_address_refused" } else { "fetch_failed" };
        assert_eq!(error.code(), code, "{url} {addresses}");
    }
    let error = HttpsClient::builder().allow_network("10.20.0.1/16").allow_loopback().build().unwrap_err();
    assert_eq!(error.code(), "fetch_network_malformed");
}

#[tokio::test]
async fn a_redirect_to_a_private_place_is_an_answer_and_no_more() {
    for location in
        ["http://127.0.0.1:9/", "https://169.254.169.254/latest", "https://10.0.0.1/", "https://elsewhere.example/"]
    {
        let server = Server::saying("302 Found", &format!("location: {location}\r\n"), "").await;
        let (names, lines) =
            (Names::answering(["127.0.0.1"]), Lines { server: Some(server.address), ..Lines::default() });
        let client = guarded(&names, &lines).allow_loopback().build().unwrap();
        let error = client.fetch_keys("http://sts.example/jwks").await.unwrap_err();
        assert_eq!(error.code(), "fetch_status_unexpected", "{location}");
        let asked = names.asked.load(Ordering::SeqCst);
        assert_eq!((asked, lines.dialled(), server.seen().len()), (1, vec!["127.0.0.1:80".to_owned()], 1));
        println!("redirect to {location}: status 302, 1 connection, none to it");
    }
}

/// A name that is public when it is checked and private a moment later: the address that was checked is the one that is
/// dialled, and the next connection is checked anew.
#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere_else() {
    let server = Server::saying("200 OK", JSON, "{}").await;
    let lines = Lines { server: Some(server.address), ..Lines::default() };
    let names = Names::answering(["93.184.215.14", "10.0.0.1"]);
    let client = guarded(&names, &lines).build().unwrap();

    // The first connection fails at the handshake, with a server that knows no TLS; what matters is where it went to.
    let first = client.fetch_keys("https://sts.example/jwks").await.unwrap_err();
    assert_eq!((first.code(), lines.dialled()), ("fetch_failed", vec!["93.184.215.14:443".to_owned()]));
    let second = client.fetch_keys("https://sts.example/jwks").await.unwrap_err();
    assert_eq!((second.code(), lines.dialled().len()), ("fetch_address_refused", 1));
    let asked = names.asked.load(Ordering::SeqCst);
    assert_eq!(asked, 2, "one question for each connection");
    println!("rebinding: {asked} questions, dialled {:?}, none of them private", lines.dialled());
}

/// The connection goes to the pinned address, and TLS still asks for the name; once made, it is used again.
#[tokio::test]
async fn tls_checks_the_name_and_a_connection_is_used_again() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["sts.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let server = tls_server(Arc::new(config));

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trusting = builder.with_root_certificates(roots).with_no_client_auth();

    let lines = Lines { server: Some(server), ..Lines::default() };
    let names = Names::answering(["93.184.215.14", "10.0.0.1"]);
    let client = guarded(&names, &lines).tls(trusting).build().unwrap();
    for _ in 0..2 {
        let answer = client.send(get("https://sts.example/"), 9).await.unwrap();
        assert_eq!(&answer.body()[..], b"{}");
    }
    assert_eq!((lines.dialled(), names.asked.load(Ordering::SeqCst)), (vec!["93.184.215.14:443".to_owned()], 1));

    *names.answers.lock().unwrap() = VecDeque::from([vec!["93.184.215.14".parse().unwrap()]]);
    let error = client.send(get("https://other.example/"), 9).await.unwrap_err();
    assert_eq!((error.code(), lines.dialled().len()), ("fetch_failed", 2));
}

/// Answers every request of every connection with `{}`, each connection in a thread.
fn tls_server(config: Arc<ServerConfig>) -> SocketAddr {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                    }
                    line.clear();
                }
            });
        }
    });
    address
}
