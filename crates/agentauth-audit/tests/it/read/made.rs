//! Logs made by hand, in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use agentauth_audit::disk::{Directory, LogFile};
use agentauth_audit::format::{Body, EntryKind, SALT_BYTES, SegmentHeader, append_frame, commitment, segment_name};
use agentauth_audit::read::Log;
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use serde_json::{Value, json};

/// 2027-01-15T08:00:00Z.
pub(crate) const START: u64 = 1_800_000_000_000_000;

/// A directory in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    pub(crate) fn change<R>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        change(self.files.lock().unwrap().entry(name.into()).or_default())
    }

    pub(crate) fn take(&self, name: &str) {
        self.files.lock().unwrap().remove(name).unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn log(&self) -> Log {
        Log::of("court", self.clone()).unwrap()
    }
}

impl Directory for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        if !self.files.lock().unwrap().contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Box::new(File { memory: self.clone(), name: name.into() }))
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
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[derive(Debug)]
struct File {
    memory: Memory,
    name: String,
}

impl LogFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.memory.change(&self.name, |bytes| bytes.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.memory.change(&self.name, |bytes| {
            let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        })
    }

    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

/// A writer by hand.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) directory: Memory,
    tree: Frontier,
    previous: Hash,
    segment: String,
}

impl Made {
    pub(crate) fn new() -> Self {
        let mut made = Self::default();
        made.rotate();
        made
    }

    pub(crate) fn next(&self) -> u64 {
        self.tree.size()
    }

    /// Begins a segment, and gives its name.
    pub(crate) fn rotate(&mut self) -> String {
        let header = SegmentHeader::new(&"c".repeat(32), "court.example/log", self.previous, &self.tree);
        self.segment = segment_name(self.next());
        self.directory.change(&self.segment, |bytes| *bytes = header.to_bytes());
        self.segment.clone()
    }

    pub(crate) fn entry(&mut self, kind: EntryKind, micros: u64, payload: &[u8], side: &[u8]) -> u64 {
        let (number, previous) = (self.next(), self.previous);
        let mut body = Vec::new();
        Body { kind, number, micros, previous, commitment: commitment(side), payload }.write(&mut body);
        self.previous = leaf_hash(&body);
        self.tree.push(self.previous);
        self.directory.change(&self.segment, |bytes| append_frame(bytes, &body, side));
        number
    }

    /// A record whose `personal` stands aside, written down at `micros` after the start.
    pub(crate) fn record(&mut self, micros: u64, record: &Value) -> u64 {
        let mut record = record.clone();
        let personal = record.as_object_mut().and_then(|record| record.remove("personal"));
        let side = personal.map(|personal| [vec![7; SALT_BYTES], personal.to_string().into()].concat());
        let line = record.to_string();
        self.entry(EntryKind::Record, START + micros, line.as_bytes(), &side.unwrap_or_default())
    }

    pub(crate) fn own(&mut self, kind: EntryKind, micros: u64, payload: &Value) -> u64 {
        self.entry(kind, START + micros, payload.to_string().as_bytes(), &[])
    }
}

/// A decision, the `number`th.
pub(crate) fn decision(number: u64, agent: &str, subject: &str, action: &str, code: &str) -> Value {
    let is_allowed = code == "permitted";
    json!({
        "version": 2, "kind": "decision", "evaluation_id": format!("{number:032x}"), "time": "2027-01-15T08:00:00Z",
        "server": "https://tools.example", "effect": if is_allowed { "allow" } else { "deny" }, "code": code,
        "reasons": [{
            "kind": if is_allowed { "permitted" } else { "not_permitted" }, "policy": "lawyers-file", "text": "so it is",
        }],
        "authentication_id": format!("a{number:031x}"),
        "delegation": {
            "agent": {"spiffe": agent}, "principal_hash": format!("hash-of-{subject}"), "mode": "on_behalf_of",
            "chain": [{"agent": {"spiffe": agent}, "key": "thumb"}, {"agent": {"spiffe": "spiffe://court.example/agent/clerk"}}],
            "depth": 2, "scopes": "motions:file", "audience": "https://tools.example", "issuer": "https://sts.example",
            "binding": "bearer", "token": "8c79bef21c6a4bb855a6f8e86056ec53", "expires": "2027-01-15T08:05:00Z",
        },
        "action": {"name": action, "resource": {"kind": "case", "id": "17"}, "arguments": "digest"},
        "policy_version": "1",
        "personal": {"principal": {"issuer": "https://sts.example", "kind": "subject", "subject": subject}},
    })
}

pub(crate) const LAWYER: &str = "spiffe://court.example/agent/lawyer";
