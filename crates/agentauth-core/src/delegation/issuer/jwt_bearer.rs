//! The rules by which an identity assertion is taken in place of a consent (RFC 7523 §2.1, ID-JAG "Processing Rules").

use super::claims::Grant;
use super::client::Client;
use super::wire::GRANT_CLIENT_CREDENTIALS;
use super::{ExchangeError, Issuer};
use crate::delegation::assertion::{Asserted, GRANT_JWT_BEARER, GRANT_PROFILE_ID_JAG, JwtBearerRequest};
use crate::delegation::outbound::GRANT_TOKEN_EXCHANGE;
use crate::delegation::{AssertionError, IssuedToken};
use crate::identity::{AgentId, PrincipalId, ResourceId};
use crate::scope::Authority;
use crate::state::revocation::Subjects;
use crate::token::required;

impl Issuer {
    /// Issues `client` a token for one resource, on an identity assertion (ID-JAG) of a trusted identity provider: no
    /// refresh token, no broader and no longer-lived than the assertion, bound to the client's key, for the principal
    /// that the assertion's subject is known as here.
    ///
    /// # Errors
    /// [`ExchangeError::GrantUnsupported`] if no identity provider is trusted; otherwise each rule has its own
    /// [`ExchangeError`] or [`AssertionError`]; the first that fails decides.
    pub async fn jwt_bearer(&self, client: &Client, request: &JwtBearerRequest) -> Result<IssuedToken, ExchangeError> {
        let assertions = self.inner.assertions.as_ref().ok_or(ExchangeError::GrantUnsupported)?;
        self.recheck(client, self.now())?;
        let asserted = assertions.verify(request.assertion.assertion.reveal(), &*self.inner.clock).await?;
        check_client(&asserted, client)?;
        check_holder(&asserted, client)?;
        let actors = self.actors(&asserted, client)?;
        let target = target(&asserted, request.resource.as_ref())?;
        let authority = self.grantable(&asserted, client, request, &target)?;
        let subject = self.local_subject(&asserted, client).await?;

        // Keys, subjects: either may have taken its time.
        let now = self.now();
        self.recheck(client, now)?;
        let expires = asserted.token.lifetime.expires.min(client.proven_until).min(now.plus(self.inner.lifetime));
        if expires.secs() <= now.secs() {
            return Err(ExchangeError::NoLifetime);
        }
        let grant_id = asserted.grant_id();
        let here = Subjects::of_agent(client.agent(), now)
            .in_grant(&self.inner.id, &grant_id)
            .for_principal(&PrincipalId::new(self.inner.id.clone(), &subject));
        self.check_revoked([asserted.token.subjects(), &here], now).await?;
        assertions.use_once(&asserted, now).await?;
        self.issue(Grant {
            subject: &subject,
            client: client.agent.name(),
            audience: &target,
            authority,
            actors: &actors,
            may_act: None,
            grant_id: Some(&grant_id),
            txn: asserted.token.reading.txn.as_deref(),
            holder: client.key()?,
            now,
            expires,
        })
        .await
    }

