//! The lines of a record, one after the other, and never more of one than it can be long.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log as AuditLog, Matches};
use agentauth_core::audit::MAX_RECORD_BYTES;

use crate::CliError;
use crate::input::quoted;

pub(super) struct Log {
    place: String,
    lines: Lines,
    line: Vec<u8>,
    number: u64,
}

/// Where the lines come from.
enum Lines {
    File(BufReader<File>),
    /// An audit log; numbers are those of its entries. A damaged one is none to judge by.
    Directory(Matches),
}

impl Log {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let place = quoted(path);
        let lines = if path.is_dir() {
            Lines::Directory(AuditLog::open(path)?.oldest_first(&Filter::new().kind(EntryKind::Record.name())))
        } else {
            let file = File::open(path).map_err(|source| CliError::Unreadable { place: place.clone(), source })?;
            Lines::File(BufReader::new(file))
        };
        Ok(Self { place, lines, line: Vec::new(), number: 0 })
    }

    /// The next line that is not empty, and its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, CliError> {
        let lines = match &mut self.lines {
            Lines::File(lines) => lines,
            Lines::Directory(found) => {
                let Some(record) = found.next().transpose()? else { return Ok(None) };
                (self.number, self.line) = (record.number(), record.line());
                return Ok(Some((self.number, &self.line)));
            }
        };
        loop {
            self.line.clear();
            // One more than a line, and its end.
            let mut part = lines.by_ref().take(MAX_RECORD_BYTES as u64 + 2);
            let read = part.read_until(b'\n', &mut self.line);
            let read = read.map_err(|source| CliError::Unreadable { place: self.place.clone(), source })?;
            self.number = self.number.saturating_add(1);
            if read == 0 {
                return Ok(None);
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            }
            if self.line.len() > MAX_RECORD_BYTES {
                return Err(self.refuse(self.number, &format!("it is longer than {MAX_RECORD_BYTES} bytes")));
            }
            if !self.line.is_empty() {
                break;
            }
        }
        Ok(Some((self.number, &self.line)))
    }

    /// Says that line `number` is none of a record.
    pub(super) fn refuse(&self, number: u64, why: &dyn Display) -> CliError {
        let line = match self.lines {
            Lines::File(_) => "line",
            Lines::Directory(_) => "entry",
        };
        let problem =
            format!("{line} {number} of {}: {why}; give the log, or the file that the audit sink writes", self.place);
        CliError::Setting { option: "log", problem }
    }
}
