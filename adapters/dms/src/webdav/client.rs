//! Single requests of WebDAV (RFC 4918), and what their answers mean. A page of HTML where none was asked for is no answer.

use model::Failure;
use model::adapter::Content;
use net::{Answer, Opened, Upload};

use super::multistatus::{self, Entry};
use super::place::{Base, Place};
use crate::failure;
use crate::rest::{self, Rest};

/// Most bytes of a multistatus; one entry has some 600.
const MOST_MULTISTATUS: usize = 24 << 20;

/// Most bytes of a small file of our own.
const MOST_SMALL: usize = 256 * 1024;

const PROPFIND: &str = r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getetag/><getcontentlength/><getlastmodified/><getcontenttype/></prop></propfind>"#;

/// What became of something that is made only where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was made.
    New,
    /// There is something already.
    Taken,
    /// What it should lie in, or be made from, is not there.
    NoPlace,
}

/// A server.
#[derive(Clone)]
pub(super) struct Dav {
    rest: Rest,
    base: Base,
}

impl Dav {
    pub(super) fn new(rest: Rest, base: Base) -> Self {
        Dav { rest, base }
    }

    pub(super) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// What is at a place; nothing if there is nothing.
    pub(super) async fn look(&self, place: &Place) -> Result<Option<Entry>, Failure> {
        Ok(self.propfind(place, "0").await?.into_iter().flatten().find(|entry| entry.place == *place))
    }

    /// What lies directly in a folder; `None` if it is not there.
    pub(super) async fn list(&self, folder: &Place) -> Result<Option<Vec<Entry>>, Failure> {
        let found = self.propfind(folder, "1").await?;
        let is_in = |entry: &Entry| entry.place.parent().as_ref() == Some(folder);
        Ok(found.map(|all| all.into_iter().filter(is_in).collect()))
    }

