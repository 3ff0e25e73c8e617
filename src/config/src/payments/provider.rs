//! `[[payment_provider]]`: who takes money for the house. Each names one interface, by a table of that name.

use std::path::Path;

use broker::house::KeyPair;
use model::payment::record::TRANSFER;
use seal::identity::Identity;
use seal::x509::Certificate;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::osci::{certificates, identity, resolve_pair};
use crate::{Config, Error, Place, read_secret, resolve};

/// Longest time that a payer has, in minutes: a month.
const MOST_WINDOW: u64 = 31 * 24 * 60;

/// The table of providers with signed webhooks.
const WEBHOOK: &str = "webhook";

/// `[[payment_provider]]`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentProvider {
    /// Name, as accounts have it; it stands in the addresses that the provider is told.
    pub id: String,
    /// The tenant whose contract it is; absent: accounts of all may name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Minutes that a payer has after the start.
    #[serde(default = "window_minutes")]
    pub window_minutes: u32,
    /// Longest time of a call, in seconds.
    #[serde(default = "within_seconds")]
    pub within_seconds: u32,
    /// The key pair that is shown by TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<KeyPair>,
    /// References to files of the certificates that that of the provider must go back to; empty: those of the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// XBezahldienste 1.0.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xbezahldienste: Option<Xbezahldienste>,
    /// GiroCheckout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub girocheckout: Option<GiroCheckout>,
    /// pmPayment's own interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pmpayment: Option<PmPayment>,
    /// ePayBL's SOAP service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epaybl: Option<EpayBl>,
    /// epay21's SOAP service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epay21: Option<Epay21>,
    /// Any provider with signed webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// A service of XBezahldienste 1.0.0. How one signs in: `client`, `basic`, or neither where the certificate of the connection is enough.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Xbezahldienste {
    /// Address; `/paymenttransaction` stands below it.
    pub url: String,
    /// originatorId.
    pub originator: String,
    /// endPointId.
    pub end_point: String,
    /// OAuth 2 client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCredentials>,
    /// HTTP Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// Keys under which the service wants what the cash system books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking_keys: Option<BookingKeys>,
}

/// OAuth 2 client credentials.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Where tokens are given.
    pub token_url: String,
    /// Our name there.
    pub id: String,
    /// Reference to our secret there.
    pub secret: String,
    /// Scope that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// HTTP Basic.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// User.
    pub user: String,
    /// Reference to the password.
    pub password: String,
}

/// Keys of `bookingData`.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BookingKeys {
    /// Of Haushaltsstelle or Produktsachkonto.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_item: Option<String>,
    /// Of Objekt or Kostenstelle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_object: Option<String>,
    /// Of a Kassenzeichen that is known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cash_reference: Option<String>,
}

/// GiroCheckout.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GiroCheckout {
    /// Address of the API.
    pub url: String,
    /// merchantId.
    pub merchant: String,
    /// projectId.
    pub project: String,
    /// Reference to the project's password.
    pub password: String,
    /// What the payer is shown.
    #[serde(default)]
    pub page: GiroPage,
}

/// What a payer is shown by GiroCheckout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GiroPage {
    /// The page of the project's one means of payment.
    #[default]
    Single,
    /// The payment page, where the payer chooses.
    Choice,
    /// The same, for tests.
    ChoiceTest,
}

/// pmPayment's own interface.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PmPayment {
    /// Address of the service.
    pub url: String,
    /// AGS.
    pub ags: String,
    /// Verfahren.
    pub procedure: String,
    /// Reference to the salt, the key of its signatures.
    pub salt: String,
    /// Whether the Kassenzeichen is sent as `accountingRecord`.
    #[serde(default)]
    pub sends_record: bool,
}

/// ePayBL's SOAP service and pay page.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EpayBl {
    /// The SOAP service.
    pub service_url: String,
    /// The pay page.
    pub page_url: String,
    /// Mandantennummer.
    pub mandant: String,
    /// Bewirtschafternummer.
    pub bewirtschafter: String,
    /// Version of the data model: 2 or 3.
    #[serde(default = "two")]
    pub data_model: u8,
    /// Kennzeichen Mahnverfahren.
    pub dunning: String,
    /// Buchungstext of all lines; absent: what the line is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking_text: Option<String>,
    /// Haushaltsstelle of lines that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_item: Option<String>,
    /// Objektnummer of lines that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_object: Option<String>,
    /// Whether calls carry a transaction number.
    #[serde(default)]
    pub numbers_calls: bool,
}

