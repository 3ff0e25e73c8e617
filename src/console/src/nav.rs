//! The way through the pages: what stands in the navigation of whom. A place is offered to those whom its page lets in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::Method;

use crate::route::Needs;
use crate::router::routes;

/// One place of the navigation.
pub(crate) struct Place {
    /// Path below the console.
    pub(crate) path: &'static str,
    pub(crate) german: &'static str,
    pub(crate) english: &'static str,
}

/// Places with a common heading.
pub(crate) struct Section {
    pub(crate) german: &'static str,
    pub(crate) english: &'static str,
    pub(crate) places: &'static [Place],
}

const fn place(path: &'static str, german: &'static str, english: &'static str) -> Place {
    Place { path, german, english }
}

/// What each page needs.
static NEEDS: LazyLock<BTreeMap<&'static str, Needs>> = LazyLock::new(|| {
    let pages = routes().into_iter().filter(|route| route.method == Method::GET);
    pages.map(|route| (route.path, route.needs)).collect()
});

/// What the page at a path needs; `None` if there is none.
pub(crate) fn needs(path: &str) -> Option<Needs> {
    NEEDS.get(path).copied()
}

/// The whole navigation, in order.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        german: "Schreibtisch",
        english: "Desk",
        places: &[
            place("/desk", "Zu entscheiden", "To decide"),
            place("/cases", "Vorgänge", "Cases"),
            place("/payments", "Zahlungen", "Payments"),
            place("/post", "Post", "Post"),
            place("/dispatches", "Versand", "Dispatches"),
        ],
    },
    Section {
        german: "Betrieb",
        english: "Operation",
        places: &[
            place("/overview", "Überblick", "Overview"),
            place("/messages", "Nachrichten", "Messages"),
            place("/partners", "Partner", "Partners"),
            place("/adapters", "Adapter", "Adapters"),
            place("/schemas", "Schemapakete", "Schema packs"),
            place("/figures", "Kennzahlen", "Figures"),
            place("/alerts", "Alarme", "Alerts"),
        ],
    },
    Section {
        german: "Nachweis",
        english: "Evidence",
        places: &[
            place("/evidence", "Beweise", "Evidence"),
            place("/audit", "Protokoll", "Audit log"),
            place("/retention", "Aufbewahrung", "Retention"),
            place("/persons", "Personen", "Persons"),
        ],
    },
    Section {
        german: "Verwaltung",
        english: "Administration",
        places: &[
            place("/approvals", "Freigaben", "Approvals"),
            place("/users", "Benutzer", "Users"),
            place("/tokens", "Zugänge von Systemen", "Tokens"),
        ],
    },
];
