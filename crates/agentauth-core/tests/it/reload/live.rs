use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use agentauth_core::audit::{Append, AuditError, AuditSink, Record, RecordKind};
use agentauth_core::policy::{
    Agents, Cases, Effect, Preview, Principals, Problem, Problems, Resources, Rule, Rules, Scenario,
};
use agentauth_core::reload::{LivePolicies, PolicySet, PolicySource, Reload, ReloadError};
use agentauth_core::{
    Action, AgentAuth, AuthzRequest, Decision, IssuerId, ManualClock, PolicyEngine, PrincipalId, ResourceId, SpiffeId,
    Timestamp,
};
use futures_channel::oneshot;

use crate::support::court::{Court, Failing, Fickle, Memory, caller, claims, wait};

fn server() -> ResourceId {
    ResourceId::new("https://court.example").unwrap()
}

/// A set with one rule, which has the name of the one action that it allows.
fn only(action: &str) -> PolicySet<Rules> {
    let rule = Rule::allow(action).agents(Agents::any()).principals(Principals::any()).action(action);
    PolicySet::new(Rules::new([rule.resources(Resources::any())]).unwrap())
}

fn scenario(action: &str) -> Scenario {
    let alice = PrincipalId::new(IssuerId::new("https://sts.court.example").unwrap(), "alice");
    Scenario::new(server(), "spiffe://court.example/a".parse::<SpiffeId>().unwrap(), alice, action)
}

fn expecting(action: &str, answer: &str) -> Cases {
    let text = format!(
        r#"{{"cases": [{{"name": "the one", "server": "https://court.example", "agent": "spiffe://court.example/a",
        "principal": {{"issuer": "https://sts.court.example", "subject": "alice"}}, "action": "{action}",
        "expect": "{answer}"}}]}}"#
    );
    Cases::parse("a.cases.json", &text).unwrap()
}

/// What there is to load, one after the other; the last for ever.
#[derive(Debug, Clone, Default)]
struct Shelf(Arc<Mutex<VecDeque<Next>>>);

/// The action that the set allows, and its cases.
type Next = Result<(&'static str, Option<Cases>), Problems>;

impl Shelf {
    fn with(action: &'static str) -> Self {
        let shelf = Self::default();
        shelf.put(action, None);
        shelf
    }

    fn put(&self, action: &'static str, cases: Option<Cases>) {
        self.0.lock().unwrap().push_back(Ok((action, cases)));
    }

    fn spoil(&self, code: &'static str) {
        self.0.lock().unwrap().push_back(Err(Problem::new(code, "a.rules", "it is spoilt").into()));
    }
}

impl PolicySource for Shelf {
    type Engine = Rules;

    fn load(&self) -> Result<PolicySet<Rules>, Problems> {
        let mut shelf = self.0.lock().unwrap();
        let next = if shelf.len() > 1 { shelf.pop_front().unwrap() } else { shelf[0].clone() };
        next.map(|(action, cases)| only(action).with_cases(cases.unwrap_or_else(Cases::none)))
    }
}

/// The shelf, the record, the clock, and what is in force.
struct Office {
    shelf: Shelf,
    records: Memory,
    clock: Arc<ManualClock>,
    live: LivePolicies<Shelf>,
}

impl Office {
    fn open() -> Self {
        let (shelf, records) = (Shelf::with("a"), Memory::default());
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_000)));
        let live = LivePolicies::of(shelf.clone(), &server()).audit(records.clone()).clock(clock.clone());
        let live = wait(live.start()).unwrap();
        Self { shelf, records, clock, live }
    }

    fn allows(&self, action: &str) -> bool {
        wait(self.live.decide(&scenario(action).request())).unwrap().effect() == Effect::Allow
    }

    fn fails(&self) -> &'static str {
        wait(self.live.reload()).unwrap_err().code()
    }
}

fn version(action: &str) -> Arc<str> {
    only(action).engine.version()
}

