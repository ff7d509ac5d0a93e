//! What a token service answers (RFC 8693 §2.2.1, RFC 6749 §5): read strictly, and believed in nothing that widens.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::{Holder, StsProfile};
use crate::delegation::exchange::AskedDetails;
use crate::delegation::{ExchangeRequest, IssuedToken};
use crate::jose::json::{self, Members, Value};
use crate::jose::{JsonError, MAX_TOKEN_BYTES};
use crate::scope::{Authority, DetailTypes, MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH, ScopeSet};
use crate::text::Excerpt;
use crate::time::Timestamp;

pub(in crate::delegation) const GRANT_TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Access tokens are what is exchanged, and what is wanted (RFC 8693 §3).
pub(in crate::delegation) const TYPE_ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Why the answer of a token service cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The service refused.
    #[error("the token service refused with {0}; its own record has the reason")]
    Refused(Excerpt),
    /// The answer, or the token in it, is not what it must be in form (RFC 8693 §2.2.1).
    #[error("the token service's answer is refused: {0}")]
    Malformed(JsonError),
    /// A member that must be there is missing.
    #[error("the token service's answer has no `{0}`")]
    Missing(&'static str),
    /// The token is not an access token to be sent: another type, `N_A`, an ID token, an assertion.
    #[error("the token service answered with another kind of token than an access token")]
    WrongKind,
    /// The token holds scopes that were not asked for: a narrower one was wanted, and this one must not travel.
    #[error("scopes `{asked}` were asked for, and the token service granted `{granted}`")]
    Widened {
        /// What was asked for.
        asked: ScopeSet,
        /// What came back.
        granted: ScopeSet,
    },
    /// The token grants details (RFC 9396) that were not asked for.
    #[error("the token service granted authorization_details that were not asked for")]
    DetailsWidened,
    /// The token holds more than was delegated to the caller for whom it was asked.
    #[error(
        "the token service granted `{granted}`, and the caller holds `{held}`: if the one includes the other, say so with .implications(..)"
    )]
    BeyondCaller {
        /// What the caller holds.
        held: ScopeSet,
        /// What came back.
        granted: ScopeSet,
    },
    /// The token is not for the one server that it was asked for.
    #[error("a token for `{asked}` alone was asked for, and the token service answered with one for {found}")]
    WrongAudience {
        /// The server, as the token service calls it.
        asked: Excerpt,
        /// Whom the token is for.
        found: Excerpt,
    },
    /// The token is bound to a key that this agent does not hold, or to none where it must be.
    #[error("the token service answered with a token that is not bound to this agent's key")]
    WrongBinding,
    /// The token has ended already.
    #[error("the token service answered with a token that has ended")]
    Expired,
    /// The token is the one that was to be exchanged.
    #[error("the token service gave back the token that it was to exchange")]
    NotExchanged,
}

impl AnswerError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "answer_refused",
            Self::Malformed(error) => error.code(),
            Self::Missing(_) => "answer_incomplete",
            Self::WrongKind => "answer_wrong_kind",
            Self::Widened { .. } | Self::DetailsWidened => "answer_widened",
            Self::BeyondCaller { .. } => "answer_beyond_caller",
            Self::WrongAudience { .. } => "answer_wrong_audience",
            Self::WrongBinding => "answer_wrong_binding",
            Self::Expired => "answer_expired",
            Self::NotExchanged => "answer_not_exchanged",
        }
    }
}

impl ExchangeRequest {
    /// Reads the token service's answer to this request, and checks that it is what was asked for: an access token,
    /// and no broader.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read_answer(&self, body: &[u8], now: Timestamp) -> Result<IssuedToken, AnswerError> {
        StsProfile::rfc8693().read_answer(self, &Holder::Unknown, body, now)
    }
}

/// The `error` of a token service's answer, if it is one (RFC 6749 §5.2).
#[must_use]
pub fn refusal_in(body: &[u8]) -> Option<String> {
    json::read::<Answer<'_>>(body).ok()?.error.map(Cow::into_owned)
}

#[derive(Default)]
pub(in crate::delegation) struct Answer<'de> {
    access_token: Option<Cow<'de, str>>,
    pub(in crate::delegation) issued_token_type: Option<Cow<'de, str>>,
    pub(super) token_type: Option<Cow<'de, str>>,
    pub(super) scope: Option<Cow<'de, str>>,
    expires_in: Option<u64>,
    error: Option<Cow<'de, str>>,
    /// RFC 9396 §7.
    details: Option<serde_json::Value>,
}

impl<'de> Answer<'de> {
    /// Reads an answer that grants something.
    pub(in crate::delegation) fn read(body: &'de [u8]) -> Result<Self, AnswerError> {
        let answer: Self = json::read(body).map_err(AnswerError::Malformed)?;
        match &answer.error {
            Some(error) => Err(AnswerError::Refused(Excerpt::of(error))),
            None => Ok(answer),
        }
    }

