//! The rules of the core, each proven by the code of its refusal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]
#![allow(dead_code, reason = "fixtures")]
mod agents;
mod approval;
mod assertion;
mod audit;
mod audit_file;
mod authority;
mod authorize;
mod authzen;
#[cfg(feature = "unstable-chain")]
mod chain;
mod client_certificate;
mod clients;
mod codes;
mod compile_fail;
mod confused_deputy;
mod confused_deputy_issuer;
mod default_deny;
mod delegation;
mod dpop;
mod dpop_form;
mod engines;
mod exchange;
mod exchange_details;
mod explain;
mod forwarded;
mod grants;
mod grants_file;
mod identity;
mod introspection;
mod issuer;
mod issuer_endpoints;
mod jose_vectors;
mod jwt_svid;
mod key_refresh;
mod limits;
mod matrix;
mod one_record;
mod oracle;
mod others_accept;
mod outbound;
mod pattern;
mod permit;
mod possession;
mod preview;
mod profiles;
mod record_bounds;
mod recorded;
mod reload;
mod replay;
mod revocation;
mod rules;
mod signing_keys;
mod status;
mod support;
mod svid;
mod token_answers;
mod token_cache;
mod token_claims;
mod token_service;
mod tokens;
mod trace;
mod transaction;
mod trust_bundle;
