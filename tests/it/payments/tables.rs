//! What has to come of every scenario that the senders offer: how the doors answer, where the payment ends, and whether somebody has to
//! look at it. Money was booked once if and only if it ends paid.

/// A scenario of a sender.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    /// What the provider says of the payment when it is asked, in its own word; empty: nothing has happened yet.
    pub(super) truth: &'static str,
    /// Statuses of the answers.
    pub(super) answers: &'static [u64],
    /// Where the payment ends.
    pub(super) ends: &'static str,
    /// Reason why somebody has to look at it.
    pub(super) clearing: Option<&'static str>,
}

const fn row(
    scenario: &'static str,
    truth: &'static str,
    answers: &'static [u64],
    ends: &'static str,
) -> Row {
    Row { scenario, truth, answers, ends, clearing: None }
}

const fn unclear(
    scenario: &'static str,
    truth: &'static str,
    answers: &'static [u64],
    ends: &'static str,
    reason: &'static str,
) -> Row {
    Row { scenario, truth, answers, ends, clearing: Some(reason) }
}

/// Nothing comes of it, and the sender is told that it is wrong.
const fn refused(scenario: &'static str, truth: &'static str, answers: &'static [u64]) -> Row {
    row(scenario, truth, answers, "started")
}

const ONE: &[u64] = &[200];
const TWO: &[u64] = &[200; 2];
const THREE: &[u64] = &[200; 3];
const EIGHT: &[u64] = &[200; 8];
const BAD: &[u64] = &[400];
const METHOD: &[u64] = &[405];

/// GiroCheckout, from a means of payment as from the payment page.
pub(super) const GIRO: &[Row] = &[
    row("valid", "4000", ONE, "paid"),
    row("replay", "4000", THREE, "paid"),
    row("duplicate-parallel", "4000", EIGHT, "paid"),
    refused("tampered-amount", "", BAD),
    unclear("signed-wrong-amount", "", BAD, "started", "callbackDiffers"),
    // The hash is that of the provider, so a human looks at it.
    unclear("shifted-amount", "", BAD, "started", "callbackDiffers"),
    refused("wrong-signature", "", BAD),
    refused("no-signature", "", BAD),
    refused("upper-hex", "", BAD),
    refused("repeated-param", "", BAD),
    refused("unknown-reference", "", BAD),
    row("failed", "4900", ONE, "failed"),
    row("canceled", "4502", ONE, "cancelled"),
    row("timeout", "4501", ONE, "expired"),
    row("unknown-result", "4500", ONE, "pending"),
    row("out-of-order", "4000", TWO, "paid"),
    row("fail-then-paid", "4000", TWO, "paid"),
    refused("post", "", METHOD),
];

/// What GiroCheckout's hash cannot show: digits moved so that the amount is ours. The door takes it, the provider knows of no payment.
pub(super) const SHIFTED_TO_OURS: Row = row("shifted-amount", "", ONE, "started");

/// pmPayment, without any hash as in the field.
pub(super) const PM: &[Row] = &[
    row("valid", "1", ONE, "paid"),
    row("replay", "1", THREE, "paid"),
    row("duplicate-parallel", "1", EIGHT, "paid"),
    row("forged", "-1", ONE, "started"),
    row("forged-failed", "0", ONE, "failed"),
    refused("tampered-amount", "-1", BAD),
    refused("other-ags", "-1", BAD),
    refused("path-in-txid", "-1", BAD),
    row("failed", "0", ONE, "failed"),
    row("out-of-order", "1", TWO, "paid"),
    refused("get", "-1", METHOD),
];

/// What is different if pmPayment signs: a wrong amount is the provider's own word.
pub(super) const PM_SIGNED: Row = unclear("tampered-amount", "-1", BAD, "started", "callbackDiffers");

/// The payer's browser comes back, and that is all: XBezahldienste. The sender says itself what the truth is.
pub(super) const XB: &[Row] = &[
    row("paid", "", ONE, "paid"),
    row("lying-browser", "", ONE, "started"),
    row("canceled", "", ONE, "cancelled"),
    row("failed", "", ONE, "failed"),
    row("replay", "", THREE, "paid"),
    row("duplicate-parallel", "", EIGHT, "paid"),
    unclear("out-of-order", "", TWO, "paid", "contradiction"),
    unclear("wrong-amount", "", ONE, "started", "underpaid"),
    row("provider-down", "", ONE, "started"),
    row("provider-slow", "", ONE, "started"),
    row("alg-garbage", "", ONE, "started"),
];

/// What is different at ePayBL: it tells of money, not of payers who gave up.
pub(super) const EPAYBL: &[Row] = &[row("canceled", "", ONE, "started"), row("failed", "", ONE, "started")];

/// What is different at epay21: its status has no amount.
pub(super) const EPAY21: &[Row] = &[row("wrong-amount", "", ONE, "paid")];

/// Standard Webhooks. The truth is the simulator's.
pub(super) const STANDARD: &[Row] = &[
    row("valid", "paid", ONE, "paid"),
    row("replay", "paid", THREE, "paid"),
    row("duplicate-parallel", "paid", EIGHT, "paid"),
    refused("old-timestamp", "open", BAD),
    refused("future-timestamp", "open", BAD),
    refused("tampered-amount", "open", BAD),
    refused("wrong-signature", "open", BAD),
    refused("id-swapped", "open", BAD),
    refused("no-signature", "open", BAD),
    row("rotated-key", "paid", ONE, "paid"),
    refused("unknown-scheme", "open", BAD),
    row("out-of-order", "paid", TWO, "paid"),
    unclear("signed-wrong-amount", "open", ONE, "started", "callbackDiffers"),
];

/// Stripe's scheme.
pub(super) const STRIPE: &[Row] = &[
    row("valid", "paid", ONE, "paid"),
    row("replay", "paid", THREE, "paid"),
    row("duplicate-parallel", "paid", EIGHT, "paid"),
    refused("old-timestamp", "open", BAD),
    refused("future-timestamp", "open", BAD),
    refused("tampered-amount", "open", BAD),
    refused("wrong-signature", "open", BAD),
    refused("no-signature", "open", BAD),
    refused("only-v0", "open", BAD),
    row("two-v1-one-good", "paid", ONE, "paid"),
    refused("reserialised", "open", BAD),
    row("out-of-order", "paid", TWO, "paid"),
    unclear("signed-wrong-amount", "open", ONE, "started", "callbackDiffers"),
];

/// Computop Paygate, encrypted and not.
pub(super) const COMPUTOP: &[Row] = &[
    row("valid", "paid", ONE, "paid"),
    row("replay", "paid", THREE, "paid"),
    refused("tampered-status", "open", BAD),
    refused("wrong-signature", "open", BAD),
    refused("no-signature", "open", BAD),
    row("failed", "failed", ONE, "failed"),
    row("authorized", "pending", ONE, "pending"),
    row("out-of-order", "paid", TWO, "paid"),
    row("lower-keys", "paid", ONE, "paid"),
];

impl Row {
    /// How often money was booked.
    pub(super) fn receipts(&self) -> usize {
        usize::from(self.ends == "paid")
    }
}
