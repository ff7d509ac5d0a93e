//! Whether the log is whole: verified beside, while it is looked at.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use agentauth_audit::anchor::FileAnchor;
use agentauth_audit::checkpoint::CheckpointVerifier;
use agentauth_audit::disk::{Directory, RealDirectory};
use agentauth_audit::verify::{Report, Verifier};
use agentauth_core::{Clock as _, SystemClock, Timestamp};
use serde::Serialize;

use crate::CliError;

/// Verifies a log, once at a time.
#[derive(Debug)]
pub(super) struct Integrity {
    directory: RealDirectory,
    key: Option<CheckpointVerifier>,
    anchors: Vec<PathBuf>,
    state: Mutex<State>,
}

/// How far it is, and what it has found last.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct State {
    is_running: bool,
    bytes: u64,
    of: u64,
    /// When the report was begun.
    at: Option<Timestamp>,
    report: Option<Report>,
    /// Why there is none.
    failure: Option<String>,
    has_key: bool,
    has_anchor: bool,
}

impl Integrity {
    /// # Errors
    /// [`CliError::Setting`] for an anchor that is not there.
    pub(super) fn new(
        directory: RealDirectory,
        key: Option<CheckpointVerifier>,
        anchors: &[PathBuf],
    ) -> Result<Self, CliError> {
        let state = State { has_key: key.is_some(), has_anchor: !anchors.is_empty(), ..State::default() };
        let integrity = Self { directory, key, anchors: anchors.to_vec(), state: Mutex::new(state) };
        integrity.verifier()?;
        Ok(integrity)
    }

    fn verifier(&self) -> Result<Verifier<'_>, CliError> {
        let mut verifier = Verifier::new();
        if let Some(key) = &self.key {
            verifier = verifier.key(key.clone());
        }
        for path in &self.anchors {
            let anchor = FileAnchor::existing(path);
            let anchor = anchor.map_err(|error| CliError::Setting { option: "anchors", problem: error.to_string() })?;
            verifier = verifier.anchor(anchor);
        }
        Ok(verifier)
    }

    pub(super) fn state(&self) -> State {
        self.now().clone()
    }

    /// Begins, unless it is under way. A thread of its own: it ends with the program, however long the log is.
    pub(super) fn begin(self: &Arc<Self>) {
        if std::mem::replace(&mut self.now().is_running, true) {
            return;
        }
        let integrity = Arc::clone(self);
        let begun = thread::Builder::new().name("verify".into()).spawn(move || integrity.run());
        if let Err(error) = begun {
            let mut state = self.now();
            (state.is_running, state.failure) = (false, Some(error.to_string()));
        }
    }

    fn run(&self) {
        let at = SystemClock.now();
        let progress = |progress: agentauth_audit::verify::Progress| {
            let mut state = self.now();
            (state.bytes, state.of) = (progress.bytes, progress.of);
        };
        let verify = |verifier: Verifier<'_>| {
            verifier.progress(progress).verify(&self.directory as &dyn Directory).map_err(|error| error.to_string())
        };
        let done = self.verifier().map_err(|error| error.to_string()).and_then(verify);
        let mut state = self.now();
        state.is_running = false;
        state.at = Some(at);
        (state.report, state.failure) = match done {
            Ok(report) => (Some(report), None),
            Err(failure) => (None, Some(failure)),
        };
    }

    fn now(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
