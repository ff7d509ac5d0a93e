//! Every check of a token, one by one: for a person who wants to know why it is refused.

use std::fmt;

use super::TokenError;
use super::TokenVerifier;
use super::checks::{check_actors, check_expiry, check_issue, check_kind, check_length, check_start, verify_signature};
use super::claims::{Claims, Cnf, Confirmation};
use super::issuer::CheckedIssuer;
use super::profile::{Reading, Source, TokenClaims};
use crate::jose::{CompactJws, JoseError};
use crate::time::Timestamp;

/// A rule that every access token must keep, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Three canonical base64url parts, and a header that is one strict JSON object.
    Form,
    /// An asymmetric algorithm that is supported.
    Algorithm,
    /// No critical extension, and no unencoded payload.
    Extensions,
    /// The kind of token.
    Type,
    /// The claims are one strict JSON object with the right types.
    Claims,
    /// The issuer is trusted.
    Issuer,
    /// The issuer's profile takes this kind of token, and nothing shows that it is of another.
    Kind,
    /// The signature is good under the issuer's key.
    Signature,
    /// The token has not expired.
    Expiry,
    /// The token is valid already.
    Start,
    /// The token was not issued in the future.
    Issue,
    /// The token does not last longer than its issuer may make it.
    Length,
    /// The token is for this server, and for no other.
    Audience,
    /// Actors are named by an issuer that is trusted to, and not too many.
    Actors,
    /// The issuer's profile knows how to read it.
    Profile,
    /// How the holder is to be known is stated in one way that is supported.
    Confirmation,
    /// Its status, if it has one, is valid.
    Status,
}

impl Rule {
    /// All rules, in the order in which they are checked.
    pub const ALL: [Self; 17] = [
        Self::Form,
        Self::Algorithm,
        Self::Extensions,
        Self::Type,
        Self::Claims,
        Self::Issuer,
        Self::Kind,
        Self::Signature,
        Self::Expiry,
        Self::Start,
        Self::Issue,
        Self::Length,
        Self::Audience,
        Self::Actors,
        Self::Profile,
        Self::Confirmation,
        Self::Status,
    ];

    /// What the rule asks for.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Form => "a compact JWS of three canonical parts, with a strict JSON header",
            Self::Algorithm => "signed with a supported asymmetric algorithm",
            Self::Extensions => "no critical extensions, payload encoded",
            Self::Type => "typ is that of an access token",
            Self::Claims => "the claims are one strict JSON object, without duplicates",
            Self::Issuer => "iss is a trusted issuer, byte for byte",
            Self::Kind => "nothing shows a token of another kind",
            Self::Signature => "the signature is good under a key of the issuer",
            Self::Expiry => "exp has not passed",
            Self::Start => "nbf has come",
            Self::Issue => "iat is not in the future",
            Self::Length => "from iat to exp is no longer than tokens may last",
            Self::Audience => "aud is this server, and it alone",
            Self::Actors => "act only from an issuer that delegates, and not too deep",
            Self::Profile => "the claims have the shape of the issuer's profile",
            Self::Confirmation => "cnf, if any, is one supported method",
            Self::Status => "its status list, if it names one, says that it is valid",
        }
    }

    /// Where the rule comes from.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Form => "RFC 7515 §7.1",
            Self::Algorithm => "RFC 8725bis §3.1, §3.2",
            Self::Extensions => "RFC 7515 §4.1.11",
            Self::Type => "RFC 9068 §4, RFC 8725bis §3.11",
            Self::Claims => "RFC 7519 §4, RFC 8259 §4",
            Self::Issuer => "RFC 8725bis §3.8",
            Self::Kind => "RFC 8725bis §3.12",
            Self::Signature => "RFC 7515 §5.2",
            Self::Expiry => "RFC 7519 §4.1.4",
            Self::Start => "RFC 7519 §4.1.5",
            Self::Issue => "RFC 7519 §4.1.6",
            Self::Length => "RFC 6750 §5.3",
            Self::Audience => "RFC 9068 §4, RFC 8707 §2",
            Self::Actors => "RFC 8693 §4.1",
            Self::Profile => "RFC 9068 §2.2",
            Self::Confirmation => "RFC 7800 §3.1",
            Self::Status => "draft-ietf-oauth-status-list §8.3",
        }
    }

    /// The rule of form that `error` breaks.
    const fn of_form(error: &JoseError) -> Self {
        match error {
            JoseError::AlgorithmMissing
            | JoseError::AlgorithmNone
            | JoseError::AlgorithmSymmetric(_)
            | JoseError::AlgorithmUnsupported(_) => Self::Algorithm,
            JoseError::CriticalUnsupported | JoseError::UnencodedPayload => Self::Extensions,
            _ => Self::Form,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What came of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The token keeps it.
    Passed,
    /// The token breaks it.
    Failed(TokenError),
    /// It could not be checked, because of an earlier one.
    NotReached,
}

/// One rule, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// What came of it.
    pub outcome: Outcome,
}

/// Every check of one token. See [`TokenVerifier::explain`].
#[derive(Debug)]
pub struct Explanation {
    checks: Vec<Check>,
    reading: Option<Reading>,
    confirmation: Option<Confirmation>,
}

