//! A log on a disk that fails: whatever is acknowledged is there afterwards, once and in order, and nothing is called damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agentauth_audit::AuditLog;
use agentauth_audit::checkpoint::CheckpointKey;
use agentauth_audit::erase::Retention;
use agentauth_audit::format::{EntryKind, Gap, Refused};
use agentauth_audit::tree::Hash;
use agentauth_audit::verify::{Verdict, Verifier};
use agentauth_core::audit::AuditSink as _;
use agentauth_core::{ManualClock, SystemRandom, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::log::support::{allowed, denied, wait};
use crate::support::ORIGIN;
use crate::support::fault::{Disk, Faults};
use crate::support::whole::{Entry, assert_whole, check};

/// What happens to a log.
#[derive(Debug, Clone)]
enum Step {
    /// So many records at once, of which every n-th is only buffered.
    Append(u8, u8),
    /// From here on, operations fail.
    Fail(Faults),
    /// There is so much room left.
    Room(u16),
    /// Nothing fails any more.
    Mend,
    /// After so many operations, the power fails.
    DieAt(u8),
    Crash,
    /// The process is killed, and the machine goes on.
    Kill,
    /// The log is closed in order.
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rate = || proptest::sample::select(vec![0_u32, 0, 0, 100, 400, 1000]);
    let faults = (rate(), rate(), rate(), rate(), rate(), rate()).prop_map(
        |(append, sync, cut, create, rename, directory_sync)| Faults {
            append,
            sync,
            cut,
            create,
            rename,
            directory_sync,
            read: 0,
        },
    );
    let step = prop_oneof![
        10 => (1..12_u8, 1..5_u8).prop_map(|(count, buffered)| Step::Append(count, buffered)),
        4 => faults.prop_map(Step::Fail),
        2 => (0..8000_u16).prop_map(Step::Room),
        4 => Just(Step::Mend),
        1 => (0..20_u8).prop_map(Step::DieAt),
        3 => Just(Step::Crash),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What was said of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It is on the disk.
    Durable,
    /// It is in the queue: a crash may lose it.
    Taken,
    /// It is refused.
    Refused,
}

/// One opening of the log.
#[derive(Debug, Default)]
struct Life {
    /// What was said, by evaluation id, and in which step.
    said: BTreeMap<u64, (Said, usize)>,
    /// The last step in which something was acknowledged as durable.
    acknowledged: usize,
    /// Whether it has ended in order.
    is_closed: bool,
}

static CASES: AtomicU64 = AtomicU64::new(0);
static CRASHES: AtomicU64 = AtomicU64::new(0);
static ACKNOWLEDGED: AtomicU64 = AtomicU64::new(0);
static GIVEN_UP: AtomicU64 = AtomicU64::new(0);
static NAMED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

struct World {
    disk: Disk,
    /// Where old records are given up: what signs the checkpoints above them.
    key: Option<String>,
    /// Whether nobody waits: so most records are late, and some are written all the same.
    is_hurried: bool,
    /// The records that were seen so far: their entries, and the leaf hashes of these.
    seen: BTreeMap<u64, (u64, Hash)>,
    log: Option<AuditLog>,
    clock: Arc<ManualClock>,
    lives: Vec<Life>,
    next: u64,
    step: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let key =
            seed.is_multiple_of(3).then(|| CheckpointKey::generate(ORIGIN, &SystemRandom).unwrap().to_text().unwrap());
        Self {
            disk: Disk::new(seed),
            key,
            is_hurried: seed % 5 == 1,
            seen: BTreeMap::new(),
            log: None,
            clock,
            lives: Vec::new(),
            next: 0,
            step: 0,
        }
    }

    fn open(&self) -> Result<AuditLog, String> {
        let log = AuditLog::builder_in(self.disk.mount()).clock(self.clock.clone());
        let log = log.segment_bytes(9000).checkpoint_every(7, Duration::from_secs(3600)).reserve(4096);
        let log = match &self.key {
            Some(key) => log.key(CheckpointKey::read(key).unwrap()).retain(Retention::forever().keep_segments(2)),
            None => log,
        };
        let log = if self.is_hurried { log.max_wait(Duration::ZERO) } else { log };
        log.retry(Duration::ZERO).open().map_err(|error| error.to_string())
    }

    /// Opens it, whatever the disk does; if it may fail, it need not succeed.
    fn reopen(&mut self, may_fail: bool) {
        match self.open() {
            Ok(log) => {
                self.log = Some(log);
                self.lives.push(Life::default());
            }
            Err(error) => assert!(may_fail, "the log does not open: {error}"),
        }
    }

    fn append(&mut self, count: u8, buffered: u8) {
        let Some(log) = &self.log else { return };
        let life = self.lives.last_mut().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..count {
            let id = self.next;
            self.next += 1;
            let is_buffered = id % 5 < u64::from(buffered) - 1;
            let record = if is_buffered { denied(&format!("{id:016x}")) } else { allowed(&format!("{id:016x}")) };
            waiting.push((id, is_buffered, log.append(record)));
        }
        for (id, is_buffered, append) in waiting {
            let said = match wait(append) {
                Ok(()) if is_buffered => Said::Taken,
                Ok(()) => Said::Durable,
                Err(_) => Said::Refused,
            };
            if said == Said::Durable {
                life.acknowledged = self.step;
                ACKNOWLEDGED.fetch_add(1, Ordering::Relaxed);
            }
            if said == Said::Refused {
                REFUSED.fetch_add(1, Ordering::Relaxed);
            }
            life.said.insert(id, (said, self.step));
        }
        // Before they are given up; a write that has failed just now may have left half a frame.
        if self.key.is_some()
            && let Ok(entries) = check(&self.disk.copy().mount())
        {
            self.note(&entries);
        }
    }

    /// Notes where the records are; those that were given up are where they were.
    fn note(&mut self, entries: &[Entry]) {
        let found = ids(entries);
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "once each, and in order: {found:?}");
        let given_up = |number: u64, leaf| {
            let entry = entries.get(usize::try_from(number).unwrap());
            entry.is_some_and(|entry| (entry.kind, entry.leaf) == (EntryKind::Retired, leaf))
        };
        self.seen.retain(|_, (number, leaf)| given_up(*number, *leaf));
        GIVEN_UP.fetch_max(self.seen.len() as u64, Ordering::Relaxed);
        let leaf = |number: u64| entries[usize::try_from(number).unwrap()].leaf;
        self.seen.extend(found.into_iter().map(|(id, number)| (id, (number, leaf(number)))));
    }

    fn run(&mut self, step: &Step) {
        self.step += 1;
        self.clock.advance(Duration::from_secs(1));
        match step {
            Step::Append(count, buffered) => self.append(*count, *buffered),
            Step::Fail(faults) => self.disk.set_faults(*faults),
            Step::Room(room) => self.disk.set_room(Some(usize::from(*room))),
            Step::Mend => {
                self.disk.set_faults(Faults::default());
                self.disk.set_room(None);
            }
            Step::DieAt(operation) => self.disk.die_at(u64::from(*operation)),
            Step::Crash => {
                CRASHES.fetch_add(1, Ordering::Relaxed);
                self.disk.crash();
                self.log = None;
                self.reopen(false);
                self.check();
            }
            Step::Kill => {
                self.disk.kill();
                self.log = None;
                self.reopen(true);
            }
            Step::Close => {
                if let Some(log) = self.log.take() {
                    self.lives.last_mut().unwrap().is_closed = log.close().is_ok();
                }
                self.reopen(true);
            }
        }
    }

    /// What stands in the log, against what was said.
    fn check(&mut self) {
        // Old segments may be rewritten meanwhile.
        let directory = self.disk.copy().mount();
        let entries = assert_whole(&directory);
        self.note(&entries);
        let report = Verifier::new().verify(&directory).unwrap();
        assert_eq!(report.verdict(), Verdict::Whole, "a false alarm: {:?}", report.faults);
        let refused: BTreeSet<u64> = of_kind(&entries, EntryKind::Refused)
            .flat_map(|payload| serde_json::from_value::<Refused>(payload).unwrap().entries)
            .collect();
        for life in &self.lives {
            for (id, (said, step)) in &life.said {
                match (said, self.seen.get(id)) {
                    (Said::Durable, None) => panic!("record {id} was acknowledged in step {step}, and is lost"),
                    // Nothing could be written after it: so nothing could be said of it either.
                    (Said::Refused, Some((entry, _))) => {
                        let in_doubt = life.acknowledged <= *step && !life.is_closed;
                        if refused.contains(entry) {
                            NAMED.fetch_add(1, Ordering::Relaxed);
                        }
                        assert!(
                            refused.contains(entry) || in_doubt,
                            "record {id} was refused in step {step}, and is there"
                        );
                    }
                    _ => (),
                }
            }
        }
    }
}

