//! Which addresses a fetch may reach: only those that the IANA special-purpose registries call globally
//! reachable. Pure; no names, no sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not the public Internet, with the document that says so.
const NOT_PUBLIC_V4: &[([u8; 4], u32, &str)] = &[
    ([0, 0, 0, 0], 8, "RFC 791: this network"),
    ([10, 0, 0, 0], 8, "RFC 1918: private"),
    ([100, 64, 0, 0], 10, "RFC 6598: carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "RFC 1122: loopback"),
    ([169, 254, 0, 0], 16, "RFC 3927: link-local, cloud metadata"),
    ([172, 16, 0, 0], 12, "RFC 1918: private"),
    ([192, 0, 0, 0], 24, "RFC 6890: IETF protocol assignments"),
    ([192, 0, 2, 0], 24, "RFC 5737: documentation"),
    ([192, 88, 99, 0], 24, "RFC 7526: former 6to4 relays"),
    ([192, 168, 0, 0], 16, "RFC 1918: private"),
    ([198, 18, 0, 0], 15, "RFC 2544: benchmarks"),
    ([198, 51, 100, 0], 24, "RFC 5737: documentation"),
    ([203, 0, 113, 0], 24, "RFC 5737: documentation"),
    ([224, 0, 0, 0], 4, "RFC 5771: multicast"),
    ([240, 0, 0, 0], 4, "RFC 1112: reserved, with the broadcast address"),
];

/// Blocks inside 2000::/3 that are not the public Internet, with the document that says so.
const NOT_PUBLIC_V6: &[([u16; 3], u32, &str)] = &[
    ([0x2001, 0, 0], 23, "RFC 2928: IETF protocol assignments, with Teredo, ORCHID and benchmarks"),
    ([0x2001, 0xdb8, 0], 32, "RFC 3849: documentation"),
    ([0x2002, 0, 0], 16, "RFC 7526: 6to4, which can wrap a private IPv4 address"),
    ([0x3fff, 0, 0], 20, "RFC 9637: documentation"),
];

/// Whether `address` is on the public Internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The IPv4 address that an IPv6 address leads to, where it says so; others as they are.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        // RFC 6052: behind NAT64 the whole IPv4 Internet has addresses in 64:ff9b::/96.
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            IpAddr::V4(Ipv4Addr::from_bits(v6.to_bits() as u32))
        }
        // RFC 4291 2.5.5.2: an IPv4 address in IPv6 clothes is what it is; `to_canonical` undresses it.
        other => other,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !NOT_PUBLIC_V4
        .iter()
        .any(|&(block, length, _)| (bits ^ Ipv4Addr::from(block).to_bits()) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    // RFC 4291 2.4: global unicast is assigned out of 2000::/3 and nowhere else.
    let global_unicast = bits >> 125 == 0b001;
    global_unicast
        && !NOT_PUBLIC_V6.iter().any(|&([a, b, c], length, _)| {
            (bits ^ Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits()) >> (128 - length) == 0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_only() {
        let cases = [
            ("1.1.1.1", true, "public"),
            ("8.8.8.8", true, "public"),
            ("223.255.255.255", true, "public, last before multicast"),
            ("0.0.0.0", false, "RFC 791"),
            ("0.255.255.255", false, "RFC 791"),
            ("9.255.255.255", true, "before RFC 1918"),
            ("10.0.0.0", false, "RFC 1918"),
            ("10.255.255.255", false, "RFC 1918"),
            ("11.0.0.0", true, "after RFC 1918"),
            ("100.63.255.255", true, "before RFC 6598"),
            ("100.64.0.0", false, "RFC 6598"),
            ("100.100.100.200", false, "RFC 6598, a cloud's metadata"),
            ("100.127.255.255", false, "RFC 6598"),
            ("100.128.0.0", true, "after RFC 6598"),
            ("127.0.0.1", false, "RFC 1122"),
            ("127.255.255.254", false, "RFC 1122"),
            ("169.253.255.255", true, "before RFC 3927"),
            ("169.254.169.254", false, "RFC 3927, clouds' metadata"),
            ("169.255.0.0", true, "after RFC 3927"),
            ("172.15.255.255", true, "before RFC 1918"),
            ("172.16.0.0", false, "RFC 1918"),
            ("172.31.255.255", false, "RFC 1918"),
            ("172.32.0.0", true, "after RFC 1918"),
            ("192.0.0.8", false, "RFC 7600 in RFC 6890's block"),
            ("192.0.0.170", false, "RFC 7050 in RFC 6890's block"),
            ("192.0.1.0", true, "after RFC 6890"),
            ("192.0.2.1", false, "RFC 5737"),
            ("192.88.99.1", false, "RFC 7526"),
            ("192.167.255.255", true, "before RFC 1918"),
            ("192.168.0.1", false, "RFC 1918"),
            ("192.169.0.0", true, "after RFC 1918"),
            ("198.17.255.255", true, "before RFC 2544"),
            ("198.18.0.1", false, "RFC 2544"),
            ("198.19.255.255", false, "RFC 2544"),
            ("198.51.100.7", false, "RFC 5737"),
            ("203.0.113.7", false, "RFC 5737"),
            ("224.0.0.1", false, "RFC 5771"),
            ("239.255.255.255", false, "RFC 5771"),
            ("240.0.0.1", false, "RFC 1112"),
            ("255.255.255.255", false, "RFC 919"),
            ("2606:4700:4700::1111", true, "public"),
            ("2400:3200::1", true, "public"),
            ("3ffe::1", true, "public again since RFC 3701"),
            ("::", false, "RFC 4291 2.5.2: unspecified"),
            ("::1", false, "RFC 4291 2.5.3: loopback"),
            ("::7f00:1", false, "RFC 4291 2.5.5.1: IPv4-compatible"),
            ("::808:808", false, "RFC 4291 2.5.5.1: IPv4-compatible, deprecated"),
            ("::ffff:127.0.0.1", false, "RFC 4291 2.5.5.2: mapped loopback"),
            ("::ffff:169.254.169.254", false, "RFC 4291 2.5.5.2: mapped link-local"),
            ("::ffff:10.1.2.3", false, "RFC 4291 2.5.5.2: mapped private"),
            ("::ffff:8.8.8.8", true, "RFC 4291 2.5.5.2: mapped public"),
            ("64:ff9b::7f00:1", false, "RFC 6052: NAT64 of loopback"),
            ("64:ff9b::a9fe:a9fe", false, "RFC 6052: NAT64 of link-local"),
            ("64:ff9b::808:808", true, "RFC 6052: NAT64 of a public address"),
            ("64:ff9b:0:0:0:1:808:808", false, "beside RFC 6052"),
            ("64:ff9b:1::808:808", false, "RFC 8215: local NAT64"),
            ("100::1", false, "RFC 6666: discard"),
            ("2001::1", false, "RFC 4380: Teredo"),
            ("2001:2::1", false, "RFC 5180: benchmarks"),
            ("2001:10::1", false, "RFC 4843: ORCHID"),
            ("2001:20::1", false, "RFC 7343: ORCHIDv2"),
            ("2001:1ff:ffff::1", false, "RFC 2928: last of the block"),
            ("2001:200::1", true, "after RFC 2928"),
            ("2001:db8::1", false, "RFC 3849"),
            ("2001:db9::1", true, "after RFC 3849"),
            ("2002:7f00:1::1", false, "RFC 3056: 6to4 of loopback"),
            ("2002:808:808::1", false, "RFC 7526: 6to4 of a public address"),
            ("3fff::1", false, "RFC 9637"),
            ("3fff:fff:ffff::1", false, "RFC 9637"),
            ("4000::1", false, "RFC 4291: not assigned"),
            ("5f00::1", false, "RFC 9602: segment routing"),
            ("fc00::1", false, "RFC 4193: unique local"),
            ("fd00:ec2::254", false, "RFC 4193, a cloud's metadata"),
            ("fe80::1", false, "RFC 4291 2.5.6: link-local"),
            ("fec0::1", false, "RFC 3879: site-local"),
            ("ff02::1", false, "RFC 4291 2.7: multicast"),
        ];
        for (address, public, why) in cases {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}: {why}");
        }
    }
}
