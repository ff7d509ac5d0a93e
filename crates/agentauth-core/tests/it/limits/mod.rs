//! How often, how many at once, how much: counted once for all that descends from one root.

mod accounts;
mod outcomes;
mod store;
mod terms;

use agentauth_core::policy::{Obligation, Reason, ReasonKind};
use agentauth_core::state::LimitStore;
use agentauth_core::{Action, AgentAuth, AgentAuthBuilder, Caller, Decision, Permit, Rejection};
use serde_json::{Value, json};

use crate::support::court::{Court, Oracle, claims, code_of, wait};

type Asked = Result<Permit<Value>, Rejection>;

/// A policy that allows everything on these conditions, as policy files state them.
fn policy(obligations: &[(&str, &str)]) -> Oracle {
    let allow = Decision::allow(Reason::new(ReasonKind::Permitted, "within limits"));
    Oracle::answering(Ok(obligations
        .iter()
        .fold(allow, |decision, (name, terms)| decision.on_condition_of(Obligation::read(name, terms).unwrap()))))
}

fn engine(court: &Court, obligations: &[(&str, &str)], store: impl LimitStore + 'static) -> AgentAuthBuilder {
    court.engine().policy(policy(obligations)).limits(store)
}

fn auth(court: &Court, obligations: &[(&str, &str)], store: impl LimitStore + 'static) -> AgentAuth {
    engine(court, obligations, store).build().unwrap()
}

/// The lawyer for alice, under the grant `grant`.
fn under(auth: &AgentAuth, court: &Court, grant: &str) -> Caller {
    let mut claims = claims();
    claims["grant_id"] = grant.into();
    crate::support::court::caller(auth, &court.key.mint(&claims))
}

fn pay(caller: &Caller, amount: impl Into<Value>) -> Asked {
    let action = Action::new("motions:file").unwrap().on("case", "2026-17");
    wait(caller.authorize(action.with(json!({"amount": amount.into()})).unwrap()))
}

/// Pays, and has it done.
fn paid(caller: &Caller, amount: impl Into<Value>) -> &'static str {
    let asked = pay(caller, amount);
    let code = code_of(&asked);
    if let Ok(permit) = asked {
        run(permit);
    }
    code
}

fn run<A>(permit: Permit<A>) {
    wait(permit.run(async |_| Ok::<_, ()>(()))).unwrap().unwrap();
}
