//! Which addresses belong to the public Internet, by the IANA special-purpose registries (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Network;

/// Where clouds serve credentials to whoever asks. They are named before the networks around them, and one of them is
/// a public address.
const METADATA: [Network; 10] = [
    Network::v4([169, 254, 169, 254], 32),
    // Containers are given theirs beside it.
    Network::v4([169, 254, 170, 2], 32),
    Network::v4([169, 254, 170, 23], 32),
    Network::v4([169, 254, 0, 23], 32),
    Network::v4([168, 63, 129, 16], 32),
    Network::v4([100, 100, 100, 200], 32),
    Network::v4([192, 0, 0, 192], 32),
    // fd00:ec2::254, fd20:ce::254 and fd00:c1::a9fe:a9fe: nothing else is in these networks.
    Network::v6([0xfd00, 0xec2, 0, 0], 64),
    Network::v6([0xfd20, 0xce, 0, 0], 64),
    Network::v6([0xfd00, 0xc1, 0, 0], 64),
];

const SPECIAL_V4: [(Network, &str); 15] = [
    (Network::v4([0, 0, 0, 0], 8), "unspecified"),
    (Network::v4([10, 0, 0, 0], 8), "private"),
    (Network::v4([100, 64, 0, 0], 10), "shared by a carrier's customers"),
    (Network::v4([127, 0, 0, 0], 8), LOOPBACK),
    (Network::v4([169, 254, 0, 0], 16), "link-local"),
    (Network::v4([172, 16, 0, 0], 12), "private"),
    (Network::v4([192, 0, 0, 0], 24), RESERVED),
    (Network::v4([192, 0, 2, 0], 24), DOCUMENTATION),
    (Network::v4([192, 88, 99, 0], 24), TRANSITION),
    (Network::v4([192, 168, 0, 0], 16), "private"),
    (Network::v4([198, 18, 0, 0], 15), "for benchmarks"),
    (Network::v4([198, 51, 100, 0], 24), DOCUMENTATION),
    (Network::v4([203, 0, 113, 0], 24), DOCUMENTATION),
    (Network::v4([224, 0, 0, 0], 4), MULTICAST),
    (Network::v4([240, 0, 0, 0], 4), "reserved or broadcast"),
];

const SPECIAL_V6: [(Network, &str); 11] = [
    (Network::v6([0xfc00, 0, 0, 0], 7), "private"),
    (Network::v6([0xfe80, 0, 0, 0], 10), "link-local"),
    (Network::v6([0xfec0, 0, 0, 0], 10), "private"),
    (Network::v6([0xff00, 0, 0, 0], 8), MULTICAST),
    // IETF protocol assignments: Teredo, benchmarks, ORCHID.
    (Network::v6([0x2001, 0, 0, 0], 23), RESERVED),
    (Network::v6([0x2001, 0xdb8, 0, 0], 32), DOCUMENTATION),
    (Network::v6([0x2002, 0, 0, 0], 16), TRANSITION),
    (Network::v6([0x3fff, 0, 0, 0], 20), DOCUMENTATION),
    // IPv4-mapped and IPv4-compatible: no honest name has such an address.
    (Network::v6([0, 0, 0, 0], 64), TRANSITION),
    (Network::v6([0x64, 0xff9b, 1, 0], 48), TRANSITION),
    (Network::v6([0x100, 0, 0, 0], 64), RESERVED),
];

/// The part of IPv6 that is handed out to the Internet.
const GLOBAL_V6: Network = Network::v6([0x2000, 0, 0, 0], 3);

/// RFC 6052 §2.1: the last 32 bits are an IPv4 address. This is how networks without IPv4 reach it, so what counts is
/// that address.
const NAT64: Network = Network::v6([0x64, 0xff9b, 0, 0], 96);

/// Networks of which the last 32 bits are an IPv4 address that a host or its network may take them for: NAT64, with the
/// prefix for local use (RFC 8215) too, and IPv4-mapped and IPv4-compatible addresses.
const ENDS_IN_V4: [Network; 3] = [NAT64, Network::v6([0x64, 0xff9b, 1, 0], 48), Network::v6([0, 0, 0, 0], 64)];

/// RFC 3056 §2: the 32 bits after the first 16 are an IPv4 address.
const SIX_TO_FOUR: Network = Network::v6([0x2002, 0, 0, 0], 16);

const LOOPBACK: &str = "loopback";
const RESERVED: &str = "reserved";
const DOCUMENTATION: &str = "for documentation";
const MULTICAST: &str = "multicast";
const TRANSITION: &str = "an IPv4 address in an IPv6 form";

