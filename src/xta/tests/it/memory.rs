//! A backend in memory: two parties, one box each.

use std::future::ready;
use std::io::{Read, Write};
use std::sync::Mutex;

use xml::value::DateTime;
use xta::model::{Availability, Content, Key, MetaData, Party, Record, Report, Severity, Status};
use xta::server::Backend;
use xta::server::backend::{
    Contents, Fetched, Listed, NoMatch, Position, Receiving, Reply, Rest, Selector, Taken, Taking, Way, Wish,
};
use xta::{Fault, Result, Rules};

pub(crate) const AUTHOR: &str = "ags:12345678";
/// The account that is locked.
pub(crate) const LOCKED: &str = "gesperrt";
/// Most bytes of one content.
pub(crate) const MOST: usize = 1 << 20;

/// The backend.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) boxes: Mutex<Vec<Stored>>,
    /// What every request is refused with.
    pub(crate) refusal: Option<Fault>,
    /// Whether every caller may leave out what some leave out.
    pub(crate) is_lenient: bool,
}

/// A message that was taken in.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) meta: MetaData,
    pub(crate) contents: Vec<(Content, Vec<u8>)>,
    pub(crate) is_closed: bool,
}

pub(crate) fn now() -> DateTime {
    "2026-11-29T02:20:00Z".parse().unwrap()
}

impl Memory {
    pub(crate) fn refusing(fault: Fault) -> Self {
        Memory { refusal: Some(fault), ..Memory::default() }
    }

    fn open(&self, reader: &str, selector: &Selector) -> Vec<Stored> {
        let boxes = self.boxes.lock().unwrap();
        let fits = |it: &&Stored| {
            let id = &it.meta.message_id;
            !it.is_closed
                && it.meta.reader.id == reader
                && (selector.message_ids.is_empty() || selector.message_ids.contains(id))
                && selector.is_new.is_none_or(|is_new| is_new == it.meta.delivery.initial_fetch.is_none())
        };
        boxes.iter().filter(fits).cloned().collect()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Stored)) -> Result<()> {
        let mut boxes = self.boxes.lock().unwrap();
        let stored = boxes.iter_mut().find(|it| it.meta.message_id == id).ok_or(Fault::UNKNOWN_ID)?;
        change(stored);
        Ok(())
    }
}

impl Backend for Memory {
    type Caller = String;

    fn caller(&self, party: Option<&Party>) -> Result<String> {
        match (self.refusal, party.map(|party| party.id.as_str())) {
            (Some(fault), _) => Err(fault.into()),
            (None, Some(LOCKED)) => Err(Fault::LOCKED.into()),
            (None, Some(id)) => Ok(id.to_owned()),
            (None, None) => Ok(AUTHOR.to_owned()),
        }
    }

    fn rules(&self, _: &String) -> Rules {
        if self.is_lenient { Rules::Lenient } else { Rules::Strict }
    }

    async fn create_message_id(&self, _: &String) -> Result<String> {
        Ok("urn:de:xta:messageid:test:00000000-0000-4000-8000-000000000001".to_owned())
    }

    async fn lookup(&self, _: &String, reader: &Party, service: &str) -> Result<Availability> {
        let key = Key { code: "cert".into(), name: None, list: "urn:p".into(), version: "1".into() };
        let is_available = (service != "urn:unknown").then_some(reader.id != AUTHOR);
        Ok(Availability { is_available, parameters: vec![(key, b"certificate".to_vec())] })
    }

