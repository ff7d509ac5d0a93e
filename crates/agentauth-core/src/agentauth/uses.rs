//! How often a grant was used.

use aws_lc_rs::digest::{Context, SHA256};

use super::AgentAuth;
use crate::delegation::Delegation;
use crate::rejection::Refusal;
use crate::scope::Grant;
use crate::state::DebitAnswer;

/// What stands before everything that is hashed here, so that no other digest is one of these.
const PURPOSE: &str = "agentauth uses 1";

/// Counts one use of `grant` under `delegation`, if one is left. No store is an answer too: then none can be counted.
pub(super) async fn count(auth: &AgentAuth, delegation: &Delegation, grant: &Grant) -> Result<(), Refusal> {
    let store = auth.inner.uses.as_ref().ok_or(Refusal::UsesUnavailable)?;
    let limit = grant.max_uses().ok_or(Refusal::UsesUnavailable)?;
    let now = auth.now();
    let (issuer, root, until) = delegation.root_id(now);
    // By action, not by grant: one that was narrowed on its way has no uses of its own.
    let counter = digest_of([PURPOSE, issuer.as_str(), root, grant.action().as_str()].map(str::as_bytes));
    match store.debit(&counter, limit, until, now).await {
        DebitAnswer::Debited => Ok(()),
        DebitAnswer::Exhausted => Err(Refusal::UsesExhausted { scope: grant.action().clone() }),
        DebitAnswer::Unavailable => Err(Refusal::UsesUnavailable),
    }
}

/// The SHA-256 of `parts`, each with its length before it: no part can reach into the next.
pub(super) fn digest_of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
