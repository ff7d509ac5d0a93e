//! Logs in memory, as they are written or as somebody has changed them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use agentauth_audit::anchor::{AnchorError, AnchorSink, ConsistencyProofs};
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier, Head};
use agentauth_audit::disk::{Directory, LogFile};
use agentauth_audit::format::{
    Body, EntryKind, Frame, SALT_BYTES, SegmentHeader, append_frame, commitment, segment_name,
};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use agentauth_audit::verify::{Report, Verifier};
use serde_json::{Value, json};

use super::keys::{ORIGIN, key};

/// 2027-01-15T08:00:00Z, in microseconds.
pub(crate) const START: u64 = 1_800_000_000_000_000;

pub(crate) const CHAIN: &str = "00112233445566778899aabbccddeeff";

/// The files of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files {
    pub(crate) fn name(&self, index: usize) -> String {
        self.0.keys().filter(|name| name.ends_with(".log")).nth(index).unwrap().clone()
    }

    pub(crate) fn get(&mut self, index: usize) -> &mut Vec<u8> {
        let name = self.name(index);
        self.0.get_mut(&name).unwrap()
    }

    pub(crate) fn verify(&self) -> Report {
        Verifier::new().verify(self).unwrap()
    }

    /// Writes them to the disk.
    pub(crate) fn write(&self, directory: &std::path::Path) {
        std::fs::create_dir_all(directory).unwrap();
        self.0.iter().for_each(|(name, content)| std::fs::write(directory.join(name), content).unwrap());
    }
}

impl Directory for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(File(self.0.get(name).ok_or(io::ErrorKind::NotFound)?.clone())))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

#[derive(Debug)]
struct File(Vec<u8>);

impl LogFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes entries, a second after each other.
pub(crate) struct Build {
    pub(crate) chain: String,
    pub(crate) origin: String,
    pub(crate) files: Files,
    pub(crate) tree: Frontier,
    pub(crate) previous: Hash,
    pub(crate) key: Option<CheckpointKey>,
    /// The checkpoints so far.
    pub(crate) notes: Vec<String>,
    current: String,
}

impl Build {
    /// A log that is signed by a key of its own, opened.
    pub(crate) fn signed() -> Self {
        Self::new(CHAIN, ORIGIN, Some(key(ORIGIN)))
    }

    pub(crate) fn new(chain: &str, origin: &str, key: Option<CheckpointKey>) -> Self {
        let mut build = Self {
            chain: chain.into(),
            origin: origin.into(),
            files: Files::default(),
            tree: Frontier::default(),
            previous: Hash::default(),
            key,
            notes: Vec::new(),
            current: String::new(),
        };
        build.rotate();
        build.add(EntryKind::Opened, &json!({"sdk": "0", "process": 7}));
        build
    }

    pub(crate) fn verifier(&self) -> CheckpointVerifier {
        CheckpointVerifier::new([self.key.as_ref().unwrap().verifier_key()]).unwrap()
    }

    pub(crate) fn rotate(&mut self) {
        self.current = segment_name(self.tree.size());
        let header = SegmentHeader::new(&self.chain, &self.origin, self.previous, &self.tree);
        self.files.0.insert(self.current.clone(), header.to_bytes());
    }

    pub(crate) fn record(&mut self, id: &str) -> u64 {
        let side = [&[7; SALT_BYTES][..], br#"{"principal":{"subject":"alice"}}"#].concat();
        self.raw(EntryKind::Record, json!({"version": 2, "evaluation_id": id}).to_string().as_bytes(), &side)
    }

    pub(crate) fn add(&mut self, kind: EntryKind, payload: &Value) -> u64 {
        self.raw(kind, payload.to_string().as_bytes(), &[])
    }

    pub(crate) fn checkpoint(&mut self) -> u64 {
        let note = self.note(&Head::new(&self.origin, &self.tree));
        self.notes.push(note.clone());
        self.add(EntryKind::Checkpoint, &json!({"note": note}))
    }

    pub(crate) fn note(&self, head: &Head) -> String {
        self.key.as_ref().map_or_else(|| head.text(), |key| key.sign(head).unwrap())
    }

    pub(crate) fn body<'b>(&self, kind: EntryKind, payload: &'b [u8], side: &[u8]) -> Body<'b> {
        let number = self.tree.size();
        let (previous, commitment) = (self.previous, commitment(side));
        Body { kind, number, micros: START + 1_000_000 * number, previous, commitment, payload }
    }

    pub(crate) fn raw(&mut self, kind: EntryKind, payload: &[u8], side: &[u8]) -> u64 {
        let body = self.body(kind, payload, side);
        let mut bytes = Vec::new();
        body.write(&mut bytes);
        let number = body.number;
        self.frame(&bytes, side, leaf_hash(&bytes));
        number
    }

    /// Any frame, which counts as `leaf`.
    pub(crate) fn frame(&mut self, body: &[u8], side: &[u8], leaf: Hash) {
        append_frame(self.files.0.get_mut(&self.current).unwrap(), body, side);
        self.previous = leaf;
        self.tree.push(leaf);
    }

    pub(crate) fn close(&mut self) {
        self.checkpoint();
        self.add(EntryKind::Closed, &json!({"records": 0}));
    }
}

/// Three segments: entries 0 to 4, 5 to 8, and 9 to 13, with a checkpoint in each.
pub(crate) fn log() -> Build {
    let mut build = Build::signed();
    for id in ["a", "b", "c"] {
        build.record(id);
    }
    build.checkpoint();
    build.rotate();
    for id in ["d", "e", "f"] {
        build.record(id);
    }
    build.checkpoint();
    build.rotate();
    for id in ["g", "h", "i"] {
        build.record(id);
    }
    build.close();
    build
}

/// Where the frames of a segment are: where each begins, and where the last one ends.
pub(crate) fn frames(segment: &[u8]) -> Vec<usize> {
    let (_, mut at) = SegmentHeader::read(segment).unwrap();
    let mut starts = vec![at];
    while at < segment.len() {
        at += Frame::read(&segment[at..]).unwrap().1;
        starts.push(at);
    }
    starts
}

/// An anchor that remembers these notes, or does not work.
#[derive(Debug, Clone)]
pub(crate) struct Notes(pub(crate) Result<Vec<String>, AnchorError>);

impl AnchorSink for Notes {
    fn name(&self) -> &str {
        "the notes"
    }

    fn anchor(&self, _: &str, _: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        Err(AnchorError::Refused("it is full".into()))
    }

    fn anchored(&self, _: &str) -> Result<Vec<String>, AnchorError> {
        self.0.clone()
    }
}
