//! Notifications of GiroCheckout: a GET with the fields of the transaction and `gcHash`.
//!
//! The hash does not separate the values: from a genuine notification, which the payer sees in the address of the browser, `…R15` and `500`
//! can be made `…R1` and `5500` under the same hash. So every field has to match its own pattern and to be, as a text, exactly ours;
//! and even then the provider is asked.

use model::payment::EURO;
use model::payment::provider::{Order, Refusal, Verdict};
use model::payment::record::ClearingReason;

use super::hash::Password;
use crate::form::Fields;
use crate::text::whole_cents;

/// All that is hashed, in the order of the tables. What is not there adds nothing.
const HASHED: [&str; 16] = [
    // The payment page alone.
    "gcPaymethod",
    "gcType",
    "gcProjectId",
    "gcReference",
    "gcMerchantTxId",
    "gcBackendTxId",
    "gcAmount",
    "gcCurrency",
    "gcResultPayment",
    "gcResultAVS",
    "gcObvName",
    // The payment page alone.
    "gcPkn",
    "gcCardnumber",
    "gcCardExpDate",
    "gcAccountHolder",
    "gcIban",
];

/// What a notification is worth, from its query as it came.
pub(super) fn judge(
    password: &Password,
    project: &str,
    order: &Order,
    reference: Option<&str>,
    query: &str,
) -> Verdict {
    judged(password, project, order, reference, query).unwrap_or_else(Verdict::Refused)
}

fn judged(
    password: &Password,
    project: &str,
    order: &Order,
    reference: Option<&str>,
    query: &str,
) -> Result<Verdict, Refusal> {
    let fields = Fields::read(query.as_bytes())?;
    let told_reference = fields.wanted("gcReference", is_name)?;
    let told_request = fields.wanted("gcMerchantTxId", is_request)?;
    fields.wanted("gcBackendTxId", |text| {
        text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic())
    })?;
    let told_amount = fields.wanted("gcAmount", |text| whole_cents(text).is_some())?;
    let told_currency = fields.wanted("gcCurrency", is_currency)?;
    fields.wanted("gcResultPayment", |text| is_number(text, 5))?;
    let hash = fields.get("gcHash").ok_or(Refusal::Signature)?;
    let signed: String = HASHED.iter().filter_map(|name| fields.get(name)).collect();
    if !password.is_of(signed.as_bytes(), hash.as_bytes()) {
        return Err(Refusal::Signature);
    }
    let is_project = fields.get("gcProjectId").is_none_or(|told| told == project);
    if told_request != order.request_id || !is_project {
        return Err(Refusal::OtherPayment);
    }
    // The provider was quicker than its own answer to our start.
    if reference.ok_or(Refusal::TooEarly)? != told_reference {
        return Err(Refusal::OtherPayment);
    }
    if told_currency != EURO {
        return Ok(Verdict::Differs(ClearingReason::Currency, whole_cents(told_amount), 400));
    }
    if told_amount != order.amount_cents.to_string() {
        return Ok(Verdict::Differs(ClearingReason::CallbackDiffers, whole_cents(told_amount), 400));
    }
    Ok(Verdict::Hint)
}

