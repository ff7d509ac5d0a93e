//! From a list of tools, as MCP servers give it, to the actions of a schema.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use agentauth_core::Excerpt;
use agentauth_core::policy::located::{Codes, Located};
use agentauth_core::policy::{Problem, Problems};
use cedar_policy::SchemaFragment;
use serde_json::Value;

use crate::sources::Source;

/// As deep as arguments can be.
const MAX_DEPTH: usize = 32;

/// More tools than a model is ever shown.
const MAX_TOOLS: usize = 10_000;

/// What the arguments of one tool are written in at most, in bytes: what is referred to is written again each time.
const MAX_ARGUMENTS_BYTES: usize = 64 * 1024;

/// What a member is written in at least, beside its name: quotes, a colon, a type and a comma.
const LEAST_BYTES: usize = 8;

/// A comment is a line.
const MAX_COMMENT_CHARS: usize = 100;

/// How the actions of tools are declared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolActions {
    /// The entity types that agents act for: `User` and `Client` unless set.
    pub principals: Vec<String>,
    /// The entity types that tools act on: the `Server` unless set.
    pub resources: Vec<String>,
}

impl Default for ToolActions {
    fn default() -> Self {
        Self { principals: vec!["User".into(), "Client".into()], resources: vec!["Server".into()] }
    }
}

impl ToolActions {
    /// Writes a schema with one action for each tool of `tools`: the answer to MCP's `tools/list`, or the array in it. What it
    /// declares for the arguments is what `inputSchema` says:
    ///
    /// | JSON Schema | Cedar |
    /// |---|---|
    /// | `string` | `String` |
    /// | `integer` | `Long` |
    /// | `number` | `decimal`: at most four digits after the point |
    /// | `boolean` | `Bool` |
    /// | `array` with `items` | `Set`, in which neither order nor number counts |
    /// | `object` with `properties` | a record, with no other members |
    /// | a local `$ref` | what it refers to |
    ///
    /// Whatever is not in `required`, or may be null, may be left out; a null itself is refused when the tool is called. What
    /// policies could not tell apart (`anyOf`, free-form objects) is a problem: narrow the tool's schema, or declare the action
    /// by hand. `name` is what `tools` is called in problems.
    ///
    /// # Errors
    /// [`Problems`], for each argument of each tool that has no type.
    pub fn write(&self, name: &str, tools: &str) -> Result<String, Problems> {
        let root = Located::read(name, tools, &const { Codes::all("tools_syntax") })?;
        let list: Value = serde_json::from_str(root.text()).map_err(|error| root.problem(error.to_string()))?;
        let listed = list.as_array().or_else(|| list.get("tools")?.as_array());
        let listed = listed.or_else(|| list.pointer("/result/tools")?.as_array());
        let Some(listed) = listed else {
            let problem = Problem::new("tools_form", name, "there is no list of tools");
            return Err(problem.help("give the answer to MCP's tools/list: an object with a member `tools`").into());
        };
        if listed.len() > MAX_TOOLS {
            return Err(Problem::new("tools_form", name, "there are more than 10,000 tools").into());
        }
        let (mut text, mut problems, mut seen) = (String::new(), Problems::none(), BTreeSet::new());
        for tool in listed {
            let Some(tool_name) = tool.get("name").and_then(Value::as_str).filter(|text| is_writable(text)) else {
                problems.push(Problem::new("tools_form", name, "a tool has no name, or one with control characters"));
                continue;
            };
            if !seen.insert(tool_name) {
                let told = format!("tool `{}` stands twice", Excerpt::of(tool_name));
                problems.push(Problem::new("tools_duplicate", name, told));
                continue;
            }
            let none = Value::Object(serde_json::Map::new());
            let input = tool.get("inputSchema").unwrap_or(&none);
            let room = Cell::new(MAX_ARGUMENTS_BYTES);
            let tree = Tree { root: input, room: &room };
            match tree.record_of(input, "arguments", MAX_DEPTH) {
                Ok(arguments) => self.declare(tool_name, tool, &arguments, &mut text),
                Err(told) => {
                    let told = format!("tool `{}`: {told}", Excerpt::of(tool_name));
                    let help = "narrow the tool's inputSchema, or declare the action by hand";
                    problems.push(Problem::new("tools_argument", name, told).help(help));
                }
            }
        }
        problems.or(())?;
        // What is written is read again: nothing of a tool's name or description is anything but that.
        let written = Source::new(name, &text);
        let (fragment, _) = SchemaFragment::from_cedarschema_str(&text)
            .map_err(|error| crate::load::problem_of("tools_form", &written, &error))?;
        if declared_by(fragment) != seen.len() {
            return Err(Problem::new("tools_form", name, "the tools do not make a schema").into());
        }
        Ok(text)
    }

