//! A client's id and secret in the `Authorization` header (RFC 6749 §2.3.1, RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::ClientError;

/// The longest header that is looked at: an id and a secret of 256 bytes each, every byte escaped, in base64.
const MAX_BASIC_BYTES: usize = 4096;

/// The id and the secret, if the request has the header.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, ClientError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ClientError::Repeated);
    }
    if value.len() > MAX_BASIC_BYTES {
        return Err(ClientError::BasicMalformed);
    }
    let value = value.to_str().map_err(|_| ClientError::BasicMalformed)?;
    let (scheme, encoded) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(ClientError::SchemeUnsupported);
    }
    decode(encoded).map(Some).ok_or(ClientError::BasicMalformed)
}

fn decode(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (form_decoded(id)?, form_decoded(secret)?);
    (!id.is_empty() && !secret.is_empty()).then_some((id, secret))
}

/// The text whose `application/x-www-form-urlencoded` spelling this is. Half an escape has no meaning, and is refused.
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<(String, String)>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        credentials(&headers).map_err(|error| error.code())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn basic_credentials_have_one_form() {
        let pair = |id: &str, secret: &str| Ok(Some((id.into(), secret.into())));
        assert_eq!(read(&[]), Ok(None));
        for (text, expected) in [
            ("app:secret", pair("app", "secret")),
            ("app:se:cret", pair("app", "se:cret")),
            ("a%3Ab+c:%C3%A9%2b", pair("a:b c", "\u{e9}+")),
            ("app", Err("client_basic_malformed")),
            (":secret", Err("client_basic_malformed")),
            ("app:", Err("client_basic_malformed")),
            ("app:50%", Err("client_basic_malformed")),
            ("app:50%2", Err("client_basic_malformed")),
            ("app:50%zz", Err("client_basic_malformed")),
            ("app:%ff", Err("client_basic_malformed")),
        ] {
            assert_eq!(read(&[&basic(text)]), expected, "{text}");
        }
        assert_eq!(read(&[&basic("app:secret").replace("Basic", "bASIC")]), pair("app", "secret"));
        for (value, expected) in [
            ("Basic".to_owned(), "client_basic_malformed"),
            ("Basic !".into(), "client_basic_malformed"),
            (format!("{}=", basic("app:secret")), "client_basic_malformed"),
            (basic("app:secret").replace("Basic ", "Basic  "), "client_basic_malformed"),
            (basic(&format!("app:{}", "x".repeat(MAX_BASIC_BYTES))), "client_basic_malformed"),
            ("Bearer abc".into(), "client_scheme_unsupported"),
            ("DPoP abc".into(), "client_scheme_unsupported"),
            (String::new(), "client_scheme_unsupported"),
        ] {
            assert_eq!(read(&[&value]), Err(expected), "{value:.60}");
        }
        assert_eq!(read(&[&basic("app:secret"), &basic("app:secret")]), Err("client_proof_repeated"));
    }
}
