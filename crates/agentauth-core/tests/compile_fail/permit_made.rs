//! A permit is given by a caller's question, once all that it is on condition of is met, and made by nobody else.

use agentauth_core::{Action, Permit};

pub fn of_parts(action: Action<String>) -> Permit<String> {
    Permit { action }
}

pub fn before_it_is_decided() {
    let _ = Permit::<String>::new;
}

pub fn again(permit: &Permit<String>) -> Permit<String> {
    permit.clone()
}
