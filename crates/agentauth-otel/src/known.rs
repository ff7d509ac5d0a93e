//! Names that become labels: so many, and the rest together.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::StringValue;

use crate::names::OTHER;

/// A label is for people to read.
const MAX_LABEL_BYTES: usize = 128;

/// The first `limit` names that are met. Whatever comes after is one of the others: so the number of series stays bounded,
/// whoever makes the names.
#[derive(Debug)]
pub(crate) struct Known {
    names: RwLock<HashSet<Arc<str>>>,
    limit: usize,
}

impl Known {
    pub(crate) fn first(limit: usize) -> Self {
        Self { names: RwLock::default(), limit }
    }

    /// The label for `name`.
    pub(crate) fn label(&self, name: &str) -> StringValue {
        if name.len() > MAX_LABEL_BYTES {
            return OTHER.into();
        }
        let (found, has_room) = {
            // A set is whole at any moment.
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            (names.get(name).cloned(), names.len() < self.limit)
        };
        match found {
            Some(known) => known.into(),
            None if has_room => self.learn(name),
            None => OTHER.into(),
        }
    }

    fn learn(&self, name: &str) -> StringValue {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return Arc::clone(known).into();
        }
        if names.len() >= self.limit {
            return OTHER.into();
        }
        let kept: Arc<str> = name.into();
        names.insert(Arc::clone(&kept));
        kept.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_room_beyond_the_limit_whoever_comes_at_once() {
        let known = Known::first(2);
        // As two that have both seen the last place free.
        let labels = ["a", "b", "c", "b"].map(|name| known.learn(name).to_string());
        assert_eq!(labels, ["a", "b", "_other", "b"]);
        assert_eq!(["c", "a"].map(|name| known.label(name).to_string()), ["_other", "a"]);
        assert_eq!(Known::first(2).label(&"a".repeat(MAX_LABEL_BYTES + 1)).as_str(), OTHER);
    }
}
