//! The table of SECURITY.md against the code: no refusal without its row, no row without its test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The string literals that a `match` of a function `code` answers with.
fn codes(source: &str) -> BTreeSet<&str> {
    let bodies = source.split("fn code(").skip(1).map(|rest| rest.split("\n    }\n").next().unwrap());
    bodies.flat_map(|body| body.split("=> \"").skip(1)).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// What stands between backticks in one column of the table.
fn column(row: &str, index: usize) -> Vec<&str> {
    row.split('|').nth(index).unwrap_or_default().split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_code_has_a_row_and_every_row_a_test() {
    let mut files = Vec::new();
    sources(&workspace().join("crates"), &mut files);
    sources(&workspace().join("examples"), &mut files);
    let defined: BTreeSet<&str> = files
        .iter()
        .flat_map(|(_, text)| codes(text))
        .filter(|code| !["permitted", "refused"].contains(code))
        .collect();
    let tests: String = files
        .iter()
        .map(|(path, text)| {
            let name = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs" || part == "oracle.rs";
            let is_test = path.components().any(|part| name(part.as_os_str()));
            if is_test { text.as_str() } else { text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests) }
        })
        .collect();

    let security = fs::read_to_string(workspace().join("SECURITY.md")).unwrap();
    let rows: Vec<&str> = security.lines().filter(|line| line.starts_with("| ")).collect();
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| column(row, 2)).collect();
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| column(row, 3)).collect();

    let missing = |wanted: &BTreeSet<&str>, has: &dyn Fn(&str) -> bool| -> Vec<String> {
        wanted.iter().filter(|name| !has(name)).map(|name| (*name).to_owned()).collect()
    };
    assert!(defined.len() > 100, "the codes were not found in the sources");
    assert_eq!(missing(&defined, &|code| listed.contains(code)), [""; 0], "codes without a row in SECURITY.md");
    assert_eq!(missing(&listed, &|code| defined.contains(code)), [""; 0], "rows for codes that do not exist");
    assert_eq!(missing(&named, &|test| tests.contains(&format!("fn {test}("))), [""; 0], "tests that do not exist");
    assert_eq!(
        missing(&defined, &|code| tests.contains(&format!("\"{code}\""))),
        [""; 0],
        "codes that no test asserts"
    );
}