/// epay21's SOAP service.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Epay21 {
    /// The service.
    pub url: String,
    /// Mandant.
    pub mandant: String,
    /// What payers are shown as its name.
    pub mandant_name: String,
    /// App.
    pub app: String,
    /// User.
    pub user: String,
    /// Reference to the password.
    pub password: String,
    /// Action by which a payment that was made is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms_by: Option<String>,
}

/// Any provider with signed webhooks (docs/payments.md).
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Address; `/payments` stands below it.
    pub url: String,
    /// Reference to the secret by which our calls are signed (Standard Webhooks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Reference to the token that our calls show instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// References to the secrets of its notifications by Standard Webhooks; any counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standard: Vec<String>,
    /// References to those of Stripe's scheme instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stripe: Vec<String>,
    /// Computop's scheme instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computop: Option<Computop>,
    /// Whether it gives money back.
    #[serde(default)]
    pub refunds: bool,
    /// Whether it cancels payments that are open.
    #[serde(default)]
    pub voids: bool,
}

/// A merchant at Computop Paygate.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Computop {
    /// MerchantID.
    pub merchant: String,
    /// References to HMAC passwords; any counts.
    pub hmac_passwords: Vec<String>,
    /// Reference to the Blowfish password, if notifications come encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blowfish_password: Option<String>,
}

fn window_minutes() -> u32 {
    60
}

fn within_seconds() -> u32 {
    20
}

fn two() -> u8 {
    2
}

/// A key pair that is shown, and whom the certificate of the other side must go back to.
pub type ShownPair = (Identity, Option<Vec<Certificate>>);

impl Config {
    /// A secret that `key` of the provider at `index` refers to, without the line end of its file.
    ///
    /// # Errors
    /// If it is not there, or others than its owner can read it.
    pub fn payment_secret(&self, index: usize, key: &str, reference: &str) -> Result<String, Error> {
        let place = Place::key(&format!("payment_provider[{index}].{key}"));
        let secret = read_secret(reference, place.clone())?;
        match secret.trim_end_matches(['\r', '\n']) {
            "" => Err(Error::SecretMissing(place)),
            secret => Ok(secret.to_owned()),
        }
    }

    /// What the provider at `index` is shown by TLS, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn payment_identity(&self, index: usize) -> Result<Option<ShownPair>, Error> {
        let key = format!("payment_provider[{index}]");
        let Some(provider) = self.payment_providers.get(index) else { return Ok(None) };
        let Some(pair) = &provider.identity else { return Ok(None) };
        let mut trust = vec![];
        for (number, reference) in provider.trust.iter().enumerate() {
            trust.extend(certificates(reference, &format!("{key}.trust[{number}]"))?);
        }
        let identity = identity(pair, &format!("{key}.identity"))?;
        Ok(Some((identity, (!trust.is_empty()).then_some(trust))))
    }
}

impl PaymentProvider {
    /// Every reference to a secret, with its key.
    fn secrets(&mut self) -> Vec<(String, &mut String)> {
        let mut all: Vec<(String, &mut String)> = Vec::new();
        if let Some(it) = &mut self.xbezahldienste {
            let client = it.client.iter_mut().map(|client| ("client.secret", &mut client.secret));
            let basic = it.basic.iter_mut().map(|basic| ("basic.password", &mut basic.password));
            all.extend(client.chain(basic).map(|(key, it)| (format!("xbezahldienste.{key}"), it)));
        }
        all.extend(
            self.girocheckout.iter_mut().map(|it| ("girocheckout.password".to_owned(), &mut it.password)),
        );
        all.extend(self.pmpayment.iter_mut().map(|it| ("pmpayment.salt".to_owned(), &mut it.salt)));
        all.extend(self.epay21.iter_mut().map(|it| ("epay21.password".to_owned(), &mut it.password)));
        if let Some(it) = &mut self.webhook {
            all.extend(it.secret.iter_mut().map(|it| (format!("{WEBHOOK}.secret"), it)));
            all.extend(it.bearer.iter_mut().map(|it| (format!("{WEBHOOK}.bearer"), it)));
            let numbered = |name: &'static str| move |(at, it)| (format!("{WEBHOOK}.{name}[{at}]"), it);
            all.extend(it.standard.iter_mut().enumerate().map(numbered("standard")));
            all.extend(it.stripe.iter_mut().enumerate().map(numbered("stripe")));
            if let Some(it) = &mut it.computop {
                let passwords = it.hmac_passwords.iter_mut().enumerate();
                all.extend(passwords.map(numbered("computop.hmac_passwords")));
                let blowfish = it.blowfish_password.iter_mut();
                all.extend(blowfish.map(|it| ("webhook.computop.blowfish_password".to_owned(), it)));
            }
        }
        all
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        self.identity.iter_mut().for_each(|pair| resolve_pair(pair, folder));
        self.trust.iter_mut().for_each(|reference| resolve(reference, folder));
        self.secrets().into_iter().for_each(|(_, reference)| resolve(reference, folder));
    }
}