#[test]
fn other_policies_come_into_force_on_record() {
    let office = Office::open();
    let first = office.records.only();
    assert_eq!((first.kind, first.code, first.effect), (RecordKind::PolicyReload, "policy_reloaded", Effect::Allow));
    let change = first.policy_reload.as_ref().unwrap();
    assert_eq!((&change.before, &change.after), (&None, &Some(version("a"))));

    assert_eq!(wait(office.live.reload()), Ok(Reload::Unchanged));
    assert!(office.records.take().is_empty() && office.allows("a") && !office.allows("b"));

    office.clock.set(Timestamp::from_secs(2_000));
    office.shelf.put("b", Some(expecting("b", "allow")));
    assert_eq!(wait(office.live.reload()), Ok(Reload::Unchanged));
    let replaced = Reload::Replaced { before: version("a"), after: version("b") };
    assert_eq!(wait(office.live.reload()), Ok(replaced));
    assert!(office.allows("b") && !office.allows("a"));
    let record = office.records.only();
    let change = record.policy_reload.as_ref().unwrap();
    assert_eq!((&change.before, &change.after, change.cases_passed), (&Some(version("a")), &Some(version("b")), 1));
    assert_eq!((record.policy_version.clone(), record.time.secs()), (Some(version("b")), 2_000));
    let status = office.live.status();
    assert_eq!((status.version, status.since.secs(), status.alarm, status.failures), (version("b"), 2_000, None, 0));
    let preview = |action| office.live.preview(&scenario(action).preview());
    assert!(preview("a") == Preview::Never && preview("b") != Preview::Never);
}

#[test]
fn a_bad_set_leaves_the_last_good_one_in_force_and_raises_an_alarm() {
    let office = Office::open();
    office.records.take();
    office.clock.set(Timestamp::from_secs(2_000));
    office.shelf.spoil("policy_syntax");
    assert_eq!(wait(office.live.reload()), Ok(Reload::Unchanged));
    for (now, expected, records) in [(2_001, "policy_syntax", 1), (2_002, "policy_syntax", 0)] {
        office.clock.set(Timestamp::from_secs(now));
        assert_eq!((office.fails(), office.allows("a")), (expected, true));
        assert_eq!(office.records.take().len(), records, "a failure is recorded when it begins");
    }
    office.shelf.put("b", Some(expecting("b", "deny")));
    assert_eq!(office.fails(), "policy_syntax");
    assert_eq!((office.fails(), office.allows("a"), office.allows("b")), ("policy_cases_failed", true, false));
    let record = office.records.only();
    assert_eq!(
        (record.code, record.effect, record.policy_version.clone()),
        ("policy_cases_failed", Effect::Deny, Some(version("a")))
    );
    assert_eq!(record.reasons[0].text(), "1 cases of the policies fail: the one");

    let status = office.live.status();
    let alarm = status.alarm.unwrap();
    assert_eq!((alarm.since.secs(), alarm.code, status.failures), (2_001, "policy_cases_failed", 4));
    assert_eq!((status.version, status.since.secs()), (version("a"), 1_000));

    office.shelf.put("b", None);
    let _ = wait(office.live.reload());
    assert!(matches!(wait(office.live.reload()), Ok(Reload::Replaced { .. })) && office.allows("b"));
    assert_eq!(office.live.status().alarm, None);
}

#[test]
fn without_a_first_good_set_there_are_no_live_policies() {
    let records = Memory::default();
    let spoilt = Shelf::default();
    spoilt.spoil("policy_invalid");
    let error = wait(LivePolicies::of(spoilt, &server()).audit(records.clone()).start()).unwrap_err();
    assert_eq!((error.code(), records.only().code), ("policy_invalid", "policy_invalid"));
    let silent = || Err::<PolicySet<Rules>, _>(Problems::none());
    assert_eq!(wait(LivePolicies::of(silent, &server()).start()).unwrap_err().code(), "policy_refused");
    let failing = LivePolicies::of(Shelf::with("a"), &server()).audit(Failing(AuditError::Full));
    assert_eq!(wait(failing.start()).unwrap_err().code(), "policy_reload_unrecorded");
}

#[test]
fn what_cannot_be_recorded_does_not_come_into_force() {
    let (fickle, records, shelf) = (Fickle::default(), Memory::default(), Shelf::with("a"));
    let live = LivePolicies::of(shelf.clone(), &server()).audit(records.clone()).audit(fickle.clone());
    let live = wait(live.start()).unwrap();
    records.take();
    shelf.put("b", None);
    let _ = wait(live.reload());
    fickle.refuse(true);
    assert_eq!(wait(live.reload()).unwrap_err().code(), "policy_reload_unrecorded");
    assert_eq!(live.version(), version("a"));
    let kept = records.take();
    let codes: Vec<_> = kept.iter().map(|record| (record.code, record.effect)).collect();
    // The sink that took it is told that it did not happen.
    assert_eq!(codes, [("policy_reloaded", Effect::Allow), ("policy_reload_unrecorded", Effect::Deny)]);
    assert_eq!(kept[0].evaluation_id, kept[1].evaluation_id);
    fickle.refuse(false);
    assert!(matches!(wait(live.reload()), Ok(Reload::Replaced { .. })));
}

