//! E-payment as it is configured: providers, accounts, formats of files for the cash system, and who reads bank statements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_payment::camt::Camt;
use adapter_payment::cash::{Charset, Column, Csv, CsvSettings, Defaults, Field, Json, LineEnd, Signs, Xml};
use adapter_payment::{epay21, epaybl, girocheckout, pmpayment, webhook, xbezahldienste};
use broker::Payments;
use config::{
    Config, CsvCharset, CsvFormat, CsvLineEnd, CsvSigns, FileFormat, GiroPage, PaymentAccount,
    PaymentProvider,
};
use model::payment::Provider;
use model::payment::cash::CashFormat;
use model::{Clock, SystemClock};
use net::{Client, Egress};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

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
    json!({ "id": provider.id(), "channel": terms.kind, "capabilities": offered })
}

/// A provider about to be built.
struct Build<'a> {
    config: &'a Config,
    index: usize,
    entry: &'a PaymentProvider,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Build<'_> {
    /// The provider of the one table that the configuration has for it.
    fn provider(self) -> Result<Option<Arc<dyn Provider>>, Error> {
        let entry = self.entry;
        Ok(Some(if let Some(it) = &entry.xbezahldienste {
            xbezahldienste::provider(self.xbezahldienste(it)?, self.client, self.clock)
        } else if let Some(it) = &entry.girocheckout {
            girocheckout::provider(self.girocheckout(it)?, self.client, self.clock)
        } else if let Some(it) = &entry.pmpayment {
            pmpayment::provider(self.pmpayment(it)?, self.client, self.clock)
        } else if let Some(it) = &entry.epaybl {
            epaybl::provider(self.epaybl(it), self.client, self.clock)
        } else if let Some(it) = &entry.epay21 {
            epay21::provider(self.epay21(it)?, self.client, self.clock)
        } else if let Some(it) = &entry.webhook {
            webhook::provider(self.webhook(it)?, self.client, self.clock)
        } else {
            return Ok(None);
        }))
    }

    fn secret(&self, key: &str, reference: &str) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(self.config.payment_secret(self.index, key, reference)?))
    }

    fn secrets(&self, key: &str, references: &[String]) -> Result<Vec<Zeroizing<String>>, Error> {
        let read = |(at, reference): (usize, &String)| self.secret(&format!("{key}[{at}]"), reference);
        references.iter().enumerate().map(read).collect()
    }

    fn window(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.entry.window_minutes))
    }

    fn within(&self) -> Duration {
        Duration::from_secs(self.entry.within_seconds.into())
    }

    fn xbezahldienste(&self, it: &config::Xbezahldienste) -> Result<xbezahldienste::Settings, Error> {
        let auth = match (&it.client, &it.basic) {
            (Some(client), _) => xbezahldienste::Auth::ClientCredentials {
                token_url: client.token_url.clone(),
                client_id: client.id.clone(),
                client_secret: self.secret("xbezahldienste.client.secret", &client.secret)?,
                scope: client.scope.clone(),
            },
            (None, Some(basic)) => xbezahldienste::Auth::Basic {
                user: basic.user.clone(),
                password: self.secret("xbezahldienste.basic.password", &basic.password)?,
            },
            (None, None) => xbezahldienste::Auth::Certificate,
        };
        let keys = it.booking_keys.clone().unwrap_or_default();
        Ok(xbezahldienste::Settings {
            id: self.entry.id.clone(),
            base: it.url.clone(),
            originator: it.originator.clone(),
            end_point: it.end_point.clone(),
            auth,
            booking_keys: xbezahldienste::BookingKeys {
                budget_item: keys.budget_item,
                cost_object: keys.cost_object,
                cash_reference: keys.cash_reference,
            },
            window: self.window(),
            within: self.within(),
        })
    }

    fn girocheckout(&self, it: &config::GiroCheckout) -> Result<girocheckout::Settings, Error> {
        Ok(girocheckout::Settings {
            id: self.entry.id.clone(),
            base: it.url.clone(),
            merchant: it.merchant.clone(),
            project: it.project.clone(),
            password: self.secret("girocheckout.password", &it.password)?,
            page: match it.page {
                GiroPage::Single => girocheckout::Page::Single,
                GiroPage::Choice => girocheckout::Page::Choice { test: false },
                GiroPage::ChoiceTest => girocheckout::Page::Choice { test: true },
            },
            window: self.window(),
            within: self.within(),
        })
    }

    fn pmpayment(&self, it: &config::PmPayment) -> Result<pmpayment::Settings, Error> {
        Ok(pmpayment::Settings {
            id: self.entry.id.clone(),
            base: it.url.clone(),
            ags: it.ags.clone(),
            procedure: it.procedure.clone(),
            salt: self.secret("pmpayment.salt", &it.salt)?,
            sends_record: it.sends_record,
            window: self.window(),
            within: self.within(),
        })
    }

    fn epaybl(&self, it: &config::EpayBl) -> epaybl::Settings {
        epaybl::Settings {
            id: self.entry.id.clone(),
            service_url: it.service_url.clone(),
            page_url: it.page_url.clone(),
            mandant: it.mandant.clone(),
            bewirtschafter: it.bewirtschafter.clone(),
            data_model: match it.data_model {
                2 => epaybl::DataModel::Two,
                _ => epaybl::DataModel::Three,
            },
            dunning: it.dunning.clone(),
            budget_item: it.budget_item.clone(),
            cost_object: it.cost_object.clone(),
            booking_text: it.booking_text.clone(),
            numbers_calls: it.numbers_calls,
            window: self.window(),
            within: self.within(),
        }
    }

    fn epay21(&self, it: &config::Epay21) -> Result<epay21::Settings, Error> {
        Ok(epay21::Settings {
            id: self.entry.id.clone(),
            url: it.url.clone(),
            mandant: it.mandant.clone(),
            mandant_name: it.mandant_name.clone(),
            app: it.app.clone(),
            user: it.user.clone(),
            password: self.secret("epay21.password", &it.password)?,
            minutes: self.entry.window_minutes,
            confirms_by: it.confirms_by.clone(),
            within: self.within(),
        })
    }

    fn webhook(&self, it: &config::Webhook) -> Result<webhook::Settings, Error> {
        let auth = match (&it.secret, &it.bearer) {
            (Some(secret), _) => {
                webhook::Auth::Signed(SharedSecret::parse(&self.secret("webhook.secret", secret)?)?)
            }
            (None, bearer) => {
                let reference = bearer.as_deref().unwrap_or_default();
                webhook::Auth::Bearer(self.secret("webhook.bearer", reference)?)
            }
        };
        Ok(webhook::Settings {
            id: self.entry.id.clone(),
            url: it.url.clone(),
            auth,
            notifications: self.notifications(it)?,
            window: self.window(),
            refunds: it.refunds,
            voids: it.voids,
            within: self.within(),
        })
    }

    fn notifications(&self, it: &config::Webhook) -> Result<webhook::Notifications, Error> {
        use webhook::Notifications;
        if let Some(computop) = &it.computop {
            let blowfish = computop.blowfish_password.as_ref();
            let blowfish = blowfish.map(|it| self.secret("webhook.computop.blowfish_password", it));
            return Ok(Notifications::Computop(webhook::computop::Merchant {
                id: computop.merchant.clone(),
                hmac_passwords: self.secrets("webhook.computop.hmac_passwords", &computop.hmac_passwords)?,
                blowfish_password: blowfish.transpose()?,
            }));
        }
        if !it.stripe.is_empty() {
            return Ok(Notifications::Stripe(self.secrets("webhook.stripe", &it.stripe)?));
        }
        let standard = self.secrets("webhook.standard", &it.standard)?;
        let standard: Result<Vec<_>, _> = standard.iter().map(|secret| SharedSecret::parse(secret)).collect();
        Ok(match standard? {
            none if none.is_empty() => Notifications::None,
            secrets => Notifications::Standard(secrets),
        })
    }
}

