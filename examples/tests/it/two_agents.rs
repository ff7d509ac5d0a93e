//! The example of two agents, as it runs.

use std::process::Command;

#[test]
fn two_agents_call_each_other_and_nobody_else_answers() {
    let output = Command::new(env!("CARGO_BIN_EXE_two-agents")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let [lawyer, clerk, judge] =
        ["lawyer", "clerk", "judge"].map(|name| format!("spiffe://court.example/agent/{name}"));
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[..2], [format!("{lawyer} called {clerk}"), format!("{clerk} called {lawyer}")]);
    assert!(lines[2].starts_with(&format!("{clerk} wanted {judge}: the server is `{lawyer}`")), "{printed}");
    assert_eq!(lines.len(), 3);
}
