//! What must not be shown, in the arguments of a call, a record, or wherever else something is serialised.

use agentauth_core::delegation::ClientSecret;
use agentauth_core::jose::SigningKey;
use agentauth_core::token::TransactionToken;
use agentauth_core::{Arguments, Evidence, OutboundToken, SubjectToken};

pub fn inbound_token(secret: &SubjectToken) {
    let _ = Arguments::of(secret);
}

pub fn outbound_token(secret: &OutboundToken) {
    let _ = Arguments::of(secret);
}

pub fn transaction_token(secret: &TransactionToken) {
    let _ = Arguments::of(secret);
}

pub fn evidence(secret: &Evidence) {
    let _ = Arguments::of(secret);
}

pub fn client_secret(secret: &ClientSecret) {
    let _ = Arguments::of(secret);
}

pub fn signing_key(secret: &SigningKey) {
    let _ = Arguments::of(secret);
}
