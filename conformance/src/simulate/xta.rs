//! Two gateways that reach each other by XTA 2 (version 3) alone, over mutual TLS. Each is a server for what comes to its authority
//! and a client of the other's server. Each has a certification authority of its own; they are made here, for one run.

use std::fs::create_dir_all;
use std::path::Path;

use crate::Error;
use crate::gateway::{ABSENT_KEY, COUNTY, COUNTY_KEY, Engine, Gateway, TOWN, TOWN_KEY, free_port};
use crate::xta::pki::{Pair, Pki};

/// One of the two, before it is laid out.
struct House {
    tenant: &'static str,
    authority: &'static str,
    /// Name of its server in message ids and reports, and of its account at the other.
    name: &'static str,
    pki: Pki,
    pair: Pair,
    port: u16,
}

/// Lays both gateways out. Returns the county's and the town's.
///
/// # Errors
/// If keys, folders or configurations cannot be made.
pub async fn two_gateways(binary: &Path, engine: &Engine) -> Result<(Gateway, Gateway), Error> {
    let county = House::new(COUNTY, COUNTY_KEY, "kreis")?;
    let town = House::new(TOWN, TOWN_KEY, "stadt")?;
    Ok((county.beside(&town, binary, engine).await?, town.beside(&county, binary, engine).await?))
}

impl House {
    fn new(tenant: &'static str, authority: &'static str, name: &'static str) -> Result<Self, Error> {
        let pki = Pki::make()?;
        let pair = pki.issue(name)?;
        let port = free_port();
        Ok(House { tenant, authority, name, pki, pair, port })
    }

    /// The gateway of this house, which knows the other one.
    async fn beside(&self, other: &House, binary: &Path, engine: &Engine) -> Result<Gateway, Error> {
        let gateway = Gateway::prepare(binary, engine).await?;
        let (own, others) = (gateway.folder().join("pki/own"), gateway.folder().join("pki/other"));
        for folder in [&own, &others] {
            create_dir_all(folder)?;
        }
        self.pair.write(&own, "gateway")?;
        other.pki.write(&others)?;
        other.pair.write_certificate(&others, "gateway")?;
        gateway.reconfigure(&[
            (&format!("key = \"{}\"", self.authority), &self.with_keys()),
            (&format!("key = \"{}\"", other.authority), &format!("key = \"{ABSENT_KEY}\"")),
            ("[listen]", &format!("[listen]\nmachines = \"127.0.0.1:{}\"", self.port)),
        ])?;
        gateway.configure(&format!("{}{}", self.server(other), other.as_partner()))?;
        Ok(gateway)
    }

    /// The authority, with the key pair that it shows to other servers.
    fn with_keys(&self) -> String {
        format!("key = \"{}\"\n  xta = {{ {IDENTITY} }}", self.authority)
    }

    /// The server, at which the other house has an account.
    fn server(&self, other: &House) -> String {
        format!(
            "[tls]\n{IDENTITY}\n[xta]\nserver = \"{}\"\ntrust = [\"file:pki/other/ca.pem\"]\n\
             without_revocation = \"accept\"\ncontainer_mb = 4_000\n[[xta.account]]\nid = \"{}\"\ntenant = \"{}\"\n\
             certificates = [\"file:pki/other/gateway.pem\"]\nparties = [\"{}\"]\n\n",
            self.name, other.name, self.tenant, other.authority
        )
    }

    /// This house as the other one's partner.
    fn as_partner(&self) -> String {
        let url = format!("https://127.0.0.1:{}/xta/v3", self.port);
        format!(
            "[[partner]]\nauthority = \"{}\"\nname = \"Bauaufsicht\"\nreads = [[\"xdomea\", \"3.1.0\"]]\n\
             most_bytes = 4_000_000_000\n[partner.xta]\nserver = {{ version = \"3\", \
             management = \"{url}/management\", send = \"{url}/send\", trust = \"file:pki/other/ca.pem\", \
             container_mb = 4_000, mtom = true }}\n",
            self.authority
        )
    }
}

/// The key pair of a house.
const IDENTITY: &str =
    "identity = { key = \"file:pki/own/gateway.p12\", password = \"file:pki/own/gateway.pin\" }";
