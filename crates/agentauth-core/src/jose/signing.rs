//! Who signs: a key in this process, or one in a key management service, behind one trait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::Serialize;

use super::{Algorithm, SigningFailed, SigningKey, TokenType, base64url};

/// A private key that signs with one algorithm, wherever it is kept.
///
/// A key in this process answers at once ([`Signing::ready`]); one that is asked over a network answers later
/// ([`Signing::later`]), and must bound its wait.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The one algorithm it signs with.
    fn algorithm(&self) -> Algorithm;

    /// What verifiers find the public half by (`kid`). No two keys may ever share one.
    fn key_id(&self) -> &str;

    /// The public half as a JWK with `kid` and `alg`: what a JWKS document lists.
    fn public_jwk(&self) -> &str;

    /// Signs `message`. The signature has the form of RFC 7518 §3 (for ECDSA, R and S of full length).
    fn signature(&self, message: &[u8]) -> Signing;
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn algorithm(&self) -> Algorithm {
        (**self).algorithm()
    }

    fn key_id(&self) -> &str {
        (**self).key_id()
    }

    fn public_jwk(&self) -> &str {
        (**self).public_jwk()
    }

    fn signature(&self, message: &[u8]) -> Signing {
        (**self).signature(message)
    }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm()
    }

    fn key_id(&self) -> &str {
        self.key_id()
    }

    fn public_jwk(&self) -> &str {
        self.public_jwk()
    }

    fn signature(&self, message: &[u8]) -> Signing {
        Signing::ready(self.sign_bytes(message))
    }
}

/// The wait for a signature: a future of `Result<Vec<u8>, SigningFailed>`.
#[must_use = "nothing is signed before this is awaited"]
pub struct Signing(State);

enum State {
    Ready(Option<Result<Vec<u8>, SigningFailed>>),
    Later(Pin<Box<dyn Future<Output = Result<Vec<u8>, SigningFailed>> + Send>>),
}

impl Signing {
    /// Signed already, or failed.
    pub const fn ready(signature: Result<Vec<u8>, SigningFailed>) -> Self {
        Self(State::Ready(Some(signature)))
    }

    /// Signed when `future` is.
    pub fn later(future: impl Future<Output = Result<Vec<u8>, SigningFailed>> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(future)))
    }
}

impl Future for Signing {
    type Output = Result<Vec<u8>, SigningFailed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(signature) => Poll::Ready(signature.take().unwrap_or(Err(SigningFailed))),
            State::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Signing(ready)",
            State::Later(_) => "Signing(waiting)",
        })
    }
}

/// Signs `payload` as a compact JWS (RFC 7515 §7.1) of the kind `token_type`.
pub(crate) async fn sign_compact(
    signer: &dyn Signer,
    token_type: TokenType,
    payload: &[u8],
) -> Result<String, SigningFailed> {
    let input = signing_input(&header_of(signer.algorithm(), signer.key_id(), token_type)?, payload);
    let signature = signer.signature(input.as_bytes()).await?;
    Ok(complete(input, &signature))
}

/// The header of a JWS that names its key (RFC 7515 §4.1).
pub(super) fn header_of(algorithm: Algorithm, key_id: &str, token_type: TokenType) -> Result<Vec<u8>, SigningFailed> {
    #[derive(Serialize)]
    struct Header<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        typ: Option<&'a str>,
        alg: &'a str,
        kid: &'a str,
    }
    let header = Header { typ: token_type.name(), alg: algorithm.name(), kid: key_id };
    serde_json::to_vec(&header).map_err(|_| SigningFailed)
}

/// Header and payload, as they are signed (RFC 7515 §5.1).
pub(super) fn signing_input(header: &[u8], payload: &[u8]) -> String {
    let mut input = base64url::encode(header);
    input.push('.');
    input.push_str(&base64url::encode(payload));
    input
}

pub(super) fn complete(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    input.push_str(&base64url::encode(signature));
    input
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::jose::CompactJws;

    /// A key that is elsewhere: it answers when it is asked again.
    #[derive(Debug)]
    struct Remote(Arc<SigningKey>);

    impl Signer for Remote {
        fn algorithm(&self) -> Algorithm {
            self.0.algorithm()
        }

        fn key_id(&self) -> &str {
            self.0.key_id()
        }

        fn public_jwk(&self) -> &str {
            self.0.public_jwk()
        }

        fn signature(&self, message: &[u8]) -> Signing {
            let (key, message, mut asked) = (Arc::clone(&self.0), message.to_vec(), false);
            Signing::later(std::future::poll_fn(move |_| {
                if !std::mem::replace(&mut asked, true) {
                    return Poll::Pending;
                }
                Poll::Ready(key.sign_bytes(&message))
            }))
        }
    }

    #[test]
    fn a_key_that_is_elsewhere_signs_like_one_that_is_here() {
        let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        let keys = key.public_key_set().unwrap();
        let signed = |signer: &dyn Signer| {
            let mut waits = 0;
            let mut signing = std::pin::pin!(sign_compact(signer, TokenType::AccessToken, b"{}"));
            loop {
                match signing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(token) => return (token.unwrap(), waits),
                    Poll::Pending => waits += 1,
                }
            }
        };
        for (signer, expected) in [(&*key as &dyn Signer, 0), (&Remote(Arc::clone(&key)), 1)] {
            let (token, waits) = signed(signer);
            let jws = CompactJws::parse(&token).unwrap();
            assert_eq!((jws.verify(keys.key_for(&jws).unwrap()), waits), (Ok(()), expected));
        }
    }
}
