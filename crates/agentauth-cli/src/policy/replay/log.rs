//! The lines of a record, one after the other, and never more of one than it can be long.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use agentauth_core::audit::MAX_RECORD_BYTES;

use crate::CliError;
use crate::input::quoted;

pub(super) struct Log {
    place: String,
    lines: BufReader<File>,
    line: Vec<u8>,
    number: usize,
}

impl Log {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let place = quoted(path);
        let file = File::open(path).map_err(|source| CliError::Unreadable { place: place.clone(), source })?;
        Ok(Self { place, lines: BufReader::new(file), line: Vec::new(), number: 0 })
    }

    /// The next line that is not empty, and its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(usize, &[u8])>, CliError> {
        loop {
            self.line.clear();
            // One more than a line, and its end.
            let mut part = self.lines.by_ref().take(MAX_RECORD_BYTES as u64 + 2);
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
    pub(super) fn refuse(&self, number: usize, why: &dyn Display) -> CliError {
        let problem = format!("line {number} of {}: {why}; give the file that the audit sink writes", self.place);
        CliError::Setting { option: "log", problem }
    }
}
