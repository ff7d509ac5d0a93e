//! The token that came in, made into a header.

use agentauth_core::Caller;
use http::HeaderValue;

pub fn header(caller: &Caller) -> HeaderValue {
    HeaderValue::from_str(caller.subject_token().unwrap()).unwrap()
}
