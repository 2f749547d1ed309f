//! Which addresses a source may have: host names are resolved and checked before connecting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A host name of a public source that resolves to private addresses, or to none.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` leads to {address}, an address of this machine or of a private network")]
pub(crate) struct Forbidden {
    pub name: String,
    pub address: IpAddr,
}

/// Resolves names and leaves out addresses that a public source cannot have.
pub(super) struct Checked {
    /// Names that may resolve to any address: those of this machine, and the configured proxies.
    exempt: Vec<String>,
    private: bool,
}

impl Checked {
    pub(super) fn new(private: bool) -> Checked {
        let proxies = ["https_proxy", "http_proxy", "all_proxy"]
            .into_iter()
            .flat_map(|name| [name.to_owned(), name.to_uppercase()])
            .filter_map(|name| std::env::var(name).ok())
            .filter_map(|proxy| Some(Url::parse(&proxy).ok()?.host_str()?.to_owned()));
        Checked {
            exempt: proxies.collect(),
            private,
        }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let free = self.private || self.exempt.contains(&name) || names_this_machine(&name);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let fit: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|address| free || !is_private(address.ip()))
                .collect();
            match (fit.is_empty(), found.first()) {
                (true, Some(address)) => Err(Box::new(Forbidden {
                    name,
                    address: address.ip(),
                })
                    as Box<dyn std::error::Error + Send + Sync>),
                _ => Ok(Box::new(fit.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether a name always means this machine, as for a source in development.
fn names_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether the URL's host is this machine.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(host)) => names_this_machine(host),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL's host, if it is a literal address that a public source cannot have.
pub(super) fn private_literal(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Domain(_) => return None,
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    (is_private(address) && !is_this_machine(url)).then_some(address)
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = match parts {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_private_v4(Ipv4Addr::new(a, b, c, d))
        }
        _ => false,
    };
    embedded
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || parts[0] & 0xfe00 == 0xfc00
        || parts[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_no_outside_source_can_have_are_known() {
        let private = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a00:1",
            "ff02::1",
        ];
        for address in private {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        let public = [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.2.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ];
        for address in public {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn written_addresses_are_seen_through_their_spellings() {
        let forbidden = [
            "https://169.254.169.254/latest",
            "https://0.0.0.0/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://[::ffff:169.254.169.254]/",
            "https://10.0.0.1/",
            "https://[fd00:ec2::254]/",
        ];
        for url in forbidden {
            assert!(
                private_literal(&Url::parse(url).unwrap()).is_some(),
                "{url}"
            );
        }
        for url in [
            "https://example.com/",
            "https://1.1.1.1/",
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://2130706433/",
        ] {
            assert!(
                private_literal(&Url::parse(url).unwrap()).is_none(),
                "{url}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_connected_to() {
        let name = || "localhost".parse::<Name>();
        let Ok(name) = name() else { return };
        let strict = Checked {
            exempt: Vec::new(),
            private: false,
        };
        assert!(
            strict.resolve(name).await.is_ok(),
            "by its own word it is for development"
        );
    }
}
