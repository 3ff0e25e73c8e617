//! Payment providers of the configuration, with their secrets.

use std::sync::Arc;
use std::time::Duration;

use adapter_payment::{epay21, epaybl, girocheckout, pmpayment, webhook, xbezahldienste};
use config::{Config, GiroPage, PaymentProvider};
use model::Clock;
use model::payment::Provider;
use net::Client;
use seal::webhook::SharedSecret;
use zeroize::Zeroizing;

use crate::error::Error;

/// A provider about to be built.
pub(super) struct Build<'a> {
    pub(super) config: &'a Config,
    /// Its place in the configuration.
    pub(super) index: usize,
    pub(super) entry: &'a PaymentProvider,
    pub(super) client: Client,
    pub(super) clock: Arc<dyn Clock>,
}

impl Build<'_> {
    /// The provider of the one table that the configuration has for it.
    ///
    /// # Errors
    /// If a secret cannot be read or used.
    pub(super) fn provider(self) -> Result<Option<Arc<dyn Provider>>, Error> {
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

    /// A secret that `key` of the provider's table refers to.
    fn secret(&self, table: &str, key: &str, reference: &str) -> Result<Zeroizing<String>, Error> {
        let key = format!("{table}.{key}");
        Ok(Zeroizing::new(self.config.payment_secret(self.index, &key, reference)?))
    }

    fn secrets(
        &self,
        table: &str,
        key: &str,
        references: &[String],
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        let read = |(at, reference): (usize, &String)| self.secret(table, &format!("{key}[{at}]"), reference);
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
                client_secret: self.secret("xbezahldienste.client", "secret", &client.secret)?,
                scope: client.scope.clone(),
            },
            (None, Some(basic)) => xbezahldienste::Auth::Basic {
                user: basic.user.clone(),
                password: self.secret("xbezahldienste.basic", "password", &basic.password)?,
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
            password: self.secret("girocheckout", "password", &it.password)?,
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
            salt: self.secret("pmpayment", "salt", &it.salt)?,
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
            password: self.secret("epay21", "password", &it.password)?,
            minutes: self.entry.window_minutes,
            confirms_by: it.confirms_by.clone(),
            within: self.within(),
        })
    }

    fn webhook(&self, it: &config::Webhook) -> Result<webhook::Settings, Error> {
        let auth = match (&it.secret, &it.bearer) {
            (Some(secret), _) => {
                webhook::Auth::Signed(SharedSecret::parse(&self.secret("webhook", "secret", secret)?)?)
            }
            (None, bearer) => {
                let reference = bearer.as_deref().unwrap_or_default();
                webhook::Auth::Bearer(self.secret("webhook", "bearer", reference)?)
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
            let blowfish = blowfish.map(|it| self.secret("webhook", "computop.blowfish_password", it));
            return Ok(Notifications::Computop(webhook::computop::Merchant {
                id: computop.merchant.clone(),
                hmac_passwords: self.secrets(
                    "webhook",
                    "computop.hmac_passwords",
                    &computop.hmac_passwords,
                )?,
                blowfish_password: blowfish.transpose()?,
            }));
        }
        if !it.stripe.is_empty() {
            return Ok(Notifications::Stripe(self.secrets("webhook", "stripe", &it.stripe)?));
        }
        let standard = self.secrets("webhook", "standard", &it.standard)?;
        let standard: Result<Vec<_>, _> = standard.iter().map(|secret| SharedSecret::parse(secret)).collect();
        Ok(match standard? {
            none if none.is_empty() => Notifications::None,
            secrets => Notifications::Standard(secrets),
        })
    }
}