impl Check<'_> {
    pub(super) fn payment_provider(
        &self,
        key: &str,
        provider: &PaymentProvider,
        config: &Config,
    ) -> Result<(), Error> {
        // It is a part of addresses.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=40).contains(&provider.id.len()) || !provider.id.bytes().all(is_plain) {
            return Err(self.value(&format!("{key}.id"), "expected 1 to 40 of A-Z a-z 0-9 -"));
        }
        if provider.id == TRANSFER {
            let rule = "this is the name of money that comes by itself; choose another one";
            return Err(self.value(&format!("{key}.id"), rule));
        }
        if let Some(tenant) = &provider.tenant {
            self.note(self.payment_unit(key, tenant, None, config));
        }
        self.note(self.number(
            &format!("{key}.window_minutes"),
            provider.window_minutes.into(),
            5,
            MOST_WINDOW,
        ));
        self.note(self.number(&format!("{key}.within_seconds"), provider.within_seconds.into(), 1, 300));
        if let Some(pair) = &provider.identity {
            self.note(self.key_pair(&format!("{key}.identity"), pair));
        }
        for (index, reference) in provider.trust.iter().enumerate() {
            self.note(self.file(&format!("{key}.trust[{index}]"), reference));
        }
        if !provider.trust.is_empty() && provider.identity.is_none() {
            return Err(self.value(&format!("{key}.trust"), "there is no identity to show together with it"));
        }
        let PaymentProvider { xbezahldienste, girocheckout, pmpayment, epaybl, epay21, webhook, .. } =
            provider;
        let named = [
            xbezahldienste.is_some(),
            girocheckout.is_some(),
            pmpayment.is_some(),
            epaybl.is_some(),
            epay21.is_some(),
            webhook.is_some(),
        ];
        if named.into_iter().filter(|is_named| *is_named).count() != 1 {
            let rule =
                "expected exactly one of xbezahldienste, girocheckout, pmpayment, epaybl, epay21, webhook";
            return Err(self.value(key, rule));
        }
        for (name, reference) in provider.clone().secrets() {
            self.note(self.secret(&format!("{key}.{name}"), reference));
        }
        for (table, name, url) in provider.urls() {
            self.note(self.payment_url(&format!("{key}.{table}.{name}"), url));
        }
        self.note(self.signing_in(key, provider));
        self.note(self.webhook(&format!("{key}.webhook"), webhook.as_ref()));
        self.texts(key, provider)
    }

    fn payment_url(&self, key: &str, url: &str) -> Result<(), Error> {
        self.note(self.url(key, url));
        match url.ends_with('/') || url.contains(['?', '#']) {
            true => Err(self.value(key, "expected an address without a slash at the end, ? and #")),
            false => Ok(()),
        }
    }

    /// How we are known to services of XBezahldienste and ePayBL.
    fn signing_in(&self, key: &str, provider: &PaymentProvider) -> Result<(), Error> {
        if let Some(it) = &provider.xbezahldienste {
            let ways = [it.client.is_some(), it.basic.is_some()].into_iter().filter(|is_so| *is_so).count();
            if ways > 1 || (ways == 0 && provider.identity.is_none()) {
                let rule = "expected one way to sign in: client, basic, or a certificate (identity)";
                return Err(self.value(&format!("{key}.xbezahldienste"), rule));
            }
            for (name, value) in [("originator", &it.originator), ("end_point", &it.end_point)] {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                if !(1..=36).contains(&value.len()) || !value.bytes().all(is_plain) {
                    let key = format!("{key}.xbezahldienste.{name}");
                    return Err(self.value(&key, "expected 1 to 36 of A-Z a-z 0-9 _ -"));
                }
            }
        }
        if let Some(it) = &provider.epaybl {
            self.note(self.number(&format!("{key}.epaybl.data_model"), it.data_model.into(), 2, 3));
        }
        Ok(())
    }

    fn webhook(&self, key: &str, webhook: Option<&Webhook>) -> Result<(), Error> {
        let Some(it) = webhook else { return Ok(()) };
        if it.secret.is_some() == it.bearer.is_some() {
            return Err(self.value(key, "expected one way to sign in: secret or bearer"));
        }
        let schemes = [!it.standard.is_empty(), !it.stripe.is_empty(), it.computop.is_some()];
        if schemes.into_iter().filter(|is_so| *is_so).count() > 1 {
            return Err(self.value(key, "expected one scheme of notifications: standard, stripe or computop"));
        }
        match it.computop.as_ref().is_some_and(|it| it.hmac_passwords.is_empty()) {
            true => Err(self.value(&format!("{key}.computop.hmac_passwords"), "at least one is needed")),
            false => Ok(()),
        }
    }

    /// Names that others have given; what is missing would be found out with the first payment only.
    fn texts(&self, key: &str, provider: &PaymentProvider) -> Result<(), Error> {
        for (name, text, most) in provider.texts() {
            let count = text.chars().count();
            if !(1..=most).contains(&count) || text.chars().any(char::is_control) {
                let rule = format!("expected 1 to {most} characters");
                return Err(self.value(&format!("{key}.{name}"), &rule));
            }
        }
        Ok(())
    }
}

