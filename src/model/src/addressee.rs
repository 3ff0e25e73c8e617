//! Where a party is reached, as dispatches say it.

use crate::activity::Addressee;
use crate::party::Party;
use crate::phone::e164;

/// Longest value that a dispatch takes, in characters.
const LINE_CHARS: usize = 80;
const EMAIL_CHARS: usize = 254;
const MAILBOX_CHARS: usize = 200;

impl Addressee {
    /// Where a party is reached: what a dispatch could not take is left out. Numbers without a dialling code are of this area.
    pub fn of(party: &Party, area: Option<&str>) -> Addressee {
        let contact = |channels: &[&str]| {
            let mut found = party.contacts.iter().filter(|it| channels.contains(&it.channel.as_str()));
            found.next().map(|it| it.value.trim())
        };
        let fits = |text: &&str, most: usize| {
            !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
        };
        let email = contact(&["email"]).filter(|text| fits(text, EMAIL_CHARS));
        let phone = contact(&["mobile"]).or_else(|| contact(&["phone"]));
        let mailbox = party.mailbox.as_deref().filter(|text| fits(text, MAILBOX_CHARS));
        let postal = party.addresses.first();
        let plain = |text: Option<&String>| text.filter(|text| fits(&text.as_str(), LINE_CHARS)).cloned();
        Addressee {
            lines: lines(party).into_iter().filter(|line| fits(&line.as_str(), LINE_CHARS)).collect(),
            zip: plain(postal.and_then(|it| it.postcode.as_ref())),
            city: plain(postal.and_then(|it| it.town.as_ref())),
            country: plain(postal.and_then(|it| it.country.as_ref())),
            email: email.map(str::to_owned),
            mailbox: mailbox.map(str::to_owned),
            phone: phone.and_then(|text| e164(text, "49", area)),
        }
    }
}

/// Name and street; none without a street.
fn lines(party: &Party) -> Vec<String> {
    let Some(postal) = party.addresses.first() else { return vec![] };
    let joined = |parts: &[Option<&String>]| {
        let parts: Vec<&str> = parts.iter().filter_map(|it| it.map(String::as_str)).collect();
        parts.join(" ")
    };
    let street = match &postal.post_box {
        Some(post_box) if postal.street.is_none() => format!("Postfach {post_box}"),
        _ => joined(&[postal.street.as_ref(), postal.house_number.as_ref()]),
    };
    if street.is_empty() {
        return vec![];
    }
    let person = party.person.as_ref().map(|it| joined(&[it.given_name.as_ref(), it.family_name.as_ref()]));
    let name = party.organisation.as_ref().and_then(|it| it.name.clone());
    let mut lines: Vec<String> = name.into_iter().chain(person).filter(|line| !line.is_empty()).collect();
    lines.push(street);
    lines
}