/// Whether `address` is where a cloud serves credentials, in whatever form.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    let is_known = |address| METADATA.iter().any(|network| network.contains(address));
    is_known(address) || embedded(address).is_some_and(|v4| is_known(IpAddr::V4(v4)))
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    if SIX_TO_FOUR.contains(address) {
        let [_, _, a, b, c, d, ..] = v6.octets();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    let [.., a, b, c, d] = v6.octets();
    ENDS_IN_V4.iter().any(|network| network.contains(address)).then(|| Ipv4Addr::new(a, b, c, d))
}

/// Whether `address` is this host's own: `127.0.0.0/8` and `::1`, in no other form.
pub(super) const fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// What `address` is if it is not public: a word for people.
pub(super) fn special_use(address: IpAddr) -> Option<&'static str> {
    if is_metadata(address) {
        return Some("a metadata service");
    }
    match address {
        IpAddr::V4(_) => named(&SPECIAL_V4, address),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(LOOPBACK),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some("unspecified"),
        IpAddr::V6(v6) if NAT64.contains(address) => {
            let [.., a, b, c, d] = v6.octets();
            special_use(IpAddr::V4(Ipv4Addr::new(a, b, c, d))).map(|_| TRANSITION)
        }
        IpAddr::V6(_) => named(&SPECIAL_V6, address).or((!GLOBAL_V6.contains(address)).then_some(RESERVED)),
    }
}

fn named(table: &[(Network, &'static str)], address: IpAddr) -> Option<&'static str> {
    table.iter().find(|(network, _)| network.contains(address)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_purpose_is_known_at_both_of_its_ends() {
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "unspecified"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "shared by a carrier's customers"),
            ("100.100.100.200", "100.100.100.200", "a metadata service"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("168.63.129.16", "168.63.129.16", "a metadata service"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("169.254.169.254", "169.254.169.254", "a metadata service"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "reserved"),
            ("192.0.0.192", "192.0.0.192", "a metadata service"),
            ("192.0.2.0", "192.0.2.255", "for documentation"),
            ("192.88.99.0", "192.88.99.255", "an IPv4 address in an IPv6 form"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "for benchmarks"),
            ("198.51.100.0", "198.51.100.255", "for documentation"),
            ("203.0.113.0", "203.0.113.255", "for documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.255", "reserved or broadcast"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::ffff:ffff:ffff:ffff", "an IPv4 address in an IPv6 form"),
            ("::127.0.0.1", "::ffff:127.0.0.1", "an IPv4 address in an IPv6 form"),
            ("::ffff:8.8.8.8", "::ffff:10.0.0.1", "an IPv4 address in an IPv6 form"),
            ("64:ff9b::10.0.0.1", "64:ff9b::192.168.0.1", "an IPv4 address in an IPv6 form"),
            ("64:ff9b::169.254.169.254", "::ffff:169.254.169.254", "a metadata service"),
            ("169.254.170.2", "169.254.170.23", "a metadata service"),
            ("64:ff9b::127.0.0.1", "64:ff9b:1:ffff::", "an IPv4 address in an IPv6 form"),
            ("64:ff9b::1:0:0", "64:ff9b:0:ffff::", "reserved"),
            ("100::", "100::ffff", "reserved"),
            ("2001::", "2001:1ff:ffff::", "reserved"),
            ("2001:db8::", "2001:db8:ffff::", "for documentation"),
            ("2002:7f00:1::", "2002:808:808::", "an IPv4 address in an IPv6 form"),
            ("3fff::", "3fff:fff::", "for documentation"),
            ("1fff::", "4000::", "reserved"),
            ("5f00::", "5f00::1", "reserved"),
            ("fc00::", "fdff:ffff::", "private"),
            ("fd00:ec2::254", "fd20:ce::254", "a metadata service"),
            ("fd00:c1::a9fe:a9fe", "2002:a9fe:a9fe::1", "a metadata service"),
            ("fe80::", "febf:ffff::", "link-local"),
            ("fec0::", "feff::", "private"),
            ("ff00::", "ffff::", "multicast"),
        ] {
            for address in [first, last] {
                assert_eq!(special_use(address.parse().unwrap()), Some(name), "{address}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_special_networks_are_public() {
        for address in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2606:4700::1111",
            "3ffe:ffff::",
            "3fff:1000::",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(special_use(address.parse().unwrap()), None, "{address}");
        }
    }
}
