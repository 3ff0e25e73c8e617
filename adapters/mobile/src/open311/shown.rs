//! What a case says as a report: what is kept of it for that, and what of it everybody may see. Names, addresses, telephones and whoever reported
//! are never among it.

use std::collections::BTreeMap;

use model::case::{Case, RecordStatus};
use model::{PayloadRef, Timestamp};
use serde::{Deserialize, Serialize};

use super::answer::Node;
use super::form::Form;
use crate::geo::{Point, degrees};
use crate::settings::{Publish, Settings};

/// Name of the extension of a case that keeps what the report said.
pub(crate) const EXTENSION: &str = "open311";

/// Kind of the reference by which clerks say whether text and photographs are shown: `yes`, or `no`, which hides the report altogether.
const PUBLISHED: &str = "published";

/// Kind of the reference that is shown as `status_notes`.
const STATUS_NOTE: &str = "status-note";

/// What a case keeps of its report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Kept {
    /// `service_code`.
    pub(crate) service: String,
    /// Name of the app that it came by.
    pub(crate) app: String,
    /// Digest of all that was said.
    pub(crate) digest: String,
    /// Answers to the questions of the service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    /// `account_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_id: Option<String>,
    /// Photographs written anew, as they may be published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) photos: Vec<Photo>,
    /// Addresses of photographs that were not fetched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_fetched: Vec<String>,
}

/// A photograph that may be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Photo {
    /// Its bytes: a JPEG without metadata.
    pub(crate) content: PayloadRef,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// When it was taken, by its camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken: Option<String>,
}

/// A case that is a report, as far as everybody may see it.
pub(crate) struct Shown<'a> {
    pub(crate) case: &'a Case,
    pub(crate) kept: Kept,
    /// Whether text and photographs are shown.
    reveals: bool,
}

impl<'a> Shown<'a> {
    /// `None` if the case is no report, or must not be seen.
    pub(crate) fn of(case: &'a Case, publish: Publish) -> Option<Self> {
        let kept = case.description.extensions.get(EXTENSION)?;
        let kept: Kept = Kept::deserialize(kept).ok()?;
        let said = case.description.reference(PUBLISHED);
        if said == Some("no") || case.status == RecordStatus::Destroyed {
            return None;
        }
        let reveals = match publish {
            Publish::Never => false,
            Publish::AfterCheck => said == Some("yes"),
            Publish::AtOnce => true,
        };
        Some(Shown { case, kept, reveals })
    }

    /// Photographs that are shown.
    pub(crate) fn photos(&self) -> &[Photo] {
        if self.reveals { &self.kept.photos } else { &[] }
    }

    /// `open` or `closed`.
    pub(crate) fn status(&self) -> &'static str {
        match self.case.status {
            RecordStatus::Received | RecordStatus::Open => "open",
            RecordStatus::Closed | RecordStatus::Locked | RecordStatus::Destroyed => "closed",
        }
    }

    /// Where it is.
    pub(crate) fn point(&self) -> Option<Point> {
        let place = self.case.locations.first()?;
        Some(Point { latitude: place.latitude_micro?, longitude: place.longitude_micro? })
    }

    pub(crate) fn updated(&self) -> Timestamp {
        self.case.meta.updated_at
    }

    /// What is told of its state: what a clerk wrote for that, else what the state says.
    fn notes(&self) -> &str {
        let description = &self.case.description;
        let by_state = || match (self.status(), &description.record_reference) {
            ("closed", _) => "Die Bearbeitung ist abgeschlossen.",
            (_, Some(_)) => "Die Meldung wird bearbeitet.",
            (_, None) => "Die Meldung ist eingegangen.",
        };
        description.reference(STATUS_NOTE).unwrap_or_else(by_state)
    }

    fn text(&self) -> Option<&str> {
        self.case.description.note.as_deref().filter(|_| self.reveals)
    }

    fn media(&self, settings: &Settings) -> Vec<String> {
        let named = |at: usize| format!("{}/media/{}-{}.jpg", settings.url, self.case.meta.id, at + 1);
        (0..self.photos().len()).map(named).collect()
    }

    /// `request`, with `extended_attributes` if they are asked for.
    pub(crate) fn request(&self, settings: &Settings, form: &Form) -> Node {
        let service = settings.services.iter().find(|service| service.code == self.kept.service);
        let place = self.case.locations.first();
        let (lat, long) = match self.point() {
            Some(point) => (degrees(point.latitude), degrees(point.longitude)),
            None => (String::new(), String::new()),
        };
        let number = |text: String| if text.is_empty() { Node::Null } else { Node::Number(text) };
        let media = self.media(settings);
        let mut parts = vec![
            ("service_request_id", Node::text(self.case.meta.id.to_string())),
            ("status", Node::text(self.status())),
            ("status_notes", Node::text(self.notes())),
            ("service_name", Node::maybe(service.map(|service| service.name.clone()))),
            ("service_code", Node::text(self.kept.service.clone())),
            ("description", Node::maybe(self.text())),
            ("agency_responsible", Node::maybe(settings.agency.clone())),
            ("service_notice", Node::Null),
            ("requested_datetime", Node::text(moment(self.case.meta.created_at))),
            ("updated_datetime", Node::text(moment(self.updated()))),
            ("expected_datetime", Node::Null),
            (
                "address",
                Node::maybe(place.and_then(|place| place.description.clone()).filter(|_| self.reveals)),
            ),
            ("address_id", Node::maybe(self.case.description.reference("address").filter(|_| self.reveals))),
            ("zipcode", Node::Null),
            ("lat", number(lat)),
            ("long", number(long)),
            ("media_url", Node::maybe(media.first().cloned())),
        ];
        if form.get("extensions") == Some("true") {
            let urls = media.into_iter().map(Node::text).collect();
            let extended = vec![("media_urls", Node::List("media_url", urls))];
            parts.push(("extended_attributes", Node::Object(extended)));
        }
        Node::Object(parts)
    }

    /// `request_update` of FixMyStreet: where it stands now.
    pub(crate) fn update(&self) -> Node {
        let id = self.case.meta.id;
        Node::Object(vec![
            ("update_id", Node::text(format!("{id}-{}", self.case.meta.version))),
            ("service_request_id", Node::text(id.to_string())),
            ("status", Node::text(self.status())),
            ("updated_datetime", Node::text(moment(self.updated()))),
            ("description", Node::text(self.notes())),
            ("media_url", Node::Null),
        ])
    }
}

/// A moment to the second, as clients read it.
pub(crate) fn moment(at: Timestamp) -> String {
    Timestamp::from_micros(at.micros().div_euclid(1_000_000).saturating_mul(1_000_000)).to_string()
}
