//! What of a record is personal, apart from the rest: so that it can be erased, and the rest stays.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::Record;
use crate::identity::{Approver, PrincipalId};

/// The member of a record in which all that is personal stands.
const PERSONAL: &str = "personal";

impl Record {
    /// Appends the record as JSON to `body`, without what is personal; that is appended to `personal` as a JSON object, if there is any.
    ///
    /// # Errors
    /// [`serde_json::Error`] if it cannot be written, which no record makes happen.
    pub fn write(&self, body: &mut Vec<u8>, personal: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(body, &Body(self))?;
        let part = Personal::of(self);
        if part.is_empty() { Ok(()) } else { serde_json::to_writer(personal, &part) }
    }

    /// The members of the body, and their order.
    fn write_body<M: SerializeMap>(&self, to: &mut M) -> Result<(), M::Error> {
        // Named one by one, so that none that comes later is forgotten.
        let Self {
            version,
            kind,
            evaluation_id,
            time,
            server,
            replica,
            effect,
            code,
            reasons,
            authentication_id,
            trace,
            took_micros,
            delegation,
            transaction,
            peer,
            peer_proof,
            client,
            action,
            question,
            policy_version,
            obligations,
            policy_errors,
            would_flip,
            approval,
            issued,
            revocation,
            policy_reload,
            truncated,
        } = self;
        to.serialize_entry("version", version)?;
        to.serialize_entry("kind", kind)?;
        to.serialize_entry("evaluation_id", evaluation_id)?;
        to.serialize_entry("time", time)?;
        to.serialize_entry("server", server)?;
        some(to, "replica", replica.as_ref())?;
        to.serialize_entry("effect", effect)?;
        to.serialize_entry("code", code)?;
        to.serialize_entry("reasons", reasons)?;
        some(to, "authentication_id", authentication_id.as_ref())?;
        some(to, "trace", trace.as_ref())?;
        some(to, "took_micros", took_micros.as_ref())?;
        some(to, "delegation", delegation.as_ref())?;
        some(to, "transaction", transaction.as_ref())?;
        some(to, "peer", peer.as_ref())?;
        some(to, "peer_proof", peer_proof.as_ref())?;
        some(to, "client", client.as_ref())?;
        some(to, "action", action.as_ref())?;
        some(to, "question", question.as_ref())?;
        some(to, "policy_version", policy_version.as_ref())?;
        several(to, "obligations", obligations)?;
        several(to, "policy_errors", policy_errors)?;
        several(to, "would_flip", would_flip)?;
        some(to, "approval", approval.as_ref())?;
        some(to, "issued", issued.as_ref())?;
        some(to, "revocation", revocation.as_ref())?;
        some(to, "policy_reload", policy_reload.as_ref())?;
        some(to, "truncated", truncated.then_some(&true))
    }
}

fn some<M: SerializeMap, T: Serialize>(to: &mut M, name: &'static str, value: Option<&T>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| to.serialize_entry(name, value))
}

fn several<M: SerializeMap, T: Serialize>(to: &mut M, name: &'static str, all: &[T]) -> Result<(), M::Error> {
    if all.is_empty() { Ok(()) } else { to.serialize_entry(name, all) }
}

/// As one object: the body, and what is personal at its end.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_body(&mut map)?;
        let part = Personal::of(self);
        if !part.is_empty() {
            map.serialize_entry(PERSONAL, &part)?;
        }
        map.end()
    }
}

/// A record without what is personal.
struct Body<'r>(&'r Record);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.write_body(&mut map)?;
        map.end()
    }
}

/// All of a record that is personal.
#[derive(Default, PartialEq)]
struct Personal<'r> {
    principal: Option<&'r PrincipalId>,
    question_principal: Option<&'r PrincipalId>,
    approver: Option<&'r Approver>,
    subject: Option<&'r str>,
    shown: Option<&'r Value>,
    revoked_principal: Option<&'r PrincipalId>,
    by: Option<&'r str>,
    why: Option<&'r str>,
}

impl<'r> Personal<'r> {
    fn of(record: &'r Record) -> Self {
        let revocation = record.revocation.as_ref();
        Self {
            principal: record.delegation.as_ref().map(|delegation| &delegation.principal),
            question_principal: record.question.as_ref().map(|question| &question.principal),
            approver: record.approval.as_ref().and_then(|approval| approval.approver.as_ref()),
            subject: record.issued.as_ref().map(|issued| &*issued.subject),
            shown: record.action.as_ref().and_then(|action| action.shown.as_ref()),
            revoked_principal: revocation.and_then(|revocation| revocation.principal.as_ref()),
            by: revocation.and_then(|revocation| revocation.by.as_deref()),
            why: revocation.and_then(|revocation| revocation.reason.as_deref()),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Serialize for Personal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        some(&mut map, "principal", self.principal.as_ref())?;
        some(&mut map, "question_principal", self.question_principal.as_ref())?;
        some(&mut map, "approver", self.approver.as_ref())?;
        some(&mut map, "subject", self.subject.as_ref())?;
        some(&mut map, "shown", self.shown.as_ref())?;
        some(&mut map, "revoked_principal", self.revoked_principal.as_ref())?;
        some(&mut map, "by", self.by.as_ref())?;
        some(&mut map, "why", self.why.as_ref())?;
        map.end()
    }
}

/// The whole record, from what [`Record::write`] has written: `personal` becomes the member of that name of `body`.
#[must_use]
pub fn join_personal(body: &[u8], personal: &[u8]) -> Vec<u8> {
    match body.split_last() {
        Some((b'}', start)) if !personal.is_empty() => {
            [start, br#",""#, PERSONAL.as_bytes(), br#"":"#, personal, b"}"].concat()
        }
        _ => body.to_vec(),
    }
}
