//! A small log, written by the words of the format alone.

use agentauth_audit::checkpoint::Head;
use agentauth_audit::disk::{Directory, LogFile};
use agentauth_audit::format::{Body, EntryKind, SALT_BYTES, SegmentHeader, append_frame, commitment, segment_name};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://sts.example";
pub(crate) const ORIGIN: &str = "court.example/log";

/// 2027-01-15T08:00:00Z, in microseconds.
pub(crate) const START: u64 = 1_800_000_000_000_000;

/// Between two entries.
pub(crate) const STEP: u64 = 60_000_000;

/// Writes entries, a minute after each other.
pub(crate) struct Fixture<'d> {
    directory: &'d dyn Directory,
    file: Box<dyn LogFile>,
    tree: Frontier,
    previous: Hash,
}

impl<'d> Fixture<'d> {
    pub(crate) fn new(directory: &'d dyn Directory) -> Self {
        let (tree, previous) = (Frontier::default(), Hash::default());
        let file = segment(directory, &tree, previous);
        let mut fixture = Self { directory, file, tree, previous };
        fixture.add(EntryKind::Opened, &json!({"sdk": "0", "process": 7}), &[]);
        fixture
    }

    pub(crate) fn rotate(&mut self) {
        self.file = segment(self.directory, &self.tree, self.previous);
    }

    /// A record of what `subject` has asked for.
    pub(crate) fn record(&mut self, subject: &str) -> u64 {
        let number = self.tree.size();
        let mut side = vec![number.to_le_bytes()[0] | 1; SALT_BYTES];
        let principal = json!({"issuer": ISSUER, "kind": "subject", "subject": subject});
        side.extend(json!({"principal": principal, "shown": {"fee": number}}).to_string().into_bytes());
        self.add(EntryKind::Record, &json!({"evaluation_id": format!("{number:032x}")}), &side);
        number
    }

    /// A record whose personal part is this JSON.
    pub(crate) fn personal(&mut self, json: &[u8]) {
        let side = [&[9; SALT_BYTES][..], json].concat();
        self.add(EntryKind::Record, &json!({"server": ISSUER}), &side);
    }

    pub(crate) fn checkpoint(&mut self) -> u64 {
        let head = Head::new(ORIGIN, &self.tree);
        self.add(EntryKind::Checkpoint, &json!({"note": head.text()}), &[]);
        head.size
    }

    pub(crate) fn close(mut self) {
        self.checkpoint();
        self.add(EntryKind::Closed, &json!({"records": self.tree.size()}), &[]);
    }

    fn add(&mut self, kind: EntryKind, payload: &Value, side: &[u8]) {
        let number = self.tree.size();
        let payload = payload.to_string();
        let body = Body {
            kind,
            number,
            micros: START + STEP * number,
            previous: self.previous,
            commitment: commitment(side),
            payload: payload.as_bytes(),
        };
        let (mut bytes, mut frame) = (Vec::new(), Vec::new());
        body.write(&mut bytes);
        append_frame(&mut frame, &bytes, side);
        self.file.append(&frame).unwrap();
        self.file.sync().unwrap();
        self.previous = leaf_hash(&bytes);
        self.tree.push(self.previous);
    }
}

fn segment(directory: &dyn Directory, tree: &Frontier, previous: Hash) -> Box<dyn LogFile> {
    let mut file = directory.create(&segment_name(tree.size())).unwrap();
    file.append(&SegmentHeader::new("00112233445566778899aabbccddeeff", ORIGIN, previous, tree).to_bytes()).unwrap();
    file.sync().unwrap();
    directory.sync().unwrap();
    file
}

/// `segments` segments with five records each, of alice and of bob in turn, and a checkpoint.
pub(crate) fn log(directory: &dyn Directory, segments: u64) {
    let mut fixture = Fixture::new(directory);
    for segment in 0..segments {
        if segment > 0 {
            fixture.rotate();
        }
        for subject in ["alice", "bob", "alice", "bob", "alice"] {
            fixture.record(subject);
        }
        fixture.checkpoint();
    }
    fixture.close();
}
