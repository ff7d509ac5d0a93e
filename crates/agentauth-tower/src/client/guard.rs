//! Which servers a client may connect to. An address that someone else has a say in (a metadata document, a name's
//! owner) must not lead into the network that this process stands in (RFC 9728 §7.7, RFC 8725bis §3.10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::address::{is_loopback, is_metadata, special_use};
use crate::network::Network;

/// The names under which clouds serve credentials to whoever asks. Nobody publishes keys there.
const METADATA_NAMES: [&str; 6] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
];

/// What may be reached beyond the public Internet: nothing, unless it is said.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    pub(super) allows_loopback: bool,
    pub(super) networks: Vec<Network>,
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target<'u> {
    /// Without TLS.
    pub(super) is_plain: bool,
    pub(super) host: Host<'u>,
    pub(super) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host<'u> {
    Name(&'u str),
    Address(IpAddr),
}

/// Why nothing is sent there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("not a URL to connect to")]
    Url,
    #[error("the host is neither a DNS name nor an IP address in its usual form")]
    Host,
    #[error("the address {address} is {kind}")]
    Address { address: IpAddr, kind: &'static str },
}

impl Guard {
    /// What can be said without resolving the name.
    pub(super) fn check_url<'u>(&self, uri: &'u Uri) -> Result<Target<'u>, Refused> {
        let target = Target::of(uri)?;
        if target.is_plain && !self.allows_loopback {
            return Err(Refused::Url);
        }
        if let Host::Address(address) = target.host {
            self.check_address(address, target.is_plain)?;
            // A certificate for an address is rare, and a name is what the configuration should show.
            if !self.is_allowed(address) {
                return Err(Refused::Address { address, kind: "not named by a DNS name" });
            }
        }
        Ok(target)
    }

    /// Every address must pass: which of them a connection takes is chance, or somebody's choice.
    pub(super) fn check_addresses(&self, addresses: &[IpAddr], is_plain: bool) -> Result<(), Refused> {
        addresses.iter().try_for_each(|address| self.check_address(*address, is_plain))
    }

    fn check_address(&self, address: IpAddr, is_plain: bool) -> Result<(), Refused> {
        match special_use(address) {
            Some(kind) if !self.is_allowed(address) => Err(Refused::Address { address, kind }),
            _ if is_plain && !is_loopback(address) => {
                Err(Refused::Address { address, kind: "not loopback, as plain http needs" })
            }
            _ => Ok(()),
        }
    }

    /// A metadata service is only meant where it is named alone, never because it lies in a network that is allowed.
    fn is_allowed(&self, address: IpAddr) -> bool {
        let is_in =
            |network: &Network| network.contains(address) && (network.is_one_address() || !is_metadata(address));
        (self.allows_loopback && is_loopback(address)) || self.networks.iter().any(is_in)
    }
}

impl<'u> Target<'u> {
    /// One spelling for each host: what some resolvers would take for an address (`127.1`, `0x7f000001`, `2130706433`),
    /// a trailing dot, a zone, user information and empty ports are refused.
    pub(super) fn of(uri: &'u Uri) -> Result<Self, Refused> {
        let (is_plain, default_port) = match uri.scheme_str() {
            Some("https") => (false, 443),
            Some("http") => (true, 80),
            _ => return Err(Refused::Url),
        };
        let authority = uri.authority().ok_or(Refused::Url)?;
        let port = match authority.as_str().strip_prefix(authority.host()).ok_or(Refused::Url)? {
            "" => default_port,
            port => port.strip_prefix(':').and_then(port_number).ok_or(Refused::Url)?,
        };
        Ok(Self { is_plain, host: Host::of(authority.host())?, port })
    }
}

impl<'u> Host<'u> {
    fn of(text: &'u str) -> Result<Self, Refused> {
        if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return literal.parse::<Ipv6Addr>().map(|address| Self::Address(address.into())).map_err(|_| Refused::Host);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // No top-level domain begins with a digit, and every spelling of an address ends in a part that does.
        let ends_in_number = text.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        let is_name = text.len() <= 253 && text.split('.').all(is_label) && !ends_in_number;
        let is_metadata = METADATA_NAMES.iter().any(|name| text.eq_ignore_ascii_case(name));
        if is_name && !is_metadata { Ok(Self::Name(text)) } else { Err(Refused::Host) }
    }
}

