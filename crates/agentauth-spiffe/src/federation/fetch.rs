//! One retrieval of a bundle document.

use std::future::Future;

use agentauth_core::jose::MAX_JWKS_BYTES;
use agentauth_tower::client::{FetchError, HttpsClient};
use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;

use super::FederationError;
use super::endpoint::is_endpoint;
use crate::tls::TlsRefusal;

/// Retrieves a document. The client does, and tests do without sockets.
pub(super) trait Fetch: Send + Sync + 'static {
    fn fetch(&self) -> impl Future<Output = Result<Bytes, FederationError>> + Send;
}

/// A bundle endpoint on the web.
pub(super) struct HttpEndpoint {
    pub(super) client: HttpsClient,
    pub(super) uri: Uri,
    pub(super) max_redirects: usize,
}

impl Fetch for HttpEndpoint {
    /// Follows redirects, each for this time only (SPIFFE_Federation.md §5.2): every server on the way is verified as
    /// the endpoint is.
    async fn fetch(&self) -> Result<Bytes, FederationError> {
        let mut uri = self.uri.clone();
        for _ in 0..=self.max_redirects {
            let response = self.get(&uri).await?;
            uri = match response.status() {
                StatusCode::OK => return Ok(response.into_body()),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => target(&uri, &response).ok_or(FederationError::Redirect)?,
                status => return Err(FetchError::Status { uri, status }.into()),
            };
        }
        Err(FederationError::Redirect)
    }
}

impl HttpEndpoint {
    async fn get(&self, uri: &Uri) -> Result<Response<Bytes>, FederationError> {
        let mut request = Request::new(Full::default());
        request.uri_mut().clone_from(uri);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        // A server that was verified by an older bundle is not asked again.
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        let answer = self.client.send(request, MAX_JWKS_BYTES).await;
        answer.map_err(|error| match TlsRefusal::find(&error) {
            Some(refusal) => FederationError::Server(refusal.clone()),
            None => error.into(),
        })
    }
}

/// Where a redirect leads: a URL, or a path on the same server.
fn target<B>(from: &Uri, response: &Response<B>) -> Option<Uri> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let target: Uri = if location.starts_with('/') && !location.starts_with("//") {
        let authority = from.authority()?.clone();
        Uri::builder().scheme("https").authority(authority).path_and_query(location).build().ok()?
    } else {
        location.parse().ok()?
    };
    Some(target).filter(is_endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_an_https_url_without_user_information() {
        let from = "https://a.example:8443/one?x".parse().unwrap();
        for (location, expected) in [
            ("https://b.example/two", Some("https://b.example/two")),
            ("https://b.example:1/two?y#z", Some("https://b.example:1/two?y")),
            ("/two?y", Some("https://a.example:8443/two?y")),
            ("http://b.example/two", None),
            ("https://user@b.example/two", None),
            ("https://user:word@b.example/two", None),
            ("//b.example/two", None),
            ("two", None),
            ("", None),
            ("ftp://b.example/", None),
        ] {
            let response = Response::builder().header(LOCATION, location).body(()).unwrap();
            assert_eq!(target(&from, &response), expected.map(|uri| uri.parse().unwrap()), "{location}");
        }
        assert_eq!(target(&from, &Response::new(())), None);
    }
}
