//! Who acts for whom, as a token says (RFC 8693 §4.1).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::look::Look;
use crate::text::{counted, shown};

/// More than any server accepts.
const MAX_DRAWN: usize = 16;

/// The principal, and the actors of `act`, the current one first.
#[derive(Debug, Serialize)]
pub(crate) struct Chain {
    principal: String,
    actors: Vec<String>,
    /// Who holds the token, where `act` names nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

impl Chain {
    pub(crate) fn of(claims: &Map<String, Value>) -> Self {
        let issuer = text(claims, "iss");
        let mut actors = Vec::new();
        let mut next = claims.get("act");
        while let Some(Value::Object(actor)) = next {
            actors.push(name(actor, text(actor, "iss").or(issuer)));
            next = actor.get("act");
        }
        let client = text(claims, "client_id").or_else(|| text(claims, "azp")).filter(|_| actors.is_empty());
        Self { principal: name(claims, issuer), actors, client: client.map(Into::into) }
    }

    /// Draws the chain as a tree, the principal at its root.
    pub(crate) fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let mut lines = vec![(shown(&self.principal), "principal (sub)")];
        for (depth, actor) in self.actors.iter().take(MAX_DRAWN).enumerate() {
            let role = if depth == 0 { "acts now (act)" } else { "acted before" };
            lines.push((look.branch(depth) + &shown(actor), role));
        }
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
        for (line, role) in lines {
            writeln!(out, "  {line:width$}   {}", look.dim(role))?;
        }
        if let Some(more) = self.actors.len().checked_sub(MAX_DRAWN).filter(|more| *more > 0) {
            writeln!(out, "  and {}", counted(more, "earlier actor", "earlier actors"))?;
        }
        match &self.client {
            _ if !self.actors.is_empty() => Ok(()),
            Some(client) => writeln!(out, "  no actor is named (act); the client is {}", shown(client)),
            None => writeln!(out, "  no actor is named (act), and no client"),
        }
    }
}

/// The subject with its issuer. A SPIFFE ID needs none.
fn name(of: &Map<String, Value>, issuer: Option<&str>) -> String {
    match (text(of, "sub"), issuer) {
        (None, _) => "nobody: there is no sub".into(),
        (Some(subject), Some(issuer)) if !subject.starts_with("spiffe://") => format!("{subject} (at {issuer})"),
        (Some(subject), _) => subject.into(),
    }
}

fn text<'v>(of: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    of.get(name).and_then(Value::as_str)
}