impl PaymentProvider {
    /// Every address that is called or shown, with its table and key.
    fn urls(&self) -> Vec<(&'static str, &'static str, &str)> {
        let mut all: Vec<(&'static str, &'static str, &str)> = Vec::new();
        if let Some(it) = &self.xbezahldienste {
            all.push(("xbezahldienste", "url", &it.url));
            all.extend(
                it.client.iter().map(|it| ("xbezahldienste.client", "token_url", it.token_url.as_str())),
            );
        }
        all.extend(self.girocheckout.iter().map(|it| ("girocheckout", "url", it.url.as_str())));
        all.extend(self.pmpayment.iter().map(|it| ("pmpayment", "url", it.url.as_str())));
        if let Some(it) = &self.epaybl {
            all.extend([
                ("epaybl", "service_url", it.service_url.as_str()),
                ("epaybl", "page_url", &it.page_url),
            ]);
        }
        all.extend(self.epay21.iter().map(|it| ("epay21", "url", it.url.as_str())));
        all.extend(self.webhook.iter().map(|it| (WEBHOOK, "url", it.url.as_str())));
        all
    }

    /// Every name that may not be empty, with its key and its greatest length.
    fn texts(&self) -> Vec<(&'static str, &str, usize)> {
        let mut all: Vec<(&'static str, &str, usize)> = Vec::new();
        if let Some(it) = &self.xbezahldienste {
            let client = it.client.iter().map(|it| ("xbezahldienste.client.id", it.id.as_str(), 200));
            let basic = it.basic.iter().map(|it| ("xbezahldienste.basic.user", it.user.as_str(), 200));
            all.extend(client.chain(basic));
        }
        if let Some(it) = &self.girocheckout {
            let (merchant, project) = (it.merchant.as_str(), it.project.as_str());
            all.extend([("girocheckout.merchant", merchant, 20), ("girocheckout.project", project, 20)]);
        }
        if let Some(it) = &self.pmpayment {
            let (ags, procedure) = (it.ags.as_str(), it.procedure.as_str());
            all.extend([("pmpayment.ags", ags, 20), ("pmpayment.procedure", procedure, 100)]);
        }
        if let Some(it) = &self.epaybl {
            all.extend([
                ("epaybl.mandant", it.mandant.as_str(), 32),
                ("epaybl.bewirtschafter", &it.bewirtschafter, 8),
                ("epaybl.dunning", &it.dunning, 5),
            ]);
        }
        if let Some(it) = &self.epay21 {
            all.extend([
                ("epay21.mandant", it.mandant.as_str(), 100),
                ("epay21.mandant_name", &it.mandant_name, 200),
                ("epay21.app", &it.app, 100),
                ("epay21.user", &it.user, 200),
            ]);
        }
        all.extend(
            self.webhook
                .iter()
                .filter_map(|it| it.computop.as_ref())
                .map(|it| ("webhook.computop.merchant", it.merchant.as_str(), 30)),
        );
        all
    }
}
