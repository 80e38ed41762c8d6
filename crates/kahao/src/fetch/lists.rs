//! The operator's lists of what `image_url` may name and reach: hosts by name, networks by address. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

use super::address::{canonical, is_public};

/// A host, or with `*.` in front every host below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern {
    /// As a URL's host is written after parsing: lower case, punycode, no dot at the end.
    host: String,
    below: bool,
}

impl HostPattern {
    pub(crate) fn matches(&self, host: &Host<&str>) -> bool {
        let host = host.to_string();
        let host = host.trim_end_matches('.');
        match self.below {
            true => host.strip_suffix(&self.host).is_some_and(|below| below.ends_with('.')),
            false => host == self.host,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().trim_end_matches('.');
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |parent| (parent, true));
        match Host::parse(name) {
            Ok(Host::Domain(_)) if name.contains('*') => Err("* stands in front alone: *.example.com".into()),
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) if below => Err("nothing is below an address".into()),
            Ok(host) => Ok(Self { host: host.to_string(), below }),
            Err(error) => Err(format!("{error}: name a host, without scheme, port or path")),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)
    }
}

/// A set of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Everything that is globally reachable.
    Public,
    Block(IpNet),
}

impl Network {
    /// An IPv4 address in IPv6 clothes counts as what it is.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Block(block) => block.contains(&canonical(address)),
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "public" => Ok(Self::Public),
            text => {
                let block = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                block
                    .map(Self::Block)
                    .map_err(|_| "name a network such as 10.1.0.0/16, an address, or public")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns() {
        for (host, pattern, matches) in [
            ("example.com", "example.com", true),
            ("EXAMPLE.com.", "Example.COM.", true),
            ("img.example.com", "example.com", false),
            ("img.example.com", "*.example.com", true),
            ("a.b.example.com", "*.example.com", true),
            ("example.com", "*.example.com", false),
            ("badexample.com", "*.example.com", false),
            ("example.com.bad.com", "*.example.com", false),
            ("xn--fiq228c.example", "中文.example", true),
            ("ｅxample.com", "example.com", true),
            ("1.2.3.4", "1.2.3.4", true),
            ("0x01020304", "1.2.3.4", true),
            ("[2606:4700:0::1]", "[2606:4700::1]", true),
        ] {
            let parsed = Host::parse(host).unwrap();
            let host = match &parsed {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(v4) => Host::Ipv4(*v4),
                Host::Ipv6(v6) => Host::Ipv6(*v6),
            };
            assert_eq!(pattern.parse::<HostPattern>().unwrap().matches(&host), matches, "{host} {pattern}");
        }
        for nonsense in ["", "*", "*.", "a.*.com", "http://a.com", "a.com/b", "a.com:80", "*.1.2.3.4", "a b"]
        {
            assert!(nonsense.parse::<HostPattern>().is_err(), "{nonsense}");
        }
        assert_eq!("*.Example.com".parse::<HostPattern>().unwrap().to_string(), "*.example.com");
    }

    #[test]
    fn networks() {
        for (network, address, contains) in [
            ("public", "1.1.1.1", true),
            ("public", "10.0.0.1", false),
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.0.0/16", "::ffff:10.1.2.3", true),
            ("10.1.0.0/16", "64:ff9b::10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("fd00:1::/32", "fd00:1::5", true),
            ("fd00:1::/32", "10.1.2.3", false),
            ("::/0", "::1", true),
            ("::/0", "::ffff:10.1.2.3", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), contains, "{network:?} {address}");
        }
        for nonsense in ["", "private", "10.0.0.0/33", "example.com", "10.0.0"] {
            assert!(nonsense.parse::<Network>().is_err(), "{nonsense}");
        }
    }
}
