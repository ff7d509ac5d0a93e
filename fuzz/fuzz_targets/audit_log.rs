//! Any bytes as the segments of an audit log, and as a proof.

#![no_main]

use std::fmt;
use std::io;

use agentauth_audit::checkpoint::CheckpointVerifier;
use agentauth_audit::disk::{Directory, LogFile};
use agentauth_audit::format::segment_name;
use agentauth_audit::verify::{Proof, Verdict, Verifier, Which, prove};
use libfuzzer_sys::fuzz_target;

/// A key that has signed none of the seeds.
const KEY: &str = "log.example/tools+3fc6eda7+AfRFXHfDXOOICotTWT3dE1+qaoJ2OJoOoqkpOx8fvwxb";

fuzz_target!(|data: &[u8]| {
    // The number of the first entry of the second segment, and where that begins; then both.
    if let Some((&[first, low, high], bytes)) = data.split_first_chunk::<3>() {
        let at = usize::from(u16::from_le_bytes([low, high]));
        let (one, two) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        let mut files = vec![(segment_name(0), one.to_vec())];
        if first > 0 {
            files.push((segment_name(u64::from(first)), two.to_vec()));
        }
        check_log(&Files(files));
    }
    if let Ok(proof) = Proof::read(data) {
        assert_eq!(proof.to_text().as_bytes(), data, "a proof has one form");
        if let Ok(key) = CheckpointVerifier::new([KEY]) {
            assert!(proof.check(&key).is_err(), "nobody has the key");
        }
    }
});

fn check_log(files: &Files) {
    let report = Verifier::new().verify(files).expect("memory does not fail");
    let ranges = &report.ranges;
    assert_eq!(report.verdict() == Verdict::Damaged, report.fault().is_some());
    assert_eq!((ranges.anchored.entries(), ranges.signed.entries()), (0, 0));
    assert!(ranges.unanchored.until <= report.entries);
    if report.verdict() == Verdict::Whole {
        assert!(report.torn.is_none() && ranges.unanchored.until == report.entries);
        assert!(report.entries == 0 || report.chain.len() + report.origin.len() > 0);
    }
    for fault in &report.faults {
        let message = fault.kind.to_string();
        assert!(message.len() <= 20_000 && !fault.kind.code().is_empty());
    }
    if let Ok(proved) = prove(files, Which::Number(0), true) {
        assert_eq!(Proof::read(proved.proof.to_text().as_bytes()), Ok(proved.proof));
    }
}

#[derive(Debug)]
struct Files(Vec<(String, Vec<u8>)>);

impl Directory for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.iter().map(|(name, _)| name.clone()).collect())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let (_, content) = self.0.iter().find(|(known, _)| known == name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File(content.clone())))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self) -> io::Result<Box<dyn fmt::Debug + Send>> {
        Err(io::ErrorKind::Unsupported.into())
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
        Err(io::ErrorKind::Unsupported.into())
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