/// An alarm that nobody could read is still to be raised.
#[test]
fn an_alarm_is_on_record_once_it_can_be() {
    let (fickle, shelf, records) = (Fickle::default(), Shelf::with("a"), Memory::default());
    let live = LivePolicies::of(shelf.clone(), &server()).audit(fickle.clone()).audit(records.clone());
    let live = wait(live.start()).unwrap();
    shelf.spoil("policy_syntax");
    let _ = wait(live.reload());
    for (is_full, told) in [(true, 1), (true, 1), (false, 1), (false, 0)] {
        records.take();
        fickle.refuse(is_full);
        assert_eq!(wait(live.reload()).unwrap_err().code(), "policy_syntax");
        assert_eq!(records.take().len(), told, "{is_full}");
    }
    assert_eq!(live.status().failures, 4);
}

/// Takes a record once it is let.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<Mutex<Vec<oneshot::Receiver<()>>>>);

impl AuditSink for Gate {
    fn append(&self, _: Arc<Record>) -> Append {
        match self.0.lock().unwrap().pop() {
            Some(gate) => Append::later(async move {
                let _ = gate.await;
                Ok(())
            }),
            None => Append::done(Ok(())),
        }
    }
}

#[tokio::test]
async fn one_reload_is_at_work_at_a_time_and_one_that_is_left_changes_nothing() {
    let (gate, shelf) = (Gate::default(), Shelf::with("a"));
    let records = Memory::default();
    let live = LivePolicies::of(shelf.clone(), &server()).audit(records.clone()).audit(gate.clone());
    let live = live.start().await.unwrap();
    shelf.put("b", None);
    live.reload().await.unwrap();
    records.take();
    let close = || {
        let (open, gated) = oneshot::channel();
        gate.0.lock().unwrap().push(gated);
        open
    };
    let open = close();
    {
        let mut first = std::pin::pin!(live.reload());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert_eq!(live.reload().await.unwrap_err(), ReloadError::Busy);
        assert_eq!(ReloadError::Busy.code(), "policy_reload_busy");
    }
    drop(open);
    let kept = records.take();
    let codes: Vec<_> = kept.iter().map(|record| (record.code, record.effect)).collect();
    assert_eq!(codes, [("policy_reloaded", Effect::Allow), ("caller_gone", Effect::Deny)]);
    assert_eq!(kept[0].evaluation_id, kept[1].evaluation_id);
    assert_eq!((live.version(), live.status().failures), (version("a"), 0));
    assert!(matches!(live.reload().await, Ok(Reload::Replaced { .. })));
}

/// Counts how often it is loaded, and says which state it is in.
#[derive(Debug, Clone, Default)]
struct Stated {
    state: Arc<AtomicUsize>,
    loaded: Arc<AtomicUsize>,
}

impl PolicySource for Stated {
    type Engine = Rules;

    fn load(&self) -> Result<PolicySet<Rules>, Problems> {
        self.loaded.fetch_add(1, Ordering::SeqCst);
        match self.state.load(Ordering::SeqCst) {
            13 => Err(Problem::new("policy_syntax", "13", "it is unlucky").into()),
            even if even % 2 == 0 => Ok(only("a")),
            _ => Ok(only("b")),
        }
    }

    fn state(&self) -> Option<Box<str>> {
        Some(self.state.load(Ordering::SeqCst).to_string().into())
    }
}

#[test]
fn what_has_not_changed_is_not_loaded_again() {
    let source = Stated::default();
    let live = wait(LivePolicies::of(source.clone(), &server()).start()).unwrap();
    assert_eq!(source.loaded.swap(0, Ordering::SeqCst), 1);
    let loaded = |state| {
        source.state.store(state, Ordering::SeqCst);
        let result = wait(live.reload());
        (result.is_ok(), source.loaded.swap(0, Ordering::SeqCst), live.version() == version("b"))
    };
    assert_eq!(loaded(0), (true, 0, false));
    assert_eq!(loaded(1), (true, 1, true));
    assert_eq!(loaded(1), (true, 0, true));
    assert_eq!(loaded(13), (false, 1, true));
    assert_eq!(loaded(13), (false, 1, true), "a failure may have passed");
    assert_eq!(loaded(1), (true, 1, true));
}

