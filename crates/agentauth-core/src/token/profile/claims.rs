use std::borrow::Cow;
use std::fmt;

use super::super::TokenError;
use super::super::claims::{ActorChain, ActorClaim, Claims, required};
use crate::identity::{AgentId, IssuerId, PrincipalId};
use crate::jose::json::{JsonError, Loose, Texts};
use crate::jose::{JoseError, TokenType};
use crate::scope::ScopeSet;
use crate::text::Excerpt;

/// The claims of a token whose signature, times and audience are good, as a [`Profile`](super::Profile) sees them.
pub struct TokenClaims<'c> {
    claims: &'c Claims<'c>,
    issuer: &'c IssuerId,
    source: Source,
}

/// Where claims come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::token) enum Source {
    /// From a token that says what it is.
    Token(TokenType),
    /// From the issuer's answer about a token (RFC 7662), which need not have `jti` nor, where that is allowed, `sub`.
    Answer { subject_may_be_client: bool },
}

/// One actor of an `act` claim.
#[derive(Debug)]
pub struct Actor<'c> {
    claim: &'c ActorClaim<'c>,
    issuer: &'c IssuerId,
}

impl<'c> TokenClaims<'c> {
    pub(in crate::token) const fn new(claims: &'c Claims<'c>, issuer: &'c IssuerId, source: Source) -> Self {
        Self { claims, issuer, source }
    }

    /// The issuer of the token.
    #[must_use]
    pub const fn issuer(&self) -> &'c IssuerId {
        self.issuer
    }

    /// What kind of token the header says it is; `None` for an opaque token, whose claims the issuer told.
    #[must_use]
    pub const fn token_type(&self) -> Option<TokenType> {
        match self.source {
            Source::Token(token_type) => Some(token_type),
            Source::Answer { .. } => None,
        }
    }

    /// `sub`, as every token has it. An answer about an opaque token may leave it out, for a client's own token, where
    /// the configuration allows for that: it is then the client.
    ///
    /// # Errors
    /// As [`TokenClaims::required`].
    pub fn subject(&self) -> Result<&'c str, TokenError> {
        match (self.source, &self.claims.sub) {
            (Source::Answer { subject_may_be_client: true }, None) if self.claims.act.is_empty() => {
                self.required("client_id")
            }
            _ => self.required("sub"),
        }
    }

    /// The token's identifier (`jti`), which RFC 9068 §2.2 requires. Only answers about opaque tokens may lack it.
    ///
    /// # Errors
    /// As [`TokenClaims::required`].
    pub fn token_id(&self) -> Result<Option<&'c str>, TokenError> {
        match self.source {
            Source::Token(_) => self.required("jti").map(Some),
            Source::Answer { .. } => self.text("jti"),
        }
    }

    /// The claim `name`, a string of 1 to 2048 bytes without control characters.
    ///
    /// # Errors
    /// [`TokenError::ClaimMissing`], [`TokenError::ClaimMalformed`].
    pub fn required(&self, name: &'static str) -> Result<&'c str, TokenError> {
        required(self.raw_text(name)?, name)
    }

    /// The claim `name` under the rules of [`TokenClaims::required`], if it is there.
    ///
    /// # Errors
    /// [`TokenError::ClaimMalformed`].
    pub fn text(&self, name: &'static str) -> Result<Option<&'c str>, TokenError> {
        match self.raw_text(name)? {
            None => Ok(None),
            present => required(present, name).map(Some),
        }
    }

    /// The words of the claim `name`: a list of strings, or one string of words separated by spaces. None, if the
    /// claim is missing.
    ///
    /// # Errors
    /// [`TokenError::ClaimMalformed`].
    pub fn words(&self, name: &'static str) -> Result<Vec<&'c str>, TokenError> {
        match (name, self.claims.kept(name), &self.claims.scope) {
            (_, Some(Loose::Texts(texts)), _) | ("scope", _, Some(Texts::Many(texts))) => {
                Ok(texts.iter().map(Cow::as_ref).collect())
            }
            _ => Ok(self.raw_text(name)?.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect()),
        }
    }

    /// Whether the claim `name` is there, and true.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.claims.kept(name), Some(Loose::Flag(true)))
    }

    /// Whether the claim `name` is there, of whatever type.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match name {
            "sub" => self.claims.sub.is_some(),
            "client_id" => self.claims.client_id.is_some(),
            "jti" => self.claims.jti.is_some(),
            "grant_id" => self.claims.grant_id.is_some(),
            "status" => self.claims.status.is_some(),
            "scope" => self.claims.scope.is_some(),
            "act" => !self.claims.act.is_empty(),
            "may_act" => !self.claims.may_act.is_empty(),
            "cnf" => self.claims.cnf.is_some(),
            _ => self.claims.kept(name).is_some(),
        }
    }

    /// The scopes in the claim `name`, separated by single spaces (RFC 9068 §2.2.3). No claim, no scope.
    ///
    /// # Errors
    /// [`TokenError::Scope`], [`TokenError::ClaimMalformed`].
    pub fn scopes(&self, name: &'static str) -> Result<ScopeSet, TokenError> {
        self.raw_text(name)?.unwrap_or_default().parse().map_err(TokenError::Scope)
    }

    /// The scopes in the claim `name`, where an issuer writes them in either way of [`TokenClaims::words`].
    ///
    /// # Errors
    /// [`TokenError::Scope`], [`TokenError::ClaimMalformed`].
    pub fn loose_scopes(&self, name: &'static str) -> Result<ScopeSet, TokenError> {
        self.words(name)?.join(" ").parse().map_err(TokenError::Scope)
    }

    /// The actors of `act`, the current one first; empty if there is none.
    pub fn actors(&self) -> impl ExactSizeIterator<Item = Actor<'c>> + use<'c> {
        actors(&self.claims.act, self.issuer)
    }

    /// Who may become the next actor (RFC 8693 §4.4): for token services, never an authority by itself.
    ///
    /// # Errors
    /// As [`Actor::id`].
    pub fn may_act(&self) -> Result<Option<AgentId>, TokenError> {
        actors(&self.claims.may_act, self.issuer).next().map(|actor| actor.named("may_act")).transpose()
    }

    /// The principal that the issuer calls `subject`.
    #[must_use]
    pub fn principal(&self, subject: &str) -> PrincipalId {
        PrincipalId::new(self.issuer.clone(), subject)
    }

    /// The client, or other agent, that the issuer calls `name`.
    #[must_use]
    pub fn client(&self, name: &str) -> AgentId {
        AgentId::named_by(self.issuer, name)
    }

    fn raw_text(&self, name: &'static str) -> Result<Option<&'c str>, TokenError> {
        Ok(match name {
            "sub" => self.claims.sub.as_deref(),
            "client_id" => self.claims.client_id.as_deref(),
            "jti" => self.claims.jti.as_deref(),
            "grant_id" => self.claims.grant_id.as_deref(),
            "scope" => match &self.claims.scope {
                None => None,
                Some(Texts::One(text)) => Some(text),
                Some(Texts::Many(_)) => {
                    return Err(JoseError::Claims(JsonError::WrongType(Excerpt::of(name))).into());
                }
            },
            _ => match self.claims.kept(name) {
                None => None,
                Some(Loose::Text(text)) => Some(text),
                Some(_) => return Err(TokenError::ClaimMalformed(name)),
            },
        })
    }
}