fn port_number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allows_loopback: bool, networks: &[&str]) -> Guard {
        Guard { allows_loopback, networks: networks.iter().map(|network| network.parse().unwrap()).collect() }
    }

    /// What is refused of `uri` before its name is resolved: the URL, the host, the address, or nothing.
    fn verdict(guard: &Guard, uri: &str) -> &'static str {
        let Ok(uri) = uri.parse() else { return "no URI" };
        match guard.check_url(&uri) {
            Ok(_) => "passes",
            Err(Refused::Url) => "url",
            Err(Refused::Host) => "host",
            Err(Refused::Address { .. }) => "address",
        }
    }

    #[test]
    fn a_url_leads_to_a_name_over_tls() {
        let (closed, loopback, inside) = (guard(false, &[]), guard(true, &[]), guard(false, &["10.0.0.0/8"]));
        for (uri, verdicts) in [
            ("https://a.example/jwks", ["passes", "passes", "passes"]),
            ("https://A-1.b_c.example:8443/jwks", ["passes", "passes", "passes"]),
            ("https://localhost/", ["passes", "passes", "passes"]),
            ("http://a.example/jwks", ["url", "passes", "url"]),
            ("http://localhost:8080/jwks", ["url", "passes", "url"]),
            ("http://127.0.0.1:8080/jwks", ["url", "passes", "url"]),
            ("http://[::1]:8080/jwks", ["url", "passes", "url"]),
            ("https://127.0.0.1/", ["address", "passes", "address"]),
            ("https://10.1.2.3/", ["address", "address", "passes"]),
            ("http://10.1.2.3/", ["url", "address", "url"]),
            ("https://8.8.8.8/", ["address", "address", "address"]),
            ("https://[2606:4700::1111]/", ["address", "address", "address"]),
            ("https://[::ffff:127.0.0.1]/", ["address", "address", "address"]),
            ("https://[::ffff:10.0.0.1]/", ["address", "address", "address"]),
            ("https://169.254.169.254/latest", ["address", "address", "address"]),
            ("ftp://127.0.0.1/", ["url", "url", "url"]),
            ("/jwks", ["url", "url", "url"]),
            ("https://user@a.example/", ["url", "url", "url"]),
            ("https://user:word@a.example/", ["url", "url", "url"]),
            ("https://a.example:/", ["url", "url", "url"]),
            ("https://a.example:0/", ["url", "url", "url"]),
            ("https://a.example:65536/", ["url", "url", "url"]),
            ("https://a.example:+443/", ["url", "url", "url"]),
        ] {
            assert_eq!([&closed, &loopback, &inside].map(|guard| verdict(guard, uri)), verdicts, "{uri}");
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        for host in [
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1.",
            "1.2.3.4.5",
            "a.1",
            "a.0x1",
            "a.example.",
            ".a.example",
            "a..example",
            "a%2eexample",
            "%31%32%37.0.0.1",
            "a~b.example",
            "[fe80::1%25eth0]",
            "[::1",
            "[127.0.0.1]",
            "[]",
            "metadata.google.internal",
            "METADATA.google.internal",
            "metadata",
            "instance-data",
        ] {
            let verdict = verdict(&guard(true, &["0.0.0.0/0", "::/0"]), &format!("https://{host}/"));
            assert!(matches!(verdict, "host" | "url" | "no URI"), "{host}: {verdict}");
        }
    }

    #[test]
    fn a_metadata_service_is_allowed_alone_or_not_at_all() {
        let address = ["169.254.169.254".parse().unwrap()];
        for (networks, is_allowed) in
            [(&["0.0.0.0/0"][..], false), (&["169.254.0.0/16"], false), (&["169.254.169.254/32"], true)]
        {
            assert_eq!(guard(false, networks).check_addresses(&address, false).is_ok(), is_allowed, "{networks:?}");
        }
    }

    #[test]
    fn a_metadata_service_is_not_reached_by_another_form_of_its_address() {
        let guard = guard(false, &["0.0.0.0/0", "::/0"]);
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd00:c1::a9fe:a9fe",
        ] {
            let checked = guard.check_addresses(&[address.parse().unwrap()], false);
            assert!(matches!(checked, Err(Refused::Address { kind: "a metadata service", .. })), "{address}");
        }
        assert_eq!(guard.check_addresses(&["64:ff9b::10.0.0.1".parse().unwrap()], false), Ok(()));
    }

    #[test]
    fn plain_http_stays_on_this_host_whatever_is_allowed() {
        let guard = guard(true, &["10.0.0.0/8"]);
        let check = |address: &str, is_plain| guard.check_addresses(&[address.parse().unwrap()], is_plain).is_ok();
        assert_eq!(
            ["127.0.0.1", "::1", "10.0.0.1", "8.8.8.8"].map(|address| check(address, true)),
            [true, true, false, false]
        );
        assert_eq!(["127.0.0.1", "::1", "10.0.0.1", "8.8.8.8"].map(|address| check(address, false)), [true; 4]);
    }
}
