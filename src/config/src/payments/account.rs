//! `[[payment_account]]`: by which way claims are paid and booked.

use model::payment::account::{Account, Bank, Numbering, Payouts, Registers};
use model::payment::claim::SHORTEST_REFERENCE;
use serde::{Deserialize, Serialize};

use super::{CsvFormat, FileFormat};
use crate::check::Check;
use crate::{Config, Error};

/// Longest Kassenzeichen, and longest name of who holds a bank account, in characters.
const MOST_REFERENCE: usize = 36;
const MOST_HOLDER: usize = 70;

/// `[[payment_account]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentAccount {
    /// Name within the tenant.
    pub id: String,
    /// The tenant.
    pub tenant: String,
    /// Public services whose claims go by it; none named: any.
    #[serde(default)]
    pub services: Vec<String>,
    /// Who takes payments online; absent: only transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Who makes Sollstellung and Kassenzeichen.
    pub registers: Registers,
    /// How the gateway makes a Kassenzeichen; needed where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbering: Option<Numbers>,
    /// How money that was paid online arrives.
    #[serde(default = "collective")]
    pub payouts: Payouts,
    /// The bank account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<BankAccount>,
    /// Unit on whose desk contradictions land; absent: that of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Haushaltsstelle or Produktsachkonto of claims that have no lines of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_item: Option<String>,
    /// Objekt or Kostenstelle of such claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_object: Option<String>,
    /// Format of files for the cash system.
    #[serde(default)]
    pub format: FileFormat,
    /// What CSV looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvFormat>,
}

/// How the gateway makes a Kassenzeichen.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// What stands in front.
    #[serde(default)]
    pub prefix: String,
    /// Digits of the running number.
    pub digits: u8,
    /// Whether a check digit by ISO 7064 MOD 11,10 stands at the end.
    #[serde(default)]
    pub check_digit: bool,
}

/// A bank account.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BankAccount {
    /// Who holds it.
    pub holder: String,
    /// IBAN, with or without blanks.
    pub iban: String,
    /// BIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bic: Option<String>,
}

fn collective() -> Payouts {
    Payouts::Collective
}

impl PaymentAccount {
    /// Name of its format among those of all accounts: each may have settings of its own.
    pub fn format_name(&self) -> String {
        format!("{}/{}", self.tenant, self.id)
    }

    /// As the broker wants it.
    pub fn account(&self) -> Account {
        let none = Numbers { prefix: String::new(), digits: 1, check_digit: false };
        let numbers = self.numbering.as_ref().unwrap_or(&none);
        Account {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            services: self.services.clone(),
            provider: self.provider.clone(),
            registers: self.registers,
            numbering: Numbering {
                prefix: numbers.prefix.clone(),
                digits: numbers.digits,
                check_digit: numbers.check_digit,
            },
            payouts: self.payouts,
            bank: self.bank.as_ref().map(BankAccount::bank),
            unit: self.unit.clone(),
            budget_item: self.budget_item.clone(),
            cost_object: self.cost_object.clone(),
            format: self.format_name(),
        }
    }
}

impl BankAccount {
    fn bank(&self) -> Bank {
        Bank { holder: self.holder.clone(), iban: plain(&self.iban), bic: self.bic.clone() }
    }
}