fn of_kind(entries: &[Entry], kind: EntryKind) -> impl Iterator<Item = Value> {
    entries.iter().filter(move |entry| entry.kind == kind).map(|entry| serde_json::from_slice(&entry.payload).unwrap())
}

/// The records, by what they are called, with the numbers of their entries.
fn ids(entries: &[Entry]) -> Vec<(u64, u64)> {
    let records = entries.iter().filter(|entry| entry.kind == EntryKind::Record);
    let id = |entry: &Entry| {
        let record: Value = serde_json::from_slice(&entry.payload).unwrap();
        u64::from_str_radix(record["evaluation_id"].as_str().unwrap(), 16).unwrap()
    };
    records.map(|entry| (id(entry), entry.number)).collect()
}

fn run(seed: u64, steps: &[Step]) {
    CASES.fetch_add(1, Ordering::Relaxed);
    let mut world = World::new(seed);
    world.reopen(false);
    for step in steps {
        world.run(step);
    }
    // At the end, the disk works again.
    world.run(&Step::Mend);
    world.run(&Step::Append(3, 1));
    world.run(&Step::Crash);
    world.run(&Step::Append(3, 1));
    assert!(
        world.is_hurried || world.lives.last().unwrap().said.values().all(|(said, _)| *said == Said::Durable),
        "a disk that works is written to"
    );
    world.run(&Step::Close);
    world.check();
    let entries = assert_whole(&world.disk.mount());
    assert!(of_kind(&entries, EntryKind::Gap).all(|gap| serde_json::from_value::<Gap>(gap).unwrap().dropped > 0));
}

