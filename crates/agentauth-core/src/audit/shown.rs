//! Which arguments are shown in the record: none, unless it is said which.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::recorded::MAX_SHOWN_DEPTH;
use crate::jose::json;
use crate::policy::Arguments;

/// A longer value has no place in a record, in bytes of JSON: it is left out. So is one of more than 29 levels, or with an object of
/// more than 256 members.
pub const MAX_SHOWN_VALUE_BYTES: usize = 1024;

/// What is shown of one action's arguments altogether, in bytes of JSON.
pub const MAX_SHOWN_BYTES: usize = 8 * 1024;

/// The names of the arguments that the record shows.
#[derive(Debug, Default)]
pub(crate) struct ShownArguments(BTreeSet<Box<str>>);

impl ShownArguments {
    pub(crate) fn add<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        self.0.extend(names.into_iter().map(Into::into));
    }

    /// Those of `arguments` that are shown, whole, as far as there is room. Nothing if none are.
    pub(crate) fn of(&self, arguments: &Arguments) -> Option<Value> {
        let mut room = MAX_SHOWN_BYTES;
        let mut shown = Map::new();
        for name in &self.0 {
            let Some(value) = arguments.get(name) else { continue };
            let Ok(written) = serde_json::to_vec(value) else { continue };
            let needed = written.len().saturating_add(name.len());
            // What could not be read back would keep the record from being read.
            let is_readable = || json::tree(&written, MAX_SHOWN_VALUE_BYTES, MAX_SHOWN_DEPTH).is_ok();
            if needed <= room && is_readable() {
                room = room.saturating_sub(needed);
                shown.insert(String::from(&**name), value.clone());
            }
        }
        (!shown.is_empty()).then_some(Value::Object(shown))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_is_shown_whole_or_not_at_all() {
        let mut shown = ShownArguments::default();
        let arguments =
            Arguments::of(&json!({"fee": 1, "pin": "1234", "title": "x".repeat(2000), "to": {"a": 1}})).unwrap();
        assert_eq!(shown.of(&arguments), None);
        shown.add(["fee", "title", "to", "other"]);
        assert_eq!(shown.of(&arguments), Some(json!({"fee": 1, "to": {"a": 1}})));
        assert_eq!(shown.of(&Arguments::of(&json!({})).unwrap()), None);

        let names: Vec<String> = (0..20).map(|n| format!("n{n:02}")).collect();
        shown.add(names.iter().map(String::as_str));
        let many: Map<String, Value> = names.iter().map(|name| (name.clone(), json!("x".repeat(1000)))).collect();
        let kept = shown.of(&Arguments::of(&many).unwrap()).unwrap();
        assert_eq!(kept.as_object().unwrap().len(), 8);
    }
}
