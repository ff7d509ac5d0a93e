//! What others write into a record, kept within bounds, and free of the names of people.

use std::borrow::Cow;
use std::sync::Arc;

use super::Record;
use crate::identity::{AgentId, Approver, MAX_NAME_BYTES, PrincipalId, PrincipalKind};
use crate::policy::{Obligation, PolicyFault, Reason, WouldFlip};
use crate::text::{Excerpt, beginning, cut};

/// What policies, their engines and those who revoke may write into one record without being cut, in bytes. Everything else
/// in a record stands in a token or a request, which are bounded; with this, written as JSON in the longest way there is (six
/// bytes for one), a record stays below [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES).
const MAX_WORDS_BYTES: usize = 64 * 1024;

/// Where they are cut: so many of each kind of statement.
const MAX_STATEMENTS: usize = 16;

/// And so much of each text, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// Names that are shorter stand in many texts by chance, and tell nothing there.
const MIN_MASKED_BYTES: usize = 3;

/// What stands in place of a principal's name.
const MASK: &str = "[principal]";

impl Record {
    /// The record as it is kept.
    pub(crate) fn kept(mut self) -> Arc<Self> {
        self.mask_names();
        if self.words() > MAX_WORDS_BYTES || self.names() > MAX_NAME_BYTES {
            self.cut();
        }
        Arc::new(self)
    }

    /// The bytes of what others may have written at any length.
    fn words(&self) -> usize {
        let of = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
        let reasons = self.reasons.iter().map(Reason::bytes);
        let faults = self.policy_errors.iter().map(|fault| fault.text.len().saturating_add(of(&fault.policy)));
        let flips = self.would_flip.iter().map(|flip| flip.policy.len());
        let obligations = self.obligations.iter().map(Obligation::bytes);
        let version = self.policy_version.as_deref().map_or(0, str::len);
        let reload = self.policy_reload.as_ref().map_or(0, |reload| {
            [&reload.before, &reload.after].into_iter().flatten().map(|version| version.len()).sum()
        });
        let revoked = self.revocation.as_ref().map_or(0, |revocation| {
            revocation
                .principal
                .as_ref()
                .map_or(0, PrincipalId::bytes)
                .saturating_add(revocation.agent.as_ref().map_or(0, |agent| agent.name().len()))
        });
        let issued = self.issued.as_ref().map_or(0, |issued| issued.subject.len());
        let statements = [self.reasons.len(), self.policy_errors.len(), self.would_flip.len(), self.obligations.len()];
        // Each statement is an object of its own.
        let objects = statements.into_iter().map(|count| count.saturating_mul(64));
        reasons
            .chain(faults)
            .chain(flips)
            .chain(obligations)
            .chain(objects)
            .chain([version, reload, revoked, issued])
            .fold(0, usize::saturating_add)
    }

    /// The bytes of the longest name that whoever approves, revokes or consents may have made of any length.
    fn names(&self) -> usize {
        let approver = self.approval.as_ref().and_then(|approval| approval.approver.as_ref()).map(Approver::bytes);
        let revoked = self.revocation.as_ref().and_then(|revocation| revocation.principal.as_ref());
        let issued = self.issued.as_ref().map(|issued| issued.subject.len());
        approver.into_iter().chain(revoked.map(PrincipalId::bytes)).chain(issued).max().unwrap_or(0)
    }

    fn cut(&mut self) {
        self.truncated = true;
        // The last reason says what became of an allow.
        if self.reasons.len() > MAX_STATEMENTS
            && let Some(last) = self.reasons.pop()
        {
            self.reasons.truncate(MAX_STATEMENTS - 1);
            self.reasons.push(last);
        }
        self.reasons.iter_mut().for_each(|reason| reason.cut(MAX_TEXT_BYTES));
        self.policy_errors.truncate(MAX_STATEMENTS);
        for PolicyFault { policy, text } in &mut self.policy_errors {
            policy.iter_mut().chain([text]).for_each(|text| cut(text, MAX_TEXT_BYTES));
        }
        self.would_flip.truncate(MAX_STATEMENTS);
        for WouldFlip { policy, .. } in &mut self.would_flip {
            cut(policy, MAX_TEXT_BYTES);
        }
        self.obligations.truncate(MAX_STATEMENTS);
        self.obligations.iter_mut().for_each(|obligation| obligation.cut(MAX_TEXT_BYTES));
        shorten(&mut self.policy_version);
        if let Some(reload) = &mut self.policy_reload {
            shorten(&mut reload.before);
            shorten(&mut reload.after);
        }
        if let Some(revocation) = &mut self.revocation {
            if let Some(principal) = &mut revocation.principal {
                principal.cut(MAX_TEXT_BYTES);
            }
            if let Some(AgentId::Named { name, .. }) = &mut revocation.agent {
                cut(name, MAX_TEXT_BYTES);
            }
        }
        if let Some(approver) = self.approval.as_mut().and_then(|approval| approval.approver.as_mut()) {
            approver.cut(MAX_TEXT_BYTES);
        }
        if let Some(issued) = &mut self.issued {
            cut(&mut issued.subject, MAX_TEXT_BYTES);
        }
    }

