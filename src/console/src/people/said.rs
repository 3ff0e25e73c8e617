//! Roles and rights in words, and states of users.

use broker::UserState;
use maud::{Markup, html};
use model::rights::Within;
use model::{Action, Role, Timestamp};

use crate::page::Look;

/// A role.
pub(super) fn role<'a>(look: &Look, role: Role) -> &'a str {
    let (german, english) = match role {
        Role::Clerk => ("Sachbearbeitung", "Case worker"),
        Role::System => ("Fachverfahren", "Line-of-business system"),
        Role::RecordKeeping => ("Aktenführendes System", "Record-keeping system"),
        Role::RecordsManager => ("Schriftgutverwaltung", "Records management"),
        Role::Cashier => ("Kasse", "Cash office"),
        Role::Operator => ("Betrieb", "Operation"),
        Role::Auditor => ("Revision", "Audit"),
        Role::Admin => ("Verwaltung des Gateways", "Administration"),
    };
    look.of_two(german, english)
}

/// Roles, by their names alone.
pub(super) fn role_names(look: &Look, all: &[Role]) -> String {
    all.iter().map(|it| role(look, *it)).collect::<Vec<_>>().join(", ")
}

/// As it is named in forms.
pub(super) fn name_of(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a right allows.
fn action<'a>(look: &Look, action: Action) -> Option<&'a str> {
    let (german, english) = match action {
        Action::ReadCases => ("Akten, Vorgänge und Dokumente sehen", "see case files, cases and documents"),
        Action::WriteCases => ("sie anlegen und ändern", "create and change them"),
        Action::ReadContent => {
            ("Inhalte von Dokumenten und Nachrichten lesen", "read contents of documents and messages")
        }
        Action::WorkTasks => ("Aufgaben bearbeiten", "work on tasks"),
        Action::Exchange => ("mit anderen Behörden austauschen", "exchange with other authorities"),
        Action::UseInbox => ("das Postfach der Behörde abholen", "fetch from the authority's mailbox"),
        Action::ConfirmImport => ("Importe bestätigen", "confirm imports"),
        Action::Appraise => ("Angebote an das Archiv bewerten", "appraise offers to the archive"),
        Action::HoldRecords => ("Akten vor der Vernichtung schützen", "bar records from destruction"),
        Action::DestroyRecords => ("ausgesonderte Akten vernichten", "destroy what was disposed of"),
        Action::WriteClaims => ("Forderungen anlegen und stornieren", "create and cancel claims"),
        Action::DecideMoney => {
            ("über Erstattungen und Widersprüche entscheiden", "decide about refunds and contradictions")
        }
        Action::KeepCash => ("Kassenbücher führen", "keep the cash books"),
        Action::SendMessages => ("Nachrichten einliefern", "bring in messages"),
        Action::ReadMessages => (
            "Nachrichten und ihren Stand sehen, ohne Inhalt",
            "see messages and their state, without content",
        ),
        Action::ClearMessages => (
            "über einzelne Nachrichten entscheiden: erneut senden, berichtigen, zurückgeben, weiterleiten",
            "decide about single messages: resend, mend, return, forward",
        ),
        Action::RepairMessages => (
            "viele Nachrichten auf einmal und Übergaben erneut versuchen",
            "try many messages at once, and hand-overs, again",
        ),
        Action::ReadEvents => ("Ereignisse lesen", "read events"),
        Action::ReadEvidence => ("Beweise ausgeben und prüfen", "export and verify evidence"),
        Action::Erase => ("Inhalte unwiderruflich löschen", "erase contents for good"),
        Action::ReadPartners => ("Partner sehen", "see partners"),
        Action::ManagePartners => ("Partner ändern", "change partners"),
        Action::ManageTokens => {
            ("Zugänge von Systemen anlegen und beenden", "create and end tokens of systems")
        }
        Action::Subscribe => ("Ereignisse abonnieren", "subscribe to events"),
        Action::Operate => ("den Betrieb überwachen", "watch over the operation"),
        Action::ReadAudit => ("das Protokoll lesen", "read the audit log"),
        Action::ManageUsers => ("Benutzer anlegen, ändern und sperren", "create, change and lock users"),
        Action::ReleaseContent => {
            ("anderen Einsicht auf Zeit freigeben", "release contents to others for a time")
        }
        Action::ExportPersons => ("Auskunft zu Personen ausgeben", "export what is known of a person"),
        _ => return None,
    };
    Some(look.of_two(german, english))
}

/// What roles allow, each with its rights.
pub(super) fn roles(look: &Look, all: &[Role]) -> Markup {
    html! {
        @if all.is_empty() { p { (look.of_two("Keine Rolle: nichts ist erlaubt.", "No role: nothing is allowed.")) } }
        @else {
            dl {
                @for it in all {
                    dt { (role(look, *it)) }
                    dd { (allows(look, *it)) }
                }
            }
        }
    }
}

/// What a role allows.
pub(super) fn allows(look: &Look, role: Role) -> String {
    let words: Vec<&str> = role.actions().iter().filter_map(|it| action(look, *it)).collect();
    words.join(", ")
}

/// Units or services.
pub(super) fn within(look: &Look, within: &Within) -> String {
    match within {
        Within::All => look.of_two("alle", "all").to_owned(),
        Within::Only(names) if names.is_empty() => look.of_two("keine", "none").to_owned(),
        Within::Only(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

/// The state of a user.
pub(super) fn state(look: &Look, state: UserState) -> Markup {
    let (class, german, english) = match state {
        UserState::Active => ("state good", "aktiv", "active"),
        UserState::Locked => ("state warn", "gesperrt", "locked"),
        UserState::Disabled => ("state bad", "stillgelegt", "disabled"),
    };
    html! { span class=(class) { (look.of_two(german, english)) } }
}

/// A moment: day and time.
pub(super) fn when(look: &Look, at: Timestamp) -> String {
    format!("{}, {}", look.words.date(at), look.words.clock(at))
}
