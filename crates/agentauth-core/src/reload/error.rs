use crate::audit::AuditError;
use crate::policy::{CaseReport, Problems};

/// Why other policies were not put into force. Those before still are.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// They cannot be read, or are wrong.
    #[error("the policies are refused:\n{0}")]
    Refused(Problems),
    /// They do not decide as their cases say.
    #[error("the policies do not decide as their cases say: correct the policies, or the cases\n{0}")]
    CasesFailed(CaseReport),
    /// What is not on record does not happen.
    #[error("the policies are good, and are not put into force, since that could not be recorded: {0}")]
    Unrecorded(AuditError),
    /// Another reload is at work.
    #[error("the policies are being read already; ask again when that is done")]
    Busy,
}

impl ReloadError {
    /// The stable machine code of this failure. For policies that are refused it is that of the first problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(problems) => match problems.iter().next() {
                Some(problem) => problem.code,
                None => "policy_refused",
            },
            Self::CasesFailed(_) => "policy_cases_failed",
            Self::Unrecorded(_) => "policy_reload_unrecorded",
            Self::Busy => "policy_reload_busy",
        }
    }

    /// In one line, for the record.
    pub(super) fn in_brief(&self) -> String {
        match self {
            Self::Refused(problems) => match problems.iter().next() {
                Some(first) => format!("the policies are refused: {}", first.in_brief()),
                None => "the policies are refused".into(),
            },
            Self::CasesFailed(report) => {
                let names: Vec<&str> = report.failures().map(|outcome| &*outcome.name).take(MAX_NAMES).collect();
                format!("{} cases of the policies fail: {}", report.failed(), names.join(", "))
            }
            Self::Unrecorded(_) | Self::Busy => self.to_string(),
        }
    }
}

/// So many failed cases are named on record.
const MAX_NAMES: usize = 10;