    /// Takes the principal's name out of what engines say, which is not erased with it.
    fn mask_names(&mut self) {
        let Self { delegation, question, reasons, policy_errors, .. } = self;
        let asked = question.as_ref().map(|question| &question.principal);
        let principals = delegation.as_ref().map(|delegation| &delegation.principal).into_iter().chain(asked);
        for name in principals.filter_map(name_to_mask) {
            reasons.iter_mut().for_each(|reason| reason.mask(name));
            policy_errors.iter_mut().for_each(|fault| mask(&mut fault.text, name));
        }
    }
}

fn shorten(text: &mut Option<Arc<str>>) {
    if let Some(long) = text.as_deref().filter(|text| text.len() > MAX_TEXT_BYTES) {
        *text = Some(beginning(long, MAX_TEXT_BYTES).into());
    }
}

/// What is taken out of texts about `principal`: the name of a subject, who may be a person.
pub(crate) fn name_to_mask(principal: &PrincipalId) -> Option<&str> {
    let name = principal.subject();
    (principal.kind() == PrincipalKind::Subject && name.len() >= MIN_MASKED_BYTES).then_some(name)
}

/// Puts [`MASK`] in place of `name`, wherever it stands as a word of its own in `text`, as it is or as errors show it.
pub(crate) fn mask(text: &mut Box<str>, name: &str) {
    let mut replace = |spelling: &str| {
        if let Cow::Owned(masked) = masked(text, spelling) {
            *text = masked.into();
        }
    };
    replace(name);
    // What has nothing to escape, and nothing to leave out, is shown as it is.
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\');
    if Excerpt::of(name).to_string() != name || !name.chars().all(is_plain) {
        spellings(name).iter().for_each(|spelling| replace(spelling));
    }
}

/// How others write `name`: escaped as in Rust, with and without what is not ASCII, and as in JSON; or as an [`Excerpt`].
fn spellings(name: &str) -> Vec<String> {
    let quoted = format!("{name:?}");
    let json = name.chars().fold(String::new(), |mut json, c| {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_ascii() => json.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| json.push_str(&format!("\\u{unit:04x}"))),
        }
        json
    });
    let quoted = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or_default().to_owned();
    let mut all = vec![
        name.escape_debug().to_string(),
        name.escape_default().to_string(),
        quoted,
        json,
        Excerpt::of(name).to_string(),
    ];
    // Question marks alone tell nothing.
    all.retain(|spelling| spelling.len() >= MIN_MASKED_BYTES && spelling.chars().any(|c| c != '?'));
    all
}

fn masked<'t>(text: &'t str, name: &str) -> Cow<'t, str> {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices(name) {
        let end = at.saturating_add(name.len());
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(end..).unwrap_or_default());
        if !is_word(before.chars().next_back()) && !is_word(after.chars().next()) {
            out.push_str(text.get(from..at).unwrap_or_default());
            out.push_str(MASK);
            from = end;
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_out_where_it_is_a_word() {
        for (text, expected) in [
            ("alice may not", "[principal] may not"),
            ("User::\"https://sts#alice\" has no `x`", "User::\"https://sts#[principal]\" has no `x`"),
            ("alice-alice", "[principal]-[principal]"),
            ("malice, alices", "malice, alices"),
            ("nobody", "nobody"),
            ("", ""),
        ] {
            assert_eq!(masked(text, "alice"), expected);
        }
        assert_eq!(masked("für Zoë, zoë@example", "Zoë"), "für [principal], zoë@example");
    }
}