    async fn begin<'a>(
        &'a self,
        _: &String,
        meta: &MetaData,
        way: Way,
    ) -> Result<Box<dyn Receiving<'a> + 'a>> {
        if self.boxes.lock().unwrap().iter().any(|it| it.meta.message_id == meta.message_id) {
            return Err(Fault::USED_ID.into());
        }
        Ok(Box::new(Coming { memory: self, meta: meta.clone(), way, contents: Vec::new() }))
    }

    async fn report(&self, _: &String, message_id: &str) -> Result<Report> {
        let boxes = self.boxes.lock().unwrap();
        let stored = boxes.iter().find(|it| it.meta.message_id == message_id).ok_or(Fault::UNKNOWN_ID)?;
        let record = |severity| Record { severity, time: now(), code: "1".into(), reason: "r & s".into() };
        let records = [Severity::Info, Severity::Error, Severity::Warning, Severity::Info].map(record);
        let (server, status) = ("amtsbote-test".to_owned(), Status::Red);
        Ok(Report { meta: stored.meta.clone(), time: now(), server, status, records: records.to_vec() })
    }

    async fn cancel(&self, _: &String, message_id: &str) -> Result<()> {
        match self.boxes.lock().unwrap().iter().find(|it| it.meta.message_id == message_id) {
            None => Err(Fault::PARAMETERS.into()),
            Some(it) if it.meta.delivery.not_before.is_none() => Err(Fault::NOT_BEFORE_IS_UNSET.into()),
            Some(_) => Ok(()),
        }
    }

    async fn list(&self, caller: &String, selector: &Selector, most: Option<u32>) -> Result<Listed> {
        let open = self.open(caller, selector);
        let most = most.map_or(open.len(), |most| most as usize).min(open.len());
        let rest = match open.is_empty() {
            true => Rest::Nothing(NoMatch::NoMatch),
            false => Rest::Pending((open.len() - most) as u64),
        };
        let position = Position { iterator: "urn:uuid:list".to_owned(), rest };
        Ok(Listed { entries: open.into_iter().take(most).map(|it| it.meta).collect(), position })
    }

    async fn list_on(&self, caller: &String, iterator: &str) -> Result<Listed> {
        if iterator != "urn:uuid:list" {
            let position =
                Position { iterator: iterator.to_owned(), rest: Rest::Nothing(NoMatch::RequestId) };
            return Ok(Listed { entries: Vec::new(), position });
        }
        self.list(caller, &Selector::default(), None).await
    }

    async fn fetch(&self, caller: &String, selector: &Selector) -> Result<Fetched> {
        let open = self.open(caller, selector);
        let first = open.into_iter().next().ok_or(Fault::UNKNOWN_ID)?;
        self.change(&first.meta.message_id, |it| it.meta.delivery.initial_fetch = Some(now()))?;
        let position = Position { iterator: "urn:uuid:fetch".to_owned(), rest: Rest::Pending(0) };
        Ok(Fetched { meta: first.meta, position, contents: Box::new(Handed::of(first.contents)) })
    }

    async fn fetch_on(&self, caller: &String, _: &str, received: &[String]) -> Result<Fetched> {
        self.close(caller, received, "").await?;
        self.fetch(caller, &Selector::default()).await
    }

    async fn close(&self, _: &String, message_ids: &[String], _: &str) -> Result<()> {
        message_ids.iter().try_for_each(|id| self.change(id, |it| it.is_closed = true))
    }
}

struct Coming<'a> {
    memory: &'a Memory,
    meta: MetaData,
    way: Way,
    contents: Vec<(usize, Content, Limited)>,
}

/// Takes as much as a content may have.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(xta::Error::from(Fault::TOO_LARGE).into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Taking for Coming<'_> {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.contents.push((index, content.clone(), Limited(Vec::new())));
        Ok(&mut self.contents.last_mut().unwrap().2)
    }
}

impl<'a> Receiving<'a> for Coming<'a> {
    fn finish(self: Box<Self>) -> Taken<'a> {
        Box::pin(ready(self.end()))
    }
}

impl Coming<'_> {
    fn end(mut self) -> Result<Option<Reply>> {
        self.contents.sort_by_key(|(index, ..)| *index);
        let contents: Vec<(Content, Vec<u8>)> =
            self.contents.into_iter().map(|(_, content, bytes)| (content, bytes.0)).collect();
        let mut meta = self.meta;
        if self.way == Way::Sent(Wish::Synchronous) {
            return Ok(Some(Reply { meta, contents: Box::new(Handed::of(contents)) }));
        }
        meta.delivery.delivery = Some(now());
        self.memory.boxes.lock().unwrap().push(Stored { meta, contents, is_closed: false });
        Ok(None)
    }
}

/// Contents that are handed out.
pub(crate) struct Handed {
    list: Vec<(Content, u64)>,
    bytes: Vec<Vec<u8>>,
}

impl Handed {
    pub(crate) fn of(contents: Vec<(Content, Vec<u8>)>) -> Self {
        let list = contents.iter().map(|(content, bytes)| (content.clone(), bytes.len() as u64)).collect();
        Handed { list, bytes: contents.into_iter().map(|(_, bytes)| bytes).collect() }
    }
}

impl Contents for Handed {
    fn list(&self) -> &[(Content, u64)] {
        &self.list
    }

    fn open(&self, index: usize) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.bytes[index].as_slice()))
    }
}
