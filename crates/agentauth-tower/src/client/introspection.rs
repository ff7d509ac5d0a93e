use std::fmt;
use std::sync::Arc;

use agentauth_core::Excerpt;
use agentauth_core::token::{
    Introspecting, IntrospectionAnswer, IntrospectionUnavailable, Introspector, MAX_ANSWER_BYTES,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::{FetchError, HttpsClient, without_user};

/// How many questions may be open at once. Anyone can invent an opaque token, and each is a question: without a bound,
/// they would hold the issuer's connections and this server's memory. Beyond it, requests are refused for now.
const MAX_QUESTIONS: usize = 64;

const JSON: &str = "application/json";
const JWT: &str = "application/token-introspection+jwt";

/// Asks an issuer about opaque tokens over HTTPS (RFC 7662 §2.1), authenticated as this resource server.
///
/// A question takes 10 s at most, an answer is 64 KiB at most, and 64 questions may be open at once. Whatever goes wrong
/// is [`IntrospectionUnavailable`]: the token is refused for now, with 503.
///
/// ```no_run
/// use agentauth_core::TrustedIssuer;
/// use agentauth_core::token::Introspection;
/// use agentauth_tower::client::{HttpIntrospector, HttpsClient};
/// use agentauth_tower::keys::LiveKeys;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = HttpsClient::with_platform_roots()?;
/// let secret = std::fs::read_to_string("/run/secrets/tools")?;
/// let introspector =
///     HttpIntrospector::with_secret(client.clone(), "https://sts.example.com/introspect", "tools", secret.trim_end())?;
/// let keys = LiveKeys::discover(client, "https://sts.example.com")?;
/// let issuer = TrustedIssuer::rfc9068("https://sts.example.com", keys)
///     .introspection(Introspection::new(introspector.signed()).require_signed_for("tools"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpIntrospector {
    client: HttpsClient,
    endpoint: Uri,
    credentials: Credentials,
    accept: &'static str,
    questions: Arc<Semaphore>,
}

/// How this resource server proves itself to the issuer.
#[derive(Clone)]
enum Credentials {
    /// `client_secret_basic`: the value of the header.
    Basic(Box<str>),
    /// `tls_client_auth`: the certificate is the client's, and the form has this `client_id` (RFC 8705 §2).
    Certificate(Box<str>),
}

impl HttpIntrospector {
    /// Asks at `endpoint`, as the client `client_id` with this secret (`client_secret_basic`, RFC 6749 §2.3.1).
    ///
    /// # Errors
    /// [`FetchError`] if `client` would not send anything there.
    pub fn with_secret(client: HttpsClient, endpoint: &str, client_id: &str, secret: &str) -> Result<Self, FetchError> {
        let pair = format!("{}:{}", form_encoded(client_id), form_encoded(secret));
        let header = format!("Basic {}", STANDARD.encode(pair));
        Self::new(client, endpoint, Credentials::Basic(header.into()))
    }

    /// Asks at `endpoint`, as the client `client_id`, whose certificate is the one of `client`'s TLS configuration
    /// (`tls_client_auth`, `self_signed_tls_client_auth`, RFC 8705 §2).
    ///
    /// # Errors
    /// [`FetchError`] if `client` would not send anything there.
    pub fn with_certificate(client: HttpsClient, endpoint: &str, client_id: &str) -> Result<Self, FetchError> {
        Self::new(client, endpoint, Credentials::Certificate(client_id.into()))
    }

    fn new(client: HttpsClient, endpoint: &str, credentials: Credentials) -> Result<Self, FetchError> {
        let endpoint: Uri = endpoint.parse().map_err(|_| FetchError::Url(without_user(endpoint)))?;
        client.check(&endpoint)?;
        let questions = Arc::new(Semaphore::new(MAX_QUESTIONS));
        Ok(Self { client, endpoint, credentials, accept: JSON, questions })
    }

    /// Asks for signed answers (RFC 9701 §4). That they are signed, and by whom, is checked where
    /// [`Introspection::require_signed_for`](agentauth_core::token::Introspection::require_signed_for) says so.
    #[must_use]
    pub const fn signed(mut self) -> Self {
        self.accept = JWT;
        self
    }

    fn question(&self, token: &str) -> Result<Request<Full<Bytes>>, IntrospectionUnavailable> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", "access_token");
        if let Credentials::Certificate(client_id) = &self.credentials {
            form.append_pair("client_id", client_id);
        }
        let mut post = Request::new(Full::from(form.finish()));
        *post.method_mut() = Method::POST;
        post.uri_mut().clone_from(&self.endpoint);
        let headers = post.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Credentials::Basic(basic) = &self.credentials {
            let mut basic = HeaderValue::from_str(basic).map_err(|_| unavailable("the credentials are malformed"))?;
            basic.set_sensitive(true);
            headers.insert(AUTHORIZATION, basic);
        }
        Ok(post)
    }

    fn read(&self, answer: Response<Bytes>) -> Result<IntrospectionAnswer, IntrospectionUnavailable> {
        if answer.status() != StatusCode::OK {
            let status = FetchError::Status { uri: self.endpoint.clone(), status: answer.status() };
            return Err(unavailable(status));
        }
        match &*content_type(&answer) {
            JSON => Ok(IntrospectionAnswer::Json(answer.into_body().into())),
            JWT => String::from_utf8(answer.into_body().into())
                .map(IntrospectionAnswer::Jwt)
                .map_err(|_| unavailable("the answer is no JWT")),
            other => {
                let found = Excerpt::of(other);
                Err(unavailable(format_args!("the answer is of type `{found}`, neither {JSON} nor {JWT}")))
            }
        }
    }
}

impl Introspector for HttpIntrospector {
    fn introspect(&self, token: &str) -> Introspecting {
        let (this, question) = (self.clone(), self.question(token));
        Box::pin(async move {
            let _open = this.questions.try_acquire().map_err(|_| {
                unavailable(format_args!("{MAX_QUESTIONS} questions to `{}` are open already", this.endpoint))
            })?;
            let answer = this.client.send(question?, MAX_ANSWER_BYTES).await.map_err(unavailable)?;
            this.read(answer)
        })
    }
}

impl fmt::Debug for HttpIntrospector {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.to_string();
        f.debug_struct("HttpIntrospector")
            .field("endpoint", &endpoint)
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}

fn unavailable(reason: impl fmt::Display) -> IntrospectionUnavailable {
    IntrospectionUnavailable(reason.to_string().into())
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What the answer is said to be, without parameters; nothing if it is said twice.
pub(super) fn content_type(answer: &Response<Bytes>) -> String {
    let mut types = answer.headers().get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(only), None) => {
            let text = String::from_utf8_lossy(only.as_bytes());
            text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
        }
        _ => String::new(),
    }
}
