//! pmPayment's own interface (GovConnect): `payment/secure`, `payment/status/{ags}/{txid}`, notifications by POST, as two open clients speak
//! it. New projects use it through XBezahldienste.
//!
//! A start carries a hash: lower-case hexadecimal digits of HMAC-SHA256 under the salt, over the values with `|` between them; a field that
//! is not sent is left out together with its `|`. Notifications come without any: they prove nothing, and only lead to a question. The
//! question is asked for our own names of municipality and transaction, never for those that somebody sent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Health;
use model::payment::provider::{Notice, Notified, Order, Refusal, Started, Terms, Verdict};
use model::payment::record::ClearingReason;
use model::payment::{Provider, Truth, TruthState};
use model::{Clock, Failure, Timestamp};
use net::Client;
use seal::mac::{MacDigest, hmac, is_same};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::form::{self, Fields};
use crate::http::{Call, FORM, Http, garbage, health, json, refused};
use crate::text::{PURPOSE, cents, is_page, is_reference, segment, sepa, whole_cents};

/// Longest name of a transaction, in characters: `<procedure>.<time>.<our name>`.
const REFERENCE: usize = 200;

/// Largest notification, in bytes.
const MOST_NOTICE: usize = 64 * 1024;

/// All that is hashed of a notification, if it ever has a hash, in this order.
const HASHED: [&str; 8] =
    ["ags", "txid", "amount", "desc", "status", "payment_method", "procedure", "created_at"];

/// A procedure of pmPayment, as configured.
pub struct Settings {
    /// Id of the provider.
    pub id: String,
    /// Address without a slash at its end, such as `https://payment.govconnect.de`.
    pub base: String,
    /// Amtlicher Gemeindeschlüssel.
    pub ags: String,
    /// Name of the configured procedure.
    pub procedure: String,
    /// Salt: the key of the hash.
    pub salt: Zeroizing<String>,
    /// Whether the Kassenzeichen is sent as `accountingRecord`.
    pub sends_record: bool,
    /// How long a payer has.
    pub window: Duration,
    /// Longest time of a call.
    pub within: Duration,
}

/// A procedure that is called through `client`.
pub fn provider(settings: Settings, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Provider> {
    let terms = Terms {
        kind: "pmpayment",
        notifies_by: &["POST"],
        most_notice_bytes: MOST_NOTICE,
        window: settings.window,
        finds: false,
        start_is_idempotent: false,
        may_be_polled: true,
        refunds: false,
        voids: false,
    };
    let http = Http::new(client, clock, settings.within);
    Arc::new(PmPayment { terms, settings, http })
}

struct PmPayment {
    terms: Terms,
    settings: Settings,
    http: Http,
}

#[derive(Deserialize)]
struct Begun {
    url: String,
    txid: String,
}

/// What is told of a transaction. Numbers come as numbers and as texts.
#[derive(Deserialize)]
struct Told {
    status: Box<RawValue>,
    amount: Option<Box<RawValue>>,
    txid: Option<String>,
}

impl PmPayment {
    fn hash<'a>(&self, values: impl Iterator<Item = &'a str>) -> Result<String, Failure> {
        let message = values.collect::<Vec<_>>().join("|");
        let code = hmac(MacDigest::Sha256, self.settings.salt.as_bytes(), message.as_bytes());
        let code = code.map_err(|error| Failure::permanent("adapter.signature", error.to_string()))?;
        Ok(hex::encode(code))
    }

    async fn ask(&self, reference: &str) -> Result<net::Answer, Failure> {
        if !is_reference(reference, REFERENCE) {
            return Err(refused("the reference is none of this provider"));
        }
        let Settings { base, ags, .. } = &self.settings;
        let url = format!("{base}/payment/status/{}/{}", segment(ags), segment(reference));
        self.http.get(&url, &[]).await
    }

    fn judged(&self, order: &Order, reference: Option<&str>, notice: &Notice) -> Result<Verdict, Refusal> {
        let content_type = notice.headers.iter().find(|(name, _)| name == "content-type");
        if content_type.is_some_and(|(_, value)| !value.to_ascii_lowercase().starts_with(FORM)) {
            return Err(Refusal::Malformed);
        }
        let fields = Fields::read(&notice.body)?;
        let ags = fields.wanted("ags", |text| (1..=12).contains(&text.len()))?;
        let txid = fields.wanted("txid", |text| (1..=REFERENCE).contains(&text.len()))?;
        let amount = fields.wanted("amount", |text| whole_cents(text).is_some())?;
        fields.wanted("status", |text| matches!(text, "1" | "0" | "-1"))?;
        let is_signed = match fields.get("hash") {
            Some(hash) => {
                let ours = self.hash(HASHED.iter().filter_map(|name| fields.get(name)));
                let is_right = ours.is_ok_and(|ours| is_same(ours.as_bytes(), hash.as_bytes()));
                if is_right { true } else { return Err(Refusal::Signature) }
            }
            None => false,
        };
        let is_procedure = fields.get("procedure").is_none_or(|told| told == self.settings.procedure);
        if ags != self.settings.ags || !is_procedure {
            return Err(Refusal::OtherPayment);
        }
        if reference.ok_or(Refusal::TooEarly)? != txid {
            return Err(Refusal::OtherPayment);
        }
        match amount == order.amount_cents.to_string() {
            true => Ok(Verdict::Hint),
            // What nobody has signed is no contradiction, it is only wrong.
            false if is_signed => {
                Ok(Verdict::Differs(ClearingReason::CallbackDiffers, whole_cents(amount), 400))
            }
            false => Err(Refusal::OtherPayment),
        }
    }
}