fn format(account: &PaymentAccount) -> Arc<dyn CashFormat> {
    let name = account.format_name();
    let defaults =
        Defaults { budget_item: account.budget_item.clone(), cost_object: account.cost_object.clone() };
    match account.format {
        FileFormat::Csv => {
            let settings = account.csv.as_ref().map_or_else(CsvSettings::default, csv);
            Arc::new(Csv::new(&name, defaults, settings))
        }
        FileFormat::Xml => Arc::new(Xml::new(&name, defaults)),
        FileFormat::Json => Arc::new(Json::new(&name, defaults)),
    }
}

fn csv(csv: &CsvFormat) -> CsvSettings {
    let column = |(title, field): &(String, String)| {
        Some(Column { title: title.clone(), field: Field::named(field)? })
    };
    let columns: Vec<Column> = csv.columns.iter().filter_map(column).collect();
    let otherwise = CsvSettings::default();
    CsvSettings {
        columns: if columns.is_empty() { otherwise.columns } else { columns },
        separator: csv.separator.bytes().next().unwrap_or(otherwise.separator),
        decimal_comma: csv.decimal_comma,
        german_days: csv.german_days,
        charset: match csv.charset {
            CsvCharset::Utf8 => Charset::Utf8,
            CsvCharset::Utf8Mark => Charset::Utf8Mark,
            CsvCharset::Latin1 => Charset::Latin1,
        },
        header: csv.header,
        line_end: match csv.line_end {
            CsvLineEnd::CrLf => LineEnd::CrLf,
            CsvLineEnd::Lf => LineEnd::Lf,
        },
        signs: match csv.signs {
            CsvSigns::None => Signs::None,
            CsvSigns::Minus => Signs::Minus,
        },
        kinds: csv.kinds.iter().map(|(kind, name)| (*kind, name.clone())).collect(),
        guard_formulas: csv.guard_formulas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_configuration_calls_a_field_is_one() {
        for name in config::FIELDS {
            assert!(Field::named(name).is_some(), "{name}");
        }
        assert_eq!(config::FIELDS.len(), Field::NAMES.len());
    }

    #[test]
    fn without_settings_files_look_as_the_format_says() {
        let (ours, theirs) = (csv(&CsvFormat::default()), CsvSettings::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
