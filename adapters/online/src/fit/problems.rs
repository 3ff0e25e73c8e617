//! Why a submission is rejected, in the words of FIT-Connect: type and instance are what programs look at. Where the facts are not sure of
//! a name, the configuration may give another.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

/// Where types of problems begin, unless the configuration says otherwise.
const PREFIX: &str = "https://schema.fitko.de/fit-connect/events/problems/";

/// What is wrong with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It cannot be decrypted.
    Encryption,
    /// It is not what its media type says.
    Syntax,
    /// It breaks its schema.
    Schema,
    /// It does not say its schema.
    MissingSchema,
    /// Its schema is none that the destination takes.
    UnsupportedSchema,
    /// It has no data.
    MissingData,
    /// It has another hash than the metadata say.
    Hash,
    /// It has another authentication tag than the event says.
    Tag,
    /// Attachments that were announced are not those of the metadata.
    Attachments,
    /// The destination does not offer the service.
    UnsupportedService,
    /// The metadata name another service.
    ServiceMismatch,
    /// The event log does not say that it was submitted.
    EventLog,
}

/// Which part of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Metadata,
    Data,
    Attachment(Uuid),
    Submission,
}

/// A submission that is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) part: Part,
}

/// Names of problems that differ from the usual ones.
#[derive(Debug, Clone)]
pub struct Names {
    /// Where types begin.
    pub prefix: String,
    /// Other names, by the usual ones.
    pub other: BTreeMap<String, String>,
}

impl Default for Names {
    fn default() -> Self {
        Names { prefix: PREFIX.to_owned(), other: BTreeMap::new() }
    }
}

impl Names {
    /// Whether there is a problem of this usual name.
    pub fn is_known(name: &str) -> bool {
        KINDS.iter().any(|kind| kind.name() == name)
    }

    /// The problem as a SET tells it.
    pub(crate) fn told(&self, problem: Problem) -> Value {
        let name = problem.kind.name();
        let name = self.other.get(name).map_or(name, String::as_str);
        let (title, detail) = problem.kind.sentences();
        json!({
            "type": format!("{}{name}", self.prefix),
            "title": title,
            "detail": detail,
            "instance": problem.part.instance(),
        })
    }
}

const KINDS: [Kind; 12] = [
    Kind::Encryption,
    Kind::Syntax,
    Kind::Schema,
    Kind::MissingSchema,
    Kind::UnsupportedSchema,
    Kind::MissingData,
    Kind::Hash,
    Kind::Tag,
    Kind::Attachments,
    Kind::UnsupportedService,
    Kind::ServiceMismatch,
    Kind::EventLog,
];

impl Kind {
    /// Its name behind the prefix.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Encryption => "encryption-issue",
            Kind::Syntax => "syntax-violation",
            Kind::Schema => "schema-violation",
            Kind::MissingSchema => "missing-schema",
            Kind::UnsupportedSchema => "unsupported-schema",
            Kind::MissingData => "missing-data",
            Kind::Hash => "hash-mismatch",
            Kind::Tag => "incorrect-authentication-tag",
            Kind::Attachments => "attachments-mismatch",
            Kind::UnsupportedService => "unsupported-service",
            Kind::ServiceMismatch => "service-mismatch",
            Kind::EventLog => "invalid-event-log",
        }
    }

    fn sentences(self) -> (&'static str, &'static str) {
        match self {
            Kind::Encryption => (
                "Entschlüsselung nicht möglich",
                "Der Inhalt konnte mit keinem Schlüssel des Zustellpunkts entschlüsselt werden.",
            ),
            Kind::Syntax => ("Syntaxfehler", "Der Inhalt ist nicht in dem Format, das angegeben ist."),
            Kind::Schema => ("Schemaverletzung", "Der Inhalt entspricht nicht seinem Schema."),
            Kind::MissingSchema => ("Schema fehlt", "Der Inhalt nennt sein Schema nicht."),
            Kind::UnsupportedSchema => {
                ("Schema nicht unterstützt", "Der Zustellpunkt nimmt dieses Schema nicht an.")
            }
            Kind::MissingData => ("Fachdaten fehlen", "Die Einreichung enthält keine Fachdaten."),
            Kind::Hash => ("Prüfsumme stimmt nicht", "Die Prüfsumme stimmt nicht mit den Metadaten überein."),
            Kind::Tag => (
                "Authentication-Tag stimmt nicht",
                "Das Authentication-Tag stimmt nicht mit dem Ereignis der Einreichung überein.",
            ),
            Kind::Attachments => {
                ("Anlagen stimmen nicht überein", "Die angekündigten Anlagen sind nicht die der Metadaten.")
            }
            Kind::UnsupportedService => {
                ("Leistung nicht unterstützt", "Der Zustellpunkt bietet diese Verwaltungsleistung nicht an.")
            }
            Kind::ServiceMismatch => {
                ("Leistung stimmt nicht überein", "Die Metadaten nennen eine andere Verwaltungsleistung.")
            }
            Kind::EventLog => {
                ("Ereignisprotokoll ungültig", "Das Ereignisprotokoll belegt die Einreichung nicht gültig.")
            }
        }
    }
}

impl Part {
    /// As `instance` of a problem.
    pub(crate) fn instance(self) -> String {
        match self {
            Part::Metadata => "metadata".to_owned(),
            Part::Data => "data".to_owned(),
            Part::Attachment(id) => format!("attachment:{id}"),
            Part::Submission => "submission".to_owned(),
        }
    }
}
