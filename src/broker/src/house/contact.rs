//! Where the authorities of the house are reached by people, for messages that have to say so.

use model::Authority;
use model::party::{Address, Contact, Party};
use serde::{Deserialize, Serialize};

/// `[[contact]]`: address and contacts of an authority of the house.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContactEntry {
    /// The authority.
    pub authority: Authority,
    /// Street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// House number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub house_number: Option<String>,
    /// Post box; then without street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_box: Option<String>,
    /// Postcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Electronic mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl ContactEntry {
    /// The authority with its address and contacts.
    pub(crate) fn party(&self) -> Party {
        let address = Address {
            street: self.street.clone(),
            house_number: self.house_number.clone(),
            post_box: self.post_box.clone(),
            postcode: self.postcode.clone(),
            town: self.town.clone(),
            ..Address::default()
        };
        let contact = |channel: &str, value: &Option<String>| {
            let value = value.clone()?;
            Some(Contact { channel: channel.to_owned(), value, addition: None })
        };
        let contacts = [contact("email", &self.email), contact("phone", &self.phone)];
        Party {
            authority: Some(self.authority.clone()),
            addresses: vec![address],
            contacts: contacts.into_iter().flatten().collect(),
            ..Party::default()
        }
    }
}
