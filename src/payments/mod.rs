//! E-payment as it is configured: providers, accounts, formats of files for the cash system, and who reads bank statements.

mod formats;
mod providers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_payment::camt::Camt;
use broker::Payments;
use config::{Config, PaymentAccount};
use model::payment::Provider;
use model::{Clock, SystemClock};
use net::{Client, Egress};
use serde_json::{Value, json};

use self::formats::format;
use self::providers::Build;
use crate::error::Error;

/// How long whoever starts a payment waits for its provider before the answer says "under way".
const PATIENCE: Duration = Duration::from_secs(8);

/// What the broker is given to take payments; nothing if the house takes none.
///
/// # Errors
/// If a secret, key or certificate cannot be read or used.
pub(crate) fn payments(
    config: &Config,
    client: &Client,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Payments>, Error> {
    let Some(section) = &config.payments else { return Ok(None) };
    let mut providers = BTreeMap::new();
    for (index, entry) in config.payment_providers.iter().enumerate() {
        let client = match config.payment_identity(index)? {
            Some((identity, trust)) => client.clone().showing(&identity, trust.as_deref())?,
            None => client.clone(),
        };
        let built = Build { config, index, entry, client, clock: Arc::clone(clock) }.provider()?;
        providers.extend(built.map(|provider| (entry.id.clone(), provider)));
    }
    let format = |account: &PaymentAccount| (account.format_name(), format(account));
    Ok(Some(Payments {
        public_url: section.public_url.clone(),
        return_hosts: section.return_hosts.clone(),
        accounts: config.payment_accounts.iter().map(PaymentAccount::account).collect(),
        providers,
        statements: Arc::new(Camt),
        formats: config.payment_accounts.iter().map(format).collect(),
        patience: PATIENCE,
    }))
}

/// Whether everything that payments need can be loaded.
///
/// # Errors
/// As [`payments`].
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let egress = Egress::new(&config.egress.allow)?;
    let client = Client::new(egress, net::Settings::default(), Arc::clone(&clock));
    payments(config, &client, &clock).map(drop)
}

/// A provider as `amtsbote adapter list` shows it.
pub(crate) fn described(provider: &dyn Provider) -> Value {
    let terms = provider.terms();
    let offered = [
        ("notify", !terms.notifies_by.is_empty()),
        ("find", terms.finds),
        ("poll", terms.may_be_polled),
        ("refund", terms.refunds),
        ("void", terms.voids),
    ];
    let offered: Vec<&str> =
        offered.into_iter().filter(|(_, is_offered)| *is_offered).map(|(it, _)| it).collect();
    json!({ "id": provider.id(), "kind": terms.kind, "channel": terms.kind, "capabilities": offered })
}
