//! What is kept, for whom, and until when.

use std::time::Duration;

use super::*;
use crate::support::court::{encode, with};
use crate::support::office::set;
use agentauth_core::{Timestamp, TrustedIssuer};

/// What others get wrong: a delegation that is found by less than all that it depends on.
#[test]
fn what_is_kept_is_found_by_all_that_it_depends_on() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let delegator = sts.delegator().build();
    let (one, two) = (caller(&court, "1"), caller(&court, "2"));
    let narrow = hop("records:read");
    let first = delegated(&one, &delegator, &narrow);
    assert_eq!(token_of(&first), "token-1");
    assert_eq!(token_of(&delegated(&one, &delegator, &narrow)), "token-1");
    // The same caller in another request, and the same hop put together anew.
    assert_eq!(token_of(&delegated(&caller(&court, "1"), &delegator, &hop("records:read"))), "token-1");
    assert_eq!(sts.count(), 1);

    let mail = hop_to("https://mail.example", "records:read");
    let wide = hop("records:read motions:file");
    for (number, caller, hop) in [(2, &two, &narrow), (3, &one, &mail), (4, &one, &wide), (5, &two, &wide)] {
        assert_eq!(token_of(&delegated(caller, &delegator, hop)), format!("token-{number}"));
        assert_eq!(token_of(&delegated(caller, &delegator, hop)), format!("token-{number}"), "each is kept");
    }
    // What this agent was given itself, even by the same token: nobody has verified that.
    let subject = one.subject_token().unwrap();
    assert_eq!(token_of(&wait(delegator.delegate(&subject, &narrow))), "token-6");
    assert_eq!(token_of(&delegated(&one, &delegator, &narrow)), "token-1");
    // Another token service: another delegator, which has a cache of its own.
    let other = Sts::opaque(&court);
    assert_eq!((token_of(&delegated(&one, &other.delegator().build(), &narrow)), other.count()), ("token-1", 1));
}

/// The same token, from an agent that proves its name and from one that does not, is not the same caller.
#[test]
fn what_an_agent_may_be_called_is_part_of_who_it_is() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let delegator = sts.delegator().build();
    let issuer = TrustedIssuer::rfc9068(STS, court.key.key_set());
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    let token = court.key.mint(&set(with("jti", "1"), "act", Value::Null));
    let plain = crate::support::court::caller(&auth, &token);
    let proven = wait(auth.authenticate(Evidence::bearer(&token).with_peer(Some(court.peer(LAWYER))))).unwrap();
    assert_ne!(plain.agent(), proven.agent());
    for (caller, expected) in [(&plain, "token-1"), (&proven, "token-2"), (&plain, "token-1"), (&proven, "token-2")] {
        assert_eq!(token_of(&delegated(caller, &delegator, &hop("records:read"))), expected);
    }
}

#[test]
fn a_renewed_key_has_a_token_of_its_own() {
    let court = Court::new();
    let (old, new) = (court.peer(LAWYER), court.peer(LAWYER));
    let sts = Sts::opaque(&court).held_by(Holder::from(&*old));
    let (delegator, caller) = (sts.delegator().build(), caller(&court, "1"));
    let ask = || token_of(&delegated(&caller, &delegator, &hop("records:read"))).to_owned();
    assert_eq!((ask(), ask()), ("token-1".into(), "token-1".into()));
    *sts.holder.lock().unwrap() = Holder::from(&*new);
    assert_eq!((ask(), ask()), ("token-2".into(), "token-2".into()));
    *sts.holder.lock().unwrap() = Holder::Unknown;
    assert_eq!((ask(), ask()), ("token-3".into(), "token-3".into()));
}

/// Bound to a certificate, and nobody has said whose: it could be the one before the last renewal.
#[test]
fn what_is_bound_to_a_certificate_that_is_not_known_here_is_not_kept() {
    let court = Court::new();
    let claims = set(onward(), "cnf", json!({"x5t#S256": encode(court.peer(LAWYER).thumbprint())}));
    let body = answer(&court.key.mint(&claims), 300).to_string();
    let sts = Sts::new(&court, move |_| body.clone());
    let (delegator, caller) = (sts.delegator().build(), caller(&court, "1"));
    for count in 1..=2 {
        assert_eq!(code_of(&delegated(&caller, &delegator, &hop("records:read"))), ACCEPTED);
        assert_eq!(sts.count(), count);
    }
}

