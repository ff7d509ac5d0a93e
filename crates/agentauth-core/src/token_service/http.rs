//! The endpoints of a token service as HTTP has them (RFC 6749 §5, RFC 7662, RFC 8414): whoever serves them adds the
//! socket and nothing else.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::{TokenRefusal, TokenService};
use crate::agentauth::NO_ID;
use crate::binding::dpop::DPOP_NONCE;
use crate::delegation::{ExchangeError, Parameters, TokenRequest, token_response};

/// All that a client is told of a refusal beside the error: what was wrong stands in the record.
const DESCRIPTION: &str = "the request was refused; the operator finds the reason under the evaluation id";

/// Keys are published before they sign, and each verifier asks again within this time.
const JWKS_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

const METADATA_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=3600");

impl TokenService {
    /// Answers a request to the token endpoint: [`TokenService::grant`], as HTTP has it. The answer carries a
    /// [`TokenRefusal`] as an extension, for layers further out.
    pub async fn answer(&self, request: &TokenRequest<'_>) -> Response<String> {
        let granted = self.grant_of(request).await.and_then(|(issued, tells_resource)| {
            let resource = issued.origin.as_ref().filter(|_| tells_resource).map(|origin| &origin.audience);
            token_response(&issued, resource).map_err(|error| TokenRefusal { error, evaluation_id: NO_ID.into() })
        });
        let mut response = self.respond(request, granted);
        // RFC 9449 §8.2: the client needs it for its next request, if not for this one again.
        let nonce = self.issuer.dpop_nonce().and_then(|nonce| HeaderValue::try_from(nonce).ok());
        if let Some(nonce) = nonce {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
        response
    }

    /// Answers a request to the introspection endpoint (RFC 7662 §2): [`Issuer::introspect`](crate::Issuer::introspect)
    /// for a client that proves itself as at the token endpoint. Refusals are recorded.
    pub async fn answer_introspection(&self, request: &TokenRequest<'_>) -> Response<String> {
        let record = self.open_for(request);
        match self.introspect(request).await {
            Ok(body) => {
                record.forget();
                self.respond(request, Ok(body))
            }
            Err(error) => self.respond(request, Err(self.refuse(record, error).await)),
        }
    }

    /// Answers a request to the revocation endpoint (RFC 7009 §2): [`TokenService::revoke_token`] for a client that proves
    /// itself as at the token endpoint. A token that does not count is answered like one that is taken back.
    pub async fn answer_revocation(&self, request: &TokenRequest<'_>) -> Response<String> {
        let record = self.open_for(request);
        match self.take_back(request).await {
            Ok(()) => {
                record.forget();
                self.respond(request, Ok("{}".to_owned()))
            }
            Err(error) => self.respond(request, Err(self.refuse(record, error).await)),
        }
    }

    async fn take_back(&self, request: &TokenRequest<'_>) -> Result<(), ExchangeError> {
        let parameters = Parameters::read(request)?;
        let client = self.issuer.authenticate_only(request, &parameters).await?;
        let token = parameters.one("token")?.ok_or(ExchangeError::Malformed("no token"))?;
        self.revoke_token(&client, token).await
    }

    async fn introspect(&self, request: &TokenRequest<'_>) -> Result<String, ExchangeError> {
        let parameters = Parameters::read(request)?;
        let client = self.issuer.authenticate_only(request, &parameters).await?;
        let token = parameters.one("token")?.ok_or(ExchangeError::Malformed("no token"))?;
        Ok(self.issuer.introspect(&client, token).await?.to_json())
    }

    /// The public keys (RFC 7517 §5), as they are now.
    #[must_use]
    pub fn jwks(&self) -> Response<String> {
        document(self.issuer.jwks(), JWKS_CACHE_CONTROL)
    }

    /// The authorization server metadata (RFC 8414 §3.2).
    #[must_use]
    pub fn metadata(&self) -> Response<String> {
        document(self.issuer.metadata(), METADATA_CACHE_CONTROL)
    }

    fn respond(&self, request: &TokenRequest<'_>, answer: Result<String, TokenRefusal>) -> Response<String> {
        let headers = json_headers(HeaderValue::from_static("no-store"));
        let refusal = match answer {
            Ok(body) => {
                let mut response = Response::new(body);
                *response.headers_mut() = headers;
                return response;
            }
            Err(refusal) => refusal,
        };
        let mut response = Response::new(refusal.body());
        *response.status_mut() = refusal.error.status();
        *response.headers_mut() = headers;
        if response.status() == StatusCode::UNAUTHORIZED && request.has_authorization() {
            // Issuer identifiers have no character that a quoted string would need to escape, but these two.
            let realm = self.issuer.id().as_str().replace(['"', '\\'], "");
            if let Ok(challenge) = HeaderValue::try_from(format!("Basic realm=\"{realm}\"")) {
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
        }
        response.extensions_mut().insert(refusal);
        response
    }
}

impl TokenRefusal {
    /// The body of the answer: the OAuth error and the evaluation id (RFC 6749 §5.2).
    fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            error_description: &'a str,
            evaluation_id: &'a str,
        }
        let (error, evaluation_id) = (self.error.oauth_error(), &self.evaluation_id);
        serde_json::to_string(&Body { error, error_description: DESCRIPTION, evaluation_id }).unwrap_or_default()
    }
}

fn document(body: String, cache: HeaderValue) -> Response<String> {
    let mut response = Response::new(body);
    *response.headers_mut() = json_headers(cache);
    response
}

fn json_headers(cache: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, cache);
    headers
}
