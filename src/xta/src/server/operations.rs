//! The twelve operations of version 3: each reads its request, has the backend carry it out, and says what the answer holds.

use std::io::{Read, Write};

use soap::message::{Header, Incoming};
use xml::{Reader, Writer};

use super::Backend;
use super::backend::{Contents, Fetched, Position, Wish};
use crate::model::{Availability, MetaData, Party, Report, Version};
use crate::v3::answer;
use crate::v3::metadata::{self, Rules};
use crate::v3::names::{META, Operation};
use crate::v3::request::{self, ListForm};
use crate::{Error, Fault, Result, container, v5};

/// A request that is being carried out.
pub(super) struct Exchange<'a, B, R: Read> {
    pub(super) backend: &'a B,
    pub(super) incoming: Incoming<R>,
    pub(super) header: Header,
    pub(super) rules: Rules,
}

/// What an answer holds.
pub(super) struct Outcome {
    /// Header blocks.
    pub(super) blocks: Vec<String>,
    pub(super) body: Body,
}

/// What stands in the body of an answer.
pub(super) enum Body {
    Empty,
    MessageId(String),
    Services(Vec<((Party, String), Availability)>),
    Report(Box<Report>),
    List(Vec<MetaData>, ListForm),
    /// Of version 5.
    StatusList(Vec<MetaData>),
    Contents(Box<dyn Contents>),
    /// Of version 5: contents of an answer, if it is one.
    Reply(Option<Box<dyn Contents>>),
}

impl Body {
    /// Writes it, except contents.
    pub(super) fn write<W: Write>(&self, writer: &mut Writer<W>, version: Version) -> Result<()> {
        match (self, version) {
            (Body::Empty | Body::Contents(_) | Body::Reply(_), _) => Ok(()),
            (Body::MessageId(id), Version::V3) => answer::message_id(writer, id),
            (Body::MessageId(id), Version::V5) => {
                v5::answer::message_id(writer, id, &mut v5::metadata::Ids::default())
            }
            (Body::Services(found), Version::V3) => answer::lookup(writer, found),
            (Body::Services(found), Version::V5) => v5::answer::lookup(writer, found),
            (Body::Report(report), Version::V3) => answer::report(writer, report),
            (Body::Report(report), Version::V5) => v5::answer::report(writer, report),
            (Body::List(entries, form), _) => answer::status_list(writer, entries, *form),
            (Body::StatusList(entries), _) => v5::answer::status_list(writer, entries),
        }
    }
}

impl From<Body> for Outcome {
    fn from(body: Body) -> Self {
        Outcome { blocks: Vec::new(), body }
    }
}

