//! Records, and a disk that does what it is told.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

pub(crate) use super::disk::Disk;
use agentauth_audit::disk::Directory;
use agentauth_audit::format::{Body, EntryKind, segments_of};
use agentauth_audit::read::{SegmentEnd, SegmentReader};
use agentauth_audit::tree::{Hash, leaf_hash};
use agentauth_audit::verify::{Verdict, Verifier};
use agentauth_core::audit::{Append, AuditSink, Record, RecordKind};
use agentauth_core::jose::{Algorithm, KeySet, SigningKey};
use agentauth_core::policy::Effect;
use agentauth_core::{AgentAuth, Evidence, TrustedIssuer};

/// Waits for a future on this thread.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let (mut context, mut future) = (Context::from_waker(&waker), pin!(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// What the future says now.
pub(crate) fn poll(append: &mut Append) -> Poll<Result<(), agentauth_core::audit::AuditError>> {
    std::pin::Pin::new(append).poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// A record as the engine makes it, of a caller that was refused.
static REFUSED: LazyLock<Arc<Record>> = LazyLock::new(|| {
    #[derive(Debug, Clone, Default)]
    struct Keep(Arc<Mutex<Option<Arc<Record>>>>);
    impl AuditSink for Keep {
        fn append(&self, record: Arc<Record>) -> Append {
            *self.0.lock().unwrap() = Some(record);
            Append::done(Ok(()))
        }
    }
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, key.public_jwk()).as_bytes()).unwrap();
    let issuer = TrustedIssuer::rfc8693("https://sts.court.example", keys);
    let kept = Keep::default();
    let auth = AgentAuth::builder("https://tools.example").issuer(issuer).audit(kept.clone()).build().unwrap();
    wait(auth.authenticate(Evidence::bearer("nothing"))).unwrap_err();
    let record = kept.0.lock().unwrap().take();
    record.unwrap()
});

/// A record of this kind and effect, with this evaluation id.
pub(crate) fn record(kind: RecordKind, effect: Effect, id: &str) -> Arc<Record> {
    let mut record = (**REFUSED).clone();
    (record.kind, record.effect, record.evaluation_id) = (kind, effect, id.into());
    Arc::new(record)
}

/// A permitted decision: durable, by default.
pub(crate) fn allowed(id: &str) -> Arc<Record> {
    record(RecordKind::Decision, Effect::Allow, id)
}

/// A refusal: buffered, by default.
pub(crate) fn denied(id: &str) -> Arc<Record> {
    record(RecordKind::Decision, Effect::Deny, id)
}

/// An entry, read back.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) kind: EntryKind,
    pub(crate) number: u64,
    pub(crate) json: serde_json::Value,
    pub(crate) leaf: Hash,
}

impl Read {
    /// What it is about: of a record the evaluation id, of everything else its kind.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            EntryKind::Record => self.json["evaluation_id"].as_str().unwrap().into(),
            kind => format!("{kind:?}"),
        }
    }
}

/// The segments that a directory has, by the numbers of their first entries.
pub(crate) fn segments(directory: &dyn Directory) -> Vec<u64> {
    segments_of(directory.list().unwrap())
}

/// All entries of a log, each of which must follow the one before; what a failed write has left does not count. The
/// verifier must have nothing to say against it.
pub(crate) fn entries(directory: &dyn Directory) -> Vec<Read> {
    let report = Verifier::new().verify(directory).unwrap();
    let is_empty = segments(directory).is_empty();
    assert!(report.verdict() == Verdict::Whole || is_empty, "{report:#?}");
    let mut entries: Vec<Read> = Vec::new();
    let mut previous = Hash::default();
    let firsts = segments(directory);
    for (place, first) in firsts.iter().enumerate() {
        let next = firsts.get(place + 1);
        let file = directory.open(&agentauth_audit::format::segment_name(*first)).unwrap();
        let mut reader = SegmentReader::new(file).unwrap().unwrap();
        assert_eq!((reader.header().first, reader.header().previous), (entries.len() as u64, previous));
        while next.is_none_or(|next| (entries.len() as u64) < *next) {
            match reader.next_entry() {
                Ok(entry) => {
                    let body = Body::read(entry.body).unwrap();
                    assert_eq!((body.number, body.previous), (entries.len() as u64, previous));
                    previous = leaf_hash(entry.body);
                    let json = serde_json::from_slice(body.payload).unwrap();
                    entries.push(Read { kind: body.kind, number: body.number, json, leaf: previous });
                }
                Err(SegmentEnd::Whole) => break,
                Err(end) => panic!("{end:?} in segment {first} after {} entries", entries.len()),
            }
        }
    }
    entries
}

/// [`Read::name`] of all entries of a log.
pub(crate) fn names(directory: &dyn Directory) -> Vec<String> {
    entries(directory).iter().map(Read::name).collect()
}
