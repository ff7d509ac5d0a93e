//! In what one authority is narrower than another, for people.

use std::fmt;

use super::grant::Grant;
use super::{Authority, Limited};
use crate::scope::Scope;

/// One way in which an authority is narrower than the one it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Narrowing {
    /// The action may not be done any more.
    Without(Scope),
    /// The action may be done within tighter limits.
    Within {
        /// The action.
        action: Scope,
        /// The limits that are new, in words.
        limits: Vec<String>,
    },
    /// Details of types of one's own are fewer, or others.
    OwnDetails,
}

impl Authority {
    /// In what this authority is narrower than `parent`; nothing if they are equal. Says nothing of whether it is within it:
    /// that is [`Authority::is_within`].
    #[must_use]
    pub fn narrowed_from(&self, parent: &Self) -> Vec<Narrowing> {
        let unlimited = |scope: &str| scope.parse().ok().map(Grant::of);
        let held: Vec<Grant> = parent.scopes.iter().filter_map(unlimited).chain(parent.grants().cloned()).collect();
        let mut narrowings: Vec<Narrowing> = held
            .iter()
            .filter_map(|held| {
                if self.scopes.contains(&held.action) || self.grants().any(|grant| held.is_within(grant)) {
                    return None;
                }
                let left = self.grants().filter(|grant| grant.is_within(held));
                let limits: Vec<String> = left.map(|grant| grant.limits_beside(held)).collect();
                let action = held.action.clone();
                Some(if limits.is_empty() { Narrowing::Without(action) } else { Narrowing::Within { action, limits } })
            })
            .collect();
        if own(self.limited()) != own(parent.limited()) {
            narrowings.push(Narrowing::OwnDetails);
        }
        narrowings
    }
}

fn own(limited: &Limited) -> &super::own_type::OwnDetails {
    &limited.details
}

impl fmt::Display for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without(action) => write!(f, "without {action}"),
            Self::Within { action, limits } => write!(f, "{action} only {}", limits.join("; or ")),
            Self::OwnDetails => f.write_str("other details of the issuer's own types"),
        }
    }
}

impl Grant {
    /// All limits of the grant, in words: `on case `17`, with fee an integer from 0 to 500`.
    #[must_use]
    pub fn in_words(&self) -> String {
        self.limits_beside(&Self::of(self.action.clone()))
    }

    /// The limits that this grant has and `other` has not, in words.
    fn limits_beside(&self, other: &Self) -> String {
        let mut limits: Vec<String> = Vec::new();
        if self.reach != other.reach {
            limits.push(self.reach.to_string());
        }
        for (name, constraint) in &self.arguments {
            if !other.arguments.iter().any(|(known, same)| (known, same) == (name, constraint)) {
                limits.push(format!("with {name} {constraint}"));
            }
        }
        if self.closed && !other.closed {
            limits.push("without other arguments".into());
        }
        if self.not_before != other.not_before {
            limits.push(format!("from {}", self.not_before));
        }
        if let Some(expires) = self.expires.filter(|expires| Some(*expires) != other.expires) {
            limits.push(format!("until {expires}"));
        }
        if let Some(audiences) =
            self.audiences.as_ref().filter(|audiences| Some(*audiences) != other.audiences.as_ref())
        {
            let names: Vec<&str> = audiences.iter().map(crate::identity::ResourceId::as_str).collect();
            limits.push(format!("at {}", names.join(" or ")));
        }
        match self.depth {
            depth if depth == other.depth => {}
            Some(0) => limits.push("by itself: not to be passed on".into()),
            Some(1) => limits.push("to be passed on once more".into()),
            Some(depth) => limits.push(format!("to be passed on {depth} times more")),
            None => {}
        }
        if let Some(uses) = self.uses.filter(|uses| Some(*uses) != other.uses) {
            limits.push(if uses == 1 { "once".into() } else { format!("{uses} times") });
        }
        limits.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ResourceId;
    use crate::scope::Constraint;
    use crate::time::Timestamp;

    fn file() -> Grant {
        Grant::new("motions:file").unwrap()
    }

    fn narrowed(child: impl IntoIterator<Item = Grant>, scopes: &str, parent: &Authority) -> Vec<String> {
        let child = Authority::new(scopes.parse().unwrap(), child).unwrap();
        child.narrowed_from(parent).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_limit_has_its_words() {
        let parent = Authority::of_scopes("motions:file records:read".parse().unwrap());
        for (grant, words) in [
            (file().on("case", "17").unwrap(), "on case `17`"),
            (file().below("case", "2026").unwrap(), "on case `2026` and below"),
            (file().on_kind("case").unwrap(), "on a case"),
            (
                file().argument("fee", Constraint::integers(0..=500).unwrap()).unwrap(),
                "with fee an integer from 0 to 500",
            ),
            (file().argument("fee", Constraint::decimals(0.5..=2.0).unwrap()).unwrap(), "with fee from 0.5 to 2"),
            (file().argument("to", Constraint::one_of(["a", "b"]).unwrap()).unwrap(), "with to \"a\" or \"b\""),
            (
                file().argument("to", Constraint::subset_of(["a", "b"]).unwrap()).unwrap(),
                "with to some of \"a\", \"b\"",
            ),
            (
                file().argument("t", Constraint::length(..=20).unwrap()).unwrap(),
                "with t a text of at most 20 characters",
            ),
            (file().argument("t", Constraint::length(2..=20).unwrap()).unwrap(), "with t a text of 2 to 20 characters"),
            (file().argument("p", Constraint::below("a/b").unwrap()).unwrap(), "with p `a/b` or below"),
            (file().no_other_arguments(), "without other arguments"),
            (file().valid_from(Timestamp::from_secs(60)), "from 1970-01-01T00:01:00Z"),
            (file().valid_until(Timestamp::from_secs(60)), "until 1970-01-01T00:01:00Z"),
            (file().audience(ResourceId::new("https://a").unwrap()), "at https://a"),
            (file().depth(0), "by itself: not to be passed on"),
            (file().depth(2), "to be passed on 2 times more"),
            (file().uses(3), "3 times"),
        ] {
            assert_eq!(grant.in_words(), words);
            assert_eq!(narrowed([grant], "records:read", &parent), [format!("motions:file only {words}")]);
        }
    }

    #[test]
    fn only_what_is_new_is_said() {
        let parent =
            Authority::new("records:read".parse().unwrap(), [file().on("case", "17").unwrap().uses(3)]).unwrap();
        let same = parent.clone();
        assert!(same.narrowed_from(&parent).is_empty());
        let child = file().on("case", "17").unwrap().uses(1);
        assert_eq!(narrowed([child], "", &parent), ["without records:read", "motions:file only once"]);
        assert_eq!(narrowed([], "records:read", &parent), ["without motions:file"]);
    }
}