/// Ten seconds before the first end of all: of the token that came in, of the new one, of this agent's certificate, and of
/// the longest time that anything is kept.
#[test]
fn nothing_is_kept_longer_than_anything_that_it_depends_on() {
    for (inbound, outbound, svid, keep_for, kept_for) in [
        (3000, 3000, 3000, 300, 290),
        (3000, 3000, 3000, 120, 110),
        (3000, 3000, 3000, 86_400, 290),
        (100, 3000, 3000, 300, 90),
        (3000, 100, 3000, 300, 90),
        (3000, 3000, 100, 300, 90),
        (3000, 11, 3000, 300, 1),
        (3000, 10, 3000, 300, 0),
        (3000, 0, 3000, 300, 0),
        (3000, 3000, 3000, 0, 0),
    ] {
        let court = Court::new();
        let holder = Holder::Certificate { thumbprint: [7; 32], not_after: Timestamp::from_secs(NOW + svid) };
        let sts = Sts::new(&court, move |number| answer(&format!("token-{number}"), outbound).to_string());
        let delegator = sts.clone().held_by(holder).delegator().keep_for(Duration::from_secs(keep_for)).build();
        let caller = crate::support::court::caller(&court.auth(), &court.key.mint(&with("exp", NOW + inbound)));
        let count_at = |secs: u64| {
            court.at(NOW + secs);
            assert_eq!(code_of(&delegated(&caller, &delegator, &hop("records:read"))), ACCEPTED);
            sts.count()
        };
        let case = (inbound, outbound, svid, keep_for);
        assert_eq!(count_at(0), 1, "{case:?}");
        if kept_for > 0 {
            assert_eq!(count_at(kept_for - 1), 1, "{case:?}");
        }
        assert_eq!(count_at(kept_for), 2, "{case:?}");
    }
}

#[test]
fn a_caller_that_has_ended_passes_nothing_on() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, caller) = (sts.delegator().build(), caller(&court, "1"));
    assert_eq!(code_of(&delegated(&caller, &delegator, &hop("records:read"))), ACCEPTED);
    court.at(NOW + 299);
    assert_eq!((code_of(&delegated(&caller, &delegator, &hop("records:read"))), sts.count()), (ACCEPTED, 2));
    for later in [NOW + 10_000, NOW + 100_000] {
        court.at(later);
        assert_eq!(code_of(&delegated(&caller, &delegator, &hop("records:read"))), "outbound_caller_ended");
    }
    assert_eq!(sts.count(), 2);
}

/// An agent's own subject token: what it says of its end counts, as it can only shorten.
#[test]
fn a_subject_token_that_says_when_it_ends_is_not_outlived() {
    let court = Court::new();
    for (subject, expected) in [(court.key.mint(&with("exp", NOW + 60)), 2), ("opaque".to_owned(), 1)] {
        let sts = Sts::opaque(&court);
        let (delegator, subject) = (sts.delegator().build(), SubjectToken::new(&subject));
        for at in [0, 50] {
            court.at(NOW + at);
            wait(delegator.delegate(&subject, &hop("records:read"))).unwrap();
        }
        assert_eq!(sts.count(), expected);
        court.at(NOW);
    }
}

#[test]
fn after_a_revocation_everything_is_exchanged_anew() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let delegator = sts.delegator().build();
    let auth = court.engine().delegate_through(delegator.clone()).build().unwrap();
    let caller = crate::support::court::caller(&auth, &court.key.mint(&with("jti", "1")));
    let ask = || token_of(&wait(caller.delegate(&hop("records:read")))).to_owned();
    assert_eq!((ask(), ask()), ("token-1".into(), "token-1".into()));
    delegator.forget();
    assert_eq!((ask(), ask()), ("token-2".into(), "token-2".into()));
    // The engine forgets what it has verified, and what was exchanged with it.
    auth.forget_tokens();
    assert_eq!((ask(), ask()), ("token-3".into(), "token-3".into()));
}

#[test]
fn a_clock_that_goes_back_does_not_bring_back_what_was_kept_later() {
    let court = Court::new();
    let sts = Sts::opaque(&court);
    let (delegator, subject) = (sts.delegator().build(), SubjectToken::new("the consent"));
    court.at(NOW + 100);
    wait(delegator.delegate(&subject, &hop("a"))).unwrap();
    court.at(NOW);
    wait(delegator.delegate(&subject, &hop("a"))).unwrap();
    assert_eq!(sts.count(), 2);
}

#[test]
fn as_many_are_kept_as_there_is_room_for() {
    let court = Court::new();
    for (capacity, kept) in [(0, false), (64, true)] {
        let sts = Sts::opaque(&court);
        let delegator = sts.delegator().capacity(capacity).build();
        let ask = |number: usize| {
            wait(delegator.delegate(&SubjectToken::new(&format!("consent-{number}")), &hop("a"))).unwrap();
        };
        ask(0);
        ask(0);
        assert_eq!(sts.count(), if kept { 1 } else { 2 });
        (0..1000).for_each(ask);
        let before = sts.count();
        (0..1000).for_each(ask);
        assert!(sts.count() - before >= 1000 - 128, "{}", sts.count() - before);
    }
}
