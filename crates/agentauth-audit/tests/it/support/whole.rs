//! Reads a whole log by the words of the format alone, and fails the test at the first thing that is not as it should be.

use std::collections::BTreeSet;

use agentauth_audit::checkpoint::Head;
use agentauth_audit::disk::Directory;
use agentauth_audit::format::{
    Body, Checkpoint, EntryKind, Erased, RetiredSegments, commitment, segment_name, segment_of,
};
use agentauth_audit::read::{SegmentEnd, SegmentReader};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};

/// An entry of a log that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) kind: EntryKind,
    pub(crate) micros: u64,
    pub(crate) leaf: Hash,
    pub(crate) body: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) side: Vec<u8>,
}

/// All entries of a log, which is whole: each frame, number, link, commitment, header and tree head is right, nothing is
/// erased that is not named as erased, and nothing retired that is not said to be.
pub(crate) fn assert_whole(directory: &dyn Directory) -> Vec<Entry> {
    check(directory).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The same, for whoever wants to say more.
pub(crate) fn check(directory: &dyn Directory) -> Result<Vec<Entry>, String> {
    let mut firsts: Vec<u64> =
        directory.list().map_err(|error| error.to_string())?.iter().filter_map(|name| segment_of(name)).collect();
    firsts.sort_unstable();
    let mut log = Log::default();
    for (at, &first) in firsts.iter().enumerate() {
        log.segment(directory, first, firsts.get(at + 1).copied())
            .map_err(|problem| format!("{}: {problem}", segment_name(first)))?;
    }
    log.look_back()?;
    Ok(log.entries)
}

#[derive(Default)]
struct Log {
    chain: Option<(String, String)>,
    tree: Frontier,
    previous: Hash,
    entries: Vec<Entry>,
}

impl Log {
    /// What stands behind the entry before `next` is what a failed write has left, and does not count.
    fn segment(&mut self, directory: &dyn Directory, first: u64, next: Option<u64>) -> Result<(), String> {
        let file = directory.open(&segment_name(first)).map_err(|error| error.to_string())?;
        let mut reader =
            SegmentReader::new(file).map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let header = reader.header();
        let name = (header.chain.clone(), header.origin.clone());
        let is_next = *self.chain.get_or_insert_with(|| name.clone()) == name
            && (header.first, header.previous) == (first, self.previous)
            && header.tree() == self.tree;
        if !is_next {
            return Err(format!("the header {header:?} does not go on after {} entries", self.tree.size()));
        }
        loop {
            if next == Some(self.tree.size()) {
                return Ok(());
            }
            let offset = reader.offset();
            match reader.next_entry() {
                Ok(entry) => {
                    let body = entry.read().map_err(|error| format!("at {offset}: {error}"))?;
                    self.entry(&body, entry.body, entry.side).map_err(|problem| format!("at {offset}: {problem}"))?;
                }
                Err(SegmentEnd::Whole) if next.is_none() => return Ok(()),
                Err(end) => return Err(format!("at {offset}: {end:?}")),
            }
        }
    }

    fn entry(&mut self, body: &Body<'_>, bytes: &[u8], side: &[u8]) -> Result<(), String> {
        if (body.number, body.previous) != (self.tree.size(), self.previous) {
            return Err(format!("entry {} comes after {}, or does not link", body.number, self.tree.size()));
        }
        if commitment(side) != body.commitment && !is_erased(side) {
            return Err(format!("entry {} has the side of another", body.number));
        }
        if body.kind == EntryKind::Checkpoint {
            let Checkpoint { note, .. } = parsed(body.payload)?;
            let head = Head::read(&note).map_err(|error| error.to_string())?;
            if (head.size, head.root) != (self.tree.size(), self.tree.root()) {
                return Err(format!("the checkpoint {note:?} is not of the {} entries before it", self.tree.size()));
            }
        }
        let leaf = match body.kind {
            EntryKind::Retired => Hash(body.payload.try_into().map_err(|_| "a stub without a hash".to_owned())?),
            _ => leaf_hash(bytes),
        };
        self.tree.push(leaf);
        self.previous = leaf;
        self.entries.push(Entry {
            number: body.number,
            kind: body.kind,
            micros: body.micros,
            leaf,
            body: bytes.to_vec(),
            payload: body.payload.to_vec(),
            side: side.to_vec(),
        });
        Ok(())
    }

    /// What only later entries can tell.
    fn look_back(&self) -> Result<(), String> {
        let (mut erased, mut retired) = (BTreeSet::new(), 0);
        for entry in &self.entries {
            match entry.kind {
                EntryKind::Erased => erased.extend(parsed::<Erased>(&entry.payload)?.entries),
                EntryKind::RetiredSegments => retired = retired.max(parsed::<RetiredSegments>(&entry.payload)?.before),
                _ => (),
            }
        }
        let records = |kind| self.entries.iter().filter(move |entry| entry.kind == kind).map(|entry| entry.number);
        let last_retired = records(EntryKind::Retired).next_back();
        if last_retired.is_some_and(|last| last >= retired) {
            return Err(format!("entry {last_retired:?} is retired, and only those before {retired} may be"));
        }
        if records(EntryKind::Record).next().is_some_and(|first| last_retired.is_some_and(|last| first < last)) {
            return Err("a record has its content that is older than one that is retired".into());
        }
        match self.entries.iter().find(|entry| is_erased(&entry.side) && !erased.contains(&entry.number)) {
            Some(entry) => Err(format!("entry {} is erased, and nothing says so", entry.number)),
            None => Ok(()),
        }
    }
}

pub(crate) fn is_erased(side: &[u8]) -> bool {
    !side.is_empty() && side.iter().all(|&byte| byte == 0)
}

fn parsed<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}
