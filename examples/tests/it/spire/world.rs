//! SPIRE's server and agent as programs, with one host, in a folder of their own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Program;

pub(super) const DOMAIN: &str = "court.example";

/// What a healthy program needs a second or two for.
const START: Duration = Duration::from_secs(60);

/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// SPIRE's programs, if they are there.
fn programs() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/spire/bin");
    let is_there = ["spire-server", "spire-agent"].into_iter().all(|name| folder.join(name).is_file());
    if !is_there {
        println!("skipped: SPIRE is not installed (scripts/spire/install)");
    }
    is_there.then_some(folder)
}

/// A trust domain of one host.
pub(super) struct Spire {
    programs: PathBuf,
    folder: PathBuf,
    /// The SPIFFE ID of the agent, under which the workloads of the host are registered.
    host: String,
    _agent: Program,
    _server: Program,
}

impl Spire {
    /// Starts both, or says why not.
    pub(super) fn start() -> Option<Self> {
        let programs = programs()?;
        // Sockets are in it, and their paths are short.
        let folder = std::env::temp_dir().join(format!("spire-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        configure(&folder, "server", include_str!("../../../../scripts/spire/server.conf"), port);
        configure(&folder, "agent", include_str!("../../../../scripts/spire/agent.conf"), port);

        let server = run(&programs, &folder, "server", &[]);
        wait(&folder, "server", || answers(&programs, &folder, "server", &["healthcheck"]).is_some());
        let bundle = answers(&programs, &folder, "server", &["bundle", "show"]).unwrap();
        std::fs::write(folder.join("bundle.pem"), bundle).unwrap();
        let token = answers(&programs, &folder, "server", &["token", "generate"]).unwrap();
        let token = token.split_whitespace().nth(1).unwrap().to_owned();
        let agent = run(&programs, &folder, "agent", &["-joinToken", &token]);
        wait(&folder, "agent", || answers(&programs, &folder, "agent", &["healthcheck"]).is_some());
        let host = format!("spiffe://{DOMAIN}/spire/agent/join_token/{token}");
        Some(Self { programs, folder, host, _agent: agent, _server: server })
    }

    /// The agent's Workload API.
    pub(super) fn endpoint(&self) -> String {
        format!("unix://{}", socket(&self.folder, "agent").display())
    }

    /// Registers the program `path` as `spiffe://court.example{name}`, under the same name, with SVIDs that last `seconds`.
    pub(super) fn register(&self, name: &str, path: &Path, seconds: u32) {
        let (id, selector) = (format!("spiffe://{DOMAIN}{name}"), format!("unix:path:{}", path.display()));
        let entry = name.trim_start_matches('/').replace('/', "-");
        let arguments = ["entry", "create", "-entryID", &entry, "-parentID", &self.host, "-spiffeID", &id];
        let more = ["-selector", &selector, "-hint", "only", "-x509SVIDTTL", &seconds.to_string()];
        answers(&self.programs, &self.folder, "server", &[&arguments[..], &more].concat()).expect("an entry");
    }

    /// Deletes what was registered as `name`.
    pub(super) fn delete(&self, name: &str) {
        let entry = name.trim_start_matches('/').replace('/', "-");
        answers(&self.programs, &self.folder, "server", &["entry", "delete", "-entryID", &entry]).expect("an entry");
    }
}

impl Drop for Spire {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sock"))
}

/// The configuration `template`, in and for `folder`.
fn configure(folder: &Path, name: &str, template: &str, port: u16) {
    let folder_text = folder.display().to_string();
    let text = template.replace("@DIR@", &folder_text).replace("@PORT@", &port.to_string());
    std::fs::write(folder.join(format!("{name}.conf")), text).unwrap();
}

fn run(programs: &Path, folder: &Path, name: &str, flags: &[&str]) -> Program {
    std::fs::create_dir_all(folder.join(name)).unwrap();
    let child = Command::new(programs.join(format!("spire-{name}")))
        .args(["run", "-config"])
        .arg(folder.join(format!("{name}.conf")))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Program(child)
}

/// What a command of one of the programs prints, if it succeeds.
fn answers(programs: &Path, folder: &Path, name: &str, command: &[&str]) -> Option<String> {
    let socket = socket(folder, name);
    let output = Command::new(programs.join(format!("spire-{name}")))
        .args(command)
        .arg("-socketPath")
        .arg(socket)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn wait(folder: &Path, name: &str, mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        let log = || std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
        assert!(begun.elapsed() < START, "the {name} does not come: {}", log());
        std::thread::sleep(PAUSE);
    }
}