/// What a failed write has lost is still shown by the system, and a process that comes after does not know of the failure.
#[test]
fn what_the_system_shows_and_the_disk_does_not_have_is_written_again() {
    for seed in 0..60 {
        let no_way = Faults { sync: 1000, cut: 1000, create: 1000, ..Faults::default() };
        let (some, kill) = (Step::Append(9, 1), Step::Kill);
        run(seed, &[some.clone(), Step::Fail(no_way), some.clone(), kill.clone(), Step::Mend, kill, some, Step::Crash]);
    }
}

/// So it is with the name of a segment.
#[test]
fn a_segment_that_only_the_system_knows_of_is_given_its_name_for_good() {
    for seed in 0..60 {
        let broken = Faults { sync: 1000, ..Faults::default() };
        let nameless = Faults { directory_sync: 1000, ..Faults::default() };
        let (some, kill) = (Step::Append(9, 1), Step::Kill);
        let steps = [
            some.clone(),
            Step::Fail(broken),
            some.clone(),
            Step::Fail(nameless),
            some.clone(),
            Step::Mend,
            kill,
            some,
        ];
        run(seed, &[&steps[..], &[Step::Crash]].concat());
    }
}

#[test]
fn what_is_acknowledged_survives_whatever_the_disk_does() {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let ran = runner.run(&(any::<u64>(), steps()), |(seed, steps)| {
        run(seed, &steps);
        Ok(())
    });
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "faults: {} cases, {} crashes, {} records acknowledged, {} refused, named {} times; up to {} of a log given up",
        read(&CASES),
        read(&CRASHES),
        read(&ACKNOWLEDGED),
        read(&REFUSED),
        read(&NAMED),
        read(&GIVEN_UP)
    );
    ran.unwrap();
}
