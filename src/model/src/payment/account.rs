//! By which way claims are paid and booked: the provider, the bank account, the cash system, and which one of these makes
//! Sollstellung and Kassenzeichen. Exactly one does.

use serde::{Deserialize, Serialize};

/// A way by which claims are paid and booked, as configured (`[[payment_account]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name within the tenant.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// Public services whose claims go by it; empty: any of the tenant.
    pub services: Vec<String>,
    /// Provider for online payments; absent: only transfers.
    pub provider: Option<String>,
    /// Who makes Sollstellung and Kassenzeichen.
    pub registers: Registers,
    /// How the Kassenzeichen is made, where the gateway makes it.
    pub numbering: Numbering,
    /// How money that was paid online arrives.
    pub payouts: Payouts,
    /// The bank account.
    pub bank: Option<Bank>,
    /// Unit on whose desk contradictions land; absent: that of the claim.
    pub unit: Option<String>,
    /// Haushaltsstelle or Produktsachkonto of claims that have no lines of their own.
    pub budget_item: Option<String>,
    /// Objekt or Kostenstelle of such claims.
    pub cost_object: Option<String>,
    /// Name of the format of files for the cash system.
    pub format: String,
}

/// Who makes Sollstellung and Kassenzeichen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registers {
    /// This gateway: it numbers claims, and tells the cash system of each ([`BookingKind::Claim`](super::BookingKind::Claim)).
    Gateway,
    /// The cash system: whoever creates a claim brings its Kassenzeichen along, or the cash system assigns it later.
    CashSystem,
    /// The payment provider: the Kassenzeichen comes with its answer, and it makes the Sollstellung.
    Provider,
}

/// How the gateway makes a Kassenzeichen: prefix, running number, check digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// What stands in front.
    pub prefix: String,
    /// Digits of the running number.
    pub digits: u8,
    /// Whether a check digit by ISO 7064 MOD 11,10 stands at the end (as in BZÜ); needs a prefix of digits.
    pub check_digit: bool,
}

/// How money that was paid online arrives on the bank account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payouts {
    /// Each payment as a line of its own, with its Kassenzeichen: such a line is the same money, not money once more.
    Single,
    /// Many payments in one line, less fees: a line with a Kassenzeichen is a transfer of its own.
    Collective,
}

/// A bank account.
#[derive(Clone, PartialEq, Eq)]
pub struct Bank {
    /// Who holds it, at most 70 characters.
    pub holder: String,
    /// IBAN without blanks.
    pub iban: String,
    /// BIC, where one is wanted.
    pub bic: Option<String>,
}

/// Account numbers never reach a log.
impl std::fmt::Debug for Bank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bank(…)")
    }
}

impl Numbering {
    /// The Kassenzeichen with the running number `count`; `None` once the digits are used up.
    pub fn reference(&self, count: u64) -> Option<String> {
        let digits = usize::from(self.digits);
        let number = format!("{count:0digits$}");
        if number.len() > digits {
            return None;
        }
        let text = format!("{}{number}", self.prefix);
        match self.check_digit {
            true => Some(format!("{text}{}", check_digit(&text)?)),
            false => Some(text),
        }
    }
}

/// The check digit of ISO 7064 MOD 11,10, as behind the twelve digits of a BZÜ reference; `None` if `digits` has anything else in it.
pub fn check_digit(digits: &str) -> Option<char> {
    let mut product = 10;
    for char in digits.chars() {
        let sum = (char.to_digit(10)? + product) % 10;
        product = (if sum == 0 { 10 } else { sum } * 2) % 11;
    }
    char::from_digit((11 - product) % 10, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_digit_is_that_of_the_published_example() {
        assert_eq!(check_digit("100845456115"), Some('8'));
        assert_eq!(check_digit("42A"), None);
    }

    #[test]
    fn numbers_have_all_their_digits_and_never_more() {
        let numbering = Numbering { prefix: "42".into(), digits: 4, check_digit: false };
        assert_eq!(numbering.reference(7).as_deref(), Some("420007"));
        assert_eq!(numbering.reference(10_000), None);
        let numbering = Numbering { prefix: "1008".into(), digits: 8, check_digit: true };
        assert_eq!(numbering.reference(45_456_115).as_deref(), Some("1008454561158"));
    }
}
