//! The X.509 port: a TLS server that tells each client which workload it is.

use std::error::Error;
use std::time::Duration;

use agentauth_core::AgentTrust;
use agentauth_spiffe::WorkloadApi;
use agentauth_spiffe::tls::{ServerHandshakes, ServerTls};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A client that has not finished by then does not want to.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Server(ServerHandshakes);

impl Server {
    pub(crate) fn new(api: &WorkloadApi) -> Result<Self, Box<dyn Error>> {
        Ok(Self(ServerTls::new(api.clone(), AgentTrust::spiffe(api.clone())).handshakes()?))
    }

    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = self.clone();
                    tokio::spawn(async move {
                        match timeout(LIMIT, server.greet(stream)).await {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => tracing::info!("a client was not let in: {error}"),
                            Err(_) => tracing::info!("a client was given up"),
                        }
                    });
                }
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    /// Writes the client's SPIFFE ID, once it is verified.
    async fn greet(&self, stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (config, peer) = self.0.begin()?;
        let mut stream = TlsAcceptor::from(config).accept(stream).await?;
        let svid = peer.svid().ok_or("it has shown no certificate")?;
        stream.write_all(format!("{}\n", svid.id()).as_bytes()).await?;
        Ok(stream.shutdown().await?)
    }
}