    /// What `authorization_grant_profiles_supported` has to list in this issuer's metadata: that identity assertions are
    /// accepted, and not from whom. Where it would be empty, it is left out.
    #[must_use]
    pub fn grant_profiles(&self) -> &'static [&'static str] {
        if self.inner.assertions.is_some() { &[GRANT_PROFILE_ID_JAG] } else { &[] }
    }

    /// What `grant_types_supported` has to list.
    #[must_use]
    pub fn grant_types(&self) -> &'static [&'static str] {
        const ALL: &[&str] = &[GRANT_TOKEN_EXCHANGE, GRANT_CLIENT_CREDENTIALS, GRANT_JWT_BEARER];
        match (&self.inner.assertions, ALL) {
            (None, [without_assertions @ .., _]) => without_assertions,
            _ => ALL,
        }
    }

    /// Who the token says acts: the client, where the assertion's issuer is believed to say so.
    fn actors(&self, asserted: &Asserted<'_>, client: &Client) -> Result<Vec<AgentId>, AssertionError> {
        let reading = &asserted.token.reading;
        if let Some(actor) = reading.current_actor() {
            // The provider's word for the client, in its own namespace or in this issuer's.
            let is_client = match actor {
                AgentId::Spiffe(_) => *actor == client.agent,
                AgentId::Named { issuer, name } => {
                    **name == *client.agent.name() && (*issuer == asserted.token.issuer || *issuer == self.inner.id)
                }
            };
            if !is_client || !reading.earlier.is_empty() {
                return Err(AssertionError::ActorUnsuitable);
            }
        }
        Ok(if asserted.rules.delegates { vec![client.agent.clone()] } else { Vec::new() })
    }

    /// What is granted: what was asked for, of what the assertion holds, as far as the client may be given it and the target
    /// has it. An assertion that says nothing holds nothing.
    fn grantable(
        &self,
        asserted: &Asserted<'_>,
        client: &Client,
        request: &JwtBearerRequest,
        target: &ResourceId,
    ) -> Result<Authority, ExchangeError> {
        let resource = self.inner.resources.get(target).ok_or(ExchangeError::TargetUnknown)?;
        let held = &asserted.token.authority;
        let mut granted = match (&request.scopes, self.details_asked(request.details.as_ref())?) {
            (None, None) => held.clone(),
            (scopes, details) => {
                let asked = Authority::of_scopes(scopes.clone().unwrap_or_default()).and(&details.unwrap_or_default());
                self.within(&asked, held)
            }
        };
        if let Some(ceiling) = self.ceiling_of(&client.agent) {
            granted = self.within(&granted, &ceiling);
        }
        let granted = granted.meet(&resource.ceiling);
        if granted.is_empty() { Err(ExchangeError::ScopeEmpty) } else { Ok(granted) }
    }

    /// The principal's name here. It must not read as the client, which would act for itself, nor as a workload.
    async fn local_subject(&self, asserted: &Asserted<'_>, client: &Client) -> Result<Box<str>, AssertionError> {
        let known = asserted.rules.subjects.name_of(&asserted.subject()).await;
        let name = known.map_err(|_| AssertionError::SubjectsUnavailable)?.ok_or(AssertionError::SubjectUnknown)?;
        let is_client = *name == *client.agent.name() || self.inner.clients.contains_key(&*name);
        let is_nobody_elses = !is_client && !name.starts_with("spiffe:");
        if is_nobody_elses && required(Some(&name), "sub").is_ok() {
            Ok(name)
        } else {
            Err(AssertionError::SubjectUnsuitable)
        }
    }
}

/// Client continuity: the assertion is of use to the one client that it names.
fn check_client(asserted: &Asserted<'_>, client: &Client) -> Result<(), AssertionError> {
    if *asserted.client_id == *client.client_id { Ok(()) } else { Err(AssertionError::ClientMismatch) }
}

fn check_holder(asserted: &Asserted<'_>, client: &Client) -> Result<(), AssertionError> {
    if client.holds(asserted.token.confirmation) { Ok(()) } else { Err(AssertionError::NotHeld) }
}

