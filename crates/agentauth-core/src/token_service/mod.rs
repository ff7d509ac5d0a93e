//! An issuer whose every answer is recorded, and its wire format (RFC 8693 §2, RFC 6749 §5).

mod http;

use std::fmt;
use std::sync::Arc;

use crate::agentauth::{NO_ID, OpenRecord, Recording, RevocationFailure, Sinks, keep_revocation};
use crate::audit::{AuditKey, AuditSink, IssuedRecord, Record, RecordKind};
use crate::delegation::{
    Client, Consent, ExchangeError, ExchangeRequest, Form, IssuedToken, Issuer, JwtBearerRequest, Parameters,
    TokenRequest, details_of,
};
use crate::identity::{PeerProof, ResourceId};
use crate::policy::{Effect, Reason, ReasonKind};
use crate::random::{SystemRandom, unique_id};
use crate::state::Revocation;
use crate::text::Excerpt;

/// An [`Issuer`] at work: it answers requests and records each answer before giving it.
///
/// Clones share one service.
#[derive(Clone)]
pub struct TokenService {
    issuer: Issuer,
    sinks: Sinks,
    audit_key: AuditKey,
    replica: Option<Arc<str>>,
}

/// Why a request for a token was refused, with the id under which that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct TokenRefusal {
    /// The reason.
    pub error: ExchangeError,
    /// Where it stands in the record.
    pub evaluation_id: Arc<str>,
}

impl TokenService {
    /// The service of `issuer`, recording in `sink`. Token ids are hashed with a key that lasts as long as the
    /// service; [`TokenService::audit_key`] sets another.
    ///
    /// # Errors
    /// [`ExchangeError::Unavailable`] if no key can be made.
    pub fn new(issuer: Issuer, sink: impl AuditSink + 'static) -> Result<Self, ExchangeError> {
        let audit_key = AuditKey::generate(&SystemRandom)?;
        Ok(Self { issuer, sinks: Arc::new([Arc::new(sink) as Arc<dyn AuditSink>]), audit_key, replica: None })
    }

    /// Hashes token ids with `key`, as another process does, so that the two records can be joined.
    #[must_use]
    pub fn audit_key(mut self, key: AuditKey) -> Self {
        self.audit_key = key;
        self
    }

    /// What this process is called in the record: as [`AgentAuthBuilder::replica`](crate::AgentAuthBuilder::replica).
    #[must_use]
    pub fn replica(mut self, name: &str) -> Self {
        self.replica = Some(Excerpt::of(name).to_string().into());
        self
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// [`Issuer::consent`], recorded.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub async fn consent(&self, consent: &Consent) -> Result<IssuedToken, TokenRefusal> {
        let record = self.open(None);
        self.conclude(record, self.issuer.consent(consent).await).await
    }