/// Files that are replaced between the look at their state and the reading of them, and then put back.
#[test]
fn what_changed_while_it_was_read_is_read_again() {
    #[derive(Debug, Clone, Default)]
    struct Swapped {
        stands: Arc<AtomicUsize>,
        next: Arc<AtomicUsize>,
    }
    impl PolicySource for Swapped {
        type Engine = Rules;

        fn load(&self) -> Result<PolicySet<Rules>, Problems> {
            let now = self.next.load(Ordering::SeqCst);
            self.stands.store(now, Ordering::SeqCst);
            Ok(only(["a", "b"][now]))
        }

        fn state(&self) -> Option<Box<str>> {
            Some(self.stands.load(Ordering::SeqCst).to_string().into())
        }
    }
    let source = Swapped { next: Arc::new(AtomicUsize::new(1)), ..Swapped::default() };
    let live = wait(LivePolicies::of(source.clone(), &server()).start()).unwrap();
    assert_eq!(live.version(), version("b"));
    source.next.store(0, Ordering::SeqCst);
    source.stands.store(0, Ordering::SeqCst);
    assert!(matches!(wait(live.reload()), Ok(Reload::Replaced { .. })));
    source.next.store(1, Ordering::SeqCst);
    source.stands.store(1, Ordering::SeqCst);
    source.next.store(0, Ordering::SeqCst);
    assert_eq!((wait(live.reload()).is_ok(), live.version()), (true, version("a")));
}

/// Allows one action, and says so in the middle of another's turn.
#[derive(Debug)]
struct Hesitant(Rules);

#[async_trait::async_trait]
impl PolicyEngine for Hesitant {
    async fn decide(&self, request: &AuthzRequest<'_>) -> Result<Decision, agentauth_core::policy::PolicyError> {
        thread::yield_now();
        self.0.decide(request).await
    }

    fn version(&self) -> Arc<str> {
        thread::yield_now();
        self.0.version()
    }
}

/// Of two sets, one permits filing and the other reading: an answer that fits neither would be a mixture.
#[test]
fn under_load_no_request_is_decided_by_a_mixture() {
    const ASKED: usize = 2_000;
    const ACTIONS: [&str; 2] = ["motions:file", "records:read"];
    let turn = AtomicUsize::new(0);
    let source = move || {
        let action = ACTIONS[turn.fetch_add(1, Ordering::SeqCst) % 2];
        Ok(PolicySet::new(Hesitant(only(action).engine)).with_cases(expecting(action, "allow")))
    };
    let live = Arc::new(wait(LivePolicies::of(source, &server()).start()).unwrap());
    let (court, running) = (Court::new(), AtomicUsize::new(3));
    let auth: AgentAuth = court.engine().policy(Arc::clone(&live)).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    court.records.take();

    let reloads = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..ASKED {
                    let _ = wait(caller.authorize(Action::new(ACTIONS[n % 2]).unwrap()));
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut reloads = 0;
        while running.load(Ordering::SeqCst) > 0 {
            assert!(matches!(wait(live.reload()), Ok(Reload::Replaced { .. })));
            reloads += 1;
        }
        reloads
    });

    let versions = ACTIONS.map(version);
    let mut allowed = [0; 2];
    let records = court.records.take_but_not_run();
    assert_eq!(records.len(), 3 * ASKED);
    for record in records {
        let action = ACTIONS.iter().position(|action| *action == &*record.action.as_ref().unwrap().name).unwrap();
        let of = versions.iter().position(|version| Some(version) == record.policy_version.as_ref()).unwrap();
        assert_eq!(record.effect == Effect::Allow, action == of, "{record:?}");
        assert_eq!(record.reasons[0].policy(), (action == of).then_some(ACTIONS[of]));
        allowed[of] += usize::from(action == of);
    }
    assert!(reloads > 1 && allowed.iter().all(|count| *count > 0), "{reloads} reloads, {allowed:?}");
}
