use super::members;
use super::{AuthzenError, MAX_DECISION_BYTES};
use crate::text::Excerpt;

/// What a policy decision point publishes about itself (§9), as far as it is used here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PdpMetadata {
    /// Where it is asked one question.
    pub evaluation: Box<str>,
    /// Where it is asked several, if it can be.
    pub evaluations: Option<Box<str>>,
}

impl PdpMetadata {
    /// Reads the metadata of the decision point with this identifier. What is signed in it is not read.
    ///
    /// # Errors
    /// [`AuthzenError`]: also if it is another's, byte for byte (§9.2.3).
    pub fn read(document: &[u8], identifier: &str) -> Result<Self, AuthzenError> {
        let mut document = members::read(document, MAX_DECISION_BYTES)?;
        let found = members::text(&mut document, "policy_decision_point")?.unwrap_or_default();
        if found != identifier {
            return Err(AuthzenError::IdentifierMismatch(Excerpt::of(&found)));
        }
        let evaluation = members::text(&mut document, "access_evaluation_endpoint")?;
        Ok(Self {
            evaluation: evaluation.ok_or(AuthzenError::Missing("access_evaluation_endpoint"))?.into(),
            evaluations: members::text(&mut document, "access_evaluations_endpoint")?.map(Into::into),
        })
    }
}
