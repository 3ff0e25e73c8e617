//! A bank account as its statements are of: several ways of paying may share one, and then they share its lines, so that the same money
//! is never seen twice.

use model::payment::Account;
use store::StatementLine;

use super::Payments;

/// Characters of the digest that names a bank account in the store: the account's number itself is not needed there.
const KEY: usize = 32;

/// The bank account of an account.
pub(super) struct BankAccount<'a> {
    /// The account whose statement it is.
    pub(super) account: &'a Account,
    /// The account's number, without blanks and in capitals.
    pub(super) iban: String,
    /// Its name in the store.
    pub(super) key: String,
    /// All accounts of the tenant that are paid to it.
    pub(super) sharing: Vec<&'a Account>,
}

impl Payments {
    /// The bank account of an account; `None` if it has none.
    pub(super) fn bank_of<'a>(&'a self, account: &'a Account) -> Option<BankAccount<'a>> {
        let iban = plain(&account.bank.as_ref()?.iban);
        let shares = |other: &&Account| {
            other.tenant == account.tenant
                && other.bank.as_ref().is_some_and(|bank| plain(&bank.iban) == iban)
        };
        let digest = seal::sha256(&[b"bank:", iban.as_bytes()]).to_string();
        let key = format!("bank:{}", digest.chars().take(KEY).collect::<String>());
        Some(BankAccount { account, key, sharing: self.accounts.iter().filter(shares).collect(), iban })
    }
}

impl<'a> BankAccount<'a> {
    /// The tenant.
    pub(super) fn tenant(&self) -> &'a str {
        &self.account.tenant
    }

    /// Whoever adds lines, or decides about one, takes the next number of this counter: so each sees what the others did.
    pub(super) fn counter(&self) -> String {
        format!("lines:{}", self.key)
    }

    /// One of the accounts that are paid to it, by its name.
    pub(super) fn sharing(&self, account: &str) -> Option<&'a Account> {
        self.sharing.iter().find(|known| known.id == account).copied()
    }

    /// A line as whoever asked for the account sees it.
    pub(super) fn shown(&self, line: StatementLine) -> StatementLine {
        StatementLine { account: self.account.id.clone(), ..line }
    }
}

/// An IBAN without blanks and in capitals.
pub(super) fn plain(iban: &str) -> String {
    iban.chars().filter(|char| !char.is_whitespace()).map(|char| char.to_ascii_uppercase()).collect()
}