    async fn propfind(&self, place: &Place, depth: &str) -> Result<Option<Vec<Entry>>, Failure> {
        let headers = [("depth", depth), ("content-type", "application/xml; charset=utf-8")];
        // Without a slash: whether it is a folder is what is asked. Some servers send whoever asks so elsewhere.
        let mut answer = self
            .rest
            .send_for(
                "PROPFIND",
                &self.base.url(place, depth == "1" || place.parts().is_empty()),
                &headers,
                Some(PROPFIND.to_owned()),
                MOST_MULTISTATUS,
            )
            .await?;
        if matches!(answer.status, 301 | 302 | 307 | 308) {
            let url = self.base.url(place, true);
            let body = Some(PROPFIND.to_owned());
            answer = self.rest.send_for("PROPFIND", &url, &headers, body, MOST_MULTISTATUS).await?;
        }
        match answer.status {
            207 => multistatus::read(&answer.body, &self.base).map(Some).map_err(|_| rest::garbage()),
            404 | 410 => Ok(None),
            // A file where a folder would have to be.
            409 => Ok(None),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// Makes a folder.
    pub(super) async fn make_folder(&self, place: &Place) -> Result<Made, Failure> {
        let answer = self.rest.send("MKCOL", &self.base.url(place, true), &[], None).await?;
        match answer.status {
            201 => Ok(Made::New),
            405 => Ok(Made::Taken),
            404 | 409 => Ok(Made::NoPlace),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// Puts bytes at a place, over whatever is there.
    pub(super) async fn put(&self, place: &Place, media_type: &str, body: Upload) -> Result<Made, Failure> {
        let headers = [("content-type", media_type)];
        let answer = self.rest.upload("PUT", &self.base.url(place, false), &headers, body).await?;
        match answer.status {
            201 | 204 => Ok(Made::New),
            200 if !is_page(&answer) => Ok(Made::New),
            404 | 409 => Ok(Made::NoPlace),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// Moves a folder to where nothing is.
    pub(super) async fn rename_folder(&self, from: &Place, to: &Place) -> Result<Made, Failure> {
        let destination = self.base.url(to, true);
        let headers = [("destination", destination.as_str()), ("overwrite", "F")];
        self.moved("MOVE", &self.base.url(from, true), &headers).await
    }

    /// Moves a file to where nothing is, or over a file that is still the one of this entity tag.
    pub(super) async fn rename(&self, from: &Place, to: &Place, over: Option<&str>) -> Result<Made, Failure> {
        let destination = self.base.url(to, false);
        let condition = over.map(|etag| format!("<{destination}> ([{etag}])"));
        let mut headers = vec![("destination", destination.as_str())];
        headers.push(("overwrite", if over.is_some() { "T" } else { "F" }));
        // Weak tags prove nothing (RFC 4918, section 10.4.4).
        headers.extend(
            condition
                .as_deref()
                .filter(|_| over.is_some_and(|etag| etag.starts_with('"')))
                .map(|it| ("if", it)),
        );
        self.moved("MOVE", &self.base.url(from, false), &headers).await
    }

    /// Copies a file to where nothing is.
    pub(super) async fn copy(&self, from: &Place, to: &Place) -> Result<Made, Failure> {
        let destination = self.base.url(to, false);
        let headers = [("destination", destination.as_str()), ("overwrite", "F"), ("depth", "0")];
        self.moved("COPY", &self.base.url(from, false), &headers).await
    }

    async fn moved(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Made, Failure> {
        let answer = self.rest.send(method, url, headers, None).await?;
        match answer.status {
            201 | 204 => Ok(Made::New),
            412 => Ok(Made::Taken),
            404 | 409 => Ok(Made::NoPlace),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// Removes a file or an empty folder of our own; none is fine.
    pub(super) async fn remove(&self, place: &Place, is_folder: bool) -> Result<(), Failure> {
        let answer = self.rest.send("DELETE", &self.base.url(place, is_folder), &[], None).await?;
        match answer.status {
            200 if !is_page(&answer) => Ok(()),
            202 | 204 | 404 | 410 => Ok(()),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// The bytes of a small file of our own; `None` if it is not there.
    pub(super) async fn read(&self, place: &Place) -> Result<Option<Vec<u8>>, Failure> {
        let url = self.base.url(place, false);
        let answer = self.rest.send_for("GET", &url, &[], None, MOST_SMALL).await?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 | 410 => Ok(None),
            // What it lies in is not there.
            409 => Ok(None),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// The bytes of a file that is as it was seen.
    pub(super) async fn open(&self, entry: &Entry) -> Result<Content, Failure> {
        let opened = self.rest.open(&self.base.url(&entry.place, false), &[]).await?;
        match opened.status {
            200 if is_it(&opened, entry) => Ok(opened.body),
            200 => Err(rest::garbage()),
            404 | 410 => Err(failure::gone()),
            _ => Err(self.rest.refusal_of(&opened)),
        }
    }

    /// What the server says of itself, and its clock, which comes in seconds.
    pub(super) async fn options(&self) -> Result<Answer, Failure> {
        let answer = self.rest.send("OPTIONS", &self.base.url(&Place::root(), true), &[], None).await?;
        match answer.status {
            200 | 204 => Ok(answer),
            _ => Err(self.rest.refusal(&answer)),
        }
    }
}

/// Whether the bytes that come are those of a file, as far as the head of the answer tells: a page to log in is none.
fn is_it(opened: &Opened, entry: &Entry) -> bool {
    let field = |name: &str| opened.headers.get(name).and_then(|value| value.to_str().ok());
    let has_size = |length: &str| entry.size.is_none_or(|size| length.trim().parse() == Ok(size));
    let has_tag = |etag: &str| entry.etag.as_deref().is_none_or(|known| known == etag);
    field("content-length").is_none_or(has_size) && field("etag").is_none_or(has_tag)
}

fn is_page(answer: &Answer) -> bool {
    rest::header(answer, "content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}
