//! Which servers may be called. An address that somebody else wrote (a webhook, an upstream's
//! picture) must not open doors that only this machine can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// What is allowed beside the public internet over https.
#[derive(Debug, Default)]
pub(super) struct Guard {
    hosts: Vec<String>,
    networks: Vec<Network>,
    dev: bool,
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    first: IpAddr,
    bits: u32,
}

impl Guard {
    /// Reads the allow-list: names of hosts, addresses, and networks such as `10.1.0.0/16`.
    pub(super) fn new(allow: &[String], dev: bool) -> Result<Self, String> {
        let mut guard = Self {
            dev,
            ..Self::default()
        };
        for entry in allow {
            let entry = entry.trim();
            if let Some(network) = Network::read(entry) {
                guard.networks.push(network);
            } else {
                let host = host(entry).ok_or_else(|| {
                    format!(
                        "\"{entry}\" is no host, address or network.\n  \
                         Write a name such as proxy.example.com, an address such as 10.0.0.7, or \
                         a network such as 10.0.0.0/8, without a scheme, port or path."
                    )
                })?;
                guard.hosts.push(host);
            }
        }
        Ok(guard)
    }

    /// Whether an address of the web may be called, as far as its letters tell; of a name, the
    /// addresses are judged when it is resolved.
    pub(super) fn admits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let literal = literal(host);
        let listed = match literal {
            Some(ip) => self.is_listed(ip),
            None => self.knows(host),
        };
        let plain = listed || (self.dev && is_this_machine(host, literal));
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && plain);
        scheme && literal.is_none_or(|ip| self.allows(ip))
    }

    /// Whether a name is on the list: its owner vouches for wherever it leads.
    pub(super) fn knows(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Whether a connection to this address may be opened.
    pub(super) fn allows(&self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        self.is_listed(ip) || is_public(ip) || (self.dev && ip.is_loopback())
    }

    fn is_listed(&self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        self.networks.iter().any(|network| network.holds(ip))
    }
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let first = canonical(address);
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        // A mapped network counts its bits from the IPv6 address.
        let bits = match first == address {
            true if bits <= most => bits,
            false if (96..=128).contains(&bits) => bits - 96,
            _ => return None,
        };
        Some(Self { first, bits })
    }

    fn holds(&self, ip: IpAddr) -> bool {
        match (self.first, ip) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => {
                let other = u128::from(first.to_bits() ^ ip.to_bits()) << 96;
                self.bits == 0 || other >> (128 - self.bits) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(ip)) => {
                self.bits == 0 || (first.to_bits() ^ ip.to_bits()) >> (128 - self.bits) == 0
            }
            _ => false,
        }
    }
}

