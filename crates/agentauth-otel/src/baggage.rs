//! W3C Baggage says what anybody has written into it. No decision reads it.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// As much as has to be passed on (W3C Baggage §3.3.2). More is not looked through.
const MAX_BAGGAGE_BYTES: usize = 8192;

/// Words that say who somebody is, or what they may do.
const IDENTITY: [&str; 24] = [
    "account",
    "act",
    "actor",
    "agent",
    "agentauth",
    "auth",
    "authorization",
    "client",
    "customer",
    "delegation",
    "email",
    "enduser",
    "identity",
    "jti",
    "login",
    "principal",
    "role",
    "scope",
    "session",
    "spiffe",
    "sub",
    "subject",
    "tenant",
    "user",
];

/// Takes out of `baggage` what names people, agents or their authority, and says how many members it took. Call it where requests
/// come in from outside and where they go out: baggage is not authenticated, anybody can write it, and every server after this one
/// reads it. Who acts for whom travels in signed tokens only.
///
/// A key counts by each of its words, in any case: `user`, `app.user.id`, `agent-name`, `userId`, `gen_ai.agent.id`. What is not
/// well-formed is taken out too; of more than 8 KiB, all of it.
pub fn strip_identity_baggage(headers: &mut HeaderMap) -> usize {
    let Entry::Occupied(entry) = headers.entry(BAGGAGE) else { return 0 };
    let values: Vec<HeaderValue> = entry.remove_entry_mult().1.collect();
    let size: usize = values.iter().map(HeaderValue::len).sum();
    let mut members: Vec<&str> = Vec::new();
    let mut taken = 0;
    for value in &values {
        match value.to_str() {
            Ok(text) if size <= MAX_BAGGAGE_BYTES => {
                for member in text.split(',').map(str::trim) {
                    if is_harmless(member) {
                        members.push(member);
                    } else {
                        taken += 1;
                    }
                }
            }
            _ => taken += 1,
        }
    }
    if let (false, Ok(rest)) = (members.is_empty(), HeaderValue::from_str(&members.join(","))) {
        headers.insert(BAGGAGE, rest);
    }
    taken
}

/// Whether a member (`key=value;properties`) is well-formed, and its key has no word of [`IDENTITY`].
fn is_harmless(member: &str) -> bool {
    let Some((key, _)) = member.split_once('=') else { return false };
    let key = key.trim().to_ascii_lowercase();
    // The characters of a token (RFC 9110 §5.6.2).
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !key.is_empty() && key.bytes().all(is_token) && !key.split(|c: char| !c.is_ascii_alphanumeric()).any(is_identity)
}

fn is_identity(word: &str) -> bool {
    let stems = ["", "s", "id", "ids", "name"].into_iter().filter_map(|end| word.strip_suffix(end));
    stems.into_iter().any(|stem| IDENTITY.contains(&stem))
}

#[cfg(test)]
mod tests;
