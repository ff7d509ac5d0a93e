//! Rules in files that people write: read strictly, with every problem at its place.

mod fault;
mod json;
mod limits;
mod parts;
mod reader;
#[cfg(feature = "toml")]
mod toml;
mod tree;

use std::path::Path;

use self::fault::{Fault, Faults};
use self::tree::Node;
use super::Rules;
use crate::disk::read_at_most;
use crate::policy::{Problem, Problems};

/// The largest file of rules that is read, in bytes: some ten thousand rules.
pub const MAX_RULES_BYTES: usize = 4 * 1024 * 1024;

impl Rules {
    /// Reads rules in TOML; `name` is how problems call the file (feature `toml`).
    ///
    /// ```
    /// use agentauth_core::policy::Rules;
    ///
    /// let rules = Rules::from_toml("court.toml", r#"
    ///     [[allow]]
    ///     id = "lawyers-file"
    ///     agents = "spiffe://court.example/agent/lawyer/**"
    ///     principals = { iss = "https://sts.court.example", sub = "alice" }
    ///     actions = ["motions:file", "motions:amend"]
    ///     resources = { kind = "case" }
    ///     arguments = { title = { max_length = 200 }, fee = { between = [0, 500] }, sealed = false }
    ///     approval = "8h"
    ///     message = "Fees above 500 are for a clerk."
    ///
    ///     [[deny]]
    ///     id = "nobody-seals"
    ///     agents = "any"
    ///     principals = "any"
    ///     action = "records:seal"
    ///     resources = "any"
    ///     mode = "shadow"
    /// "#)?;
    /// # Ok::<(), agentauth_core::policy::Problems>(())
    /// ```
    ///
    /// A rule has every part that [`Rule`](crate::policy::Rule) has; anything else is refused.
    ///
    /// | key | value |
    /// |---|---|
    /// | `id` | 1 to 128 bytes |
    /// | `agents` | `"any"`; a SPIFFE ID; a [pattern](crate::SpiffePattern) of them; a list of both; `{ iss, sub }` for an agent without one |
    /// | `principals` | `"any"`; `"itself"`; `{ iss, sub }`, perhaps with `tenant`, and with `kind`: `"subject"` (if left out), `"client"` or `"agent_account"` |
    /// | `action`, or `actions` | an exact name, or a list of them |
    /// | `resources` | `"any"`; `{ kind }`; `{ kind, id }` |
    /// | `arguments` | `"any"`; or a table with a limit for each: `"any"`, `true`, `false`, `{ between = [0, 500] }`, `{ max_length = 200 }` in bytes, `{ one_of = ["a", "b"] }`, `{ exactly = "a" }`. Left out: there must be none |
    /// | `other_arguments` | `"any"`, beside those with limits. Left out: there must be none |
    /// | `even` | a list of the capacities that a rule that allows has to name: `"client_only"`, `"impersonation"`, `"agent_account"` |
    /// | `approval`, and other conditions | as [`Obligation::read`](crate::policy::Obligation::read) has them |
    /// | `mode` | `"enforce"` (if left out) or `"shadow"` |
    /// | `message` | what callers are told whom the rule denies, or would allow with other arguments |
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place and what to do about it.
    #[cfg(feature = "toml")]
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Problems> {
        Self::from_text(name, text, toml::tree)
    }

    /// Reads rules in JSON, `{"allow": [...], "deny": [...]}`, where each is an object with the keys that a table has in TOML;
    /// `name` is how problems call the file. A member that stands twice is refused.
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place and what to do about it.
    pub fn from_json(name: &str, text: &str) -> Result<Self, Problems> {
        Self::from_text(name, text, json::tree)
    }

    /// Reads the rules in the file at `path`, `*.toml` (feature `toml`) or `*.json`, of at most [`MAX_RULES_BYTES`].
    ///
    /// # Errors
    /// [`Problems`]: all of them, each with its place and what to do about it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Problems> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let problem = |fault: Fault, text: String| Problem::new(fault.code(), &name, text);
        let text = read(path).map_err(|(fault, text)| problem(fault, text))?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::from_json(&name, &text),
            #[cfg(feature = "toml")]
            Some("toml") => Self::from_toml(&name, &text),
            #[cfg(not(feature = "toml"))]
            Some("toml") => {
                let text = "this program is built without TOML".into();
                let help = "write the rules in JSON, or build with the feature `toml` of agentauth-core";
                Err(problem(Fault::Unreadable, text).help(help).into())
            }
            _ => {
                let text = "the name does not say which language it is in".into();
                Err(problem(Fault::Unreadable, text).help("call it .toml or .json").into())
            }
        }
    }

    fn from_text(name: &str, text: &str, tree: fn(&str, &mut Faults) -> Option<Node>) -> Result<Self, Problems> {
        if text.len() > MAX_RULES_BYTES {
            return Err(Problem::new(Fault::Oversize.code(), name, oversize()).into());
        }
        let mut faults = Faults::default();
        let rules = tree(text, &mut faults).map(|root| reader::rules(&root, &mut faults)).unwrap_or_default();
        faults.into_problems(name, text).or(()).map(|()| Self::of(rules))
    }
}

fn oversize() -> String {
    format!("the file is larger than {MAX_RULES_BYTES} bytes")
}

fn read(path: &Path) -> Result<String, (Fault, String)> {
    let unreadable = |error: std::io::Error| (Fault::Unreadable, format!("it cannot be read: {error}"));
    let bytes = read_at_most(path, MAX_RULES_BYTES).map_err(unreadable)?;
    if bytes.len() > MAX_RULES_BYTES {
        return Err((Fault::Oversize, oversize()));
    }
    String::from_utf8(bytes).map_err(|_| (Fault::Unreadable, "it is not UTF-8".into()))
}
