//! Anchors in object stores: a directory, and a small server that speaks as S3 does.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentauth_audit::anchor::{AnchorError, AnchorSink, ObjectStoreAnchor};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use crate::anchor::remembers_and_goes_only_forward;
use crate::support::trees::{Folder, NoProofs, ORIGIN, head, key};

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    /// Says that it has failed, after it has put.
    LosesAnswers,
    Forbids,
    Hangs,
    ListsBackwards,
}

#[derive(Debug, Clone)]
struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    mood: Arc<Mutex<Mood>>,
    /// What was asked for: method and path.
    log: Arc<Mutex<Vec<String>>>,
}

async fn answer(
    State(bucket): State<Bucket>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mood = *bucket.mood.lock().unwrap();
    bucket.log.lock().unwrap().push(format!("{method} {}", uri.path()));
    match mood {
        Mood::Forbids => return StatusCode::FORBIDDEN.into_response(),
        Mood::Hangs => std::future::pending().await,
        _ => {}
    }
    assert!(headers["authorization"].to_str().unwrap().contains("Credential=id/"));
    let key = uri.path().strip_prefix("/audit/").unwrap_or_default();
    let mut objects = bucket.objects.lock().unwrap();
    if method == Method::PUT {
        assert_eq!(headers["if-none-match"], "*");
        if objects.contains_key(key) {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        objects.insert(key.to_owned(), body);
        return match mood {
            Mood::LosesAnswers => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => ([("etag", "\"1\"")], StatusCode::OK).into_response(),
        };
    }
    if query.contains_key("list-type") {
        let prefix = &query["prefix"];
        let mut found: Vec<String> = objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix.as_str()))
            .map(|(key, content)| {
                let (time, size) = ("2026-01-02T03:04:05.000Z", content.len());
                format!("<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{time}</LastModified></Contents>")
            })
            .collect();
        if mood == Mood::ListsBackwards {
            found.reverse();
        }
        let found = found.concat();
        return format!("<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>").into_response();
    }
    match objects.get(key) {
        Some(content) => {
            ([("etag", "\"1\""), ("last-modified", "Fri, 02 Jan 2026 03:04:05 GMT")], content.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The server, until it is dropped.
struct Server {
    bucket: Bucket,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bucket = Bucket { objects: Arc::default(), mood: Arc::new(Mutex::new(Mood::Good)), log: Arc::default() };
        let router = Router::new().fallback(answer).with_state(bucket.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { bucket, address, _runtime: runtime }
    }

    fn anchor(&self, url: &str) -> Result<ObjectStoreAnchor, AnchorError> {
        let options = [
            ("aws_endpoint", self.address.as_str()),
            ("aws_allow_http", "true"),
            ("aws_region", "eu-test-1"),
            ("aws_access_key_id", "id"),
            ("aws_secret_access_key", "planted-secret"),
        ];
        ObjectStoreAnchor::open(url, options)
    }

    fn mood(&self, mood: Mood) {
        *self.bucket.mood.lock().unwrap() = mood;
    }

    fn objects(&self) -> Vec<String> {
        self.bucket.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn code<T>(result: Result<T, AnchorError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn an_object_store_remembers_and_goes_only_forward() {
    let server = Server::new();
    let anchor = server.anchor("s3://audit/prod/tools").unwrap();
    remembers_and_goes_only_forward(&anchor);
    let again = server.anchor("s3://audit/prod/tools").unwrap();
    assert_eq!(again.anchored(ORIGIN).unwrap(), anchor.anchored(ORIGIN).unwrap());
    assert_eq!(code(again.anchor(&head(ORIGIN, 2).text(), &NoProofs)), "anchor_refused");
    assert_eq!(again.anchored("other.example"), Ok(Vec::new()), "other logs have other places");
    let objects = server.objects();
    assert_eq!(objects.len(), 4);
    assert!(objects[0].starts_with("prod/tools/") && objects[0].ends_with("/18446744073709551604-11"), "{objects:?}");
    assert!(!format!("{anchor:?}").contains("planted-secret"));
}

#[test]
fn a_directory_remembers_and_goes_only_forward() {
    let folder = Folder::new();
    let url = |name| format!("file://{}", folder.path(name).display());
    let none: [(&str, &str); 0] = [];
    assert_eq!(code(ObjectStoreAnchor::open(&url("missing"), none)), "anchor_unavailable");
    fs::create_dir(folder.path("there")).unwrap();
    remembers_and_goes_only_forward(&ObjectStoreAnchor::open(&url("there"), none).unwrap());
    for url in ["https://store.example/x", "file://host/x", "s3:", "", "file:///a%2fb"] {
        assert_eq!(code(ObjectStoreAnchor::open(url, none)), "anchor_unavailable", "{url}");
    }
    assert_eq!(code(ObjectStoreAnchor::open("s3://audit/x", [("aws_colour", "red")])), "anchor_unavailable");
}

#[test]
fn nothing_in_the_store_is_overwritten() {
    let server = Server::new();
    let (first, second) = (server.anchor("s3://audit").unwrap(), server.anchor("s3://audit").unwrap());
    let notes: Vec<String> = [4, 5].iter().map(|&size| key(ORIGIN).sign(&head(ORIGIN, size)).unwrap()).collect();
    // Both know the first; then one puts the second, and the other has another tree of that size.
    assert_eq!((code(first.anchor(&notes[0], &NoProofs)), code(second.anchor(&notes[0], &NoProofs))), ("ok", "ok"));
    assert_eq!(code(first.anchor(&notes[1], &NoProofs)), "ok");
    let other_tree = head(ORIGIN, 6).text().replace("\n6\n", "\n5\n");
    assert_eq!(code(second.anchor(&other_tree, &NoProofs)), "anchor_refused");
    assert_eq!(code(second.anchor(&notes[1], &NoProofs)), "ok", "the same is there already");
    assert_eq!(first.anchored(ORIGIN).unwrap(), notes);
}

#[test]
fn the_latest_are_found_first() {
    let server = Server::new();
    let anchor = server.anchor("s3://audit").unwrap();
    for size in 1..=40 {
        anchor.anchor(&head(ORIGIN, size).text(), &NoProofs).unwrap();
    }
    server.bucket.log.lock().unwrap().clear();
    let known = anchor.anchored(ORIGIN).unwrap();
    assert_eq!(known, (25..=40).map(|size| head(ORIGIN, size).text()).collect::<Vec<_>>());
    assert_eq!(server.bucket.log.lock().unwrap().len(), 17, "one list, and one request for each");
    server.mood(Mood::ListsBackwards);
    assert_eq!(code(anchor.anchored(ORIGIN)), "anchor_unavailable");
}

#[test]
fn a_store_that_does_not_work_is_not_waited_for() {
    let server = Server::new();
    let note = head(ORIGIN, 7).text();
    let short = Duration::from_millis(200);
    for mood in [Mood::Forbids, Mood::Hangs] {
        server.mood(mood);
        let anchor = server.anchor("s3://audit").unwrap().within(short);
        assert_eq!(code(anchor.anchor(&note, &NoProofs)), "anchor_unavailable", "{mood:?}");
        let error = anchor.anchored(ORIGIN).unwrap_err();
        assert!(!error.to_string().contains("planted-secret"), "{error}");
        assert_eq!(error.code(), "anchor_unavailable", "{mood:?}");
    }
    assert_eq!(server.objects(), [""; 0]);
    // What was put although the answer was lost is found at the next attempt.
    server.mood(Mood::LosesAnswers);
    let anchor = server.anchor("s3://audit").unwrap();
    assert_eq!(code(anchor.anchor(&note, &NoProofs)), "ok");
    server.mood(Mood::Good);
    assert_eq!(anchor.anchored(ORIGIN), Ok(vec![note]));
}

#[test]
fn what_the_store_has_is_what_was_put() {
    let server = Server::new();
    let anchor = server.anchor("s3://audit").unwrap();
    anchor.anchor(&head(ORIGIN, 7).text(), &NoProofs).unwrap();
    let name = server.objects().remove(0);
    for content in [
        Bytes::from(head(ORIGIN, 8).text()),
        Bytes::from(head("other.example", 7).text()),
        Bytes::from_static(b"\xff"),
        Bytes::new(),
        Bytes::from("x".repeat(200_000)),
    ] {
        server.bucket.objects.lock().unwrap().insert(name.clone(), content);
        assert_eq!(code(anchor.anchored(ORIGIN)), "anchor_damaged");
    }
}

#[test]
fn an_anchor_works_where_a_runtime_runs() {
    let server = Server::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let anchor = server.anchor("s3://audit").unwrap();
        anchor.anchor(&head(ORIGIN, 7).text(), &NoProofs).unwrap();
        assert_eq!(anchor.anchored(ORIGIN).unwrap().len(), 1);
        drop(anchor);
    });
}
