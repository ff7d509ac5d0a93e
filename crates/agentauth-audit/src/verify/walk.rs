//! One way through a log, from its first entry to its last.

use std::collections::BTreeMap;
use std::io;

use super::anchors::KnownHeads;
use super::erased::{Erasures, Place};
use super::fault::{Fault, FaultKind};
use super::report::{Report, Torn, Verdict};
use super::segments::Segments;
use super::vouched::Mark;
use super::{Progress, Verifier, tail};
use crate::disk::{Directory, LogFile, read_full};
use crate::format::{CHECKPOINT_FILE, EntryKind, FrameError, HeaderError, SegmentHeader, segment_name};
use crate::log::scan::{Guesses, MAX_WRITE_BYTES, is_torn};
use crate::read::{SegmentEnd, SegmentReader};
use crate::tree::{Frontier, Hash};

/// Progress is told after so many bytes.
const STEP: u64 = 4 * 1024 * 1024;

pub(super) struct Walk<'w, 'v> {
    pub(super) verifier: &'w mut Verifier<'v>,
    directory: &'w dyn Directory,
    pub(super) segments: Segments,
    /// The first entries of the segments that belong here by what they say themselves.
    fitting: Vec<Option<u64>>,
    pub(super) report: Report,
    pub(super) at: Position,
    pub(super) known: KnownHeads,
    pub(super) erasures: Erasures,
    /// The first entry of each segment whose content is gone, if there is one.
    pub(super) stubs: Vec<(u64, Place)>,
    /// The last entry whose content is gone, and before which entries it was given up by what later ones say.
    pub(super) last_stub: Option<u64>,
    pub(super) retired_before: u64,
    /// The same by what a key or an anchor vouches for; and where the first side is gone for whose erasure nobody does.
    pub(super) retired_proven: u64,
    pub(super) erased_unproven: Option<(u64, Place)>,
    /// The segment of the first record whose content is there, and its number.
    pub(super) first_record: Option<(usize, u64)>,
    /// Whether content is gone although that of earlier records is not.
    pub(super) is_late_told: bool,
    /// Entries that operators have acknowledged as lost: from which on, and how many.
    pub(super) losses: Vec<(u64, u64)>,
    /// Bytes at the end of the segment before, of which this one must speak.
    pub(super) leftover: Option<Leftover>,
    /// Where the segment before has ended, if it belongs here.
    ended: Option<Place>,
    /// Nothing was wrong so far.
    pub(super) is_sound: bool,
    pub(super) start: Mark,
    pub(super) sound: Mark,
    pub(super) anchored: Mark,
    pub(super) signed: Mark,
    done: u64,
    /// In all segments, what looks like frames behind damage.
    guesses: Guesses,
}

/// What is known of the entries so far. None of what damage has hidden.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The number that comes next.
    pub(super) next: Option<u64>,
    pub(super) previous: Option<Hash>,
    pub(super) tree: Option<Frontier>,
    /// The kind of the latest entry, and when it was written.
    pub(super) kind: Option<EntryKind>,
    pub(super) micros: u64,
}