/// The one resource that the token is to be for. It is the assertion that decides; the request can only choose.
fn target(asserted: &Asserted<'_>, asked: Option<&ResourceId>) -> Result<ResourceId, ExchangeError> {
    let is_asserted = |resource: &ResourceId| match &*asserted.resources {
        [] => asserted.rules.default_resource.as_ref() == Some(resource),
        named => named.iter().any(|named| **named == *resource.as_str()),
    };
    match (asked, &*asserted.resources, &asserted.rules.default_resource) {
        (Some(asked), [], Some(_)) | (Some(asked), [_, ..], _) if is_asserted(asked) => Ok(asked.clone()),
        (Some(_), [], Some(_)) | (Some(_), [_, ..], _) => Err(AssertionError::ResourceOutside.into()),
        (None, [only], _) => ResourceId::new(only).map_err(|_| ExchangeError::TargetUnknown),
        (None, [], Some(default)) => Ok(default.clone()),
        (_, [], None) | (None, [_, _, ..], _) => Err(AssertionError::ResourceMissing.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::delegation::issuer::client::{ClientMethod, Holder};
    use crate::delegation::{AgentTrust, AssertionIssuer, IdentityAssertion, KnownSubjects};
    use crate::identity::svid::TrustBundles;
    use crate::identity::{IssuerId, PrincipalId};
    use crate::jose::{Algorithm, SigningKey, TokenType, base64url};
    use crate::time::{ManualClock, Timestamp};

    const SERVER: &str = "https://acme.chat.example/";
    const IDP: &str = "https://acme.idp.example";

    /// The example of the draft (section "ID-JAG Claims"), and its `cnf` (section "Proof-of-Possession During Token Exchange").
    const CLAIMS: &str = r#"{
      "jti": "9e43f81b64a33f20116179", "iss": "https://acme.idp.example", "sub": "U019488227",
      "aud": "https://acme.chat.example/", "client_id": "f53f191f9311af35", "exp": 1311281970, "iat": 1311280970,
      "resource": "https://acme.chat.example/api", "scope": "chat.read chat.history", "auth_time": 1311280970,
      "amr": ["mfa", "phrh", "hwk", "user"]
    }"#;
    const CNF: &str = r#", "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"} }"#;

    /// What the issuer says to a client that has shown to hold `holder`.
    fn answer(claims: &str, holder: Holder) -> Result<IssuedToken, ExchangeError> {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let user = PrincipalId::new(IssuerId::new(IDP).unwrap(), "U019488227");
        let idp = AssertionIssuer::new(IDP, key.public_key_set().unwrap(), KnownSubjects::new().with(user, "alice"));
        let issuer = Issuer::builder(SERVER, SigningKey::generate(Algorithm::EdDsa).unwrap())
            .agents(AgentTrust::spiffe(TrustBundles::new()))
            .clock(Arc::new(ManualClock::at(Timestamp::from_secs(1_311_281_000))))
            .resource("https://acme.chat.example/api", "chat.read chat.history chat.write")
            .identity_assertions_from(idp.delegates())
            .build()
            .unwrap();
        let client = Client {
            agent: AgentId::Named { issuer: issuer.id().clone(), name: "f53f191f9311af35".into() },
            client_id: "f53f191f9311af35".into(),
            method: ClientMethod::PrivateKeyJwt,
            holder: Some(holder),
            allows_bearer: false,
            svid: None,
            proven_until: Timestamp::from_secs(1_311_290_000),
        };
        let assertion = IdentityAssertion::new(&key.sign(TokenType::IdJag, claims.as_bytes()).unwrap());
        let request = JwtBearerRequest::new(assertion, ResourceId::new("https://acme.chat.example/api").unwrap());
        match pin!(issuer.jwt_bearer(&client, &request)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("nothing has to be waited for"),
        }
    }

    #[test]
    fn the_drafts_examples_are_taken_by_whom_they_name() {
        let key: [u8; 32] = base64url::decode_exactly("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").unwrap();
        let bound = CLAIMS.replace("\n    }", CNF);
        assert_ne!(bound, CLAIMS);
        for (claims, holder, expected) in [
            (CLAIMS, Holder::Key([7; 32]), "accepted"),
            (CLAIMS, Holder::Certificate([7; 32]), "accepted"),
            (&bound, Holder::Key(key), "accepted"),
            (&bound, Holder::Key([7; 32]), "assertion_not_held"),
            (&bound, Holder::Certificate(key), "assertion_not_held"),
        ] {
            let answer = answer(claims, holder);
            assert_eq!(
                answer.as_ref().map_or_else(ExchangeError::code, |_| "accepted"),
                expected,
                "{claims} {holder:?}"
            );
            if let Ok(issued) = answer {
                assert_eq!(issued.scopes().to_string(), "chat.history chat.read");
                assert_eq!(issued.origin.unwrap().actors[0].name(), "f53f191f9311af35");
            }
        }
    }
}
