//! Where a token may be sent: to its audience, and to nothing that only looks like it.

use http::Uri;

use super::OutboundError;
use crate::identity::ResourceId;

pub(super) fn check_target(uri: &Uri, audience: &ResourceId) -> Result<(), OutboundError> {
    if reaches(uri, audience) {
        return Ok(());
    }
    Err(OutboundError::WrongAudience { uri: shown(uri), audience: audience.clone() })
}

/// `uri` without user information and query, which may hold what is not to be shown.
fn shown(uri: &Uri) -> Uri {
    let path = uri.path();
    let shown = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        _ => path.to_owned(),
    };
    shown.parse().unwrap_or_default()
}

/// Whether a request to `uri` reaches `audience`: the same scheme and authority, byte for byte, and a path at or
/// below the audience's by whole segments.
fn reaches(uri: &Uri, audience: &ResourceId) -> bool {
    let Ok(base) = audience.as_str().parse::<Uri>() else { return false };
    let same_origin = uri.scheme() == base.scheme() && uri.authority() == base.authority();
    let base_path = base.path().trim_end_matches('/');
    let below = uri.path().strip_prefix(base_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    same_origin && below && !climbs(uri.path())
}

/// Whether some server might read `path` as one that leaves the path it begins with. Servers differ in what they
/// decode, how often, and where a segment ends for them; so nothing that matters there may be encoded at all.
fn climbs(path: &str) -> bool {
    let mut encoded =
        path.split('%').skip(1).map(|rest| rest.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
    let matters = |byte| byte < 0x20 || matches!(byte, b'%' | b'.' | b'/' | b';' | b'\\' | 0x7f | 0xc0 | 0xc1);
    let hidden = encoded.any(|byte| byte.is_none_or(matters));
    let dots = |segment: &str| matches!(segment.split(';').next(), Some(".." | "."));
    hidden || path.split(['/', '\\']).any(dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_where_the_request_was_to_go_and_no_secret() {
        let audience = ResourceId::new("https://a.example").unwrap();
        for (uri, expected) in [
            ("https://b.example/x?key=s3cret", "https://b.example/x"),
            ("https://me:s3cret@b.example:8443/x", "https://b.example:8443/x"),
            ("/x?key=s3cret", "/x"),
            ("b.example:443", "/"),
            ("*", "*"),
        ] {
            let refused = check_target(&uri.parse().unwrap(), &audience).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("s3cret"), "{refused}");
            let OutboundError::WrongAudience { uri, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(uri.to_string(), expected);
        }
    }

    #[test]
    fn a_delegation_goes_to_its_audience_only() {
        for (audience, uri, expected) in [
            ("https://a.example", "https://a.example/x?y", true),
            ("https://a.example", "https://a.example", true),
            ("https://a.example/mcp", "https://a.example/mcp/tools", true),
            ("https://a.example/mcp", "https://a.example/mcpx", false),
            ("https://a.example/mcp", "https://a.example/mcp/../admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%2E%2e/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/x%2F..%2Fadmin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..;x/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%252e%252e/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..%3b/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/..%00/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%c0%ae%c0%ae/admin", false),
            ("https://a.example/mcp", "https://a.example/mcp/%zz", false),
            ("https://a.example/mcp", "https://a.example/mcp/a..b/caf%C3%A9%20x", true),
            ("https://a.example/mcp", "https://a.example/", false),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://a.example.evil/", false),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example", "https://user@a.example/", false),
            ("https://a.example", "/x", false),
        ] {
            let audience = ResourceId::new(audience).unwrap();
            assert_eq!(reaches(&uri.parse().unwrap(), &audience), expected, "{uri} for {audience}");
        }
    }
}
