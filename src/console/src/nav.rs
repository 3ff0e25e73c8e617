//! The way through the pages: what stands in the navigation of whom.

use model::Action;

/// One place of the navigation.
pub(crate) struct Place {
    /// Path below the console.
    pub(crate) path: &'static str,
    pub(crate) german: &'static str,
    pub(crate) english: &'static str,
    /// Whoever has one of these rights sees it.
    pub(crate) rights: &'static [Action],
}

/// Places with a common heading.
pub(crate) struct Section {
    pub(crate) german: &'static str,
    pub(crate) english: &'static str,
    pub(crate) places: &'static [Place],
}

const fn place(
    path: &'static str,
    german: &'static str,
    english: &'static str,
    rights: &'static [Action],
) -> Place {
    Place { path, german, english, rights }
}

/// The whole navigation, in order.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        german: "Schreibtisch",
        english: "Desk",
        places: &[
            place("/desk", "Zu entscheiden", "To decide", &[Action::WorkTasks]),
            place("/cases", "Vorgänge", "Cases", &[Action::ReadCases]),
            place("/payments", "Zahlungen", "Payments", &[Action::WriteClaims, Action::DecideMoney]),
            place("/post", "Post", "Post", &[Action::WorkTasks]),
            place("/dispatches", "Versand", "Dispatches", &[Action::ReadCases]),
        ],
    },
    Section {
        german: "Betrieb",
        english: "Operation",
        places: &[
            place("/overview", "Überblick", "Overview", &[Action::Operate]),
            place("/messages", "Nachrichten", "Messages", &[Action::ReadMessages]),
            place("/partners", "Partner", "Partners", &[Action::ReadPartners]),
            place("/adapters", "Adapter", "Adapters", &[Action::Operate]),
            place("/schemas", "Schemapakete", "Schema packs", &[Action::Operate]),
            place("/figures", "Kennzahlen", "Figures", &[Action::Operate]),
            place("/alerts", "Alarme", "Alerts", &[Action::Operate]),
        ],
    },
    Section {
        german: "Nachweis",
        english: "Evidence",
        places: &[
            place("/evidence", "Beweise", "Evidence", &[Action::ReadEvidence]),
            place("/audit", "Protokoll", "Audit log", &[Action::ReadAudit]),
            place("/retention", "Aufbewahrung", "Retention", &[Action::HoldRecords, Action::Erase]),
            place("/persons", "Personen", "Persons", &[Action::ExportPersons]),
        ],
    },
    Section {
        german: "Verwaltung",
        english: "Administration",
        places: &[
            place("/approvals", "Freigaben", "Approvals", &[]),
            place("/users", "Benutzer", "Users", &[Action::ManageUsers]),
            place("/tokens", "Zugänge von Systemen", "Tokens", &[Action::ManageTokens]),
        ],
    },
];