impl Explanation {
    /// The checks, in their order.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether the token keeps every rule: exactly then [`TokenVerifier::verify`] accepts it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.outcome == Outcome::Passed)
    }

    /// What the token says, if it keeps every rule.
    #[must_use]
    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref().filter(|_| self.is_good())
    }

    /// The RFC 7638 thumbprint of the key that the token is bound to by DPoP (`cnf.jkt`, RFC 9449 §6.1), if it is.
    #[must_use]
    pub const fn dpop_key(&self) -> Option<&[u8; 32]> {
        match &self.confirmation {
            Some(Confirmation::Key(thumbprint)) => Some(thumbprint),
            _ => None,
        }
    }

    /// Rules that have not been noted before `rule` are kept by a token that got this far.
    fn note(&mut self, rule: Rule, result: Result<(), TokenError>) -> bool {
        let outcome = result.map_or_else(Outcome::Failed, |()| Outcome::Passed);
        let passed = outcome == Outcome::Passed;
        if let Some(check) = self.checks.iter_mut().find(|check| check.rule == rule) {
            check.outcome = outcome;
        }
        passed
    }
}

impl TokenVerifier {
    /// Checks `token` as [`TokenVerifier::verify`] does, but goes on after a failed rule wherever the next one can still
    /// be checked. For explanations: it costs more, and its result is no [`VerifiedToken`](super::VerifiedToken).
    #[must_use]
    pub fn explain(&self, token: &str, now: Timestamp) -> Explanation {
        let checks = Rule::ALL.map(|rule| Check { rule, outcome: Outcome::NotReached }).to_vec();
        let mut log = Explanation { checks, reading: None, confirmation: None };
        let jws = match CompactJws::parse(token) {
            Ok(jws) => jws,
            Err(error) => {
                let broken = Rule::of_form(&error);
                for rule in [Rule::Form, Rule::Algorithm].into_iter().take_while(|rule| *rule != broken) {
                    log.note(rule, Ok(()));
                }
                log.note(broken, Err(error.into()));
                return log;
            }
        };
        for rule in [Rule::Form, Rule::Algorithm, Rule::Extensions] {
            log.note(rule, Ok(()));
        }
        log.note(Rule::Type, self.check_type(jws.token_type()));
        let payload = match jws.unverified_payload() {
            Ok(payload) => payload,
            Err(error) => {
                log.note(Rule::Claims, Err(error.into()));
                return log;
            }
        };
        let mut claims = Claims::wanting(&self.wanted);
        match claims.read(&payload) {
            Ok(()) => {
                log.note(Rule::Claims, Ok(()));
                self.explain_claims(&mut log, &jws, &claims, now);
            }
            Err(error) => {
                log.note(Rule::Claims, Err(error));
            }
        }
        log
    }

    fn explain_claims(&self, log: &mut Explanation, jws: &CompactJws<'_>, claims: &Claims<'_>, now: Timestamp) {
        let (place, issuer) = match self.issuer_of(claims) {
            Ok(found) => found,
            Err(error) => {
                log.note(Rule::Issuer, Err(error));
                return;
            }
        };
        log.note(Rule::Issuer, Ok(()));
        log.note(Rule::Kind, check_kind(jws, claims, issuer));
        let signed =
            log.note(Rule::Signature, verify_signature(jws, issuer).map(|_| ()).map_err(|refused| refused.error));
        log.note(Rule::Expiry, check_expiry(claims, issuer, now).map(|_| ()));
        log.note(Rule::Start, check_start(claims, issuer, now).map(|_| ()));
        log.note(Rule::Issue, check_issue(claims, issuer, now).map(|_| ()));
        log.note(Rule::Length, check_length(claims, issuer));
        log.note(Rule::Audience, self.check_audience(claims, issuer));
        let actors = log.note(Rule::Actors, check_actors(claims, issuer));
        let confirmation = claims.cnf.as_ref().map(Cnf::confirmation).transpose();
        log.confirmation = confirmation.as_ref().ok().copied().flatten();
        log.note(Rule::Confirmation, confirmation.map(|_| ()));
        let status = claims.status.as_ref().map_or(Ok(None), |status| status.place(&issuer.status, issuer.id.as_str()));
        log.note(Rule::Status, status.and_then(|status| self.known_status(place, status.as_ref(), now)));
        // A profile is given nothing that its issuer has not signed, and no actors that are not to be believed.
        if signed && actors {
            log.reading = explain_profile(log, jws, claims, issuer);
        }
    }
}

fn explain_profile(
    log: &mut Explanation,
    jws: &CompactJws<'_>,
    claims: &Claims<'_>,
    issuer: &CheckedIssuer,
) -> Option<Reading> {
    match issuer.profile.read(&TokenClaims::new(claims, &issuer.id, Source::Token(jws.token_type()))) {
        Ok(reading) => {
            log.note(Rule::Profile, Ok(()));
            Some(reading)
        }
        Err(error) => {
            log.note(Rule::Profile, Err(error));
            None
        }
    }
}
