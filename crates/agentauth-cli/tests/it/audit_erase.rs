//! `agentauth audit erase`.

use agentauth_audit::disk::{Directory as _, RealDirectory};
use insta::assert_snapshot;

use crate::fixture::log;
use crate::support::Folder;

const ALICE: &str = "https://sts.example#alice";

fn a_folder() -> Folder {
    let folder = Folder::new();
    log(&RealDirectory::create(folder.path("audit")).unwrap(), 2);
    folder
}

fn mentions(folder: &Folder, name: &str) -> usize {
    let directory = RealDirectory::existing(folder.path("audit")).unwrap();
    let segments = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".log"));
    let content = segments.map(|segment| std::fs::read(folder.path("audit").join(segment)).unwrap());
    content.map(|content| String::from_utf8_lossy(&content).matches(name).count()).sum()
}

#[test]
fn a_principal_is_erased_and_everyone_else_stays() {
    let folder = a_folder();
    assert_eq!((mentions(&folder, "\"alice\""), mentions(&folder, "\"bob\"")), (6, 4));
    let dry = folder.run(&["audit", "erase", "audit", "--principal", ALICE, "--reason", "a request", "--dry-run"], "");
    assert_eq!(mentions(&folder, "\"alice\""), 6);
    let done = folder.run(&["audit", "erase", "audit", "--principal", ALICE, "--reason", "a request"], "");
    assert_eq!((mentions(&folder, "\"alice\""), mentions(&folder, "\"bob\"")), (0, 4));
    let again = folder.run(&["audit", "erase", "audit", "--principal", ALICE, "--reason", "a request"], "");
    let told = [dry, done, again].map(|run| run.transcript()).join("\n");
    assert_snapshot!(told, @r"
    status 0
    --- standard output
    Would erase what is personal of 6 entries in 2 segments; nothing was changed

    status 0
    --- standard output
    Erased what is personal of 6 entries in 2 segments; the log names them, and verifies as before

    status 0
    --- standard output
    Nothing was there to erase
    ");
}

#[test]
fn an_entry_is_erased_and_what_is_kept_elsewhere_is_told() {
    let folder = a_folder();
    folder.write("audit/00000000000000000000.torn", "alice");
    let run = folder.run(&["audit", "erase", "audit", "--entry", "1", "--entry", "0", "--reason", "x", "--json"], "");
    assert_snapshot!(run.transcript(), @r#"
    status 0
    --- standard output
    {
      "dry_run": false,
      "entries": 1,
      "segments": 1,
      "nothing_left": 1,
      "kept_elsewhere": [
        "00000000000000000000.torn"
      ]
    }
    --- standard error
    note: these files beside the segments may hold the same, and are yours to see to: 00000000000000000000.torn
    "#);
    assert_eq!(mentions(&folder, "\"alice\""), 5);
}

#[test]
fn what_cannot_be_erased_has_status_2() {
    let folder = a_folder();
    std::fs::create_dir(folder.path("empty")).unwrap();
    for (arguments, word) in [
        (&["audit", "--reason", "x"][..], "--principal"),
        (&["audit", "--entry", "1"], "--reason"),
        (&["audit", "--entry", "1", "--reason", " "], "reason"),
        (&["audit", "--entry", "99", "--reason", "x"], "no entry 99"),
        (&["audit", "--principal", "alice", "--reason", "x"], "<issuer>#<subject>"),
        (&["nowhere", "--entry", "1", "--reason", "x"], "cannot be read"),
        (&["empty", "--entry", "1", "--reason", "x"], "no audit log"),
    ] {
        let run = folder.run(&[&["audit", "erase"], arguments].concat(), "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(run.err.contains(word), "{arguments:?}: {}", run.err);
    }
    let lock = RealDirectory::existing(folder.path("audit")).unwrap().lock().unwrap();
    let run = folder.run(&["audit", "erase", "audit", "--entry", "1", "--reason", "x"], "");
    assert!(run.status == 2 && run.err.contains("a writer has the log open"), "{}", run.err);
    drop(lock);
    assert_eq!(mentions(&folder, "\"alice\""), 6);
}
