//! TLS between workloads: who is let in and who is called, as real handshakes show it.

mod federation;
mod own_identity;
mod peer_validation;
mod servers;
mod sessions;
pub(crate) mod support;
