//! The folder as a document management system: see [`notes`](super::notes) for how crashes and other writers are met.
//!
//! | of the port | here |
//! |---|---|
//! | reference | `own:IDENTIFIER` of what is ours, wherever it lies; `at:PLACE` of anything else, `far:HASH` if its place is too long |
//! | change token, content | the entity tag of a file; size and time of change where the server has none. Folders have none |
//! | version, mark | how many versions we put there; the mark of the last, unless the file was changed by others since |
//! | properties | the note beside it |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use model::adapter::Content;
use model::{Failure, Timestamp};

use super::client::{Dav, Made};
use super::multistatus::Entry as Seen;
use super::notes::{Note, Notes, Pending};
use super::place::{self, Place};
use super::walk;
use crate::failure;
use crate::port::{Bytes, Changes, Created, Entry, Object, Port, REFERENCE_BYTES, Value};
use crate::rest;

/// How references to places begin that are too long.
pub(super) const FAR: &str = "far:";

/// A WebDAV folder. Cheap to clone.
#[derive(Clone)]
pub struct Library {
    pub(super) dav: Dav,
    pub(super) notes: Notes,
    keep_versions: bool,
    /// Places of the last stretch of a walk that are too long for a reference, by their hash: whoever takes such a file in gives it an
    /// identifier at once, and whoever does not comes by it again.
    pub(super) far: Arc<Mutex<BTreeMap<String, Place>>>,
}

/// Something that is there, with our note if it is ours.
struct Found {
    note: Option<Note>,
    seen: Seen,
}

impl Library {
    pub(super) fn new(dav: Dav, own_folder: &str, keep_versions: bool) -> Self {
        let notes = Notes::new(dav.clone(), own_folder);
        Library { dav, notes, keep_versions, far: Arc::default() }
    }

    /// What a reference names; `None` if it is gone.
    async fn resolve(&self, reference: &str) -> Result<Option<Found>, Failure> {
        if let Some(own) = reference.strip_prefix("own:") {
            return self.of_ours(own).await;
        }
        let place = self.place(reference)?;
        let Some(seen) = self.dav.look(&place).await? else { return Ok(None) };
        Ok(Some(Found { note: self.notes.who(&place).await?, seen }))
    }

    /// The place of what is not ours.
    fn place(&self, reference: &str) -> Result<Place, Failure> {
        if reference.starts_with(FAR) {
            let far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
            return far.get(reference).cloned().ok_or_else(failure::gone);
        }
        let place = reference.strip_prefix("at:").and_then(Place::from_plain);
        place.ok_or_else(|| rest::refused("the reference is none of this kind of system"))
    }

    async fn of_ours(&self, own: &str) -> Result<Option<Found>, Failure> {
        let Some(note) = self.notes.find(own).await? else { return Ok(None) };
        let Some(place) = note.at() else { return Ok(None) };
        let seen = self.dav.look(&place).await?.filter(|seen| seen.is_folder == note.folder);
        Ok(seen.map(|seen| Found { note: Some(note), seen }))
    }

    /// The same, as it was when `of` was seen.
    async fn unchanged(&self, of: &Object) -> Result<Found, Failure> {
        let found = self.resolve(&of.reference).await?;
        let found = found.ok_or_else(failure::gone)?;
        match token(&found.seen) == of.token {
            true => Ok(found),
            false => Err(failure::conflict()),
        }
    }

    async fn folder(&self, reference: &str) -> Result<Place, Failure> {
        let found = self.resolve(reference).await?.filter(|found| found.seen.is_folder);
        let found = found.ok_or_else(failure::gone)?;
        Ok(found.seen.place)
    }

    /// Makes something aside, notes where it goes, and moves it there.
    async fn create(
        &self,
        parent: &str,
        entry: &Entry,
        bytes: Option<&Bytes<'_>>,
    ) -> Result<Created, Failure> {
        if entry.own.len() + "own:".len() > REFERENCE_BYTES {
            return Err(rest::refused("the identifier is too long"));
        }
        let target = self.folder(parent).await?.child(&place::fitting(&entry.name));
        let staged = self.notes.staged(&entry.own);
        match bytes {
            Some(bytes) => self.stage(&staged, bytes).await?,
            None => _ = self.notes.within(&staged, || self.dav.make_folder(&staged)).await?,
        }
        let mut note = Note::new(&entry.own, bytes.is_none());
        set(&mut note.properties, &entry.properties);
        let mark = bytes.map(|bytes| bytes.mark.to_owned());
        note.pending = Some(Pending { place: target.written(), mark });
        self.notes.keep(&note).await?;
        if self.notes.who(&target).await?.is_none() {
            self.notes.lies(&target, &entry.own).await?;
        }
        let moved = match bytes {
            Some(_) => self.dav.rename(&staged, &target, None).await?,
            None => self.dav.rename_folder(&staged, &target).await?,
        };
        match moved {
            Made::New => return self.placed(note).await.map(Created::New),
            Made::Taken => {
                self.notes.forget(&entry.own).await?;
                self.dav.remove(&staged, bytes.is_none()).await?;
                return Ok(Created::NameTaken);
            }
            // Another node was faster, or the folder has gone.
            Made::NoPlace => {}
        }
        let found = self.of_ours(&entry.own).await?;
        found.map(|found| Created::New(found.object())).ok_or_else(failure::gone)
    }

