//! A file of records, one JSON object a line, each on the disk before its action starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use super::{Acknowledgement, Append, AuditError, AuditSink, Record};
use crate::disk::sync_directory;

/// Records that may wait for the disk. When it falls further behind, requests are refused, not delayed without end.
const QUEUE: usize = 4096;

/// Records that share one `fdatasync`.
const GROUP: usize = 512;

/// Appends records to a file, one JSON object a line, and answers when the line is on the disk.
///
/// One thread writes; records that arrive while it waits for the disk share its next `fdatasync`. The file is
/// created for its owner alone, and only ever appended to. If a write fails, what was written of it is cut off
/// again, and the writer stops: every further record, and with it every further action, is refused until the file
/// is opened anew.
#[derive(Debug)]
pub struct JsonLinesFile {
    /// Present until this is dropped.
    queue: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
}

struct Entry {
    record: Arc<Record>,
    done: Acknowledgement,
}

impl JsonLinesFile {
    /// Opens or creates the file at `path`.
    ///
    /// The file is locked while it is open here: two writers would cut off each other's lines.
    ///
    /// A last line without its end, left by a crash, is completed with a line feed, so that it stays visible and
    /// spoils no record after it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has the file open for records; otherwise whatever opening
    /// the file or starting the writer's thread reports.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path.as_ref())?;
        file.try_lock()?;
        end_last_line(&mut file)?;
        file.sync_all()?;
        sync_directory(path.as_ref())?;

        let (queue, entries) = sync_channel(QUEUE);
        let writer = thread::Builder::new().name("agentauth-audit".into()).spawn(move || {
            write_all(&file, &entries);
            // Closing it would do, but for a process that is being started meanwhile, which has it open until then.
            let _ = file.unlock();
        })?;
        Ok(Self { queue: Some(queue), writer: Some(writer) })
    }
}

impl Drop for JsonLinesFile {
    /// Waits until what was taken is written, and the file is free again.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that has panicked has freed the file too.
            let _ = writer.join();
        }
    }
}

impl AuditSink for JsonLinesFile {
    fn append(&self, record: Arc<Record>) -> Append {
        let (done, written) = Append::pending();
        match self.queue.as_ref().map(|queue| queue.try_send(Entry { record, done })) {
            Some(Ok(())) => written,
            Some(Err(TrySendError::Full(_))) => Append::done(Err(AuditError::Full)),
            Some(Err(TrySendError::Disconnected(_))) | None => Append::done(Err(AuditError::Closed)),
        }
    }
}

fn end_last_line(file: &mut File) -> io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes groups of entries until every sender is gone, or a write has failed.
fn write_all(file: &File, entries: &Receiver<Entry>) {
    while let Ok(first) = entries.recv() {
        let group: Vec<Entry> = std::iter::once(first).chain(entries.try_iter().take(GROUP - 1)).collect();
        let result = write_group(file, &group).map_err(|error| AuditError::Write(error.to_string().into()));
        let failed = result.is_err();
        for entry in group {
            // The one who waited may have gone away; its record stays.
            let _ = entry.done.give(result.clone());
        }
        if failed {
            return;
        }
    }
}

fn write_group(mut file: &File, group: &[Entry]) -> io::Result<()> {
    let mut lines = Vec::new();
    for entry in group {
        serde_json::to_writer(&mut lines, &*entry.record)?;
        lines.push(b'\n');
    }
    let before = file.metadata()?.len();
    file.write_all(&lines).and_then(|()| file.sync_data()).inspect_err(|_| {
        // The actions will be refused, so the lines must not say that they were allowed.
        let _ = file.set_len(before);
    })
}
