//! The record that is written again and again: of a decision, as an engine makes it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use agentauth_benches::case::at_once;
use agentauth_benches::engine::builder;
use agentauth_benches::specimen::{Token, bearer_claims};
use agentauth_core::audit::{Append, AuditSink, Record, RecordKind};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};
use agentauth_core::{Action, Evidence};
use serde_json::json;

/// An allowed decision about a tool call by the token that all benches use.
pub(crate) fn decision() -> Result<Arc<Record>, Box<dyn Error>> {
    let key = SigningKey::generate(Algorithm::EdDsa)?;
    let kept = Kept::default();
    let rule = Rule::allow("summarisers-file")
        .agents(Agents::any())
        .principals(Principals::any())
        .action("motions:file")
        .resources(Resources::of_kind("case"))
        .argument("title", Limit::max_length(200));
    let auth = builder(&key)?.policy(Rules::new([rule])?).audit(kept.clone()).build()?;
    let token = Token::signed(&key, &bearer_claims(0))?;
    let caller = at_once(auth.authenticate(Evidence::bearer(&token.text)))??;
    let action = Action::new("motions:file")?.on("case", "2026-17").with(json!({ "title": "A motion to dismiss" }))?;
    drop(at_once(caller.authorize(action))??);
    let records = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let decision = records.iter().find(|record| record.kind == RecordKind::Decision);
    Ok(Arc::clone(decision.ok_or("the engine has recorded no decision")?))
}

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<Arc<Record>>>>);

impl AuditSink for Kept {
    fn append(&self, record: Arc<Record>) -> Append {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        Append::done(Ok(()))
    }
}
