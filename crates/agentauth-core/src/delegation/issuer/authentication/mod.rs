//! Who is the client? Exactly one proof of it per request, and the key that what it is given will be bound to.

mod assertion;
mod basic;
mod credentials;
mod error;
mod registered;
mod request;
mod secret;

use aws_lc_rs::constant_time;
use http::{Method, Uri};

pub use error::ClientError;
pub(in crate::delegation) use registered::{Clients, Proof, Registration};
pub use registered::{RegisteredClient, dangerous};
pub use request::TokenRequest;
pub use secret::{ClientSecret, SecretError, SecretHash};

use self::assertion::{Assertion, UsedOnce};
use self::credentials::{Credentials, Shown};
use super::client::{Client, ClientMethod, Holder};
use super::{ExchangeError, Issuer, Parameters};
use crate::binding::dpop::{DPOP, VerifiedProof, proof_of};
use crate::identity::AgentId;
use crate::identity::svid::{Audiences, verify_jwt_svid};
use crate::time::Timestamp;

impl Issuer {
    /// Authenticates the client of a request to the token endpoint, and verifies its DPoP proof if it sent one
    /// (RFC 9449 §5).
    ///
    /// A request shows exactly one of these (RFC 6749 §2.3):
    ///
    /// - the SVID of its mutual-TLS connection;
    /// - a JWT-SVID (`client_assertion` of the type `jwt-spiffe`), whose only audience is this issuer's identifier;
    /// - an assertion that the client has signed (`private_key_jwt`, RFC 7523 §2.2), used once;
    /// - its secret, in the `Authorization` header or in the form.
    ///
    /// What is issued is bound to the key of the DPoP proof, otherwise to the certificate of the connection. With both,
    /// the proof decides: a client that sends one has chosen it, and a token can be bound to one key only.
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`], [`ExchangeError::Client`], [`ExchangeError::Malformed`],
    /// [`ExchangeError::Dpop`], [`ExchangeError::DpopUnsupported`].
    pub async fn authenticate(&self, request: &TokenRequest<'_>) -> Result<Client, ExchangeError> {
        self.authenticate_at_token_endpoint(request, &Parameters::read(request)?).await
    }

    pub(crate) async fn authenticate_at_token_endpoint(
        &self,
        request: &TokenRequest<'_>,
        parameters: &Parameters<'_>,
    ) -> Result<Client, ExchangeError> {
        let now = self.now();
        let Known { mut client, once } = self.identify(request, parameters, now).await?;
        let proof = self.dpop_proof(request, now)?;
        // A client that is sent back for a nonce has used nothing up.
        self.use_once(once, now).await?;
        if let (Some(dpop), Some(proof)) = (&self.inner.dpop, proof) {
            dpop.use_once(&proof, now).await.map_err(ExchangeError::Dpop)?;
            client.holder = Some(Holder::Key(*proof.key().as_bytes()));
        }
        Ok(client)
    }

    /// Authenticates the client of a request to another endpoint, where nothing is issued.
    pub(crate) async fn authenticate_only(
        &self,
        request: &TokenRequest<'_>,
        parameters: &Parameters<'_>,
    ) -> Result<Client, ExchangeError> {
        let now = self.now();
        let Known { client, once } = self.identify(request, parameters, now).await?;
        self.use_once(once, now).await?;
        Ok(client)
    }

    /// Who the client is, by all that can be known without remembering that it was here.
    async fn identify(
        &self,
        request: &TokenRequest<'_>,
        parameters: &Parameters<'_>,
        now: Timestamp,
    ) -> Result<Known, ExchangeError> {
        let Credentials { shown, client_id } = Credentials::read(request, parameters)?;
        let known = match shown {
            Shown::Certificate(svid) => {
                let client = Client::from(svid);
                self.recheck(&client, now)?;
                Known { client, once: None }
            }
            Shown::JwtSvid(token) => Known { client: self.by_jwt_svid(token, now)?, once: None },
            Shown::Assertion(token) => self.by_assertion(token, now).await?,
            Shown::Secret { client_id, secret, method } => {
                Known { client: self.by_secret(&client_id, &secret, method, now)?, once: None }
            }
        };
        match client_id {
            Some(named) if !self.is_called(&known.client, named) => Err(ClientError::IdMismatch.into()),
            _ => Ok(known),
        }
    }

    fn by_jwt_svid(&self, token: &str, now: Timestamp) -> Result<Client, ClientError> {
        let bundles = self.inner.agents.bundles().bundles();
        let audiences = Audiences::new([self.inner.id.as_str()]).map_err(|_| ClientError::AudienceWrong)?;
        let svid = verify_jwt_svid(token, &bundles, &audiences, now)?;
        // Each other audience could show it here in the workload's place.
        if svid.audiences().len() != 1 {
            return Err(ClientError::AudienceWrong);
        }
        Ok(Client {
            agent: AgentId::Spiffe(svid.id().clone()),
            client_id: svid.id().as_str().into(),
            method: ClientMethod::JwtSvid,
            holder: None,
            allows_bearer: false,
            svid: None,
            proven_until: svid.expires(),
        })
    }

    async fn by_assertion(&self, token: &str, now: Timestamp) -> Result<Known, ClientError> {
        let mut payload = Vec::new();
        let assertion = Assertion::read(token, &mut payload)?;
        let client_id = assertion.client_id()?;
        let Some(registration) = self.inner.clients.get(client_id) else { return Err(ClientError::Unknown) };
        let Proof::Keys(keys) = &registration.proof else { return Err(ClientError::MethodNotRegistered) };
        assertion.verify(keys, &self.inner.waiting).await?;
        let once = assertion.check(&self.inner.id, self.now())?;
        let client = Client::registered(client_id, registration, ClientMethod::PrivateKeyJwt, now);
        Ok(Known { client, once: Some(once) })
    }

    fn by_secret(
        &self,
        client_id: &str,
        secret: &str,
        method: ClientMethod,
        now: Timestamp,
    ) -> Result<Client, ClientError> {
        let registration = self.inner.clients.get(client_id);
        let hash = match registration.map(|registration| &registration.proof) {
            Some(Proof::Secret(hash)) => Some(hash),
            _ => None,
        };
        // The same work for a client that does not exist.
        let is_right = SecretHash::is_of(hash, secret);
        match registration {
            None => Err(ClientError::Unknown),
            Some(_) if hash.is_none() => Err(ClientError::MethodNotRegistered),
            Some(_) if !is_right => Err(ClientError::SecretWrong),
            Some(registration) => Ok(Client::registered(client_id, registration, method, now)),
        }
    }

    /// Whether `named` is a name of this client: that with which it has proven itself; or, of a workload, one under
    /// which it is registered.
    fn is_called(&self, client: &Client, named: &str) -> bool {
        let registered_for = || self.inner.clients.get(named).map(|registration| &registration.agent);
        *client.client_id == *named
            || (client.agent.spiffe_id().is_some() && registered_for().is_some_and(|agent| *agent == client.agent))
    }

    /// The nonce that proofs of token requests must have, if they must have one (RFC 9449 §8).
    pub(crate) fn dpop_nonce(&self) -> Option<String> {
        self.inner.dpop.as_ref()?.nonce(self.now())
    }

    /// The DPoP proof of the request, if it has one, by all that can be known without remembering it.
    fn dpop_proof(&self, request: &TokenRequest<'_>, now: Timestamp) -> Result<Option<VerifiedProof>, ExchangeError> {
        let Some(dpop) = &self.inner.dpop else {
            // The client would take its token for one that is bound to its key.
            let has_proof = request.headers.contains_key(DPOP);
            return if has_proof { Err(ExchangeError::DpopUnsupported) } else { Ok(None) };
        };
        let Some(proof) = proof_of(request.headers).map_err(ExchangeError::Dpop)? else { return Ok(None) };
        let endpoint: Uri = self.endpoints().token().parse().map_err(|_| ExchangeError::Unavailable)?;
        dpop.verify_token_request(proof, &Method::POST, &endpoint, now).map(Some).map_err(ExchangeError::Dpop)
    }

    async fn use_once(&self, once: Option<UsedOnce>, now: Timestamp) -> Result<(), ClientError> {
        match once {
            Some(once) => once.use_up(&*self.inner.used_client_assertions, now).await,
            None => Ok(()),
        }
    }
}

/// A client that is known, and what it has shown that counts once.
struct Known {
    client: Client,
    once: Option<UsedOnce>,
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}
