//! JSON documents: what is asked for, and which answers are one.

use agentauth_core::Excerpt;
use agentauth_core::jose::MAX_JWKS_BYTES;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;

use super::{FetchError, HttpsClient};

impl HttpsClient {
    /// Asks for a document of at most 256 KiB, unless it is still the one with the tag `known`.
    pub(crate) async fn get(&self, uri: &Uri, known: Option<&HeaderValue>) -> Result<Response<Bytes>, FetchError> {
        let mut request = Request::new(Full::default());
        request.uri_mut().clone_from(uri);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(tag) = known {
            request.headers_mut().insert(IF_NONE_MATCH, tag.clone());
        }
        self.send(request, MAX_JWKS_BYTES).await
    }
}

/// Whether an answer is a JSON document: 200, and said to be JSON.
pub(crate) fn expect_json(uri: &Uri, response: &Response<Bytes>) -> Result<(), FetchError> {
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status { uri: uri.clone(), status: response.status() });
    }
    let found = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let found = String::from_utf8_lossy(found);
    if is_json(&found) { Ok(()) } else { Err(FetchError::ContentType { uri: uri.clone(), found: Excerpt::of(&found) }) }
}

/// RFC 8259 §11 and RFC 6839 §3.1; keys may come as `application/jwk-set+json` (RFC 7517 §8.5.2).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_said_to_be_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jwk-set+json", true),
            ("application/json ;x=y", true),
            ("", false),
            ("text/html", false),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/json, text/html", false),
            ("text/plain; application/json", false),
            ("application/octet-stream", false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }
}
