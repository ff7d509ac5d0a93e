//! `agentauth spiffe`: who does this machine's platform say that I am, and whom to believe?

mod report;
pub(crate) mod watch;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the identity and the bundles that the platform gives to this program, and each change of them.
    ///
    /// Asks a SPIFFE Workload API (SPIRE's agent, for instance), or reads the directory that csi-driver-spiffe,
    /// spiffe-helper, Istio or Kubernetes Pod Certificates keep. The private key is never shown. What is wrong is
    /// shown when it happens, and waited out. A Workload API may have another identity for another program.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth spiffe watch                           what SPIFFE_ENDPOINT_SOCKET names
  agentauth spiffe watch --socket unix:///run/spire/agent.sock --count 1
  agentauth spiffe watch --dir /var/run/secrets/spiffe.io --json
  agentauth spiffe watch --dir /var/run/secrets/spiffe.io --bundle court.example=/var/run/secrets/trust/roots.pem

Status: 0 after Ctrl-C or as many changes as were asked for, 2 if there is nothing to watch."
    )]
    Watch(watch::WatchArgs),
}
