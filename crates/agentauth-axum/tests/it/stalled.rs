//! Peers that open connections and say nothing.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::process::{Command, Stdio};

use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::mtls::{ask, bearer, client, connect, handshake, open, soon};
use crate::support::{Court, LAWYER};

/// As many as are under way at once, in the listener.
const LIMIT: usize = 1024;

/// Whether there are file descriptors for both ends of all connections of these tests, which run side by side.
fn can_open_all() -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    let enough = soft.is_none_or(|soft: usize| soft > 6000);
    if !enough {
        println!("skipped: stalled connections need more file descriptors than this process may have");
    }
    enough
}

/// What the operating system says, whether or not the runtime has heard of it.
fn is_open(stream: TcpStream) -> bool {
    match stream.into_std().unwrap().peek(&mut [0; 8]) {
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// A good agent gets through while `count` peers stall. They are handed out in the order in which they came. Those that
/// are still open then would have been dropped after 10 s, so nobody has waited for that.
async fn with_stalled(count: usize) -> Vec<TcpStream> {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let address = open(&court, false, court.auth()).await;
    let mut idle = Vec::new();
    for n in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Every other one sends the beginning of a handshake.
        stream.write_all(&[0x16, 3, 1][..n % 2 * 3]).await.unwrap();
        idle.push(stream);
    }
    let mut stream = soon(connect(address, &client(&court, Some(&lawyer), &TLS13))).await.unwrap();
    let token = bearer(&court.bound_token(&lawyer));
    assert_eq!(soon(ask(&mut stream, &token)).await.0, 200);
    idle
}

#[tokio::test]
async fn peers_that_stall_delay_nobody() {
    if can_open_all() {
        assert!(with_stalled(1000).await.into_iter().all(is_open));
    }
}

/// Each that is too many takes the place of the oldest, the good one too.
#[tokio::test]
async fn of_too_many_that_stall_the_oldest_are_dropped() {
    if can_open_all() {
        let mut idle = with_stalled(1500).await;
        let left = idle.split_off(1500 + 1 - LIMIT);
        for stream in &mut idle {
            // Closed, or reset if something of it had not been read.
            assert!(!matches!(soon(stream.read(&mut [0; 8])).await, Ok(1..)));
        }
        assert!(left.into_iter().all(is_open));
    }
}

/// The clock of the runtime jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_is_left_after_10_s() {
    let court = Court::new();
    let address = open(&court, false, court.auth()).await;
    let start = tokio::time::Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// Says to a test that it runs in a process of its own.
const ALONE: &str = "AGENTAUTH_TEST_ALONE";

/// Where the system gives out fewer file descriptors than there can be handshakes, those that stall hold all of them.
/// The server is in a process of its own that may have 100; those who stall are here.
#[test]
fn whoever_stalls_does_not_keep_the_last_file_descriptor() {
    if std::env::var_os(ALONE).is_some() {
        return with_few_files();
    }
    let name = "stalled::whoever_stalls_does_not_keep_the_last_file_descriptor";
    let server = Command::new("sh")
        .args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut server) = server else { return println!("skipped: there is no shell to limit file descriptors with") };
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok()).unwrap();
    let idle: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    server.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let output: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(server.wait().unwrap().success(), "{output:#?}");
    drop(idle);
}

#[tokio::main(flavor = "current_thread")]
async fn with_few_files() {
    let court = Court::new();
    let lawyer = court.ca.mint(LAWYER);
    let address = open(&court, false, court.auth()).await;
    // While there is one to be had.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    println!("\nport {}", address.port());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
    let stream = soon(socket.connect(address)).await.unwrap();
    let mut stream = soon(handshake(stream, &client(&court, Some(&lawyer), &TLS13))).await.unwrap();
    assert_eq!(soon(ask(&mut stream, &bearer(&court.bound_token(&lawyer)))).await.0, 200);
}