impl<B: Backend, R: Read> Exchange<'_, B, R> {
    pub(super) fn carry_out(&mut self, operation: Operation) -> Result<Outcome> {
        match operation {
            Operation::SendMessage => self.send(Wish::Asynchronous),
            Operation::SendMessageSync => self.send(Wish::Synchronous),
            _ => {
                let caller = self.caller()?;
                self.manage(operation, &caller)
            }
        }
    }

    /// Who calls; the header that says for whom is optional.
    fn caller(&self) -> Result<B::Caller> {
        let Some(block) = self.block("Author")? else { return self.backend.caller(None) };
        let party = in_block(block, |reader| metadata::read_party(reader, self.rules))?;
        self.backend.caller(Some(&party))
    }

    fn block(&self, local: &str) -> Result<Option<&str>> {
        self.block_of(&[META], local)
    }

    /// The header block with this name. Of two, others could read the other one.
    pub(super) fn block_of(&self, namespaces: &[&str], local: &str) -> Result<Option<&str>> {
        let is_named = |block: &&soap::message::Block| {
            namespaces.contains(&block.namespace.as_str()) && block.local == local
        };
        let mut named = self.header.blocks.iter().filter(is_named);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Error::Malformed("a header block stands twice")),
            (block, None) => Ok(block.map(|block| block.xml.as_str())),
        }
    }

    fn manage(&mut self, operation: Operation, caller: &B::Caller) -> Result<Outcome> {
        match operation {
            Operation::CheckAccountActive => self.nothing().map(|()| Body::Empty.into()),
            Operation::CreateMessageId => {
                self.nothing()?;
                Ok(Body::MessageId(self.backend.create_message_id(caller)?).into())
            }
            Operation::LookupService => {
                let asked = request::lookup(self.incoming.body(), self.rules)?;
                self.look_up(caller, asked)
            }
            Operation::GetTransportReport => {
                let id = self.message_id()?;
                Ok(Body::Report(Box::new(self.backend.report(caller, &id)?)).into())
            }
            Operation::CancelMessage => {
                let id = self.message_id()?;
                self.backend.cancel(caller, &id)?;
                Ok(Body::Empty.into())
            }
            _ => self.visit(operation, caller),
        }
    }

    /// What concerns a message box.
    fn visit(&mut self, operation: Operation, caller: &B::Caller) -> Result<Outcome> {
        match operation {
            Operation::GetStatusList => self.list(caller),
            Operation::GetNextStatusList => {
                let next = self.next("MsgBoxGetNextRequest")?;
                let listed = self.backend.list_on(caller, &next.iterator)?;
                listing(listed.entries, &listed.position, ListForm::MetaData)
            }
            Operation::GetMessage => {
                let selector = request::fetch(self.incoming.body())?;
                self.incoming.finish()?;
                handed_out(self.backend.fetch(caller, &selector)?)
            }
            Operation::GetNextMessage => {
                let next = self.next("MsgBoxGetNextRequest")?;
                handed_out(self.backend.fetch_on(caller, &next.iterator, &next.received)?)
            }
            _ => {
                let next = self.next("MsgBoxCloseRequest")?;
                self.backend.close(caller, &next.received, &next.iterator)?;
                Ok(Body::Empty.into())
            }
        }
    }

    pub(super) fn nothing(&mut self) -> Result<()> {
        request::nothing(self.incoming.body())?;
        Ok(self.incoming.finish()?)
    }

    fn message_id(&mut self) -> Result<String> {
        let id = request::message_id(self.incoming.body())?;
        self.incoming.finish()?;
        Ok(id)
    }

    fn next(&mut self, local: &str) -> Result<request::Next> {
        let next = request::next(self.incoming.body(), local)?;
        self.incoming.finish()?;
        Ok(next)
    }

    pub(super) fn look_up(&mut self, caller: &B::Caller, asked: Vec<(Party, String)>) -> Result<Outcome> {
        self.incoming.finish()?;
        let look_up = |(reader, service): (Party, String)| {
            let availability = self.backend.lookup(caller, &reader, &service)?;
            Ok(((reader, service), availability))
        };
        let found: Result<Vec<_>> = asked.into_iter().map(look_up).collect();
        Ok(Body::Services(found?).into())
    }

    fn list(&mut self, caller: &B::Caller) -> Result<Outcome> {
        let asked = request::status_list(self.incoming.body())?;
        self.incoming.finish()?;
        let listed = self.backend.list(caller, &asked.selector, asked.most)?;
        listing(listed.entries, &listed.position, asked.form)
    }

    fn send(&mut self, wish: Wish) -> Result<Outcome> {
        let block = self.block("MessageMetaData")?.ok_or(Fault::NO_PARAMETERS)?;
        let meta = in_block(block, |reader| metadata::read(reader, self.rules))?;
        let caller = self.backend.caller(Some(&meta.author))?;
        let mut receiving = self.backend.begin(&caller, &meta, wish)?;
        let limits = container::Limits::default();
        let read = container::read(&mut self.incoming, &mut *receiving, &limits, Version::V3);
        read.map_err(of_container)?;
        match receiving.finish()? {
            None => Ok(Body::Empty.into()),
            Some(reply) => {
                let blocks = vec![answer::meta_block(&reply.meta)?];
                Ok(Outcome { blocks, body: Body::Contents(reply.contents) })
            }
        }
    }
}

/// A request that is larger than anything that is taken is a message that is too large.
pub(super) fn of_container(error: Error) -> Error {
    match error {
        Error::Soap(soap::Error::Limit { .. }) | Error::Xml(xml::Error::Limit { .. }) => {
            Fault::TOO_LARGE.into()
        }
        error => error,
    }
}

/// Reads a header block, which is a document of its own.
pub(super) fn in_block<'a, T>(
    block: &'a str,
    read: impl FnOnce(&mut Reader<&'a [u8]>) -> Result<T>,
) -> Result<T> {
    let mut reader = Reader::new(block.as_bytes(), xml::Limits::default());
    reader.next()?;
    read(&mut reader)
}

fn listing(entries: Vec<MetaData>, position: &Position, form: ListForm) -> Result<Outcome> {
    Ok(Outcome { blocks: vec![answer::position_block(position)?], body: Body::List(entries, form) })
}

fn handed_out(fetched: Fetched) -> Result<Outcome> {
    let blocks = vec![answer::meta_block(&fetched.meta)?, answer::position_block(&fetched.position)?];
    Ok(Outcome { blocks, body: Body::Contents(fetched.contents) })
}
