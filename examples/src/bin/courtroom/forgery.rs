//! Tokens that no issuer has made, and links that their holders should not have.

use agentauth_core::jose::{Signer as _, SigningKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Error;

/// The same claims, "not signed".
pub(crate) fn unsigned(token: &str) -> Result<String, Error> {
    let (_, payload, _) = parts(token)?;
    Ok(format!("{}.{payload}.", encode(&json!({"alg": "none", "typ": "at+jwt"}))))
}

/// The same claims, signed with a secret that everyone knows: the issuer's public key.
pub(crate) fn keyed_with_the_public_key(token: &str, public_jwk: &str) -> Result<String, Error> {
    let (_, payload, _) = parts(token)?;
    let signed = format!("{}.{payload}", encode(&json!({"alg": "HS256", "typ": "at+jwt"})));
    let key = hmac::Key::new(hmac::HMAC_SHA256, public_jwk.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

/// The same token, with another agent as the one who acted before.
pub(crate) fn with_inner_actor(token: &str, actor: &str) -> Result<String, Error> {
    let (header, _, signature) = parts(token)?;
    let mut claims = claims(token)?;
    let inner = claims.pointer_mut("/act/act/sub").ok_or("the token has no inner actor to forge")?;
    *inner = actor.into();
    Ok(format!("{header}.{}.{signature}", encode(&claims)))
}

/// `link` with other claims, signed with `key`: one that no holder's library would make.
pub(crate) async fn link(link: &str, key: &SigningKey, changes: &[(&str, Value)]) -> Result<String, Error> {
    let mut claims = claims(link)?;
    let members = claims.as_object_mut().ok_or("a link has claims")?;
    members.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    signed_showing_key(key, "agent-delegation+jwt", &claims).await
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Result<Value, Error> {
    let (_, payload, _) = parts(token)?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// A compact JWS that shows the key it is signed with.
async fn signed_showing_key(key: &SigningKey, typ: &str, claims: &Value) -> Result<String, Error> {
    let mut jwk: Value = serde_json::from_str(key.public_jwk())?;
    if let Some(members) = jwk.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "alg" | "kid" | "use"));
    }
    let header = json!({"typ": typ, "alg": key.algorithm().name(), "jwk": jwk});
    let [header, claims] = [&header, claims].map(encode);
    let signature = key.signature(format!("{header}.{claims}").as_bytes()).await?;
    Ok(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn parts(token: &str) -> Result<(&str, &str, &str), Error> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok((header, payload, signature)),
        _ => Err("a token has three parts".into()),
    }
}
