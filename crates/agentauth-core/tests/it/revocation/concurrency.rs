//! Once `revoke` has returned, nobody is let through: not one, however many ask at that moment.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use agentauth_core::state::MemoryRevocations;
use agentauth_core::{Action, Evidence};

use super::{granted, kinds};
use crate::support::court::{Court, Oracle, authenticate, caller, wait};

#[test]
fn none_is_allowed_after_a_revocation_has_returned() {
    for (revocation, expected) in kinds() {
        let court = Court::new();
        let auth = court.engine().policy(Oracle::permitting()).revocations(MemoryRevocations::new()).build().unwrap();
        let token = court.key.mint(&granted());
        let kept = caller(&auth, &token);
        let (revoked, allowed_before, allowed_after) =
            (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            let askers = [(); 4].map(|()| {
                scope.spawn(|| {
                    // Each asks 25 times more once it has returned.
                    let mut left = 25;
                    while left > 0 {
                        // Before the question: an answer to a question that was asked later counts.
                        let after = revoked.load(Ordering::SeqCst);
                        left -= usize::from(after);
                        let answers = [
                            authenticate(&auth, Evidence::bearer(&token)).err(),
                            wait(kept.authorize(Action::new("records:read").unwrap())).err(),
                        ];
                        for answer in answers {
                            match answer {
                                Some(rejection) => assert_eq!(rejection.code(), expected),
                                None if after => _ = allowed_after.fetch_add(1, Ordering::SeqCst),
                                None => _ = allowed_before.fetch_add(1, Ordering::SeqCst),
                            }
                        }
                    }
                })
            });
            while allowed_before.load(Ordering::SeqCst) < 20
                && !askers.iter().any(thread::ScopedJoinHandle::is_finished)
            {
                thread::yield_now();
            }
            wait(auth.revoke(&revocation)).unwrap();
            revoked.store(true, Ordering::SeqCst);
        });
        assert_eq!(allowed_after.load(Ordering::SeqCst), 0);
        assert!(allowed_before.load(Ordering::SeqCst) >= 20);
    }
}
