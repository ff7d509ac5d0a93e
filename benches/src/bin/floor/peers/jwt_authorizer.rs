//! jwt-authorizer, below its layer: a key set, and no look at `typ`.

use std::error::Error;

use jwt_authorizer::{Authorizer, JwtAuthorizer, Validation};

use super::{Claims, LEEWAY_SECS, is_the_subject};
use agentauth_benches::case::{Verdict, at_once};
use agentauth_benches::specimen::{AUDIENCE, ISSUER};

pub(super) struct Peer(Authorizer<Claims>);

impl Peer {
    /// The `alg` of the key is the only one that is taken.
    pub(super) fn new(jwk: &str) -> Result<Self, Box<dyn Error>> {
        let validation = Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]).exp(true).nbf(true).leeway(LEEWAY_SECS);
        let keys = format!(r#"{{"keys":[{jwk}]}}"#);
        let authorizer = JwtAuthorizer::from_jwks_text(&keys).validation(validation).build();
        Ok(Self(at_once(authorizer)??))
    }

    pub(super) fn verify(&self, token: &str) -> Verdict {
        is_the_subject(&at_once(self.0.check_auth(token))??.claims.sub)
    }
}
