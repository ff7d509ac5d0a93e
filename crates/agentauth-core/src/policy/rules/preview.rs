//! What may come of an action whose arguments, and perhaps resource, are not known yet.

use std::fmt::Write as _;

use super::Rules;
use super::complete::CompleteRule;
use crate::policy::{Preview, PreviewRequest, PreviewResource};
use crate::text::Excerpt;

/// More rules than a person reads are counted.
const MAX_NAMED: usize = 3;

impl Rules {
    pub(super) fn look_ahead(&self, request: &PreviewRequest<'_>) -> Preview {
        let sought = self.keys.of(&request.caller, request.action, request.resource);
        let mut denying = Vec::new();
        let deny = self.enforced.deny.find(&self.keys.with_holders(&sought, request.caller.holders));
        for rule in self.these(deny) {
            match can_match(rule, request) {
                Some(true) => return Preview::Never,
                Some(false) => denying.push(rule),
                None => {}
            }
        }
        let (mut allowing, mut is_certain) = (Vec::new(), denying.is_empty());
        let mut in_any_case = false;
        for rule in self.these(self.enforced.allow.find(&sought)).filter(|rule| rule.can_allow()) {
            if let Some(certain) = can_match(rule, request) {
                in_any_case |= certain && rule.allows_whatever_is_given();
                // Its condition would count, and may not be met.
                is_certain &= rule.conditions.is_empty();
                allowing.push(rule);
            }
        }
        match allowing.as_slice() {
            [] => Preview::Never,
            _ if is_certain && in_any_case => Preview::Always,
            allowing => {
                let mut text = String::from("allowed by ");
                name(allowing, &mut text);
                if !denying.is_empty() {
                    text.push_str("; denied by ");
                    name(&denying, &mut text);
                }
                Preview::Possibly(Some(text.into()))
            }
        }
    }
}

/// Whether `rule` matches all but the arguments: for certain, or depending on the resource.
fn can_match(rule: &CompleteRule, request: &PreviewRequest<'_>) -> Option<bool> {
    if !rule.has_action(request.action) || !rule.is_about(&request.caller) {
        return None;
    }
    match request.resource {
        PreviewResource::Unknown => Some(rule.resources.contains(None)),
        PreviewResource::None => rule.resources.contains(None).then_some(true),
        PreviewResource::Known(resource) => rule.resources.contains(Some(resource)).then_some(true),
    }
}

fn name(rules: &[&CompleteRule], text: &mut String) {
    for (index, rule) in rules.iter().take(MAX_NAMED).enumerate() {
        let gap = if index == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{gap}`{}`", Excerpt::of(&rule.id));
    }
    if let Some(more @ 1..) = rules.len().checked_sub(MAX_NAMED) {
        let _ = write!(text, " and {more} more");
    }
}
