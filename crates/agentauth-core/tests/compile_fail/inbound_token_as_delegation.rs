//! The token that came in, where a delegation is wanted.

use agentauth_core::{Caller, OutboundToken};

pub fn call_records(delegation: &OutboundToken) {
    let _ = delegation.token();
}

pub fn handle(caller: &Caller) {
    call_records(&caller.subject_token().unwrap());
}
