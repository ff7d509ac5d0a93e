//! A listener with an end to how many connections there are.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A browser opens six to a page. Anybody on this host may open more, and say nothing: the one that has been still for longest
/// makes room.
const MAX_CONNECTIONS: usize = 64;

#[derive(Debug)]
pub(super) struct Bounded {
    listener: TcpListener,
    open: Arc<Mutex<Open>>,
}

/// The connections there are, by their number.
#[derive(Debug, Default)]
struct Open {
    connections: HashMap<u64, Other>,
    /// Counts whatever happens on them.
    moves: u64,
}

/// The same connection, to be ended.
#[derive(Debug)]
struct Other {
    stream: std::net::TcpStream,
    last_move: u64,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open: Arc::default() }
    }

    fn admit(&self, stream: TcpStream) -> io::Result<Connection> {
        let stream = stream.into_std()?;
        let other = stream.try_clone()?;
        let stream = TcpStream::from_std(stream)?;
        let mut open = lock(&self.open);
        if open.connections.len() >= MAX_CONNECTIONS
            && let Some(stillest) = open.connections.iter().min_by_key(|(_, other)| other.last_move).map(|(&n, _)| n)
            && let Some(stillest) = open.connections.remove(&stillest)
        {
            // Whoever serves it sees its end. It may have ended already.
            let _ = stillest.stream.shutdown(Shutdown::Both);
        }
        open.moves += 1;
        let number = open.moves;
        open.connections.insert(number, Other { stream: other, last_move: number });
        Ok(Connection { stream, number, open: Arc::clone(&self.open) })
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // Whole at any moment.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Without a file descriptor to end it by, there is no connection.
            if let Ok(connection) = self.admit(stream) {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    number: u64,
    open: Arc<Mutex<Open>>,
}

impl Connection {
    fn moved<T>(&self, result: Poll<T>) -> Poll<T> {
        if result.is_ready() {
            let mut open = lock(&self.open);
            open.moves += 1;
            let now = open.moves;
            if let Some(other) = open.connections.get_mut(&self.number) {
                other.last_move = now;
            }
        }
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.open).connections.remove(&self.number);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moved(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
