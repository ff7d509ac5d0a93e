//! When keys are fetched, and which count.

use agentauth_core::jose::{CompactJws, TokenType};
use tokio::time::advance;

use super::*;
use crate::keys::LiveKeysError;

#[tokio::test(start_paused = true)]
async fn a_thousand_unknown_keys_cause_one_fetch() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    let keys = web.ready_keys(&clock).await;

    // Within the interval after the last fetch nobody waits, and nothing is fetched.
    advance(MINUTE - Duration::from_millis(1)).await;
    assert!((0..1000).all(|_| keys.refresh(Some(1)).is_none()));
    settle().await;
    assert_eq!(web.requests().len(), 0);

    // After it, the first who asks causes one fetch, and all who ask meanwhile wait for it.
    advance(Duration::from_millis(1)).await;
    web.hold(true);
    let waiting: Vec<_> = (0..500).map(|_| tokio::spawn(keys.refresh(Some(1)).unwrap())).collect();
    settle().await;
    let late: Vec<_> = (0..250).map(|_| tokio::spawn(keys.refresh(Some(1)).unwrap())).collect();
    settle().await;
    assert!(!waiting.iter().chain(&late).any(tokio::task::JoinHandle::is_finished));
    web.hold(false);
    for waited in waiting.into_iter().chain(late) {
        waited.await.unwrap();
    }
    let turned_away = (0..250).filter(|_| keys.refresh(Some(1)).is_none()).count();
    settle().await;
    let fetches = web.requests().len();
    println!("1,000 unknown keys in one interval: 750 waited, {turned_away} turned away, {fetches} fetch");
    assert_eq!((turned_away, fetches), (250, 1));
}

