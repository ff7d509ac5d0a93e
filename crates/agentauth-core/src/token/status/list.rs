//! The list itself: one number for each of many tokens, packed and compressed.

use std::fmt;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::StatusListError;

/// The longest list, in bytes, once it is unpacked: the statuses of 16 million tokens with 1 bit each. A few kilobytes can
/// unpack to gigabytes.
pub const MAX_STATUS_BYTES: usize = 2 * 1024 * 1024;

/// Header, checksum and the shortest block of a zlib stream (RFC 1950 §2.2).
const MIN_ZLIB_BYTES: usize = 8;

/// The statuses of many tokens.
pub(super) struct StatusList {
    bits: u8,
    bytes: Box<[u8]>,
}

impl StatusList {
    /// Unpacks `compressed`, a zlib stream of statuses with `bits` bits each.
    pub(super) fn unpack(bits: u64, compressed: &[u8]) -> Result<Self, StatusListError> {
        let (1 | 2 | 4 | 8) = bits else { return Err(StatusListError::Malformed("bits is neither 1, 2, 4 nor 8")) };
        if compressed.len() < MIN_ZLIB_BYTES {
            return Err(StatusListError::Malformed("lst is no zlib stream"));
        }
        match decompress_to_vec_zlib_with_limit(compressed, MAX_STATUS_BYTES + 1) {
            Ok(bytes) if bytes.len() <= MAX_STATUS_BYTES => Ok(Self { bits: bits as u8, bytes: bytes.into() }),
            Ok(_) => Err(StatusListError::Oversize),
            Err(error) if error.output.len() > MAX_STATUS_BYTES => Err(StatusListError::Oversize),
            Err(_) => Err(StatusListError::Malformed("lst is no zlib stream")),
        }
    }

    /// The status at `index`, counted from the lowest bits of the first byte; `None` beyond the end.
    pub(super) fn get(&self, index: u64) -> Option<u8> {
        let per_byte = u64::from(8 / self.bits);
        let byte = *self.bytes.get(usize::try_from(index / per_byte).ok()?)?;
        let shift = (index % per_byte) as u8 * self.bits;
        Some((byte >> shift) & (u8::MAX >> (8 - self.bits)))
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusList").field("bits", &self.bits).field("bytes", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;
    use crate::jose::base64url;

    fn list(bits: u64, lst: &str) -> StatusList {
        StatusList::unpack(bits, &base64url::decode(lst).unwrap()).unwrap()
    }

    /// The examples of draft-ietf-oauth-status-list §4.1.
    #[test]
    fn the_examples_of_the_draft_are_read() {
        let one = list(1, "eNrbuRgAAhcBXQ");
        let expected = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
        assert_eq!((0..16).map(|at| one.get(at).unwrap()).collect::<Vec<_>>(), expected);
        let two = list(2, "eNo76fITAAPfAgc");
        let expected = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
        assert_eq!((0..12).map(|at| two.get(at).unwrap()).collect::<Vec<_>>(), expected);
        assert_eq!((one.get(16), two.get(12), one.get(u64::MAX)), (None, None, None));
    }

    /// The test vectors of the draft: 2^20 statuses each, all valid but those that are named.
    #[test]
    fn the_vectors_of_the_draft_are_read() {
        for line in include_str!("vectors.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [bits, lst, named] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let list = list(bits.parse().unwrap(), lst);
            let mut expected = vec![0_u8; 1 << 20];
            for pair in named.split(',') {
                let (at, status) = pair.split_once('=').unwrap();
                expected[at.parse::<usize>().unwrap()] = status.parse().unwrap();
            }
            assert!((0..1 << 20).all(|at| list.get(at) == Some(expected[at as usize])), "{bits} bits");
            assert_eq!(list.get(1 << 20), None);
        }
    }

    #[test]
    fn a_list_has_a_size_and_a_form() {
        for (bits, bytes, expected) in [
            (1, compress_to_vec_zlib(&vec![0; MAX_STATUS_BYTES], 6), "accepted"),
            (1, compress_to_vec_zlib(&[], 6), "accepted"),
            (1, compress_to_vec_zlib(&vec![0; MAX_STATUS_BYTES + 1], 6), "status_list_oversize"),
            // 64 MiB in 65 KB.
            (1, compress_to_vec_zlib(&vec![0; 64 << 20], 6), "status_list_oversize"),
            (0, compress_to_vec_zlib(&[0], 6), "status_list_malformed"),
            (3, compress_to_vec_zlib(&[0], 6), "status_list_malformed"),
            (16, compress_to_vec_zlib(&[0], 6), "status_list_malformed"),
            (1, vec![], "status_list_malformed"),
            (1, vec![0; 8], "status_list_malformed"),
            // Cut short, and with another checksum.
            (1, compress_to_vec_zlib(&[1; 64], 6)[..10].to_vec(), "status_list_malformed"),
            (1, [&compress_to_vec_zlib(&[1; 64], 6)[..10], &[0; 4]].concat(), "status_list_malformed"),
        ] {
            let code = StatusList::unpack(bits, &bytes).map_or_else(|error| error.code(), |_| "accepted");
            assert_eq!(code, expected, "{bits} bits, {} bytes", bytes.len());
        }
    }
}
