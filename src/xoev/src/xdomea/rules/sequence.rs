//! The place of a message among those of its type (xdomea 4.0.0, documentation of LfdNrNachrichtProTyp and
//! UUIDUrsprungsnachricht).

use model::{Finding, Severity};

use super::found::{Found, Spot};
use super::uuids::uuid;

/// What the message says of itself.
#[derive(Default)]
pub(super) struct Sequence {
    own: Option<u128>,
    /// LfdNrNachrichtProTyp, if it is a number from 1.
    pub(super) number: Option<u64>,
}

impl Sequence {
    /// nachrichtenUUID; whether it is the message's own, which is the first one: it stands in the header.
    pub(super) fn own(&mut self, text: &str) -> bool {
        let is_first = self.own.is_none();
        if is_first {
            self.own = uuid(text);
        }
        is_first
    }

    /// UUIDUrsprungsnachricht: not the message itself.
    pub(super) fn answered(&self, text: &str, severity: Severity, found: &mut Found, spot: &dyn Spot) {
        if self.own.is_some() && uuid(text) == self.own {
            found.add(Finding::new("xdomea.answers-itself", severity), spot);
        }
    }

    /// LfdNrNachrichtProTyp: from 1.
    pub(super) fn number(&mut self, text: &str, severity: Severity, found: &mut Found, spot: &dyn Spot) {
        self.number = text.parse().ok().filter(|number| *number > 0);
        if self.number.is_none() {
            found.add(Finding::new("xdomea.sequence", severity), spot);
        }
    }

    /// GesamtanzahlNachrichtenProTyp: not less than the number.
    pub(super) fn total(&self, text: &str, severity: Severity, found: &mut Found, spot: &dyn Spot) {
        let total: Option<u64> = text.parse().ok().filter(|total| *total > 0);
        let is_below = total.zip(self.number).is_some_and(|(total, number)| number > total);
        if total.is_none() || is_below {
            found.add(Finding::new("xdomea.sequence", severity), spot);
        }
    }
}
