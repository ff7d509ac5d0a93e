//! The nonces that servers ask a client to put into its proofs (RFC 9449 §8, §9).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Uri};

use super::DPOP_NONCE;

/// An agent calls a handful of servers; the one that has been silent longest is forgotten.
const MAX_ORIGINS: usize = 256;

/// The longest nonce that is sent back, in bytes. Ours have 70.
const MAX_NONCE_BYTES: usize = 512;

/// The newest nonce of each origin. A server that asks for one refuses proofs with an older one (RFC 9449 §8.2).
#[derive(Default)]
pub(super) struct ServerNonces(Mutex<VecDeque<Entry>>);

struct Entry {
    origin: Box<str>,
    nonce: Box<str>,
}

impl ServerNonces {
    /// The newest nonce of the server at `uri`.
    pub(super) fn of(&self, uri: &Uri) -> Option<Box<str>> {
        let origin = origin(uri)?;
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().find(|entry| *entry.origin == *origin).map(|entry| entry.nonce.clone())
    }

    /// Keeps the nonce that the server at `uri` has given in `headers`. Whether it is another one than before.
    pub(super) fn keep(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let (Some(origin), Some(nonce)) = (origin(uri), given(headers)) else { return false };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().position(|entry| *entry.origin == *origin).and_then(|at| entries.remove(at));
        if known.is_none() && entries.len() >= MAX_ORIGINS {
            entries.pop_front();
        }
        let is_new = known.is_none_or(|entry| *entry.nonce != *nonce);
        entries.push_back(Entry { origin: origin.into(), nonce: nonce.into() });
        is_new
    }
}

/// The one nonce that a server gives, in the characters of RFC 9449 §8.1; several would be a guess.
fn given(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(DPOP_NONCE).iter();
    let (Some(nonce), None) = (values.next(), values.next()) else { return None };
    let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let nonce = nonce.to_str().ok()?;
    (!nonce.is_empty() && nonce.len() <= MAX_NONCE_BYTES && nonce.bytes().all(is_nqchar)).then_some(nonce)
}

fn origin(uri: &Uri) -> Option<String> {
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?.as_str().to_ascii_lowercase()))
}

impl fmt::Debug for ServerNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerNonces").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(nonces: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for nonce in nonces {
            headers.append(DPOP_NONCE, HeaderValue::from_bytes(nonce.as_bytes()).unwrap());
        }
        headers
    }

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_nonce_of_an_origin_counts_there_and_nowhere_else() {
        let nonces = ServerNonces::default();
        let there = uri("https://Records.example/a");
        assert!(nonces.keep(&there, &headers(&["one"])));
        assert!(!nonces.keep(&there, &headers(&["one"])), "nothing new");
        assert!(nonces.keep(&there, &headers(&["two"])));
        assert!(!nonces.keep(&there, &headers(&[])), "an answer without one takes nothing back");
        for (at, expected) in [
            ("https://records.example/b?c", Some("two")),
            ("https://records.example:8443/", None),
            ("http://records.example/", None),
            ("https://other.example/", None),
            ("/a", None),
        ] {
            assert_eq!(nonces.of(&uri(at)).as_deref(), expected, "{at}");
        }
    }

    #[test]
    fn what_is_no_nonce_is_not_kept() {
        let nonces = ServerNonces::default();
        let long = "x".repeat(MAX_NONCE_BYTES + 1);
        for given in [&["a", "b"][..], &[""], &["a\"b"], &["a b"], &["\u{e9}"], &[&long]] {
            assert!(!nonces.keep(&uri("https://records.example/"), &headers(given)), "{given:?}");
        }
        assert!(!nonces.keep(&uri("/"), &headers(&["a"])));
        assert_eq!(nonces.of(&uri("https://records.example/")), None);
    }

    #[test]
    fn many_servers_push_out_the_one_that_has_been_silent_longest() {
        let nonces = ServerNonces::default();
        let server = |number: usize| uri(&format!("https://s{number}.example/"));
        for number in 0..MAX_ORIGINS {
            nonces.keep(&server(number), &headers(&["a"]));
        }
        nonces.keep(&server(0), &headers(&["b"]));
        nonces.keep(&server(MAX_ORIGINS), &headers(&["a"]));
        let known = |number| nonces.of(&server(number)).is_some();
        assert_eq!((known(0), known(1), known(2), known(MAX_ORIGINS)), (true, false, true, true));
    }
}
