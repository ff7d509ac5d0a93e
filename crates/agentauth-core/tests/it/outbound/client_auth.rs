//! How this agent says who it is to a token service.

use http::HeaderMap;

use super::*;
use crate::support::court::{Counter, claims_of};
use agentauth_core::IssuerId;
use agentauth_core::delegation::outbound::{ClientAssertion, ClientAssertions, ClientAuth, PrivateKeyJwt};
use agentauth_core::jose::{Algorithm, CompactJws, SigningKey, TokenType};

type Pairs = Vec<(String, String)>;

/// The form and the `Authorization` of a request that begins as `a=b`.
fn authenticated(auth: &ClientAuth) -> Result<(Pairs, Option<String>), OutboundError> {
    let (mut form, mut headers) = ("a=b".to_owned(), HeaderMap::new());
    wait(auth.authenticate(&mut form, &mut headers))?;
    let header = headers.get("authorization").map(|value| {
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    });
    let mut pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(pairs.remove(0), ("a".into(), "b".into()));
    Ok((pairs, header))
}

#[derive(Debug)]
struct Svids;

#[async_trait]
impl ClientAssertions for Svids {
    async fn assertion(&self) -> Result<ClientAssertion, OutboundError> {
        Ok(ClientAssertion::jwt_svid("a.jwt.svid"))
    }
}

#[test]
fn each_way_has_its_place_in_the_request() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(authenticated(&ClientAuth::certificate()).unwrap(), (vec![], None));
    assert_eq!(
        authenticated(&ClientAuth::certificate_of("me&you")).unwrap(),
        (vec![pair("client_id", "me&you")], None)
    );
    // RFC 6749 §2.3.1: form-encoded first, so that a colon in the id is no separator. `s6BhdRkqt3:gX1fBat3bV` is its example.
    for (id, secret, expected) in
        [("s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"), ("a:b", "c d", "Basic YSUzQWI6YytkJTIx")]
    {
        let secret = if id == "a:b" { format!("{secret}!") } else { secret.to_owned() };
        let auth = ClientAuth::secret(id, &secret);
        assert_eq!(authenticated(&auth).unwrap(), (vec![], Some(expected.to_owned())));
        assert!(!format!("{auth:?}").contains(&secret));
    }
    let svid = ClientAuth::assertions(Svids);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
    let expected = vec![pair("client_assertion_type", kind), pair("client_assertion", "a.jwt.svid")];
    assert_eq!(authenticated(&svid).unwrap(), (expected, None));
}

#[test]
fn an_assertion_is_for_one_service_and_one_request() {
    let court = Court::new();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = key.public_key_set().unwrap();
    let made =
        PrivateKeyJwt::new("me", key, IssuerId::new(STS).unwrap()).clock(court.clock.clone()).random(Counter::up_to(2));
    let auth = ClientAuth::assertions(made);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (pairs, header) = authenticated(&auth).unwrap();
        assert_eq!(header, None);
        let [(kind, jwt_bearer), (name, jws)] = &pairs[..] else { panic!("{pairs:?}") };
        assert_eq!((&**kind, &**name), ("client_assertion_type", "client_assertion"));
        assert_eq!(jwt_bearer, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let parsed = CompactJws::parse(jws).unwrap();
        assert_eq!(parsed.token_type(), TokenType::Jwt);
        parsed.verify(keys.key_for(&parsed).unwrap()).unwrap();
        let mut claims = claims_of(jws);
        ids.push(claims["jti"].take());
        let expected = json!({"iss": "me", "sub": "me", "aud": STS, "jti": null, "iat": NOW, "exp": NOW + 60});
        assert_eq!(claims, expected);
        assert!(!format!("{auth:?}").contains(jws.as_str()));
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(authenticated(&auth).unwrap_err().code(), "outbound_client_auth_failed");
}
