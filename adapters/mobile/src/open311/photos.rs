//! Photographs of a report: what came is kept as a document that only clerks see; what may be published is made of it and kept beside it. Those that
//! lie elsewhere (`media_url`) are fetched from hosts that the operator names, and from nobody else.

use std::io::Cursor;
use std::time::{Duration, Instant};

use model::adapter::{Host, Reply};
use model::case::{Case, File, Location};
use model::letter::Enclosure;
use model::outbound::ChosenBy;
use model::{Failure, FailureKind, Id, Record, RecordKind};
use net::{Method, Request};

use super::answer::Format;
use super::form::PHOTOS;
use super::shown::{Photo, Shown};
use super::{Call, Open311, Refusal, Trouble};
use crate::photo::{Kind, Proposal};

/// Longest time for all that is done with the photographs of a call; it leaves some of the time that the call has for keeping them.
const WITHIN: Duration = Duration::from_secs(20);

/// Longest time for fetching the photographs of a call.
const FETCHED_WITHIN: Duration = Duration::from_secs(10);

/// Concern of a photograph that could not be fetched.
const MISSING: &str = "mobile.photo-missing";

/// Concern of a photograph of which nothing can be published.
const UNPUBLISHED: &str = "mobile.photo-unpublished";

/// What became of the photographs of a report.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) documents: Vec<Enclosure>,
    pub(super) photos: Vec<Photo>,
    /// Where cameras say that they were.
    pub(super) places: Vec<Location>,
    pub(super) not_fetched: Vec<String>,
    pub(super) concerns: Vec<&'static str>,
}

impl Open311 {
    /// Takes photographs that came, and fetches the others, one at a time: none is in memory before the one ahead of it is done with.
    pub(super) async fn photos_of(
        &self,
        photos: Vec<Vec<u8>>,
        urls: &[String],
        host: &dyn Host,
    ) -> Result<Taken, Trouble> {
        let taken = tokio::time::timeout(WITHIN, self.taken_of(photos, urls, host)).await;
        taken.unwrap_or_else(|_| Err(Refusal::busy().into()))
    }

    async fn taken_of(
        &self,
        photos: Vec<Vec<u8>>,
        urls: &[String],
        host: &dyn Host,
    ) -> Result<Taken, Trouble> {
        if photos.iter().any(|bytes| Kind::of(bytes).is_none()) {
            return Err(Refusal::bad("a photograph is neither JPEG, PNG, WebP nor HEIC").into());
        }
        let mut taken = Taken::default();
        for bytes in photos {
            self.photo(bytes, &mut taken, host).await?;
        }
        // A host that is slow is in the way of nobody who brings photographs.
        let _place = match urls {
            [] => None,
            _ => Some(self.fetching.take(1, true).await?),
        };
        let until = Instant::now() + FETCHED_WITHIN;
        for url in urls {
            let bytes = if taken.documents.len() < PHOTOS { self.fetched(url, until).await } else { None };
            match bytes.filter(|bytes| Kind::of(bytes).is_some()) {
                Some(bytes) => self.photo(bytes, &mut taken, host).await?,
                None => taken.missing(url),
            }
        }
        Ok(taken)
    }

    async fn photo(&self, bytes: Vec<u8>, taken: &mut Taken, host: &dyn Host) -> Result<(), Trouble> {
        let Some(kind) = Kind::of(&bytes) else { return Ok(()) };
        let (bytes, developed, proposal) = self.studio.develop(bytes).await;
        let mut files = vec![File {
            name: format!("original.{}", kind.ending()),
            media_type: Some(kind.media_type().to_owned()),
            content: Some(host.keep(Box::new(Cursor::new(bytes))).await?),
            ..File::default()
        }];
        match developed {
            Some(developed) => {
                let content = host.keep(Box::new(Cursor::new(developed.jpeg))).await?;
                files.push(File {
                    name: "publication.jpg".to_owned(),
                    media_type: Some("image/jpeg".to_owned()),
                    content: Some(content.clone()),
                    ..File::default()
                });
                let (width, height) = (developed.width, developed.height);
                taken.photos.push(Photo { content, width, height, taken: proposal.taken.clone() });
            }
            None => taken.concern(UNPUBLISHED),
        }
        taken.places.extend(place(&proposal));
        let title = format!("Foto {}", taken.documents.len() + 1);
        taken.documents.push(Enclosure { title, kind: Some("photo".to_owned()), files });
        Ok(())
    }

    /// A photograph of a host that the operator names. Where that leads is judged again by the rules for outgoing calls.
    async fn fetched(&self, url: &str, until: Instant) -> Option<Vec<u8>> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let host = rest.split(['/', '?', '#']).next()?;
        if !self.settings.media_hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return None;
        }
        let within = until.checked_duration_since(Instant::now())?;
        let request = Request {
            method: Method::GET,
            url: url.to_owned(),
            chosen_by: ChosenBy::System,
            headers: vec![("accept".to_owned(), "image/jpeg, image/png, image/webp".to_owned())],
            body: None,
            within,
            most_answer: self.settings.photo_bytes,
        };
        let answer = self.client.send(request).await.ok()?;
        (answer.status == 200).then_some(answer.body)
    }

    /// `GET media/{case}-{n}.jpg`: a photograph that is published.
    pub(super) async fn photograph(&self, name: &str, call: &Call<'_>) -> Result<Reply, Failure> {
        let not_there = || Format::Xml.refused(404, &["the photograph was not found".to_owned()]);
        if let Err(refusal) = self.keys.reads(None, call.host.now()) {
            return Ok(Format::Xml.refused(refusal.status, &refusal.wrong));
        }
        let named = name.strip_suffix(".jpg").and_then(|name| name.rsplit_once('-'));
        let named = named.and_then(|(case, at)| Some((case.parse::<Id>().ok()?, at.parse::<usize>().ok()?)));
        let Some((id, at)) = named.filter(|_| call.method == "GET") else { return Ok(not_there()) };
        let record = call.host.record(RecordKind::Case, id).await?;
        let Some(Record::Case(case)) = record else { return Ok(not_there()) };
        let Some(content) = self.published(&case, at) else { return Ok(not_there()) };
        match call.host.open(&content).await {
            Ok(body) => {
                Ok(Reply { status: 200, content_type: Some("image/jpeg".to_owned()), body, look: false })
            }
            // It was erased with its document.
            Err(failure) if failure.kind == FailureKind::Permanent => Ok(not_there()),
            Err(failure) => Err(failure),
        }
    }

    fn published(&self, case: &Case, at: usize) -> Option<model::PayloadRef> {
        let shown = Shown::of(case, self.settings.publish)?;
        Some(shown.photos().get(at.checked_sub(1)?)?.content.clone())
    }
}

impl Taken {
    fn missing(&mut self, url: &str) {
        self.not_fetched.push(url.to_owned());
        self.concern(MISSING);
    }

    fn concern(&mut self, code: &'static str) {
        if !self.concerns.contains(&code) {
            self.concerns.push(code);
        }
    }
}

fn place(proposal: &Proposal) -> Option<Location> {
    let (latitude, longitude) = proposal.place?;
    Some(Location {
        latitude_micro: Some(latitude),
        longitude_micro: Some(longitude),
        address: None,
        description: Some("Aufnahmeort nach dem Foto".to_owned()),
    })
}
