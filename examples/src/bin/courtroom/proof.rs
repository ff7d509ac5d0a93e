//! What an agent signs to show that it holds a key.

use agentauth_core::jose::{Signer as _, SigningKey};
use agentauth_core::{Clock as _, Random as _, SystemClock, SystemRandom};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Uri};
use serde_json::{Value, json};

use crate::Error;

/// A DPoP proof (RFC 9449 §4.2) for one request with `token`.
pub(crate) async fn of_possession(key: &SigningKey, method: &Method, uri: &Uri, token: &str) -> Result<String, Error> {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id)?;
    let claims = json!({
        "jti": URL_SAFE_NO_PAD.encode(id),
        "htm": method.as_str(),
        "htu": uri.to_string(),
        "iat": SystemClock.now().secs(),
        "ath": URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())),
    });
    signed(key, "dpop+jwt", &claims).await
}

/// A compact JWS that shows the key it is signed with.
pub(crate) async fn signed(key: &SigningKey, typ: &str, claims: &Value) -> Result<String, Error> {
    let mut jwk: Value = serde_json::from_str(key.public_jwk())?;
    if let Some(members) = jwk.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "alg" | "kid" | "use"));
    }
    let header = json!({"typ": typ, "alg": key.algorithm().name(), "jwk": jwk});
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signature = key.signature(format!("{header}.{claims}").as_bytes()).await?;
    Ok(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
