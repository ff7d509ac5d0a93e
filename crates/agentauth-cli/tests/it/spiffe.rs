//! `agentauth spiffe watch`, against a Workload API whose every answer is decided here, and on files.

use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use agentauth_cli::{Exit, Terminal, run};
use agentauth_core::{ManualClock, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use serde_json::Value;
use time::macros::datetime;
use tokio::sync::watch;
use tonic::Code;

use crate::mock::authority::{Authority, Issued};
use crate::mock::jwt::{JwtKey, jwks};
use crate::mock::{WorkloadApiMock, X509_SVID, X509State};
use crate::support::{Folder, NOW};

/// How long a test waits for what is to be written.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the program writes, and where a test sees what it has written so far.
#[derive(Clone)]
struct Written(Arc<watch::Sender<String>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_modify(|text| text.push_str(std::str::from_utf8(bytes).unwrap()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(String::new())))
    }

    fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Waits until one of `texts` has been written.
    async fn says(&self, texts: &[&str]) {
        let mut written = self.0.subscribe();
        let said = written.wait_for(|written| texts.iter().any(|text| written.contains(text)));
        let said = tokio::time::timeout(PATIENCE, said).await.is_ok();
        assert!(said, "{texts:?} is not in {}", self.text());
    }
}

/// The program, at work.
struct Watching {
    done: tokio::task::JoinHandle<Exit>,
    output: Written,
    errors: Written,
}

impl Watching {
    fn start(arguments: &[&str]) -> Self {
        let (output, errors) = (Written::new(), Written::new());
        let (out, err) = (output.clone(), errors.clone());
        let arguments: Vec<_> = ["agentauth", "spiffe", "watch"].iter().chain(arguments).map(Into::into).collect();
        let done = tokio::task::spawn_blocking(move || {
            let clock = ManualClock::at(Timestamp::from_secs(NOW));
            run(arguments, &mut Terminal::new(io::empty(), out, err, clock))
        });
        Self { done, output, errors }
    }

    /// Waits until it has ended, and tells all that it has written.
    async fn transcript(self) -> String {
        self.transcript_at("?").await
    }

    /// As that; the place that it watches, which has another name each time, is `PLACE`.
    async fn transcript_at(self, place: &str) -> String {
        let exit = tokio::time::timeout(PATIENCE, self.done).await.expect("an end").unwrap();
        let (output, errors) = (self.output.text(), self.errors.text());
        format!("{exit:?}\n--- standard output\n{output}--- standard error\n{errors}").replace(place, "PLACE")
    }
}

/// An SVID that reads the same whenever these tests are run.
fn issue(ca: &Authority, path: &str) -> Issued {
    ca.issue_as(&ca.id(path), |leaf| {
        (leaf.not_before, leaf.not_after) = (datetime!(2020-01-01 0:00 UTC), datetime!(2100-01-01 0:00 UTC));
    })
}

/// What a Workload API says and does: nothing, an identity, keys too, and then that there is none.
async fn play(mock: &mut WorkloadApiMock, output: &Written) {
    let (ca, other) = (Authority::new("court.example"), Authority::new("other.example"));
    let svid = issue(&ca, "/agent/lawyer");
    let federated = vec![("spiffe://other.example", vec![other.root()]), ("spiffe://empty.example", vec![])];
    output.says(&["workload_api_unavailable"]).await;
    mock.push(&X509State { svids: vec![(&svid, "")], bundle: vec![ca.root()], federated });
    mock.listen();
    output.says(&["spiffe://court.example/agent/lawyer"]).await;
    mock.push_jwt_bundles(&[("spiffe://court.example", jwks(&["1", "2"].map(|kid| JwtKey::new(kid, "ES256").jwk())))]);
    output.says(&["2 JWT keys", "\"jwt_keys\":2"]).await;
    mock.withdraw();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_shown_as_it_happens() {
    let mut mock = WorkloadApiMock::not_listening();
    let watching = Watching::start(&["--socket", mock.endpoint(), "--count", "4"]);
    play(&mut mock, &watching.output).await;
    assert_snapshot!("spiffe_watch", watching.transcript_at(mock.endpoint()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_a_line_of_json() {
    let mut mock = WorkloadApiMock::not_listening();
    let watching = Watching::start(&["--json", "--socket", mock.endpoint(), "--count", "4"]);
    play(&mut mock, &watching.output).await;
    let output = watching.output.clone();
    watching.transcript().await;
    let output = output.text();
    let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "{output}");
    assert_eq!(lines[0]["problems"][0]["code"], "workload_api_unavailable");
    assert_eq!(lines[1]["identity"]["id"], "spiffe://court.example/agent/lawyer");
    assert_eq!(lines[1]["problems"], serde_json::json!([]));
    assert_snapshot!("spiffe_watch_json", format!("{}\n{}", lines[2], lines[3]).replace(mock.endpoint(), "PLACE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_watched_is_a_problem() {
    let mock = WorkloadApiMock::unix();
    mock.fail_all(Code::InvalidArgument);
    let denied = Watching::start(&["--socket", mock.endpoint()]).transcript_at(mock.endpoint()).await;
    let malformed = Watching::start(&["--socket", "unix://localhost/agent.sock"]).transcript().await;
    let nowhere = Watching::start(&["--dir", "/no/such/directory"]).transcript().await;
    assert_snapshot!("spiffe_watch_problems", [denied, malformed, nowhere].join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_an_end() {
    let mock = WorkloadApiMock::unix();
    let mut child = Command::new(env!("CARGO_BIN_EXE_agentauth"))
        .args(["spiffe", "watch"])
        .env("SPIFFE_ENDPOINT_SOCKET", mock.endpoint())
        .spawn()
        .unwrap();
    mock.called(X509_SVID, 1).await;
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_watched_too() {
    let (folder, ca) = (Folder::new(), Authority::new("court.example"));
    let svid = issue(&ca, "/agent/lawyer");
    folder.write("tls.crt", pem("CERTIFICATE", svid.leaf()));
    folder.write("tls.key", pem("PRIVATE KEY", &svid.key));
    folder.write("ca.crt", pem("CERTIFICATE", &ca.root()));
    let path = folder.path("");
    let watching = Watching::start(&["--dir", path.to_str().unwrap(), "--count", "1"]);
    assert_snapshot!("spiffe_watch_dir", watching.transcript_at(path.to_str().unwrap()).await);
}

/// cert-manager's driver mounts the SVID, and the roots are in another volume.
#[tokio::test(flavor = "multi_thread")]
async fn the_bundles_beside_a_directory_are_watched_with_it() {
    let (folder, ca) = (Folder::new(), Authority::new("court.example"));
    let svid = issue(&ca, "/agent/lawyer");
    folder.write("tls.crt", pem("CERTIFICATE", svid.leaf()));
    folder.write("tls.key", pem("PRIVATE KEY", &svid.key));
    folder.write("roots.pem", pem("CERTIFICATE", &ca.root()));
    let (dir, roots) = (folder.path(""), folder.path("roots.pem"));
    let bundle = format!("court.example={}", roots.to_str().unwrap());
    let watching = Watching::start(&["--dir", dir.to_str().unwrap(), "--bundle", &bundle, "--count", "1"]);
    let said = watching.transcript().await;
    assert!(said.contains("believes court.example (1 root)"), "{said}");
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
