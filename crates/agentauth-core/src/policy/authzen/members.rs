//! Members of JSON objects, taken by name and type.

use serde_json::{Map, Value};

use super::{AuthzenError, MAX_LEVELS};
use crate::identity::MAX_NAME_BYTES;
use crate::jose::JsonError;
use crate::jose::json;
use crate::text::Excerpt;

pub(super) type Members = Map<String, Value>;

/// Reads one object of at most `most` bytes, strictly.
pub(super) fn read(bytes: &[u8], most: usize) -> Result<Members, AuthzenError> {
    if bytes.len() > most {
        return Err(AuthzenError::Oversize(most));
    }
    // What the tree counts is below what was written: it is bounded already.
    match json::tree(bytes, most.saturating_mul(4), MAX_LEVELS).map_err(AuthzenError::Json)? {
        Value::Object(members) => Ok(members),
        _ => Err(AuthzenError::Json(JsonError::Syntax)),
    }
}

pub(super) fn wrong_type(name: &str) -> AuthzenError {
    AuthzenError::Json(JsonError::WrongType(Excerpt::of(name)))
}

/// Takes a string. `null` is as good as absent, here and below: the standard asks senders to leave it out (§11.5).
pub(super) fn text(members: &mut Members, name: &str) -> Result<Option<String>, AuthzenError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong_type(name)),
    }
}

pub(super) fn object(members: &mut Members, name: &str) -> Result<Option<Members>, AuthzenError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong_type(name)),
    }
}

pub(super) fn array(members: &mut Members, name: &str) -> Result<Option<Vec<Value>>, AuthzenError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(_) => Err(wrong_type(name)),
    }
}

/// Whether `text` can be shown and stored: not empty, at most 2048 bytes, without control characters.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control)
}
