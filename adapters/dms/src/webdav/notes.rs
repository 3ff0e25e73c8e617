//! The gateway's own folder on the server: for each record that lies there one small file that says where it lies, and what is being done
//! with it. What is to be seen by others is made aside first and put to its place by one move, and the note says so before: so whoever
//! finds a note after a crash knows from it whether the move has happened.
//!
//! ```text
//! OWN/staged/HASH            bytes or folder that wait for their move
//! OWN/records/HH/HASH.json   note of what has this identifier of ours; HASH is of the identifier, HH its beginning
//! OWN/places/HH/HASH.json    {"own": …}: who lies at a place; HASH is of the place
//! OWN/versions/HASH/N NAME   bytes that a new version replaced
//! ```
//! A note holds the values of the mapped properties, too, since the protocol has no place for them: other systems find them there.

use std::collections::BTreeMap;

use model::Failure;
use serde::{Deserialize, Serialize};

use super::client::{Dav, Made};
use super::place::Place;
use crate::{failure, rest};

/// Most marks of versions that a note holds.
const MOST_MARKS: usize = 500;

/// What is known of something that lies here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// Our identifier.
    pub(super) own: String,
    /// Whether it is a folder.
    pub(super) folder: bool,
    /// Where it lies, as [`Place::written`]; absent until it does.
    pub(super) place: Option<String>,
    /// The move that is under way.
    pub(super) pending: Option<Pending>,
    /// Change token of its bytes when we put the latest version there; absent if a crash came between.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// Marks of its versions, oldest first.
    #[serde(default)]
    pub(super) marks: Vec<String>,
    /// Values of properties.
    #[serde(default)]
    pub(super) properties: BTreeMap<String, String>,
}

/// A move from the staged place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// Where to.
    pub(super) place: String,
    /// The version that it makes, unless it is a folder.
    pub(super) mark: Option<String>,
}

/// Who lies at a place.
#[derive(Serialize, Deserialize)]
struct Lies {
    own: String,
}

impl Note {
    pub(super) fn new(own: &str, folder: bool) -> Self {
        Note { own: own.to_owned(), folder, ..Note::default() }
    }

    /// Where it lies.
    pub(super) fn at(&self) -> Option<Place> {
        Place::read(self.place.as_deref()?)
    }

    /// The move has happened.
    pub(super) fn settle(&mut self) {
        let Some(Pending { place, mark }) = self.pending.take() else { return };
        self.place = Some(place);
        self.token = None;
        self.marks.extend(mark);
        let more = self.marks.len().saturating_sub(MOST_MARKS);
        self.marks.drain(..more);
    }
}

/// The gateway's own folder.
#[derive(Clone)]
pub(super) struct Notes {
    dav: Dav,
    folder: Place,
}

impl Notes {
    pub(super) fn new(dav: Dav, own_folder: &str) -> Self {
        Notes { dav, folder: Place::root().child(own_folder) }
    }

    /// The own folder.
    pub(super) fn folder(&self) -> &Place {
        &self.folder
    }

    /// Where bytes or a folder wait for their move.
    pub(super) fn staged(&self, own: &str) -> Place {
        self.folder.child("staged").child(&hash(own))
    }

    /// Where the bytes lie that version `number` of something had.
    pub(super) fn version(&self, own: &str, number: usize, name: &str) -> Place {
        self.folder.child("versions").child(&hash(own)).child(&format!("{number} {name}"))
    }

    /// What is known of an identifier; a move that was under way is judged by what lies where.
    pub(super) async fn find(&self, own: &str) -> Result<Option<Note>, Failure> {
        let Some(bytes) = self.dav.read(&self.sharded("records", own)).await? else { return Ok(None) };
        let note: Note = serde_json::from_slice(&bytes).map_err(|_| rest::garbage())?;
        if note.own != own {
            return Err(rest::garbage());
        }
        self.judged(note).await.map(Some)
    }

    async fn judged(&self, mut note: Note) -> Result<Note, Failure> {
        if note.pending.is_none() {
            return Ok(note);
        }
        // What waits was put there before the note said so; it leaves by the move alone.
        match self.dav.look(&self.staged(&note.own)).await? {
            Some(_) => note.pending = None,
            None => note.settle(),
        }
        Ok(note)
    }

    /// Keeps a note.
    pub(super) async fn keep(&self, note: &Note) -> Result<(), Failure> {
        self.put_json(&self.sharded("records", &note.own), note).await
    }

    /// Forgets what never came to its place.
    pub(super) async fn forget(&self, own: &str) -> Result<(), Failure> {
        self.dav.remove(&self.sharded("records", own), false).await
    }

    /// Notes who lies at a place.
    pub(super) async fn lies(&self, place: &Place, own: &str) -> Result<(), Failure> {
        let own = own.to_owned();
        self.put_json(&self.sharded("places", &place.written()), &Lies { own }).await
    }

    /// Who lies at a place, if that is one of ours.
    pub(super) async fn who(&self, place: &Place) -> Result<Option<Note>, Failure> {
        let Some(bytes) = self.dav.read(&self.sharded("places", &place.written())).await? else {
            return Ok(None);
        };
        let lies: Lies = serde_json::from_slice(&bytes).map_err(|_| rest::garbage())?;
        let note = self.find(&lies.own).await?;
        // Others may have been put where it was.
        Ok(note.filter(|note| note.at().as_ref() == Some(place)))
    }

    async fn put_json(&self, place: &Place, value: &impl Serialize) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(value).map_err(|_| rest::garbage())?;
        let put = || self.dav.put(place, "application/json", bytes.clone().into());
        self.within(place, put).await.map(drop)
    }

    /// Does something at a place of the own folder, whose folders are made if they are not there yet.
    pub(super) async fn within<F>(&self, place: &Place, act: impl Fn() -> F) -> Result<Made, Failure>
    where
        F: Future<Output = Result<Made, Failure>>,
    {
        match act().await? {
            Made::NoPlace => {}
            made => return Ok(made),
        }
        let parts = place.parts();
        let mut above = Place::root();
        self.dav.make_folder(&above).await?;
        for part in &parts[..parts.len().saturating_sub(1)] {
            above = above.child(part);
            self.dav.make_folder(&above).await?;
        }
        match act().await? {
            Made::NoPlace => Err(failure::setup("the gateway's own folder cannot be made")),
            made => Ok(made),
        }
    }

    fn sharded(&self, kind: &str, name: &str) -> Place {
        let hash = hash(name);
        self.folder.child(kind).child(&hash[..2]).child(&format!("{hash}.json"))
    }
}

fn hash(text: &str) -> String {
    let digest = seal::sha256(&[text.as_bytes()]).to_string();
    digest[..40].to_owned()
}
