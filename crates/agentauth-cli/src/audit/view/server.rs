//! What the page asks, as JSON.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::filter::Filter;
use super::gate::{Gate, watch};
use super::graph::Graph;
use super::index::{Index, MAX_HELD_RECORDS};
use super::integrity::Integrity;
use super::page;
use super::records::{Found, List, Opened, Page};
use super::refusal::Refusal;
use super::source::{Follower, Progress, Source};
use super::summary::Summary;

/// Entries that are read before those who ask get to see them.
const BATCH: usize = 2_000;

/// Batches that one question waits for: the page asks again.
const BATCHES_PER_QUESTION: usize = 10;

/// A log, as far as it is read.
#[derive(Debug)]
pub(super) struct Shown {
    source: Source,
    directory: String,
    index: RwLock<Index>,
    follower: Mutex<Follower>,
    progress: Mutex<(Progress, Option<String>)>,
    is_stopped: AtomicBool,
    pub(super) integrity: Arc<Integrity>,
}

impl Shown {
    pub(super) fn new(source: Source, directory: String, integrity: Integrity) -> Self {
        Self {
            source,
            directory,
            index: RwLock::new(Index::new(MAX_HELD_RECORDS)),
            follower: Mutex::new(Follower::new()),
            progress: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            integrity: Arc::new(integrity),
        }
    }

    /// Reads what is there.
    pub(super) fn read_all(&self) {
        self.read(usize::MAX);
    }

    /// Nothing more is read.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    fn read(&self, batches: usize) {
        // Another is reading: what it has so far is answered.
        let mut follower = match self.follower.try_lock() {
            Ok(follower) => follower,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        for _ in 0..batches {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            let done = follower.read(&self.source, BATCH, &mut index);
            drop(index);
            let failure = done.err().map(|error| error.to_string());
            let is_done = failure.is_some() || follower.progress().is_up_to_date;
            *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = (follower.progress().clone(), failure);
            if is_done || self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
        }
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn router(shown: Arc<Shown>, gate: Gate) -> Router {
    page::routes(Router::new())
        .route("/api/state", get(state))
        .route("/api/summary", get(summary))
        .route("/api/records", get(records))
        .route("/api/graph", get(graph))
        .route("/api/integrity", get(integrity))
        .route("/api/record/{number}", get(by_number))
        .route("/api/evaluation/{id}", get(by_evaluation))
        .fallback(|| std::future::ready(Refusal::Path))
        .with_state(shown)
        .layer(middleware::from_fn_with_state(gate, watch))
}

/// Answers from the index, on a thread on which one may wait.
async fn answer<T: Serialize>(shown: Arc<Shown>, what: impl FnOnce(&Shown) -> Option<T> + Send + 'static) -> Response {
    let written = tokio::task::spawn_blocking(move || what(&shown).map(|answer| serde_json::to_vec(&answer))).await;
    match written {
        Ok(Some(Ok(json))) => ([(http::header::CONTENT_TYPE, "application/json")], json).into_response(),
        _ => Refusal::Record.into_response(),
    }
}

type Question<T> = Result<Query<T>, QueryRejection>;

/// The filter, unless it is none.
fn filter(question: Question<Filter>) -> Option<Filter> {
    question.ok().map(|Query(filter)| filter).filter(|filter| !filter.is_oversize())
}

/// Serialised while the index is there to be read.
fn written(value: &impl Serialize) -> Option<serde_json::Value> {
    serde_json::to_value(value).ok()
}

async fn state(State(shown): State<Arc<Shown>>) -> Response {
    answer(shown, |shown| {
        shown.read(BATCHES_PER_QUESTION);
        let (progress, failure) = shown.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let index = shown.index();
        Some(json!({
            "directory": shown.directory,
            "progress": progress,
            "failure": failure,
            "entries": index.entries,
            "records": index.records,
            "held": index.rows().len(),
            "unreadable": index.unreadable,
            "names_are_full": index.names.is_full(),
            "oldest": index.rows().front().map(|row| row.micros),
            "newest": index.rows().back().map(|row| row.micros),
            "last": index.rows().back().map(|row| row.number),
            "last_checkpoint": index.last_checkpoint,
            "events": index.events().collect::<Vec<_>>(),
        }))
    })
    .await
}

/// With `check`, the log is verified again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Integral {
    check: bool,
}

async fn integrity(State(shown): State<Arc<Shown>>, question: Question<Integral>) -> Response {
    let Ok(Query(Integral { check })) = question else { return Refusal::Filter.into_response() };
    if check {
        shown.integrity.begin();
    }
    answer(shown, |shown| Some(shown.integrity.state())).await
}

async fn summary(State(shown): State<Arc<Shown>>, question: Question<Filter>) -> Response {
    match filter(question) {
        Some(filter) => answer(shown, move |shown| written(&Summary::of(&shown.index(), &filter))).await,
        None => Refusal::Filter.into_response(),
    }
}

async fn graph(State(shown): State<Arc<Shown>>, question: Question<Filter>) -> Response {
    match filter(question) {
        Some(filter) => answer(shown, move |shown| written(&Graph::of(&shown.index(), &filter))).await,
        None => Refusal::Filter.into_response(),
    }
}

async fn records(State(shown): State<Arc<Shown>>, question: Question<Filter>, page: Question<Page>) -> Response {
    match (filter(question), page) {
        (Some(filter), Ok(Query(page))) => {
            answer(shown, move |shown| written(&List::of(&shown.index(), &filter, &page))).await
        }
        _ => Refusal::Filter.into_response(),
    }
}

async fn by_number(State(shown): State<Arc<Shown>>, number: Result<Path<u64>, PathRejection>) -> Response {
    let Ok(Path(number)) = number else {
        return Refusal::Filter.into_response();
    };
    answer(shown, move |shown| {
        let found = Found::by_number(&shown.index(), number)?;
        opened(shown, &found)
    })
    .await
}

async fn by_evaluation(State(shown): State<Arc<Shown>>, Path(id): Path<String>) -> Response {
    answer(shown, move |shown| {
        let found = Found::by_evaluation(&shown.index(), &id)?;
        opened(shown, &found)
    })
    .await
}

fn opened(shown: &Shown, found: &Found) -> Option<Opened> {
    Opened::read(&shown.source, found, |id| shown.index().of_evaluation(id).map(|row| row.place).collect())
}
