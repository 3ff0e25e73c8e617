//! The processes of exchanges as one table: state, what comes or goes, next state. Both sides walk the same table, so neither
//! believes what the other cannot have meant. xdomea 2.3.0 to 4.0.0: Abgabe, Information, Geschäftsgang, Aktenplan, Aussonderung.
//!
//! Pure: who sends what, and what the store has to do about it, is the broker's business.

mod deadlines;

use std::collections::BTreeSet;

use crate::exchange::ExchangeKind::{
    self, Catalogue, Circulation, Disposition, FilePlan, Handover, Submission,
};
use crate::exchange::ExchangeStatus::{
    self, Appraised, Confirmed, PartlyConfirmed, Received, Refused, Returned, Sending, Sent,
    TransferReceived, Transferred, Transferring,
};
use crate::exchange::{Exchange, ExchangeMessage, Side};
use crate::standard::Sequence;
use crate::{Timestamp, case::Disposition as Decided};

pub use deadlines::{Awaited, Days, Deadlines, Turn, Waits};

/// What a message does in its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// It opens the process.
    Opening,
    /// Receipt of the opening.
    OpeningReceipt,
    /// The archive's appraisal of what was offered.
    Appraisal,
    /// Receipt of the appraisal.
    AppraisalReceipt,
    /// What was appraised for it goes to the archive. Opens the process where the appraisal is standing.
    Transfer,
    /// Receipt of the transfer.
    TransferReceipt,
    /// What became of the import.
    Outcome,
}

/// Types of xdomea's messages: kind of exchange, part, code, and which side writes it.
const MESSAGES: &[(ExchangeKind, Part, &str, Side)] = &[
    (Handover, Part::Opening, "0401", Side::Sender),
    (Handover, Part::OpeningReceipt, "0403", Side::Receiver),
    (Handover, Part::Outcome, "0402", Side::Receiver),
    (Submission, Part::Opening, "0101", Side::Sender),
    (Submission, Part::OpeningReceipt, "0102", Side::Receiver),
    (Circulation, Part::Opening, "0201", Side::Sender),
    (Circulation, Part::OpeningReceipt, "0202", Side::Receiver),
    (FilePlan, Part::Opening, "0301", Side::Sender),
    (FilePlan, Part::OpeningReceipt, "0302", Side::Receiver),
    (Disposition, Part::Opening, "0501", Side::Sender),
    (Disposition, Part::OpeningReceipt, "0504", Side::Receiver),
    (Disposition, Part::Appraisal, "0502", Side::Receiver),
    (Disposition, Part::AppraisalReceipt, "0505", Side::Sender),
    (Disposition, Part::Transfer, "0503", Side::Sender),
    (Disposition, Part::TransferReceipt, "0507", Side::Receiver),
    (Disposition, Part::Outcome, "0506", Side::Receiver),
    (Catalogue, Part::Opening, "0511", Side::Sender),
    (Catalogue, Part::OpeningReceipt, "0512", Side::Receiver),
    (Catalogue, Part::Appraisal, "0513", Side::Receiver),
    (Catalogue, Part::AppraisalReceipt, "0515", Side::Sender),
    (Catalogue, Part::Outcome, "0514", Side::Sender),
];

/// What a message type is for: the kind of exchange, its part and the side that writes it.
pub fn meaning_of(message_type: &str) -> Option<(ExchangeKind, Part, Side)> {
    let found = MESSAGES.iter().find(|(_, _, known, _)| *known == message_type);
    found.map(|(kind, part, _, author)| (*kind, *part, *author))
}

/// The type of a part's message.
pub fn message_type(kind: ExchangeKind, part: Part) -> Option<&'static str> {
    let found = MESSAGES.iter().find(|(known, known_part, ..)| *known == kind && *known_part == part);
    found.map(|(_, _, message_type, _)| *message_type)
}

impl Part {
    /// What a message of this part answers.
    pub fn answers(self) -> Option<Part> {
        match self {
            Part::Opening | Part::Transfer => None,
            Part::OpeningReceipt | Part::Appraisal => Some(Part::Opening),
            Part::AppraisalReceipt => Some(Part::Appraisal),
            Part::TransferReceipt => Some(Part::Transfer),
            // Of a transfer, an opening or an appraised plan; see `answered`.
            Part::Outcome => None,
        }
    }

