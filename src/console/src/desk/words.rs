//! How states and kinds are called on the pages of the desk, German and English.

use broker::LineState;
use maud::{Markup, html};
use model::activity::{CallState, DispatchKind, DispatchStatus, InteractionStatus, ProofKind, TaskStatus};
use model::exchange::{ExchangeKind, ExchangeStatus};
use model::letter::HintKind;
use model::payment::booking::{BookingKind, BookingState};
use model::payment::{ClaimStatus, PaymentStatus, RefundStatus};
use model::{EventKind, Message, MessageState, RecordKind};

use crate::page::Look;

/// A state as a coloured word: how it stands, and both words.
pub(super) type State = (&'static str, &'static str, &'static str);

/// The word of a state.
pub(super) fn shown(look: &Look, (class, german, english): State) -> Markup {
    html! { span class={ "state " (class) } { (look.of_two(german, english)) } }
}

/// What a code means, in the language of the page; the code itself if no page explains it.
pub(super) fn meaning(look: &Look, code: &str) -> String {
    let sentence = model::catalog::sentence(code);
    sentence.map_or_else(|| code.to_owned(), |it| look.of_two(&it.de, &it.en).to_owned())
}

pub(super) fn task(status: TaskStatus) -> State {
    match status {
        TaskStatus::Open => ("warn", "offen", "open"),
        TaskStatus::Assigned => ("", "in Arbeit", "being worked on"),
        TaskStatus::Done => ("good", "erledigt", "done"),
        TaskStatus::Cancelled => ("", "entfallen", "not needed any more"),
    }
}

pub(super) fn record(status: &str) -> State {
    match status {
        "received" => ("warn", "übernommen, Import offen", "received, not imported yet"),
        "closed" => ("", "zu den Akten", "closed"),
        "locked" => ("bad", "gesperrt (abgegeben)", "locked (handed over)"),
        "destroyed" => ("bad", "vernichtet", "destroyed"),
        _ => ("good", "in Bearbeitung", "open"),
    }
}

pub(super) fn letter(status: InteractionStatus) -> State {
    match status {
        InteractionStatus::Open => ("warn", "zuzuordnen", "to be filed"),
        InteractionStatus::Filed => ("good", "zugeordnet", "filed"),
        InteractionStatus::Dismissed => ("", "ohne Vorgang abgelegt", "put away without a case"),
    }
}

/// How something came in.
pub(super) fn way_in<'a>(look: &Look, kind: &'a str) -> &'a str {
    match kind {
        "scan" => look.of_two("Gescannter Brief", "Scanned letter"),
        "mail" => look.of_two("E-Mail", "E-mail"),
        "call" => look.of_two("Anruf", "Telephone call"),
        "visit" => look.of_two("Vorsprache", "Visit"),
        "portal" => look.of_two("Bürgerseite", "Citizens' page"),
        other => other,
    }
}

/// How something goes out.
pub(super) fn way_out<'a>(look: &Look, way: Option<&'a str>) -> &'a str {
    match way {
        Some("print") => look.of_two("Druck im Haus", "Printed in the house"),
        Some("hybrid") => look.of_two("Hybridpost", "Hybrid mail"),
        Some("mail") => look.of_two("E-Mail", "E-mail"),
        Some("portal") => look.of_two("Bürgerseite", "Citizens' page"),
        Some("push") => look.of_two("Benachrichtigung aufs Gerät", "Push message"),
        Some("fit-connect") => look.of_two("Bundespostfach", "Federal mailbox"),
        Some("letter") => look.of_two("Brief von Hand", "Letter by hand"),
        Some("call") => look.of_two("Anruf", "Telephone call"),
        Some(other) => other,
        None => look.of_two("nicht durch Amtsbote", "not by Amtsbote"),
    }
}

