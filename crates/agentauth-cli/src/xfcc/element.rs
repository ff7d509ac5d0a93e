//! What one proxy wrote about one client.

use std::io::{self, Write};

use agentauth_core::identity::forwarded::{XfccElement, XfccKey};
use serde::Serialize;

use crate::look::Look;
use crate::text::{counted, shown};

/// One element of the header.
#[derive(Serialize)]
pub(super) struct Element {
    /// Whether it is the one that says who the client is.
    pub(super) counts: bool,
    role: &'static str,
    pairs: Vec<Pair>,
}

#[derive(Serialize)]
struct Pair {
    key: &'static str,
    value: String,
}

impl Element {
    /// The elements of a header. Where proxies add to it, the last `hops` are theirs, and the first of those says who the
    /// client is.
    pub(super) fn all(elements: &[XfccElement<'_>], hops: Option<usize>) -> Vec<Self> {
        const WORD: &str = "where the proxy says who its client is";
        let first = hops.map_or(0, |hops| elements.len().saturating_sub(hops));
        let role = |at: usize| match hops {
            None if elements.len() == 1 => WORD,
            None => "one too many",
            Some(_) if at < first => "whoever wrote it, the client could have",
            Some(hops) if elements.len() < hops => "one of fewer than there are proxies",
            Some(_) if at == first => WORD,
            Some(_) => "where a nearer proxy says that its client is the one before",
        };
        let described = |(at, element): (usize, &XfccElement<'_>)| {
            let pairs = element.pairs().iter();
            let pairs = pairs.map(|pair| Pair { key: pair.key().as_str(), value: pair.value().to_owned() });
            Self { counts: role(at) == WORD, role: role(at), pairs: pairs.collect() }
        };
        elements.iter().enumerate().map(described).collect()
    }

    pub(super) fn write(&self, out: &mut impl Write, look: Look, number: usize) -> io::Result<()> {
        writeln!(out, "{}: {}", look.title(&format!("Element {number}")), self.role)?;
        for Pair { key, value } in &self.pairs {
            let is_certificate = [XfccKey::Cert, XfccKey::Chain].iter().any(|long| long.as_str() == *key);
            let value = match value.as_str() {
                "" => look.dim("(empty)").into_owned(),
                value if is_certificate => certificates(value),
                value => shown(value),
            };
            writeln!(out, "  {key:8}{value}")?;
        }
        writeln!(out)
    }
}

fn certificates(value: &str) -> String {
    let count = counted(value.matches("-----BEGIN").count(), "certificate", "certificates");
    format!("{count}, {} bytes", value.len())
}
