//! Cedar's own integration tests, which are about what Cedar says: that one which errs denies is ours.

use std::fs;
use std::path::{Path, PathBuf};

use cedar_policy::{Context, Decision, Entities, EntityUid, PolicySet, Request, Schema};
use serde::Deserialize;
use serde_json::Value;

use super::{index_of, plain, through};

/// One file.
#[derive(Deserialize)]
struct File {
    policies: PathBuf,
    entities: PathBuf,
    schema: PathBuf,
    requests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    principal: Value,
    action: Value,
    resource: Value,
    context: Value,
    decision: String,
    reason: Vec<String>,
    errors: Vec<String>,
}

/// The folder of the vectors, or none after saying so.
fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("AGENTAUTH_VECTORS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .filter(|above| above.join("Cargo.toml").is_file())
            .last()?
            .join("../shared/vectors"),
    };
    let folder = folder.join("cedar-integration-tests");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: vectors not found");
    None
}

/// The requests of one file; how many there are.
fn run(folder: &Path, path: &Path) -> usize {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let file: File = serde_json::from_str(&read(path)).unwrap();
    let set: PolicySet = read(&folder.join(&file.policies)).parse().unwrap();
    let schema = Schema::from_cedarschema_str(&read(&folder.join(&file.schema))).unwrap().0;
    let entities = Entities::from_json_str(&read(&folder.join(&file.entities)), Some(&schema)).unwrap();
    let index = index_of(&set, &schema);
    for case in &file.requests {
        let told = format!("{}: {}", path.display(), case.description);
        let uid = |json: &Value| EntityUid::from_json(json.clone()).unwrap();
        let context = Context::from_json_value(case.context.clone(), Some((&schema, &uid(&case.action)))).unwrap();
        let request =
            Request::new(uid(&case.principal), uid(&case.action), uid(&case.resource), context, Some(&schema)).unwrap();
        // None of them speaks of an agent.
        let agent = uid(&case.principal);
        let answer = through(&index, &request, &agent, &entities);
        assert_eq!(answer, plain(&set, &request, &entities), "{told}");
        let expected = if case.decision == "allow" { Decision::Allow } else { Decision::Deny };
        assert_eq!(answer.decision, expected, "{told}");
        assert_eq!(answer.reason, case.reason.iter().cloned().collect(), "{told}");
        assert_eq!(answer.errors.iter().map(|(id, _)| id).collect::<Vec<_>>(), case.errors.iter().collect::<Vec<_>>());
    }
    file.requests.len()
}

#[test]
fn cedars_own_tests_pass_through_the_index() {
    let Some(folder) = folder() else { return };
    let mut requests = 0;
    for group in fs::read_dir(folder.join("tests")).unwrap() {
        for file in fs::read_dir(group.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                requests += run(&folder, &path);
            }
        }
    }
    println!("{requests} requests");
    assert_eq!(requests, 74);
}