#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) place: Place,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl<'w, 'v> Walk<'w, 'v> {
    pub(super) fn new(verifier: &'w mut Verifier<'v>, directory: &'w dyn Directory) -> Self {
        Self {
            verifier,
            directory,
            segments: Segments::default(),
            fitting: Vec::new(),
            report: Report::new(),
            at: Position {
                next: Some(0),
                previous: Some(Hash::default()),
                tree: Some(Frontier::default()),
                ..Position::default()
            },
            known: KnownHeads::default(),
            erasures: Erasures::default(),
            stubs: Vec::new(),
            last_stub: None,
            retired_before: 0,
            retired_proven: 0,
            erased_unproven: None,
            first_record: None,
            is_late_told: false,
            losses: Vec::new(),
            leftover: None,
            ended: None,
            is_sound: true,
            start: Mark::default(),
            sound: Mark::default(),
            anchored: Mark::default(),
            signed: Mark::default(),
            done: 0,
            guesses: Guesses::default(),
        }
    }

    pub(super) fn run(mut self) -> io::Result<Report> {
        self.segments = Segments::of(self.directory)?;
        self.report.segments = self.segments.firsts.len() as u64;
        if self.segments.firsts.is_empty() {
            self.log_fault(None, FaultKind::Absent);
        }
        self.survey()?;
        self.guesses = Guesses::of(self.report.bytes);
        self.ask_anchors()?;
        self.compare_known();
        for index in 0..self.segments.firsts.len() {
            self.segment(index)?;
        }
        self.finish();
        Ok(self.report)
    }

    /// Which log this is: the one that most of the segments belong to, so that one of another stands out.
    fn survey(&mut self) -> io::Result<()> {
        let mut headers = Vec::new();
        let mut logs: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (index, &first) in self.segments.firsts.iter().enumerate() {
            self.report.bytes += self.directory.open_to_read(&segment_name(first))?.length()?;
            let header = self.segments.header(self.directory, index)?.and_then(Result::ok);
            if let Some(header) = &header {
                let log = logs.entry(header.chain.clone()).or_insert_with(|| (0, header.origin.clone()));
                log.0 += 1;
            }
            headers.push(header.map(|header| (header.chain, header.first)));
        }
        let most = logs.values().map(|(count, _)| *count).max();
        let first = headers.iter().flatten().find(|(chain, _)| logs.get(chain).map(|log| log.0) == most);
        if let Some((chain, _)) = first {
            self.report.chain.clone_from(chain);
            self.report.origin = logs.remove(chain).map(|(_, origin)| origin).unwrap_or_default();
        }
        let firsts = headers.into_iter().zip(&self.segments.firsts).map(|(header, &named)| {
            header.filter(|(chain, first)| *chain == self.report.chain && *first == named).map(|(_, first)| first)
        });
        self.fitting = firsts.collect();
        Ok(())
    }

    /// Before anything is read: what is in the log when they are asked is in what is read afterwards.
    fn ask_anchors(&mut self) -> io::Result<()> {
        let mut faults = Vec::new();
        let Self { verifier, known, report, .. } = self;
        let expected = verifier.origin.as_ref().filter(|expected| **expected != report.origin);
        if let Some(expected) = expected {
            if report.origin.is_empty() {
                report.origin.clone_from(expected);
            } else {
                faults.push(FaultKind::Origin { origin: report.origin.clone() });
            }
        }
        let origin = expected.unwrap_or(&report.origin);
        let key = verifier.key.as_ref();
        report.anchors = known.ask(&verifier.anchors, origin, key, |fault| faults.push(fault));
        let beside = if self.segments.has_checkpoint { self.known.read_file(self.directory)? } else { Ok(()) };
        if let Err(error) = beside {
            self.report.add(Fault {
                segment: Some(CHECKPOINT_FILE.into()),
                offset: 0,
                entry: None,
                kind: FaultKind::Checkpoint(error),
            });
        }
        self.known.sort();
        faults.into_iter().for_each(|kind| self.log_fault(None, kind));
        Ok(())
    }

    fn segment(&mut self, index: usize) -> io::Result<()> {
        let Some(name) = self.segments.name(index) else { return Ok(()) };
        let file = self.directory.open_to_read(&name)?;
        let length = file.length()?;
        let mut reader = match SegmentReader::new(file)? {
            Ok(reader) => reader,
            Err(error) => return self.bad_header(index, error),
        };
        if self.begin(index, reader.header()) {
            // Where the next segment goes on, if that is known.
            let until = self.fitting.get(index + 1..).unwrap_or_default().iter().flatten().next().copied();
            let mut told = 0;
            loop {
                let offset = reader.offset();
                if offset.saturating_sub(told) >= STEP {
                    told = offset;
                    self.tell(self.done + offset);
                }
                if until.is_some() && self.at.next == until {
                    self.look_behind(index, offset, length)?;
                    break;
                }
                match reader.next_entry() {
                    Ok(entry) => self.entry(index, &entry),
                    Err(SegmentEnd::Whole) => break,
                    Err(SegmentEnd::Failed(error)) => return Err(error),
                    Err(SegmentEnd::Damaged(error)) => match self.damaged(index, offset, error)? {
                        Some(offset) => reader.seek(offset),
                        None => break,
                    },
                }
            }
            self.ended = Some(Place { segment: index, offset: reader.offset() });
            self.end_leftover(index);
        } else {
            self.ended = None;
        }
        self.done += length;
        self.tell(self.done);
        Ok(())
    }

    /// Whether the segment belongs here, so that its entries can be read.
    fn begin(&mut self, index: usize, header: &SegmentHeader) -> bool {
        let named = self.segments.firsts.get(index).copied();
        let kind = if header.chain != self.report.chain {
            FaultKind::SegmentChain { chain: header.chain.clone() }
        } else if Some(header.first) != named {
            FaultKind::SegmentName { says: header.first }
        } else {
            self.join(index, header);
            return true;
        };
        self.fault(Place { segment: index, offset: 0 }, None, kind);
        false
    }

    /// Goes on with a segment, and takes from its header what damage before it has hidden.
    fn join(&mut self, index: usize, header: &SegmentHeader) {
        let start = Place { segment: index, offset: 0 };
        let Position { next, previous, tree, .. } = &self.at;
        let first = header.first;
        let wrong = match *next {
            _ if header.origin != self.report.origin => {
                Some((start, FaultKind::SegmentOrigin { origin: header.origin.clone() }))
            }
            // After numbers that have jumped, which is told.
            Some(next) if first < next => Some((start, FaultKind::SegmentLink)),
            Some(next) if first > next => {
                Some((self.ended.unwrap_or(start), FaultKind::Missing { from: next, last: first.saturating_sub(1) }))
            }
            _ if previous.is_some_and(|previous| previous != header.previous) => Some((start, FaultKind::SegmentLink)),
            _ if tree.as_ref().is_some_and(|tree| tree.roots() != header.frontier) => {
                Some((start, FaultKind::SegmentTree))
            }
            _ => None,
        };
        if let Some((place, kind)) = wrong {
            let entry = if place == start { Some(first) } else { *next };
            self.fault(place, entry, kind);
            self.at.kind = None;
        }
        (self.at.next, self.at.previous, self.at.tree) = (Some(first), Some(header.previous), Some(header.tree()));
    }

    fn bad_header(&mut self, index: usize, error: HeaderError) -> io::Result<()> {
        self.ended = None;
        self.damaged_at(Place { segment: index, offset: 0 }, FaultKind::Header(error)).map(drop)
    }

    /// A frame is damaged. Says where to go on.
    fn damaged(&mut self, index: usize, offset: u64, error: FrameError) -> io::Result<Option<u64>> {
        let found = self.damaged_at(Place { segment: index, offset }, FaultKind::Frame(error))?;
        if let Some((_, number)) = found {
            self.at.next = Some(number);
        }
        Ok(found.map(|(offset, _)| offset))
    }

    /// Tells a torn end from damage, as the next writer will; of damage, where the next entry is and which.
    fn damaged_at(&mut self, place: Place, kind: FaultKind) -> io::Result<Option<(u64, u64)>> {
        let Some(name) = self.segments.name(place.segment) else { return Ok(None) };
        let file = self.directory.open_to_read(&name)?;
        let from = place.offset.saturating_add(1);
        let found = tail::entry_after(&*file, from, self.at.next.unwrap_or(0), &mut self.guesses)?;
        let bytes = file.length()?.saturating_sub(place.offset);
        if place.segment + 1 == self.segments.firsts.len() && self.is_torn(&*file, place.offset, bytes, &kind, found)? {
            self.report.torn = Some(Torn { segment: name, offset: place.offset, bytes });
            self.report.verdict = self.report.verdict.max(Verdict::TornTail);
            return Ok(None);
        }
        self.fault(place, self.at.next, kind);
        self.at = Position::default();
        Ok(found)
    }

    fn is_torn(
        &self,
        file: &dyn LogFile,
        offset: u64,
        bytes: u64,
        kind: &FaultKind,
        found: Option<(u64, u64)>,
    ) -> io::Result<bool> {
        match kind {
            _ if bytes > MAX_WRITE_BYTES => Ok(false),
            // A segment is written whole before it has its name.
            FaultKind::Header(error) => Ok(found.is_none() && !matches!(error, HeaderError::Malformed)),
            _ => {
                let mut rest = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
                let read = read_full(file, &mut rest, offset)?;
                rest.truncate(read);
                Ok(is_torn(&rest, self.at.next.unwrap_or(0), self.at.previous.unwrap_or_default()))
            }
        }
    }

    /// What stands behind the last entry of a segment of which the next one says that it is the last.
    fn look_behind(&mut self, index: usize, offset: u64, length: u64) -> io::Result<()> {
        let bytes = length.saturating_sub(offset);
        if let Some(name) = self.segments.name(index).filter(|_| bytes > 0) {
            let sha256 = tail::sha256(&*self.directory.open_to_read(&name)?, offset)?;
            self.leftover = Some(Leftover { place: Place { segment: index, offset }, bytes, sha256 });
        }
        Ok(())
    }

    /// Whether a writer has given up the content of the first record since it was read here: it does so while others read.
    pub(super) fn is_retired_since(&self) -> bool {
        let Some((name, number)) =
            self.first_record.and_then(|(index, number)| Some((self.segments.name(index)?, number)))
        else {
            return false;
        };
        let Ok(Ok(Ok(mut reader))) = self.directory.open_to_read(&name).map(SegmentReader::new) else { return false };
        while let Ok(entry) = reader.next_entry() {
            match entry.read() {
                Ok(body) if body.number < number => {}
                Ok(body) => return body.number == number && body.kind == EntryKind::Retired,
                Err(_) => return false,
            }
        }
        false
    }

    /// The segment is at its end, and those before it must be explained.
    fn end_leftover(&mut self, index: usize) {
        if let Some(left) = self.leftover.take_if(|left| left.place.segment < index) {
            self.fault(left.place, None, FaultKind::Leftover { bytes: left.bytes });
        }
    }

    pub(super) fn fault(&mut self, place: Place, entry: Option<u64>, kind: FaultKind) {
        self.is_sound = false;
        let segment = self.segments.name(place.segment);
        self.report.add(Fault { segment, offset: place.offset, entry, kind });
    }

    pub(super) fn log_fault(&mut self, entry: Option<u64>, kind: FaultKind) {
        self.report.add(Fault { segment: None, offset: 0, entry, kind });
    }

    fn tell(&mut self, bytes: u64) {
        if let Some(progress) = &mut self.verifier.progress {
            progress(Progress { bytes, of: self.report.bytes.max(bytes), entries: self.report.entries });
        }
    }
}
