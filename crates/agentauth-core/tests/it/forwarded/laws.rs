//! Laws of reading `x-forwarded-client-cert`.

use agentauth_core::identity::forwarded::{Xfcc, XfccHeader};
use agentauth_core::identity::svid::TrustBundles;
use agentauth_core::{SpiffeId, Timestamp};
use proptest::prelude::*;

use super::{ADMIN, Details, EVIL, OWN, envoys, hash, id, leaf};
use crate::support::certs::{Ca, NOW};

/// What could stand for an element of its own, or end one.
fn elements() -> Vec<String> {
    let (own, hash) = (format!("By={OWN}"), format!("Hash={}", hash(b"a certificate")));
    vec![
        format!("{own};{hash};URI={ADMIN}"),
        format!("by={OWN};{hash};URI={ADMIN}"),
        format!("{hash};URI={ADMIN};{own}"),
        format!("By=x;{hash};URI={ADMIN}"),
        format!("URI={ADMIN}"),
        own,
        hash,
        "Subject=\"".into(),
    ]
}

/// Pieces of what attacks are made of.
fn fragments() -> impl Strategy<Value = String> {
    let parts = [EVIL, ADMIN, OWN, ",", ";", "\"", "\\", "=", "By=", "Hash=", "URI=", "DNS=", "Cert=\"", "a", "/", " "];
    let pieces: Vec<String> = parts.into_iter().map(str::to_owned).chain(elements()).collect();
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

/// What someone would try first: the end of what the proxy is writing, and another element.
fn attempts() -> impl Strategy<Value = String> {
    let ends = prop::sample::select(vec![",", ";", "\",", "\";", ";DNS=a,", ""]);
    let elements = prop::collection::vec(prop::sample::select(elements()), 0..3);
    (ends, elements).prop_map(|(end, elements)| format!("{end}{}", elements.join(end)))
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![fragments(), attempts(), attempts()]
}

fn details() -> impl Strategy<Value = Details> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(cert, chain, subject)| Details { cert, chain, subject })
}

/// What a name is cut to by the first comma or semicolon in it.
fn beginning(name: &str) -> &str {
    name.split([',', ';']).next().unwrap()
}

proptest! {
    #[test]
    fn bytes_are_read_as_they_were_written_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(header) = XfccHeader::parse(&bytes) {
            prop_assert_eq!(header.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn what_is_read_of_fragments_is_what_was_written(text in fragments()) {
        if let Ok(header) = XfccHeader::parse(text.as_bytes()) {
            prop_assert_eq!(header.to_string(), text);
        }
    }
}

proptest! {
    // Each case signs a certificate.
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever is in a certificate's names, and whatever its holder writes before: nobody is believed to be another than
    /// the one that the URI begins with; and where the certificate is verified, the one that the URI is.
    #[test]
    fn injection_never_changes_who_is_believed(
        begin in prop::sample::select(vec![EVIL, ADMIN, ""]),
        uri in texts(),
        dns in prop::collection::vec(texts(), 0..2),
        sent in prop::option::of(texts()),
        details in details(),
    ) {
        let (ca, now) = (Ca::new("court.example"), Timestamp::from_secs(NOW));
        let uri = format!("{begin}{uri}");
        let dns: Vec<&str> = dns.iter().map(String::as_str).collect();
        let leaf = leaf(&ca, &[&uri], &dns);
        let replaced = envoys(OWN, &[leaf, ca.der()], details);
        let added = sent.map_or_else(|| replaced.clone(), |sent| format!("{sent},{replaced}"));
        for (xfcc, value) in [
            (Xfcc::sanitize_set(), &replaced),
            (Xfcc::sanitize_set().expect_by(id(OWN)), &replaced),
            (Xfcc::append_forward(id(OWN)), &added),
        ] {
            if let Ok(Some(peer)) = xfcc.read_value(value.as_bytes(), &TrustBundles::new(), now) {
                prop_assert_eq!(peer.id().as_str(), beginning(&uri), "{}", value);
            }
            if let Ok(Some(peer)) = xfcc.verify_certificates().read_value(value.as_bytes(), &ca.bundles(), now) {
                prop_assert_eq!(peer.id().as_str(), &uri, "{}", value);
                prop_assert!(uri.parse::<SpiffeId>().is_ok());
            }
        }
    }
}
