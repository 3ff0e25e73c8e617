//! What ePayBL answers, in both data models: the outcome of a call, the Kassenzeichen that was made, and the balance of a
//! Kassenzeichen with what it means for a payment.

use model::payment::provider::{Truth, TruthState};
use model::{Failure, FailureKind};

use super::codes;
use crate::http::{self, Call};
use crate::soap::{Garbage, Message, Place};
use crate::text;

/// What is returned by a call that succeeded.
pub(super) fn successful(message: &Message, call: Call) -> Result<Place<'_>, Failure> {
    let (returned, refused) = outcome(message).map_err(|_| http::garbage(call))?;
    match refused {
        None => Ok(returned),
        Some(code) => Err(codes::refusal(code, call)),
    }
}

/// What is returned by a question, if what was asked for is known. Only a refusal of the question itself means that it is not.
pub(super) fn if_known(message: &Message) -> Result<Option<Place<'_>>, Failure> {
    match successful(message, Call::Asking) {
        Ok(returned) => Ok(Some(returned)),
        Err(failure) if failure.kind == FailureKind::Rejected => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What is returned, and the code if it was refused.
fn outcome(message: &Message) -> Result<(Place<'_>, Option<&str>), Garbage> {
    let returned = message.returned()?;
    let nested = returned.at("ergebnis")?;
    // `isAlive` returns the outcome itself.
    let outcome = if nested.is_there() { nested } else { returned };
    // 3.x has the text in a structure of its own, 2.x beside the outcome.
    let text = outcome.at("text")?;
    let code = if text.is_there() { text.text_at("code")? } else { outcome.text_at("code")? };
    match outcome.text_at("istOk")? {
        Some("true" | "1") if code.is_none_or(|code| code.starts_with('+')) => Ok((returned, None)),
        Some("false" | "0") => Ok((returned, Some(code.unwrap_or_default()))),
        _ => Err(Garbage),
    }
}

/// The Kassenzeichen of a Buchungsliste that was stored; if one was given, it must be that.
pub(super) fn assigned(returned: Place<'_>, given: Option<&str>) -> Result<String, Garbage> {
    let kassenzeichen = returned.at("buchungsListe")?.text_at("kassenzeichen")?.ok_or(Garbage)?;
    let is_other = given.is_some_and(|given| given != kassenzeichen);
    if is_other || !is_kassenzeichen(kassenzeichen) { Err(Garbage) } else { Ok(kassenzeichen.to_owned()) }
}

/// 2 to 30 letters and digits.
fn is_kassenzeichen(text: &str) -> bool {
    (2..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What `lesenKassenzeichenInfo` tells, in cents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Info {
    pub(super) kassenzeichen: String,
    /// EShopKundenNr.
    pub(super) customer: Option<String>,
    /// Zahlverfahren.
    pub(super) method: Option<String>,
    /// Hauptforderungen.
    pub(super) claimed: i64,
    /// Zahlungseingänge.
    pub(super) paid: i64,
    /// Lastschriften: money that the platform fetches itself.
    pub(super) debited: i64,
    /// Rücklastschriften.
    pub(super) returned: i64,
    /// Stornos of the claim.
    pub(super) cancelled: i64,
    /// What is still owed; less than nothing if too much came.
    pub(super) balance: i64,
    pub(super) currency: String,
    /// Whether the pay page is finished.
    pub(super) page_is_over: bool,
}

/// # Errors
/// If it lacks anything that the service always tells.
pub(super) fn info(returned: Place<'_>) -> Result<Info, Failure> {
    read_info(returned).map_err(|_| http::garbage(Call::Asking))
}

fn read_info(returned: Place<'_>) -> Result<Info, Garbage> {
    let told = |name: &str| returned.text_at(name)?.ok_or(Garbage);
    let amount = |name: &str| text::cents(told(name)?).ok_or(Garbage);
    // Amounts that not every version tells. A sign says in which column they are kept, not in which direction they count.
    let other = |name: &str| match returned.text_at(name)? {
        Some(value) => text::cents(value).and_then(i64::checked_abs).ok_or(Garbage),
        None => Ok(0),
    };
    let info = Info {
        kassenzeichen: told("kassenzeichen")?.to_owned(),
        customer: returned.text_at("EShopKundenNr")?.map(str::to_owned),
        method: returned.text_at("zahlverfahren")?.filter(|it| is_word(it)).map(str::to_owned),
        claimed: amount("betragHauptforderungen")?,
        paid: amount("betragZahlungseingaenge")?,
        debited: other("betragLastschriften")?,
        returned: other("betragRuecklastschriften")?,
        cancelled: other("betragStornos")?,
        balance: amount("saldo")?,
        currency: told("waehrung")?.to_owned(),
        page_is_over: returned.at("paypageStatus")?.text_at("code")?.ok_or(Garbage)? == "INAKTIV",
    };
    let all = [info.claimed, info.paid, info.debited, info.returned, info.cancelled, info.balance];
    let is_sound = info.claimed >= 0 && info.paid >= 0 && all.iter().all(|cents| cents.abs() < MOST);
    if is_sound { Ok(info) } else { Err(Garbage) }
}

/// Amounts are decimals of fifteen digits.
const MOST: i64 = 1_000_000_000_000_000;

fn is_word(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Info {
    /// What the balance means for the payment. Money that came counts by its amount, also if the claim was cancelled meanwhile or
    /// something else is owed: whether it is the right amount is for others to say. Before the pay page is finished the payer is
    /// still at it.
    pub(super) fn truth(self) -> Truth {
        let came = self.came();
        let state = match (self.page_is_over, came) {
            (true, 1..) => TruthState::Paid,
            (false, 1..) => TruthState::Pending,
            _ if self.claimed > 0 && self.claimed <= self.cancelled => TruthState::Cancelled,
            (true, _) => TruthState::Pending,
            (false, _) => TruthState::Open,
        };
        let is_paid = state == TruthState::Paid;
        Truth {
            state,
            amount_cents: is_paid.then_some(came),
            currency: Some(self.currency),
            reference: Some(self.kassenzeichen.clone()),
            request_id: self.customer,
            cash_reference: Some(self.kassenzeichen),
            method: self.method.filter(|_| is_paid),
            paid_at: None,
            refunded_cents: None,
            charged_back_cents: is_paid.then_some(self.returned),
        }
    }

    /// What came in all, before anything was taken back.
    fn came(&self) -> i64 {
        // Some platforms take what went back off the payments.
        let paid = if self.returned > self.paid { self.paid + self.returned } else { self.paid };
        // A direct debit stands in a column of its own until its money arrives, but the claim is balanced by it.
        let is_debited = self.balance <= 0 && paid == 0 && self.debited > 0;
        if is_debited { self.debited } else { paid }
    }
}
