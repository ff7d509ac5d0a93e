//! From the text of an ID-JAG to what it asserts.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, Digest, SHA256};

use super::claims::More;
use super::issuer::{AssertionIssuer, AssertionRules};
use super::{AssertedSubject, AssertionError};
use crate::delegation::IssuerError;
use crate::identity::{IssuerId, ResourceId};
use crate::jose::{CompactJws, JoseError, base64url, json};
use crate::scope::DetailTypes;
use crate::state::{ReplayAnswer, ReplayStore};
use crate::time::{Clock, Timestamp};
use crate::token::{Held, TokenError, TokenVerifier, VerifiedToken};

/// What keeps the digests of assertions apart from others in one store.
const REPLAY_CONTEXT: &[u8] = b"id-jag\0";

/// Verifies the assertions of all trusted identity providers.
#[derive(Debug)]
pub(in crate::delegation) struct Assertions {
    verifier: TokenVerifier,
    rules: Vec<(IssuerId, AssertionRules)>,
    used: Arc<dyn ReplayStore>,
}

/// An assertion of a trusted issuer, for this authorization server and for now.
pub(in crate::delegation) struct Asserted<'a> {
    pub(in crate::delegation) token: Arc<VerifiedToken>,
    pub(in crate::delegation) rules: &'a AssertionRules,
    pub(in crate::delegation) client_id: Box<str>,
    pub(in crate::delegation) resources: Vec<Box<str>>,
    name_here: Option<Box<str>>,
}

impl Assertions {
    /// For the authorization server `own`, which is none of `issuers`: an issuer must not take its own assertions.
    pub(in crate::delegation) fn new(
        own: &ResourceId,
        issuers: &[AssertionIssuer],
        details: &DetailTypes,
        used: Arc<dyn ReplayStore>,
    ) -> Result<Self, IssuerError> {
        if let Some(itself) = issuers.iter().find(|issuer| issuer.id == own.as_str()) {
            return Err(IssuerError::OwnAssertions(IssuerId::new(&itself.id)?));
        }
        let trusted = issuers.iter().map(AssertionIssuer::trusted).collect();
        let verifier = TokenVerifier::new(own.clone(), trusted).map_err(IssuerError::Verifier)?;
        let verifier = verifier.with_detail_types(details.clone());
        let rules = verifier.issuers().cloned().zip(issuers.iter().map(|issuer| issuer.rules.clone())).collect();
        Ok(Self { verifier, rules, used })
    }

    /// Verifies kind, issuer, signature, times, audience and tenant.
    pub(in crate::delegation) async fn verify(
        &self,
        assertion: &str,
        clock: &dyn Clock,
    ) -> Result<Asserted<'_>, AssertionError> {
        let token = match self.verifier.begin(assertion, clock.now()) {
            Ok(token) => token,
            Err(Held::Refused(error)) => return Err(error.into()),
            Err(Held::Pending(pending)) => self.verifier.finish(assertion, pending, clock).await?,
        };
        let (_, rules) =
            self.rules.iter().find(|(issuer, _)| *issuer == token.issuer).ok_or(AssertionError::SubjectUnknown)?;
        let asserted = Asserted::read(token, rules, assertion)?;
        asserted.check_tenant()?;
        Ok(asserted)
    }

    /// Uses `asserted` up, last of all: nobody but its client can.
    pub(in crate::delegation) async fn use_once(
        &self,
        asserted: &Asserted<'_>,
        now: Timestamp,
    ) -> Result<(), AssertionError> {
        if asserted.rules.is_reusable {
            return Ok(());
        }
        let digest = asserted.digest();
        let digest = digest.as_ref().try_into().map_err(|_| AssertionError::ReplayUnavailable)?;
        match self.used.remember(digest, asserted.token.lifetime.refused_from, now).await {
            ReplayAnswer::Fresh => Ok(()),
            ReplayAnswer::Replayed => Err(AssertionError::Replayed),
            ReplayAnswer::Unavailable => Err(AssertionError::ReplayUnavailable),
        }
    }
}

impl<'a> Asserted<'a> {
    fn read(token: Arc<VerifiedToken>, rules: &'a AssertionRules, assertion: &str) -> Result<Self, AssertionError> {
        let jws = CompactJws::parse(assertion).map_err(TokenError::Jose)?;
        let payload = jws.unverified_payload().map_err(TokenError::Jose)?;
        let more: More<'_> = json::read(&payload).map_err(|error| TokenError::Jose(JoseError::Claims(error)))?;
        // This authorization server has no tenants; with one, the claims would be about somebody else.
        if more.aud_tenant.is_some() {
            return Err(AssertionError::AudienceTenantWrong);
        }
        Ok(Self {
            token,
            rules,
            client_id: more.client_id.unwrap_or_default().into(),
            resources: more.resource.as_slice().iter().map(|resource| (&**resource).into()).collect(),
            name_here: more.aud_sub.map(Into::into),
        })
    }

    fn check_tenant(&self) -> Result<(), AssertionError> {
        let named = self.token.reading.principal.tenant();
        let is_trusted = match named {
            None => self.rules.tenants.is_empty(),
            Some(tenant) => self.rules.tenants.iter().any(|known| **known == *tenant),
        };
        if is_trusted { Ok(()) } else { Err(AssertionError::TenantWrong) }
    }

    /// What tells it from every other assertion, whoever signs it anew.
    fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in [REPLAY_CONTEXT, self.token.issuer.as_str().as_bytes(), b"\0", self.token.id.as_bytes()] {
            context.update(part);
        }
        context.finish()
    }

    /// What all tokens descend from that are issued on it: they share its uses, and end together if it is revoked.
    pub(in crate::delegation) fn grant_id(&self) -> String {
        base64url::encode(self.digest().as_ref())
    }

    /// Whom it is about.
    pub(in crate::delegation) fn subject(&self) -> AssertedSubject {
        AssertedSubject { principal: self.token.reading.principal.clone(), name_here: self.name_here.clone() }
    }
}