    /// [`Issuer::agent_token`], recorded.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub async fn agent_token(&self, client: &Client, audience: &ResourceId) -> Result<IssuedToken, TokenRefusal> {
        self.agent_token_on(self.open(Some(client)), client, audience).await
    }

    async fn agent_token_on(
        &self,
        record: OpenRecord,
        client: &Client,
        audience: &ResourceId,
    ) -> Result<IssuedToken, TokenRefusal> {
        self.conclude(record, self.issuer.agent_token(client, audience).await).await
    }

    /// [`Issuer::exchange`], recorded.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub async fn exchange(&self, client: &Client, request: &ExchangeRequest) -> Result<IssuedToken, TokenRefusal> {
        self.exchange_on(self.open(Some(client)), client, request).await
    }

    async fn exchange_on(
        &self,
        record: OpenRecord,
        client: &Client,
        request: &ExchangeRequest,
    ) -> Result<IssuedToken, TokenRefusal> {
        self.conclude(record, self.issuer.exchange(client, request).await).await
    }

    /// [`Issuer::jwt_bearer`], recorded.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub async fn jwt_bearer(&self, client: &Client, request: &JwtBearerRequest) -> Result<IssuedToken, TokenRefusal> {
        self.jwt_bearer_on(self.open(Some(client)), client, request).await
    }

    async fn jwt_bearer_on(
        &self,
        record: OpenRecord,
        client: &Client,
        request: &JwtBearerRequest,
    ) -> Result<IssuedToken, TokenRefusal> {
        self.conclude(record, self.issuer.jwt_bearer(client, request).await).await
    }

    /// Issues what a request to the token endpoint asks for (RFC 8693 §2.1, RFC 6749 §4.4.2), to the client that it proves
    /// to come from ([`Issuer::authenticate`]). [`TokenService::answer`] is the answer as HTTP has it.
    ///
    /// # Errors
    /// [`TokenRefusal`]; its [`ExchangeError::oauth_error`] is what the client is told.
    pub async fn grant(&self, request: &TokenRequest<'_>) -> Result<IssuedToken, TokenRefusal> {
        self.grant_of(request).await.map(|(issued, _)| issued)
    }

    /// As [`TokenService::grant`], and whether the client is to be told the resource (ID-JAG).
    async fn grant_of(&self, request: &TokenRequest<'_>) -> Result<(IssuedToken, bool), TokenRefusal> {
        let mut record = self.open_for(request);
        let (parameters, client) = match self.client_of(request).await {
            Ok(known) => known,
            Err(error) => return Err(self.refuse(record, error).await),
        };
        note_client(&mut record, &client);
        match Form::of(&parameters, !self.issuer.grant_profiles().is_empty()) {
            Ok(Form::Exchange(request)) => {
                self.exchange_on(record, &client, &request).await.map(|issued| (issued, false))
            }
            Ok(Form::OwnToken(audience)) => {
                self.agent_token_on(record, &client, &audience).await.map(|issued| (issued, false))
            }
            Ok(Form::Assertion(request)) => {
                self.jwt_bearer_on(record, &client, &request).await.map(|issued| (issued, true))
            }
            Err(error) => Err(self.refuse(record, error).await),
        }
    }

    async fn client_of<'r>(&self, request: &TokenRequest<'r>) -> Result<(Parameters<'r>, Client), ExchangeError> {
        let parameters = Parameters::read(request)?;
        let client = self.issuer.authenticate_at_token_endpoint(request, &parameters).await?;
        Ok((parameters, client))
    }

    /// Records that nothing is answered, and why.
    async fn refuse(&self, record: OpenRecord, error: ExchangeError) -> TokenRefusal {
        match self.conclude(record, Err(error)).await {
            Err(refusal) => refusal,
            Ok(_) => TokenRefusal { error: ExchangeError::Unavailable, evaluation_id: NO_ID.into() },
        }
    }

    /// Revokes, and records that: as [`AgentAuth::revoke`](crate::AgentAuth::revoke), in the issuer's store
    /// ([`IssuerBuilder::revocations`](crate::delegation::IssuerBuilder::revocations)).
    ///
    /// # Errors
    /// As [`AgentAuth::revoke`](crate::AgentAuth::revoke).
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), RevocationFailure> {
        let id = unique_id(self.issuer.random()).unwrap_or_else(|_| NO_ID.into());
        let record = self.record(RecordKind::Revocation, "revoked", &id);
        let record = OpenRecord::new(record, Arc::clone(&self.sinks), self.issuer.clock());
        let store = self.issuer.revocations().map(|store| &**store);
        keep_revocation(store, revocation, self.issuer.now(), record, &self.audit_key, &self.sinks).await
    }

    /// Revokes `token` at the wish of `client`, to which it was issued, or whose key it is bound to; of a consent, also all
    /// that descends from it (RFC 7009 §2.1). A token that does not count is answered like one that does (§2.2).
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`], [`ExchangeError::TokenOfAnother`]; [`ExchangeError::Unavailable`] if it may not
    /// be revoked, or not in the record.
    pub async fn revoke_token(&self, client: &Client, token: &str) -> Result<(), ExchangeError> {
        let who = client.agent().to_string();
        for revocation in self.issuer.revocations_of(client, token)? {
            let revocation = revocation.by(&who).because("the client asked for it (RFC 7009)");
            self.revoke(&revocation).await.map_err(|_| ExchangeError::Unavailable)?;
        }
        Ok(())
    }

    fn record(&self, kind: RecordKind, code: &'static str, id: &Arc<str>) -> Record {
        let record = Record::of_allowed(kind, code, id, self.issuer.now(), self.issuer.id().as_str().into());
        Record { replica: self.replica.clone(), ..record }
    }

    /// The record of a request that is begun, by `client` if that is known.
    fn open(&self, client: Option<&Client>) -> OpenRecord {
        let id = unique_id(self.issuer.random()).unwrap_or_else(|_| NO_ID.into());
        let mut record = self.record(RecordKind::Issuance, "issued", &id);
        client.into_iter().for_each(|client| note_client(&mut record, client));
        OpenRecord::new(record, Arc::clone(&self.sinks), self.issuer.clock())
    }

    fn open_for(&self, request: &TokenRequest<'_>) -> OpenRecord {
        let mut record = self.open(None);
        record.trace = request.trace();
        record
    }

    async fn conclude(
        &self,
        record: OpenRecord,
        answer: Result<IssuedToken, ExchangeError>,
    ) -> Result<IssuedToken, TokenRefusal> {
        let refuse = |error, evaluation_id| TokenRefusal { error, evaluation_id };
        let mut record = record.close();
        record.time = self.issuer.now();
        let id = Arc::clone(&record.evaluation_id);
        let answer = if &*id == NO_ID { Err(ExchangeError::Unavailable) } else { answer };
        match &answer {
            Ok(issued) => {
                record.issued = issued.origin.as_ref().map(|origin| IssuedRecord {
                    subject: origin.subject.clone(),
                    subject_hash: self.audit_key.hash_subject(self.issuer.id(), None, &origin.subject),
                    actors: origin.actors.clone(),
                    may_act: origin.may_act.clone(),
                    audience: origin.audience.clone(),
                    scopes: issued.scopes().clone(),
                    authorization_details: details_of(issued.authority()),
                    grant: origin.grant_id.as_ref().map(|id| self.audit_key.hash(self.issuer.id(), id)),
                    token: self.audit_key.hash(self.issuer.id(), &origin.id),
                    expires: issued.expires,
                });
            }
            Err(error) => {
                record.effect = Effect::Deny;
                record.code = error.code();
                record.reasons = vec![Reason::new(ReasonKind::Refused, error.to_string())];
            }
        }
        match Recording::begin(&self.sinks, &record.kept()).await {
            Ok(()) => answer.map_err(|error| refuse(error, id)),
            Err(_) => Err(refuse(ExchangeError::Unavailable, id)),
        }
    }
}

/// Notes who asks.
fn note_client(record: &mut Record, client: &Client) {
    record.peer = client.svid().map(|svid| svid.id().clone());
    record.peer_proof = client.svid().map(|_| PeerProof::MutualTls);
    record.client = Some(client.record());
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("issuer", self.issuer.id()).finish_non_exhaustive()
    }
}
