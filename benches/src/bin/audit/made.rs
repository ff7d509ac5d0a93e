//! A log to verify and to ask: of many agents, mostly allowed.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_audit::AuditLog;
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier};
use agentauth_core::audit::{AuditError, AuditSink as _, Record};
use agentauth_core::policy::Effect;
use agentauth_core::{AgentId, SpiffeId, SystemRandom};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::folder::Folder;

/// How many agents there are: one of them is asked for.
pub(crate) const AGENTS: u64 = 1_000;
/// One record of so many is a denial.
const DENIED: u64 = 50;
/// Writers at once: large groups, so that a million records are there soon.
const WRITERS: u64 = 512;

/// A log of that many records, and what its checkpoints are verified by.
pub(crate) struct Made {
    pub(crate) directory: PathBuf,
    pub(crate) records: u64,
    pub(crate) key: CheckpointVerifier,
}

pub(crate) fn log(folder: &Folder, record: &Arc<Record>, records: u64) -> Result<Made, Box<dyn Error>> {
    eprintln!("a log of {records} records");
    let directory = folder.fresh(&format!("of-{records}"))?;
    let key = CheckpointKey::generate("bench.example", &SystemRandom)?;
    let verifier = CheckpointVerifier::new([key.verifier_key()])?;
    let log = AuditLog::builder(&directory).origin("bench.example").key(key).open()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(async {
        let mut writers = JoinSet::new();
        for first in 0..WRITERS.min(records) {
            let (log, record) = (log.clone(), Arc::clone(record));
            writers.spawn(async move {
                for number in (first..records).step_by(usize::try_from(WRITERS).unwrap_or(usize::MAX)) {
                    log.append(Arc::new(numbered(&record, number))).await?;
                }
                Ok::<_, AuditError>(())
            });
        }
        while let Some(done) = writers.join_next().await {
            done??;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    log.close()?;
    Ok(Made { directory, records, key: verifier })
}

/// The id of that record.
pub(crate) fn id_of(number: u64) -> String {
    format!("{number:032x}")
}

pub(crate) fn agent_of(number: u64) -> String {
    format!("spiffe://agents.example.com/tool-user/{:04}", number % AGENTS)
}

fn numbered(record: &Record, number: u64) -> Record {
    let mut record = record.clone();
    record.evaluation_id = id_of(number).into();
    record.time = record.time.plus(Duration::from_millis(number));
    if let (Some(delegation), Ok(agent)) = (record.delegation.as_mut(), agent_of(number).parse::<SpiffeId>()) {
        Arc::make_mut(delegation).agent = AgentId::from(agent);
    }
    if number % DENIED == 7 {
        (record.effect, record.code) = (Effect::Deny, "policy_denied");
    }
    record
}
