//! Any bytes as a list of tools: what is written for it is a schema, and nothing of a tool gets out of its place.

#![no_main]

use agentauth_cedar::{CedarPolicies, Sources, ToolActions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(schema) = ToolActions::default().write("tools.json", text) else { return };
    // Duplicate members and such may still be problems, but nothing else is declared.
    let declares = |line: &str| ["action ", "principal:", "resource:", "context:", "};", "//", ""].iter().any(|start| {
        if start.is_empty() { line.is_empty() } else { line.trim_start().starts_with(start) }
    });
    assert!(schema.lines().all(declares), "only actions are declared:\n{schema}");
    let _ = CedarPolicies::new(&Sources::new().schema("tools.cedarschema", &schema));
});
