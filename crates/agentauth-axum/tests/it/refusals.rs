//! What the log says when a handshake fails.

use std::fmt;
use std::sync::{Arc, Mutex};

use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::mtls::{client, connect, open, soon};
use crate::support::Court;

/// The messages that were logged on this thread, with their levels.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("agentauth")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push((*event.metadata().level(), message.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_refused_client_is_one_warning_and_what_is_no_handshake_is_none() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let court = Court::new();
    let address = open(&court, false, court.auth()).await;

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    _ = soon(plain.read_to_end(&mut Vec::new())).await;
    assert_eq!(log.0.lock().unwrap().drain(..).map(|(level, _)| level).collect::<Vec<_>>(), [Level::DEBUG]);

    let stranger = court.ca.mint("spiffe://other.example/agent/lawyer");
    let mut stream = soon(connect(address, &client(&court, Some(&stranger), &TLS13))).await.unwrap();
    let from = stream.get_ref().0.local_addr().unwrap();
    assert!(soon(stream.read_u8()).await.is_err());
    let lines = log.0.lock().unwrap().clone();
    let [(level, line)] = &*lines else { panic!("{lines:?}") };
    let begin = format!("a client at {from} that names itself spiffe://other.example/agent/lawyer was refused: ");
    assert!(line.starts_with(&begin) && line.ends_with(" [svid_unknown_trust_domain]"), "{line}");
    assert_eq!(*level, Level::WARN);
}
