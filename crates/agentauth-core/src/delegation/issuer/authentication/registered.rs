//! The clients that an issuer knows, each with the one way in which it proves itself.

use std::collections::BTreeMap;

use super::secret::SecretHash;
use crate::delegation::IssuerError;
use crate::identity::{AgentId, IssuerId, SpiffeId};
use crate::text::Excerpt;
use crate::token::Keys;

/// A client id is a name in every record and every token.
const MAX_CLIENT_ID_BYTES: usize = 256;

/// A client that is known to the issuer by a `client_id`, beside the workloads that prove themselves by an SVID.
///
/// It proves itself in one way: by assertions that it signs (`private_key_jwt`, which is to be preferred), or by a
/// secret. What it is given is bound to a key, which it shows by a DPoP proof. As an agent it is called by its client
/// id, which is a name at this issuer, unless [`RegisteredClient::spiffe`] says which workload it is.
///
/// ```
/// use agentauth_core::delegation::RegisteredClient;
/// use agentauth_core::jose::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::Es256)?; // held by the client
/// let client = RegisteredClient::new("records-app").keys(key.public_key_set()?);
/// # Ok::<(), agentauth_core::jose::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RegisteredClient {
    id: String,
    keys: Option<Keys>,
    secret: Option<SecretHash>,
    workload: Option<SpiffeId>,
    allows_bearer: bool,
}

impl RegisteredClient {
    /// A client called `client_id`: 1 to 256 visible ASCII characters, and not a SPIFFE ID.
    pub fn new(client_id: &str) -> Self {
        Self { id: client_id.to_owned(), keys: None, secret: None, workload: None, allows_bearer: false }
    }

    /// It signs an assertion for each request with one of these keys (`private_key_jwt`, RFC 7523 §2.2).
    ///
    /// The assertion's `iss` and `sub` are the client id, and its only audience the identifier of the issuer: that of
    /// the token endpoint, which was once allowed, could be another issuer's to choose. It counts once, for up to
    /// 300 s.
    pub fn keys(mut self, keys: impl Into<Keys>) -> Self {
        self.keys = Some(keys.into());
        self
    }

    /// It sends a secret with each request, in the `Authorization` header or in the form. Whoever sees one request can
    /// be this client from then on: keys are better.
    pub const fn secret(mut self, hash: SecretHash) -> Self {
        self.secret = Some(hash);
        self
    }

    /// It is this workload: tokens name the agent by this SPIFFE ID. Alone, without keys and secret, it lets the
    /// workload go by the client id beside its SVID.
    pub fn spiffe(mut self, id: SpiffeId) -> Self {
        self.workload = Some(id);
        self
    }

    /// What weakens the tokens that this client is given.
    pub const fn dangerous(self) -> dangerous::WeakenedClient {
        dangerous::WeakenedClient(self)
    }
}

/// Settings that give up a protection; each says what it costs.
pub mod dangerous {
    use super::RegisteredClient;

    /// See [`RegisteredClient::dangerous`].
    #[derive(Debug, Clone)]
    #[must_use]
    pub struct WeakenedClient(pub(super) RegisteredClient);

    impl WeakenedClient {
        /// Gives this client tokens that are bound to no key where it shows none. Whoever gets hold of such a token can
        /// use it until it expires.
        pub fn allow_bearer_tokens(mut self) -> RegisteredClient {
            self.0.allows_bearer = true;
            self.0
        }
    }
}

/// The registered clients, by their ids.
pub(in crate::delegation) type Clients = BTreeMap<Box<str>, Registration>;

/// What is known of a client.
#[derive(Debug)]
pub(in crate::delegation) struct Registration {
    pub(in crate::delegation) agent: AgentId,
    pub(in crate::delegation) proof: Proof,
    pub(in crate::delegation) allows_bearer: bool,
}

/// The one way in which a client proves itself.
#[derive(Debug)]
pub(in crate::delegation) enum Proof {
    Keys(Keys),
    Secret(SecretHash),
    /// By its SVID.
    Workload,
}

impl RegisteredClient {
    /// Checks the settings, and adds the client to the others at `issuer`.
    pub(in crate::delegation) fn register(self, clients: &mut Clients, issuer: &IssuerId) -> Result<(), IssuerError> {
        let is_name = !self.id.is_empty()
            && self.id.len() <= MAX_CLIENT_ID_BYTES
            && self.id.bytes().all(|byte| byte.is_ascii_graphic());
        // It would be taken for the workload that it is called like.
        if !is_name || self.id.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("spiffe:")) {
            return Err(IssuerError::ClientId(Excerpt::of(&self.id)));
        }
        let proof = match (self.keys, self.secret, &self.workload) {
            (Some(keys), None, _) => Proof::Keys(keys),
            (None, Some(hash), _) => Proof::Secret(hash),
            (None, None, Some(_)) => Proof::Workload,
            _ => return Err(IssuerError::ClientProof(Excerpt::of(&self.id))),
        };
        let agent = match self.workload {
            Some(id) => AgentId::Spiffe(id),
            None => AgentId::Named { issuer: issuer.clone(), name: self.id.as_str().into() },
        };
        let registration = Registration { agent, proof, allows_bearer: self.allows_bearer };
        match clients.insert(self.id.as_str().into(), registration) {
            Some(_) => Err(IssuerError::DuplicateClient(Excerpt::of(&self.id))),
            None => Ok(()),
        }
    }
}