/// The fields of a start, in the order of the hash.
fn start_fields<'a>(
    settings: &'a Settings,
    order: &'a Order,
    amount: &'a str,
    purpose: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let record = order.cash_reference.as_deref().filter(|_| settings.sends_record);
    let mut fields = vec![
        ("ags", settings.ags.as_str()),
        ("amount", amount),
        ("procedure", settings.procedure.as_str()),
        ("desc", purpose),
    ];
    fields.extend(record.map(|record| ("accountingRecord", record)));
    fields.extend([
        ("txid", order.request_id.as_str()),
        ("notifyURL", order.notify_url.as_str()),
        ("redirectURL", order.return_url.as_str()),
    ]);
    fields
}

/// What a transaction that is asked for says.
fn truth(told: Told) -> Option<Truth> {
    let plain = |raw: &RawValue| raw.get().trim_matches('"').to_owned();
    let state = match plain(&told.status).as_str() {
        "1" => TruthState::Paid,
        "0" => TruthState::Failed,
        "-1" => TruthState::Open,
        _ => return None,
    };
    let amount_cents = match told.amount.as_deref().map(plain).filter(|it| !it.is_empty() && it != "null") {
        // An amount with decimals is one of euros.
        Some(amount) if amount.contains('.') => Some(cents(&amount)?),
        Some(amount) => Some(whole_cents(&amount)?),
        None => None,
    };
    Some(Truth { state, amount_cents, reference: told.txid, ..Truth::default() })
}

