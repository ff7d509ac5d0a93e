//! What the writer writes is whole, after a crash too; and what can be opened is never told to be damaged.

use std::fs;

use agentauth_audit::AuditLog;
use agentauth_audit::anchor::FileAnchor;
use agentauth_audit::checkpoint::CheckpointVerifier;
use agentauth_audit::disk::RealDirectory;
use agentauth_audit::verify::{Report, Verdict, Verifier, Which, prove};
use agentauth_core::audit::AuditSink as _;

use crate::log::support::{allowed, denied, wait};
use crate::support::{Folder, ORIGIN, key};

struct Written {
    folder: Folder,
    key: String,
    secret: String,
}

impl Written {
    fn new() -> Self {
        let key = key(ORIGIN);
        Self { folder: Folder::new(), key: key.verifier_key().into(), secret: key.to_text().unwrap() }
    }

    fn open(&self) -> Result<AuditLog, agentauth_audit::OpenError> {
        let key = agentauth_audit::checkpoint::CheckpointKey::read(&self.secret).unwrap();
        let anchor = FileAnchor::open(self.folder.path("anchor")).unwrap();
        let builder = AuditLog::builder(self.folder.path("audit")).key(key).anchor(anchor);
        builder.segment_bytes(4096).reserve(4096).open()
    }

    fn write(&self, ids: std::ops::Range<u32>) {
        let log = self.open().unwrap();
        for id in ids {
            let record = if id % 3 == 0 { denied } else { allowed }(&id.to_string());
            wait(log.append(record)).unwrap();
        }
        log.close().unwrap();
    }

    fn directory(&self) -> RealDirectory {
        RealDirectory::existing(self.folder.path("audit")).unwrap()
    }

    fn verify(&self) -> Report {
        let key = CheckpointVerifier::new([&self.key]).unwrap();
        let anchor = FileAnchor::existing(self.folder.path("anchor")).unwrap();
        Verifier::new().key(key).origin(ORIGIN).anchor(anchor).verify(&self.directory()).unwrap()
    }

    /// The last segment.
    fn last(&self) -> std::path::PathBuf {
        let files = fs::read_dir(self.folder.path("audit")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
    }
}

#[test]
fn what_the_writer_has_written_is_whole_and_can_be_proven() {
    let written = Written::new();
    written.write(0..40);
    written.write(40..60);
    let report = written.verify();
    assert_eq!((report.verdict(), report.faults.as_slice()), (Verdict::Whole, &[][..]));
    assert_eq!((report.records, report.is_closed, report.foreign.as_slice()), (60, true, &[][..]));
    assert!(report.segments > 3 && report.ranges.anchored.records == 60, "{report:?}");
    let proof = prove(&written.directory(), Which::Evaluation("41"), false).unwrap().proof;
    let record = proof.check(&CheckpointVerifier::new([&written.key]).unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(record.line()).unwrap();
    assert_eq!(json["evaluation_id"], "41");
}

#[test]
fn what_is_torn_is_set_aside_by_the_next_writer_and_whole_again() {
    let written = Written::new();
    written.write(0..5);
    // Half of a write that nobody was told of.
    let mut segment = fs::read(written.last()).unwrap();
    segment.extend([200, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    fs::write(written.last(), segment).unwrap();
    let report = written.verify();
    assert_eq!((report.verdict(), report.torn.as_ref().map(|torn| torn.bytes)), (Verdict::TornTail, Some(11)));
    written.write(5..9);
    let report = written.verify();
    assert_eq!((report.verdict(), report.records, report.recovered_bytes), (Verdict::Whole, 9, 11));
}

#[test]
fn the_verifier_and_the_next_writer_agree_on_what_is_torn() {
    let written = Written::new();
    written.write(0..4);
    let path = written.last();
    let whole = fs::read(&path).unwrap();
    let _ = fs::remove_file(written.folder.path("anchor"));
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x11;
        fs::write(&path, &changed).unwrap();
        fs::remove_file(written.folder.path("audit/checkpoint")).ok();
        let verdict = Verifier::new().verify(&written.directory()).unwrap().verdict();
        let builder = AuditLog::builder(written.folder.path("audit")).reserve(0);
        let opened = builder.open();
        assert_eq!(opened.is_ok(), verdict == Verdict::TornTail, "{at}: {verdict:?} {:?}", opened.err());
        if let Ok(log) = opened {
            drop(log);
            assert_eq!(Verifier::new().verify(&written.directory()).unwrap().verdict(), Verdict::Whole, "{at}");
        }
    }
}
