//! The target URI of a request as `htu` names it (RFC 9449 §4.3 check 9), in normal form (RFC 3986 §6.2.2, §6.2.3).

use std::net::Ipv6Addr;

use smallvec::SmallVec;

/// The longest URI that is compared, in bytes, without query and fragment: RFC 9110 §4.1 has servers take 8000 for all
/// of a URI, and a quarter is more than any path is.
const MAX_URI_BYTES: usize = 2048;

/// An absolute `http` or `https` URI in normal form, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target(SmallVec<[u8; 256]>);

/// What clients see in front of every path of this server: a scheme, a host and perhaps a port, in normal form.
#[derive(Debug, Clone)]
pub(super) struct Origin(Target);

/// What is done with `.` and `..` in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DotSegments {
    Resolved,
    Refused,
}

impl Target {
    /// Reads `uri`, such as a claim `htu`. Query and fragment are ignored; user information, other schemes, and what
    /// RFC 3986 does not allow in a URI are refused.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let uri = uri.split(['?', '#']).next()?;
        if uri.len() > MAX_URI_BYTES {
            return None;
        }
        let (scheme, rest) = uri.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let mut target = Self(SmallVec::new());
        target.append_origin(scheme, authority)?;
        target.append_path(path, DotSegments::Resolved)?;
        Some(target)
    }

    fn append_origin(&mut self, scheme: &str, authority: &str) -> Option<()> {
        let (prefix, default_port): (&[u8], u16) = if scheme.eq_ignore_ascii_case("https") {
            (b"https://", 443)
        } else if scheme.eq_ignore_ascii_case("http") {
            (b"http://", 80)
        } else {
            return None;
        };
        self.0.extend_from_slice(prefix);
        let port = if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            self.0.extend_from_slice(format!("[{address}]").as_bytes());
            if port.is_empty() { None } else { Some(port.strip_prefix(':')?) }
        } else {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            // Names are ASCII here (RFC 5890 §2.3.2.1 A-labels), and have no need of percent-encoding.
            if host.is_empty() || !host.bytes().all(is_unreserved) {
                return None;
            }
            let start = self.0.len();
            self.0.extend_from_slice(host.as_bytes());
            self.0.get_mut(start..)?.make_ascii_lowercase();
            port
        };
        match port.filter(|port| !port.is_empty()).map(port_number) {
            None => Some(()),
            Some(port) => {
                let port = port?;
                if port != default_port {
                    self.0.extend_from_slice(format!(":{port}").as_bytes());
                }
                Some(())
            }
        }
    }

    /// Appends `path`, percent-encoding normalised and dot segments resolved (RFC 3986 §5.2.4). Empty segments and a
    /// slash at the end are kept, since they name something else.
    fn append_path(&mut self, path: &str, dots: DotSegments) -> Option<()> {
        let root = self.0.len();
        if !path.is_empty() {
            let mut segments = path.strip_prefix('/')?.split('/').peekable();
            while let Some(segment) = segments.next() {
                let start = self.0.len();
                self.0.push(b'/');
                self.append_segment(segment)?;
                let appended = self.0.get(start..)?;
                let parents = match appended {
                    b"/." => 0,
                    b"/.." => 1,
                    _ => continue,
                };
                if dots == DotSegments::Refused {
                    return None;
                }
                self.0.truncate(start);
                if parents == 1 {
                    let above = self.0.get(root..)?.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    self.0.truncate(root.saturating_add(above));
                }
                if segments.peek().is_none() {
                    self.0.push(b'/');
                }
            }
        }
        if self.0.len() == root {
            self.0.push(b'/');
        }
        Some(())
    }

    fn append_segment(&mut self, segment: &str) -> Option<()> {
        // Most segments are in normal form.
        if segment.bytes().all(is_plain) {
            self.0.extend_from_slice(segment.as_bytes());
            return Some(());
        }
        let mut bytes = segment.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let (high, low) = (bytes.next()?.to_ascii_uppercase(), bytes.next()?.to_ascii_uppercase());
                let decoded = hex_digit(high)? << 4 | hex_digit(low)?;
                if is_unreserved(decoded) {
                    self.0.push(decoded);
                } else {
                    self.0.extend_from_slice(&[b'%', high, low]);
                }
            } else if is_plain(byte) {
                self.0.push(byte);
            } else {
                return None;
            }
        }
        Some(())
    }

    #[cfg(test)]
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap()
    }
}