    /// The move has happened; the note says so, with the token that the bytes have now.
    async fn placed(&self, mut note: Note) -> Result<Object, Failure> {
        note.settle();
        let place = note.at().ok_or_else(rest::garbage)?;
        let seen = self.dav.look(&place).await?.ok_or_else(failure::gone)?;
        note.token = token(&seen);
        self.notes.keep(&note).await?;
        Ok(self.object(seen, Some(note)))
    }

    /// Puts bytes where nobody looks, and looks whether all of them have arrived.
    async fn stage(&self, staged: &Place, bytes: &Bytes<'_>) -> Result<(), Failure> {
        // Before a large body is sent in vain.
        let folder = staged.parent().unwrap_or_default();
        self.notes.within(&folder, || self.dav.make_folder(&folder)).await?;
        let media_type = bytes.media_type.unwrap_or("application/octet-stream");
        let body = rest::body(vec![], bytes.source.open().await?, bytes.size, vec![]);
        if self.dav.put(staged, media_type, body).await? != Made::New {
            return Err(rest::garbage());
        }
        let seen = self.dav.look(staged).await?.ok_or_else(rest::garbage)?;
        match seen.size {
            Some(size) if size != bytes.size => Err(rest::garbage()),
            _ => Ok(()),
        }
    }

    /// The bytes that a new version replaces, put aside.
    async fn put_aside(&self, note: &Note, seen: &Seen) -> Result<(), Failure> {
        if !self.keep_versions {
            return Ok(());
        }
        let aside = self.notes.version(&note.own, note.marks.len(), seen.place.name());
        // If it is there already, an earlier try was cut short behind this.
        self.notes.within(&aside, || self.dav.copy(&seen.place, &aside)).await.map(drop)
    }

    pub(super) fn object(&self, seen: Seen, note: Option<Note>) -> Object {
        Found { note, seen }.object()
    }
}

