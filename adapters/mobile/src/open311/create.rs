//! A report becomes a case: one letter, which opens it. A queue of an app that was offline may send it as often as it likes.
//!
//! * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key of the same app is the same report; with other words it is
//!   refused (422).
//! * Without one, the same words of the same `device_id` within a day are the same report: also over midnight.
//! * Without either, the same words are the same report as long as nobody was told that it was taken in.
//! * Another open report of the same service nearby is told to the reporter (`service_notice`) and to a clerk, who decides: the case links it,
//!   and a task asks to look.

use std::time::Duration;

use model::adapter::{Host, Wanted};
use model::case::{Case, Description, Location, Reference, Relation};
use model::letter::{Letter, NewCase, TakenIn};
use model::payment::day::german_day;
use model::{Id, Record, RecordKind, Timestamp, ids};
use seal::{Digest, Sha256Writer, sha256};
use serde::Deserialize;
use serde_json::json;

use super::answer::Node;
use super::form::Form;
use super::photos::Taken;
use super::report::{self, ASIDE, Report};
use super::shown::{EXTENSION, Kept};
use super::{Call, Open311, Refusal, Said, Trouble, said};
use crate::geo::Point;
use crate::settings::Service;

/// The way of such letters.
pub(crate) const WAY: &str = "open311";

/// Kind of the reference that names the cell that a report lies in.
const CELL: &str = "geo-cell";

/// Kind of the reference that names the area that a report lies in, by which lists find it.
pub(super) const AREA: &str = "geo-area";

/// Kind of the reference that names a report to the letters that complete it.
pub(crate) const REPORT: &str = "open311";

/// Kind of the reference that names the device that a report came from, by a digest of its id.
const DEVICE: &str = "device";

/// How long the same words of a device are the same report, and how many reports of a device are looked at for that.
const DAY: Duration = Duration::from_secs(24 * 3_600);
const OF_DEVICE: u32 = 100;

/// Contacts of a case that are looked at for the one that opened it.
const CONTACTS: u32 = 500;

/// Reports nearby that are told of.
const NEAR: usize = 5;

/// Concern of a report near another.
const PERHAPS_KNOWN: &str = "mobile.perhaps-known";

impl Open311 {
    /// `POST requests`.
    pub(super) async fn create(&self, app: &str, mut form: Form, call: &Call<'_>) -> Result<Said, Trouble> {
        let code = form.get("service_code").ok_or_else(|| Refusal::bad("service_code is missing"))?;
        let service = self.service(code).ok_or_else(|| Refusal::not_there("the service_code"))?;
        let report = report::read(&form, service)?;
        let digest = digest_of(&form, ASIDE);
        let key = self.letter_key(app, &report, call, &digest)?;
        let host = call.host;
        let mut near = self.near(&report, service, host).await?;
        let took = match repeated(app, &report, &key, &digest, host).await? {
            Some(first) => first,
            None => {
                let photos = std::mem::take(&mut form.photos);
                let taken = self.photos_of(photos, &report.media_urls, host).await?;
                let letter = letter(app, (service, &report), &digest, taken, &near, (key.text, host));
                call.take_in(letter).await?
            }
        };
        // Its memory is free for others.
        drop(form);
        let case = self.same(&took, &digest, host).await?;
        self.unheard.heard(of_app(app, &digest.to_string()));
        // Whoever repeats a report finds itself nearby.
        near.retain(|near| *near != case);
        let mut parts = vec![];
        match service.batch {
            true => parts.push(("token", Node::text(took.interaction.to_string()))),
            false => parts.push(("service_request_id", Node::text(case.to_string()))),
        }
        parts.push(("service_notice", notice(near.len())));
        parts.push(("account_id", Node::maybe(report.account_id)));
        said("service_requests", Node::List("request", vec![Node::Object(parts)]))
    }

