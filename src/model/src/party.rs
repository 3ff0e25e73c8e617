//! Parties of a case (Beteiligte). They belong to their record and are never merged across units.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Authority;

/// Somebody who has to do with a record: person, organisation or authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Party {
    /// What the party is in the case, such as `applicant` (Antragsteller) or `sender`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Natural person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Organisation or authority by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    /// Key of an authority (Behördenkennung).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Postal addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Ways to reach the party.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// How the party proved who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// On whose behalf the party acts (Vollmacht).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mandate: Option<String>,
    /// Electronic mailbox that answers go to (Postfach).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The way by which the party wants to hear of the case: that of a dispatch, such as `mail`, `push`, `print` or `fit-connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefers: Option<String>,
    /// The language in which the party wants to hear of the case, as in BCP 47, such as `de` or `en`; absent: that of the house.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Stands for the name of a person who was erased.
pub const ERASED: &str = "(gelöscht)";

impl Party {
    /// What is left of a party that was erased.
    pub fn erased(role: Option<String>) -> Self {
        let person = Person { family_name: Some(ERASED.to_owned()), ..Person::default() };
        Party { role, person: Some(person), ..Party::default() }
    }
}

/// A natural person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Person {
    /// Anrede.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salutation: Option<String>,
    /// Titel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Vorname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Familienname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Geburtsdatum, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born: Option<String>,
}

/// An organisation, company or authority by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Organisation {
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Short name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_name: Option<String>,
    /// Organisational unit within it (Organisationseinheit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A postal address (Anschrift).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Address {
    /// Straße.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Hausnummer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub house_number: Option<String>,
    /// Postfach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_box: Option<String>,
    /// Postleitzahl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Ort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Staat, ISO 3166-1 alpha-2 where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Anything else (Zusatz).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addition: Option<String>,
}

/// A way to reach a party (Erreichbarkeit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact {
    /// Kind of channel: `email`, `phone`, `mobile`, `fax`, `de-mail`, `web`, or a code as it came.
    pub channel: String,
    /// Number or address.
    pub value: String,
    /// Zusatz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addition: Option<String>,
}

/// How a party proved who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authentication {
    /// Where it was proved, such as `bundid` or `mein-unternehmenskonto`.
    pub source: String,
    /// How far it may be trusted.
    pub level: TrustLevel,
}

/// Vertrauensniveau of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TrustLevel {
    /// Not authenticated.
    None,
    /// Normal.
    Low,
    /// Substanziell.
    Substantial,
    /// Hoch.
    High,
}