    /// What was issued, in characters that a header can carry, and no more of them than servers look at.
    pub(in crate::delegation) fn token(&self) -> Result<&str, AnswerError> {
        let token = self.access_token.as_deref().ok_or(AnswerError::Missing("access_token"))?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AnswerError::Malformed(JsonError::Oversize));
        }
        let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(is_token68) {
            return Err(AnswerError::Malformed(JsonError::WrongType(Excerpt::of("access_token"))));
        }
        Ok(token)
    }

    /// Refuses what was not asked for: a token that is used in another way than `token_type` says, or is of another type
    /// than `wanted`.
    pub(in crate::delegation) fn check_kind(
        &self,
        token_type: &str,
        issued: &str,
        wanted: &str,
    ) -> Result<(), AnswerError> {
        let found = self.token_type.as_deref().ok_or(AnswerError::Missing("token_type"))?;
        if found.eq_ignore_ascii_case(token_type) && issued == wanted { Ok(()) } else { Err(AnswerError::WrongKind) }
    }

    /// What was granted: what the answer says, or what was asked for if it says nothing (RFC 8693 §2.2.1).
    pub(in crate::delegation) fn granted(&self, asked: Option<&ScopeSet>) -> Result<ScopeSet, AnswerError> {
        self.granted_below("", asked)
    }

    /// Like [`Answer::granted`], where `prefix` stands before the name of each scope.
    pub(super) fn granted_below(&self, prefix: &str, asked: Option<&ScopeSet>) -> Result<ScopeSet, AnswerError> {
        let Some(granted) = self.scope.as_deref() else { return Ok(asked.cloned().unwrap_or_default()) };
        let bare = |scope| str::strip_prefix(scope, prefix).unwrap_or(scope);
        let granted: Vec<&str> = granted.split(' ').map(bare).collect();
        let granted: ScopeSet = granted
            .join(" ")
            .parse()
            .map_err(|_| AnswerError::Malformed(JsonError::WrongType(Excerpt::of("scope"))))?;
        match asked {
            Some(asked) if !granted.is_subset_of(asked) => Err(AnswerError::Widened { asked: asked.clone(), granted }),
            _ => Ok(granted),
        }
    }

    /// The whole of what was granted, where the scopes were `scopes` and the details are of these types: no details beyond what
    /// was asked for, if anything was.
    pub(in crate::delegation) fn authority(
        &self,
        scopes: ScopeSet,
        asked_scopes: Option<&ScopeSet>,
        asked_details: Option<&AskedDetails>,
        types: &DetailTypes,
    ) -> Result<Authority, AnswerError> {
        // What is not understood is more than was asked for.
        let granted = self.details.as_ref().map(|details| types.read_strictly(details)).transpose();
        let granted = granted.map_err(|_| AnswerError::DetailsWidened)?;
        // No scope was asked for, which a service that knows no details takes for all.
        if asked_scopes.is_some_and(ScopeSet::is_empty) && self.scope.is_none() && granted.is_none() {
            return Err(AnswerError::Missing("authorization_details"));
        }
        let known = match asked_details {
            Some(AskedDetails::Known(known)) => Some(known),
            _ => None,
        };
        let asked = Authority::of_scopes(asked_scopes.cloned().unwrap_or_default());
        let asked = known.into_iter().fold(asked, Authority::and);
        let has_asked = asked_scopes.is_some() || asked_details.is_some();
        if has_asked && granted.as_ref().is_some_and(|granted| !granted.is_within(&asked)) {
            return Err(AnswerError::DetailsWidened);
        }
        // An answer that says nothing of details grants those that were asked for.
        Ok(granted.as_ref().or(known).into_iter().fold(Authority::of_scopes(scopes), Authority::and))
    }

    /// When what was issued ends, and how many seconds that is from `now`.
    pub(in crate::delegation) fn expires(&self, now: Timestamp) -> (Timestamp, u64) {
        let lifetime_secs = self.expires_in.unwrap_or(0);
        (Timestamp::from_secs(now.secs().saturating_add(lifetime_secs)), lifetime_secs)
    }
}

impl<'de> Members<'de> for Answer<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "access_token" => self.access_token = Some(value.text()?),
            "issued_token_type" => self.issued_token_type = Some(value.text()?),
            "token_type" => self.token_type = Some(value.text()?),
            "scope" => self.scope = Some(value.text()?),
            "expires_in" => self.expires_in = Some(value.seconds()?),
            "error" => self.error = Some(value.text()?),
            "authorization_details" => {
                self.details = Some(value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?);
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}
