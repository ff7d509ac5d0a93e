use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use agentauth_core::Excerpt;

/// The addresses that begin with the same bits: `10.0.0.0/8`, `fd12:3456::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// A text is not a network in prefix notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network: write its first address and the length of its prefix, such as 10.0.0.0/8")]
pub struct NetworkError(Excerpt);

impl Network {
    pub(crate) const fn v4(first: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = first;
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// The network of `bits` bits whose first address begins with these four groups and ends in zeros.
    #[cfg(feature = "client")]
    pub(crate) const fn v6(first: [u16; 4], bits: u8) -> Self {
        let [a, b, c, d] = first;
        Self { first: IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), bits }
    }

    /// One address and no more.
    pub(crate) const fn one(address: IpAddr) -> Self {
        Self { first: address, bits: Self::length(address) }
    }

    /// Whether `address` is one of them. IPv4 and IPv6 are two worlds here: `::ffff:10.0.0.1` is not in `10.0.0.0/8`.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.bits_after_prefix(address) == Some(0)
    }

    /// Whether this is one address and no more.
    #[cfg(feature = "client")]
    pub(crate) const fn is_one_address(self) -> bool {
        self.bits == Self::length(self.first)
    }

    const fn length(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    /// Which bits of the prefix `address` has otherwise; `None` if it is of the other family.
    fn bits_after_prefix(self, address: IpAddr) -> Option<u128> {
        let differing = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => u128::from(first.to_bits() ^ address.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(address)) => first.to_bits() ^ address.to_bits(),
            _ => return None,
        };
        let host_bits = u32::from(Self::length(address).saturating_sub(self.bits));
        Some(differing.checked_shr(host_bits).unwrap_or(0))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Bits after the prefix must be zero: whoever writes `10.1.2.3/8` may mean less than they would get.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refused = || NetworkError(Excerpt::of(text));
        let (first, bits) = text.split_once('/').ok_or_else(refused)?;
        let first: IpAddr = first.parse().map_err(|_| refused())?;
        let is_number = (1..=3).contains(&bits.len()) && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u8 = bits.parse().ok().filter(|_| is_number).ok_or_else(refused)?;
        let length = Self::length(first);
        let host_bits = match first {
            IpAddr::V4(first) => first.to_bits().trailing_zeros(),
            IpAddr::V6(first) => first.to_bits().trailing_zeros(),
        };
        if bits <= length && u32::from(length.saturating_sub(bits)) <= host_bits {
            Ok(Self { first, bits })
        } else {
            Err(refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_like_it() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("fc00::/7", "fdff:ffff::1", "fe00::"),
            ("::1/128", "::1", "::2"),
            ("::/0", "ffff::", "0.0.0.0"),
            ("10.0.0.0/8", "10.0.0.0", "::ffff:10.0.0.1"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn a_network_has_one_spelling() {
        for text in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/0008",
            "10.1.0.0/8",
            "10/8",
            "010.0.0.0/8",
            " 10.0.0.0/8",
            "::/129",
            "fc00::1/7",
            "a.example/8",
            "0.0.0.1/0",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
