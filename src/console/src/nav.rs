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

/// What the page at a path needs; `None` if there is none. A path that is written out comes before one with names in braces.
pub(crate) fn needs(path: &str) -> Option<Needs> {
    let named = || NEEDS.iter().find(|(page, _)| is_at(page, path)).map(|(_, needs)| needs);
    NEEDS.get(path).or_else(named).copied()
}

/// Whether a path is that of a page, whose own has names in braces.
fn is_at(page: &str, path: &str) -> bool {
    let mut steps = page.split('/').zip(path.split('/'));
    page.split('/').count() == path.split('/').count()
        && steps.all(|(known, step)| known == step || (known.starts_with('{') && !step.is_empty()))
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
            place("/statement-lines", "Kontoauszüge", "Bank statements"),
            place("/post", "Post", "Post"),
            place("/dispatches", "Versand", "Dispatches"),
            place("/dispositions", "Aussonderung", "Dispositions"),
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

#[cfg(test)]
mod tests {
    use model::Action;

    use super::*;

    #[test]
    fn a_page_with_an_id_needs_what_its_route_does() {
        let id = model::ids::new_id();
        for (path, wanted) in [
            (format!("/clarifications/{id}"), Some(Needs::Right(Action::ReadMessages))),
            (format!("/tasks/{id}"), Some(Needs::Right(Action::WorkTasks))),
            ("/messages/resend".to_owned(), Some(Needs::Right(Action::RepairMessages))),
            (format!("/tasks/{id}/take"), None),
            ("/tasks/".to_owned(), None),
        ] {
            assert_eq!(needs(&path), wanted, "{path}");
        }
    }
}
