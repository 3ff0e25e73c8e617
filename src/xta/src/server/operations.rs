//! The twelve operations of version 3: each reads its request, has the backend carry it out, and says what the answer holds.

use std::io::{Read, Write};

use soap::message::{Incoming, NewBlock};
use xml::Writer;

use super::Backend;
use super::backend::{Contents, Fetched, Listed, Way, Wish};
use super::said::Said;
use crate::deviations::Deviations;
use crate::model::{Availability, MetaData, Party, Report, Version};
use crate::v3::answer;
use crate::v3::names::Operation;
use crate::v3::request::{self, ListForm};
use crate::{Error, Fault, Result, Rules, container, v5};

/// What an iterator ends with whose list has the form `MsgAttributes`.
const IN_ATTRIBUTES: &str = ":MsgAttributes";

/// A request that is being carried out.
pub(super) struct Exchange<'a, B, R: Read> {
    pub(super) backend: &'a B,
    pub(super) incoming: Incoming<R>,
    pub(super) said: Said,
    pub(super) rules: Rules,
}

/// What an answer holds.
pub(super) struct Outcome {
    /// Header blocks.
    pub(super) blocks: Vec<NewBlock>,
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
    pub(super) async fn carry_out(&mut self, operation: Operation) -> Result<Outcome> {
        match operation {
            Operation::SendMessage => self.send(Wish::Asynchronous).await,
            Operation::SendMessageSync => self.send(Wish::Synchronous).await,
            _ => {
                let caller = self.caller()?;
                self.manage(operation, &caller).await
            }
        }
    }

    /// Who calls; the header that says for whom is optional. From here on the rules are the caller's.
    fn caller(&mut self) -> Result<B::Caller> {
        let party = self.said.party.said()?;
        let caller = self.backend.caller(party.as_ref().map(|party| &party.value))?;
        self.rules = self.backend.rules(&caller);
        party.map(|party| party.judged(self.rules)).transpose()?;
        Ok(caller)
    }

    async fn manage(&mut self, operation: Operation, caller: &B::Caller) -> Result<Outcome> {
        match operation {
            Operation::CheckAccountActive => self.nothing().map(|()| Body::Empty.into()),
            Operation::CreateMessageId => {
                self.nothing()?;
                Ok(Body::MessageId(self.backend.create_message_id(caller).await?).into())
            }
            Operation::LookupService => {
                let seen = Deviations::default();
                let asked = request::lookup(self.incoming.body(), &seen)?;
                seen.judge(self.rules)?;
                self.look_up(caller, asked).await
            }
            Operation::GetTransportReport => {
                let id = self.message_id()?;
                Ok(Body::Report(Box::new(self.backend.report(caller, &id).await?)).into())
            }
            Operation::CancelMessage => {
                let id = self.message_id()?;
                self.backend.cancel(caller, &id).await?;
                Ok(Body::Empty.into())
            }
            _ => self.visit(operation, caller).await,
        }
    }

    /// What concerns a message box.
    async fn visit(&mut self, operation: Operation, caller: &B::Caller) -> Result<Outcome> {
        match operation {
            Operation::GetStatusList => self.list(caller).await,
            Operation::GetNextStatusList => {
                let next = self.next("MsgBoxGetNextRequest")?;
                let (iterator, form) = form_of(&next.iterator);
                listing(self.backend.list_on(caller, iterator).await?, form)
            }
            Operation::GetMessage => {
                let selector = request::fetch(self.incoming.body())?;
                self.incoming.finish()?;
                handed_out(self.backend.fetch(caller, &selector).await?)
            }
            Operation::GetNextMessage => {
                let next = self.next("MsgBoxGetNextRequest")?;
                handed_out(self.backend.fetch_on(caller, &next.iterator, &next.received).await?)
            }
            _ => {
                let next = self.next("MsgBoxCloseRequest")?;
                self.backend.close(caller, &next.received, form_of(&next.iterator).0).await?;
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

    pub(super) async fn look_up(
        &mut self,
        caller: &B::Caller,
        asked: Vec<(Party, String)>,
    ) -> Result<Outcome> {
        self.incoming.finish()?;
        let mut found = Vec::new();
        for (reader, service) in asked {
            let availability = self.backend.lookup(caller, &reader, &service).await?;
            found.push(((reader, service), availability));
        }
        Ok(Body::Services(found).into())
    }

    async fn list(&mut self, caller: &B::Caller) -> Result<Outcome> {
        let asked = request::status_list(self.incoming.body())?;
        self.incoming.finish()?;
        let listed = self.backend.list(caller, &asked.selector, asked.most).await?;
        listing(listed, asked.form)
    }

    async fn send(&mut self, wish: Wish) -> Result<Outcome> {
        let meta = self.said.meta.said()?.ok_or(Fault::NO_PARAMETERS)?;
        let caller = self.backend.caller(Some(&meta.value.author))?;
        let meta = meta.judged(self.backend.rules(&caller))?;
        let mut receiving = self.backend.begin(&caller, &meta, Way::Sent(wish)).await?;
        let limits = container::Limits::default();
        let read = container::read(&mut self.incoming, &mut *receiving, &limits, Version::V3);
        read.map_err(of_container)?;
        match receiving.finish().await? {
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

/// A list in the form that was asked for, which its iterator names: it goes on like that.
fn listing(listed: Listed, form: ListForm) -> Result<Outcome> {
    let Listed { entries, mut position } = listed;
    if form == ListForm::Attributes {
        position.iterator.push_str(IN_ATTRIBUTES);
    }
    Ok(Outcome { blocks: vec![answer::position_block(&position)?], body: Body::List(entries, form) })
}

/// An iterator as the backend knows it, and in which form its list goes on.
fn form_of(iterator: &str) -> (&str, ListForm) {
    match iterator.strip_suffix(IN_ATTRIBUTES) {
        Some(iterator) => (iterator, ListForm::Attributes),
        None => (iterator, ListForm::MetaData),
    }
}

fn handed_out(fetched: Fetched) -> Result<Outcome> {
    let blocks = vec![answer::meta_block(&fetched.meta)?, answer::position_block(&fetched.position)?];
    Ok(Outcome { blocks, body: Body::Contents(fetched.contents) })
}
