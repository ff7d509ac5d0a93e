//! Mutual TLS: a listener whose peers are verified agents.
//!
//! The TLS handshake runs in a task of its own, off the accept loop, so that a peer that stalls delays nobody. Each is
//! bounded in time (10 s), and their number is bounded: when 1,024 are under way, new connections wait in the
//! kernel's backlog. Session resumption is off, since a resumed session would skip the certificate checks.

mod config;
mod listener;
mod serve;

pub use config::{ServerIdentity, TlsConfigError};
pub use listener::{MtlsListener, TlsStream};
pub use serve::{ConnectionService, PeerService, serve};
