//! Certificates one after the other, as the Workload API sends chains and bundles.

use rustls_pki_types::CertificateDer;

/// The tag of a SEQUENCE, which a certificate is.
const SEQUENCE: u8 = 0x30;

/// Splits concatenated certificates. `None` if they do not fill the bytes to the last one.
pub(super) fn certificates(mut bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (first, rest) = bytes.split_at_checked(length(bytes)?)?;
        found.push(CertificateDer::from(first.to_vec()));
        bytes = rest;
    }
    Some(found)
}

/// How many bytes the SEQUENCE at the beginning of `bytes` has, its header included (X.690 §8.1.3).
fn length(bytes: &[u8]) -> Option<usize> {
    let (&SEQUENCE, rest) = bytes.split_first()? else { return None };
    let (&first, rest) = rest.split_first()?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let content = rest.get(..count)?.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    content.checked_add(2 + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_fill_the_bytes_to_the_last_one() {
        let short = [0x30, 1, 0xaa];
        let long = [&[0x30, 0x81, 0x80][..], &[0xbb; 0x80]].concat();
        let split = |bytes: &[u8]| {
            certificates(bytes).map(|found| found.iter().map(|der| der.as_ref().to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(split(&[]), Some(vec![]));
        assert_eq!(split(&[&short[..], &long, &short].concat()), Some(vec![short.into(), long.clone(), short.into()]));

        for broken in [
            &[0x30][..],
            &[0x30, 2, 0xaa],
            &[0x31, 1, 0xaa],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0xaa],
            &[0x30, 0x82, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[&short[..], &[0]].concat(),
            &long[..long.len() - 1],
        ] {
            assert_eq!(split(broken), None, "{broken:02x?}");
        }
    }
}
