//! The tool server by the policies of a directory, which change while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{HERE, Issuer, ToolServer, peers};

/// A copy of the tool server's policies, to change.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/tools");
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("policies-{}", std::process::id()));
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        Self(copy)
    }

    fn replace(&self, name: &str, text: &str) {
        fs::write(self.0.join("next"), text).unwrap();
        fs::rename(self.0.join("next"), self.0.join(name)).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn names(server: &ToolServer, token: &str) -> Vec<Value> {
    let answer = server.call(Method::GET, "/tools", token, "").await;
    answer.body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_policies_decides_and_is_followed() {
    let Some(folder) = peers() else { return };
    let issuer = Issuer::start(&folder, &["--resource", HERE, "--alg", "ES256"]);
    let policies = Directory::new();
    let directory = policies.0.to_str().unwrap();
    let server = ToolServer::start(&issuer, "policies", &["--policy", directory, "--policy-interval", "1"]);
    let token = issuer.token(HERE).await;
    let call = async |tool: &str, body: &str| {
        let answer = server.call(Method::POST, &format!("/tools/{tool}"), &token, body).await;
        (answer.status.as_u16(), if answer.status.is_success() { "allowed".into() } else { server.code(&answer.body) })
    };
    let answered = |status, code: &str| (status, code.to_owned());

    // The client acts for itself: it may echo, and add nothing. What it never may is not in its list.
    assert_eq!(call("echo", r#"{"text": "hear"}"#).await, answered(200, "allowed"));
    assert_eq!(call("echo", r#"{"text": 7}"#).await, answered(403, "argument_refused"));
    assert_eq!(call("echo", r#"{"text": "hear", "loud": true}"#).await, answered(403, "argument_refused"));
    assert_eq!(call("add", r#"{"a": 1, "b": 2}"#).await, answered(403, "policy_not_permitted"));
    assert_eq!(names(&server, &token).await, [json!("echo")]);

    // A broken set, and one that fails its cases, leave it as it is; a good one comes into force.
    let good = fs::read_to_string(policies.0.join("tools.cedar")).unwrap();
    policies.replace("more.cedar", "permit (principal, action, resource");
    let with_clients = r#"permit (principal is Client, action == Action::"tools:add", resource);"#;
    policies.replace("tools.cedar", &good.replace("context.arguments.a <= 1000", "context.arguments.a <= 1"));
    policies.replace("more.cedar", with_clients);
    assert_eq!(call("add", r#"{"a": 1, "b": 2}"#).await, answered(403, "policy_not_permitted"));
    policies.replace("tools.cedar", &good);
    let in_force = async {
        while call("add", r#"{"a": 1, "b": 2}"#).await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), in_force).await.expect("what is good comes into force");
    assert_eq!(names(&server, &token).await, [json!("add"), json!("echo")]);
    assert_eq!(server.call(Method::GET, "/tools", "no.token.here", "").await.status, StatusCode::UNAUTHORIZED);
}
