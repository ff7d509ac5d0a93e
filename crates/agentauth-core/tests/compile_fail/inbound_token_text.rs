//! The text of the token that came in, by way of its only field.

use agentauth_core::Caller;

pub fn text(caller: &Caller) -> String {
    caller.subject_token().unwrap().0
}
