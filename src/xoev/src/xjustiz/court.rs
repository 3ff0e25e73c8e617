//! A court's file number (Aktenzeichen): kept with the court that gave it, and told only to that court. Under a wrong number a submission
//! would become part of somebody else's proceedings.

use std::collections::BTreeSet;

use model::case::{Description, Reference};
use model::standard::Endpoint;

use super::draft::line;

/// Kind of the reference that is a court's file number.
pub const COURT_REFERENCE: &str = "court";
/// Kind of the reference that is the code of the court (list GDS.Gerichte) whose file number stands beside it.
pub const COURT_CODE: &str = "court-code";

/// What the header of a message says of its sender.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// Its code, if it is a court.
    pub(super) court: Option<String>,
    /// Its file number; the first counts.
    pub(super) number: Option<String>,
}

impl Sender {
    /// Keeps the number if it is a court's.
    pub(super) fn keep(self, description: &mut Description) {
        let (Some(court), Some(number)) = (self.court, self.number) else { return };
        for (kind, value) in [(COURT_REFERENCE, number), (COURT_CODE, court)] {
            description.references.push(Reference { kind: kind.to_owned(), value: line(&value) });
        }
    }
}

/// The file numbers of courts that the records of a submission have.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    numbers: BTreeSet<Option<String>>,
    courts: BTreeSet<String>,
}

impl Numbers {
    /// Takes note of a record at the top. A document without a number goes with whatever the others are about.
    pub(super) fn note(&mut self, description: &Description, is_document: bool) {
        let said =
            |kind| description.reference(kind).filter(|value| !value.trim().is_empty()).map(str::to_owned);
        let number = said(COURT_REFERENCE);
        if number.is_none() && is_document {
            return;
        }
        self.numbers.insert(number);
        self.courts.extend(said(COURT_CODE));
    }

    /// Whether any record has one.
    pub(super) fn are_there(&self) -> bool {
        self.numbers.iter().any(Option::is_some)
    }

    /// The one that all records have, if it is of this court. Whoever writes a number to a record by hand need not say of which court it is.
    pub(super) fn of(self, court: &Endpoint) -> Option<String> {
        let key = court.authority.as_ref().map(ToString::to_string).unwrap_or_default();
        let code = key.split_once(':').map_or("", |(_, code)| code);
        let is_its_own = self.courts.iter().all(|known| known.eq_ignore_ascii_case(code));
        if self.numbers.len() > 1 || !is_its_own {
            return None;
        }
        self.numbers.into_iter().next().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: &str, court: &str) -> Description {
        let references = [(COURT_REFERENCE, number), (COURT_CODE, court)];
        let references = references.map(|(kind, value)| Reference { kind: kind.into(), value: value.into() });
        Description { references: references.into(), ..Description::default() }
    }

    fn told(records: &[(Description, bool)]) -> Option<String> {
        let mut numbers = Numbers::default();
        records.iter().for_each(|(record, is_document)| numbers.note(record, *is_document));
        let authority = Some("gericht:R3203".parse().unwrap());
        numbers.of(&Endpoint { authority, ..Endpoint::default() })
    }

    #[test]
    fn a_court_is_told_its_own_number_only() {
        let own = || (record("8 K 17/26", "R3203"), false);
        let by_hand = || (record("8 K 17/26", ""), false);
        let letter = || (record("", ""), true);
        for records in [vec![own()], vec![by_hand()], vec![letter(), own(), by_hand()]] {
            assert_eq!(told(&records).as_deref(), Some("8 K 17/26"), "{records:?}");
        }
        let others = (record("8 K 17/26", "R3201"), false);
        let second = (record("9 K 1/26", "R3203"), false);
        let none = (record("", ""), false);
        for records in [vec![others.clone()], vec![own(), others], vec![own(), second], vec![own(), none]] {
            assert_eq!(told(&records), None, "{records:?}");
        }
        assert_eq!(told(&[letter()]), None);
    }
}
