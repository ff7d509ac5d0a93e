//! Lists of checks, for people and for programs.

use std::io::{self, Write};

use agentauth_core::binding::dpop::{ProofOutcome, ProofRule};
use agentauth_core::identity::svid::{SvidOutcome, SvidRule};
use agentauth_core::token::{Explanation, Outcome};
use agentauth_spiffe::files::FilesError;
use serde::Serialize;

use crate::look::{Look, Mark};
use crate::text::{counted, shown};

/// Checks that belong together: those of the token, or of what comes with it.
#[derive(Debug, Serialize)]
pub(crate) struct CheckList {
    pub(crate) of: &'static str,
    pub(crate) checks: Vec<Checked>,
}

/// One rule, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) rule: &'static str,
    pub(crate) section: &'static str,
    #[serde(flatten)]
    pub(crate) result: CheckResult,
    /// What helps to find out why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum CheckResult {
    Passed,
    Failed { code: &'static str, error: String },
    NotReached,
}

impl CheckList {
    /// The checks of the token itself.
    pub(crate) fn of_token(explanation: &Explanation) -> Self {
        let checks = explanation.checks().iter().map(|check| Checked {
            rule: check.rule.text(),
            section: check.rule.section(),
            result: match &check.outcome {
                Outcome::Passed => CheckResult::Passed,
                Outcome::Failed(error) => CheckResult::Failed { code: error.code(), error: error.to_string() },
                _ => CheckResult::NotReached,
            },
            remarks: Vec::new(),
        });
        Self { of: "token", checks: checks.collect() }
    }

    /// The checks of the proof that came with it.
    pub(crate) fn of_proof(checks: &[(ProofRule, ProofOutcome)]) -> Self {
        let checks = checks.iter().map(|(rule, outcome)| Checked {
            rule: rule.text(),
            section: rule.section(),
            result: match outcome {
                ProofOutcome::Passed => CheckResult::Passed,
                ProofOutcome::Failed(error) => CheckResult::Failed { code: error.code(), error: error.to_string() },
                _ => CheckResult::NotReached,
            },
            remarks: Vec::new(),
        });
        Self { of: "proof", checks: checks.collect() }
    }

    /// The checks of a certificate.
    pub(crate) fn of_svid(checks: &[(SvidRule, SvidOutcome)]) -> Self {
        let checks = checks.iter().map(|(rule, outcome)| Checked {
            rule: rule.text(),
            section: rule.section(),
            result: match outcome {
                SvidOutcome::Passed => CheckResult::Passed,
                SvidOutcome::Failed(error) => CheckResult::Failed { code: error.code(), error: error.to_string() },
                _ => CheckResult::NotReached,
            },
            remarks: Vec::new(),
        });
        Self { of: "certificate", checks: checks.collect() }
    }

    /// The check of the bundles, which they did not pass.
    pub(crate) fn of_refused_bundles(refusal: &FilesError) -> Self {
        let result = CheckResult::Failed { code: refusal.code(), error: refusal.to_string() };
        let rule = "no bundle holds roots that certify web sites for everyone";
        let check = Checked { rule, section: "SPIFFE Trust Domain and Bundle §3", result, remarks: Vec::new() };
        Self { of: "bundles", checks: vec![check] }
    }

    /// Adds what `remarks` has to say about the code of each check that failed.
    pub(crate) fn with_remarks(mut self, remarks: impl Fn(&str) -> Vec<String>) -> Self {
        for check in &mut self.checks {
            if let CheckResult::Failed { code, .. } = &check.result {
                check.remarks = remarks(code);
            }
        }
        self
    }

    pub(crate) fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.result.mark() == Mark::Passed)
    }

    fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let width = self.checks.iter().map(|check| check.rule.len()).max().unwrap_or_default();
        writeln!(out, "{}", look.title(&format!("Checks of the {}", self.of)))?;
        for check in &self.checks {
            let mark = look.mark(check.result.mark());
            let section = look.section(check.section);
            writeln!(out, "  {mark} {:width$}  {}", check.rule, look.dim(&section))?;
            if let CheckResult::Failed { code, error } = &check.result {
                writeln!(out, "      {code}: {}", shown(error))?;
            }
            for remark in &check.remarks {
                writeln!(out, "      {}", shown(remark))?;
            }
        }
        writeln!(out)
    }
}

impl CheckResult {
    const fn mark(&self) -> Mark {
        match self {
            Self::Passed => Mark::Passed,
            Self::Failed { .. } => Mark::Failed,
            Self::NotReached => Mark::NotReached,
        }
    }
}

/// Writes all lists, and what they come to.
pub(crate) fn write_lists(out: &mut impl Write, look: Look, lists: &[CheckList]) -> io::Result<()> {
    for list in lists {
        list.write(out, look)?;
    }
    let count = |mark| lists.iter().flat_map(|list| &list.checks).filter(|check| check.result.mark() == mark).count();
    let (failed, missed) = (count(Mark::Failed), count(Mark::NotReached));
    if failed + missed == 0 {
        return writeln!(out, "{}", look.coloured(Mark::Passed, "Accepted."));
    }
    let failed = counted(failed, "check failed", "checks failed");
    let missed = if missed == 0 { String::new() } else { format!(", {missed} could not be made") };
    writeln!(out, "{} {failed}{missed}.", look.coloured(Mark::Failed, "Refused:"))
}
