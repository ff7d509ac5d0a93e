//! A permit is given by a caller's question, once all that it is on condition of is met, and made by nobody else.

use agentauth_core::{Action, AgentAuth, Caller, Permit};

pub fn beside(auth: AgentAuth, action: Action<String>) -> Permit<String> {
    Permit { auth, action }
}

pub fn before(caller: &Caller, action: Action<String>) -> Permit<String> {
    Permit::new(caller, "id".into(), action, Default::default(), Default::default())
}

pub fn again(permit: &Permit<String>) -> Permit<String> {
    permit.clone()
}
