//! Which hosts and addresses may be called. What is public follows the IANA registries of special-purpose addresses
//! (RFC 6890 and its updates): an address that is not known to be globally reachable is not public.
//!
//! | chosen by | may reach |
//! |---|---|
//! | administrator | anything |
//! | system | what is on the allow-list, and public addresses |
//! | citizen | public addresses |
//!
//! A name on the allow-list may lead anywhere, since the administrator vouches for it. Any other name is judged by the
//! addresses that it leads to, see `resolver`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use model::outbound::ChosenBy;
use reqwest::Url;

use crate::Error;

/// The allow-list.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    hosts: Vec<(String, Option<u16>)>,
    networks: Vec<IpNet>,
    plain_http: bool,
}

/// Which addresses a connection may be made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any.
    Anywhere,
    /// Public ones and the networks of the allow-list.
    Listed,
    /// Public ones.
    Public,
}

impl Egress {
    /// Reads the allow-list. Each entry is a host name or address, with a port if only that port is meant
    /// (`dms.kreis.example`, `dms.kreis.example:8443`, `[fd00::1]:8443`), or a network (`10.20.0.0/16`, `fd00::/8`).
    ///
    /// # Errors
    /// [`Error::Rule`] if an entry is none of them.
    pub fn new<S: AsRef<str>>(allow: &[S]) -> Result<Self, Error> {
        let mut egress = Egress::default();
        for (index, entry) in allow.iter().enumerate() {
            egress.add(entry.as_ref()).ok_or(Error::Rule { place: index + 1 })?;
        }
        Ok(egress)
    }

    /// The same for what protects itself: plain HTTP may be spoken with whoever may be reached.
    pub fn with_plain_http(self) -> Self {
        Egress { plain_http: true, ..self }
    }

    /// Judges an address as far as that can be done without looking a name up.
    ///
    /// # Errors
    /// As [`judge`](Egress::judge).
    pub fn check(&self, url: &str, chosen_by: ChosenBy) -> Result<(), Error> {
        self.judge(&Url::parse(url).map_err(|_| Error::Url)?, chosen_by).map(drop)
    }

    fn add(&mut self, entry: &str) -> Option<()> {
        if entry.contains('/') {
            self.networks.push(entry.parse().ok()?);
            return Some(());
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            self.networks.push(address.into());
            return Some(());
        }
        // The same reader as for the URLs that are called later, so that both mean the same host. The scheme has no
        // port of its own here: 443 must not vanish.
        if !entry.chars().all(|c| c.is_alphanumeric() || "-._:[]".contains(c)) {
            return None;
        }
        let url = Url::parse(&format!("http://{entry}/")).ok()?;
        let port = if entry.ends_with(":80") { Some(80) } else { url.port() };
        self.hosts.push((host_of(&url)?, port));
        Some(())
    }

    /// Judges an address before anything is resolved.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::PlainHttp`], or [`Error::Forbidden`] for a literal address that must not be reached.
    pub fn judge(&self, url: &Url, chosen_by: ChosenBy) -> Result<Reach, Error> {
        let is_plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Error::Url),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Url);
        }
        let host = host_of(url).ok_or(Error::Url)?;
        let port = url.port_or_known_default().ok_or(Error::Url)?;
        let literal = literal(&host);
        let is_listed = self.lists(&host, port) || literal.is_some_and(|address| self.lists_address(address));
        if is_plain && !is_listed && !self.plain_http {
            return Err(Error::PlainHttp);
        }
        let reach = match chosen_by {
            ChosenBy::Administrator => Reach::Anywhere,
            ChosenBy::System if is_listed => Reach::Anywhere,
            ChosenBy::System => Reach::Listed,
            ChosenBy::Citizen => Reach::Public,
        };
        match literal {
            Some(address) if !self.permits(reach, address) => Err(Error::Forbidden),
            _ => Ok(reach),
        }
    }

    /// Whether a connection to `address` may be made.
    pub fn permits(&self, reach: Reach, address: IpAddr) -> bool {
        match reach {
            Reach::Anywhere => true,
            Reach::Listed => is_public(address) || self.lists_address(address),
            Reach::Public => is_public(address),
        }
    }

    fn lists(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|(listed, only)| listed == host && only.is_none_or(|only| only == port))
    }

    fn lists_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The host as it is compared: lower case, without the dot of the root. The URL parser has made one form of decimal, octal,
