//! How this agent authenticates to a token service (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

use super::OutboundError;
use crate::identity::IssuerId;
use crate::jose::{SigningFailed, SigningKey, TokenType};
use crate::random::{Random, SystemRandom, unique_id};
use crate::text::Secret;
use crate::time::{Clock, SystemClock};

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// OAuth SPIFFE client authentication: the assertion is a JWT-SVID.
const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// How long an assertion is good, in seconds: it is made for one request, and sent at once.
const ASSERTION_SECS: u64 = 60;

/// How this agent authenticates to a token service. What is secret in it is not shown.
#[derive(Debug, Clone)]
pub struct ClientAuth(Method);

#[derive(Debug, Clone)]
enum Method {
    Certificate { client_id: Option<Arc<str>> },
    Secret(Secret),
    Assertion(Arc<dyn ClientAssertions>),
}

/// Makes the assertions that a client authenticates with: a new one for each request, since each counts once.
///
/// A workload's JWT-SVIDs are such assertions, with the token service's issuer identifier as their one audience:
/// `JwtSvidAssertions` of `agentauth-spiffe`.
#[async_trait]
pub trait ClientAssertions: Send + Sync + fmt::Debug {
    /// An assertion for the next request.
    ///
    /// # Errors
    /// [`OutboundError::ClientAuth`].
    async fn assertion(&self) -> Result<ClientAssertion, OutboundError>;
}

/// A signed statement of who the client is.
#[derive(Debug, Clone)]
pub struct ClientAssertion {
    kind: &'static str,
    jws: Secret,
}

impl ClientAssertion {
    /// A JWT that the client has signed itself (RFC 7523 §2.2).
    #[must_use]
    pub fn jwt(jws: &str) -> Self {
        Self { kind: JWT_BEARER, jws: Secret::new(jws) }
    }

    /// A JWT-SVID.
    #[must_use]
    pub fn jwt_svid(svid: &str) -> Self {
        Self { kind: JWT_SPIFFE, jws: Secret::new(svid) }
    }
}

impl ClientAuth {
    /// By the certificate of the connection, and nothing in the request (RFC 8705 §2).
    #[must_use]
    pub const fn certificate() -> Self {
        Self(Method::Certificate { client_id: None })
    }

    /// By the certificate of the connection, at a service that wants the client's name beside it (RFC 8705 §2).
    #[must_use]
    pub fn certificate_of(client_id: &str) -> Self {
        Self(Method::Certificate { client_id: Some(client_id.into()) })
    }

    /// By a secret, in the `Authorization` header (RFC 6749 §2.3.1). Whoever has seen it can be this client: prefer a key.
    #[must_use]
    pub fn secret(client_id: &str, secret: &str) -> Self {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(client_id), encode(secret));
        let basic = Secret::new(format!("Basic {}", STANDARD.encode(pair)));
        Self(Method::Secret(basic))
    }

    /// By assertions: [`PrivateKeyJwt`], or JWT-SVIDs.
    #[must_use]
    pub fn assertions(assertions: impl ClientAssertions + 'static) -> Self {
        Self(Method::Assertion(Arc::new(assertions)))
    }

    /// Adds to a token request what authenticates its client. To be called anew for each request.
    ///
    /// # Errors
    /// [`OutboundError::ClientAuth`].
    pub async fn authenticate(&self, form: &mut String, headers: &mut HeaderMap) -> Result<(), OutboundError> {
        match &self.0 {
            Method::Certificate { client_id: None } => {}
            Method::Certificate { client_id: Some(client_id) } => append(form, &[("client_id", client_id)]),
            Method::Secret(basic) => {
                let mut value = HeaderValue::try_from(basic.reveal()).map_err(OutboundError::client_auth)?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            Method::Assertion(assertions) => {
                let assertion = assertions.assertion().await?;
                let pairs = [("client_assertion_type", assertion.kind), ("client_assertion", assertion.jws.reveal())];
                append(form, &pairs);
            }
        }
        Ok(())
    }
}

fn append(form: &mut String, pairs: &[(&str, &str)]) {
    let start = std::mem::take(form);
    *form = form_urlencoded::Serializer::new(start).extend_pairs(pairs).finish();
}

/// Assertions that are signed with the client's own key: `private_key_jwt`.
pub struct PrivateKeyJwt {
    client_id: Box<str>,
    key: SigningKey,
    audience: IssuerId,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl PrivateKeyJwt {
    /// The assertions of `client_id`, signed with `key`, for the token service with the issuer identifier `audience`: it
    /// alone, since a server that gets an assertion for another's endpoint could use it there.
    #[must_use]
    pub fn new(client_id: &str, key: SigningKey, audience: IssuerId) -> Self {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        Self { client_id: client_id.into(), key, audience, clock, random }
    }

    /// The clock that assertions are dated by: the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of the assertions' identifiers: the system's unless set.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    fn sign(&self, jti: &str) -> Result<String, SigningFailed> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            jti: &'a str,
            iat: u64,
            exp: u64,
        }
        let (id, aud, iat) = (&*self.client_id, self.audience.as_str(), self.clock.now().secs());
        let claims = Claims { iss: id, sub: id, aud, jti, iat, exp: iat.saturating_add(ASSERTION_SECS) };
        let claims = serde_json::to_vec(&claims).map_err(|_| SigningFailed)?;
        self.key.sign(TokenType::Jwt, &claims)
    }
}

#[async_trait]
impl ClientAssertions for PrivateKeyJwt {
    async fn assertion(&self) -> Result<ClientAssertion, OutboundError> {
        let jti = unique_id(&*self.random).map_err(OutboundError::client_auth)?;
        let jws = self.sign(&jti).map_err(OutboundError::client_auth)?;
        Ok(ClientAssertion::jwt(&jws))
    }
}

impl fmt::Debug for PrivateKeyJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKeyJwt")
            .field("client_id", &self.client_id)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
