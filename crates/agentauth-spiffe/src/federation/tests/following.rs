//! When endpoints are asked, and what their answers are worth.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_asked_as_often_as_its_bundle_suggests() {
    for (members, every) in [
        ("", 300),
        (r#","spiffe_refresh_hint":60"#, 60),
        (r#","spiffe_refresh_hint":1"#, 30),
        (r#","spiffe_refresh_hint":86400"#, 3600),
    ] {
        let web = Web::new();
        web.put("a.example", bundle(1, members));
        let bundles = web.follow(&["a.example"], &Hands::new());
        bundles.loaded().await.unwrap();
        pass(Duration::from_secs(3 * every)).await;
        assert_eq!(web.asked("a.example"), [0, every, 2 * every, 3 * every], "{members}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bundle_takes_the_place_of_the_one_before_whole() {
    let web = Web::new();
    web.put("a.example", bundle(2, ""));
    web.put("b.example", bundle(1, ""));
    let bundles = web.follow(&["a.example", "b.example"], &Hands::new());
    let mut changes = bundles.changes();
    bundles.loaded().await.unwrap();
    let both = |a| vec![("a.example".to_owned(), a), ("b.example".to_owned(), 1)];
    assert_eq!(believed(&bundles), both(2));
    web.put("a.example", bundle(1, ""));
    pass(5 * MINUTE).await;
    assert_eq!(believed(&bundles), both(1));
    // An empty one is one, and trusts nothing: nothing of the one before stays.
    web.put("a.example", bundle(0, ""));
    pass(5 * MINUTE).await;
    assert_eq!(believed(&bundles), both(0));
    assert!(!bundles.bundles().trusts("a.example"));
    // What does not change is no news.
    changes.current();
    assert!(tokio::time::timeout(HOUR, changes.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_bundle_leaves_the_one_before() {
    let web = Web::new();
    web.put("a.example", bundle(1, ""));
    let bundles = web.follow(&["a.example"], &Hands::new());
    bundles.loaded().await.unwrap();
    for (answer, expected) in [
        ("", "json_malformed"),
        ("{}", "bundle_no_keys"),
        (r#"{"keys":[],"keys":[]}"#, "json_duplicate_member"),
        (r#"{"keys":[],"spiffe_sequence":-1}"#, "json_wrong_type"),
    ] {
        web.put("a.example", answer);
        pass(5 * MINUTE).await;
        assert_eq!((code(&bundles.status()[0]), believed(&bundles)), (Some(expected), of("a.example", 1)), "{answer}");
    }
    web.take_down("a.example");
    pass(5 * MINUTE).await;
    assert_eq!(code(&bundles.status()[0]), Some("fetch_status_unexpected"));
    web.put("a.example", bundle(2, ""));
    pass(5 * MINUTE).await;
    assert_eq!((code(&bundles.status()[0]), believed(&bundles)), (None, of("a.example", 2)));
}

#[tokio::test(start_paused = true)]
async fn an_old_bundle_is_not_taken() {
    let (web, clock) = (Web::new(), Hands::new());
    let numbered = |roots, number| bundle(roots, &format!(r#","spiffe_sequence":{number}"#));
    web.put("a.example", numbered(1, 7));
    let bundles = web.follow(&["a.example"], &clock);
    bundles.loaded().await.unwrap();
    for (roots, number, taken) in [(2, 6, false), (3, 7, true), (4, 0, false), (5, u64::MAX, true), (6, 8, false)] {
        web.put("a.example", numbered(roots, number));
        bundles.refresh().await;
        let is_taken = believed(&bundles) == of("a.example", roots);
        let expected = (!taken).then_some("federation_sequence_older");
        assert_eq!((is_taken, code(&bundles.status()[0])), (taken, expected), "{number}");
    }
    assert_eq!(bundles.status()[0].sequence, Some(u64::MAX));
    // An old one confirms nothing. What does not count any more is no measure: numbers may begin anew.
    pass(24 * HOUR + MINUTE).await;
    assert_eq!((believed(&bundles), code(&bundles.status()[0])), (of("a.example", 6), None));
    // One without a number says nothing about order.
    web.put("a.example", bundle(7, ""));
    bundles.refresh().await;
    assert_eq!(believed(&bundles), of("a.example", 7));
}

#[tokio::test(start_paused = true)]
async fn the_last_bundle_counts_for_a_day_and_then_nobody_is_believed() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    web.put("b.example", bundle(1, ""));
    let bundles = web.follow(&["a.example", "b.example"], &clock);
    bundles.loaded().await.unwrap();
    let confirmed = clock.now();
    web.take_down("a.example");
    pass(24 * HOUR - Duration::from_secs(1)).await;
    assert_eq!(believed(&bundles).len(), 2);
    pass(Duration::from_secs(1)).await;
    assert_eq!(believed(&bundles), of("b.example", 1));
    let [a, b] = &bundles.status()[..] else { panic!() };
    assert_eq!((code(a), a.confirmed_at, code(b)), (Some("fetch_status_unexpected"), Some(confirmed), None));
    assert!(a.failure.as_ref().unwrap().since <= confirmed.plus(5 * MINUTE + Duration::from_secs(1)));
    web.put("a.example", bundle(1, ""));
    pass(MINUTE).await;
    assert_eq!(believed(&bundles).len(), 2);
}

/// Whoever asks is told the truth, though no timer has fired and no endpoint has answered.
#[tokio::test(start_paused = true)]
async fn a_machine_that_has_slept_does_not_believe_what_it_dreamt() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    let bundles = web.follow_by(&["a.example"], &clock, HOUR, None);
    bundles.loaded().await.unwrap();
    clock.put(3599);
    assert_eq!(believed(&bundles).len(), 1);
    clock.put(1);
    assert_eq!(believed(&bundles).len(), 0);
    bundles.refresh().await;
    assert_eq!(believed(&bundles).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_does_not_prolong_a_bundle() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    let bundles = web.follow(&["a.example"], &clock);
    bundles.loaded().await.unwrap();
    web.take_down("a.example");
    clock.put(-365 * 24 * 3600);
    pass(23 * HOUR).await;
    assert_eq!(believed(&bundles).len(), 1);
    pass(2 * HOUR).await;
    assert_eq!(believed(&bundles).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_down_is_asked_ever_more_slowly_and_holds_up_nobody() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("b.example", bundle(1, ""));
    let bundles = web.follow(&["a.example", "b.example"], &clock);
    assert_eq!(bundles.loaded().await.unwrap_err().code(), "fetch_status_unexpected");
    pass(4 * MINUTE).await;
    assert_eq!(web.asked("a.example"), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    assert_eq!((web.asked("b.example"), believed(&bundles)), (vec![0], of("b.example", 1)));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_is_given_up_after_15_s() {
    let (web, clock) = (Web::new(), Hands::new());
    web.hold(true);
    let bundles = web.follow(&["a.example"], &clock);
    let start = Instant::now();
    assert_eq!(bundles.loaded().await.unwrap_err().code(), "federation_timed_out");
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn who_refreshes_waits_for_an_attempt_that_began_after() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    web.hold(true);
    let bundles = web.follow(&["a.example"], &clock);
    pass(Duration::from_secs(1)).await;
    // The attempt that runs has begun before, and its answer may be from before.
    let many = [(); 40].map(|()| {
        let bundles = bundles.clone();
        tokio::spawn(async move { bundles.refresh().await })
    });
    pass(Duration::from_secs(1)).await;
    assert!(many.iter().all(|one| !one.is_finished()));
    web.hold(false);
    for one in many {
        one.await.unwrap();
    }
    // They share attempts, but for those who had to wait for room.
    let asked = web.asked("a.example").len();
    assert!((2..=4).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_tasks_end_with_the_last_clone() {
    let (web, clock) = (Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    let bundles = web.follow(&["a.example"], &clock);
    bundles.loaded().await.unwrap();
    let (clone, mut changes) = (bundles.clone(), bundles.changes());
    changes.current();
    drop(bundles);
    pass(HOUR).await;
    assert_eq!(believed(&clone).len(), 1);
    drop(clone);
    assert!(changes.next().await.is_none());
    pass(MINUTE).await;
    assert_eq!(Arc::strong_count(&web.0), 1);
}