impl Check<'_> {
    pub(super) fn payment_account(
        &self,
        key: &str,
        account: &PaymentAccount,
        config: &Config,
    ) -> Result<(), Error> {
        self.note(self.name(&format!("{key}.id"), &account.id));
        self.note(self.payment_unit(key, &account.tenant, account.unit.as_ref(), config));
        for (index, service) in account.services.iter().enumerate() {
            self.note(self.name(&format!("{key}.services[{index}]"), service));
        }
        self.note(self.provider_of(key, account, config));
        self.note(self.numbering(&format!("{key}.numbering"), account));
        if let Some(bank) = &account.bank {
            self.note(self.bank(&format!("{key}.bank"), bank));
        }
        for (name, text) in [("budget_item", &account.budget_item), ("cost_object", &account.cost_object)] {
            if let Some(text) = text {
                self.note(self.title(&format!("{key}.{name}"), text));
            }
        }
        match (&account.csv, account.format) {
            (Some(csv), FileFormat::Csv) => self.csv(&format!("{key}.csv"), csv),
            (Some(_), _) => Err(self.value(&format!("{key}.csv"), "the format is another")),
            (None, _) => Ok(()),
        }
    }

    fn provider_of(&self, key: &str, account: &PaymentAccount, config: &Config) -> Result<(), Error> {
        let key = format!("{key}.provider");
        let Some(provider) = &account.provider else {
            return match account.registers {
                Registers::Provider => {
                    Err(self.value(&key, "there is no provider that makes the Sollstellung"))
                }
                Registers::Gateway | Registers::CashSystem => Ok(()),
            };
        };
        let is_ours =
            |tenant: &Option<String>| tenant.as_ref().is_none_or(|tenant| *tenant == account.tenant);
        let mut providers = config.payment_providers.iter();
        let is_known = providers.any(|known| known.id == *provider && is_ours(&known.tenant));
        self.defined(&key, "payment provider", is_known)
    }

    fn numbering(&self, key: &str, account: &PaymentAccount) -> Result<(), Error> {
        let numbers = match (&account.numbering, account.registers) {
            (Some(numbers), Registers::Gateway) => numbers,
            (None, Registers::Gateway) => {
                return Err(
                    self.value(key, "who makes the Kassenzeichen has to know how: { prefix, digits }")
                );
            }
            (Some(_), _) => return Err(self.value(key, "somebody else makes the Kassenzeichen")),
            (None, _) => return Ok(()),
        };
        self.note(self.number(&format!("{key}.digits"), numbers.digits.into(), 4, 18));
        let prefix = numbers.prefix.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-./".contains(byte);
        if prefix.len() > MOST_REFERENCE - 19 || !prefix.iter().all(is_plain) {
            return Err(self.value(&format!("{key}.prefix"), "expected at most 17 of A-Z a-z 0-9 - . /"));
        }
        if prefix.len() + usize::from(numbers.digits) < SHORTEST_REFERENCE {
            let rule = "prefix and digits are less than 6 characters: such a Kassenzeichen is found in texts by chance";
            return Err(self.value(&format!("{key}.digits"), rule));
        }
        match numbers.check_digit && !prefix.iter().all(u8::is_ascii_digit) {
            true => Err(self.value(&format!("{key}.prefix"), "a check digit needs a prefix of digits")),
            false => Ok(()),
        }
    }

    fn bank(&self, key: &str, bank: &BankAccount) -> Result<(), Error> {
        let holder = bank.holder.trim();
        let is_text = !holder.is_empty() && !holder.chars().any(char::is_control);
        if !is_text || holder.chars().count() > MOST_HOLDER {
            return Err(self.value(&format!("{key}.holder"), "expected 1 to 70 characters"));
        }
        if !is_iban(&plain(&bank.iban)) {
            return Err(self.value(&format!("{key}.iban"), "expected an IBAN; its check digits are wrong"));
        }
        let is_bic = |bic: &String| {
            let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            matches!(bic.len(), 8 | 11) && bic.bytes().all(upper)
        };
        match bank.bic.as_ref().is_none_or(is_bic) {
            true => Ok(()),
            false => Err(self.value(&format!("{key}.bic"), "expected a BIC: 8 or 11 letters and digits")),
        }
    }
}

fn plain(iban: &str) -> String {
    iban.chars().filter(|char| *char != ' ').collect()
}

/// ISO 13616: country, check digits by ISO 7064 MOD 97-10, at most 30 more; German ones have 22 characters.
fn is_iban(iban: &str) -> bool {
    let is_plain = iban.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let Some((head, rest)) = iban.split_at_checked(4) else { return false };
    let starts = head.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && head.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    if !is_plain
        || !starts
        || !(15..=34).contains(&iban.len())
        || (head.starts_with("DE") && iban.len() != 22)
    {
        return false;
    }
    let digits = rest.chars().chain(head.chars()).filter_map(|char| char.to_digit(36));
    let rest = digits.fold(0, |rest, digit| match digit {
        0..=9 => (rest * 10 + digit) % 97,
        _ => (rest * 100 + digit) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::is_iban;

    #[test]
    fn check_digits_of_an_iban_are_looked_at() {
        for iban in [
            "DE89370400440532013000",
            "DE02120300000000202051",
            "AT611904300234573201",
            "GB29NWBK60161331926819",
        ] {
            assert!(is_iban(iban), "{iban}");
        }
        for iban in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "de89370400440532013000",
            "89",
            "",
            "DE",
            "ÄÖ89370400440532013000",
        ] {
            assert!(!is_iban(iban), "{iban}");
        }
    }
}