    fn declare(&self, tool_name: &str, tool: &Value, arguments: &str, text: &mut String) {
        if let Some(description) = tool.get("description").and_then(Value::as_str) {
            let line = description.lines().next().unwrap_or_default();
            let line: String = line.chars().filter(|c| !c.is_control()).take(MAX_COMMENT_CHARS).collect();
            let _ = writeln!(text, "// {line}");
        }
        let (principals, resources) = (self.principals.join(", "), self.resources.join(", "));
        let _ = writeln!(
            text,
            "action {} appliesTo {{\n  principal: [{principals}],\n  resource: [{resources}],\n  \
             context: {{ arguments: {arguments} }}\n}};\n",
            quoted(tool_name)
        );
    }
}

/// How many actions there are.
fn declared_by(fragment: SchemaFragment) -> usize {
    let json = fragment.to_json_value().unwrap_or_default();
    json.get("").and_then(|space| space.get("actions")?.as_object()).map_or(0, serde_json::Map::len)
}

/// The schema of one tool's arguments, and room for what it is written as.
struct Tree<'t> {
    root: &'t Value,
    room: &'t Cell<usize>,
}

impl Tree<'_> {
    fn take(&self, bytes: usize) -> Result<(), String> {
        let left = self.room.get().checked_sub(bytes);
        self.room.set(
            left.ok_or_else(|| format!("its arguments, written out, are longer than {MAX_ARGUMENTS_BYTES} bytes"))?,
        );
        Ok(())
    }

    /// The Cedar type of a JSON Schema for an object.
    fn record_of(&self, schema: &Value, path: &str, depth: usize) -> Result<String, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("`{path}` is nested too deep, or in itself"))?;
        if let Some(combined) =
            ["anyOf", "oneOf", "allOf", "not", "if", "patternProperties"].iter().find(|k| schema.get(k).is_some())
        {
            return Err(format!("`{path}` has `{combined}`, which has no one type"));
        }
        let required: BTreeSet<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        self.take(required.len())?;
        let mut members = Vec::new();
        for (member, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !is_writable(member) {
                return Err(format!("`{path}` has a member with control characters"));
            }
            self.take(member.len().saturating_add(LEAST_BYTES))?;
            let (kind, may_be_null) = self.type_of(of, &format!("{path}.{member}"), depth)?;
            let mark = if required.contains(member.as_str()) && !may_be_null { "" } else { "?" };
            members.push(format!("{}{mark}: {kind}", quoted(member)));
        }
        Ok(if members.is_empty() { "{}".into() } else { format!("{{ {} }}", members.join(", ")) })
    }

    /// The Cedar type of a JSON Schema, and whether null is of it too.
    fn type_of(&self, schema: &Value, path: &str, depth: usize) -> Result<(String, bool), String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("`{path}` is nested too deep, or in itself"))?;
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            self.take(reference.len())?;
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            let target = target.ok_or_else(|| format!("`{path}` refers to something outside of the tool"))?;
            return self.type_of(target, path, depth);
        }
        let mut kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let before = kinds.len();
        self.take(before)?;
        kinds.retain(|kind| *kind != "null");
        let may_be_null = kinds.len() < before;
        let kind = match *kinds.as_slice() {
            ["string"] => "String".into(),
            ["integer"] => "Long".into(),
            ["number"] => "decimal".into(),
            ["boolean"] => "Bool".into(),
            ["array"] => {
                let items = schema.get("items").ok_or_else(|| format!("`{path}` is a list of anything"))?;
                let (element, has_nulls) = self.type_of(items, &format!("{path}[]"), depth)?;
                if has_nulls {
                    return Err(format!("`{path}` is a list in which nulls may be"));
                }
                format!("Set<{element}>")
            }
            ["object"] if schema.get("properties").is_some() => self.record_of(schema, path, depth)?,
            ["object"] => return Err(format!("`{path}` is an object with any members")),
            _ => return Err(format!("`{path}` has no one type")),
        };
        Ok((kind, may_be_null))
    }
}

fn is_writable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// A name as Cedar's schemas write it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
