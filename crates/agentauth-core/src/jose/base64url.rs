//! base64url without padding (RFC 7515 §2), in its one canonical spelling.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding, other alphabets, white space and non-zero unused bits are all refused: two spellings of one token
/// would be two tokens to a replay store.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// The text is not canonical base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCanonical;

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotCanonical> {
    ENGINE.decode(text).map_err(|_| NotCanonical)
}

/// Decodes into `buffer` and returns the part that was filled. A text too long for the buffer is refused.
pub(crate) fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], NotCanonical> {
    let length = ENGINE.decode_slice(text, buffer).map_err(|_| NotCanonical)?;
    buffer.get(..length).ok_or(NotCanonical)
}

/// Decodes a text that must hold exactly `N` bytes.
pub(crate) fn decode_exactly<const N: usize>(text: &str) -> Result<[u8; N], NotCanonical> {
    let mut bytes = [0; N];
    match ENGINE.decode_slice(text, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        _ => Err(NotCanonical),
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Encodes into `buffer`; nothing, if that is too small.
pub(crate) fn encode_into<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> &'b str {
    let length = ENGINE.encode_slice(bytes, buffer).unwrap_or_default();
    buffer.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
        for other in ["-_8=", "+/8", "-_9", "-_ 8", "-_8\n", "-"] {
            assert_eq!(decode(other), Err(NotCanonical), "{other:?}");
        }
    }

    #[test]
    fn a_small_buffer_refuses_instead_of_cutting() {
        assert_eq!(decode_into("AAAA", &mut [0; 2]), Err(NotCanonical));
        assert_eq!(decode_exactly::<4>("AAAA"), Err(NotCanonical));
        assert_eq!(decode_exactly::<2>("AAAA"), Err(NotCanonical));
        assert_eq!(decode_exactly::<32>(&"A".repeat(43)), Ok([0; 32]));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9_=+/-]{0,40}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
