//! An end that was cut off, an old copy that was put back, a log that was replaced: refused, if anybody knows better.

use std::sync::{Arc, Mutex};

use agentauth_audit::anchor::{AnchorError, AnchorSink, ConsistencyProofs};
use agentauth_audit::{AuditLog, AuditLogBuilder, OpenError};
use agentauth_core::audit::AuditSink as _;

use super::support::{Disk, allowed, entries, names, segments, wait};

const ORIGIN: &str = "log.example/tools";

/// Remembers all notes, while it can be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness(pub(super) Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) notes: Vec<String>,
    pub(super) is_away: bool,
}

impl AnchorSink for Witness {
    fn name(&self) -> &str {
        "witness.example"
    }

    fn anchor(&self, note: &str, _: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        let mut notes = self.0.lock().unwrap();
        if notes.is_away {
            return Err(AnchorError::Unavailable("away".into()));
        }
        notes.notes.push(note.into());
        Ok(())
    }

    fn anchored(&self, _: &str) -> Result<Vec<String>, AnchorError> {
        let notes = self.0.lock().unwrap();
        if notes.is_away { Err(AnchorError::Unavailable("away".into())) } else { Ok(notes.notes.clone()) }
    }
}

fn log(disk: &Disk, witness: &Witness) -> AuditLogBuilder {
    AuditLog::builder_in(disk.clone()).origin(ORIGIN).reserve(0).anchor(witness.clone())
}

fn write(disk: &Disk, witness: &Witness, ids: &[&str]) {
    let log = log(disk, witness).open().unwrap();
    for id in ids {
        wait(log.append(allowed(id))).unwrap();
    }
    log.close().unwrap();
}

#[test]
fn an_old_copy_is_refused_and_its_loss_can_be_acknowledged() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0"]);
    let old = disk.crashed(0);
    write(&disk, &witness, &["1", "2"]);
    let error = log(&old, &witness).open().unwrap_err();
    assert_eq!(error.code(), "log_rolled_back");
    assert!(matches!(error, OpenError::RolledBack { known: 7, entries: 4, .. }), "{error:?}");
    assert!(error.to_string().contains("witness.example"));
    assert_eq!(names(&old).len(), 4);

    let opened = log(&old, &witness).acknowledge_loss().open().unwrap();
    opened.close().unwrap();
    let entries = entries(&old);
    assert_eq!((entries[4].name().as_str(), &entries[4].json["acknowledged_loss"]), ("Opened", &3.into()));
    // Where nothing is lost, nothing is acknowledged.
    let (disk, witness) = (Disk::default(), Witness::default());
    log(&disk, &witness).acknowledge_loss().open().unwrap().close().unwrap();
    assert!(self::entries(&disk)[0].json.get("acknowledged_loss").is_none());
}

#[test]
fn a_log_that_is_gone_or_another_is_refused() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0", "1"]);
    assert_eq!(log(&Disk::default(), &witness).open().unwrap_err().code(), "log_rolled_back");

    let other = Disk::default();
    write(&other, &Witness::default(), &["a", "b", "c", "d"]);
    other.remove_file("checkpoint");
    assert_eq!(log(&other, &witness).open().unwrap_err().code(), "log_rolled_back");
}

#[test]
fn the_file_of_the_last_checkpoint_is_asked_as_well() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0"]);
    let old = disk.crashed(0);
    write(&disk, &witness, &["1"]);
    old.put("checkpoint", disk.bytes("checkpoint"));
    let error = AuditLog::builder_in(old.clone()).open().unwrap_err();
    assert_eq!(error.code(), "log_rolled_back");
    // Once it is acknowledged, it is done with, even if there is a crash before the next checkpoint.
    let log = AuditLog::builder_in(old.clone()).acknowledge_loss().open().unwrap();
    AuditLog::builder_in(old.crashed(0)).open().unwrap();
    log.close().unwrap();
    old.put("checkpoint", b"nonsense".to_vec());
    AuditLog::builder_in(old).open().unwrap();
}

#[test]
fn what_an_anchor_knows_is_found_in_older_segments() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0"]);
    // From here on, nothing is anchored, and each record has a segment.
    witness.0.lock().unwrap().is_away = true;
    let opened = log(&disk, &witness).segment_bytes(1).open().unwrap();
    assert_eq!(opened.health().last_error, Some("anchor_failed"));
    for id in ["1", "2", "3"] {
        wait(opened.append(allowed(id))).unwrap();
    }
    opened.close().unwrap();
    assert!(segments(&disk).len() > 3);
    witness.0.lock().unwrap().is_away = false;
    disk.remove_file("checkpoint");
    log(&disk, &witness).open().unwrap().close().unwrap();
    // Not without them.
    let without = disk.crashed(0);
    without.remove_file("checkpoint");
    without.remove_file(&agentauth_audit::format::segment_name(0));
    witness.0.lock().unwrap().notes.truncate(1);
    assert_eq!(log(&without, &witness).open().unwrap_err().code(), "log_rolled_back");
}

#[test]
fn an_anchor_that_is_away_keeps_no_log_closed() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0"]);
    witness.0.lock().unwrap().is_away = true;
    let opened = log(&disk, &witness).open().unwrap();
    assert_eq!(opened.health().last_error, Some("anchor_failed"));
    assert_eq!(wait(opened.append(allowed("1"))), Ok(()));
}

#[test]
fn notes_of_other_logs_say_nothing_of_this() {
    let (disk, witness) = (Disk::default(), Witness::default());
    witness
        .0
        .lock()
        .unwrap()
        .notes
        .push("log.example/other\n99\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".into());
    log(&disk, &witness).open().unwrap();
}

#[test]
fn an_anchor_whose_notes_are_none_is_as_one_that_cannot_be_asked() {
    let (disk, witness) = (Disk::default(), Witness::default());
    write(&disk, &witness, &["0"]);
    let opened = log(&disk, &witness).open().unwrap();
    assert_eq!(opened.health().last_error, None);
    opened.close().unwrap();
    witness.0.lock().unwrap().notes = vec!["no checkpoint".into()];
    let opened = log(&disk, &witness).open().unwrap();
    assert_eq!(opened.health().last_error, Some("anchor_failed"));
}
