//! What an action takes of the limits that it is permitted within, from the decision until the tool has ended.

use std::sync::Arc;

use super::AgentAuth;
use super::uses::digest_of;
use crate::delegation::Delegation;
use crate::identity::{PrincipalId, PrincipalKind};
use crate::policy::{Action, Arguments, Counter, LimitRefusal, Obligation};
use crate::state::{Demand, Reservation, ReserveAnswer, Use};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// What stands before everything that is hashed here, so that no other digest is one of these.
const PURPOSE: &str = "agentauth limits 1";

/// What was taken. Places are given back when this is dropped, and the rest too unless it was used.
pub(super) struct Held {
    auth: AgentAuth,
    reservation: Arc<Reservation>,
    use_of_it: Use,
}

impl Held {
    /// The tool is about to run: what was taken stays taken, since it may have been done whatever comes of it.
    pub(super) const fn used(&mut self) {
        self.use_of_it = Use::Used;
    }

    /// The first moment at which a place may be another's, if one is held.
    pub(super) fn lapses(&self) -> Option<Timestamp> {
        let places = self.reservation.demands().iter().filter_map(|demand| match demand {
            Demand::Place { hold, .. } => Some(self.reservation.time().plus(*hold)),
            Demand::Amount { .. } => None,
        });
        places.min()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(store) = &self.auth.inner.limits {
            store.release(&self.reservation, self.use_of_it, self.auth.now());
        }
    }
}

/// Takes what all `obligations` that are limits let the action take, or nothing.
pub(super) async fn reserve<A>(
    auth: &AgentAuth,
    delegation: &Delegation,
    action: &Action<A>,
    obligations: &[Obligation],
    id: &Arc<str>,
) -> Result<Option<Box<Held>>, LimitRefusal> {
    let limits = demands(auth, delegation, action, obligations)?;
    if limits.is_empty() {
        return Ok(None);
    }
    let store = auth.inner.limits.as_ref().ok_or(LimitRefusal::Unavailable)?;
    let demands = limits.iter().map(|(_, demand)| *demand).collect();
    let reservation = Arc::new(Reservation::new(Arc::clone(id), auth.now(), demands));
    match store.reserve(&reservation).await {
        ReserveAnswer::Reserved => Ok(Some(Box::new(Held { auth: auth.clone(), reservation, use_of_it: Use::Unused }))),
        ReserveAnswer::Exceeded { demand, retry_after } => Err(match limits.get(demand).map(|(limit, _)| *limit) {
            Some(Obligation::Rate(terms)) => {
                LimitRefusal::Rate { terms: terms.clone(), retry_after: retry_after.unwrap_or(terms.period) }
            }
            Some(Obligation::Concurrency(terms)) => LimitRefusal::Concurrency { terms: terms.clone() },
            Some(Obligation::Budget(terms)) => LimitRefusal::Budget { terms: terms.clone() },
            _ => LimitRefusal::Unavailable,
        }),
        ReserveAnswer::Unavailable => Err(LimitRefusal::Unavailable),
    }
}

/// Each limit with what it takes. Of several that count the same of one counter, the narrowest.
fn demands<'d, A>(
    auth: &AgentAuth,
    delegation: &Delegation,
    action: &Action<A>,
    obligations: &'d [Obligation],
) -> Result<Vec<(&'d Obligation, Demand)>, LimitRefusal> {
    let digest = |kind: &str, counter: &Counter, period: u64| {
        counter_of(auth, delegation, action.name.as_str(), kind, counter, period)
    };
    let mut limits: Vec<(&Obligation, Demand)> = Vec::new();
    for obligation in obligations {
        let demand = match obligation {
            Obligation::Rate(terms) => Demand::Amount {
                counter: digest("rate", &terms.counter, terms.period.as_secs()),
                amount: 1,
                limit: terms.times,
                period: terms.period,
            },
            Obligation::Concurrency(terms) => Demand::Place {
                counter: digest("concurrency", &terms.counter, 0),
                limit: terms.places,
                hold: terms.hold,
            },
            Obligation::Budget(terms) => Demand::Amount {
                counter: digest("budget", &terms.counter, terms.period.as_secs()),
                amount: amount_of(&action.arguments, &terms.argument)?,
                limit: terms.amount,
                period: terms.period,
            },
            Obligation::Approval(_) | Obligation::Unknown(_) => continue,
        };
        match limits.iter_mut().find(|(other, taken)| counts_the_same((*other, taken), (obligation, &demand))) {
            Some(taken) => *taken = narrower(*taken, (obligation, demand)),
            None => limits.push((obligation, demand)),
        }
    }
    Ok(limits)
}

/// Whether two limits are of one counter, and what is taken for one is what is taken for the other.
fn counts_the_same(one: (&Obligation, &Demand), other: (&Obligation, &Demand)) -> bool {
    let argument = |obligation: &Obligation| match obligation {
        Obligation::Budget(terms) => Some(terms.argument.clone()),
        _ => None,
    };
    let counter = |demand: &Demand| match demand {
        Demand::Amount { counter, .. } | Demand::Place { counter, .. } => *counter,
    };
    counter(one.1) == counter(other.1) && argument(one.0) == argument(other.0)
}

/// The one that leaves less. Of places, what is left of both is held for as long as the longer of them says: given to another
/// sooner, there would be more at once than that one lets be.
fn narrower<'d>(one: (&'d Obligation, Demand), other: (&'d Obligation, Demand)) -> (&'d Obligation, Demand) {
    match (one.1, other.1) {
        (Demand::Amount { limit, .. }, Demand::Amount { limit: others, .. }) if others < limit => other,
        (Demand::Place { counter, limit, hold }, Demand::Place { limit: others, hold: other_hold, .. }) => {
            let terms = if others < limit { other.0 } else { one.0 };
            (terms, Demand::Place { counter, limit: limit.min(others), hold: hold.max(other_hold) })
        }
        _ => one,
    }
}

/// The digest of the counter that a limit debits: at this server, of this kind and period, on this account, under this name.
fn counter_of(
    auth: &AgentAuth,
    delegation: &Delegation,
    action: &str,
    kind: &str,
    counter: &Counter,
    period: u64,
) -> [u8; 32] {
    let server = auth.inner.resource.as_str();
    let issuer = delegation.issuer().as_str();
    // A token that names no grant is followed by another: what is counted under its own id would be counted anew.
    let grant = delegation.token().grant_id().filter(|_| !counter.per_principal);
    let account = match grant {
        Some(grant) => ["grant", issuer, "", grant],
        None => account_of(delegation.principal()),
    };
    let named = match &counter.name {
        Some(name) => ["named", name],
        None => ["action", action],
    };
    let period = period.to_be_bytes();
    let parts = [PURPOSE, server, kind].into_iter().chain(account).chain(named);
    digest_of(parts.map(str::as_bytes).chain([&period[..]]))
}

fn account_of(principal: &PrincipalId) -> [&str; 4] {
    let kind = match principal.kind() {
        PrincipalKind::Subject => "subject",
        PrincipalKind::Client => "client",
        PrincipalKind::AgentAccount => "agent_account",
    };
    [kind, principal.issuer().as_str(), principal.tenant().unwrap_or_default(), principal.subject()]
}

fn amount_of(arguments: &Arguments, name: &str) -> Result<u64, LimitRefusal> {
    arguments.get(name).and_then(serde_json::Value::as_u64).ok_or_else(|| LimitRefusal::Argument(Excerpt::of(name)))
}