    /// Under which key the letter of a report is known.
    fn letter_key(
        &self,
        app: &str,
        report: &Report,
        call: &Call<'_>,
        digest: &Digest,
    ) -> Result<Key, Refusal> {
        let named =
            call.headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.trim());
        if let Some(key) = named {
            let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
            if key.is_empty() || key.len() > 255 {
                return Err(Refusal::bad("Idempotency-Key is empty, or longer than 255 characters"));
            }
            return Ok(Key { text: format!("key:{}", of_app(app, key)), is_given: true });
        }
        let (says, now) = (of_app(app, &digest.to_string()), call.host.now());
        // Of two that come at once, the day makes one.
        let text = match report.device_id {
            Some(_) => format!("device:{}:{says}", german_day(now)),
            None => format!("report:{}", self.unheard.name(says, now)),
        };
        Ok(Key { text, is_given: false })
    }

    /// The case of a letter; if it had been taken in before, it must have said the same.
    async fn same(&self, took: &TakenIn, digest: &Digest, host: &dyn Host) -> Result<Id, Trouble> {
        let case = took.case.ok_or_else(Refusal::busy)?;
        if !took.again {
            return Ok(case);
        }
        let first = host.record(RecordKind::Case, case).await?;
        if first.as_ref().and_then(kept_of).is_some_and(|kept| kept.digest != digest.to_string()) {
            return Err(Refusal::new(422, "this Idempotency-Key belongs to another report").into());
        }
        Ok(case)
    }

    /// Open reports of the same service nearby.
    async fn near(&self, report: &Report, service: &Service, host: &dyn Host) -> Result<Vec<Id>, Trouble> {
        let metres = self.settings.near_metres;
        let Some(point) = report.point.filter(|_| metres > 0) else { return Ok(vec![]) };
        let mut near = vec![];
        for cell in point.cells_within(metres) {
            let wanted = Wanted {
                status: Some("open".to_owned()),
                name: Some((CELL.to_owned(), format!("{}/{cell}", service.code))),
                limit: 20,
                ..Wanted::of(RecordKind::Case)
            };
            let found = host.records(&wanted).await?;
            let lies_near = |record: &Record| {
                matches!(record, Record::Case(case) if place_of(case)
                    .is_some_and(|there| there.metres_to(point) <= f64::from(metres)))
            };
            near.extend(found.iter().filter(|it| lies_near(it)).map(|record| record.meta().id));
        }
        near.truncate(NEAR);
        Ok(near)
    }
}

fn of_app(app: &str, text: &str) -> Digest {
    sha256(&[app.as_bytes(), b"\0", text.as_bytes()])
}

/// What a case keeps of its report.
fn kept_of(case: &Record) -> Option<Kept> {
    Kept::deserialize(case.description()?.extensions.get(EXTENSION)?).ok()
}

/// The report with the same words that came from the same device within a day, if nothing else says which report it is.
async fn repeated(
    app: &str,
    report: &Report,
    key: &Key,
    digest: &Digest,
    host: &dyn Host,
) -> Result<Option<TakenIn>, Trouble> {
    let Some(device) = report.device_id.as_deref().filter(|_| !key.is_given) else { return Ok(None) };
    let day_ago = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    let wanted = Wanted {
        name: Some((DEVICE.to_owned(), device_name(device))),
        since: Some(Timestamp::from_micros(host.now().micros().saturating_sub(day_ago))),
        limit: OF_DEVICE,
        ..Wanted::of(RecordKind::Case)
    };
    let said = digest.to_string();
    let is_same = |case: &Record| kept_of(case).is_some_and(|kept| kept.app == app && kept.digest == said);
    let found = host.records(&wanted).await?;
    let Some(case) = found.iter().find(|case| is_same(case)).map(Record::meta) else { return Ok(None) };
    let wanted = Wanted { root: Some(case.root), limit: CONTACTS, ..Wanted::of(RecordKind::Interaction) };
    let contacts = host.records(&wanted).await?;
    let opened = |contact: &Record| match contact {
        Record::Interaction(it) => {
            it.case_id == Some(case.id) && it.kind == WAY && it.proof["digest"] == *said
        }
        _ => false,
    };
    let contact = contacts.iter().find(|contact| opened(contact)).map(|contact| contact.meta().id);
    Ok(contact.map(|interaction| TakenIn { interaction, case: Some(case.id), again: true }))
}

