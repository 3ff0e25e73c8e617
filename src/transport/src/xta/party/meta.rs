//! The envelope of a message that goes out (`MessageMetaData`). One that came by XTA goes on with what its author wrote; for any
//! other it is made from what the house knows.

use model::Timestamp;
use serde_json::Value;
use xta::model::{DeliveryAttributes, Key, MetaData, Party as Name, Scenario};

use super::goods::Goods;
use super::{Partner, Party, court};
use crate::xta::along::with_original_id;
use crate::xta::boxes::written;
use crate::xta::kept::KeptMeta;

/// How the senders of the field name types of messages: by the list that the payload's schema is.
const TYPES: (&str, &str) = ("urn:de:payloadSchema:elementName", "1.0");

/// Who sends a message to whom, under which id.
pub(super) struct Way<'a> {
    pub(super) party: &'a Party,
    pub(super) partner: &'a Partner,
    pub(super) message_id: &'a str,
}

/// The envelope of a message of which the broker says `detail`.
pub(super) fn of(way: &Way<'_>, detail: &Value, goods: &Goods, now: Timestamp) -> MetaData {
    let kept = detail.get("xta").and_then(|kept| serde_json::from_value::<KeptMeta>(kept.clone()).ok());
    let mut meta = match kept {
        Some(kept) => handed_on(kept.into()),
        None => made(detail, now),
    };
    meta.author = way.party.name.clone();
    meta.reader = reader(way);
    way.message_id.clone_into(&mut meta.message_id);
    meta.is_test |= detail["test"] == true;
    meta.size = Some(goods.bytes());
    match &way.partner.court {
        Some(form) => court::envelope(meta, form, goods.subject()),
        None => meta,
    }
}

/// What the author wrote, without the moments and parties of the way until here. The id that it had there goes along.
fn handed_on(meta: MetaData) -> MetaData {
    let meta = with_original_id(meta);
    let delivery = DeliveryAttributes {
        not_before: None,
        initial_send: None,
        delivery: None,
        initial_fetch: None,
        reception: None,
        receipt_requests: None,
        ..meta.delivery
    };
    let (other_readers, cc_readers) = Default::default();
    MetaData { delivery, sender: None, reply_to: None, other_readers, cc_readers, ..meta }
}

fn made(detail: &Value, now: Timestamp) -> MetaData {
    let text = |name: &str| detail[name].as_str().unwrap_or("unknown").to_owned();
    let (standard, version) = (text("standard"), text("version"));
    let (list, list_version) = TYPES;
    MetaData {
        delivery: DeliveryAttributes { origin: written(now), ..DeliveryAttributes::default() },
        scenario: Some(Scenario::Undefined(standard.clone())),
        message_type: Key { code: text("type"), ..key(list, list_version) },
        payload_schema: format!("urn:xoev-de:{standard}:schema:{version}"),
        ..MetaData::default()
    }
}

fn key(list: &str, version: &str) -> Key {
    Key { list: list.to_owned(), version: version.to_owned(), ..Key::default() }
}

fn reader(way: &Way<'_>) -> Name {
    let partner = way.partner;
    let id = partner.party.clone().unwrap_or_else(|| partner.authority.to_string());
    // Of a court its id is said and nothing else.
    let ours = || way.party.name.scheme.clone().filter(|_| partner.court.is_none());
    let scheme = partner.scheme.clone().or_else(ours);
    Name { id, scheme, ..Name::default() }
}
