//! Answers of GiroCheckout: signed JSON, with `rc` for the call and `resultPayment` for the money.

use model::payment::{Truth, TruthState};
use model::{Failure, FailureKind};
use net::Answer;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::hash::Password;
use super::{Call, REFERENCE, garbage, refused, unclear};
use crate::http::{json, unauthorised};
use crate::text::{is_reference, whole_cents};

/// An answer to a call that was carried out, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered {
    rc: i64,
    pub(super) reference: Option<String>,
    reference_parent: Option<String>,
    merchant_tx_id: Option<String>,
    pub(super) redirect: Option<String>,
    pub(super) url: Option<String>,
    amount: Option<Box<RawValue>>,
    currency: Option<String>,
    result_payment: Option<Box<RawValue>>,
}

impl Answered {
    /// Reads an answer, if the provider has signed it.
    pub(super) fn read(password: &Password, answer: &Answer, call: Call) -> Result<Self, Failure> {
        let signed =
            answer.headers.get("hash").is_some_and(|hash| password.is_of(&answer.body, hash.as_bytes()));
        if !signed {
            return Err(garbage(call));
        }
        let answered: Answered = json(answer, call)?;
        if answered.rc == 0 { Ok(answered) } else { Err(failed(answered.rc, call)) }
    }

    /// Where the transaction stands; `None` if the answer lacks what it always tells.
    pub(super) fn truth(self) -> Option<Truth> {
        let state = self.state().ok()?.unwrap_or(TruthState::Open);
        let amount_cents = self.cents().ok()?;
        let is_whole = amount_cents.is_some() && self.currency.is_some() && self.reference.is_some();
        if state != TruthState::Open && !is_whole {
            return None;
        }
        Some(Truth {
            state,
            amount_cents,
            currency: self.currency,
            reference: self.reference,
            request_id: self.merchant_tx_id,
            ..Truth::default()
        })
    }

    /// What became of a refund: its name, if the money goes back.
    pub(super) fn refunded(self, parent: &str, id: &str, cents: i64) -> Result<Option<String>, Failure> {
        let same = |told: &Option<String>, ours: &str| told.as_deref().is_none_or(|told| told == ours);
        let is_ours = same(&self.reference_parent, parent) && same(&self.merchant_tx_id, id);
        let told = self.cents().map_err(|()| garbage(Call::Acting))?;
        if !is_ours || told.is_some_and(|told| told != cents) {
            return Err(garbage(Call::Acting));
        }
        match self.state()? {
            Some(TruthState::Paid) => {}
            None | Some(TruthState::Open | TruthState::Pending) => {
                return Err(unclear("the outcome of the refund is not known"));
            }
            Some(_) => return Err(refused("the provider did not carry out the refund")),
        }
        Ok(self.reference.filter(|reference| is_reference(reference, REFERENCE)))
    }

    /// What `resultPayment` means; `Ok(None)` if there is none yet. A code that is not known is no state.
    pub(super) fn state(&self) -> Result<Option<TruthState>, Failure> {
        let Some(raw) = &self.result_payment else { return Ok(None) };
        let code = plain(raw).parse().ok().and_then(state_of);
        code.map(Some).ok_or_else(|| garbage(Call::Acting))
    }

    fn cents(&self) -> Result<Option<i64>, ()> {
        let Some(raw) = &self.amount else { return Ok(None) };
        whole_cents(plain(raw)).map(Some).ok_or(())
    }
}

/// Numbers come as numbers and as texts.
fn plain(raw: &RawValue) -> &str {
    raw.get().trim_matches('"')
}

/// What a code of `resultPayment` means.
fn state_of(code: u32) -> Option<TruthState> {
    Some(match code {
        4000 => TruthState::Paid,
        // PayPal's post-processing, PayPal not completed, outcome unknown.
        4152 | 4154 | 4500 => TruthState::Pending,
        4501 => TruthState::Expired,
        4502 => TruthState::Cancelled,
        4001 | 4002 | 4051 | 4101..=4108 | 4151 | 4153 | 4503..=4506 | 4900 => TruthState::Failed,
        _ => return None,
    })
}

