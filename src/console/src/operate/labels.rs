//! What states, doors, kinds of events and sides are called on the pages.

use broker::BreakerState;
use model::clarification::Side;
use model::message::{Direction, Door, Severity};
use model::{EventKind, MessageState};

use crate::page::Look;

/// Name of a state.
pub(crate) fn state(look: &Look, state: MessageState) -> &'static str {
    let (german, english) = match state {
        MessageState::Accepted => ("angenommen", "accepted"),
        MessageState::Processed => ("im Postfach", "in the mailbox"),
        MessageState::Preparing => ("wird erstellt", "being built"),
        MessageState::Ready => ("wartet auf Versand", "waits to be sent"),
        MessageState::Delivered => ("zugestellt", "delivered"),
        MessageState::Confirmed => ("bestätigt", "confirmed"),
        MessageState::Returned => ("zurückgegeben", "returned"),
        MessageState::Parked => ("Klärungsfall", "needs clarification"),
    };
    look.words.of(german, english)
}

/// Class of the badge of a state.
pub(crate) fn state_class(state: MessageState) -> &'static str {
    match state {
        MessageState::Confirmed => "state good",
        MessageState::Returned => "state warn",
        MessageState::Parked => "state bad",
        _ => "state",
    }
}

/// Name of a direction.
pub(crate) fn direction(look: &Look, direction: Direction) -> &'static str {
    match direction {
        Direction::In => look.words.of("Eingang", "in"),
        Direction::Out => look.words.of("Ausgang", "out"),
    }
}

/// Name of a door.
pub(crate) fn door(look: &Look, door: Door) -> &'static str {
    match door {
        Door::Rest => look.words.of("Schnittstelle (REST)", "interface (REST)"),
        Door::Local => look.words.of("im Haus", "within the house"),
        Door::Adapter => look.words.of("Adapter", "adapter"),
        Door::Osci => "OSCI-Transport",
        Door::Xta => "XTA",
        _ => look.words.of("anderer Weg", "another way"),
    }
}

/// Name of a transport of the directory.
pub(crate) fn transport<'a>(look: &Look, name: &'a str) -> &'a str {
    match name {
        "local" => look.words.of("im Haus", "within the house"),
        "adapter" => "Adapter",
        "osci" => "OSCI-Transport",
        "xta" => "XTA",
        other => other,
    }
}

/// How bad a finding is.
pub(crate) fn severity(look: &Look, severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("state bad", look.words.of("Fehler", "error")),
        Severity::Warning => ("state warn", look.words.of("Warnung", "warning")),
        Severity::Info => ("state", look.words.of("Hinweis", "info")),
    }
}

/// Who has to act.
pub(crate) fn side(look: &Look, side: Side) -> &'static str {
    match side {
        Side::Sender => look.words.of("der Absender", "the sender"),
        Side::Recipient => look.words.of("der Empfänger", "the recipient"),
        Side::Us => look.words.of("dieses Haus", "this house"),
    }
}

/// State of a breaker: class and name.
pub(crate) fn breaker(look: &Look, state: BreakerState) -> (&'static str, &'static str) {
    match state {
        BreakerState::Closed => ("state good", look.words.of("läuft", "working")),
        BreakerState::HalfOpen => ("state warn", look.words.of("wird geprobt", "being tried")),
        BreakerState::Open => ("state bad", look.words.of("unterbrochen", "interrupted")),
    }
}