/// The name as it stands in addresses; `None` when it is more or less than a name.
fn host(entry: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || "/\\?#@:%*".contains(c);
    if entry.is_empty() || entry.contains(odd) {
        return None;
    }
    let url = Url::parse(&format!("http://{entry}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    (literal(host).is_none() && !host.is_empty()).then(|| host.to_owned())
}

/// The address that a host is written as, if it is one. The parser of addresses has already turned
/// `0x7f.1`, `2130706433` and the like into four numbers.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// The names and addresses of this machine, over plain http in development.
fn is_this_machine(host: &str, literal: Option<IpAddr>) -> bool {
    match literal {
        Some(ip) => canonical(ip).is_loopback(),
        None => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// An IPv4 address in IPv6 clothes is the IPv4 address: `::ffff:a.b.c.d`, and `64:ff9b::a.b.c.d`,
/// which networks without IPv4 reach the rest of the world by (RFC 6052).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let bits = (u32::from(high) << 16) | u32::from(low);
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        _ => ip,
    }
}

/// Whether an address belongs to the public internet (the registries of special-purpose addresses,
/// RFC 6890 and what followed).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        // This network; private; loopback.
        [0 | 10 | 127, ..]
            // Carrier-grade NAT (RFC 6598), where one cloud keeps its metadata.
            | [100, 64..=127, ..]
            // Link-local, where most clouds keep theirs.
            | [169, 254, ..]
            | [172, 16..=31, ..]
            // Protocol assignments, documentation, 6to4 relays, private.
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            // Benchmarks, documentation.
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            // A public address that one cloud answers its machines at.
            | [168, 63, 129, 16]
            // Multicast, reserved, broadcast.
            | [224..=255, ..]
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocol assignments with Teredo, documentation, 6to4: they lead elsewhere or nowhere.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; nothing outside of it is (RFC 4291 §2.4).
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], dev: bool) -> Guard {
        let allow: Vec<_> = allow.iter().map(|entry| (*entry).to_owned()).collect();
        Guard::new(&allow, dev).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const LOOPBACK: &[&str] = &["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"];

    const INSIDE: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "168.63.129.16",
        "169.254.0.23",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1.1.1.1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];

    const OUTSIDE: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2000::1",
        "2001:200::1",
        "2001:db7::1",
        "2001:db9::1",
        "2400:3200::1",
        "2606:4700:4700::1111",
        "3fff:1000::1",
    ];

    #[test]
    fn only_the_public_internet_is_open() {
        let (production, dev) = (guard(&[], false), guard(&[], true));
        for text in LOOPBACK {
            assert!(!production.allows(ip(text)), "{text}");
            assert!(dev.allows(ip(text)), "{text}");
        }
        for text in INSIDE {
            assert!(!production.allows(ip(text)), "{text}");
            assert!(!dev.allows(ip(text)), "{text} in development");
        }
        for text in OUTSIDE {
            assert!(
                production.allows(ip(text)) && dev.allows(ip(text)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_literal_address_is_judged_however_it_is_written() {
        let guard = guard(&[], false);
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "１２７.0.0.1",
            "[::1]",
            "[0:0::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "0",
            "169.254.169.254",
            "user:pass@10.0.0.1",
            "10.0.0.1:8443",
        ] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            assert!(!guard.admits(&url), "{host}");
        }
        for host in [
            "1.1.1.1",
            "[2606:4700::1111]",
            "example.com",
            "example.com.",
        ] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            assert!(guard.admits(&url), "{host}");
        }
    }

    #[test]
    fn the_scheme_is_https_but_for_hosts_on_the_list_and_this_machine_in_development() {
        let admits = |guard: &Guard, url: &str| guard.admits(&Url::parse(url).unwrap());
        let production = guard(&["Wx.Internal", "10.1.0.0/16"], false);
        for url in [
            "https://example.com/",
            "https://wx.internal./",
            "http://WX.internal:8080/",
            "http://10.1.2.3/",
            "https://10.1.2.3/",
        ] {
            assert!(admits(&production, url), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://localhost/",
            "http://127.0.0.1/",
            "http://10.2.0.1/",
            "https://10.2.0.1/",
            "http://sub.wx.internal/",
            "http://wx.internal.example.com/",
            "ftp://wx.internal/",
            "file:///etc/passwd",
            "data:,x",
        ] {
            assert!(!admits(&production, url), "{url}");
        }
        let dev = guard(&[], true);
        for url in [
            "http://localhost:8080/",
            "http://a.localhost/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "https://127.0.0.1/",
            "https://example.com/",
        ] {
            assert!(admits(&dev, url), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://10.0.0.1/",
            "https://10.0.0.1/",
            "http://localhost.example.com/",
        ] {
            assert!(!admits(&dev, url), "{url}");
        }
    }

    #[test]
    fn networks_hold_what_shares_their_first_bits() {
        let guard = guard(
            &[
                "10.1.2.3",
                "172.16.128.0/17",
                "fd12::/16",
                "::ffff:192.168.0.0/120",
                "fe80::7",
            ],
            false,
        );
        for text in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "172.16.128.0",
            "172.16.255.255",
            "fd12:ffff::1",
            "192.168.0.9",
            "fe80::7",
        ] {
            assert!(guard.allows(ip(text)), "{text}");
        }
        for text in [
            "10.1.2.4",
            "172.16.127.255",
            "fd13::1",
            "192.169.0.1",
            "192.168.1.1",
        ] {
            assert_eq!(guard.allows(ip(text)), is_public(ip(text)), "{text}");
        }
        assert!(
            super::Guard::new(&["0.0.0.0/0".into()], false)
                .unwrap()
                .allows(ip("10.0.0.1"))
        );
        assert!(
            super::Guard::new(&["::/0".into()], false)
                .unwrap()
                .allows(ip("::1"))
        );
    }

    #[test]
    fn an_entry_that_is_nothing_is_named() {
        for entry in [
            "",
            "http://wx.internal",
            "wx.internal:8080",
            "wx.internal/path",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "fd00::/129",
            "::ffff:10.0.0.0/8",
            "*.example.com",
            "a b",
            "[::1]",
            "0x7f.1",
        ] {
            let error = Guard::new(&[entry.to_owned()], false).unwrap_err();
            assert!(error.contains(&format!("\"{entry}\"")), "{error}");
        }
    }
}
