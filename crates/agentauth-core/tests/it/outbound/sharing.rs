//! Many ask at once, and one of them exchanges.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::*;
use agentauth_core::delegation::AnswerError;

type Asking<'a> = Pin<Box<dyn Future<Output = Result<OutboundToken, OutboundError>> + 'a>>;

fn poll(future: &mut Asking<'_>) -> Option<Result<OutboundToken, OutboundError>> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn begun<'a>(delegator: &'a Delegator, subject: &'a SubjectToken, hop: &'a NextHop, count: usize) -> Vec<Asking<'a>> {
    let mut all: Vec<Asking<'a>> =
        (0..count).map(|_| Box::pin(delegator.delegate(subject, hop)) as Asking<'a>).collect();
    all.iter_mut().for_each(|future| assert!(poll(future).is_none()));
    all
}

#[test]
fn those_who_ask_at_once_have_one_exchange() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject, hop) = (sts.delegator().build(), SubjectToken::new("consent"), hop("records:read"));
    let open = sts.gate();
    let mut all = begun(&delegator, &subject, &hop, 50);
    assert_eq!(sts.count(), 1);
    _ = open.send(());
    for future in &mut all {
        assert_eq!(token_of(&poll(future).unwrap()), "token-1");
    }
    assert_eq!(sts.count(), 1);
}

#[test]
fn others_do_not_wait_for_it() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject) = (sts.delegator().build(), SubjectToken::new("consent"));
    let (records, other) = (hop("records:read"), hop("records:list"));
    let _held = sts.gate();
    let _waiting = begun(&delegator, &subject, &records, 1);
    let token = wait(delegator.delegate(&subject, &other));
    assert_eq!(token_of(&token), "token-2");
}

#[test]
fn an_error_is_told_to_all_and_not_kept() {
    let court = Court::new();
    let sts = Sts::failing(&court, |number| match number {
        1 => Err(OutboundError::unreachable("no route")),
        2 => Ok(json!({"error": "invalid_target"}).to_string()),
        _ => Ok(answer("token-3", 300).to_string()),
    });
    let (delegator, subject, hop) = (sts.delegator().build(), SubjectToken::new("consent"), hop("records:read"));
    for (count, expected) in [(1, "outbound_unreachable"), (2, "answer_refused")] {
        let open = sts.gate();
        let mut all = begun(&delegator, &subject, &hop, 5);
        _ = open.send(());
        for future in &mut all {
            let error = poll(future).unwrap().unwrap_err();
            assert_eq!(error.code(), expected);
            if let OutboundError::Answer(error) = error {
                assert!(matches!(error, AnswerError::Refused(_)));
            }
        }
        assert_eq!(sts.count(), count);
    }
    assert_eq!(token_of(&wait(delegator.delegate(&subject, &hop))), "token-3");
}

#[test]
fn one_that_leaves_takes_nothing_away() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject, hop) = (sts.delegator().build(), SubjectToken::new("consent"), hop("records:read"));
    // One that waits leaves.
    let open = sts.gate();
    let mut all = begun(&delegator, &subject, &hop, 3);
    drop(all.remove(1));
    _ = open.send(());
    for future in &mut all {
        assert_eq!(token_of(&poll(future).unwrap()), "token-1");
    }
    delegator.forget();

    // The one that exchanges leaves: another one takes over, and the rest wait for that.
    let (_held, open) = (sts.gate(), sts.gate());
    let mut all = begun(&delegator, &subject, &hop, 4);
    drop(all.remove(0));
    all.iter_mut().for_each(|future| assert!(poll(future).is_none()));
    assert_eq!(sts.count(), 3);
    _ = open.send(());
    for future in &mut all {
        assert_eq!(token_of(&poll(future).unwrap()), "token-3");
    }
    delegator.forget();

    // All leave, and nothing is left of it.
    let _held = sts.gate();
    drop(begun(&delegator, &subject, &hop, 4));
    assert_eq!(token_of(&wait(delegator.delegate(&subject, &hop))), "token-5");
}

#[test]
fn who_asks_after_a_revocation_does_not_get_what_was_begun_before() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject, hop) = (sts.delegator().build(), SubjectToken::new("consent"), hop("records:read"));
    let open = sts.gate();
    let mut before = begun(&delegator, &subject, &hop, 2);
    delegator.forget();
    let after = wait(delegator.delegate(&subject, &hop));
    assert_eq!(token_of(&after), "token-2");
    _ = open.send(());
    for future in &mut before {
        assert_eq!(token_of(&poll(future).unwrap()), "token-1");
    }
    // What was begun before is not kept.
    assert_eq!(token_of(&wait(delegator.delegate(&subject, &hop))), "token-2");
}

#[test]
fn too_many_are_told_to_come_back() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject, hop) = (sts.delegator().build(), SubjectToken::new("consent"), hop("records:read"));
    let open = sts.gate();
    let all = begun(&delegator, &subject, &hop, 4096);
    assert_eq!(code_of(&wait(delegator.delegate(&subject, &hop))), "outbound_busy");
    drop(all);
    drop(open);
    let mut one = pin!(delegator.delegate(&subject, &hop));
    assert!(matches!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_))));
}

/// Real threads and a real waker: nobody sleeps through an answer.
#[test]
fn everyone_is_woken() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let delegator = sts.delegator().build();
    for round in 0..20 {
        delegator.forget();
        let open = sts.gate();
        std::thread::scope(|scope| {
            let delegator = &delegator;
            let ask = move || wait(delegator.delegate(&SubjectToken::new("consent"), &hop("records:read"))).unwrap();
            let all: Vec<_> = (0..4).map(|_| scope.spawn(move || ask().token().to_owned())).collect();
            while sts.count() <= round {
                std::thread::yield_now();
            }
            _ = open.send(());
            for one in all {
                assert_eq!(one.join().unwrap(), format!("token-{}", round + 1));
            }
        });
    }
}