    /// The receipt of this part.
    pub fn receipt(self) -> Option<Part> {
        match self {
            Part::Opening => Some(Part::OpeningReceipt),
            Part::Appraisal => Some(Part::AppraisalReceipt),
            Part::Transfer => Some(Part::TransferReceipt),
            _ => None,
        }
    }
}

/// What a message of `part` answers in a process of `kind`.
pub fn answered(kind: ExchangeKind, part: Part) -> Option<Part> {
    match (part, kind) {
        (Part::Outcome, Disposition) => Some(Part::Transfer),
        (Part::Outcome, Catalogue) => Some(Part::Appraisal),
        (Part::Outcome, _) => Some(Part::Opening),
        _ => part.answers(),
    }
}

/// What a message leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It says what is known, or came late: the state stays.
    Stay,
    /// The exchange stands there then.
    To(ExchangeStatus),
    /// Its results decide.
    ByResults,
}

type Row = (&'static [ExchangeKind], Part, &'static [ExchangeStatus], Next);

const ENDED: &[ExchangeStatus] = &[Confirmed, PartlyConfirmed, Refused, Returned];
const BEFORE_RECEIPT: &[ExchangeStatus] = &[Sending, Sent, Received];
const AFTER_APPRAISAL: &[ExchangeStatus] =
    &[Appraised, Transferring, Transferred, TransferReceived, Confirmed, PartlyConfirmed, Refused, Returned];
const ALL_KINDS: &[ExchangeKind] = &[Handover, Submission, Circulation, Disposition, FilePlan, Catalogue];
const APPRAISED_KINDS: &[ExchangeKind] = &[Disposition, Catalogue];

/// The table. What stands in no row is out of turn.
const ROWS: &[Row] = &[
    (ALL_KINDS, Part::OpeningReceipt, BEFORE_RECEIPT, Next::To(Received)),
    (ALL_KINDS, Part::OpeningReceipt, AFTER_APPRAISAL, Next::Stay),
    (&[Handover], Part::Outcome, BEFORE_RECEIPT, Next::ByResults),
    (&[Handover], Part::Outcome, ENDED, Next::ByResults),
    (APPRAISED_KINDS, Part::Appraisal, &[Sending, Sent, Received, Appraised], Next::To(Appraised)),
    (APPRAISED_KINDS, Part::AppraisalReceipt, AFTER_APPRAISAL, Next::Stay),
    (&[Disposition], Part::Transfer, &[Appraised], Next::To(Transferring)),
    (&[Disposition], Part::TransferReceipt, &[Transferring, Transferred], Next::To(TransferReceived)),
    (
        &[Disposition],
        Part::TransferReceipt,
        &[TransferReceived, Confirmed, PartlyConfirmed, Refused],
        Next::Stay,
    ),
    (&[Disposition], Part::Outcome, &[Transferring, Transferred, TransferReceived], Next::ByResults),
    (&[Disposition], Part::Outcome, &[Confirmed, PartlyConfirmed, Refused, Returned], Next::ByResults),
    (&[Catalogue], Part::Outcome, &[Appraised, Confirmed], Next::To(Confirmed)),
];

/// How often the other side may say again, in other words, what it has said of a message.
const MOST_REPEATED: usize = 100;

/// Finding: the message does not fit where its process stands.
pub const OUT_OF_TURN: &str = "exchange.out-of-turn";
/// Finding: an appraisal came after the transfer had begun.
pub const APPRAISED_TOO_LATE: &str = "exchange.appraised-too-late";

