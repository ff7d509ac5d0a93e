//! A store that is elsewhere: it is waited for, and what it does not say refuses.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use agentauth_core::state::revocation::Wait;
use agentauth_core::state::revocation::{RevocationAnswer, RevocationKind, RevokeError, Subjects};
use agentauth_core::state::{Revocation, RevocationStore};
use agentauth_core::{Action, Evidence, Timestamp};
use futures_channel::oneshot;

use super::granted;
use crate::support::court::{ACCEPTED, Court, LAWYER, Oracle, authenticate, bound_to, caller, code_of, wait};

/// Gives the answers that the test sends; while there is none, it answers [`RevocationAnswer::Unavailable`] at once.
#[derive(Debug, Default)]
struct Elsewhere {
    asked: AtomicUsize,
    gate: Mutex<Option<oneshot::Receiver<RevocationAnswer>>>,
    says: Mutex<Option<RevocationAnswer>>,
}

impl Elsewhere {
    fn hold(&self) -> oneshot::Sender<RevocationAnswer> {
        let (say, gate) = oneshot::channel();
        *self.gate.lock().unwrap() = Some(gate);
        say
    }
}

impl RevocationStore for Elsewhere {
    fn check(&self, _: &Subjects, _: Timestamp) -> Wait<RevocationAnswer> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.gate.lock().unwrap().take() {
            Some(gate) => Wait::later(async move { gate.await.unwrap_or(RevocationAnswer::Unavailable) }),
            None => Wait::ready(self.says.lock().unwrap().unwrap_or(RevocationAnswer::Unavailable)),
        }
    }

    fn revoke(&self, _: &Revocation, _: Timestamp) -> Wait<Result<(), RevokeError>> {
        Wait::ready(Err(RevokeError::Store("read only".into())))
    }
}

#[test]
fn a_store_that_is_elsewhere_is_waited_for_and_asked_each_time() {
    let mut context = Context::from_waker(Waker::noop());
    for (said, expected, status) in [
        (Some(RevocationAnswer::Clear), ACCEPTED, 200),
        (Some(RevocationAnswer::Revoked(RevocationKind::Grant)), "grant_revoked", 401),
        (Some(RevocationAnswer::Unavailable), "revocation_unavailable", 503),
        (None, "revocation_unavailable", 503),
    ] {
        let (court, store) = (Court::new(), Arc::new(Elsewhere::default()));
        let auth = court.engine().policy(Oracle::permitting()).revocations(store.clone()).build().unwrap();
        let token = court.key.mint(&granted());
        let give = |say: oneshot::Sender<RevocationAnswer>| match said {
            Some(said) => say.send(said).unwrap(),
            None => drop(say),
        };
        let say = store.hold();
        let mut answer = pin!(auth.authenticate(Evidence::bearer(&token)));
        assert!(answer.as_mut().poll(&mut context).is_pending());
        assert_eq!(court.records.take().len(), 0);
        give(say);
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
        assert_eq!(answer.map_or_else(|rejection| rejection.status().as_u16(), |_| 200), status);
        assert_eq!(court.records.only().code, if expected == ACCEPTED { "allowed" } else { expected });

        // A caller that is kept is asked about again.
        *store.says.lock().unwrap() = Some(RevocationAnswer::Clear);
        let (kept, before) = (caller(&auth, &token), store.asked.load(Ordering::SeqCst));
        court.records.take();
        let say = store.hold();
        let mut scopes = pin!(kept.require_scopes(&"records:read".parse().unwrap()));
        assert!(scopes.as_mut().poll(&mut context).is_pending());
        give(say);
        let Poll::Ready(answer) = scopes.as_mut().poll(&mut context) else { panic!("still waiting") };
        assert_eq!(code_of(&answer), expected);
        let say = store.hold();
        give(say);
        assert_eq!(code_of(&wait(kept.authorize(Action::new("records:read").unwrap()))), expected);
        // Once before the policy, once after it.
        let times = if expected == ACCEPTED { 3 } else { 2 };
        assert_eq!(store.asked.load(Ordering::SeqCst) - before, times);
    }
}

#[test]
fn a_store_that_cannot_tell_refuses_and_one_that_cannot_keep_says_so() {
    let (court, store) = (Court::new(), Arc::new(Elsewhere::default()));
    let auth = court.engine().revocations(store).build().unwrap();
    let rejection = authenticate(&auth, Evidence::bearer(&court.key.mint(&granted()))).unwrap_err();
    assert_eq!(
        (rejection.code(), rejection.status().as_u16(), rejection.public_error()),
        ("revocation_unavailable", 503, "temporarily_unavailable")
    );
    let failure = wait(auth.revoke(&Revocation::issuer(super::sts()))).unwrap_err();
    assert_eq!(failure.code(), "revocation_not_kept");
}

#[test]
fn who_hangs_up_meanwhile_is_in_the_record() {
    let (court, store) = (Court::new(), Arc::new(Elsewhere::default()));
    let auth = court.engine().revocations(store.clone()).build().unwrap();
    let token = court.key.mint(&granted());
    let _say = store.hold();
    {
        let mut answer = pin!(auth.authenticate(Evidence::bearer(&token)));
        assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(court.records.only().code, "caller_gone");
}

/// The token was good when the store was asked, and has ended when it answers.
#[test]
fn a_token_that_ends_while_the_store_is_asked_is_over() {
    let (court, store) = (Court::new(), Arc::new(Elsewhere::default()));
    let auth = court.engine().revocations(store.clone()).build().unwrap();
    let token = court.key.mint(&granted());
    let say = store.hold();
    let mut answer = pin!(auth.authenticate(Evidence::bearer(&token)));
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    court.clock.advance(std::time::Duration::from_secs(3600));
    say.send(RevocationAnswer::Clear).unwrap();
    assert_eq!(code_of(&wait(answer)), "delegation_expired");
}

#[test]
fn a_caller_that_ends_while_the_store_is_asked_is_over() {
    let asks: [fn(&agentauth_core::Caller) -> agentauth_core::Recorded<()>; 2] =
        [|caller| caller.require_scopes(&"records:read".parse().unwrap()), agentauth_core::Caller::require_binding];
    for ask in asks {
        let (court, store) = (Court::new(), Arc::new(Elsewhere::default()));
        let auth = court.engine().revocations(store.clone()).build().unwrap();
        *store.says.lock().unwrap() = Some(RevocationAnswer::Clear);
        let lawyer = court.peer(LAWYER);
        let mut claims = granted();
        claims["cnf"] = bound_to(&lawyer)["cnf"].clone();
        let evidence = Evidence::bearer(&court.key.mint(&claims)).with_peer(Some(lawyer));
        let kept = authenticate(&auth, evidence).unwrap();
        let say = store.hold();
        let mut answer = pin!(ask(&kept));
        assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        court.clock.advance(std::time::Duration::from_secs(3600));
        say.send(RevocationAnswer::Clear).unwrap();
        assert_eq!(code_of(&wait(answer)), "delegation_expired");
    }
}
