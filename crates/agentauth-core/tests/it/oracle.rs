//! Another JOSE library in both directions: what one signs, the other verifies.

use agentauth_core::jose::{Algorithm, CompactJws, SigningKey, TokenType, VerificationKey};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

/// The other library's name for an algorithm.
fn other(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.name().parse().unwrap()
}

#[test]
fn what_we_sign_another_library_verifies() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256] {
        let key = SigningKey::generate(algorithm).unwrap();
        let token = key.sign(TokenType::AccessToken, br#"{"sub":"alice"}"#).unwrap();
        let jwk: Jwk = serde_json::from_str(key.public_jwk()).unwrap();
        let mut validation = Validation::new(other(algorithm));
        validation.required_spec_claims.clear();
        let verified = jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation);
        let verified = verified.unwrap();
        assert_eq!(verified.claims, json!({"sub": "alice"}), "{algorithm}");
        assert_eq!(verified.header.kid.as_deref(), Some(key.key_id()));
    }
}

#[test]
fn what_another_library_signs_we_verify_under_that_algorithm_alone() {
    let rsa = SigningKey::generate(Algorithm::Rs256).unwrap();
    for algorithm in [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        let is_rsa = algorithm.name().starts_with(['R', 'P']);
        let own = if is_rsa { None } else { Some(SigningKey::generate(algorithm).unwrap()) };
        let key = own.as_ref().unwrap_or(&rsa);
        let der = key.to_pkcs8().unwrap();
        let private = match algorithm {
            Algorithm::EdDsa => EncodingKey::from_ed_der(&der),
            Algorithm::Es256 | Algorithm::Es384 => EncodingKey::from_ec_der(&der),
            _ => EncodingKey::from_rsa_pem(pem(&der).as_bytes()).unwrap(),
        };
        let token = jsonwebtoken::encode(&Header::new(other(algorithm)), &json!({"sub": "alice"}), &private).unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        let mut codes = Vec::new();
        for bound in [algorithm, Algorithm::Rs256, Algorithm::Ps512] {
            let jwk = key.public_jwk().replace(key.algorithm().name(), bound.name());
            let verified = VerificationKey::from_jwk(jwk.as_bytes(), bound).map(|key| jws.verify(&key));
            codes.push(match verified {
                Ok(verified) => verified.map_or_else(|error| error.code(), |()| "accepted"),
                Err(error) => error.code(),
            });
        }
        assert_eq!(codes[0], "accepted", "{algorithm}");
        let refused = if is_rsa { "alg_not_of_key" } else { "jwk_alg_mismatch" };
        for (bound, code) in [(Algorithm::Rs256, codes[1]), (Algorithm::Ps512, codes[2])] {
            assert_eq!(code, if bound == algorithm { "accepted" } else { refused }, "{algorithm} under {bound}");
        }
    }
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}
