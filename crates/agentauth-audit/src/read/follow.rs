use super::forward::Forward;
use super::{LogRecord, ReadError};

/// So many are given at once: what comes in a burst is given in several pieces.
const MAX_BATCH: usize = 1000;

/// What comes in a log from a moment on.
#[derive(Debug)]
pub struct Follow {
    logs: Vec<Forward>,
    error: Option<ReadError>,
}

impl Follow {
    pub(super) const fn of(logs: Vec<Forward>) -> Self {
        Self { logs, error: None }
    }

    /// Whether `record` was there before what is still to come: who reads backwards from here is told nothing twice.
    #[must_use]
    pub fn is_past(&self, record: &LogRecord) -> bool {
        let log = self.logs.iter().find(|log| log.name() == record.log());
        log.and_then(Forward::next).is_some_and(|next| record.number() < next)
    }

    /// What has come since it was last asked, each log by itself, and no more than a bounded number of entries at once. Does
    /// not wait.
    ///
    /// # Errors
    /// [`ReadError`], once; asked again, it goes on.
    pub fn poll(&mut self) -> Result<Vec<LogRecord>, ReadError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut come = Vec::new();
        for log in &mut self.logs {
            while come.len() < MAX_BATCH
                && let Some(next) = log.next_match()
            {
                match next {
                    Ok(record) => come.push(record),
                    Err(error) => {
                        self.error = Some(error);
                        break;
                    }
                }
            }
        }
        match self.error.take_if(|_| come.is_empty()) {
            Some(error) => Err(error),
            None => Ok(come),
        }
    }
}
