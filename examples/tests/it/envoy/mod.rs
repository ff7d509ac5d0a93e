//! A real Envoy in front of the tool server: whatever a client writes into `x-forwarded-client-cert`, and whatever names its
//! certificate has, only the true peer is ever believed.

mod attacks;
mod config;
mod modes;
mod world;

use std::path::PathBuf;

/// The tool server, and the sidecar beside it.
const OWN: &str = "spiffe://court.example/ns/court/sa/tools";
const GATEWAY: &str = "spiffe://court.example/ns/edge/sa/gateway";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const EVIL: &str = "spiffe://court.example/agent/evil";
const ADMIN: &str = "spiffe://court.example/agent/admin";

const TRUSTED: [&str; 4] = ["--trusted-proxy", "127.0.0.0/8", "--xfcc-trust-domain", "court.example"];

/// A folder of one test's own. What is in it is overwritten the next time.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("envoy-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