#[tokio::test(start_paused = true)]
async fn the_interval_can_be_set() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    let builder = LiveKeys::builder().clock(clock.clone()).min_interval(Duration::from_secs(5));
    let keys = web.keys_by(builder);
    keys.refresh(None).unwrap().await;
    advance(Duration::from_secs(4)).await;
    assert!(keys.refresh(Some(1)).is_none());
    advance(Duration::from_secs(1)).await;
    keys.refresh(Some(1)).unwrap().await;
    assert_eq!(web.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_under_an_old_name_counts_after_one_refresh() {
    let (old, new) = (key(), key());
    let (web, clock) = (Web::new(), Hands::new());
    // The issuer's key of that name was another one.
    let renamed = old.public_jwk().replace(old.key_id(), new.key_id());
    web.put(JWKS, Answer::json(jwks(&[&renamed])));
    let keys = web.ready_keys(&clock).await;
    advance(MINUTE).await;
    web.put(JWKS, Answer::json(jwks(&[new.public_jwk()])));

    let token = new.sign(TokenType::AccessToken, b"{}").unwrap();
    let verify = || {
        let jws = CompactJws::parse(&token).unwrap();
        let keys = keys.current().unwrap().keys;
        keys.key_for(&jws).and_then(|key| jws.verify(key)).map_or_else(|error| error.code(), |()| "accepted")
    };
    assert_eq!(verify(), "signature_invalid");
    keys.refresh(keys.generation()).unwrap().await;
    assert_eq!((verify(), keys.generation(), web.requests().len()), ("accepted", Some(2), 1));
    // Who verified under the old set need not wait for the new one.
    keys.refresh(Some(1)).unwrap().await;
    assert!(keys.refresh(Some(2)).is_none());
    assert_eq!(web.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_keys_count_for_a_day_and_then_none() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    let keys = web.ready_keys(&clock).await;
    let document = web.take_down(JWKS);

    tokio::time::sleep(24 * HOUR - Duration::from_secs(1)).await;
    assert_eq!((keys.generation(), keys.current().unwrap().generation), (Some(1), 1));
    assert_eq!(Log::take(), ["WARN fetch_timed_out"], "once, not every minute");
    let attempts = web.requests().len();
    println!("in a day of failures: {attempts} attempts");
    assert!((1430..=1450).contains(&attempts), "{attempts}");

    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(keys.generation().is_none() && keys.current().is_none());
    tokio::time::sleep(MINUTE).await;
    assert_eq!(Log::take(), ["ERROR fetch_timed_out"]);

    // The same keys again are the same generation.
    web.put(JWKS, document);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(keys.generation(), Some(1));
    assert!(Log::take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_may_be_down_at_the_start() {
    let (web, clock, issuers) = (Web::new(), Hands::new(), key());
    let keys = web.keys(&clock);
    assert!(keys.current().is_none());
    // The first to ask waits for the first fetch, however it goes.
    keys.refresh(None).unwrap().await;
    assert!(keys.current().is_none() && keys.refresh(None).is_none());
    tokio::time::sleep(Duration::from_millis(7500)).await;
    assert_eq!(web.requests().len(), 4, "at 0, 1, 3 and 7 s");
    let so_far = keys.refreshes();
    assert_eq!((so_far.succeeded, so_far.failed, so_far.confirmed), (0, 4, None));
    web.put(JWKS, Answer::json(jwks(&[issuers.public_jwk()])));
    tokio::time::sleep(Duration::from_secs(8)).await;
    let so_far = keys.refreshes();
    assert_eq!((so_far.succeeded, so_far.failed, so_far.confirmed.is_some()), (1, 4, true));
    assert_eq!((keys.generation(), web.requests().len()), (Some(1), 1));
    // What was refused for want of keys is tried again at once.
    keys.refresh(None).unwrap().await;
}

/// Whoever asks while a fetch runs shares it, however soon after the last one it began.
#[tokio::test(start_paused = true)]
async fn a_retry_that_runs_is_shared() {
    let (web, clock) = (Web::new(), Hands::new());
    let keys = web.keys(&clock);
    keys.refresh(None).unwrap().await;
    web.put(JWKS, Answer::json(jwks(&[key().public_jwk()])));
    web.hold(true);
    pass(Duration::from_secs(1)).await;
    assert_eq!(web.requests().len(), 2);
    let waiting = [(); 2].map(|()| tokio::spawn(keys.refresh(None).unwrap()));
    web.hold(false);
    for waited in waiting {
        waited.await.unwrap();
    }
    assert_eq!((keys.generation(), web.requests().len()), (Some(1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up_after_15_s() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    web.hold(true);
    let (keys, start) = (web.keys(&clock), Instant::now());
    keys.refresh(None).unwrap().await;
    assert_eq!((start.elapsed().as_secs(), Log::take()), (15, vec!["ERROR keys_timed_out".to_owned()]));
    assert_eq!(LiveKeysError::Timeout.code(), "keys_timed_out");
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_document_is_confirmed_and_not_sent_again() {
    let (web, clock, issuers) = (Web::new(), Hands::new(), key());
    web.put(JWKS, Answer::json(jwks(&[issuers.public_jwk()])).with("etag", "\"one\""));
    let keys = web.ready_keys(&clock).await;

    web.put(JWKS, Answer::status(304).with("cache-control", "max-age=3600"));
    pass(10 * MINUTE).await;
    assert_eq!((web.requests(), keys.generation()), (vec![format!("{JWKS} \"one\"")], Some(1)));
    // It was confirmed, and for as long as that answer said.
    pass(HOUR - MINUTE).await;
    assert_eq!(web.requests().len(), 0);
    pass(23 * HOUR + 2 * MINUTE).await;
    assert_eq!((web.requests().len(), keys.generation()), (24, Some(1)));

    // The same document, sent again, is the same generation; another one is not.
    web.put(JWKS, Answer::json(jwks(&[issuers.public_jwk()])).with("etag", "\"two\""));
    pass(HOUR).await;
    assert_eq!((web.requests().len(), keys.generation()), (1, Some(1)));
    web.put(JWKS, Answer::json(jwks(&[key().public_jwk()])));
    pass(10 * MINUTE).await;
    assert_eq!((web.requests(), keys.generation()), (vec![format!("{JWKS} \"two\"")], Some(2)));
    // Without a tag nothing is asked about, and nothing can be unchanged.
    web.put(JWKS, Answer::status(304));
    pass(24 * HOUR).await;
    assert!(keys.generation().is_none() && web.requests().iter().all(|request| request == JWKS));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_no_good_leaves_keys_and_tag_as_they_were() {
    let (web, clock, issuers) = (Web::new(), Hands::new(), key());
    web.put(JWKS, Answer::json(jwks(&[issuers.public_jwk()])).with("etag", "\"good\""));
    let keys = web.ready_keys(&clock).await;
    for (answer, code) in [
        (Answer::json(r#"{"keys":[]}"#), "jwks_no_usable_key"),
        (Answer::json(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#), "jwk_symmetric"),
        (Answer::json(r#"{"keys":[{"#), "json_malformed"),
        (
            Answer { body: jwks(&[key().public_jwk()]), ..Answer::status(200).with("content-type", "text/html") },
            "fetch_content_type_wrong",
        ),
        (Answer::status(503), "fetch_status_unexpected"),
        (Answer::status(302).with("location", "https://10.0.0.1/"), "fetch_status_unexpected"),
    ] {
        web.put(JWKS, answer.with("etag", "\"bad\""));
        pass(10 * MINUTE).await;
        assert_eq!((keys.generation(), Log::take()), (Some(1), vec![format!("WARN {code}")]));
        let requests = web.requests();
        assert!(!requests.is_empty() && requests.iter().all(|request| request.ends_with(" \"good\"")), "{requests:?}");
        // All is well again in between, so that each is reported.
        web.put(JWKS, Answer::status(304));
        pass(MINUTE).await;
        web.requests();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_fresh_as_long_as_it_says_within_bounds() {
    for (cache_control, pause) in [
        ("max-age=0", MINUTE),
        ("no-store", MINUTE),
        ("max-age=90", Duration::from_secs(90)),
        ("public", 10 * MINUTE),
        // Half of the day for which keys are kept.
        ("max-age=31536000", 12 * HOUR),
    ] {
        let (web, clock) = (Web::new(), Hands::new());
        web.put(JWKS, Answer::json(jwks(&[key().public_jwk()])).with("cache-control", cache_control));
        let _keys = web.ready_keys(&clock).await;
        tokio::time::sleep(pause - Duration::from_secs(1)).await;
        assert_eq!(web.requests().len(), 0, "{cache_control}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(web.requests().len(), 1, "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_noticed() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    let keys = web.ready_keys(&clock).await;
    // The machine has slept for two days: no key counts before it is confirmed.
    clock.put(2 * 24 * 3600);
    assert!(keys.generation().is_none());
    pass(MINUTE).await;
    assert_eq!((keys.generation(), web.requests().len()), (Some(1), 1));
    // The clock was wrong by a day: that is no reason to wait for a day.
    clock.put(-24 * 3600);
    pass(MINUTE).await;
    assert_eq!((keys.generation(), web.requests().len()), (Some(1), 1));
    clock.put(-24 * 3600);
    keys.refresh(Some(1)).unwrap().await;
    assert_eq!(web.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_does_not_prolong_keys() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    let keys = web.ready_keys(&clock).await;
    // The clock was ahead by a year when they were fetched, and the issuer is down when that is put right.
    web.take_down(JWKS);
    clock.put(-365 * 24 * 3600);
    pass(23 * HOUR).await;
    assert_eq!(keys.generation(), Some(1));
    pass(HOUR + 2 * MINUTE).await;
    assert_eq!(keys.generation(), None);
}

#[tokio::test(start_paused = true)]
async fn unusable_keys_are_left_out_and_reported_once_by_code() {
    let (web, clock) = (Web::new(), Hands::new());
    let oct = r#"{"kty":"oct","k":"AAAA"}"#;
    web.put(JWKS, Answer::json(jwks(&[oct, key().public_jwk(), oct, r#"{"kty":"wax"}"#])));
    let keys = web.ready_keys(&clock).await;
    assert_eq!(keys.current().unwrap().keys.len(), 1);
    assert_eq!(Log::take(), ["WARN jwk_symmetric", "WARN jwk_unsupported"]);
    web.put(JWKS, Answer::json(jwks(&[oct, key().public_jwk(), r#"{"kty":"RSA"}"#])));
    pass(10 * MINUTE).await;
    assert_eq!((keys.generation(), Log::take()), (Some(2), vec!["WARN jwk_malformed".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_clone_and_frees_who_waits() {
    let (web, clock) = (Web::with_keys(&key()), Hands::new());
    web.hold(true);
    let keys = web.keys(&clock);
    let clone = keys.clone();
    let waiting = tokio::spawn(keys.refresh(None).unwrap());
    drop(keys);
    settle().await;
    assert!(!waiting.is_finished() && Arc::strong_count(&web.0) == 2);
    drop(clone);
    waiting.await.unwrap();
    assert_eq!(Arc::strong_count(&web.0), 1);
}

#[test]
fn keys_need_a_runtime() {
    let error = LiveKeys::from_file("keys.json").unwrap_err();
    assert_eq!(error.code(), "keys_no_runtime");
}

/// A runtime that is gone fetches nothing any more; nobody may wait for it.
#[test]
fn nobody_waits_for_a_runtime_that_is_gone() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (first, web) = (runtime(), Web::with_keys(&key()));
    web.hold(true);
    let keys = first.block_on(async { web.keys(&Hands::new()) });
    let waiting = keys.refresh(None).unwrap();
    drop(first);
    runtime().block_on(waiting);
    assert!(keys.current().is_none());
}
