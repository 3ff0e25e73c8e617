//! A report becomes a case: one letter, which opens it. A queue of an app that was offline may send it as often as it likes.
//!
//! * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key of the same app is the same report; with other words it is
//!   refused (422).
//! * Without one, the same words of the same `device_id` on the same day are the same report.
//! * Another open report of the same service nearby is told to the reporter (`service_notice`) and to a clerk, who decides: the case links it,
//!   and a task asks to look.

use model::adapter::Host;
use model::case::{Case, Description, Location, Reference, Relation};
use model::letter::{Letter, NewCase, TakenIn};
use model::payment::day::german_day;
use model::{Id, Record, RecordKind, ids};
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

/// Kind of the reference that names a report to the letters that complete it.
pub(crate) const REPORT: &str = "open311";

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
        let digest = digest_of(&form);
        let key = letter_key(app, &report, call, &digest)?;
        let host = call.host;
        let photos = std::mem::take(&mut form.photos);
        let taken = self.photos_of(photos, &report.media_urls, host).await?;
        // Large bytes are not needed any more.
        drop(form);
        let mut near = self.near(&report, service, host).await?;
        let letter = letter(app, (service, &report), &digest, taken, &near, (key, host));
        let took = host.take_in(letter).await?;
        let case = self.same(&took, &digest, host).await?;
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

    /// The case of a letter; if it had been taken in before, it must have said the same.
    async fn same(&self, took: &TakenIn, digest: &Digest, host: &dyn Host) -> Result<Id, Trouble> {
        let case = took.case.ok_or_else(Refusal::busy)?;
        if !took.again {
            return Ok(case);
        }
        let first = host.record(RecordKind::Case, case).await?;
        let kept = first.as_ref().and_then(|first| first.description()?.extensions.get(EXTENSION));
        let kept = kept.and_then(|kept| Kept::deserialize(kept).ok());
        if kept.is_some_and(|kept| kept.digest != digest.to_string()) {
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
            let wanted = model::adapter::Wanted {
                status: Some("open".to_owned()),
                name: Some((CELL.to_owned(), format!("{}/{cell}", service.code))),
                limit: 20,
                ..model::adapter::Wanted::of(RecordKind::Case)
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

fn place_of(case: &Case) -> Option<Point> {
    let place = case.locations.first()?;
    Some(Point { latitude: place.latitude_micro?, longitude: place.longitude_micro? })
}

/// Digest of everything that was said, in whatever order.
fn digest_of(form: &Form) -> Digest {
    let mut said = form.said(ASIDE);
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

/// Under which key the letter is known.
fn letter_key(app: &str, report: &Report, call: &Call<'_>, digest: &Digest) -> Result<String, Refusal> {
    let named = call.headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.trim());
    if let Some(key) = named {
        let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        if key.is_empty() || key.len() > 255 {
            return Err(Refusal::bad("Idempotency-Key is empty, or longer than 255 characters"));
        }
        return Ok(format!("key:{}", sha256(&[app.as_bytes(), b"\0", key.as_bytes()])));
    }
    Ok(match report.device_id {
        Some(_) => format!("device:{}:{digest}", german_day(call.host.now())),
        None => format!("report:{}", ids::new_id()),
    })
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
    let mut concerns = taken.concerns;
    if !near.is_empty() {
        concerns.push(PERHAPS_KNOWN);
    }
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
    let device = report.device_id.as_ref();
    let device = device.map(|id| reference("device", sha256(&[b"device\0", id.as_bytes()]).to_string()));
    let address = report.address_id.clone().map(|id| reference("address", id));
    let own = reference(REPORT, ids::new_id().to_string());
    std::iter::once(own).chain(cell).chain(device).chain(address).collect()
}

/// What whoever reports is told.
fn notice(near: usize) -> Node {
    match near {
        0 => Node::Null,
        1 => Node::text("In der Nähe ist bereits eine offene Meldung dieser Art bekannt."),
        many => Node::text(format!("In der Nähe sind bereits {many} offene Meldungen dieser Art bekannt.")),
    }
}