pub(super) fn call(state: CallState) -> State {
    match state {
        CallState::Wanted => ("warn", "soll geführt werden", "to be made"),
        CallState::Ringing => ("warn", "klingelt", "ringing"),
        CallState::Answered => ("good", "wird geführt", "being spoken"),
        CallState::Ended => ("good", "geführt", "spoken"),
        CallState::Missed => ("bad", "verpasst", "missed"),
        CallState::Busy => ("warn", "besetzt", "engaged"),
        CallState::CallBack => ("warn", "Rückruf gewünscht", "wants to be called back"),
        CallState::Failed => ("bad", "kam nicht zustande", "could not be made"),
        CallState::Unknown => ("", "Ausgang unbekannt", "outcome unknown"),
    }
}

pub(super) fn because(hint: HintKind) -> (&'static str, &'static str) {
    match hint {
        HintKind::RecordReference => ("Aktenzeichen oder anderes Kennzeichen", "reference of a case"),
        HintKind::CashReference => ("Kassenzeichen", "reference of the cash office"),
        HintKind::Phone => ("Telefonnummer", "telephone number"),
        HintKind::Unit => ("Organisationseinheit", "unit"),
        HintKind::Recipient => ("Empfänger", "addressee"),
    }
}

pub(super) fn message(message: &Message) -> State {
    match message.state {
        MessageState::Accepted => ("warn", "angenommen, wird verarbeitet", "taken in, being processed"),
        MessageState::Processed => ("good", "verarbeitet, liegt im Postfach", "processed, in the mailbox"),
        MessageState::Preparing => ("warn", "wird erstellt", "being built"),
        MessageState::Ready => ("warn", "wartet auf Versand", "waits to be sent"),
        MessageState::Delivered => ("good", "zugestellt", "delivered"),
        MessageState::Confirmed => ("good", "bestätigt", "confirmed"),
        MessageState::Returned => ("bad", "zurückgegeben", "returned"),
        MessageState::Parked => ("bad", "wartet auf Klärung", "waits to be clarified"),
    }
}

/// Whether a message is on its way by itself.
pub(super) fn is_moving(message: &Message) -> bool {
    matches!(message.state, MessageState::Accepted | MessageState::Preparing | MessageState::Ready)
}

pub(super) fn exchange_kind(kind: ExchangeKind) -> (&'static str, &'static str) {
    match kind {
        ExchangeKind::Handover => ("Abgabe", "Hand-over"),
        ExchangeKind::Submission => ("Aktenvorlage", "Submission of files"),
        ExchangeKind::Circulation => ("Geschäftsgang", "Circulation"),
        ExchangeKind::Disposition => ("Aussonderung", "Disposition"),
        ExchangeKind::FilePlan => ("Austausch eines Aktenplans", "Exchange of a file plan"),
        ExchangeKind::Catalogue => ("Bewertung eines Aktenplans", "Appraisal of a file plan"),
    }
}

pub(super) fn exchange(status: ExchangeStatus) -> State {
    match status {
        ExchangeStatus::Sending => ("warn", "wird gesendet", "being sent"),
        ExchangeStatus::Sent => ("", "zugestellt", "delivered"),
        ExchangeStatus::Received => ("", "beim Empfänger", "with the receiver"),
        ExchangeStatus::Appraised => ("", "bewertet", "appraised"),
        ExchangeStatus::Transferring => ("warn", "wird übergeben", "being transferred"),
        ExchangeStatus::Transferred => ("", "übergeben", "transferred"),
        ExchangeStatus::TransferReceived => ("", "im Archiv eingegangen", "taken in by the archive"),
        ExchangeStatus::Confirmed => ("good", "importiert", "imported"),
        ExchangeStatus::PartlyConfirmed => ("warn", "teilweise importiert", "partly imported"),
        ExchangeStatus::Refused => ("bad", "abgelehnt", "refused"),
        ExchangeStatus::Returned => ("bad", "zurückgegeben", "returned"),
    }
}

pub(super) fn claim(status: ClaimStatus) -> State {
    match status {
        ClaimStatus::Open => ("warn", "offen", "open"),
        ClaimStatus::PartlyPaid => ("warn", "teilweise bezahlt", "partly paid"),
        ClaimStatus::Paid => ("good", "bezahlt", "paid"),
        ClaimStatus::Overpaid => ("bad", "überzahlt", "overpaid"),
        ClaimStatus::Cancelled => ("", "storniert", "cancelled"),
    }
}