/// The name of a kind in JSON.
pub(crate) fn kind_name(kind: EventKind) -> String {
    let name = serde_json::to_value(kind).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// What happened, in words. What has no words of its own is named as in the interface.
pub(crate) fn event(look: &Look, kind: EventKind) -> String {
    let (german, english) = match kind {
        EventKind::RecordCreated => ("Datensatz angelegt", "record created"),
        EventKind::RecordChanged => ("Datensatz geändert", "record changed"),
        EventKind::RecordHeld => ("Löschsperre gesetzt", "barred from destruction"),
        EventKind::HoldLifted => ("Löschsperre aufgehoben", "bar on destruction lifted"),
        EventKind::RecordDestroyed => ("Datensatz vernichtet", "record destroyed"),
        EventKind::ReferenceAssigned => ("Aktenzeichen vergeben", "file reference given"),
        EventKind::RecordPlaced => ("einem Vorgang zugeordnet", "placed in a case"),
        EventKind::RecordLocked => ("nach der Abgabe gesperrt", "locked after the hand-over"),
        EventKind::RecordReleased => ("wieder zur Bearbeitung frei", "may be changed again"),
        EventKind::RecordAppraised => ("Datensatz bewertet", "record appraised"),
        EventKind::DestructionAsked => ("Vernichtung beantragt", "destruction asked for"),
        EventKind::DestructionRefused => ("Vernichtung abgelehnt", "destruction refused"),
        EventKind::TaskOverdue => ("Aufgabe überfällig", "task overdue"),
        EventKind::TaskEscalated => ("Aufgabe an andere Einheit gegeben", "task given to another unit"),
        EventKind::PaymentNotified => ("Zahlung gemeldet", "payment notified"),
        EventKind::PaymentStarted => ("Zahlung begonnen", "payment begun"),
        EventKind::PaymentPaid => ("bezahlt", "paid"),
        EventKind::PaymentEnded => ("Zahlung ohne Geldeingang beendet", "payment ended without money"),
        EventKind::PaymentUnclear => ("Zahlung unklar", "payment unclear"),
        EventKind::PaymentRefunded => ("erstattet", "refunded"),
        EventKind::PaymentChargedBack => ("Zahlung zurückgebucht", "payment charged back"),
        EventKind::ClaimPaid => ("Forderung beglichen", "claim paid"),
        EventKind::ContentAdded => ("Datei hinzugefügt", "file added"),
        EventKind::MessageAccepted => ("Nachricht angenommen", "message taken in"),
        EventKind::MessageRefused => ("an der Tür abgelehnt", "refused at the door"),
        EventKind::MessageProcessed => ("geprüft und übersetzt", "checked and translated"),
        EventKind::MessagePrepared => ("erstellt und geprüft", "built and checked"),
        EventKind::MessageDelivered => ("zugestellt", "delivered"),
        EventKind::DeliveryFailed => ("Zustellversuch gescheitert", "attempt to deliver failed"),
        EventKind::MessageReceived => ("beim Empfänger eingegangen", "received by the recipient"),
        EventKind::MessageConfirmed => ("vom Empfänger bestätigt", "confirmed by the recipient"),
        EventKind::MessageReturned => ("zurückgegeben", "returned"),
        EventKind::MessageParked => ("zur Klärung zurückgestellt", "parked for clarification"),
        EventKind::MessageResent => ("noch einmal versucht", "tried again"),
        EventKind::MessageRepaired => ("Inhalt berichtigt", "content mended"),
        EventKind::MessageForwarded => ("weitergeleitet", "forwarded"),
        EventKind::OperationStarted => ("Sammelvorgang begonnen", "work on many begun"),
        EventKind::ExchangeReceived => ("Austausch: Empfang bestätigt", "exchange: receipt confirmed"),
        EventKind::ImportConfirmed => ("Austausch: Import bestätigt", "exchange: import confirmed"),
        EventKind::ExchangeAppraised => ("Austausch: bewertet", "exchange: appraised"),
        EventKind::ExchangeOverdue => ("Austausch überfällig", "exchange overdue"),
        EventKind::PaymentCleared => ("Zahlung geklärt", "payment cleared"),
        EventKind::RefundAsked => ("Erstattung beantragt", "refund asked for"),
        EventKind::RefundDeclined => ("Erstattung abgelehnt", "refund declined"),
        EventKind::RefundWithdrawn => ("Erstattungsantrag zurückgezogen", "refund withdrawn"),
        EventKind::ClaimCancelled => ("Forderung aufgehoben", "claim cancelled"),
        EventKind::StatementTaken => ("Kontoauszug übernommen", "bank statement taken in"),
        EventKind::LineDecided => ("Kontozeile zugeordnet", "statement line decided"),
        EventKind::BookingsHandedOver => ("Buchungen übergeben", "bookings handed over"),
        EventKind::ChannelParked => ("Adapter-Meldung zurückgestellt", "adapter delivery parked"),
        EventKind::ChannelResent => ("Adapter-Meldung erneut versucht", "adapter delivery tried again"),
        EventKind::ChannelDropped => ("Adapter-Meldung verworfen", "adapter delivery dropped"),
        EventKind::ChannelDelivered => ("Adapter-Meldung zugestellt", "adapter delivery made"),
        EventKind::ChannelNoted => ("vom Adapter gemeldet", "noted by the adapter"),
        EventKind::BookingsAcknowledged => ("Buchungen quittiert", "bookings acknowledged"),
        EventKind::StoreBackedUp => ("Datensicherung erstellt", "store backed up"),
        EventKind::StoreRestored => ("Datensicherung zurückgespielt", "store restored"),
        EventKind::KeysRewrapped => ("Schlüssel umgeschlüsselt", "keys rewrapped"),
        EventKind::ConfigurationReloaded => ("Konfiguration neu geladen", "configuration reloaded"),
        EventKind::ConfigurationChanged => ("Konfiguration geändert", "configuration changed"),
        EventKind::SchemasChanged => ("Schemapakete geändert", "schema packs changed"),
        EventKind::EvidenceKeyChanged => ("Beweisschlüssel gewechselt", "evidence key changed"),
        EventKind::PayloadErased => ("Inhalt gelöscht", "content erased"),
        EventKind::EventErased => ("Ereignisinhalt gelöscht", "event erased"),
        EventKind::EvidenceExported => ("Beweise exportiert", "evidence exported"),
        EventKind::PartnerRetried => {
            ("Zustellung an Partner neu angestoßen", "deliveries to partner retried")
        }
        EventKind::PartnerChanged => ("Partner geändert", "partner changed"),
        EventKind::DirectoryChanged => ("Verzeichnis geändert", "directory changed"),
        EventKind::TokenChanged => ("Systemzugang geändert", "token changed"),
        EventKind::SubscriptionChanged => ("Abonnement geändert", "subscription changed"),
        EventKind::UserChanged => ("Benutzer geändert", "user changed"),
        EventKind::UserSignedIn => ("angemeldet", "signed in"),
        EventKind::UserRefused => ("Anmeldung abgelehnt", "sign-in refused"),
        EventKind::UserLockedOut => ("Anmeldung muss warten", "sign-in has to wait"),
        EventKind::UserSignedOut => ("abgemeldet", "signed out"),
        EventKind::ApprovalAsked => ("Freigabe beantragt", "approval asked for"),
        EventKind::ApprovalAgreed => ("Freigabe erteilt", "approval given"),
        EventKind::ApprovalRefused => ("Freigabe verweigert", "approval refused"),
        EventKind::ApprovalWithdrawn => ("Antrag zurückgezogen", "request withdrawn"),
        EventKind::ContentDisclosed => ("freigegebenen Inhalt gelesen", "released content read"),
        EventKind::RetentionBegun => ("Löschlauf begonnen", "run of deletion begun"),
        EventKind::RetentionEnded => ("Löschlauf beendet", "run of deletion ended"),
        EventKind::PersonSought => ("Nach einer Person gesucht", "person looked for"),
        EventKind::PersonExported => ("Auskunft über eine Person erteilt", "person exported"),
        EventKind::PersonErasureAsked => ("Löschung einer Person beantragt", "erasure of a person asked for"),
        EventKind::PersonErased => ("Person gelöscht", "person erased"),
        EventKind::AlertTested => ("Probealarm gesendet", "test alert sent"),
        other => return kind_name(other),
    };
    look.words.of(german, english).to_owned()
}
