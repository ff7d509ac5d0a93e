//! One revocation as a line: a JSON object that names nobody.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::MapAccess;

use super::super::entries::Span;
use super::super::{RevocationKey, RevocationKind};
use crate::jose::base64url;
use crate::jose::json::{self, JsonError, Members, Value};

#[derive(Serialize)]
struct Line<'l> {
    revoked: RevocationKind,
    digest: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<u64>,
}

/// The line, with its end.
pub(super) fn write(key: &RevocationKey, span: &Span) -> Vec<u8> {
    let digest = base64url::encode(&key.digest);
    let line = Line { revoked: key.kind, digest: &digest, until: span.until, issued: span.issued };
    // There is nothing in it that cannot be written.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[derive(Default)]
struct Parsed<'l> {
    revoked: Option<Cow<'l, str>>,
    digest: Option<Cow<'l, str>>,
    until: Option<u64>,
    issued: Option<u64>,
    has_other: bool,
}

impl<'l> Members<'l> for Parsed<'l> {
    fn member<A: MapAccess<'l>>(&mut self, name: &str, value: Value<'_, 'l, A>) -> Result<(), A::Error> {
        match name {
            "revoked" => self.revoked = Some(value.text()?),
            "digest" => self.digest = Some(value.text()?),
            "until" => self.until = Some(value.integer()?),
            "issued" => self.issued = Some(value.integer()?),
            _ => {
                self.has_other = true;
                value.skip()?;
            }
        }
        Ok(())
    }
}

/// Reads a line without its end. What is not understood could be a limit or its absence: it is no line.
pub(super) fn read(line: &[u8]) -> Option<(RevocationKey, Span)> {
    let parsed: Result<Parsed<'_>, JsonError> = json::read(line);
    let parsed = parsed.ok().filter(|parsed| !parsed.has_other)?;
    let kind = RevocationKind::from_name(&parsed.revoked?)?;
    let digest = base64url::decode_exactly(&parsed.digest?).ok()?;
    Some((RevocationKey { kind, digest }, Span { until: parsed.until, issued: parsed.issued }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_no_other() {
        let key = RevocationKey { kind: RevocationKind::Grant, digest: [7; 32] };
        for (until, issued) in [(None, None), (Some(1), None), (None, Some(2)), (Some(1), Some(2))] {
            let (span, mut line) = (Span { until, issued }, write(&key, &Span { until, issued }));
            assert_eq!(line.pop(), Some(b'\n'));
            assert_eq!(read(&line), Some((key, span)));
        }
        let digest = base64url::encode(&[7; 32]);
        for bad in [
            "",
            "{}",
            &format!(r#"{{"revoked":"grant","digest":"{digest}""#),
            &format!(r#"{{"revoked":"grants","digest":"{digest}"}}"#),
            &format!(r#"{{"revoked":"grant","digest":"{digest}A"}}"#),
            &format!(r#"{{"revoked":"grant","digest":"{digest}","until":-1}}"#),
            &format!(r#"{{"revoked":"grant","digest":"{digest}","until":null}}"#),
            &format!(r#"{{"revoked":"grant","digest":"{digest}","unless":1}}"#),
            &format!(r#"{{"revoked":"grant","revoked":"grant","digest":"{digest}"}}"#),
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
