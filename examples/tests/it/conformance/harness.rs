//! The harness as a process, driven by its contract and by nothing else.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_tower::client::HttpsClient;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{AUDIENCE, Outcome, ensure, tls};
use crate::mock::authority::{Authority, Issued};

/// How long the suite waits for an update to be seen, and for a program to be ready or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Harness {
    child: Mutex<Child>,
    output: watch::Receiver<Output>,
    errors: watch::Receiver<Output>,
    client: HttpsClient,
}

/// The lines of a program so far.
#[derive(Debug, Clone, Default)]
struct Output {
    lines: Vec<String>,
    has_ended: bool,
}

/// How the control port has answered.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Value),
    Rejected(String),
    /// Nothing is learned from it.
    Error(String),
}

impl Drop for Harness {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Harness {
    /// Starts it, with nothing but the address of its Workload API.
    pub(super) fn spawn(endpoint: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_spiffe-harness"))
            .env("SPIFFE_ENDPOINT_SOCKET", endpoint)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, errors) = (follow(child.stdout.take().unwrap()), follow(child.stderr.take().unwrap()));
        let client = HttpsClient::builder().allow_loopback().build().unwrap();
        Self { child: Mutex::new(child), output, errors, client }
    }

    /// Waits until it says that it is ready. An error if it ends before.
    pub(super) async fn ready(&self) -> Outcome {
        let mut output = self.output.clone();
        let ready = output.wait_for(|output| output.has_ended || output.lines.iter().any(|line| line == "READY"));
        match tokio::time::timeout(PATIENCE, ready).await {
            Ok(Ok(output)) if !output.has_ended => ensure(
                output.lines.iter().any(|line| line == "SPIFFE_HARNESS_VERSION=1"),
                "it does not say which contract it speaks",
            ),
            Ok(_) => Err(format!("it has ended: {:?}", self.errors.borrow().lines.last())),
            Err(_) => Err("it is not ready".into()),
        }
    }

    /// Waits until it ends without having said that it is ready.
    pub(super) async fn never_ready(&self) -> Outcome {
        let mut output = self.output.clone();
        let ended = tokio::time::timeout(PATIENCE, output.wait_for(|output| output.has_ended)).await;
        let output = ended.map_err(|_| "it has not ended")?.map_err(|error| error.to_string())?;
        ensure(!output.lines.iter().any(|line| line == "READY"), "it was ready")
    }

    /// Waits until it has said something with `code` in its log.
    pub(super) async fn says(&self, code: &str) -> Outcome {
        let mut errors = self.errors.clone();
        let said = errors.wait_for(|errors| errors.lines.iter().any(|line| line.contains(code)));
        tokio::time::timeout(PATIENCE, said).await.map(drop).map_err(|_| format!("it has not said {code}"))
    }

    /// Tells it to end, and waits until it has.
    pub(super) async fn terminate(&self) -> Outcome {
        let process = self.child.lock().unwrap().id().to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status().map_err(|error| error.to_string())?;
        ensure(told.success(), "it cannot be told")?;
        let mut output = self.output.clone();
        let ended = tokio::time::timeout(PATIENCE, output.wait_for(|output| output.has_ended)).await;
        ended.map_err(|_| "it has not ended")?.map_err(|error| error.to_string())?;
        let status = self.child.lock().unwrap().wait().map_err(|error| error.to_string())?;
        ensure(status.success(), status.to_string())
    }

    fn port(&self, name: &str) -> u16 {
        let output = self.output.borrow();
        let line = output.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.expect("a port").parse().unwrap()
    }

    /// What happens when `client` connects to the X.509 port.
    pub(super) async fn probe(&self, ca: &Authority, client: &Issued) -> Result<tls::Probed, String> {
        tls::probe(self.port("SPIFFE_X509_PORT"), &ca.root(), client).await
    }

    /// Waits until the X.509 port shows `svid`.
    pub(super) async fn shows(&self, ca: &Authority, client: &Issued, svid: &Issued) -> Outcome {
        self.shows_after(ca, client, svid, |_| Ok(())).await
    }

    /// As [`Harness::shows`]; each thing that it shows before must pass `check`.
    pub(super) async fn shows_after(
        &self,
        ca: &Authority,
        client: &Issued,
        svid: &Issued,
        check: impl Fn(&Result<tls::Probed, String>) -> Outcome,
    ) -> Outcome {
        let shown = async {
            loop {
                let probed = self.probe(ca, client).await;
                if probed.as_ref().is_ok_and(|probed| probed.chain.first().is_some_and(|leaf| leaf == svid.leaf())) {
                    return Ok(());
                }
                check(&probed)?;
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, shown).await.unwrap_or_else(|_| Err(format!("it does not show {}", svid.id)))
    }

    async fn ask(&self, method: Method, path: &str, question: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port("SPIFFE_CONTROL_PORT")))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(question.to_string())))
            .unwrap();
        let answer = match self.client.send(request, 256 * 1024).await {
            Ok(answer) => answer,
            Err(error) => return Answer::Error(error.to_string()),
        };
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let message = body["message"].as_str().unwrap_or_default().to_owned();
        match (answer.status().as_u16(), body["status"].as_str()) {
            (200, Some("ok")) => Answer::Done(body),
            (422, Some("rejected")) => Answer::Rejected(message),
            (500, Some("error")) => Answer::Error(message),
            (status, _) => Answer::Error(format!("{status}: {body}")),
        }
    }

    pub(super) async fn validate(&self, token: &str) -> Answer {
        self.ask(Method::POST, "/v1/jwt/validate", &json!({ "token": token, "audience": AUDIENCE })).await
    }

    pub(super) async fn fetch(&self, audience: &[&str], id: &str) -> Answer {
        self.ask(Method::POST, "/v1/jwt/fetch", &json!({ "audience": audience, "spiffe_id": id })).await
    }

    pub(super) async fn dial(&self, port: u16) -> Answer {
        self.ask(Method::POST, "/v1/x509/dial", &json!({ "address": format!("127.0.0.1:{port}") })).await
    }

    pub(super) async fn info(&self) -> Answer {
        self.ask(Method::GET, "/v1/info", &Value::Null).await
    }

    /// Waits until `token` is accepted as that of `id`.
    pub(super) async fn accepts(&self, token: &str, id: &str) -> Outcome {
        let accepted = async {
            loop {
                match self.validate(token).await {
                    Answer::Done(answer) => {
                        return ensure(answer["spiffe_id"] == id, format!("it is accepted as {}", answer["spiffe_id"]));
                    }
                    Answer::Rejected(_) => tokio::time::sleep(PAUSE).await,
                    Answer::Error(error) => return Err(error),
                }
            }
        };
        let limit = Duration::from_secs(5);
        tokio::time::timeout(limit, accepted).await.unwrap_or_else(|_| Err(format!("a token of {id} is refused")))
    }

    /// Requires that `token` is refused, by the library and for what it is.
    pub(super) async fn refuses(&self, token: &str) -> Outcome {
        match self.validate(token).await {
            Answer::Rejected(_) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
}

fn follow(from: impl Read + Send + 'static) -> watch::Receiver<Output> {
    let (output, receiver) = watch::channel(Output::default());
    let output = Arc::new(output);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            output.send_modify(|output| output.lines.push(line));
        }
        output.send_modify(|output| output.has_ended = true);
    });
    receiver
}
