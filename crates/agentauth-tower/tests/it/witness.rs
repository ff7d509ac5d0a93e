//! A witness of the audit log, against one that really checks what it signs.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_audit::anchor::{AnchorError, AnchorSink, ConsistencyProofs, SegmentProofs};
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier, Cosigner, Head};
use agentauth_audit::disk::RealDirectory;
use agentauth_audit::tree::{Frontier, Hash};
use agentauth_tower::client::{HttpWitness, HttpsClient, WitnessError};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::audit_log::{Folder, ORIGIN, key, write_log};
use crate::client::{client, tls};

/// How the witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mood {
    Honest,
    /// Signs, remembers, and does not answer.
    LosesAnswers,
    Hangs,
    /// Answers with this, whatever it is asked.
    Says(StatusCode, &'static str, String),
}

struct Office {
    key: Ed25519KeyPair,
    logs: CheckpointVerifier,
    known: BTreeMap<String, (Head, String)>,
    mood: Mood,
    asked: Vec<String>,
}

impl Office {
    fn id(&self) -> Vec<u8> {
        digest(&SHA256, &[b"witness.example/w1\n\x04", self.key.public_key().as_ref()].concat()).as_ref()[..4].to_vec()
    }

    fn verifier_key(&self) -> String {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("witness.example/w1+{id}+{}", STANDARD.encode([&[4], self.key.public_key().as_ref()].concat()))
    }

    fn line(&self, text: &str) -> String {
        let time: u64 = 1_800_000_000;
        let signature = self.key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let bytes = [&self.id()[..], &time.to_be_bytes(), signature.as_ref()].concat();
        format!("\u{2014} witness.example/w1 {}\n", STANDARD.encode(bytes))
    }

