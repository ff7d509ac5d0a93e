//! What the writer writes, read while it does.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use agentauth_audit::AuditLog;
use agentauth_audit::disk::RealDirectory;
use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log, LogRecord};
use agentauth_core::jose::{Algorithm, KeySet, SigningKey, TokenType};
use agentauth_core::{AgentAuth, Evidence, ManualClock, Timestamp, TrustedIssuer};
use serde_json::json;

use super::made::{LAWYER, START};

/// Waits, and lets the writer's thread go on meanwhile.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

#[test]
fn what_the_engine_records_is_found_by_who_and_what_it_was() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-written");
    let _ = std::fs::remove_dir_all(&folder);
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(START / 1_000_000)));
    let log = AuditLog::builder_in(RealDirectory::create(&folder).unwrap()).clock(clock.clone()).open().unwrap();
    let reader = Log::open(&folder).unwrap();
    let mut follow = reader.follow(&Filter::new().kind("record"));

    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, key.public_jwk()).as_bytes()).unwrap();
    let issuer = TrustedIssuer::rfc8693("https://sts.example", keys);
    let auth = AgentAuth::builder("https://tools.example").issuer(issuer).clock(clock).audit(log.clone());
    let auth = auth.build().unwrap();
    let now = START / 1_000_000;
    let claims = json!({
        "iss": "https://sts.example", "sub": "alice", "aud": "https://tools.example", "client_id": LAWYER, "jti": "1",
        "act": {"sub": LAWYER, "act": {"sub": "spiffe://court.example/agent/clerk"}},
        "iat": now - 60, "exp": now + 300, "scope": "motions:file",
    });
    let token = key.sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
    wait(auth.authenticate(Evidence::bearer(&token))).unwrap();
    wait(auth.authenticate(Evidence::bearer("nothing"))).unwrap_err();

    // Who was allowed is on the disk; who was refused gets there soon.
    let mut come = Vec::new();
    while come.len() < 2 {
        come.extend(follow.poll().unwrap());
    }
    assert_eq!(come.iter().map(LogRecord::kind).collect::<Vec<_>>(), [EntryKind::Record; 2]);
    drop(auth);
    log.close().unwrap();

    let found = |filter: Filter| -> Vec<LogRecord> { reader.oldest_first(&filter).map(Result::unwrap).collect() };
    for filter in [
        Filter::new().agent(LAWYER),
        Filter::new().principal("alice"),
        Filter::new().principal("https://sts.example#alice"),
        Filter::new().in_chain("spiffe://court.example/agent/clerk"),
    ] {
        let found = found(filter);
        assert_eq!(found.len(), 1);
        let view = found[0].view().unwrap();
        assert_eq!((view.kind(), view.mode()), ("authentication", Some("on_behalf_of")));
        assert_eq!(view.chain().next().unwrap().proof.as_deref(), Some("token"));
        let hash = view.principal_hash().unwrap().to_owned();
        assert_eq!(reader.oldest_first(&Filter::new().principal(&hash)).count(), 1);
        let checkpoint = reader.checkpoint_of(found[0].log(), found[0].number()).unwrap();
        assert!(!checkpoint.is_signed);
    }
    let refused = found(Filter::new().effect(agentauth_core::policy::Effect::Deny));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].view().unwrap().agent(), None);
    let kinds: Vec<_> = found(Filter::new()).iter().map(LogRecord::kind).collect();
    assert_eq!(kinds.first(), Some(&EntryKind::Opened));
    assert_eq!(kinds.last(), Some(&EntryKind::Closed));
}