impl Exchange {
    /// What a message of `part` leads to here and now.
    ///
    /// # Errors
    /// The rule by which it does not fit.
    pub fn next(&self, part: Part) -> Result<Next, &'static str> {
        let has = |part| {
            let wanted = message_type(self.kind, part);
            // A process may be opened by a message of another standard.
            let opened = part == Part::Opening && !self.messages.is_empty() && !self.is_two_step();
            opened || self.messages.iter().any(|message| Some(message.message_type.as_str()) == wanted)
        };
        if answered(self.kind, part).is_some_and(|answered| !has(answered)) {
            return Err(OUT_OF_TURN);
        }
        let fits = |row: &&Row| row.0.contains(&self.kind) && row.1 == part && row.2.contains(&self.status);
        match ROWS.iter().find(fits) {
            Some((.., Next::To(Transferring))) if self.side == Side::Receiver => {
                Ok(Next::To(TransferReceived))
            }
            Some((.., next)) => Ok(*next),
            None if part == Part::Appraisal => Err(APPRAISED_TOO_LATE),
            None => Err(OUT_OF_TURN),
        }
    }

    /// The newest message of one of these parts; the first of all where the process was opened by another standard's.
    pub fn last_of(&self, one: Part, other: Part) -> Option<crate::Id> {
        let first = self.messages.first().map(|message| message.id);
        let newest = |part| self.messages.iter().rposition(|message| self.is_of(message, part));
        let found = newest(one).max(newest(other)).and_then(|at| self.messages.get(at));
        found.map(|message| message.id).or(first)
    }

    /// Whether `id` is one of its messages.
    pub fn has_message(&self, id: crate::Id) -> bool {
        self.messages.iter().any(|message| message.id == id)
    }

    /// The message of ours that a reply of `part` answers: the one that it names, else the newest of what it answers.
    pub fn answered(&self, part: Part, named: Option<crate::Id>) -> Option<crate::Id> {
        let answered = answered(self.kind, part)?;
        named.filter(|id| self.has_message(*id)).or_else(|| self.last_of(answered, answered))
    }

    /// Whether another receipt of `part` tells nothing new: there is one for each message that it may answer, along a route also for
    /// each station.
    pub fn has_every_receipt(&self, part: Part) -> bool {
        let stations = self.route.as_ref().map_or(0, |route| route.steps.len());
        self.count(part) >= self.count_answered(part).max(stations)
    }

    /// Whether so many replies of `part` have come that another is taken by nobody: whoever has an id for each message (4.0) may
    /// say the same for ever.
    pub fn has_too_many(&self, part: Part) -> bool {
        self.count(part) >= self.count_answered(part).saturating_add(MOST_REPEATED)
    }

    fn count(&self, part: Part) -> usize {
        self.messages.iter().filter(|message| self.is_of(message, part)).count()
    }

    /// How many messages a reply of `part` may answer; at least one.
    fn count_answered(&self, part: Part) -> usize {
        answered(self.kind, part).map_or(0, |answered| self.count(answered)).max(1)
    }

    /// Whether what an authority says of it counts: that of the one that it is with; along a route each station tells the initiator
    /// that the documents have come.
    pub fn hears(&self, from: &crate::Authority) -> bool {
        let along = self.route.as_ref().filter(|_| self.kind == Circulation && self.side == Side::Sender);
        self.partner == *from || along.is_some_and(|route| route.has_station(from))
    }

    /// Whether `id` is a transfer, or one message of it.
    pub fn is_transfer(&self, id: crate::Id) -> bool {
        self.messages.iter().any(|message| message.id == id && self.is_of(message, Part::Transfer))
    }

    /// Whether all messages of `part` are there, where there are several. Each says how many there are at most, so the smallest of
    /// these numbers counts.
    pub fn is_whole(&self, part: Part) -> bool {
        let of = self.messages.iter().filter(|message| self.is_of(message, part));
        let several: Vec<Sequence> = of.filter_map(|message| message.sequence).collect();
        let numbers: BTreeSet<u32> = several.iter().map(|sequence| sequence.number).collect();
        let total = several.iter().map(|sequence| sequence.total).min().unwrap_or(0);
        (1..=total).all(|number| numbers.contains(&number))
    }

    /// Whether the message of `part` with this number is there.
    pub fn has_number(&self, part: Part, number: u32) -> bool {
        let has = |message: &ExchangeMessage| message.sequence.is_some_and(|known| known.number == number);
        self.messages.iter().any(|message| self.is_of(message, part) && has(message))
    }

    fn is_of(&self, message: &ExchangeMessage, part: Part) -> bool {
        Some(message.message_type.as_str()) == message_type(self.kind, part)
    }

    /// Whether a disposition began with the transfer, because the appraisal is standing.
    pub fn is_two_step(&self) -> bool {
        let transfer = message_type(self.kind, Part::Transfer);
        transfer.is_some() && self.messages.first().map(|first| first.message_type.as_str()) == transfer
    }

    /// The state once the message that opens or transfers has gone.
    pub fn when_delivered(&self) -> Option<ExchangeStatus> {
        match self.status {
            Sending => Some(Sent),
            Transferring => Some(Transferred),
            _ => None,
        }
    }

    /// The state once its receiver has said that it has the message that opens or transfers.
    pub fn when_receipted(&self) -> Option<ExchangeStatus> {
        match self.status {
            Sending | Sent => Some(Received),
            Transferring | Transferred => Some(TransferReceived),
            _ => None,
        }
    }

    /// The state once that message came back for a technical reason: a transfer after an offer may be tried again.
    pub fn when_returned(&self) -> ExchangeStatus {
        match self.status {
            Transferring | Transferred | TransferReceived if !self.is_two_step() => Appraised,
            _ => Returned,
        }
    }

    /// The state once a reply of ours came back for a technical reason: it may be given again. Absent if `id` is no reply whose
    /// state this is.
    pub fn when_reply_returned(&self, id: crate::Id) -> Option<ExchangeStatus> {
        let is_last = |part| {
            let last = self.messages.iter().rfind(|message| self.is_of(message, part));
            last.is_some_and(|last| last.id == id)
        };
        let (part, before) = match (self.kind, self.side, self.status) {
            (Disposition | Catalogue, Side::Receiver, Appraised) => (Part::Appraisal, Received),
            (Handover, Side::Receiver, Confirmed | PartlyConfirmed | Refused) => (Part::Outcome, Received),
            (Disposition, Side::Receiver, Confirmed | PartlyConfirmed | Refused) => {
                (Part::Outcome, TransferReceived)
            }
            (Catalogue, Side::Sender, Confirmed) => (Part::Outcome, Appraised),
            _ => return None,
        };
        is_last(part).then_some(before)
    }

    /// What the exchange waits for, and whose turn it is.
    pub fn turn(&self) -> Option<(Turn, Awaited)> {
        use {Awaited as A, Turn::*};
        let receipt_or = |next| if self.wants_receipt { (Partner, A::Receipt) } else { next };
        let something_goes = self.objects.iter().any(|object| object.is_appraised(Decided::Archive))
            || self.exceptions.iter().any(|it| it.appraisal.disposition == Some(Decided::Archive));
        match (self.kind, self.side, self.status) {
            (Handover, Side::Sender, Sent) => Some(receipt_or((Partner, A::Outcome))),
            (Handover, Side::Sender, Received) => Some((Partner, A::Outcome)),
            (Handover, Side::Receiver, Received) => Some((Us, A::Outcome)),
            (Circulation, Side::Receiver, Received) => Some((Us, A::Step)),
            (Circulation, Side::Sender, Received) if self.comes_back() => Some((Partner, A::ComesBack)),
            (Circulation, Side::Sender, Sent) if self.comes_back() => {
                Some(receipt_or((Partner, A::ComesBack)))
            }
            (Submission | Circulation | FilePlan, Side::Sender, Sent) if self.wants_receipt => {
                Some((Partner, A::Receipt))
            }
            (Disposition | Catalogue, Side::Sender, Sent) => Some(receipt_or((Partner, A::Appraisal))),
            (Disposition | Catalogue, Side::Sender, Received) => Some((Partner, A::Appraisal)),
            (Disposition | Catalogue, Side::Receiver, Received) => Some((Us, A::Appraisal)),
            (Disposition, Side::Sender, Appraised) if something_goes => Some((Us, A::Transfer)),
            (Disposition, Side::Receiver, Appraised) if something_goes => Some((Partner, A::Transfer)),
            (Disposition, Side::Sender, Transferred) => Some(receipt_or((Partner, A::Outcome))),
            (Disposition, Side::Sender, TransferReceived) => Some((Partner, A::Outcome)),
            (Disposition, Side::Receiver, TransferReceived) => Some((Us, A::Outcome)),
            (Catalogue, Side::Sender, Appraised) => Some((Us, A::Outcome)),
            (Catalogue, Side::Receiver, Appraised) => Some((Partner, A::Outcome)),
            _ => None,
        }
    }

    /// Sets what is waited for after a change: a new turn begins a new deadline, the same one keeps its own.
    pub fn with_deadline(&mut self, deadlines: &Deadlines, now: Timestamp) {
        let Some((turn, what)) = self.turn() else {
            self.waits = None;
            return;
        };
        if self.waits.as_ref().is_some_and(|waits| (waits.turn, waits.what) == (turn, what)) {
            return;
        }
        let until = now.plus(deadlines.of(self.kind, what));
        self.waits = Some(Waits { turn, what, until, reminders: 0 });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::{Change, Command, Rules, decide};
    use crate::exchange::{Appraisal, ImportResult};
    use crate::{Id, Record, RecordKind, ids};

    const PARTS: [Part; 7] = [
        Part::Opening,
        Part::OpeningReceipt,
        Part::Appraisal,
        Part::AppraisalReceipt,
        Part::Transfer,
        Part::TransferReceipt,
        Part::Outcome,
    ];

    /// An exchange of one object as its sender has begun it.
    fn begun(kind: ExchangeKind, first: Part) -> Exchange {
        let mut exchange = crate::testkit::an_exchange(ids::new_id());
        exchange.kind = kind;
        if first == Part::Transfer {
            exchange.status = Transferring;
            exchange.objects[0].appraisal = Some(Appraisal::of(Decided::Archive));
        }
        exchange.messages.push(noted(kind, first));
        exchange
    }

    fn noted(kind: ExchangeKind, part: Part) -> ExchangeMessage {
        let message_type = message_type(kind, part).unwrap_or("none").to_owned();
        ExchangeMessage::new(ids::new_id(), &message_type, Timestamp::default())
    }

    fn changed(exchange: &Exchange, change: Change) -> Result<Exchange, crate::Error> {
        let command = Command { kind: RecordKind::Exchange, id: exchange.meta.id, expected: None, change };
        let record = Record::Exchange(exchange.clone());
        match decide(Some(&record), &command, Rules::default(), Timestamp::default())?.record {
            Record::Exchange(exchange) => Ok(exchange),
            _ => unreachable!(),
        }
    }

    /// What the broker does with a message of `part`; `None` if it waits for a human.
    fn after(exchange: &Exchange, part: Part, yes: bool) -> Option<Exchange> {
        message_type(exchange.kind, part)?;
        let status = match exchange.next(part).ok()? {
            Next::To(status) => status,
            Next::Stay | Next::ByResults => exchange.status,
        };
        let object = exchange.objects[0].object_id;
        let after = changed(exchange, Change::ExchangeMessage(noted(exchange.kind, part), status)).unwrap();
        let disposition = if yes { Decided::Archive } else { Decided::Destroy };
        match part {
            Part::Appraisal => {
                let appraised = vec![(object, Appraisal::of(disposition))];
                changed(&after, Change::Appraisals(appraised, vec![])).ok()
            }
            Part::Outcome if after.kind != Catalogue => {
                let result = ImportResult { successful: yes, ..ImportResult::default() };
                changed(&after, Change::ImportResults(vec![(object, result)])).ok()
            }
            _ => Some(after),
        }
    }

    fn has(exchange: &Exchange, part: Part) -> bool {
        let wanted = message_type(exchange.kind, part);
        exchange.messages.iter().any(|message| Some(message.message_type.as_str()) == wanted)
    }

    /// What must hold in whatever order messages come, and how often.
    fn check(exchange: &Exchange) {
        let status = exchange.status;
        for part in PARTS.into_iter().filter(|part| has(exchange, *part)) {
            let answered = answered(exchange.kind, part);
            assert!(
                answered.is_none_or(|answered| has(exchange, answered)),
                "{part:?} answers nothing: {exchange:?}"
            );
        }
        let transfers = [Transferring, Transferred, TransferReceived];
        if transfers.contains(&status) && !exchange.is_two_step() {
            assert!(has(exchange, Part::Appraisal) && has(exchange, Part::Transfer), "{exchange:?}");
        }
        if status == Confirmed && exchange.kind != Catalogue {
            assert!(has(exchange, Part::Outcome), "{exchange:?}");
            assert!(exchange.sent_objects().all(super::super::exchange::ExchangeObject::is_imported));
        }
        assert_eq!(exchange.waits.is_some(), exchange.turn().is_some(), "{exchange:?}");
    }

    /// Walks every sequence of messages up to a length, with both outcomes.
    fn walk(exchange: &Exchange, depth: u32, seen: &mut usize) {
        *seen += 1;
        if depth == 0 {
            return;
        }
        for part in PARTS {
            for yes in [true, false] {
                let Some(after) = after(exchange, part, yes) else { continue };
                check(&after);
                if exchange.objects[0].is_imported() {
                    assert!(after.objects[0].is_imported(), "a confirmed import is not taken back");
                }
                walk(&after, depth - 1, seen);
            }
        }
    }

    #[test]
    fn whatever_comes_in_whatever_order_no_process_reaches_a_state_without_its_reasons() {
        let begins = [
            (Handover, Part::Opening),
            (Submission, Part::Opening),
            (Circulation, Part::Opening),
            (Disposition, Part::Opening),
            (Disposition, Part::Transfer),
            (FilePlan, Part::Opening),
            (Catalogue, Part::Opening),
        ];
        for (kind, first) in begins {
            let mut seen = 0;
            walk(&begun(kind, first), 5, &mut seen);
            assert!(seen > 1, "{kind:?} goes nowhere");
        }
    }

    #[test]
    fn every_type_has_one_meaning_and_every_meaning_one_type() {
        for (kind, part, code, author) in MESSAGES {
            assert_eq!(meaning_of(code), Some((*kind, *part, *author)));
            assert_eq!(message_type(*kind, *part), Some(*code));
        }
    }

    #[test]
    fn an_exchange_takes_no_messages_without_end() {
        let mut full = begun(Handover, Part::Opening);
        let next = || Change::ExchangeMessage(noted(Handover, Part::OpeningReceipt), Received);
        assert!(!full.has_every_receipt(Part::OpeningReceipt));
        full = changed(&full, next()).unwrap();
        assert!(full.has_every_receipt(Part::OpeningReceipt));
        let outcomes = |count| [full.messages.clone(), vec![noted(Handover, Part::Outcome); count]].concat();
        let after = |count| Exchange { messages: outcomes(count), ..full.clone() };
        assert!(!after(100).has_too_many(Part::Outcome) && after(101).has_too_many(Part::Outcome));
        full.messages = vec![noted(Handover, Part::Outcome); crate::exchange::MOST_MESSAGES];
        assert_eq!(changed(&full, next()).unwrap_err(), crate::Error::Invalid { field: "messages" });
    }

    #[test]
    fn a_disposition_in_four_steps_passes_all_its_states() {
        let mut exchange = begun(Disposition, Part::Opening);
        let mut states = vec![];
        for part in &PARTS[1..] {
            exchange = after(&exchange, *part, true).unwrap_or_else(|| panic!("{part:?} {exchange:?}"));
            states.push(exchange.status);
        }
        assert_eq!(states, [Received, Appraised, Appraised, Transferring, TransferReceived, Confirmed]);
        assert_eq!(exchange.next(Part::Appraisal), Err(APPRAISED_TOO_LATE));
    }

    proptest! {
        #[test]
        fn both_sides_of_a_process_come_to_the_same_end(all in prop::collection::vec((0_usize..7, any::<bool>()), 0..40)) {
            let mut ours = begun(Disposition, Part::Opening);
            let mut theirs = Exchange { side: Side::Receiver, status: Received, ..ours.clone() };
            for (index, yes) in all {
                // The author walks first; what it cannot mean it does not send.
                let part = PARTS[index];
                let Some((.., author)) = message_type(Disposition, part).and_then(meaning_of) else { continue };
                let (from, to) = if author == Side::Sender { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
                let Some(sent) = after(from, part, yes) else { continue };
                *from = sent;
                if let Some(came) = after(to, part, yes) {
                    *to = came;
                }
            }
            let end = |exchange: &Exchange| exchange.objects[0].clone();
            prop_assert_eq!(end(&ours), end(&theirs));
        }
    }

    #[test]
    fn an_object_that_is_not_part_of_it_is_refused() {
        let exchange = begun(Disposition, Part::Opening);
        let strange = vec![(Id::nil(), Appraisal::of(Decided::Archive))];
        assert!(changed(&exchange, Change::Appraisals(strange, vec![])).is_err());
    }
}
