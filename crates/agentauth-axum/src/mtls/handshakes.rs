//! From TCP connections to verified agents, with a bound on everything that a peer can hold open.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentauth_core::SpiffeId;
use agentauth_spiffe::tls::{ServerHandshakes, VerifiedPeer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::TlsStream;
use super::refusals::Refusals;

/// A peer that has not finished its handshake by then does not want to.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes under way at once: about 40 KiB each. To push a good one out, a peer must open as many connections within
/// the time that the good one takes.
const MAX_HANDSHAKES: usize = 1024;

/// Connections that are accepted and not yet served. When handshakes are not what there are too many of, the server
/// itself does not keep up, and no more connections are accepted.
const MAX_ACCEPTED: usize = 2 * MAX_HANDSHAKES;

/// How long to wait after the operating system has refused a connection, for want of file descriptors for instance,
/// where no handshake holds one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Time for a handshake that was dropped to close its connection, before another one is dropped.
const DROP_PAUSE: Duration = Duration::from_millis(1);

/// Accepts connections and makes their handshakes, until it is dropped.
pub(super) async fn accept(
    listener: Arc<TcpListener>,
    tls: ServerHandshakes,
    ready: mpsc::Sender<(TlsStream, SocketAddr)>,
) {
    let tls = Arc::new(tls);
    let under_way = UnderWay::new(MAX_HANDSHAKES);
    let accepted = Arc::new(Semaphore::new(MAX_ACCEPTED));
    let refusals = Arc::new(Refusals::new());
    // The semaphore is never closed, so a permit always comes.
    while let Ok(permit) = Arc::clone(&accepted).acquire_owned().await {
        let (stream, address) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) if is_of_peer(&error) => continue,
            // Nearly always for want of file descriptors, and then it may be those who stall that hold them.
            Err(error) if under_way.drop_oldest() => {
                tracing::debug!(%error, "a TLS handshake was dropped, since no connection could be accepted beside it");
                tokio::time::sleep(DROP_PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if under_way.is_full() {
            // Whoever has sent something is heard before anybody is dropped.
            tokio::task::yield_now().await;
        }
        let (tls, ready, refusals) = (Arc::clone(&tls), ready.clone(), Arc::clone(&refusals));
        under_way.start(|finish| async move {
            let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake(&tls, stream)).await;
            if !finish.finish() {
                return;
            }
            match shaken {
                // If the server is gone, so is the need for this connection.
                Ok(Ok(stream)) => _ = ready.send((stream, address)).await,
                Ok(Err(Failed { error, named })) => refusals.report(address, &error, named.as_ref()),
                Err(_) => tracing::debug!(%address, "a TLS handshake took longer than 10 s"),
            }
            // Held until the server has taken the connection: what waits to be served is bounded too.
            drop(permit);
        });
    }
}

/// Whether it is about the one connection that was to be accepted, and its peer has ended it.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A handshake that failed, and whom the certificate named if it was refused.
struct Failed {
    error: io::Error,
    named: Option<SpiffeId>,
}

async fn shake(tls: &ServerHandshakes, stream: TcpStream) -> Result<TlsStream, Failed> {
    let (config, verified) = tls.begin().map_err(|error| Failed { error: io::Error::other(error), named: None })?;
    let shaken = shake_with(config, &verified, stream).await;
    shaken.map_err(|error| Failed { error, named: verified.refused().cloned() })
}

async fn shake_with(config: Arc<ServerConfig>, verified: &VerifiedPeer, stream: TcpStream) -> io::Result<TlsStream> {
    stream.set_nodelay(true)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let peer = verified.svid().cloned();
    if stream.get_ref().1.peer_certificates().is_some() != peer.is_some() {
        return Err(io::Error::other("a client has shown a certificate that nobody has verified"));
    }
    Ok(TlsStream::new(stream, peer))
}

/// The handshakes under way.
#[derive(Clone)]
struct UnderWay {
    limit: usize,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    started: u64,
    /// By the order in which they were started.
    by_age: BTreeMap<u64, AbortHandle>,
}

/// What a handshake says when it has ended by itself.
struct Finish {
    under_way: UnderWay,
    number: u64,
}

impl UnderWay {
    fn new(limit: usize) -> Self {
        Self { limit, tasks: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.lock().by_age.len() >= self.limit
    }

    /// Drops the oldest; `false` if there is none.
    fn drop_oldest(&self) -> bool {
        let oldest = self.lock().by_age.pop_first();
        oldest.inspect(|(_, oldest)| oldest.abort()).is_some()
    }

    /// Starts one more, and drops the oldest if there are too many.
    fn start<F>(&self, handshake: impl FnOnce(Finish) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Held until the task is written down, so that it cannot finish before.
        let mut tasks = self.lock();
        let number = tasks.started;
        tasks.started = number.wrapping_add(1);
        if tasks.by_age.len() >= self.limit
            && let Some((_, oldest)) = tasks.by_age.pop_first()
        {
            tracing::debug!("a TLS handshake was dropped, since {} younger ones are under way", self.limit);
            oldest.abort();
        }
        let task = tokio::spawn(handshake(Finish { under_way: self.clone(), number }));
        tasks.by_age.insert(number, task.abort_handle());
    }
}

impl Finish {
    /// From now on it is not dropped any more; `false` if it has been.
    fn finish(self) -> bool {
        self.under_way.lock().by_age.remove(&self.number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A handshake that ends when it is told to, and then says whether it had been dropped.
    fn start(under_way: &UnderWay) -> (oneshot::Sender<()>, oneshot::Receiver<bool>) {
        let (end, ended) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        under_way.start(|finish| async move {
            _ = ended.await;
            _ = tell.send(finish.finish());
        });
        (end, told)
    }

    #[tokio::test]
    async fn the_oldest_handshake_makes_room_for_the_newest() {
        let under_way = UnderWay::new(2);
        let [(_first, first), (second_end, second)] = [start(&under_way), start(&under_way)];
        assert!(under_way.is_full());
        let (third_end, third) = start(&under_way);
        // A guard against hanging, not a measure.
        let first = tokio::time::timeout(Duration::from_secs(5), first).await.unwrap();
        assert!(first.is_err(), "its task is gone");
        // One that has finished makes room by itself.
        assert_eq!((second_end.send(()), second.await), (Ok(()), Ok(true)));
        assert!(!under_way.is_full());
        let (_fourth_end, mut fourth) = start(&under_way);
        assert_eq!((third_end.send(()), third.await), (Ok(()), Ok(true)));
        assert_eq!(fourth.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    /// It ends in the moment in which it is dropped, on another thread: it runs on to its next pause.
    #[tokio::test]
    async fn what_is_dropped_is_not_served() {
        let under_way = UnderWay::new(1);
        let (tell, told) = oneshot::channel();
        let other = under_way.clone();
        under_way.start(|finish| async move {
            other.start(|_| std::future::pending());
            _ = tell.send(finish.finish());
        });
        assert_eq!(told.await, Ok(false));
    }
}
