//! What the data of a form become in the case: which template gives which field, by public service. `docs/online.md` has the words.
//!
//! | module | does |
//! |---|---|
//! | `data` | JSON and XML as one tree |
//! | `template` | text with places |
//! | `party` | who applies |
//! | `apply` | the case that comes of it, and what is missing |

mod apply;
mod data;
mod party;
mod template;

use std::collections::BTreeMap;

use model::party::TrustLevel;

pub(crate) use apply::STRANGE;
pub use apply::{Applied, Row};
pub use data::{Data, Malformed};
pub use template::{Sources, Template};

use party::PartyMap;

/// A mapping as it is configured.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    /// Name, for `amtsbote check`.
    pub id: String,
    /// Identifier of the public service that it is for; absent: every one that has none of its own.
    pub service: Option<String>,
    /// Template of the case's title.
    pub title: String,
    /// Unit of the case; absent: the desk of the adapter.
    pub unit: Option<String>,
    /// The house's own name of the service.
    pub public_service: Option<String>,
    /// Template of the note.
    pub note: Option<String>,
    /// Templates of references, by their kind.
    pub references: BTreeMap<String, String>,
    /// Templates of the parties' fields.
    pub parties: Vec<BTreeMap<String, String>>,
    /// Templates of a place: `latitude`, `longitude`, `street`, `house_number`, `postcode`, `town`, `description`.
    pub location: BTreeMap<String, String>,
    /// How far whoever applies must have proved who they are.
    pub minimum_level: Option<TrustLevel>,
    /// Words of the data for levels, beside the usual ones.
    pub levels: BTreeMap<String, TrustLevel>,
    /// What must be there: `title`, `note`, `party.family_name`, `location.town`, `reference.KIND`.
    pub required: Vec<String>,
}

/// A mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Name.
    pub id: String,
    /// Identifier of the public service that it is for.
    pub service: Option<String>,
    title: Template,
    unit: Option<String>,
    public_service: Option<String>,
    note: Option<Template>,
    references: Vec<(String, Template)>,
    parties: Vec<PartyMap>,
    location: Vec<(String, Template)>,
    minimum_level: Option<TrustLevel>,
    levels: BTreeMap<String, TrustLevel>,
    required: Vec<String>,
}

/// What is wrong with a mapping: key and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Key within the mapping.
    pub key: String,
    /// What was expected.
    pub rule: String,
}

/// Fields of a place.
const PLACE: [&str; 7] =
    ["latitude", "longitude", "street", "house_number", "postcode", "town", "description"];
/// Most references that a mapping gives.
const REFERENCES: usize = 100;
/// Longest kind of a reference.
const KIND: usize = 80;

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn new(raw: Raw) -> Result<Self, Wrong> {
        if let Some(kind) = raw.references.keys().find(|kind| !(1..=KIND).contains(&kind.chars().count())) {
            return Err(wrong("references", &format!("{kind}: expected 1 to 80 characters")));
        }
        if raw.references.len() > REFERENCES {
            return Err(wrong("references", &format!("expected at most {REFERENCES}")));
        }
        if let Some(name) = raw.location.keys().find(|name| !PLACE.contains(&name.as_str())) {
            return Err(wrong(&format!("location.{name}"), &format!("expected one of {}", PLACE.join(", "))));
        }
        let parties = raw.parties.iter().enumerate().map(|(at, party)| PartyMap::new(at, party));
        let mapping = Mapping {
            title: template("title", &raw.title)?,
            note: raw.note.as_deref().map(|text| template("note", text)).transpose()?,
            references: templates("references", &raw.references)?,
            location: templates("location", &raw.location)?,
            parties: parties.collect::<Result<_, _>>()?,
            id: raw.id,
            service: raw.service,
            unit: raw.unit,
            public_service: raw.public_service,
            minimum_level: raw.minimum_level,
            levels: raw.levels,
            required: raw.required,
        };
        match mapping.required.iter().find(|name| !mapping.has(name)) {
            Some(name) => Err(wrong("required", &format!("{name}: nothing is mapped to it"))),
            None => Ok(mapping),
        }
    }

    fn has(&self, name: &str) -> bool {
        let listed = |all: &[(String, Template)], name: &str| all.iter().any(|(known, _)| known == name);
        match name.split_once('.') {
            Some(("party", field)) => self.parties.first().is_some_and(|party| party.has(field)),
            Some(("location", field)) => listed(&self.location, field),
            Some(("reference", kind)) => listed(&self.references, kind),
            _ => name == "title" || name == "note" && self.note.is_some(),
        }
    }
}

/// The mapping for a service: its own, else the one for all.
pub fn for_service<'m>(all: &'m [Mapping], service: &str) -> Option<&'m Mapping> {
    let own = all.iter().find(|mapping| mapping.service.as_deref() == Some(service));
    own.or_else(|| all.iter().find(|mapping| mapping.service.is_none()))
}

fn templates(key: &str, all: &BTreeMap<String, String>) -> Result<Vec<(String, Template)>, Wrong> {
    let one =
        |(name, text): (&String, &String)| Ok((name.clone(), template(&format!("{key}.{name}"), text)?));
    all.iter().map(one).collect()
}

fn template(key: &str, text: &str) -> Result<Template, Wrong> {
    Template::parse(text).map_err(|rule| wrong(key, rule))
}

fn wrong(key: &str, rule: &str) -> Wrong {
    Wrong { key: key.to_owned(), rule: rule.to_owned() }
}
