//! What a request shows of its client: one thing, or it is refused.

use std::borrow::Cow;

use http::HeaderName;

use super::basic;
use super::error::ClientError;
use super::request::TokenRequest;
use crate::delegation::issuer::client::ClientMethod;
use crate::delegation::issuer::{ExchangeError, Parameters};
use crate::identity::forwarded::XFCC;
use crate::identity::forwarded::client_certificate::{CLIENT_CERT, CLIENT_CERT_CHAIN};
use crate::identity::svid::X509Svid;

/// RFC 7523 §2.2.
const TYPE_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// OAuth SPIFFE client authentication.
const TYPE_JWT_SVID: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// In which a proxy says whose connection it has ended.
const FORWARDED: [HeaderName; 3] = [XFCC, CLIENT_CERT, CLIENT_CERT_CHAIN];

/// The one proof of a request, not yet looked at.
pub(super) enum Shown<'r> {
    Certificate(&'r X509Svid),
    JwtSvid(&'r str),
    Assertion(&'r str),
    Secret { client_id: Cow<'r, str>, secret: Cow<'r, str>, method: ClientMethod },
}

/// The proof, and which client the form says it is of.
pub(super) struct Credentials<'r> {
    pub(super) shown: Shown<'r>,
    pub(super) client_id: Option<&'r str>,
}

impl<'r> Credentials<'r> {
    pub(super) fn read(request: &TokenRequest<'r>, parameters: &'r Parameters<'_>) -> Result<Self, ExchangeError> {
        if !request.ignores_forwarded && FORWARDED.iter().any(|name| request.headers.contains_key(name)) {
            return Err(ClientError::Forwarded.into());
        }
        let client_id = parameters.one("client_id")?;
        let basic = basic::credentials(request.headers)?.map(|(client_id, secret)| Shown::Secret {
            client_id: client_id.into(),
            secret: secret.into(),
            method: ClientMethod::SecretBasic,
        });
        let post = match (parameters.one("client_secret")?, client_id) {
            (Some(secret), Some(client_id)) => Some(Shown::Secret {
                client_id: client_id.into(),
                secret: secret.into(),
                method: ClientMethod::SecretPost,
            }),
            (Some(_), None) => return Err(ClientError::IdMissing.into()),
            (None, _) => None,
        };
        let proofs = [request.peer.map(Shown::Certificate), basic, post, assertion(parameters)?];
        let mut proofs = proofs.into_iter().flatten();
        match (proofs.next(), proofs.next()) {
            (Some(shown), None) => Ok(Self { shown, client_id }),
            (None, _) => Err(ExchangeError::ClientUnauthenticated),
            (Some(_), Some(_)) => Err(ClientError::Repeated.into()),
        }
    }
}

fn assertion<'r>(parameters: &'r Parameters<'_>) -> Result<Option<Shown<'r>>, ExchangeError> {
    match (parameters.one("client_assertion")?, parameters.one("client_assertion_type")?) {
        (None, None) => Ok(None),
        (Some(token), Some(TYPE_JWT)) => Ok(Some(Shown::Assertion(token))),
        (Some(token), Some(TYPE_JWT_SVID)) => Ok(Some(Shown::JwtSvid(token))),
        (Some(_), Some(_)) => Err(ClientError::AssertionType.into()),
        _ => Err(ExchangeError::Malformed("client_assertion and its type must stand together")),
    }
}