pub(super) const PAYMENTS: [PaymentStatus; 10] = [
    PaymentStatus::Created,
    PaymentStatus::Started,
    PaymentStatus::Pending,
    PaymentStatus::Paid,
    PaymentStatus::Failed,
    PaymentStatus::Cancelled,
    PaymentStatus::Expired,
    PaymentStatus::PartlyRefunded,
    PaymentStatus::Refunded,
    PaymentStatus::ChargedBack,
];

pub(super) fn payment(status: PaymentStatus) -> State {
    match status {
        PaymentStatus::Created => ("", "angelegt", "created"),
        PaymentStatus::Started => ("warn", "begonnen", "started"),
        PaymentStatus::Pending => ("warn", "schwebend", "pending"),
        PaymentStatus::Paid => ("good", "bezahlt", "paid"),
        PaymentStatus::Failed => ("bad", "fehlgeschlagen", "failed"),
        PaymentStatus::Cancelled => ("", "abgebrochen", "cancelled"),
        PaymentStatus::Expired => ("", "abgelaufen", "expired"),
        PaymentStatus::PartlyRefunded => ("warn", "teilweise erstattet", "partly refunded"),
        PaymentStatus::Refunded => ("warn", "erstattet", "refunded"),
        PaymentStatus::ChargedBack => ("bad", "zurückgebucht", "charged back"),
    }
}

pub(super) fn refund(status: RefundStatus) -> State {
    match status {
        RefundStatus::Asked => ("warn", "beantragt", "asked for"),
        RefundStatus::Agreed => ("warn", "freigegeben", "agreed to"),
        RefundStatus::Declined => ("", "abgelehnt", "declined"),
        RefundStatus::Withdrawn => ("", "zurückgezogen", "withdrawn"),
        RefundStatus::Done => ("good", "erstattet", "given back"),
        RefundStatus::Refused => ("bad", "vom Anbieter abgelehnt", "refused by the provider"),
        RefundStatus::Unclear => ("bad", "unklar", "unclear"),
    }
}

pub(super) fn booking(kind: BookingKind) -> (&'static str, &'static str) {
    match kind {
        BookingKind::Claim => ("Sollstellung", "Claim booked"),
        BookingKind::Receipt => ("Zahlungseingang gebucht", "Receipt booked"),
        BookingKind::Refund => ("Erstattung gebucht", "Refund booked"),
        BookingKind::Chargeback => ("Rückbuchung gebucht", "Chargeback booked"),
        BookingKind::Cancellation => ("Storno gebucht", "Cancellation booked"),
    }
}

pub(super) fn booked(state: BookingState) -> State {
    match state {
        BookingState::Open => ("warn", "der Kasse noch nicht übergeben", "not handed to the cash office yet"),
        BookingState::HandedOver => ("", "der Kasse übergeben", "handed to the cash office"),
        BookingState::Acknowledged => ("good", "von der Kasse gebucht", "booked by the cash office"),
        BookingState::Refused => ("bad", "von der Kasse abgelehnt", "refused by the cash office"),
    }
}

pub(super) const LINES: [LineState; 4] =
    [LineState::Unmatched, LineState::Matched, LineState::Settled, LineState::Ignored];

/// What became of a line of a bank statement.
pub(super) fn statement_line(state: LineState) -> State {
    match state {
        LineState::Unmatched => ("warn", "zu entscheiden", "to be decided"),
        LineState::Matched => ("good", "einer Forderung zugeordnet", "belongs to a claim"),
        LineState::Settled => ("good", "gehört zu bekannten Zahlungen", "belongs to known payments"),
        LineState::Ignored => ("", "beiseitegelegt", "put aside"),
    }
}

