//! How often what only rehearses would have decided otherwise.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::{Effect, WouldFlip};

/// Of so many policies and engines in shadow mode the flips are counted apart; those of more are counted together. Nobody
/// rehearses more at a time.
pub const MAX_FLIP_NAMES: usize = 1024;

/// How often one policy or engine in shadow mode would have decided otherwise, since the engine was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FlipCount {
    /// The policy, or the name of the engine. `None` for all of those that were met after the first [`MAX_FLIP_NAMES`].
    pub policy: Option<Box<str>>,
    /// How often it would have permitted what was denied.
    pub to_allow: u64,
    /// How often it would have denied what was permitted.
    pub to_deny: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Flips {
    to_allow: u64,
    to_deny: u64,
}

impl Flips {
    const fn add(&mut self, to: Effect) {
        match to {
            Effect::Allow => self.to_allow = self.to_allow.saturating_add(1),
            Effect::Deny => self.to_deny = self.to_deny.saturating_add(1),
        }
    }
}

/// Counts flips.
#[derive(Debug, Default)]
pub(crate) struct FlipCounts {
    counted: Mutex<(BTreeMap<Box<str>, Flips>, Flips)>,
}

impl FlipCounts {
    pub(crate) fn count(&self, flips: &[WouldFlip]) {
        if flips.is_empty() {
            return;
        }
        // A count is whole at any moment.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, others) = &mut *counted;
        for flip in flips {
            let has_room = known.len() < MAX_FLIP_NAMES;
            match known.get_mut(&flip.policy) {
                Some(count) => count.add(flip.to),
                None if has_room => known.entry(flip.policy.clone()).or_default().add(flip.to),
                None => others.add(flip.to),
            }
        }
    }

    /// By name; what was counted together last.
    pub(crate) fn all(&self) -> Vec<FlipCount> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, others) = &*counted;
        let count = |policy, flips: Flips| FlipCount { policy, to_allow: flips.to_allow, to_deny: flips.to_deny };
        let named = known.iter().map(|(name, flips)| count(Some(name.clone()), *flips));
        let has_others = others.to_allow > 0 || others.to_deny > 0;
        named.chain(has_others.then(|| count(None, *others))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_names_than_are_kept_apart_are_counted_together() {
        let counts = FlipCounts::default();
        let flip = |name: usize, to| WouldFlip::new(format!("p{name}"), to);
        for name in 0..MAX_FLIP_NAMES + 3 {
            counts.count(&[flip(name, Effect::Deny)]);
        }
        counts.count(&[flip(0, Effect::Allow), flip(MAX_FLIP_NAMES, Effect::Allow)]);
        let all = counts.all();
        assert_eq!(all.len(), MAX_FLIP_NAMES + 1);
        let last = all.last().unwrap();
        assert_eq!((last.policy.as_deref(), last.to_allow, last.to_deny), (None, 1, 3));
        assert_eq!((all[0].policy.as_deref(), all[0].to_allow, all[0].to_deny), (Some("p0"), 1, 1));
    }
}
