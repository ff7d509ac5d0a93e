//! The token that came in, sent to the next server as it is.

use agentauth_core::Caller;

pub fn forward(caller: &Caller) -> String {
    format!("Bearer {}", caller.subject_token().unwrap())
}