impl fmt::Debug for TokenClaims<'_> {
    /// Shows no claim: they are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClaims").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn actors<'c>(chain: &'c ActorChain<'c>, issuer: &'c IssuerId) -> impl ExactSizeIterator<Item = Actor<'c>> + use<'c> {
    chain.iter().map(move |claim| Actor { claim, issuer })
}

impl<'c> Actor<'c> {
    /// The actor as the pair of `iss` and `sub`; without `iss`, it is one that the token's issuer names.
    ///
    /// # Errors
    /// [`TokenError::ClaimMissing`] and [`TokenError::ClaimMalformed`], for `act`.
    pub fn id(&self) -> Result<AgentId, TokenError> {
        self.named("act")
    }

    /// Whether the actor says in whose namespace its name is (the actor profile requires it).
    #[must_use]
    pub const fn has_issuer(&self) -> bool {
        self.claim.iss.is_some()
    }

    /// Whether the token's issuer is the one that names it: without `iss`, or with the token's own.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.claim.iss.as_deref().is_none_or(|iss| iss == self.issuer.as_str())
    }

    /// `sub`, under the rules of [`TokenClaims::required`]: a name in the namespace that [`Actor::id`] joins to it.
    ///
    /// # Errors
    /// [`TokenError::ClaimMissing`] and [`TokenError::ClaimMalformed`], for `act`.
    pub fn subject(&self) -> Result<&'c str, TokenError> {
        required(self.claim.sub.as_deref(), "act")
    }

    /// `client_id`, where an issuer adds it.
    #[must_use]
    pub fn client_id(&self) -> Option<&'c str> {
        self.claim.client_id.as_deref()
    }

    /// Whether `sub_profile` lists `kind`, such as `ai_agent` or `user`.
    #[must_use]
    pub fn is_profiled_as(&self, kind: &str) -> bool {
        self.claim.sub_profile.as_deref().is_some_and(|profile| profile.split(' ').any(|word| word == kind))
    }

    fn named(&self, claim: &'static str) -> Result<AgentId, TokenError> {
        let name = required(self.claim.sub.as_deref(), claim)?;
        match self.claim.iss.as_deref() {
            Some(namespace) if namespace != self.issuer.as_str() => {
                let namespace = IssuerId::new(namespace).map_err(|_| TokenError::ClaimMalformed(claim))?;
                Ok(AgentId::named_by(&namespace, name))
            }
            _ => Ok(AgentId::named_by(self.issuer, name)),
        }
    }
}
