//! The answer to a request, read as far as it is asked for.

use std::io::{Read, Write};

use soap::envelope::SOAP_12;
use soap::message::{Header, Incoming, Limits};

use super::{Request, fault, v3, v5};
use crate::element;
use crate::model::{Availability, Content, MetaData, Party, Report, Version};
use crate::server::Operation;
use crate::server::backend::{Listed, Position, Rest, Taking};
use crate::v3::names::{META, OSCI, WSA, XTA};
use crate::v5::names::{CORE, OLDER, Operation as Core};
use crate::{Error, Result, container};

/// Header blocks that are known, by namespace and local name.
const KNOWN: [(&str, &str); 3] =
    [(META, "MessageMetaData"), (OSCI, "MsgBoxResponse"), (OSCI, "X509TokenContainer")];
/// Those of version 5.
const KNOWN_V5: [(&str, &str); 6] = [
    (CORE, "MessageMetaData"),
    (CORE, "MessageMetaDataReply"),
    (CORE, "MessageBoxStatus"),
    (OLDER, "MessageMetaData"),
    (OLDER, "MessageMetaDataReply"),
    (OLDER, "MessageBoxStatus"),
];

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
    operation: Operation,
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
                true => told_fault(&mut incoming, request.operation),
                false => Error::Status(status),
            });
        }
        match request.operation {
            Operation::V3(_) => header.check_understood(&KNOWN)?,
            Operation::V5(_) => header.check_understood(&KNOWN_V5)?,
        }
        let related = header.addressing.relates_to.as_deref().filter(|id| !id.is_empty());
        match related {
            Some(id) if id != request.message_id => Err(Error::Malformed("an answer to another request")),
            _ => Ok(Reply { operation: request.operation, incoming, header }),
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
        self.begin((WSA, "MessageID"), "XTAMessageID")?;
        let id = element::id(self.incoming.body())?;
        self.incoming.finish()?;
        Ok(id)
    }

    /// Which services are offered.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn services(mut self) -> Result<Vec<((Party, String), Availability)>> {
        self.begin((XTA, "LookupServiceResponse"), "LookupStatus")?;
        let services = match self.operation {
            Operation::V3(_) => v3::answer::services(self.incoming.body())?,
            Operation::V5(_) => v5::answer::services(self.incoming.body())?,
        };
        self.incoming.finish()?;
        Ok(services)
    }

    /// Where a message stands.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn report(mut self) -> Result<Report> {
        self.begin((XTA, "TransportReport"), "ReportResult")?;
        let report = match self.operation {
            Operation::V3(_) => v3::answer::report(self.incoming.body())?,
            Operation::V5(_) => v5::answer::report(self.incoming.body())?,
        };
        self.incoming.finish()?;
        Ok(report)
    }

    /// What lies in a message box. Of an entry that cannot be read only the message id is told.
    ///
    /// # Errors
    /// If the body tells something else.
    pub fn list(mut self) -> Result<Listed> {
        self.begin((OSCI, "MsgStatusList"), "MessageStatusList")?;
        let entries = match self.operation {
            Operation::V3(_) => v3::answer::status_list(self.incoming.body())?,
            Operation::V5(_) => v5::answer::status_list(self.incoming.body())?,
        };
        self.incoming.finish()?;
        let position = self.position();
        Ok(Listed { entries, position })
    }

    /// A message: its contents go into `sink`. Without metadata that can be read there are none. An answer to a message that was sent
    /// may be empty in version 5: then nothing goes into `sink`.
    ///
    /// # Errors
    /// If the body is no container; what `sink` fails with.
    pub fn message(mut self, sink: &mut dyn Sink) -> Result<Option<MetaData>> {
        let limits = container::Limits::default();
        let (incoming, mut receiver) = (&mut self.incoming, Receiver(sink));
        match self.operation {
            Operation::V5(Core::SendMessageSync | Core::DeliverMessage) => {
                container::read_reply(incoming, &mut receiver, &limits)?;
                let block = self.core_block("MessageMetaDataReply");
                return Ok(block.and_then(|xml| v5::answer::reply_data(xml).ok()).flatten());
            }
            Operation::V3(_) => container::read(incoming, &mut receiver, &limits, Version::V3)?,
            Operation::V5(_) => container::read(incoming, &mut receiver, &limits, Version::V5)?,
        }
        Ok(match self.operation {
            Operation::V3(_) => {
                self.block(META, "MessageMetaData").and_then(|xml| v3::answer::meta_data(xml).ok())
            }
            Operation::V5(_) => {
                self.core_block("MessageMetaData").and_then(|xml| v5::answer::meta_data(xml).ok())
            }
        })
    }

    /// How it goes on in a message box; one that says nothing has nothing more.
    fn position(&self) -> Position {
        let position = match self.operation {
            Operation::V3(_) => {
                self.block(OSCI, "MsgBoxResponse").and_then(|xml| v3::answer::position(xml).ok())
            }
            Operation::V5(_) => {
                self.core_block("MessageBoxStatus").and_then(|xml| v5::answer::position(xml).ok())
            }
        };
        position.unwrap_or(Position { iterator: String::new(), rest: Rest::Pending(0) })
    }

    fn block(&self, namespace: &str, local: &str) -> Option<&str> {
        self.header.block(namespace, local).map(|block| block.xml.as_str())
    }

    fn core_block(&self, local: &str) -> Option<&str> {
        self.block(CORE, local).or_else(|| self.block(OLDER, local))
    }

    /// Begins the child of the body, which has this name in version 3 and the other one in version 5.
    fn begin(&mut self, (namespace, local): (&str, &str), core: &str) -> Result<()> {
        let is_there = self.incoming.child()? && {
            let body = self.incoming.body();
            match self.operation {
                Operation::V3(_) => element::is(body, namespace, local),
                Operation::V5(_) => element::is(body, CORE, core),
            }
        };
        match is_there {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// Some servers send faults with the status of success.
    fn unexpected(&mut self) -> Error {
        told_fault(&mut self.incoming, self.operation)
    }
}

/// What the child of a body that was begun says, which is no answer.
fn told_fault<R: Read>(incoming: &mut Incoming<R>, operation: Operation) -> Error {
    let is_child = incoming.body().depth() > 2;
    if !is_child || !incoming.body().current().is(SOAP_12, "Fault") {
        return Error::Malformed("a body that is not of this operation");
    }
    match soap::fault::Fault::read(incoming.body()) {
        Ok(told) => fault::read(&told, operation),
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
