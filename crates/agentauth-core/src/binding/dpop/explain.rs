//! Every check of a proof, one by one: for a person who wants to know why it is refused.

use super::{DpopError, DpopVerifier, ProofContext};
use crate::time::Timestamp;

/// A rule that every DPoP proof must keep, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProofRule {
    /// The token is bound to a key, and is sent with the `DPoP` scheme and one proof.
    Scheme,
    /// One well-formed signed JWT (checks 1 and 2).
    Form,
    /// A supported asymmetric algorithm (check 5).
    Algorithm,
    /// The header's key can be used, and is public (checks 6 and 7).
    Key,
    /// The required claims are there (check 3).
    Claims,
    /// The kind of token (check 4).
    Type,
    /// The algorithm is allowed here (check 5).
    Allowed,
    /// The signature is good under the header's key (check 6).
    Signature,
    /// The method is the request's (check 8).
    Method,
    /// The URI is the request's (check 9).
    Target,
    /// The nonce is one that the server gave (check 10).
    Nonce,
    /// The proof was made just now (check 11).
    Age,
    /// The proof is for this token (check 12 a).
    Token,
    /// The proof's key is the one that the token is bound to (check 12 b).
    Binding,
}

impl ProofRule {
    /// All rules, in the order in which they are checked.
    pub const ALL: [Self; 14] = [
        Self::Scheme,
        Self::Form,
        Self::Algorithm,
        Self::Key,
        Self::Claims,
        Self::Type,
        Self::Allowed,
        Self::Signature,
        Self::Method,
        Self::Target,
        Self::Nonce,
        Self::Age,
        Self::Token,
        Self::Binding,
    ];

    /// What the rule asks for.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Scheme => "the token is bound to a DPoP key",
            Self::Form => "one well-formed signed JWT",
            Self::Algorithm => "signed with a supported asymmetric algorithm",
            Self::Key => "the header carries a usable public key, and no private one",
            Self::Claims => "jti, htm, htu, iat and ath are there",
            Self::Type => "typ is dpop+jwt",
            Self::Allowed => "the algorithm is allowed",
            Self::Signature => "the signature is good under the header's key",
            Self::Method => "htm is the method of the request",
            Self::Target => "htu is the URI of the request",
            Self::Nonce => "the nonce, if the server gives any, is one of its own",
            Self::Age => "iat is just now",
            Self::Token => "ath is the hash of the token",
            Self::Binding => "the key is the one that the token is bound to",
        }
    }

    /// Where the rule comes from.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Scheme => "RFC 9449 §6.1, §7.2",
            Self::Form => "RFC 9449 §4.3 (2)",
            Self::Algorithm | Self::Allowed => "RFC 9449 §4.3 (5)",
            Self::Key => "RFC 9449 §4.3 (6, 7)",
            Self::Claims => "RFC 9449 §4.3 (3)",
            Self::Type => "RFC 9449 §4.3 (4)",
            Self::Signature => "RFC 9449 §4.3 (6)",
            Self::Method => "RFC 9449 §4.3 (8)",
            Self::Target => "RFC 9449 §4.3 (9)",
            Self::Nonce => "RFC 9449 §4.3 (10)",
            Self::Age => "RFC 9449 §4.3 (11)",
            Self::Token | Self::Binding => "RFC 9449 §4.3 (12)",
        }
    }
}

impl DpopError {
    /// The rule that is broken; `None` for a replay, which only the store of the server knows of.
    #[must_use]
    pub fn rule(&self) -> Option<ProofRule> {
        Some(match self {
            Self::ProofMissing | Self::BoundTokenAsBearer | Self::TokenNotBound | Self::ProofWithBearer => {
                ProofRule::Scheme
            }
            Self::ProofRepeated | Self::ProofOversize | Self::ProofMalformed(_) => ProofRule::Form,
            Self::AlgorithmNone | Self::AlgorithmSymmetric(_) | Self::AlgorithmUnsupported(_) => ProofRule::Algorithm,
            Self::KeyMissing | Self::KeyPrivate | Self::KeyUnusable(_) => ProofRule::Key,
            Self::ClaimMissing("ath") => ProofRule::Token,
            Self::ClaimMissing(_) | Self::ClaimMalformed(_) => ProofRule::Claims,
            Self::TypeWrong(_) => ProofRule::Type,
            Self::AlgorithmNotAllowed(_) => ProofRule::Allowed,
            Self::Signature => ProofRule::Signature,
            Self::MethodMismatch(_) => ProofRule::Method,
            Self::TargetMismatch(_) => ProofRule::Target,
            Self::NonceRequired | Self::NonceRefused => ProofRule::Nonce,
            Self::TooOld(_) | Self::InFuture(_) => ProofRule::Age,
            Self::TokenMismatch => ProofRule::Token,
            Self::KeyMismatch => ProofRule::Binding,
            Self::Replayed | Self::ReplayUnavailable => return None,
        })
    }
}

/// What came of one rule: kept, broken for this reason, or not reached because of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofOutcome {
    /// The proof keeps it.
    Passed,
    /// The proof breaks it.
    Failed(DpopError),
    /// It was not checked, because of an earlier one.
    NotReached,
}

impl DpopVerifier {
    /// What [`DpopVerifier::verify`] makes of `proof`, rule by rule. It stops at the first that is broken, and does not
    /// ask whether the proof was used before.
    #[must_use]
    pub fn explain(&self, proof: &str, request: &ProofContext<'_>, now: Timestamp) -> Vec<(ProofRule, ProofOutcome)> {
        let error = self.verify(proof, request, now).err();
        let broken = error.as_ref().and_then(DpopError::rule);
        let outcome = |rule| match broken {
            Some(broken) if rule > broken => ProofOutcome::NotReached,
            Some(broken) if rule == broken => error.clone().map_or(ProofOutcome::NotReached, ProofOutcome::Failed),
            _ => ProofOutcome::Passed,
        };
        ProofRule::ALL.into_iter().map(|rule| (rule, outcome(rule))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_in_the_order_of_their_checks() {
        assert!(ProofRule::ALL.is_sorted());
    }
}
