//! What a proxy says about the client whose TLS connection it ended: the headers `x-forwarded-client-cert` of Envoy and
//! Istio ([`Xfcc`]), and `Client-Cert` with `Client-Cert-Chain` (RFC 9440).
//!
//! A header is its sender's word. It counts only if the sender is a proxy that is known to write it itself, whatever
//! the client has sent; who that is, is for the configuration to say, and for the caller of these functions to check.
//!
//! A forwarded certificate proves less than one that was shown on the connection itself: the proxy has seen the client
//! hold its key, and this server has not.

mod certificates;
pub mod client_certificate;
mod error;
mod grammar;
mod peer;
mod xfcc;

pub use error::ForwardedError;
pub use grammar::{XFCC, XfccElement, XfccHeader, XfccKey, XfccPair};
pub use peer::{Forwarded, ForwardedPeer};
pub use xfcc::{Xfcc, XfccTopology};