/// What it means that a call was not carried out.
fn failed(rc: i64, call: Call) -> Failure {
    let told = format!("the provider answered with the code {rc}");
    match (rc, call) {
        // Authentication, rights, hash; merchant, project.
        (5000..=5002 | 5020 | 5021, _) => unauthorised(told),
        // The payment processor, the connection to it, an internal error.
        (5100 | 5101 | 9999, Call::Asking) => {
            Failure::new(FailureKind::Transient, "payment.provider-busy", told)
        }
        (5100 | 5101 | 9999, Call::Acting) => unclear(told),
        _ => refused(told),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn answer(body: &str, sign: bool) -> Result<Answered, Failure> {
        let password = Password::new(Zeroizing::new("secure".into()));
        let mut answer = Answer { status: 200, headers: Default::default(), body: body.into() };
        if sign {
            answer.headers.insert("hash", password.hash([body]).unwrap().parse().unwrap());
        }
        Answered::read(&password, &answer, Call::Asking)
    }

    #[test]
    fn an_answer_that_is_not_signed_is_not_read() {
        let body = r#"{"rc":0,"reference":"r","merchantTxId":"t","amount":2500,"currency":"EUR","resultPayment":4000}"#;
        assert_eq!(answer(body, false).err().unwrap().code, "payment.provider-garbage");
        let truth = answer(body, true).unwrap().truth().unwrap();
        assert_eq!((truth.state, truth.amount_cents), (TruthState::Paid, Some(2_500)));
        assert_eq!((truth.reference.as_deref(), truth.request_id.as_deref()), (Some("r"), Some("t")));
        let texts = body.replace("2500", r#""2500""#).replace("4000", r#""4000""#);
        assert_eq!(answer(&texts, true).unwrap().truth().unwrap(), truth);
    }

    #[test]
    fn an_answer_without_its_amount_or_with_a_code_that_nobody_knows_is_no_truth() {
        let none = |body: &str| assert!(answer(body, true).unwrap().truth().is_none(), "{body}");
        none(r#"{"rc":0,"reference":"r","currency":"EUR","resultPayment":4000}"#);
        none(r#"{"rc":0,"reference":"r","amount":25.5,"currency":"EUR","resultPayment":4000}"#);
        none(r#"{"rc":0,"reference":"r","amount":2500,"currency":"EUR","resultPayment":4020}"#);
        none(r#"{"rc":0,"reference":"r","amount":2500,"currency":"EUR","resultPayment":true}"#);
        none(r#"{"rc":0,"amount":2500,"currency":"EUR","resultPayment":4900}"#);
        let open = answer(r#"{"rc":0,"reference":"r"}"#, true).unwrap().truth().unwrap();
        assert_eq!(open.state, TruthState::Open);
    }

    #[test]
    fn codes_mean_what_the_tables_say() {
        use TruthState::{Cancelled, Expired, Failed, Pending};
        for (code, state) in
            [(4500, Pending), (4154, Pending), (4501, Expired), (4502, Cancelled), (4107, Failed)]
        {
            assert_eq!(state_of(code), Some(state), "{code}");
        }
        let kind = |rc, call| failed(rc, call).kind;
        assert_eq!(kind(5002, Call::Acting), FailureKind::Unauthorised);
        assert_eq!(kind(5101, Call::Acting), FailureKind::Uncertain);
        assert_eq!(kind(5101, Call::Asking), FailureKind::Transient);
        assert_eq!(kind(5034, Call::Asking), FailureKind::Rejected);
    }

    #[test]
    fn a_refund_is_done_only_if_the_answer_is_about_it_and_says_so() {
        let body = |parent: &str, amount: i64, result: &str| {
            format!(
                r#"{{"rc":0,"reference":"f","referenceParent":"{parent}","merchantTxId":"id","amount":{amount},"currency":"EUR"{result}}}"#
            )
        };
        let refunded = |body: &str| answer(body, true).unwrap().refunded("r", "id", 500);
        assert_eq!(refunded(&body("r", 500, r#","resultPayment":4000"#)), Ok(Some("f".to_owned())));
        let kind = |body: &str| refunded(body).unwrap_err().kind;
        assert_eq!(kind(&body("r", 500, "")), FailureKind::Uncertain);
        assert_eq!(kind(&body("r", 500, r#","resultPayment":4500"#)), FailureKind::Uncertain);
        assert_eq!(kind(&body("r", 500, r#","resultPayment":4900"#)), FailureKind::Rejected);
        assert_eq!(kind(&body("other", 500, r#","resultPayment":4000"#)), FailureKind::Uncertain);
        assert_eq!(kind(&body("r", 501, r#","resultPayment":4000"#)), FailureKind::Uncertain);
    }
}
