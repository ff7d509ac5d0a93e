//! Policies from a directory, which are followed while the server runs.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentauth_cedar::PolicyDir;
use agentauth_core::ResourceId;
use agentauth_core::audit::AuditSink;
use agentauth_core::reload::{LivePolicies, Reload};
use tokio::time::{MissedTickBehavior, interval};

use crate::options::Options;

/// The policies of `directory`, as they are from now on. Each change is on record in `sink` before it counts.
pub(crate) async fn follow(
    directory: &Path,
    options: &Options,
    sink: Arc<dyn AuditSink>,
) -> Result<Arc<LivePolicies<PolicyDir>>, Box<dyn Error>> {
    let modes: Vec<_> = options.policy_even_in.iter().map(|even| even.mode()).collect();
    let source = PolicyDir::new(directory)
        .prepared(move |policies| modes.iter().fold(policies, |policies, mode| policies.even_in(*mode)));
    let server = ResourceId::new(&options.resource)?;
    let policies = Arc::new(LivePolicies::of(source, &server).audit(sink).start().await?);
    let followed = Arc::clone(&policies);
    let mut ticks = interval(Duration::from_secs(options.policy_interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        loop {
            ticks.tick().await;
            // What is refused is on record, and reported already.
            if let Ok(Reload::Replaced { .. }) = followed.reload().await {
                tracing::info!("other policies are in force");
            }
        }
    });
    Ok(policies)
}