impl Origin {
    /// Reads `https://host` or `https://host:port`, with or without a slash at the end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_URI_BYTES {
            return None;
        }
        let (scheme, authority) = text.split_once("://")?;
        let mut origin = Target(SmallVec::new());
        origin.append_origin(scheme, authority.strip_suffix('/').unwrap_or(authority))?;
        Some(Self(origin))
    }

    /// The target of a request for `path`. A path with dot segments has none: a client resolves them before it sends,
    /// and a server may route such a request by what it says, not by what it resolves to.
    pub(super) fn target(&self, path: &str) -> Option<Target> {
        if path.len() > MAX_URI_BYTES {
            return None;
        }
        let mut target = Target(SmallVec::from_slice(&self.0.0));
        target.append_path(path, DotSegments::Refused)?;
        Some(target)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0.0).unwrap_or_default()
    }
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What stands for itself in a path segment (RFC 3986 §3.3 `pchar`).
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

const fn hex_digit(upper: u8) -> Option<u8> {
    match upper {
        b'0'..=b'9' => Some(upper - b'0'),
        b'A'..=b'F' => Some(upper - b'A' + 10),
        _ => None,
    }
}

fn port_number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_has_one_normal_form() {
        for (uri, expected) in [
            ("https://a.example/x", "https://a.example/x"),
            ("HTTPS://A.Example/X", "https://a.example/X"),
            ("http://a.example", "http://a.example/"),
            ("https://a.example/", "https://a.example/"),
            ("https://a.example?q=/..", "https://a.example/"),
            ("https://a.example/x?q=1#f", "https://a.example/x"),
            ("https://a.example/x#f?q", "https://a.example/x"),
            ("https://a.example/x/", "https://a.example/x/"),
            ("https://a.example//x", "https://a.example//x"),
            ("https://a.example/x//", "https://a.example/x//"),
            // Ports.
            ("https://a.example:443/x", "https://a.example/x"),
            ("https://a.example:/x", "https://a.example/x"),
            ("http://a.example:80/x", "http://a.example/x"),
            ("http://a.example:443/x", "http://a.example:443/x"),
            ("https://a.example:80/x", "https://a.example:80/x"),
            ("https://a.example:8443", "https://a.example:8443/"),
            ("https://a.example:0/x", "https://a.example:0/x"),
            // Percent-encoding.
            ("https://a.example/%7eu%73er", "https://a.example/~user"),
            ("https://a.example/a%2fb", "https://a.example/a%2Fb"),
            ("https://a.example/%25%34%31", "https://a.example/%2541"),
            ("https://a.example/%c3%a9", "https://a.example/%C3%A9"),
            ("https://a.example/a%3Fb%23c", "https://a.example/a%3Fb%23c"),
            ("https://a.example/a:b@c;d=e,f", "https://a.example/a:b@c;d=e,f"),
            ("https://a.example/%00", "https://a.example/%00"),
            // Dot segments, in either spelling.
            ("https://a.example/a/./b/../c", "https://a.example/a/c"),
            ("https://a.example/a/%2e%2E/c", "https://a.example/c"),
            ("https://a.example/a/.%2e/c", "https://a.example/c"),
            ("https://a.example/..", "https://a.example/"),
            ("https://a.example/../../a", "https://a.example/a"),
            ("https://a.example/a/.", "https://a.example/a/"),
            ("https://a.example/a/b/..", "https://a.example/a/"),
            ("https://a.example/a//../b", "https://a.example/a/b"),
            ("https://a.example/..//a", "https://a.example//a"),
            ("https://a.example/...", "https://a.example/..."),
            ("https://a.example/.a/..b/c.", "https://a.example/.a/..b/c."),
            ("https://a.example/a/..%2fb", "https://a.example/a/..%2Fb"),
            // Addresses.
            ("https://127.0.0.1:8443/x", "https://127.0.0.1:8443/x"),
            ("https://[::1]/x", "https://[::1]/x"),
            ("https://[0:0:0:0:0:0:0:1]:443/x", "https://[::1]/x"),
            ("https://[2001:DB8::A]:8443/x", "https://[2001:db8::a]:8443/x"),
        ] {
            assert_eq!(Target::parse(uri).as_ref().map(Target::as_str), Some(expected), "{uri}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_URI_BYTES));
        for uri in [
            "",
            "/x",
            "a.example/x",
            "//a.example/x",
            "https:/a.example/x",
            "https:a.example",
            "https:///x",
            "https://:443/x",
            "ftp://a.example/x",
            "httpss://a.example/x",
            " https://a.example/x",
            "https://user@a.example/x",
            "https://user:pw@a.example/x",
            "https://a.example:8a/x",
            "https://a.example:+80/x",
            "https://a.example:0443/x",
            "https://a.example:65536/x",
            "https://a.example:1:2/x",
            "https://a%2eexample/x",
            "https://a.example\\x",
            "https://ex\u{e4}mple/x",
            "https://a.example/\u{e4}",
            "https://a.example/a b",
            "https://a.example/%",
            "https://a.example/%4",
            "https://a.example/%4g",
            "https://a.example/%+1",
            "https://a.example/a\\b",
            "https://a.example/a\nb",
            "https://[::1/x",
            "https://[::1]x/x",
            "https://[fe80::1%25eth0]/x",
            "https://[127.0.0.1]/x",
            "https://::1/x",
            long.as_str(),
        ] {
            assert_eq!(Target::parse(uri), None, "{uri:.60}");
        }
    }

    #[test]
    fn an_origin_is_joined_with_the_path_of_the_request() {
        let origin = Origin::parse("HTTPS://Tools.Example:443/").unwrap();
        assert_eq!(origin.as_str(), "https://tools.example");
        for (path, expected) in [
            ("", Some("https://tools.example/")),
            ("/", Some("https://tools.example/")),
            ("/a%7Eb/", Some("https://tools.example/a~b/")),
            ("//a", Some("https://tools.example//a")),
            ("/@evil.example/", Some("https://tools.example/@evil.example/")),
            ("/a/../b", None),
            ("/a/%2e%2e/b", None),
            ("/a/.", None),
            ("*", None),
            ("a", None),
            ("/a b", None),
        ] {
            assert_eq!(origin.target(path).as_ref().map(Target::as_str), expected, "{path}");
        }
        for text in
            ["", "tools.example", "https://", "https://a.example/x", "https://a.example//", "https://a@b", "ws://a"]
        {
            assert!(Origin::parse(text).is_none(), "{text}");
        }
        for text in ["https://a.example?q", "https://a.example#f", "https://a.example/?q"] {
            assert!(Origin::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(
            scheme in "[hH][tT]{2}[pP][sS]?",
            host in r"[a-zA-Z0-9.-]{1,12}|\[[0-9a-fA-F:]{2,12}\]",
            port in "(:[0-9]{0,5})?",
            path in r"(/(\.|%2[eE]|%[0-9a-fA-F]{2}|[a-z%~/?#]){0,4}){0,6}",
        ) {
            if let Some(once) = Target::parse(&format!("{scheme}://{host}{port}{path}")) {
                let twice = Target::parse(once.as_str());
                prop_assert_eq!(twice.as_ref(), Some(&once));
            }
        }

        #[test]
        fn a_path_without_dot_segments_is_the_same_target_from_either_side(path in "(/[a-zA-Z0-9%~:@/_-]{0,8}){0,6}") {
            let origin = Origin::parse("https://a.example").unwrap();
            prop_assert_eq!(origin.target(&path), Target::parse(&format!("https://a.example{path}")));
        }
    }
}
