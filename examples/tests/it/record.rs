//! The tool server's record, when it is ended. No issuer is needed.

use std::path::Path;
use std::process::Command;

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log};

use crate::support::{HERE, start};

/// Ctrl-C, and what service managers send.
#[test]
fn a_server_that_is_told_to_end_closes_its_log() {
    for signal in ["INT", "TERM"] {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ended-{signal}-{}.audit", std::process::id()));
        let _ = std::fs::remove_dir_all(&log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
        command.args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", "https://sts.example"]);
        let (mut server, _) = start(command.args(["--jwks", "no-such-file", "--audit"]).arg(&log));
        let pid = server.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert!(server.0.wait().unwrap().success(), "{signal}");
        let last = Log::open(&log).unwrap().newest_first(&Filter::new()).next().unwrap().unwrap();
        assert_eq!(last.kind(), EntryKind::Closed, "{signal}");
    }
}
