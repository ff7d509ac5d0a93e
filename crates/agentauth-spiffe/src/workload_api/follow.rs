//! Following a stream for as long as there is one, and asking for it again when it has ended.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Status;
use tonic::codec::Streaming;

use super::WorkloadApiError;
use super::backoff::Backoff;
use super::rpc::Rpc;

/// A stream that ends sooner is not asked for again at once, however it ends.
const SETTLED: Duration = Duration::from_secs(1);

/// One of the streams of the Workload API, each message of which is the whole state.
pub(super) trait Feed: Send + 'static {
    type Message: Send + 'static;

    fn open(rpc: &Rpc) -> impl Future<Output = Result<Streaming<Self::Message>, Status>> + Send;

    /// Takes the next state.
    fn take(&mut self, message: Self::Message);

    /// Learns why the stream has ended, if it has not simply been closed.
    fn end(&mut self, error: WorkloadApiError);
}

/// Follows the stream until asking for it cannot help (SPIFFE_Workload_Endpoint.md §6, SPIFFE_Workload_API.md §4.2).
pub(super) async fn follow<F: Feed>(rpc: Rpc, mut feed: F, mut backoff: Backoff) {
    loop {
        let begun = Instant::now();
        let mut is_fruitful = false;
        let end = match F::open(&rpc).await {
            Err(status) => Some(status),
            Ok(mut stream) => loop {
                match stream.message().await {
                    Ok(Some(message)) => {
                        is_fruitful = true;
                        feed.take(message);
                    }
                    Ok(None) => break None,
                    Err(status) => break Some(status),
                }
            },
        };
        if is_fruitful {
            backoff.reset();
        }
        let is_closed = end.is_none();
        if let Some(status) = end {
            let error = WorkloadApiError::of_status(&status, rpc.endpoint());
            let is_final = error.is_final();
            feed.end(error);
            if is_final {
                return;
            }
        }
        if !(is_closed && is_fruitful && begun.elapsed() >= SETTLED) {
            sleep(backoff.after_failure()).await;
        }
    }
}