#[async_trait]
impl Provider for PmPayment {
    fn id(&self) -> &str {
        &self.settings.id
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn start(&self, order: &Order) -> Result<Started, Failure> {
        // Other characters than these were seen to give wrong hashes.
        let (amount, mut purpose) = (order.amount_cents.to_string(), sepa(&order.purpose, PURPOSE));
        if purpose.is_empty() {
            purpose.push_str("Zahlung");
        }
        let mut fields = start_fields(&self.settings, order, &amount, &purpose);
        let hash = self.hash(fields.iter().map(|(_, value)| *value))?;
        fields.push(("hash", &hash));
        let url = format!("{}/payment/secure", self.settings.base);
        let answer = self.http.post(Call::Acting, &url, FORM, &[], form::write(&fields)).await?;
        if answer.status != 200 {
            return Err(self.http.refusal(&answer, Call::Acting));
        }
        let begun: Begun = json(&answer, Call::Acting)?;
        if !is_page(&begun.url, &self.settings.base) || !is_reference(&begun.txid, REFERENCE) {
            return Err(garbage(Call::Acting));
        }
        Ok(Started { reference: begun.txid, payment_url: Some(begun.url), cash_reference: None })
    }

    async fn status(&self, _order: &Order, reference: &str) -> Result<Truth, Failure> {
        let answer = self.ask(reference).await?;
        match answer.status {
            200 => truth(json(&answer, Call::Asking)?).ok_or_else(|| garbage(Call::Asking)),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }
    }

    fn notified(&self, order: &Order, reference: Option<&str>, notice: &Notice, _: Timestamp) -> Notified {
        let verdict = self.judged(order, reference, notice).unwrap_or_else(Verdict::Refused);
        Notified { verdict, id: None }
    }

    async fn check(&self) -> Health {
        // A transaction that nobody has: whoever says so is there.
        let asked = self.ask("amtsbote-check").await;
        health(asked.and_then(|answer| match answer.status {
            200 | 400 | 404 => Ok("the provider answers".to_owned()),
            _ => Err(self.http.refusal(&answer, Call::Asking)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use model::{Id, SystemClock};
    use net::Egress;
    use proptest::prelude::*;

    use super::*;

    const TXID: &str = "gateway.1700000000.C2026-000123";

    fn settings(sends_record: bool) -> Settings {
        Settings {
            id: "pm".into(),
            base: "https://pay.example".into(),
            ags: "03355000".into(),
            procedure: "gateway".into(),
            salt: Zeroizing::new("test-salt".into()),
            sends_record,
            window: Duration::from_secs(1_800),
            within: Duration::from_secs(10),
        }
    }

    fn ours() -> PmPayment {
        let client = Client::new(Egress::default(), net::Settings::default(), Arc::new(SystemClock));
        let http = Http::new(client, Arc::new(SystemClock), Duration::from_secs(1));
        let clock = Arc::new(SystemClock);
        let client = Client::new(Egress::default(), net::Settings::default(), clock.clone());
        let terms = provider(settings(false), client, clock).terms().clone();
        PmPayment { terms, settings: settings(false), http }
    }

    fn order() -> Order {
        Order {
            payment_id: Id::nil(),
            request_id: "C2026-000123".into(),
            amount_cents: 2_500,
            purpose: "Gebühr 2026-000123".into(),
            cash_reference: Some("4200000000061".into()),
            lines: vec![],
            payer: None,
            notify_url: "https://gw.example/pay/notify/pm/abc".into(),
            return_url: "https://gw.example/pay/return/abc".into(),
            created_at: Timestamp::default(),
            deadline: Timestamp::default(),
            due: None,
        }
    }

    /// The worked examples of the facts, section 4.
    #[test]
    fn a_start_is_hashed_as_the_open_clients_do() {
        let (ours, purpose) = (ours(), sepa("Gebühr 2026-000123", PURPOSE));
        let hash = |settings: &Settings, without: &[&str]| {
            let order = order();
            let fields = start_fields(settings, &order, "2500", &purpose);
            let kept = fields.iter().filter(|(name, _)| !without.contains(name));
            ours.hash(kept.map(|(_, value)| *value)).unwrap()
        };
        let whole = "d15e5b1af7096865f84b0de24491831a823b47fd715ea7509781a967ebc1a1b1";
        assert_eq!(hash(&settings(true), &[]), whole);
        let bare = "c24807389653e500576612111f30dbcac434c468bc8474de1054bad86152cbb7";
        assert_eq!(hash(&settings(false), &["txid"]), bare);
    }

    fn valid() -> Vec<(&'static str, &'static str)> {
        vec![
            ("ags", "03355000"),
            ("txid", TXID),
            ("amount", "2500"),
            ("desc", "Gebuehr 2026-000123"),
            ("status", "1"),
            ("payment_method", ""),
            ("procedure", "gateway"),
            ("created_at", "2026-03-01 12:00:00"),
        ]
    }

    fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        valid().into_iter().map(|it| if it.0 == name { (name, value) } else { it }).collect()
    }

    fn judge(reference: Option<&str>, body: &str, content_type: &str) -> Verdict {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let notice = Notice { method: "POST".into(), query: String::new(), headers, body: body.into() };
        ours().notified(&order(), reference, &notice, Timestamp::default()).verdict
    }

    fn judge_ours(fields: &[(&str, &str)]) -> Verdict {
        judge(Some(TXID), &form::write(fields), "application/x-www-form-urlencoded; charset=utf-8")
    }

    #[test]
    fn a_notification_is_a_hint_whatever_it_says_of_the_payment() {
        assert_eq!(judge_ours(&valid()), Verdict::Hint);
        assert_eq!(judge_ours(&with("status", "0")), Verdict::Hint);
    }

    #[test]
    fn another_municipality_transaction_procedure_or_amount_is_refused() {
        let wrong = [("ags", "99999999"), ("txid", "../../evil"), ("procedure", "other"), ("amount", "1")];
        for (name, value) in wrong {
            assert_eq!(judge_ours(&with(name, value)), Verdict::Refused(Refusal::OtherPayment), "{name}");
        }
        for (name, value) in [("amount", "02500"), ("amount", "25.00"), ("status", "2"), ("ags", "")] {
            assert_eq!(judge_ours(&with(name, value)), Verdict::Refused(Refusal::Malformed), "{name}");
        }
        let twice = format!("{}&amount=1", form::write(&valid()));
        assert_eq!(judge(Some(TXID), &twice, FORM), Verdict::Refused(Refusal::Repeated));
        assert_eq!(judge(Some(TXID), &twice, "application/json"), Verdict::Refused(Refusal::Malformed));
        let early = judge(None, &form::write(&valid()), FORM);
        assert_eq!(early, Verdict::Refused(Refusal::TooEarly));
    }

    #[test]
    fn a_hash_that_is_there_has_to_be_right_and_makes_a_wrong_amount_a_contradiction() {
        let signed = |fields: Vec<(&'static str, &'static str)>| {
            let hash = ours().hash(fields.iter().map(|(_, value)| *value)).unwrap();
            judge_ours(&fields.iter().copied().chain([("hash", hash.as_str())]).collect::<Vec<_>>())
        };
        assert_eq!(signed(valid()), Verdict::Hint);
        let differs = Verdict::Differs(ClearingReason::CallbackDiffers, Some(1), 400);
        assert_eq!(signed(with("amount", "1")), differs);
        let wrong: Vec<_> = valid().into_iter().chain([("hash", "00")]).collect();
        assert_eq!(judge_ours(&wrong), Verdict::Refused(Refusal::Signature));
    }

    #[test]
    fn a_state_is_one_of_three_and_an_amount_that_is_told_is_read_exactly() {
        let truth = |body: &str| truth(serde_json::from_str(body).unwrap());
        let paid =
            truth(r#"{"status":"1","timestamp":"2026-03-01 12:00:00","txid":"t","amount":"2500"}"#).unwrap();
        assert_eq!((paid.state, paid.amount_cents), (TruthState::Paid, Some(2_500)));
        assert_eq!(truth(r#"{"status":1,"amount":25.00}"#).unwrap().amount_cents, Some(2_500));
        let failed = truth(r#"{"status":0,"amount":null}"#).unwrap();
        assert_eq!((failed.state, failed.amount_cents), (TruthState::Failed, None));
        assert_eq!(truth(r#"{"status":-1}"#).unwrap().state, TruthState::Open);
        for body in [r#"{"status":2}"#, r#"{"status":"paid"}"#, r#"{"status":1,"amount":"viel"}"#] {
            assert_eq!(truth(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_judged(body in "\\PC{0,200}") {
            prop_assert!(judge(Some(TXID), &body, FORM) != Verdict::Hint);
        }
    }
}
