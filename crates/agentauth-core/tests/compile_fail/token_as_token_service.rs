//! A token is no token service.

use agentauth_core::{Delegator, SubjectToken};

pub fn delegator(consent: SubjectToken) -> Delegator {
    Delegator::new(consent)
}
