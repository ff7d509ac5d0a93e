//! The task that follows the files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::reader::Reader;
use super::state::{Outcomes, Readings, State};
use super::{FilesStatus, FilesWarning};
use crate::live::Live;

/// The longest time between two looks: not every file system tells of changes, and no clock or timer is perfect.
const POLL: Duration = Duration::from_secs(30);

/// The shortest time between two looks that nothing has asked for, when an identity ends soon.
const MIN_POLL: Duration = Duration::from_secs(1);

/// How long to wait after the first news of a change: there is more to come, and it is often half done.
const SETTLE: Duration = Duration::from_millis(100);

/// How often to look again for the other half of what does not fit together, and how soon.
const TORN_TRIES: usize = 5;
const TORN_PAUSE: Duration = Duration::from_millis(50);

/// A file system that takes longer does not answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

type Read = (Readings, Vec<FilesWarning>);

pub(super) struct Follower {
    reader: Arc<Reader>,
    state: State,
    live: Live,
    bell: Arc<Notify>,
    status: watch::Sender<Arc<FilesStatus>>,
    /// A reading that has not come back. Another one would only wait beside it.
    late: Option<JoinHandle<Read>>,
    failures: u32,
    /// Warnings that were reported, and still hold.
    warned: Vec<FilesWarning>,
}

impl Follower {
    pub(super) fn new(
        reader: Arc<Reader>,
        live: Live,
        bell: Arc<Notify>,
        status: watch::Sender<Arc<FilesStatus>>,
    ) -> Self {
        let state = State::new(&reader.bundles);
        live.publish(state.snapshot());
        Self { reader, state, live, bell, status, late: None, failures: 0, warned: Vec::new() }
    }

    /// Never ends by itself.
    pub(super) async fn run(mut self) {
        loop {
            let pause = self.look().await;
            if timeout(pause, self.bell.notified()).await.is_ok() {
                sleep(SETTLE).await;
            }
        }
    }

    /// Reads everything once, and takes in what is good. The time until the next look, if nothing happens before.
    pub(super) async fn look(&mut self) -> Duration {
        let mut tries = 0;
        let (outcomes, warnings) = loop {
            tries += 1;
            let Some((readings, warnings)) = self.read().await else {
                break (Outcomes::timed_out(self.reader.svid.is_some(), self.reader.bundles.len()), Vec::new());
            };
            let outcomes = self.state.interpret(readings, self.live.clock().now());
            if !outcomes.may_be_torn || tries == TORN_TRIES {
                break (outcomes, warnings);
            }
            sleep(TORN_PAUSE).await;
        };
        let now = self.live.clock().now();
        if let Some(snapshot) = self.state.take(outcomes, now) {
            self.live.publish(snapshot);
        }
        let failures = self.state.failures();
        self.failures = if failures.is_empty() { 0 } else { self.failures.saturating_add(1) };
        let warnings = [warnings, self.state.warnings(now)].concat();
        self.warn(&warnings);
        self.status.send_replace(Arc::new(FilesStatus { read_at: Some(now), failures, warnings }));
        next_look(self.failures, self.state.remaining(now), self.state.decided_in(now))
    }

    /// What was read, unless it takes too long.
    async fn read(&mut self) -> Option<Read> {
        let reader = Arc::clone(&self.reader);
        let mut reading = self.late.take().unwrap_or_else(|| tokio::task::spawn_blocking(move || reader.read()));
        match timeout(READ_TIMEOUT, &mut reading).await {
            Ok(read) => read.ok(),
            Err(_) => {
                self.late = Some(reading);
                None
            }
        }
    }

    /// Reports each warning when it comes up.
    fn warn(&mut self, warnings: &[FilesWarning]) {
        for warning in warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            tracing::warn!(code = warning.code(), "{warning}");
        }
        self.warned = warnings.to_vec();
    }
}

/// Soon after a failure, and then ever more slowly; at half of the time that the identity has left; and when it is to
/// be decided about what is gone.
fn next_look(failures: u32, remaining: Option<Duration>, decided_in: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let poll = if failures == 0 { POLL } else { MIN_POLL.saturating_mul(1 << doublings).min(POLL) };
    let halfway = remaining.map_or(POLL, |left| (left / 2).max(MIN_POLL));
    poll.min(halfway).min(decided_in.unwrap_or(POLL))
}

#[cfg(test)]
mod tests {
    use agentauth_core::SystemClock;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use tokio::time::Instant;

    use super::*;
    use crate::files::FileSource;
    use crate::files::builder::Prepared;

    fn prepared(file: &std::path::Path) -> Prepared {
        let builder = FileSource::builder().bundle("court.example".parse().unwrap(), file).clock(Arc::new(SystemClock));
        builder.prepare(None, Arc::default()).unwrap()
    }

    fn codes(prepared: &Prepared) -> Vec<&'static str> {
        prepared.status.borrow().failures.iter().map(|failure| failure.error.code()).collect()
    }

    /// A file system that hangs is not asked a second time before it has answered.
    #[tokio::test(start_paused = true)]
    async fn a_reading_that_hangs_is_waited_for_10_s_at_a_time() {
        let mut prepared = prepared(std::path::Path::new("absent.pem"));
        let (answer, hangs) = tokio::sync::oneshot::channel();
        prepared.follower.late = Some(tokio::spawn(async { hangs.await.unwrap() }));
        for _ in 0..2 {
            let start = Instant::now();
            prepared.follower.look().await;
            assert_eq!((start.elapsed().as_secs(), codes(&prepared)), (10, vec!["files_timed_out"]));
        }
        let reading = prepared.follower.reader.read();
        answer.send(reading).unwrap();
        let start = Instant::now();
        prepared.follower.look().await;
        assert_eq!((start.elapsed().as_secs(), codes(&prepared)), (0, vec!["files_missing"]));
    }

    /// Who writes one file after the other, or a file in pieces, has a fifth of a second before it is said.
    #[tokio::test(start_paused = true)]
    async fn what_is_half_written_is_looked_at_again_before_it_is_a_failure() {
        let file = std::env::temp_dir().join(format!("agentauth-follow-{}.pem", std::process::id()));
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        for (after, expected) in [(190, &[][..]), (210, &["bundle_not_pem"])] {
            std::fs::write(&file, &pem.as_bytes()[..pem.len() / 2]).unwrap();
            let mut prepared = prepared(&file);
            let (whole, to) = (pem.clone(), file.clone());
            let writer = tokio::spawn(async move {
                sleep(Duration::from_millis(after)).await;
                std::fs::write(to, whole).unwrap();
            });
            prepared.follower.look().await;
            assert_eq!(codes(&prepared), expected, "{after}");
            writer.await.unwrap();
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_look_is_never_far_away() {
        let secs = |secs: Option<u64>| secs.map(Duration::from_secs);
        for (failures, remaining, decided_in, expected) in [
            (0, None, None, 30),
            (0, Some(3600), None, 30),
            (0, Some(40), None, 20),
            (0, Some(1), None, 1),
            (1, Some(3600), None, 1),
            (2, Some(3600), None, 2),
            (3, Some(3600), None, 4),
            (6, Some(3600), None, 30),
            (u32::MAX, None, None, 30),
            (6, Some(3600), Some(7), 7),
            (6, Some(3600), Some(0), 0),
        ] {
            let next = next_look(failures, secs(remaining), secs(decided_in));
            assert_eq!(next.as_secs(), expected, "{failures} {remaining:?} {decided_in:?}");
        }
    }
}
