use std::fmt;
use std::sync::Arc;

use agentauth_core::Excerpt;
use agentauth_core::token::{FetchingStatus, MAX_STATUS_LIST_BYTES, StatusListError, StatusListSource};
use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::introspection::content_type;
use super::{FetchError, HttpsClient, without_user};

/// How many lists may be fetched at once: each may be 1 MiB, and each is fetched once for all who need it.
const MAX_FETCHES: usize = 16;

const STATUS_LIST: &str = "application/statuslist+jwt";

/// Fetches token status lists over HTTPS (draft-ietf-oauth-status-list §8).
///
/// A fetch takes 10 s at most, a list is 1 MiB at most, and 16 may be fetched at once. Redirects are not followed. Whatever
/// goes wrong is [`StatusListError::Unavailable`]: the tokens of the list are refused for now, with 503.
///
/// ```
/// use agentauth_core::TrustedIssuer;
/// use agentauth_core::token::StatusLists;
/// use agentauth_tower::client::{HttpStatusLists, HttpsClient};
/// # use agentauth_core::jose::{Algorithm, SigningKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
/// let client = HttpsClient::builder().allow_network("10.20.0.0/16").build()?;
/// let issuer = TrustedIssuer::rfc9068("https://sts.example.com", keys)
///     .status_lists(StatusLists::new(HttpStatusLists::new(client)).at_origin("https://status.example.com"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpStatusLists {
    client: HttpsClient,
    fetches: Arc<Semaphore>,
}

impl HttpStatusLists {
    /// Fetches with `client`, as far as that goes anywhere.
    #[must_use]
    pub fn new(client: HttpsClient) -> Self {
        Self { client, fetches: Arc::new(Semaphore::new(MAX_FETCHES)) }
    }

    async fn get(&self, uri: &str) -> Result<String, StatusListError> {
        let uri: Uri = uri.parse().map_err(|_| unavailable(FetchError::Url(without_user(uri))))?;
        let _open = self
            .fetches
            .try_acquire()
            .map_err(|_| unavailable(format_args!("{MAX_FETCHES} lists are being fetched already")))?;
        let mut request = Request::new(Full::default());
        request.uri_mut().clone_from(&uri);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(STATUS_LIST));
        let answer = self.client.send(request, MAX_STATUS_LIST_BYTES).await.map_err(unavailable)?;
        read(uri, answer)
    }
}

fn read(uri: Uri, answer: Response<Bytes>) -> Result<String, StatusListError> {
    if answer.status() != StatusCode::OK {
        return Err(unavailable(FetchError::Status { uri, status: answer.status() }));
    }
    let found = content_type(&answer);
    if found != STATUS_LIST {
        let found = Excerpt::of(&found);
        return Err(unavailable(format_args!("`{uri}` is of type `{found}`; {STATUS_LIST} is needed")));
    }
    String::from_utf8(answer.into_body().into()).map_err(|_| unavailable(format_args!("`{uri}` is no JWT")))
}

impl StatusListSource for HttpStatusLists {
    fn fetch(&self, uri: &str) -> FetchingStatus {
        let (this, uri) = (self.clone(), uri.to_owned());
        Box::pin(async move { this.get(&uri).await })
    }
}

impl fmt::Debug for HttpStatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStatusLists").finish_non_exhaustive()
    }
}

fn unavailable(reason: impl fmt::Display) -> StatusListError {
    StatusListError::Unavailable(reason.to_string().into())
}