fn is_name(text: &str) -> bool {
    (1..=super::REFERENCE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// merchantTxId: the characters of the API's table, and the hyphen that real ones have.
fn is_request(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-&=+,:;._!?#/".contains(&byte))
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_number(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::{Id, Timestamp};
    use proptest::prelude::*;
    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::*;
    use crate::form;

    const REFERENCE: &str = "b52e7ff4-2713-4287-817f-488bfab07956";

    fn order(request_id: &str, amount_cents: i64) -> Order {
        Order {
            payment_id: Id::nil(),
            request_id: request_id.into(),
            amount_cents,
            purpose: "x".into(),
            cash_reference: None,
            lines: vec![],
            payer: None,
            notify_url: String::new(),
            return_url: String::new(),
            created_at: Timestamp::default(),
            deadline: Timestamp::default(),
            due: None,
        }
    }

    fn password(text: &str) -> Password {
        Password::new(Zeroizing::new(text.into()))
    }

    fn valid() -> Vec<(&'static str, &'static str)> {
        vec![
            ("gcReference", REFERENCE),
            ("gcMerchantTxId", "C2026-000123"),
            ("gcBackendTxId", "pWkqbQ43eyVK0Sh88FCR15"),
            ("gcAmount", "2500"),
            ("gcCurrency", "EUR"),
            ("gcResultPayment", "4000"),
        ]
    }

    fn signed<'a>(fields: &[(&'a str, &'a str)]) -> String {
        let hash = password("secure").hash(fields.iter().map(|(_, value)| *value)).unwrap();
        form::write(&fields.iter().copied().chain([("gcHash", hash.as_str())]).collect::<Vec<_>>())
    }

    fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        valid().into_iter().map(|it| if it.0 == name { (name, value) } else { it }).collect()
    }

    fn judge_ours(query: &str) -> Verdict {
        judge(&password("secure"), "1234", &order("C2026-000123", 2_500), Some(REFERENCE), query)
    }

    /// Vectors of the provider's interface, of a foreign library's tests, and worked ones.
    #[test]
    fn published_notifications_are_authentic_and_nothing_else_is() {
        let place = "../../../shared/samples/epayment/girocheckout-callbacks.json";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        let vectors: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let mut seen = 0;
        for vector in vectors["vectors"].as_array().unwrap() {
            let Some(hash) = vector["gcHash"].as_str() else { continue };
            let text = |name: &str| vector["params"][name].as_str().unwrap_or_default().to_owned();
            let params = vector["params"].as_object().unwrap();
            let fields: Vec<_> =
                params.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            let order = order(&text("gcMerchantTxId"), text("gcAmount").parse().unwrap());
            let judged = |hash: &str| {
                let all: Vec<_> = fields.iter().copied().chain([("gcHash", hash)]).collect();
                let password = password(vector["secret"].as_str().unwrap());
                judge(&password, "1234", &order, Some(&text("gcReference")), &form::write(&all))
            };
            assert_eq!(judged(hash), Verdict::Hint, "{vector}");
            for wrong in [&hash.to_uppercase(), &hash[1..], "", &format!("{hash} ")] {
                assert_eq!(judged(wrong), Verdict::Refused(Refusal::Signature), "{vector}");
            }
            seen += 1;
        }
        assert_eq!(seen, 4);
    }

    #[test]
    fn whatever_the_result_is_an_authentic_notification_is_a_hint() {
        for result in ["4000", "4900", "4502", "4501", "4500", "404"] {
            assert_eq!(judge_ours(&signed(&with("gcResultPayment", result))), Verdict::Hint, "{result}");
        }
        let mut optional = valid();
        optional.splice(0..0, [("gcPaymethod", "40"), ("gcType", "SALE"), ("gcProjectId", "1234")]);
        optional.extend([("gcAccountHolder", "Erika Mustermann"), ("gcIban", "DE00")]);
        assert_eq!(judge_ours(&signed(&optional)), Verdict::Hint);
        let query = format!("x=1&{}", signed(&valid()));
        assert_eq!(judge_ours(&query), Verdict::Hint, "what is not the provider's is not hashed");
    }

    #[test]
    fn a_digit_that_was_moved_is_not_our_payment() {
        // Genuine for 5.00; the digit before the amount moves into it, and the hash stays right.
        let genuine = with("gcAmount", "500");
        let hash = password("secure").hash(genuine.iter().map(|(_, value)| *value)).unwrap();
        let mut moved = with("gcAmount", "5500");
        moved[2].1 = "pWkqbQ43eyVK0Sh88FCR1";
        let query = format!("{}&gcHash={hash}", form::write(&moved));
        assert_eq!(judge_ours(&query), Verdict::Differs(ClearingReason::CallbackDiffers, Some(5_500), 400));
        // The same between the names: the reference ends where the next name begins.
        let mut moved = valid();
        moved[0].1 = "b52e7ff4-2713-4287-817f-488bfab07956C";
        moved[1].1 = "2026-000123";
        let hash = password("secure").hash(valid().iter().map(|(_, value)| *value)).unwrap();
        let query = format!("{}&gcHash={hash}", form::write(&moved));
        assert_eq!(judge_ours(&query), Verdict::Refused(Refusal::OtherPayment));
        // An amount has one spelling.
        let mut moved = with("gcAmount", "02500");
        moved[2].1 = "x";
        assert_eq!(judge_ours(&signed(&moved)), Verdict::Refused(Refusal::Malformed));
    }

    #[test]
    fn what_is_not_ours_is_refused_and_what_is_signed_but_differs_is_told() {
        let refused =
            |query: &str, why: Refusal| assert_eq!(judge_ours(query), Verdict::Refused(why), "{query}");
        let other = signed(&with("gcReference", "00000000-0000-0000-0000-000000000000"));
        refused(&other, Refusal::OtherPayment);
        refused(&signed(&with("gcMerchantTxId", "C2026-000124")), Refusal::OtherPayment);
        let mut project = valid();
        project.insert(0, ("gcProjectId", "9"));
        refused(&signed(&project), Refusal::OtherPayment);
        refused(&form::write(&valid()), Refusal::Signature);
        refused(&format!("{}&gcAmount=1", signed(&valid())), Refusal::Repeated);
        refused(&signed(&valid()).replace("2500", "1"), Refusal::Signature);
        refused("", Refusal::Malformed);
        let wrong = judge_ours(&signed(&with("gcAmount", "500")));
        assert_eq!(wrong, Verdict::Differs(ClearingReason::CallbackDiffers, Some(500), 400));
        let wrong = judge_ours(&signed(&with("gcCurrency", "USD")));
        assert_eq!(wrong, Verdict::Differs(ClearingReason::Currency, Some(2_500), 400));
        let early =
            judge(&password("secure"), "1234", &order("C2026-000123", 2_500), None, &signed(&valid()));
        assert_eq!(early, Verdict::Refused(Refusal::TooEarly));
        let forged =
            judge(&password("other"), "1234", &order("C2026-000123", 2_500), None, &signed(&valid()));
        assert_eq!(forged, Verdict::Refused(Refusal::Signature), "nobody learns what is under way");
    }

    /// However the signed text is cut into fields, only the cut that is ours is a hint.
    #[test]
    fn no_other_cut_of_the_same_text_is_a_hint() {
        let ours: Vec<&str> = valid().iter().map(|(_, value)| *value).collect();
        let text = ours.concat();
        let ends: Vec<usize> = ours
            .iter()
            .scan(0, |end, value| {
                Some({
                    *end += value.len();
                    *end
                })
            })
            .collect();
        let mut hints = 0;
        for shifts in 0..5_usize.pow(5) {
            let cut = |at: usize| ends[at] + shifts / 5_usize.pow(at as u32) % 5 - 2;
            let cuts: Vec<usize> = [0].into_iter().chain((0..5).map(cut)).chain([text.len()]).collect();
            if !cuts.is_sorted() {
                continue;
            }
            let values = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            let fields: Vec<_> = valid().iter().map(|(name, _)| *name).zip(values).collect();
            hints += usize::from(judge_ours(&signed(&fields)) == Verdict::Hint);
        }
        assert_eq!(hints, 1);
    }

    proptest! {
        #[test]
        fn any_query_is_judged(query in "\\PC{0,200}") {
            prop_assert!(judge_ours(&query) != Verdict::Hint);
        }
    }
}
