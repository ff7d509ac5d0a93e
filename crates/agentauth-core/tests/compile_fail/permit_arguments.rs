//! The arguments of what is permitted are given out by the permit, to the tool that it runs, and by nothing else.

use agentauth_core::{Action, Caller, Permit};

pub fn of_a_permit(permit: Permit<String>) -> String {
    permit.action.input
}

pub fn of_an_action(action: &Action<String>) -> &String {
    &action.input
}

pub async fn of_what_was_asked(caller: &Caller, action: Action<String>) -> Action<String> {
    let _ = caller.authorize(action).await;
    action
}
