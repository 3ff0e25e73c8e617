//! Amounts in cents, and whether those of an invoice fit each other (EN 16931-1, rules BR-CO-10, 13, 15 and 16).

use model::{Finding, Report};

use super::fields::Field;
use super::invoice::Invoice;

/// An amount in cents of its currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cents(pub(crate) i64);

impl Cents {
    /// Reads a decimal number; `None` if it is none, has parts of a cent or is larger than anything that is invoiced.
    pub(crate) fn parse(text: &str) -> Option<Cents> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number =
            are_digits(whole) && are_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        let (cents, rest) = fraction.split_at(fraction.len().min(2));
        if !is_number || whole.len() > 15 || rest.bytes().any(|byte| byte != b'0') {
            return None;
        }
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
        let cents = number(whole)? * 100 + number(&format!("{cents:0<2}"))?;
        Some(Cents(if is_negative { -cents } else { cents }))
    }
}

/// What lines add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    sum: Cents,
    /// Whether an amount could not be added.
    is_unknown: bool,
}

impl Lines {
    pub(crate) fn add(&mut self, text: &str) {
        match Cents::parse(text).and_then(|amount| self.sum.0.checked_add(amount.0)) {
            Some(sum) => self.sum = Cents(sum),
            None => self.is_unknown = true,
        }
    }

    fn sum(&self) -> Option<Cents> {
        (!self.is_unknown).then_some(self.sum)
    }
}

/// Adds a finding for every total that does not follow from the others. What is not said is not judged here.
pub(crate) fn check(invoice: &Invoice, report: &mut Report) {
    let cents = |field| invoice.cents(field).map(|amount| amount.0);
    let or_none = |field| match invoice.first(field) {
        None => Some(0),
        Some(_) => cents(field),
    };
    let sum = |parts: [Option<i64>; 3]| parts.into_iter().try_fold(0_i64, |sum, part| sum.checked_add(part?));
    let minus = |amount: Option<i64>| amount.map(|amount| -amount);
    let lines = sum([invoice.lines.sum().map(|amount| amount.0), Some(0), Some(0)]);
    let exclusive =
        sum([cents(Field::LineTotal), minus(or_none(Field::Allowances)), or_none(Field::Charges)]);
    let tax = if invoice.first(Field::Tax).is_some() { invoice.tax().map(|tax| tax.0) } else { Some(0) };
    let inclusive = sum([cents(Field::TaxExclusive), tax, Some(0)]);
    let payable = sum([cents(Field::TaxInclusive), minus(or_none(Field::Prepaid)), or_none(Field::Rounding)]);
    // The extension knows payments of others and lines within lines.
    let is_extended = invoice.first(Field::Customization).is_some_and(|it| it.contains("#conformant#"));
    for (rule, said, follows, is_judged) in [
        ("BR-CO-10", Field::LineTotal, lines, !is_extended),
        ("BR-CO-13", Field::TaxExclusive, exclusive, true),
        ("BR-CO-15", Field::TaxInclusive, inclusive, true),
        ("BR-CO-16", Field::Payable, payable, !is_extended),
    ] {
        if let (true, Some(said), Some(follows)) = (is_judged, cents(said), follows)
            && said != follows
        {
            report.add(Finding::error("xrechnung.totals").with("name", rule));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_to_the_cent() {
        for (text, cents) in [
            ("12829.69", Some(1_282_969)),
            ("6037.5", Some(603_750)),
            ("20", Some(2_000)),
            ("10.000000", Some(1_000)),
            ("-0.05", Some(-5)),
            (".5", Some(50)),
            ("7.", Some(700)),
            ("0.001", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1e3", None),
            ("1,00", None),
            ("9999999999999999", None),
        ] {
            assert_eq!(Cents::parse(text).map(|amount| amount.0), cents, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_of_cents_is_read_back(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            let sign = if cents < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
            prop_assert_eq!(Cents::parse(&text), Some(Cents(cents)));
        }
    }
}
