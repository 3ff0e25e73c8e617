//! Takes the entries out of the document and apart by their keys. Serde's own way for tables with common keys (`flatten`) knows neither
//! unknown keys nor lines.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::{
    AdapterEntry, AdapterKind, COMMON, Camunda, CamundaTopic, MAPPED, Mapped, OfArchive, OfDms, PACKAGES,
    Packages, Serves,
};
use crate::places::{Place, Places};
use crate::{Error, refused_at};

/// Kinds, as they are written.
const KINDS: &str = "remote, cmis, webdav, dvelop, enaio, xdomea-folder, camunda, asterisk, scan, mail, print, hybrid-mail, smtp, \
                     archive-tresor, archive-danrw, archive-folder, fit-connect, fit-connect-sender, portal, open311, \
                     open311-client, web-push or notify";

/// What is done for topics, as it is written.
const DOES: &str = "task, close, reopen, amend, assign-reference or note";

/// One entry that is being taken apart.
struct Entry<'i, 'p> {
    table: DeTable<'i>,
    span: std::ops::Range<usize>,
    /// Its place as a whole.
    place: Place,
    places: &'p Places,
}

/// Takes `[[adapter]]` out of the document: the entries that can be read, and what is wrong with others.
pub(crate) fn take(document: &mut Spanned<DeTable<'_>>, places: &Places) -> (Vec<AdapterEntry>, Vec<Error>) {
    let (mut entries, mut wrong) = (vec![], vec![]);
    let Some(value) = document.get_mut().remove("adapter") else { return (entries, wrong) };
    let none = |place: Place| Error::Value(place, "expected [[adapter]]".to_owned());
    let place = places.at(value.span().start);
    let DeValue::Array(items) = value.into_inner() else { return (entries, vec![none(place)]) };
    for (index, item) in items.into_iter().enumerate() {
        let span = item.span();
        let place = places.of_key(&format!("adapter[{index}]"));
        let read = match item.into_inner() {
            DeValue::Table(table) => Entry { table, span, place, places }.read(),
            _ => Err(none(places.at(span.start))),
        };
        match read {
            Ok(entry) => entries.push(entry),
            Err(error) => wrong.push(error),
        }
    }
    (entries, wrong)
}

impl Entry<'_, '_> {
    fn read(mut self) -> Result<AdapterEntry, Error> {
        let missing = || Error::Key(self.place.clone(), "missing field `kind`".to_owned());
        let kind = self.table.remove("kind").ok_or_else(missing)?;
        let (at, kind) = (kind.span(), kind.into_inner());
        let serves: Serves = self.part(COMMON)?;
        let kind = match kind.as_str().unwrap_or_default() {
            "remote" => AdapterKind::Remote(self.rest()?),
            "cmis" => AdapterKind::Cmis(self.dms()?),
            "webdav" => AdapterKind::Webdav(self.dms()?),
            "dvelop" => AdapterKind::Dvelop(self.dms()?),
            "enaio" => AdapterKind::Enaio(self.dms()?),
            "xdomea-folder" => AdapterKind::XdomeaFolder(self.rest()?),
            "camunda" => AdapterKind::Camunda(self.camunda()?),
            "asterisk" => AdapterKind::Asterisk(Box::new(self.rest()?)),
            "scan" => AdapterKind::Scan(Box::new(self.rest()?)),
            "mail" => AdapterKind::Mail(self.rest()?),
            "portal" => AdapterKind::Portal(self.rest()?),
            "print" => AdapterKind::Print(self.rest()?),
            "hybrid-mail" => AdapterKind::HybridMail(self.rest()?),
            "smtp" => AdapterKind::Smtp(self.rest()?),
            "notify" => AdapterKind::Notify(Box::new(self.rest()?)),
            "archive-tresor" => AdapterKind::ArchiveTresor(self.archive()?),
            "archive-danrw" => AdapterKind::ArchiveDanrw(self.archive()?),
            "archive-folder" => AdapterKind::ArchiveFolder(self.archive()?),
            "fit-connect" => AdapterKind::FitConnect(Box::new(self.rest()?)),
            "open311" => AdapterKind::Open311(Box::new(self.rest()?)),
            "open311-client" => AdapterKind::OpenClient(self.rest()?),
            "web-push" => AdapterKind::WebPush(self.rest()?),
            "fit-connect-sender" => AdapterKind::FitConnectSender(Box::new(self.rest()?)),
            _ => return Err(Error::Value(self.places.at(at.start), format!("expected {KINDS}"))),
        };
        Ok(AdapterEntry { serves, kind })
    }

    fn dms<T: DeserializeOwned>(mut self) -> Result<OfDms<T>, Error> {
        let mapped: Mapped = self.part(MAPPED)?;
        Ok(OfDms { system: self.rest()?, mapped })
    }

    fn archive<T: DeserializeOwned>(mut self) -> Result<OfArchive<T>, Error> {
        let packages: Packages = self.part(PACKAGES)?;
        Ok(OfArchive { target: self.rest()?, packages })
    }

    fn camunda(mut self) -> Result<Camunda, Error> {
        let topics = self.topics()?;
        Ok(Camunda { topics, ..self.rest()? })
    }

    fn topics(&mut self) -> Result<Vec<CamundaTopic>, Error> {
        let places = self.places;
        let wrong =
            |at: usize| Error::Value(places.at(at), "expected tables with `name` and `does`".to_owned());
        let Some(value) = self.table.remove("topics") else { return Ok(vec![]) };
        let start = value.span().start;
        let DeValue::Array(items) = value.into_inner() else { return Err(wrong(start)) };
        let mut topics = vec![];
        for item in items {
            let span = item.span();
            let place = places.at(span.start);
            let DeValue::Table(table) = item.into_inner() else { return Err(wrong(span.start)) };
            topics.push(Entry { table, span, place, places }.topic()?);
        }
        Ok(topics)
    }

    fn topic(mut self) -> Result<CamundaTopic, Error> {
        let missing = || Error::Key(self.place.clone(), "missing field `does`".to_owned());
        let does = self.table.remove("does").ok_or_else(missing)?;
        let (at, does) = (does.span(), does.into_inner());
        Ok(match does.as_str().unwrap_or_default() {
            "task" => CamundaTopic::Task(self.rest()?),
            "close" => CamundaTopic::Close(self.rest()?),
            "reopen" => CamundaTopic::Reopen(self.rest()?),
            "amend" => CamundaTopic::Amend(self.rest()?),
            "assign-reference" => CamundaTopic::AssignReference(self.rest()?),
            "note" => CamundaTopic::Note(self.rest()?),
            _ => return Err(Error::Value(self.places.at(at.start), format!("expected {DOES}"))),
        })
    }

    /// What these keys say.
    fn part<T: DeserializeOwned>(&mut self, keys: &[&str]) -> Result<T, Error> {
        let table = keys.iter().filter_map(|key| self.table.remove_entry(*key)).collect();
        self.read_table(table)
    }

    /// What all keys say that are left.
    fn rest<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let table = std::mem::take(&mut self.table);
        self.read_table(table)
    }

    fn read_table<T: DeserializeOwned>(&self, table: DeTable<'_>) -> Result<T, Error> {
        let table = Spanned::new(self.span.clone(), table);
        T::deserialize(Deserializer::from(table)).map_err(|error| {
            // What is missing has no place of its own.
            let within = error.span().filter(|span| span.start != self.span.start);
            let place = within.map_or_else(|| self.place.clone(), |span| self.places.at(span.start));
            refused_at(place, &error)
        })
    }
}