/// Why a line belongs to nothing.
pub(super) fn unmatched<'a>(look: &Look, why: &'a str) -> &'a str {
    match why {
        "unknown" => look.of_two("nennt nichts Bekanntes", "names nothing that is known"),
        "several" => look.of_two("nennt mehreres", "names several"),
        "other account" => look.of_two("nennt, was ein anderes Konto hat", "names what has another account"),
        "batch" => look.of_two("fasst mehrere Umsätze zusammen", "sums up several transactions"),
        "currency" => look.of_two("andere Währung", "another currency"),
        "returned" => look.of_two("eigenes Geld, das zurückkam", "money of ours that came back"),
        "debit" => look.of_two("eigene Abbuchung", "a debit of ours"),
        "nothing left" => look.of_two("nichts mehr da, was zurückgehen kann", "nothing is left to go back"),
        "nothing" => look.of_two("ohne Betrag", "without an amount"),
        "reference used twice" => {
            look.of_two("Kennung der Bank doppelt vergeben", "the bank has used its reference twice")
        }
        "refused" => look.of_two("ließ sich nicht buchen", "could not be booked"),
        other => other,
    }
}

pub(super) const DISPATCHES: [DispatchStatus; 7] = [
    DispatchStatus::Open,
    DispatchStatus::Accepted,
    DispatchStatus::Posted,
    DispatchStatus::Provided,
    DispatchStatus::Retrieved,
    DispatchStatus::Returned,
    DispatchStatus::Failed,
];

pub(super) fn dispatch(status: DispatchStatus) -> State {
    match status {
        DispatchStatus::Open => ("warn", "noch nicht übernommen", "nobody carries it yet"),
        DispatchStatus::Accepted => ("", "übernommen", "accepted by the carrier"),
        DispatchStatus::Posted => ("good", "zur Post gegeben", "posted"),
        DispatchStatus::Provided => ("good", "bereitgestellt", "provided"),
        DispatchStatus::Retrieved => ("good", "abgerufen", "retrieved"),
        DispatchStatus::Returned => ("bad", "zurückgekommen", "came back"),
        DispatchStatus::Failed => ("bad", "nicht befördert", "not carried"),
    }
}

pub(super) fn dispatch_kind(kind: DispatchKind) -> (&'static str, &'static str) {
    match kind {
        DispatchKind::Notification => ("Mitteilung", "Notification"),
        DispatchKind::Disclosure => ("Bekanntgabe (§ 41 VwVfG)", "Disclosure (§ 41 VwVfG)"),
        DispatchKind::FormalService => ("Zustellung (VwZG)", "Formal service (VwZG)"),
    }
}

pub(super) fn proof(kind: ProofKind) -> (&'static str, &'static str) {
    match kind {
        ProofKind::PostalRecord => ("Postzustellungsurkunde", "postal record of service"),
        ProofKind::RegisteredMail => ("Einschreiben", "registered mail"),
        ProofKind::Acknowledgement => ("Empfangsbekenntnis", "acknowledgement of receipt"),
        ProofKind::RetrievalRecord => ("Abholbestätigung", "record of the retrieval"),
        ProofKind::SignedEvent => ("signiertes Ereignis", "signed event"),
    }
}

pub(super) fn kind(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::CaseFile => ("Akte", "Case file"),
        RecordKind::Case => ("Vorgang", "Case"),
        RecordKind::Document => ("Dokument", "Document"),
        RecordKind::Exchange => ("Austausch", "Exchange"),
        RecordKind::Task => ("Aufgabe", "Task"),
        RecordKind::Interaction => ("Kontakt", "Contact"),
        RecordKind::Dispatch => ("Versand", "Dispatch"),
        RecordKind::Decision => ("Bescheid", "Decision"),
        RecordKind::Claim => ("Forderung", "Claim"),
        RecordKind::Payment => ("Zahlung", "Payment"),
    }
}

