//! A Workload API that says who this server is, and whom it believes.

use agentauth_spiffe::WorkloadApi;
use agentauth_spiffe::workload_api::{WorkloadApiBuilder, WorkloadApiError};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "SPIFFE")]
pub(crate) struct WorkloadApiOptions {
    /// Takes this server's identity, and the bundles of its callers' trust domains, from the Workload API at this address,
    /// such as unix:///run/spire/agent.sock, and follows both: the server speaks TLS only. Without an address, the
    /// environment variable SPIFFE_ENDPOINT_SOCKET has it. A trust domain with a --bundle of its own has that one.
    #[arg(long = "spiffe-socket", value_name = "URI", num_args = 0..=1, conflicts_with_all = ["tls_cert", "svid_dir"])]
    socket: Option<Option<String>>,

    #[arg(skip)]
    api: Option<WorkloadApi>,
}

impl WorkloadApiOptions {
    /// Waits until this server has an identity.
    pub(crate) async fn connect(&mut self) -> Result<(), WorkloadApiError> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let builder = WorkloadApi::builder();
        let builder = socket.iter().fold(builder, WorkloadApiBuilder::endpoint);
        self.api = Some(builder.connect().await?);
        Ok(())
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.socket.is_some()
    }

    /// What it says, once there is a connection.
    pub(crate) fn source(&self) -> Option<WorkloadApi> {
        self.api.clone()
    }
}
