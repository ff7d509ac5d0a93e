//! Certificates one after the other, as the Workload API sends chains and bundles (SPIFFE_Workload_API.md §5.1).

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{FromDer as _, Sequence};

/// The certificates, at least one, that follow each other in `der`, with nothing between them. Each is a sequence; what is
/// in it is not looked at.
pub(super) fn split(mut der: &[u8]) -> Option<Vec<CertificateDer<'_>>> {
    let mut certificates = Vec::new();
    loop {
        let (rest, _) = Sequence::from_der(der).ok()?;
        let (certificate, _) = der.split_at_checked(der.len().checked_sub(rest.len())?)?;
        certificates.push(CertificateDer::from(certificate));
        if rest.is_empty() {
            return Some(certificates);
        }
        der = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_fill_the_bytes_to_the_last_one() {
        let short = [0x30, 1, 0xaa];
        let long = [&[0x30, 0x81, 0x80][..], &[0xbb; 0x80]].concat();
        let texts =
            |bytes: &[u8]| split(bytes).map(|found| found.iter().map(|der| der.as_ref().to_vec()).collect::<Vec<_>>());
        assert_eq!(texts(&[]), None);
        assert_eq!(texts(&[&short[..], &long, &short].concat()), Some(vec![short.into(), long.clone(), short.into()]));

        for broken in [
            &[0x30][..],
            &[0x30, 2, 0xaa],
            &[0x31, 1, 0xaa],
            &[0x30, 0x80],
            &[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x30, 0x82, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[&short[..], &[0]].concat(),
            &long[..long.len() - 1],
        ] {
            assert_eq!(texts(broken), None, "{broken:02x?}");
        }
    }
}
