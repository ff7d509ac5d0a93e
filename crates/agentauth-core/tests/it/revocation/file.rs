//! The file that processes share: durable, noticed within the bound, and believed only while it is whole.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use agentauth_core::state::revocation::{DEFAULT_NOTICED_WITHIN, RevocationAnswer, Subjects};
use agentauth_core::state::{FileRevocations, Revocation, RevocationStore};
use agentauth_core::{Evidence, Timestamp};

use super::{agent, at, end, granted, kinds, sts};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, JUDGE, LAWYER, authenticate, caller, code, wait};
use crate::support::folder::Folder;

fn open(folder: &Folder) -> FileRevocations {
    FileRevocations::open(folder.path("revoked.jsonl")).unwrap()
}

fn token(id: &str) -> Revocation {
    Revocation::token(sts(), id, end())
}

fn subjects(id: &str) -> Subjects {
    Subjects::of_token(&sts(), id, Some(at(NOW)))
}

fn answer(store: &FileRevocations, id: &str, now: Timestamp) -> &'static str {
    match wait(store.check(&subjects(id), now)) {
        RevocationAnswer::Clear => "clear",
        RevocationAnswer::Revoked(_) => "revoked",
        RevocationAnswer::Unavailable => "unavailable",
    }
}

fn revoke(store: &FileRevocations, revocation: &Revocation) {
    wait(store.revoke(revocation, at(NOW))).unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_revocation_is_a_line_that_names_nobody_in_a_file_of_its_owners() {
    let folder = Folder::new();
    let store = open(&folder);
    for (revocation, _) in kinds() {
        revoke(&store, &revocation);
    }
    revoke(&store, &Revocation::agent(agent(JUDGE)).of_tokens_issued_before(at(5)));
    let text = fs::read_to_string(folder.path("revoked.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 7);
    // What is revoked already is not written again.
    revoke(&store, &Revocation::agent(agent(LAWYER)).until(end()));
    assert_eq!(fs::read_to_string(folder.path("revoked.jsonl")).unwrap(), text);
    for name in ["alice", "lawyer", "jti-1", "grant-1", "sts."] {
        assert!(!text.contains(name), "{text}");
    }
    assert!(text.lines().last().unwrap().starts_with(r#"{"revoked":"agent","digest":""#), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(folder.path("revoked.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Whoever opens it later knows it all.
    let court = Court::new();
    let auth = court.engine().revocations(open(&folder)).build().unwrap();
    assert_eq!(code(&auth, &court.key.mint(&granted())), "token_revoked");
    let debug = format!("{store:?}");
    assert!(debug.starts_with("FileRevocations { path: "), "{debug}");
}

/// At once where it was made; within the bound, by the clock, elsewhere; and no later than that.
#[test]
fn a_second_store_notices_within_the_bound() {
    for (revocation, expected) in kinds() {
        let folder = Folder::new();
        let (here, there) = (Court::new(), Court::new());
        let mine = here.engine().revocations(open(&folder)).build().unwrap();
        let other = there
            .bare_engine()
            .issuer(agentauth_core::TrustedIssuer::rfc8693(crate::support::court::STS, here.key.key_set()))
            .revocations(open(&folder))
            .build()
            .unwrap();
        let token = here.key.mint(&granted());
        assert_eq!((code(&mine, &token), code(&other, &token)), (ACCEPTED, ACCEPTED));
        let kept = caller(&other, &token);
        wait(mine.revoke(&revocation)).unwrap();
        assert_eq!(code(&mine, &token), expected);
        // It was looked at in this moment, and is not looked at again yet.
        assert_eq!(code(&other, &token), ACCEPTED);
        there.clock.advance(DEFAULT_NOTICED_WITHIN);
        assert_eq!(code(&other, &token), expected);
        let scopes = "records:read".parse().unwrap();
        assert_eq!(crate::support::court::code_of(&wait(kept.require_scopes(&scopes))), expected);
    }
}

#[test]
fn the_bound_can_be_set() {
    let folder = Folder::new();
    let bound = Duration::from_secs(20);
    let (writer, reader) = (open(&folder), open(&folder).noticed_within(bound));
    assert_eq!(answer(&reader, "a", at(NOW)), "clear");
    revoke(&writer, &token("a"));
    assert_eq!(answer(&reader, "a", at(NOW + 9)), "clear");
    assert_eq!(answer(&reader, "a", at(NOW).plus(bound)), "revoked");
    // A clock that is put back leads to a look, not to trust in what was seen later.
    assert_eq!(answer(&reader, "b", at(NOW)), "clear");
    revoke(&writer, &token("b"));
    assert_eq!(answer(&reader, "b", at(NOW - 1)), "revoked");
}

#[test]
fn a_second_process_notices_within_the_bound() {
    if let Some(path) = std::env::var_os("AGENTAUTH_TEST_REVOKE_IN") {
        revoke(&FileRevocations::open(path).unwrap(), &token("a"));
        return;
    }
    let folder = Folder::new();
    let store = open(&folder);
    assert_eq!(answer(&store, "a", at(NOW)), "clear");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "revocation::file::a_second_process_notices_within_the_bound"])
        .env("AGENTAUTH_TEST_REVOKE_IN", folder.path("revoked.jsonl"))
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(answer(&store, "a", at(NOW).plus(DEFAULT_NOTICED_WITHIN)), "revoked");
}

#[test]
fn a_last_line_without_its_end_is_none_yet() {
    let folder = Folder::new();
    let (writer, reader) = (open(&folder), open(&folder));
    revoke(&writer, &token("a"));
    let line = fs::read(folder.path("revoked.jsonl")).unwrap();
    append(&folder.path("revoked.jsonl"), &line[..line.len() - 10]);
    for (seconds, expected) in [(2, "revoked"), (4, "revoked")] {
        assert_eq!(answer(&reader, "a", at(NOW + seconds)), expected);
        assert_eq!(answer(&open(&folder), "a", at(NOW + seconds)), expected);
    }
    // The next one takes its place.
    revoke(&writer, &token("b"));
    let text = fs::read_to_string(folder.path("revoked.jsonl")).unwrap();
    assert_eq!((text.lines().count(), text.ends_with("}\n")), (2, true), "{text}");
    assert_eq!(answer(&reader, "b", at(NOW + 6)), "revoked");
}

#[test]
fn a_file_that_is_not_whole_refuses_everybody() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("a line that is none", |path| append(path, b"{}\n")),
        ("an empty line", |path| append(path, b"\n")),
        ("shorter", |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(3).unwrap()),
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("another one in its place", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, b"").unwrap();
        }),
        ("a folder in its place", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let folder = Folder::new();
        let court = Court::new();
        let store = open(&folder);
        let auth = court.engine().revocations(store.clone()).build().unwrap();
        let token_shown = court.key.mint(&granted());
        revoke(&store, &token("a"));
        assert_eq!(code(&auth, &token_shown), ACCEPTED);
        let whole = fs::read(folder.path("revoked.jsonl")).unwrap();
        damage(&folder.path("revoked.jsonl"));
        for _ in 0..3 {
            court.clock.advance(DEFAULT_NOTICED_WITHIN);
            let rejection = authenticate(&auth, Evidence::bearer(&token_shown)).unwrap_err();
            assert_eq!((rejection.code(), rejection.status().as_u16()), ("revocation_unavailable", 503), "{what}");
        }
        let refused = wait(store.revoke(&token("b"), at(NOW))).unwrap_err();
        assert_eq!(refused.code(), "revocation_not_kept", "{what}");
        // Put right, it counts again, with all it had.
        let _ = fs::remove_dir(folder.path("revoked.jsonl"));
        let _ = fs::remove_file(folder.path("revoked.jsonl"));
        fs::write(folder.path("revoked.jsonl"), &whole).unwrap();
        court.clock.advance(DEFAULT_NOTICED_WITHIN);
        assert_eq!(code(&auth, &token_shown), ACCEPTED, "{what}");
        assert_eq!(answer(&store, "a", at(NOW + 10)), "revoked", "{what}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_leads_nowhere() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    fs::write(elsewhere.path("revoked.jsonl"), b"").unwrap();
    std::os::unix::fs::symlink(elsewhere.path("revoked.jsonl"), folder.path("revoked.jsonl")).unwrap();
    let error = FileRevocations::open(folder.path("revoked.jsonl")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn what_is_no_file_of_revocations_is_not_opened() {
    let folder = Folder::new();
    fs::write(folder.path("revoked.jsonl"), b"not a revocation\n").unwrap();
    let error = FileRevocations::open(folder.path("revoked.jsonl")).unwrap_err();
    assert_eq!((error.kind(), &*error.to_string()), (std::io::ErrorKind::InvalidData, "line 1 is no revocation"));
    assert!(FileRevocations::open(folder.0.join("no/such/folder")).is_err());
}

#[test]
fn a_full_file_says_so() {
    let folder = Folder::new();
    let store = FileRevocations::with_capacity(folder.path("revoked.jsonl"), 2).unwrap();
    revoke(&store, &token("a"));
    revoke(&store, &token("b"));
    assert_eq!(wait(store.revoke(&token("c"), at(NOW))).unwrap_err().code(), "revocations_full");
    // Another that may hold more goes on, and this one believes it.
    revoke(&open(&folder), &token("c"));
    assert_eq!(answer(&store, "c", at(NOW + 2)), "revoked");
}

/// What has ended is written no more; readers and writers do not notice, and nothing that counts is lost.
#[test]
fn a_file_is_written_anew_without_what_has_ended() {
    let folder = Folder::new();
    let (writer, reader) = (open(&folder), open(&folder));
    revoke(&writer, &Revocation::agent(agent(LAWYER)));
    assert_eq!(answer(&reader, "z", at(NOW)), "clear");
    for id in 0..1024 {
        let ends = Revocation::token(sts(), &id.to_string(), at(NOW + 10));
        wait(writer.revoke(&ends, at(NOW))).unwrap();
    }
    let lines = || fs::read_to_string(folder.path("revoked.jsonl")).unwrap().lines().count();
    assert_eq!(lines(), 1025);
    let later = NOW + 10 + 3600;
    wait(reader.revoke(&Revocation::token(sts(), "late", at(later + 10)), at(later))).unwrap();
    assert_eq!(lines(), 2);
    assert!(!folder.0.join("revoked.jsonl.new").exists());
    for store in [&writer, &reader, &open(&folder)] {
        assert_eq!(answer(store, "late", at(later)), "revoked");
        let lawyer = Subjects::of_agent(&agent(LAWYER), at(later));
        assert_eq!(wait(store.check(&lawyer, at(later))), RevocationAnswer::Revoked(lawyer.keys()[0].kind));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(folder.path("revoked.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// A file that was written anew twice can have the number of the one that was read, and begin with other lines.
#[test]
fn a_file_with_the_number_of_the_old_one_is_read_from_its_beginning() {
    let folder = Folder::new();
    let (writer, reader) = (open(&folder), open(&folder));
    revoke(&writer, &token("a"));
    assert_eq!(answer(&reader, "a", at(NOW)), "revoked");
    revoke(&writer, &token("b"));
    let text = fs::read_to_string(folder.path("revoked.jsonl")).unwrap();
    let (a, b) = text.split_once('\n').unwrap();
    // As the store does it, and the other line first.
    for text in [text.clone(), format!("{b}{a}\n")] {
        let new = folder.0.join("revoked.jsonl.new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, folder.path("revoked.jsonl")).unwrap();
    }
    assert_eq!(answer(&reader, "b", at(NOW + 2)), "revoked");
    assert_eq!(answer(&reader, "a", at(NOW + 2)), "revoked");
}

/// Four writers, each with a store of its own as if in a process of its own, while others read and the file is written
/// anew again and again.
#[test]
fn writers_do_not_lose_each_others_lines() {
    const STEP: u64 = 600;
    let folder = Folder::new();
    let (writers, each, clock) = (4, 400, AtomicU64::new(NOW));
    thread::scope(|scope| {
        for writer in 0..writers {
            let (store, clock) = (open(&folder), &clock);
            scope.spawn(move || {
                for number in 0..each {
                    let now = at(clock.fetch_add(STEP, Ordering::SeqCst));
                    // Three of four have ended when the next one is made.
                    let until = if number % 4 == 0 { at(u64::MAX) } else { at(now.secs() + 1) };
                    let revocation = Revocation::token(sts(), &format!("{writer}-{number}"), until);
                    wait(store.revoke(&revocation, now)).unwrap();
                    assert_eq!(answer(&store, &format!("{writer}-0"), now), "revoked");
                }
            });
        }
    });
    let (store, now) = (open(&folder), at(clock.load(Ordering::SeqCst)));
    for writer in 0..writers {
        for number in (0..each).step_by(4) {
            assert_eq!(answer(&store, &format!("{writer}-{number}"), now), "revoked", "{writer}-{number}");
        }
    }
    let lines = fs::read_to_string(folder.path("revoked.jsonl")).unwrap().lines().count();
    assert!(lines <= 1025, "{lines} lines: the file was never written anew");
}
