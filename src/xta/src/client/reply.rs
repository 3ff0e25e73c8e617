//! The answer to a request, read as far as it is asked for.

use std::io::{Read, Write};

use soap::envelope::SOAP_12;
use soap::message::{Header, Incoming, Limits};

use super::Request;
use super::v3::{answer, fault};
use crate::model::{Availability, Content, MetaData, Party, Report, Version};
use crate::server::backend::{Listed, Position, Rest, Taking};
use crate::v3::names::{META, OSCI, WSA, XTA};
use crate::{Error, Result, container, element};

/// Header blocks that are known, by namespace and local name.
const KNOWN: [(&str, &str); 3] =
    [(META, "MessageMetaData"), (OSCI, "MsgBoxResponse"), (OSCI, "X509TokenContainer")];

/// Where the contents of a message go.
pub trait Sink {
    /// The next content begins; the one before is complete. `index` is its place in the container, counted from 0; in
    /// packages contents may come in another order.
    ///
    /// # Errors
    /// What the reading of the answer is to end with.
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write>;
}

/// An answer that is no fault, whose body is still to be read.
pub struct Reply<R: Read> {
    incoming: Incoming<R>,
    header: Header,
}

impl<R: Read> Reply<R> {
    pub(super) fn open(
        request: &Request,
        (status, content_type): (u16, &str),
        body: R,
        limits: Limits,
    ) -> Result<Self> {
        let opened = soap::message::open(content_type, body, limits);
        let mut incoming = match opened {
            Err(error) if status != 200 && !matches!(error, soap::Error::Io(_)) => {
                return Err(Error::Status(status));
            }
            opened => opened?,
        };
        let header = incoming.header()?;
        if status != 200 {
            return Err(match incoming.child()? {
                true => told_fault(&mut incoming),
                false => Error::Status(status),
            });
        }
        header.check_understood(&KNOWN)?;
        let related = header.addressing.relates_to.as_deref().filter(|id| !id.is_empty());
        match related {
            Some(id) if id != request.message_id => Err(Error::Malformed("an answer to another request")),
            _ => Ok(Reply { incoming, header }),
        }
    }

    /// There is nothing in the body.
    ///
    /// # Errors
    /// If there is.
    pub fn nothing(mut self) -> Result<()> {
        match self.incoming.child()? {
            false => Ok(self.incoming.finish()?),
            true => Err(self.unexpected()),
        }
    }

    /// The message id that was issued.
    ///
    /// # Errors
    /// If there is none.
    pub fn message_id(mut self) -> Result<String> {
        self.begin(WSA, "MessageID")?;
        let id = element::id(self.incoming.body())?;
        self.incoming.finish()?;
        Ok(id)
    }

    /// Which services are offered.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn services(mut self) -> Result<Vec<((Party, String), Availability)>> {
        self.begin(XTA, "LookupServiceResponse")?;
        let services = answer::services(self.incoming.body())?;
        self.incoming.finish()?;
        Ok(services)
    }

    /// Where a message stands.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn report(mut self) -> Result<Report> {
        self.begin(XTA, "TransportReport")?;
        let report = answer::report(self.incoming.body())?;
        self.incoming.finish()?;
        Ok(report)
    }

    /// What lies in a message box. Of an entry that cannot be read only the message id is told.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn list(mut self) -> Result<Listed> {
        self.begin(OSCI, "MsgStatusList")?;
        let entries = answer::status_list(self.incoming.body())?;
        self.incoming.finish()?;
        let position = self.position();
        Ok(Listed { entries, position })
    }

    /// A message: its contents go into `sink`. Without metadata that can be read there are none.
    ///
    /// # Errors
    /// If the body is no container; what `sink` fails with.
    pub fn message(mut self, sink: &mut dyn Sink) -> Result<Option<MetaData>> {
        container::read(&mut self.incoming, &mut Receiver(sink), &container::Limits::default(), Version::V3)?;
        let block = self.header.block(META, "MessageMetaData");
        Ok(block.and_then(|block| answer::meta_data(&block.xml).ok()))
    }

    /// How it goes on in a message box; one that says nothing has nothing more.
    fn position(&self) -> Position {
        let block = self.header.block(OSCI, "MsgBoxResponse");
        let position = block.and_then(|block| answer::position(&block.xml).ok());
        position.unwrap_or(Position { iterator: String::new(), rest: Rest::Pending(0) })
    }

    fn begin(&mut self, namespace: &str, local: &str) -> Result<()> {
        match self.incoming.child()? && self.incoming.body().current().is(namespace, local) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// Some servers send faults with the status of success.
    fn unexpected(&mut self) -> Error {
        told_fault(&mut self.incoming)
    }
}

/// What the child of a body that was begun says, which is no answer.
fn told_fault<R: Read>(incoming: &mut Incoming<R>) -> Error {
    let is_child = incoming.body().depth() > 2;
    if !is_child || !incoming.body().current().is(SOAP_12, "Fault") {
        return Error::Malformed("a body that is not of this operation");
    }
    match soap::fault::Fault::read(incoming.body()) {
        Ok(told) => fault::read(&told),
        Err(error) => error.into(),
    }
}

/// A sink as contents are read into.
struct Receiver<'a>(&'a mut dyn Sink);

impl Taking for Receiver<'_> {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.0.content(index, content)
    }
}