impl Found {
    fn object(self) -> Object {
        let Found { note, seen } = self;
        let is_document = !seen.is_folder;
        let token = token(&seen);
        let reference = match &note {
            Some(note) => format!("own:{}", note.own),
            None => reference(&seen.place),
        };
        let versions = note.as_ref().map_or(0, |note| note.marks.len());
        // Others may have changed the bytes since.
        let ours = note.as_ref().filter(|note| is_document && note.token.is_some() && note.token == token);
        let mark = ours.and_then(|note| note.marks.last().cloned());
        let (own, properties) = note.map(|note| (note.own, note.properties)).unzip();
        Object {
            reference,
            // A copy has no note.
            series: None,
            content: token.clone(),
            token,
            own,
            is_folder: seen.is_folder,
            name: seen.place.name().to_owned(),
            version: (is_document && versions > 0).then(|| versions.to_string()),
            size: seen.size.filter(|_| is_document),
            media_type: seen.media_type.filter(|_| is_document),
            file_name: None,
            mark,
            modified_at: seen.modified.as_deref().and_then(moment),
            properties: properties.unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Port for Library {
    async fn root(&self) -> Result<Object, Failure> {
        let root = Place::root();
        if let Some(seen) = self.dav.look(&root).await? {
            return Ok(self.object(seen, None));
        }
        if self.dav.make_folder(&root).await? == Made::NoPlace {
            return Err(failure::setup("the folder that the configured one lies in is not there"));
        }
        let seen = self.dav.look(&root).await?.ok_or_else(rest::garbage)?;
        Ok(self.object(seen, None))
    }

    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure> {
        let found = self.of_ours(own).await?.filter(|found| found.seen.is_folder == is_folder);
        Ok(found.map(Found::object))
    }

    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure> {
        Ok(self.resolve(reference).await?.map(Found::object))
    }

    async fn child(&self, folder: &str, name: &str) -> Result<Option<Object>, Failure> {
        let place = self.folder(folder).await?.child(&place::fitting(name));
        let Some(seen) = self.dav.look(&place).await? else { return Ok(None) };
        let note = self.notes.who(&place).await?;
        Ok(Some(self.object(seen, note)))
    }

    async fn parent(&self, of: &Object) -> Result<Option<Object>, Failure> {
        let place = match of.reference.strip_prefix("own:") {
            Some(own) => self.notes.find(own).await?.and_then(|note| note.at()),
            None => Some(self.place(&of.reference)?),
        };
        let Some(folder) = place.and_then(|place| place.parent()) else { return Ok(None) };
        let note = self.notes.who(&folder).await?;
        let seen = Seen { place: folder, is_folder: true, ..Seen::default() };
        Ok(Some(self.object(seen, note)))
    }

    async fn create_folder(&self, parent: &str, entry: &Entry) -> Result<Created, Failure> {
        self.create(parent, entry, None).await
    }

    async fn create_document(
        &self,
        folder: &str,
        entry: &Entry,
        bytes: &Bytes<'_>,
    ) -> Result<Created, Failure> {
        self.create(folder, entry, Some(bytes)).await
    }

    async fn new_version(&self, of: &Object, bytes: &Bytes<'_>) -> Result<Object, Failure> {
        let Found { note, seen } = self.unchanged(of).await?;
        let mut note = note.ok_or_else(|| rest::refused("the document has no identifier of ours"))?;
        let staged = self.notes.staged(&note.own);
        self.stage(&staged, bytes).await?;
        self.put_aside(&note, &seen).await?;
        let pending = Pending { place: seen.place.written(), mark: Some(bytes.mark.to_owned()) };
        self.notes.keep(&Note { pending: Some(pending.clone()), ..note.clone() }).await?;
        // The server looks at the tag once more, if it can.
        let still = self.dav.look(&seen.place).await?.is_some_and(|now| token(&now) == token(&seen));
        let etag = seen.etag.as_deref().unwrap_or_default();
        if !still || self.dav.rename(&staged, &seen.place, Some(etag)).await? != Made::New {
            self.notes.keep(&note).await?;
            self.dav.remove(&staged, false).await?;
            return Err(failure::conflict());
        }
        note.pending = Some(pending);
        self.placed(note).await
    }

    async fn has_version(&self, of: &Object, mark: &str) -> Result<bool, Failure> {
        let Some(own) = &of.own else { return Ok(false) };
        let note = self.notes.find(own).await?;
        Ok(note.is_some_and(|note| note.marks.iter().any(|known| known == mark)))
    }

    async fn set_metadata(
        &self,
        of: &Object,
        own: Option<&str>,
        properties: &BTreeMap<String, Value>,
    ) -> Result<Object, Failure> {
        let Found { note, seen } = self.unchanged(of).await?;
        let mut note = match (note, own) {
            (Some(note), _) => note,
            (None, Some(own)) => {
                let place = Some(seen.place.written());
                let note = Note { place, ..Note::new(own, seen.is_folder) };
                self.notes.lies(&seen.place, own).await?;
                note
            }
            (None, None) => return Ok(self.object(seen, None)),
        };
        set(&mut note.properties, properties);
        self.notes.keep(&note).await?;
        Ok(self.object(seen, Some(note)))
    }

    async fn open(&self, of: &Object) -> Result<Content, Failure> {
        self.dav.open(&self.unchanged(of).await?.seen).await
    }

    async fn changes(&self, since: Option<&str>) -> Result<Option<Changes>, Failure> {
        walk::changes(self, since).await.map(Some)
    }

    async fn check(&self) -> Result<String, Failure> {
        let answer = self.dav.options().await?;
        let classes = rest::header(&answer, "dav").unwrap_or_default();
        if !classes.split(',').any(|class| class.trim() == "1") {
            return Err(failure::setup("the address is none of a WebDAV server"));
        }
        let root = self.root().await?;
        // A file of our own shows whether we may write, and whether the server has entity tags.
        let probe = self.notes.folder().child("probe.txt");
        self.notes.within(&probe, || self.dav.put(&probe, "text/plain", b"Amtsbote".to_vec().into())).await?;
        let tagged = self.dav.look(&probe).await?.is_some_and(|seen| seen.etag.is_some());
        let tags = if tagged {
            "with entity tags"
        } else {
            "without entity tags: changes are told by size and time"
        };
        Ok(format!("WebDAV, {tags}; folder {}", if root.is_folder { "there" } else { "missing" }))
    }
}

/// How something is called that is not ours.
pub(super) fn reference(place: &Place) -> String {
    let plain = place.plain();
    match plain.len() + "at:".len() <= REFERENCE_BYTES {
        true => format!("at:{plain}"),
        false => format!("{FAR}{}", seal::sha256(&[plain.as_bytes()])),
    }
}

/// Another text whenever the bytes changed.
fn token(seen: &Seen) -> Option<String> {
    if seen.is_folder {
        return None;
    }
    seen.etag.clone().or_else(|| Some(format!("{}/{}", seen.size?, seen.modified.as_deref()?)))
}

/// A time of HTTP.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
}

fn set(known: &mut BTreeMap<String, String>, properties: &BTreeMap<String, Value>) {
    for (name, value) in properties {
        match &value.value {
            Some(text) => _ = known.insert(name.clone(), text.clone()),
            None => _ = known.remove(name),
        }
    }
}