/// hexadecimal and short IPv4 addresses, of full-width characters, and of names beyond ASCII.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host.is_empty() { None } else { Some(host) }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// Whether anybody may be led there.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const NOT_PUBLIC_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // "this network": Linux takes 0.0.0.0 for itself
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared by carriers (RFC 6598); metadata of some clouds
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // metadata of one cloud, on a public address
    v4(169, 254, 0, 0, 16),   // link-local; metadata of most clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address))
}

/// Global unicast is 2000::/3; of that, what carries an IPv4 address inside or is reserved is left out. Translation
/// prefixes (64:ff9b::/96), ULA, link-local, loopback and multicast lie outside of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    match (first, second) {
        (0x2001, 0x0000..=0x01ff) => false, // protocol assignments, Teredo, ORCHID
        (0x2001, 0x0db8) => false,          // documentation
        (0x2002, _) => false,               // 6to4
        (0x3fff, 0x0000..=0x0fff) => false, // documentation
        _ => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(allow: &[&str], url: &str, chosen_by: ChosenBy) -> Result<Reach, &'static str> {
        let url = Url::parse(url).map_err(|_| "net.url")?;
        Egress::new(allow).unwrap().judge(&url, chosen_by).map_err(|error| error.code())
    }

    #[test]
    fn addresses_that_are_not_globally_reachable_are_not_public() {
        let not_public = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.1.2.3",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
        ];
        for address in not_public {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.0.0.1",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.1.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2001:4860:4860::8888",
            "2003::1",
            "2a00:1450::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn literal_addresses_are_judged_however_they_are_written() {
        let hidden = [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "127。0。0。1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "169.254.169.254",
            "0xa9fea9fe",
            "0",
            "[64:ff9b::a9fe:a9fe]",
            "[fe80::1]",
        ];
        for host in hidden {
            for chosen_by in [ChosenBy::System, ChosenBy::Citizen] {
                assert_eq!(
                    judge(&[], &format!("https://{host}/"), chosen_by),
                    Err("net.forbidden"),
                    "{host}"
                );
            }
            assert_eq!(
                judge(&[], &format!("https://{host}:8443/"), ChosenBy::Administrator),
                Ok(Reach::Anywhere)
            );
        }
        assert_eq!(judge(&[], "https://1.1.1.1/", ChosenBy::Citizen), Ok(Reach::Public));
    }

    #[test]
    fn what_protects_itself_speaks_plain_http_with_whoever_may_be_reached() {
        let egress = Egress::new(&["10.20.0.0/16"]).unwrap().with_plain_http();
        let code = |url: &str| egress.check(url, ChosenBy::System).map_err(|error| error.code());
        assert_eq!(code("http://osci.example/in"), Ok(()));
        assert_eq!(code("http://10.20.3.4/in"), Ok(()));
        for url in ["http://10.21.3.4/", "http://127.0.0.1/", "http://169.254.169.254/", "https://[::1]/"] {
            assert_eq!(code(url), Err("net.forbidden"), "{url}");
        }
        assert_eq!(code("ftp://osci.example/"), Err("net.url"));
        assert_eq!(code("nowhere"), Err("net.url"));
    }

    #[test]
    fn the_allow_list_opens_hosts_ports_and_networks_to_systems_and_never_to_citizens() {
        let allow = [
            "dms.kreis.example",
            "amt.example:8443",
            "10.20.0.0/16",
            "fd00::/8",
            "[fd01::1]:80",
            "www.example:443",
        ];
        let system = |url: &str| judge(&allow, url, ChosenBy::System);
        assert_eq!(system("https://DMS.Kreis.Example./x"), Ok(Reach::Anywhere));
        assert_eq!(system("http://dms.kreis.example:99/"), Ok(Reach::Anywhere));
        assert_eq!(system("https://amt.example:8443/"), Ok(Reach::Anywhere));
        assert_eq!(system("https://amt.example/"), Ok(Reach::Listed));
        assert_eq!(system("https://sub.dms.kreis.example/"), Ok(Reach::Listed));
        assert_eq!(system("https://www.example/"), Ok(Reach::Anywhere));
        assert_eq!(system("http://www.example/"), Err("net.plain-http"));
        assert_eq!(system("http://10.20.3.4/"), Ok(Reach::Anywhere));
        assert_eq!(system("https://[::ffff:10.20.3.4]/"), Ok(Reach::Anywhere));
        assert_eq!(system("https://10.21.3.4/"), Err("net.forbidden"));
        assert_eq!(system("https://[fd12::1]/"), Ok(Reach::Anywhere));
        let citizen = |url: &str| judge(&allow, url, ChosenBy::Citizen);
        assert_eq!(citizen("https://10.20.3.4/"), Err("net.forbidden"));
        assert_eq!(citizen("https://dms.kreis.example/"), Ok(Reach::Public));
        let egress = Egress::new(&allow).unwrap();
        assert!(egress.permits(Reach::Listed, "10.20.0.9".parse().unwrap()));
        assert!(!egress.permits(Reach::Listed, "10.21.0.9".parse().unwrap()));
        assert!(!egress.permits(Reach::Public, "10.20.0.9".parse().unwrap()));
    }

    #[test]
    fn plain_http_other_schemes_and_credentials_are_refused() {
        let refused = [
            ("http://www.example/", "net.plain-http"),
            ("ftp://www.example/", "net.url"),
            ("file:///etc/passwd", "net.url"),
            ("https://user@www.example/", "net.url"),
            ("https://user:word@www.example/", "net.url"),
            ("https://:word@www.example/", "net.url"),
            ("www.example", "net.url"),
            ("https://", "net.url"),
            ("https://./", "net.url"),
        ];
        for (url, code) in refused {
            for chosen_by in [ChosenBy::Administrator, ChosenBy::System, ChosenBy::Citizen] {
                assert_eq!(judge(&[], url, chosen_by), Err(code), "{url}");
            }
        }
    }

    #[test]
    fn entries_that_are_no_rule_are_refused_with_their_place() {
        for entry in [
            "",
            "a b",
            "https://www.example",
            "user@host",
            "10.0.0.0/33",
            "host:99999",
            "*",
            "*.example",
            "a/b",
        ] {
            assert_eq!(Egress::new(&["ok.example", entry]).unwrap_err(), Error::Rule { place: 2 }, "{entry}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_address_is_the_same_in_every_notation(bits: u32, low: u64) {
            let address = Ipv4Addr::from(bits);
            let is_public = is_public(address.into());
            assert_eq!(super::is_public(address.to_ipv6_mapped().into()), is_public);
            let hosts = [
                address.to_string(),
                bits.to_string(),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                format!("[{}]", address.to_ipv6_mapped()),
            ];
            for host in hosts {
                let judged = judge(&[], &format!("https://{host}/"), ChosenBy::Citizen);
                assert_eq!(judged.is_ok(), is_public, "{host}");
            }
            // Whatever is behind one of the prefixes that translate into IPv4 or stay on the link.
            for prefix in [0x0064_ff9b_u128 << 96, 0x2002_u128 << 112, 0xfe80_u128 << 112, 0xfd00_u128 << 112] {
                assert!(!super::is_public(Ipv6Addr::from(prefix | u128::from(low)).into()));
            }
        }

        #[test]
        fn no_text_makes_the_reader_of_rules_or_addresses_panic(text: String) {
            let _ = Egress::new(&[&text]);
            let _ = judge(&[], &text, ChosenBy::Citizen);
        }
    }

    /// Judged by an independent implementation: what we call public, Python calls global.
    #[test]
    fn nothing_is_public_that_python_does_not_call_global() {
        let script = "import ipaddress,random\n\
            random.seed(1)\n\
            edges=[int(n.network_address)+d for n in ipaddress._IPv4Constants._private_networks for d in (-1,0,1)]\n\
            for n in edges+[random.getrandbits(32) for _ in range(3000)]:\n\
            \x20 a=ipaddress.IPv4Address(n % 2**32); print(a,a.is_global)\n\
            for _ in range(3000):\n\
            \x20 a=ipaddress.IPv6Address(random.choice([0x2,0x3,0xf,0x0])<<124 | random.getrandbits(124))\n\
            \x20 print(a,a.is_global)";
        let output = std::process::Command::new("python3").args(["-c", script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut compared = 0;
        for line in text.lines() {
            let (address, is_global) = line.split_once(' ').unwrap();
            assert!(!is_public(address.parse().unwrap()) || is_global == "True", "{address}");
            compared += 1;
        }
        assert!(compared > 6_000, "{compared}");
    }
}