fn device_name(id: &str) -> String {
    sha256(&[b"device\0", id.as_bytes()]).to_string()
}

fn place_of(case: &Case) -> Option<Point> {
    let place = case.locations.first()?;
    Some(Point { latitude: place.latitude_micro?, longitude: place.longitude_micro? })
}

/// Digest of everything that was said but these fields, in whatever order.
pub(super) fn digest_of(form: &Form, aside: &[&str]) -> Digest {
    let mut said = form.said(aside);
    said.sort_unstable();
    let mut digest = Sha256Writer::new();
    for (name, value) in said {
        digest.update(&sha256(&[name.as_bytes()]).0);
        digest.update(&sha256(&[value.as_bytes()]).0);
    }
    for photo in &form.photos {
        digest.update(&sha256(&[photo]).0);
    }
    digest.finish()
}

/// Under which key a letter is known.
struct Key {
    text: String,
    /// Whether the app said which report it is.
    is_given: bool,
}

/// The letter that opens the case.
fn letter(
    app: &str,
    (service, report): (&Service, &Report),
    digest: &Digest,
    taken: Taken,
    near: &[Id],
    (key, host): (String, &dyn Host),
) -> Letter {
    let kept = Kept {
        service: service.code.clone(),
        app: app.to_owned(),
        digest: digest.to_string(),
        attributes: report.attributes.clone(),
        account_id: report.account_id.clone(),
        photos: taken.photos,
        not_fetched: taken.not_fetched,
    };
    let relation = |id: &Id| Relation {
        kind: "perhaps-same".to_owned(),
        target: Some(*id),
        reference: None,
        note: None,
    };
    let kept = serde_json::to_value(kept).unwrap_or_default();
    let description = Description {
        title: service.name.clone(),
        references: references(service, report),
        note: Some(report.description.clone()).filter(|note| !note.is_empty()),
        parties: report.party.clone().into_iter().collect(),
        relations: near.iter().map(relation).collect(),
        extensions: [(EXTENSION.to_owned(), kept)].into_iter().collect(),
        ..Description::default()
    };
    let place = Location {
        latitude_micro: report.point.map(|point| point.latitude),
        longitude_micro: report.point.map(|point| point.longitude),
        address: None,
        description: report.address.clone(),
    };
    // The first makes the task: a photograph that is missing is seen in the case, too.
    let known = (!near.is_empty()).then_some(PERHAPS_KNOWN);
    let concerns = known.into_iter().chain(taken.concerns).collect();
    Letter {
        key,
        way: WAY.to_owned(),
        received_at: host.now(),
        subject: Some(service.name.clone()),
        documents: taken.documents,
        opens: Some(Box::new(NewCase {
            unit: service.unit.clone(),
            public_service: service.public_service.clone(),
            description,
            locations: std::iter::once(place).chain(taken.places).collect(),
        })),
        proof: json!({ "app": app, "service": service.code, "digest": digest, "near": near }),
        concerns,
        ..Letter::default()
    }
}

fn references(service: &Service, report: &Report) -> Vec<Reference> {
    let reference = |kind: &str, value: String| Reference { kind: kind.to_owned(), value };
    let cell = report.point.map(|point| reference(CELL, format!("{}/{}", service.code, point.cell())));
    let area = report.point.map(|point| reference(AREA, point.area()));
    let device = report.device_id.as_ref().map(|id| reference(DEVICE, device_name(id)));
    let address = report.address_id.clone().map(|id| reference("address", id));
    let own = reference(REPORT, ids::new_id().to_string());
    std::iter::once(own).chain(cell).chain(area).chain(device).chain(address).collect()
}

/// What whoever reports is told.
fn notice(near: usize) -> Node {
    match near {
        0 => Node::Null,
        1 => Node::text("In der Nähe ist bereits eine offene Meldung dieser Art bekannt."),
        many => Node::text(format!("In der Nähe sind bereits {many} offene Meldungen dieser Art bekannt.")),
    }
}
