//! The token that is measured, and the key it is signed with.

use std::error::Error;

use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::{Clock as _, SystemClock};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

/// Who issues the tokens.
pub const ISSUER: &str = "https://id.example.com";
/// The server they are for.
pub const AUDIENCE: &str = "https://tools.example.com/mcp";
/// The principal.
pub const SUBJECT: &str = "8c1f7a52-6f0e-4b7e-9d55-2b1d3a90c7e4";

/// The agent.
pub const SUMMARISER: &str = "spiffe://agents.example.com/summariser";
const ASSISTANT: &str = "spiffe://agents.example.com/assistant";

/// Longer than any run.
const LIFETIME_SECS: u64 = 3600;

/// A key, a token signed with it, and the same token with one bit of the signature flipped.
#[derive(Debug)]
pub struct Specimen {
    /// The key.
    pub key: SigningKey,
    /// The token.
    pub genuine: Token,
    /// The same with one bit of the signature flipped.
    pub forged: Token,
}

/// A token as a verifier gets it, and what is left of it for the bare signature check.
#[derive(Debug)]
pub struct Token {
    /// In compact form.
    pub text: String,
    /// Its signature, decoded.
    pub signature: Vec<u8>,
    signing_input_bytes: usize,
}

impl Specimen {
    /// A new key, and what is signed with it.
    ///
    /// # Errors
    /// The key cannot be made or used.
    pub fn new(algorithm: Algorithm) -> Result<Self, Box<dyn Error>> {
        let key = SigningKey::generate(algorithm)?;
        let genuine = Token::signed(&key, &claims())?;
        let forged = genuine.with_one_bit_flipped()?;
        Ok(Self { key, genuine, forged })
    }
}

impl Token {
    /// An access token with `claims`.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn signed(key: &SigningKey, claims: &Value) -> Result<Self, Box<dyn Error>> {
        let text = key.sign(TokenType::AccessToken, claims.to_string().as_bytes())?;
        let (signing_input, signature) = text.rsplit_once('.').ok_or("a compact JWS has dots")?;
        Ok(Self::new(signing_input, BASE64URL.decode(signature)?))
    }

    /// A token of its parts.
    #[must_use]
    pub fn new(signing_input: &str, signature: Vec<u8>) -> Self {
        let text = format!("{signing_input}.{}", BASE64URL.encode(&signature));
        Self { text, signature, signing_input_bytes: signing_input.len() }
    }

    /// The same, with one bit of the signature flipped.
    ///
    /// # Errors
    /// None: what is signed is a text.
    pub fn with_one_bit_flipped(&self) -> Result<Self, Box<dyn Error>> {
        let mut signature = self.signature.clone();
        let middle = signature.len() / 2;
        if let Some(byte) = signature.get_mut(middle) {
            *byte ^= 1;
        }
        Ok(Self::new(std::str::from_utf8(self.signing_input())?, signature))
    }

    /// The bytes that are signed: header, dot, payload.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signing_input_bytes).unwrap_or_default()
    }
}

/// The summariser acts for the subject; it was asked to by the assistant, which acted before it.
#[must_use]
pub fn claims() -> Value {
    let now = SystemClock.now().secs();
    json!({
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "exp": now + LIFETIME_SECS,
        "nbf": now,
        "iat": now,
        "jti": "Zm9yLW9uZS11c2Utb25seQ",
        "client_id": SUMMARISER,
        "scope": "records:read records:list motions:file",
        "act": { "sub": SUMMARISER, "act": { "sub": ASSISTANT } },
        "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0" }
    })
}

/// The claims of one of many tokens, which is not bound to the certificate of a connection.
#[must_use]
pub fn bearer_claims(number: usize) -> Value {
    let mut claims = claims();
    if let Some(claims) = claims.as_object_mut() {
        claims.remove("cnf");
        claims.insert("jti".to_owned(), json!(format!("Zm9yLW9uZS11c2Ut{number:06}")));
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_has_the_size_that_the_help_says() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let specimen = Specimen::new(algorithm).unwrap();
            assert!((600..=900).contains(&specimen.genuine.text.len()), "{}", specimen.genuine.text.len());
        }
    }
}
