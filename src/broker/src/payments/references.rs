//! Which claims and payments a line of a bank statement names: by Kassenzeichen, as itself or in an RF reference (ISO 11649), or by the
//! provider's name for a payment.
//!
//! A Kassenzeichen is opaque, so every word that may be one is looked up. Banks break the text of a transfer anywhere, so if no word
//! is known, words that stand side by side are looked up as one.

use std::collections::{BTreeMap, BTreeSet};

use model::Id;
use model::payment::claim::SHORTEST_REFERENCE;
use model::payment::statement::Line;
use store::CASH_REFERENCES;

use super::bank::BankAccount;
use crate::{Broker, Error};

/// Length of what may be a Kassenzeichen or a provider's name, in bytes; shortest one that was put together of several words.
const SHORTEST: usize = SHORTEST_REFERENCE;
const LONGEST: usize = 64;
const SHORTEST_JOINED: usize = 8;

/// Most words of a text that are looked at, and most that are read as one.
const WORDS: usize = 100;
const JOINED: usize = 9;

/// What a line names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Claims.
    pub(super) claims: BTreeSet<Id>,
    /// Payments.
    pub(super) payments: BTreeSet<Id>,
}

/// Names that are known: claims by Kassenzeichen, payments by their providers' names.
pub(super) struct Known {
    claims: BTreeMap<String, Id>,
    payments: BTreeMap<String, BTreeSet<Id>>,
}

impl Broker {
    /// Looks up whatever these lines may name.
    pub(super) async fn known_names(&self, bank: &BankAccount<'_>, lines: &[Line]) -> Result<Known, Error> {
        let mut words = BTreeSet::new();
        for line in lines {
            words.extend(single(line));
            words.extend(joined(&line.text));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut spaces: Vec<&str> =
            bank.sharing.iter().filter_map(|account| account.provider.as_deref()).collect();
        spaces.push(CASH_REFERENCES);
        let mut known = Known { claims: BTreeMap::new(), payments: BTreeMap::new() };
        for (space, name, id) in self.store().reference_owners(bank.tenant(), &spaces, &words).await? {
            match space == CASH_REFERENCES {
                true => drop(known.claims.insert(name, id)),
                false => drop(known.payments.entry(name).or_default().insert(id)),
            }
        }
        Ok(known)
    }
}

impl Known {
    /// What a line names. What was put together counts only if no word by itself is known.
    pub(super) fn of(&self, line: &Line) -> Named {
        let named = self.named(&single(line));
        match named == Named::default() {
            true => self.named(&joined(&line.text)),
            false => named,
        }
    }

    fn named(&self, words: &BTreeSet<String>) -> Named {
        Named {
            claims: words.iter().filter_map(|word| self.claims.get(word)).copied().collect(),
            payments: words.iter().filter_map(|word| self.payments.get(word)).flatten().copied().collect(),
        }
    }
}

/// Words that stand by themselves: in the text, and both references.
fn single(line: &Line) -> BTreeSet<String> {
    let references = [&line.creditor_reference, &line.end_to_end].into_iter().flatten();
    let mut words = BTreeSet::new();
    for reference in references {
        let plain: String = reference.split_whitespace().collect();
        add(&mut words, &plain, SHORTEST);
    }
    for word in line.text.split_whitespace().take(WORDS) {
        add(&mut words, word, SHORTEST);
        for part in word.split(|char: char| !char.is_ascii_alphanumeric()) {
            add(&mut words, part, SHORTEST);
        }
    }
    words
}

/// Neighbours read as one word.
fn joined(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
    let mut joined = BTreeSet::new();
    for first in 0..words.len() {
        let mut whole = String::new();
        for (count, word) in words[first..].iter().take(JOINED).enumerate() {
            whole.push_str(word);
            if whole.len() > LONGEST {
                break;
            }
            if count > 0 {
                add(&mut joined, &whole, SHORTEST_JOINED);
            }
        }
    }
    joined
}

/// A word as it stands, in capitals, and what an RF reference holds. Punctuation around it is none of it; a word without any digit is
/// no reference.
fn add(words: &mut BTreeSet<String>, word: &str, shortest: usize) {
    let word = word.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    let sound = (shortest..=LONGEST).contains(&word.len())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        return;
    }
    let capitals = word.to_ascii_uppercase();
    if let Some(inner) = within_rf(&capitals).filter(|inner| inner.len() >= SHORTEST) {
        words.insert(inner.to_owned());
    }
    words.insert(capitals);
    words.insert(word.to_owned());
}

/// What an RF reference (ISO 11649) is made of, if its check digits are right: letters count from 10 to 35, the first four characters
/// stand at the end, and the whole is 1 modulo 97.
fn within_rf(word: &str) -> Option<&str> {
    let inner = word.strip_prefix("RF")?.get(2..)?;
    let turned = inner.chars().chain(word.chars().take(4));
    let remainder = turned.filter(char::is_ascii_alphanumeric).try_fold(0_u32, |sum, char| {
        let value = char.to_digit(36)?;
        let places = if value > 9 { 100 } else { 10 };
        Some((sum * places + value) % 97)
    })?;
    (remainder == 1 && !inner.is_empty()).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            id: "1".into(),
            iban: String::new(),
            amount_cents: 1,
            currency: "EUR".into(),
            credit: true,
            reversal: false,
            booked: true,
            booked_on: None,
            end_to_end: None,
            creditor_reference: None,
            text: text.into(),
            return_reason: None,
            charges_cents: 0,
            transactions: 1,
        }
    }

    fn finds(text: &str, name: &str) -> bool {
        let known =
            Known { claims: BTreeMap::from([(name.to_owned(), Id::max())]), payments: BTreeMap::new() };
        !known.of(&line(text)).claims.is_empty()
    }

    #[test]
    fn a_published_rf_reference_is_read_and_one_with_a_slip_is_not() {
        assert_eq!(within_rf("RF18539007547034"), Some("539007547034"));
        assert_eq!(within_rf("RF594200000000061"), Some("4200000000061"));
        assert_eq!(within_rf("RF594200000000062"), None);
        assert_eq!(within_rf("RF"), None);
    }

    #[test]
    fn a_kassenzeichen_is_found_however_the_bank_has_broken_the_text() {
        for text in [
            "Kassenzeichen 4200000000061 Gebuehr",
            "KZ:4200000000061, danke",
            "Gebuehr 42000000 00061",
            "RF59 4200 0000 0006 1",
            "SVWZ+4200000000061",
            "Rechnung/4200000000061/2026",
        ] {
            assert!(finds(text, "4200000000061"), "{text}");
        }
        assert!(finds("zu k-7/2026.a bitte", "K-7/2026.A"));
    }

    #[test]
    fn a_kassenzeichen_within_another_number_is_not_meant() {
        for text in ["14200000000061", "42000000000612", "Gebuehr 2026", "42000000 00062"] {
            assert!(!finds(text, "4200000000061"), "{text}");
        }
    }

    #[test]
    fn what_is_put_together_counts_only_if_no_word_is_known() {
        let id = |number: u128| Id::from_u128(number);
        let claims = BTreeMap::from([("42000001".to_owned(), id(1)), ("420000012026".to_owned(), id(2))]);
        let known = Known { claims, payments: BTreeMap::new() };
        assert_eq!(known.of(&line("42000001 2026")).claims, BTreeSet::from([id(1)]));
    }
}