    /// What C2SP tlog-witness demands of a witness.
    fn add_checkpoint(&mut self, body: &str) -> Response {
        let (lines, note) = body.split_once("\n\n").unwrap();
        let mut lines = lines.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let hash = |line: &str| tlog_tiles::Hash(STANDARD.decode(line).unwrap().try_into().unwrap());
        let proof: Vec<tlog_tiles::Hash> = lines.map(hash).collect();
        assert!(proof.len() <= 63);
        let next = match self.logs.verify(note) {
            Ok(next) => next,
            Err(error) if Head::read(note).is_ok_and(|head| head.origin != ORIGIN) => {
                return (StatusCode::NOT_FOUND, error.to_string()).into_response();
            }
            Err(error) => return (StatusCode::FORBIDDEN, error.to_string()).into_response(),
        };
        if old > next.size {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let known = self.known.get(&next.origin).map(|(head, _)| head);
        let size = known.map_or(0, |known| known.size);
        if old != size {
            return (StatusCode::CONFLICT, [("content-type", "text/x.tlog.size")], format!("{size}\n")).into_response();
        }
        let [root, old_root] =
            [next.root, known.map_or(Hash::default(), |known| known.root)].map(|hash| tlog_tiles::Hash(hash.0));
        let is_shown = match old {
            0 => proof.is_empty(),
            _ => tlog_tiles::check_tree(&proof, next.size, root, old, old_root).is_ok(),
        };
        if !is_shown {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        let line = self.line(&next.text());
        self.known.insert(next.origin.clone(), (next, format!("{note}{line}")));
        // Another witness has signed as well, whom nobody knows here.
        format!("\u{2014} other.example {}\n{line}", STANDARD.encode([7; 76])).into_response()
    }

    fn checkpoint(&self, path: &str) -> Response {
        let hash: String =
            digest(&SHA256, ORIGIN.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        match self.known.get(ORIGIN).filter(|_| path == format!("/m/{hash}/checkpoint")) {
            Some((_, note)) => note.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn answer(State(office): State<Arc<Mutex<Office>>>, method: Method, uri: Uri, body: String) -> Response {
    let mood = {
        let mut office = office.lock().unwrap();
        office.asked.push(format!("{method} {uri}\n{body}"));
        office.mood.clone()
    };
    match mood {
        Mood::Hangs => std::future::pending().await,
        Mood::Says(status, kind, body) => (status, [("content-type", kind)], body).into_response(),
        Mood::Honest | Mood::LosesAnswers => {
            let mut office = office.lock().unwrap();
            let answer = match method {
                Method::POST => office.add_checkpoint(&body),
                _ => office.checkpoint(uri.path()),
            };
            if mood == Mood::Honest { answer } else { StatusCode::BAD_GATEWAY.into_response() }
        }
    }
}

/// The witness, its log, and where what it signs is kept.
struct Court {
    office: Arc<Mutex<Office>>,
    address: String,
    folder: Folder,
    log: RealDirectory,
    key: CheckpointKey,
    trees: Vec<Frontier>,
    _running: tokio::sync::oneshot::Sender<()>,
}

impl Court {
    fn new() -> Self {
        let key = key(ORIGIN);
        let office = Arc::new(Mutex::new(Office {
            key: Ed25519KeyPair::generate().unwrap(),
            logs: CheckpointVerifier::new([key.verifier_key()]).unwrap(),
            known: BTreeMap::new(),
            mood: Mood::Honest,
            asked: Vec::new(),
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&office));
        let (running, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(async { axum::serve(listener, router).await });
                stopped.await
            })
        });
        let folder = Folder::new();
        let log = RealDirectory::create(folder.path("log")).unwrap();
        let (trees, _) = write_log(&log, 40, 16, 0, "{}");
        Self { office, address, folder, log, key, trees, _running: running }
    }

    fn witness(&self) -> HttpWitness {
        let vkey = self.office.lock().unwrap().verifier_key();
        HttpWitness::new(client(), &format!("{}/w1/", self.address), &vkey, self.folder.path("memory")).unwrap()
    }

    fn mood(&self, mood: Mood) {
        self.office.lock().unwrap().mood = mood;
    }

    /// What the witness was asked, without the notes: method and URL, and the lines before the note.
    fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.office.lock().unwrap().asked);
        asked.iter().map(|asked| asked.split("\n\n").next().unwrap().to_owned()).collect()
    }

    fn note(&self, size: usize) -> String {
        self.key.sign(&Head::new(ORIGIN, &self.trees[size])).unwrap()
    }

    fn anchor(&self, witness: &HttpWitness, size: usize) -> Result<(), AnchorError> {
        witness.anchor(&self.note(size), &SegmentProofs::new(&self.log))
    }
}

fn code<T>(result: Result<T, AnchorError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn sizes(witness: &HttpWitness) -> Vec<u64> {
    witness.anchored(ORIGIN).unwrap().iter().map(|note| Head::read(note).unwrap().size).collect()
}

#[test]
fn a_witness_signs_what_has_only_grown() {
    let court = Court::new();
    let witness = court.witness();
    assert_eq!((witness.name(), sizes(&witness)), ("the witness `witness.example/w1`", vec![]));
    for size in [0, 5, 5, 16, 17, 40] {
        assert_eq!(court.anchor(&witness, size), Ok(()), "{size}");
    }
    let asked = court.asked();
    let first: Vec<&str> = asked.iter().map(|asked| asked.lines().nth(1).unwrap()).collect();
    assert_eq!(first, ["old 0", "old 0", "old 5", "old 16", "old 17"]);
    assert!(asked.iter().all(|asked| asked.starts_with("POST /w1/add-checkpoint\n")), "{asked:?}");

    // What it has signed is there again, with its signature and the log's.
    let again = court.witness();
    assert_eq!(sizes(&again), [0, 5, 16, 17, 40]);
    let last = again.anchored(ORIGIN).unwrap().pop().unwrap();
    let cosigner = Cosigner::read(&court.office.lock().unwrap().verifier_key()).unwrap();
    assert_eq!(cosigner.verify(&last).unwrap().1.time.secs(), 1_800_000_000);
    assert_eq!(CheckpointVerifier::new([court.key.verifier_key()]).unwrap().verify(&last).unwrap().size, 40);
}

#[test]
fn a_witness_that_knows_another_size_is_asked_again() {
    let court = Court::new();
    let witness = court.witness();
    // It has signed, and the answer was lost; and somebody else has asked it.
    court.mood(Mood::LosesAnswers);
    assert_eq!(code(court.anchor(&witness, 9)), "anchor_unavailable");
    assert_eq!(sizes(&witness), [0u64; 0]);
    court.mood(Mood::Honest);
    court.asked();
    assert_eq!(court.anchor(&witness, 20), Ok(()));
    let first: Vec<String> = court.asked().iter().map(|asked| asked.lines().nth(1).unwrap().to_owned()).collect();
    assert_eq!(first, ["old 0", "old 9"]);
    assert_eq!(sizes(&witness), [20]);
    // It has forgotten.
    court.office.lock().unwrap().known.clear();
    assert_eq!(court.anchor(&witness, 30), Ok(()));
    // One that never knows the same is not asked for ever.
    for (size, expected) in [
        ("31\n", "anchor_unavailable"),
        ("30\n", "anchor_unavailable"),
        ("0\n", "anchor_unavailable"),
        ("41\n", "anchor_refused"),
    ] {
        court.mood(Mood::Says(StatusCode::CONFLICT, "text/x.tlog.size", size.into()));
        court.asked();
        assert_eq!(code(court.anchor(&witness, 40)), expected, "{size}");
        assert!(court.asked().len() <= 2);
    }
    for (kind, body) in [
        ("text/plain", "31\n"),
        ("text/x.tlog.size", "031\n"),
        ("text/x.tlog.size", "31"),
        ("text/x.tlog.size", "-1\n"),
        ("text/x.tlog.size", ""),
    ] {
        court.mood(Mood::Says(StatusCode::CONFLICT, kind, body.into()));
        assert!(court.anchor(&witness, 40).unwrap_err().to_string().contains("what size it knows"), "{kind} {body}");
    }
}

#[test]
fn a_log_that_goes_back_or_was_rewritten_is_not_signed() {
    let court = Court::new();
    let witness = court.witness();
    assert_eq!(court.anchor(&witness, 20), Ok(()));
    court.asked();
    // Back: neither by what is remembered here, nor, if that is gone, by the witness.
    assert_eq!(code(court.anchor(&witness, 19)), "anchor_refused");
    assert_eq!(court.asked(), [""; 0]);
    fs::remove_file(court.folder.path("memory")).unwrap();
    let forgetful = court.witness();
    assert_eq!(code(court.anchor(&forgetful, 19)), "anchor_refused");

    // Rewritten, by who has the key: the new log cannot show that it is the old one.
    let other = RealDirectory::create(court.folder.path("other")).unwrap();
    let (trees, _) = write_log(&other, 40, 16, 0, "{\"forged\":true}");
    let forged = |size: usize| court.key.sign(&Head::new(ORIGIN, &trees[size])).unwrap();
    let proofs = SegmentProofs::new(&other);
    assert_eq!(code(forgetful.anchor(&forged(30), &proofs)), "anchor_refused");
    assert_eq!(code(forgetful.anchor(&forged(20), &proofs)), "anchor_refused");
    assert_eq!(court.anchor(&forgetful, 25), Ok(()));
    court.asked();
    assert_eq!(code(forgetful.anchor(&forged(30), &proofs)), "anchor_proof");
    assert_eq!(code(forgetful.anchor(&forged(25), &proofs)), "anchor_refused");
    assert_eq!(court.asked(), [""; 0], "what is known here to be false is not asked");
    assert_eq!(sizes(&forgetful), [25]);
}

#[test]
fn a_proof_that_is_false_is_refused_by_the_witness() {
    struct False(Vec<Hash>);
    impl ConsistencyProofs for False {
        fn prove(&self, old: u64, _: u64) -> Result<Vec<Hash>, AnchorError> {
            if old == 0 { Ok(Vec::new()) } else { Ok(self.0.clone()) }
        }
    }
    let court = Court::new();
    assert_eq!(court.anchor(&court.witness(), 20), Ok(()));
    fs::remove_file(court.folder.path("memory")).unwrap();
    let witness = court.witness();
    for hashes in [vec![], vec![Hash([1; 32])], vec![Hash([0; 32]); 63]] {
        assert_eq!(code(witness.anchor(&court.note(30), &False(hashes))), "anchor_refused");
    }
    assert_eq!(code(witness.anchor(&court.note(30), &False(vec![Hash([0; 32]); 64]))), "anchor_proof");
}

#[test]
fn only_a_log_that_the_witness_knows_is_signed() {
    let court = Court::new();
    let witness = court.witness();
    let proofs = SegmentProofs::new(&court.log);
    let head = |origin: &str| Head::new(origin, &court.trees[7]);
    let stranger = key(ORIGIN).sign(&head(ORIGIN)).unwrap();
    let other_log = key("other.example").sign(&head("other.example")).unwrap();
    for (note, word) in [
        (stranger.as_str(), "does not know the log's key"),
        (&other_log, "does not know the log"),
        (&head(ORIGIN).text(), "give the log a key"),
        ("no note", "no checkpoint"),
    ] {
        let error = witness.anchor(note, &proofs).unwrap_err();
        assert!(error.code() == "anchor_refused" && error.to_string().contains(word), "{error}");
    }
    assert_eq!(sizes(&witness), [0u64; 0]);
}

#[test]
fn an_answer_is_bounded_and_counts_with_the_witnesss_signature() {
    let court = Court::new();
    let witness = court.witness();
    let line = |size: usize| court.office.lock().unwrap().line(&Head::new(ORIGIN, &court.trees[size]).text());
    let other = Court::new().office.lock().unwrap().line(&Head::new(ORIGIN, &court.trees[7]).text());
    for (status, body) in [
        (StatusCode::OK, String::new()),
        (StatusCode::OK, "ok\n".into()),
        (StatusCode::OK, line(8)),
        (StatusCode::OK, other),
        (StatusCode::OK, format!("{}\n{}", line(7), line(7))),
        (StatusCode::OK, line(7).trim_end().into()),
        (StatusCode::OK, line(7).repeat(2000)),
        (StatusCode::CREATED, line(7)),
        (StatusCode::FOUND, line(7)),
        (StatusCode::INTERNAL_SERVER_ERROR, line(7)),
        (StatusCode::TOO_MANY_REQUESTS, line(7)),
    ] {
        court.mood(Mood::Says(status, "text/plain", body.clone()));
        assert_eq!(code(court.anchor(&witness, 7)), "anchor_unavailable", "{status} {body:.300}");
    }
    assert_eq!(sizes(&witness), [0u64; 0]);
    court.mood(Mood::Says(StatusCode::OK, "text/plain", line(7)));
    assert_eq!(court.anchor(&witness, 7), Ok(()));
    court.mood(Mood::Hangs);
    let hurried = court.witness().within(Duration::from_millis(50));
    assert!(court.anchor(&hurried, 9).unwrap_err().to_string().contains("has not answered in time"));
}

#[test]
fn what_the_witness_remembers_itself_counts_if_it_is_asked() {
    let court = Court::new();
    let asked = |court: &Court| court.witness().monitoring(&format!("{}/m", court.address)).unwrap();
    assert_eq!(sizes(&asked(&court)), [0u64; 0]);
    assert_eq!(court.anchor(&court.witness(), 20), Ok(()));
    // Whoever owns this host has cut its memory; the witness's is elsewhere.
    fs::remove_file(court.folder.path("memory")).unwrap();
    assert_eq!((sizes(&court.witness()), sizes(&asked(&court))), (vec![], vec![20]));
    assert_eq!(court.anchor(&court.witness(), 25), Ok(()));
    assert_eq!(sizes(&asked(&court)), [25]);
    // If it cannot say what it knows, that is not nothing.
    let signed_by_nobody = court.note(25);
    let of_other_log = {
        let text = Head::new("other.example", &court.trees[7]).text();
        format!("{text}\n{}", court.office.lock().unwrap().line(&text))
    };
    for (status, body, expected) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "", "anchor_unavailable"),
        (StatusCode::OK, &*signed_by_nobody, "anchor_damaged"),
        (StatusCode::OK, &*of_other_log, "anchor_unavailable"),
        (StatusCode::OK, "", "anchor_damaged"),
    ] {
        court.mood(Mood::Says(status, "text/plain", body.into()));
        assert_eq!(code(asked(&court).anchored(ORIGIN)), expected, "{status}");
    }
}

#[test]
fn what_was_kept_without_the_witness_does_not_count() {
    let court = Court::new();
    let witness = court.witness();
    agentauth_audit::anchor::FileAnchor::open(court.folder.path("memory"))
        .unwrap()
        .anchor(&court.note(20), &SegmentProofs::new(&court.log))
        .unwrap();
    assert_eq!(code(witness.anchored(ORIGIN)), "anchor_damaged");
    assert_eq!(code(court.anchor(&witness, 30)), "anchor_damaged");
}

#[test]
fn a_witness_needs_a_url_and_a_key() {
    let court = Court::new();
    let vkey = court.office.lock().unwrap().verifier_key();
    let made = |client: HttpsClient, url: &str, key: &str, memory: &str| {
        HttpWitness::new(client, url, key, court.folder.path(memory)).map_err(|error| error.code())
    };
    assert_eq!(made(client(), "no url", &vkey, "memory").unwrap_err(), "fetch_url_refused");
    assert_eq!(made(HttpsClient::new(tls()), &court.address, &vkey, "memory").unwrap_err(), "fetch_url_refused");
    assert_eq!(made(client(), &court.address, court.key.verifier_key(), "memory").unwrap_err(), "checkpoint_key");
    assert_eq!(made(client(), &court.address, &vkey, "no/memory").unwrap_err(), "anchor_unavailable");
    let witness = made(client(), &court.address, &vkey, "memory").unwrap();
    assert_eq!(witness.monitoring("http://").unwrap_err().code(), "fetch_url_refused");
    assert_eq!(WitnessError::Thread(std::io::ErrorKind::WouldBlock.into()).code(), "witness_thread");
}

/// It may be made and asked where a runtime of one thread runs, which stands still meanwhile.
#[test]
fn a_witness_is_asked_from_anywhere() {
    let court = Court::new();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let witness = court.witness();
        assert_eq!(court.anchor(&witness, 20), Ok(()));
        assert_eq!(sizes(&witness), [20]);
    });
}
