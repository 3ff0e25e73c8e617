//! `[payments]`, `[[payment_provider]]` and `[[payment_account]]`: e-payment.
//!
//! * this file: the section, and what holds between all three;
//! * `provider`: who takes money for the house;
//! * `account`: by which way claims are paid and booked;
//! * `cash`: what files for the cash system look like.

mod account;
mod cash;
mod provider;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

pub use account::{BankAccount, Numbers, PaymentAccount};
pub use cash::{CsvCharset, CsvFormat, CsvLineEnd, CsvSigns, FIELDS, FileFormat};
pub use provider::{
    Basic, BookingKeys, ClientCredentials, Computop, Epay21, EpayBl, GiroCheckout, GiroPage, PaymentProvider,
    PmPayment, ShownPair, Webhook, Xbezahldienste,
};

/// `[payments]`. Without it the house takes no payments.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentSection {
    /// Address by which providers and payers reach `listen.public`, without a slash at the end.
    pub public_url: String,
    /// Hosts that a payer may be sent on to after a payment.
    #[serde(default)]
    pub return_hosts: Vec<String>,
}

impl Config {
    pub(crate) fn resolve_payments(&mut self, folder: &Path) {
        self.payment_providers.iter_mut().for_each(|provider| provider.resolve(folder));
    }
}

impl Check<'_> {
    pub(crate) fn payments(&self, config: &Config) -> Result<(), Error> {
        let Some(section) = &config.payments else {
            let rule = "payments need a section [payments]";
            return match (config.payment_providers.is_empty(), config.payment_accounts.is_empty()) {
                // Citizens and callers of adapters come to the same listener.
                (true, true) if config.listen.public.is_none() || config.citizen.is_some() => Ok(()),
                (true, true) if !config.adapters.is_empty() => Ok(()),
                (true, true) => Err(self.value("listen.public", rule)),
                (false, _) => Err(self.value("payment_provider", rule)),
                (true, false) => Err(self.value("payment_account", rule)),
            };
        };
        self.note(self.public_url("payments.public_url", &section.public_url));
        for (index, host) in section.return_hosts.iter().enumerate() {
            let key = format!("payments.return_hosts[{index}]");
            if !is_host(host) {
                self.note(Err(self.value(&key, "expected the name of a host in lower case, without a port")));
            }
            self.note(self.unique(&key, !section.return_hosts[..index].contains(host)));
        }
        let mut ids = BTreeSet::new();
        for (index, provider) in config.payment_providers.iter().enumerate() {
            let key = format!("payment_provider[{index}]");
            self.note(self.unique(&format!("{key}.id"), ids.insert(&provider.id)));
            self.note(self.payment_provider(&key, provider, config));
        }
        let mut ids = BTreeSet::new();
        for (index, account) in config.payment_accounts.iter().enumerate() {
            let key = format!("payment_account[{index}]");
            self.note(self.unique(&format!("{key}.id"), ids.insert((&account.tenant, &account.id))));
            self.note(self.payment_account(&key, account, config));
        }
        Ok(())
    }

    /// What payers are sent to is spoken over TLS, but within one machine.
    pub(crate) fn public_url(&self, key: &str, url: &str) -> Result<(), Error> {
        let plain = url.strip_prefix("http://");
        let rest = url.strip_prefix("https://").or(plain).unwrap_or_default();
        let host = rest.rsplit_once(':').map_or(rest, |(host, port)| match port.parse::<u16>() {
            Ok(_) => host,
            Err(_) => rest,
        });
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if rest.contains('/') || !(is_host(host) || address.is_ok()) {
            return Err(self.value(key, "expected https://HOST or https://HOST:PORT"));
        }
        match plain.is_some() && !address.is_ok_and(|address| address.is_loopback()) {
            true => {
                Err(self.value(key, "expected https://…: plain HTTP is spoken on loopback addresses only"))
            }
            false => Ok(()),
        }
    }

    /// The tenant and, in it, the unit of a section.
    fn payment_unit(
        &self,
        key: &str,
        tenant: &str,
        unit: Option<&String>,
        config: &Config,
    ) -> Result<(), Error> {
        let known = config.tenants.iter().find(|known| known.id == tenant);
        self.note(self.defined(&format!("{key}.tenant"), "tenant", known.is_some()));
        let (Some(unit), Some(tenant)) = (unit, known) else { return Ok(()) };
        self.defined(&format!("{key}.unit"), "unit", tenant.units.iter().any(|known| known.id == *unit))
    }
}

/// Whether it is the name of a host as URLs are compared.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}
