//! What a caller has shown, taken out again.

use agentauth_core::{Caller, Evidence};

pub fn shown(caller: &Caller) -> Evidence {
    caller.evidence()
}
