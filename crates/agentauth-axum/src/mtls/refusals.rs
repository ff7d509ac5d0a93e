//! What the log says of clients that were refused: enough to find out why, and never as much as they like.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agentauth_core::SpiffeId;
use agentauth_spiffe::tls::TlsRefusal;

/// At most one line in this time: whoever can connect can be refused as often as it likes.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Reports refusals, one at a time.
#[derive(Debug)]
pub(super) struct Refusals {
    start: Instant,
    /// Until when nothing more is said, in milliseconds since the start.
    quiet_until: AtomicU64,
    left_out: AtomicU64,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), quiet_until: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Says why the handshake with `address` failed. What this side has refused is a warning; what broke is not.
    pub(super) fn report(&self, address: SocketAddr, error: &io::Error, named: Option<&SpiffeId>) {
        match TlsRefusal::find(error) {
            None => tracing::debug!(%error, %address, "a TLS handshake failed"),
            Some(refusal) => {
                if let Some(left_out) = self.admit(self.start.elapsed()) {
                    tracing::warn!("{}", line(address, refusal, named, left_out));
                }
            }
        }
    }

    /// Whether a line may be written `now`, and then how many were left out before it.
    fn admit(&self, now: Duration) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let quiet_until = self.quiet_until.load(Ordering::Relaxed);
        let next = millis(now.saturating_add(LINE_INTERVAL));
        // Of those who come at the same time, one is heard.
        let is_heard = millis(now) >= quiet_until
            && self.quiet_until.compare_exchange(quiet_until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_heard {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

fn line(address: SocketAddr, refusal: &TlsRefusal, named: Option<&SpiffeId>, left_out: u64) -> String {
    let named = named.map(|id| format!(" that names itself {id}")).unwrap_or_default();
    let left_out = match left_out {
        0 => String::new(),
        count => format!(" ({count} more since the last such line)"),
    };
    format!("a client at {address}{named} was refused: {refusal} [{}]{left_out}", refusal.code())
}

#[cfg(test)]
mod tests {
    use agentauth_core::identity::svid::SvidError;

    use super::*;

    #[test]
    fn at_most_one_line_a_second_is_written_and_the_others_are_counted() {
        let refusals = Refusals::new();
        for (millis, expected) in
            [(5, Some(0)), (6, None), (1004, None), (1005, Some(2)), (1900, None), (9000, Some(1)), (10_000, Some(0))]
        {
            assert_eq!(refusals.admit(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn a_line_tells_who_and_why() {
        let address = "192.0.2.7:4321".parse().unwrap();
        let id: SpiffeId = "spiffe://court.example/agent/lawyer".parse().unwrap();
        let refusal = TlsRefusal::Peer(SvidError::NoPath);
        let whole = line(address, &refusal, Some(&id), 3);
        assert!(
            whole.starts_with(
                "a client at 192.0.2.7:4321 that names itself spiffe://court.example/agent/lawyer was refused: "
            ),
            "{whole}"
        );
        assert!(whole.ends_with(" [svid_no_path] (3 more since the last such line)"), "{whole}");
        let bare = line(address, &refusal, None, 0);
        assert!(
            bare.starts_with("a client at 192.0.2.7:4321 was refused: ") && bare.ends_with("[svid_no_path]"),
            "{bare}"
        );
    }
}