/// What happened.
pub(super) fn event(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::RecordCreated => ("angelegt", "created"),
        EventKind::RecordChanged => ("geändert", "changed"),
        EventKind::ReferenceAssigned => ("Aktenzeichen vergeben", "got its reference"),
        EventKind::RecordPlaced => ("zugeordnet", "filed"),
        EventKind::RecordLocked => ("gesperrt", "locked"),
        EventKind::RecordReleased => ("freigegeben", "released"),
        EventKind::RecordAppraised => ("bewertet", "appraised"),
        EventKind::RecordHeld => ("Löschsperre gesetzt", "barred from destruction"),
        EventKind::HoldLifted => ("Löschsperre aufgehoben", "bar to destruction lifted"),
        EventKind::RecordDestroyed => ("vernichtet", "destroyed"),
        EventKind::ContentAdded => ("Datei hinzugefügt", "file added"),
        EventKind::MessageAccepted => ("Nachricht angenommen", "message taken in"),
        EventKind::MessageRefused => ("Nachricht abgewiesen", "message refused"),
        EventKind::MessageProcessed => ("Nachricht verarbeitet", "message processed"),
        EventKind::MessagePrepared => ("Nachricht erstellt", "message built"),
        EventKind::MessageDelivered => ("Nachricht zugestellt", "message delivered"),
        EventKind::DeliveryFailed => ("Zustellversuch gescheitert", "delivery tried and failed"),
        EventKind::MessageReceived => ("Nachricht beim Empfänger", "message with its recipient"),
        EventKind::MessageConfirmed => ("Nachricht bestätigt", "message confirmed"),
        EventKind::MessageReturned => ("Nachricht zurückgegeben", "message returned"),
        EventKind::MessageParked => ("Klärungsfall eröffnet", "waits to be clarified"),
        EventKind::MessageResent => ("Nachricht erneut versucht", "message tried again"),
        EventKind::MessageRepaired => ("Nachricht berichtigt", "message mended"),
        EventKind::MessageForwarded => ("Nachricht weitergeleitet", "message forwarded"),
        EventKind::ExchangeReceived => ("Austausch eingegangen", "exchange received"),
        EventKind::ImportConfirmed => ("Import bestätigt", "import confirmed"),
        EventKind::ExchangeAppraised => ("Anbietung bewertet", "offer appraised"),
        EventKind::ExchangeOverdue => ("Austausch überfällig", "exchange overdue"),
        EventKind::TaskOverdue => ("Aufgabe überfällig", "task overdue"),
        EventKind::TaskEscalated => ("Aufgabe eskaliert", "another unit was asked"),
        EventKind::PaymentNotified => ("Meldung des Zahlungsanbieters", "provider's notification"),
        EventKind::PaymentStarted => ("Zahlung begonnen", "payment started"),
        EventKind::PaymentPaid => ("bezahlt", "paid"),
        EventKind::PaymentEnded => ("Zahlung beendet", "payment ended"),
        EventKind::PaymentUnclear => ("Widerspruch gefunden", "contradiction found"),
        EventKind::PaymentCleared => ("Widerspruch entschieden", "contradiction decided"),
        EventKind::RefundAsked => ("Erstattung beantragt", "refund asked for"),
        EventKind::RefundDeclined => ("Erstattung abgelehnt", "refund declined"),
        EventKind::RefundWithdrawn => ("Erstattungsantrag zurückgezogen", "refund withdrawn"),
        EventKind::PaymentRefunded => ("erstattet", "given back"),
        EventKind::PaymentChargedBack => ("von der Bank zurückgebucht", "charged back by the bank"),
        EventKind::ClaimCancelled => ("Forderung storniert", "claim cancelled"),
        EventKind::ClaimPaid => ("Zahlung auf die Forderung", "paid towards the claim"),
        EventKind::ChannelDelivered => ("an ein Verfahren übergeben", "handed to a system"),
        EventKind::ChannelParked => ("Übergabe wartet auf Klärung", "hand-over waits to be clarified"),
        EventKind::ChannelResent => ("Übergabe erneut versucht", "hand-over tried again"),
        EventKind::ChannelDropped => ("Übergabe aufgegeben", "hand-over given up"),
        EventKind::ChannelNoted => ("Rückmeldung eines Verfahrens", "noted by a system"),
        EventKind::EvidenceExported => ("Beweise ausgegeben", "evidence exported"),
        EventKind::PayloadErased => ("Inhalt gelöscht", "content erased"),
        EventKind::EventErased => ("Ereignis gelöscht", "event erased"),
        _ => ("sonstiges Ereignis", "other event"),
    }
}
