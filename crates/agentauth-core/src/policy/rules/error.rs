use crate::text::Excerpt;

/// A set of rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A rule leaves one of its parts open.
    #[error("rule `{rule}` does not say which {part} it is for; say any() if it is for all")]
    Incomplete {
        /// The rule.
        rule: Box<str>,
        /// The part that is missing.
        part: &'static str,
    },
    /// Two rules have one name, so the record could not tell them apart.
    #[error("rule `{0}` stands twice")]
    Duplicate(Box<str>),
    /// An explicit deny looks at arguments: an argument left out would slip past it.
    #[error("deny rule `{0}` has argument limits; state what is allowed instead")]
    DenyWithArguments(Box<str>),
    /// An explicit deny that asks for approval: it would not be one.
    #[error("deny rule `{0}` needs approval; make it a rule that allows, or leave needs_approval out")]
    DenyWithApproval(Box<str>),
    /// An explicit deny on condition of something: it would not be one.
    #[error("deny rule `{0}` has a condition; make it a rule that allows, or leave on_condition_of out")]
    DenyWithCondition(Box<str>),
    /// Nobody could approve in time, or what was approved would count for too long.
    #[error("rule `{0}` has an approval that does not last between a second and 7 days")]
    ApprovalLifetime(Box<str>),
    /// What the caller is to be told could not be told as it is.
    #[error(
        "rule `{0}` tells the caller nothing, more than 512 bytes, or control characters; make it one short sentence"
    )]
    Telling(Box<str>),
}

impl RulesError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "rule_incomplete",
            Self::Duplicate(_) => "rule_duplicate",
            Self::DenyWithArguments(_) => "rule_deny_with_arguments",
            Self::DenyWithApproval(_) => "rule_deny_with_approval",
            Self::DenyWithCondition(_) => "rule_deny_with_condition",
            Self::ApprovalLifetime(_) => "rule_approval_lifetime",
            Self::Telling(_) => "rule_telling",
        }
    }

    /// What is wrong, and what to do about it, in the words of a file of rules.
    pub(super) fn in_a_file(&self) -> (String, String) {
        let (text, help) = match self {
            Self::Incomplete { rule, part } => {
                (format!("rule `{}` does not say which {part} it is for", Excerpt::of(rule)), Self::help_for(part))
            }
            Self::Duplicate(rule) => (
                format!("rule `{}` stands twice", Excerpt::of(rule)),
                "the record names rules by their ids; use another",
            ),
            Self::DenyWithArguments(rule) => (
                format!("deny rule `{}` has argument limits", Excerpt::of(rule)),
                "an argument left out would slip past it; state in an allow rule what is allowed instead",
            ),
            Self::DenyWithApproval(rule) | Self::DenyWithCondition(rule) => (
                format!("deny rule `{}` has a condition", Excerpt::of(rule)),
                "make it an allow rule, or leave the condition out",
            ),
            Self::ApprovalLifetime(rule) => (
                format!("rule `{}` has an approval that does not last between a second and 7 days", Excerpt::of(rule)),
                "write for how long it counts, such as 8h",
            ),
            Self::Telling(rule) => (
                format!(
                    "the message of rule `{}` is empty, longer than 512 bytes, or has control characters",
                    Excerpt::of(rule)
                ),
                "make it one short sentence for the caller",
            ),
        };
        (text, help.into())
    }

    fn help_for(part: &str) -> &'static str {
        match part {
            "action" => "name it with action, or several with actions; there is no action for all",
            "agents" => "add agents; say \"any\" if it is for all",
            "principals" => "add principals; say \"any\" if it is for all",
            _ => "add resources; say \"any\" if it is for all, and for actions that have none",
        }
    }
}
