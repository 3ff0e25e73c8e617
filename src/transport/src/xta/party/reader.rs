//! Servers of readers: the gateway is the recipient, and calls them in the name of the authority whose readers they are.

use std::collections::HashMap;
use std::sync::Arc;

use broker::Broker;
use model::{Authority, Clock, Failure};
use net::Egress;
use xta::Result;
use xta::client::{Call, Sink};
use xta::model::MetaData;

use super::line::Lines;
use super::{Party, Server, verdict};
use crate::xta::asking::{Question, Readers};

/// The server of the readers of an authority.
pub struct ReaderAt {
    /// The authority, with the keys that are shown.
    pub party: Party,
    /// The server. Its only address is that of `send`.
    pub server: Server,
}

/// Servers of readers.
pub(in crate::xta) struct ReaderServers {
    readers: HashMap<Authority, ReaderAt>,
    lines: Lines,
}

impl ReaderServers {
    /// To be called within the runtime that carries the broker.
    pub(in crate::xta) fn new(broker: &Broker, readers: Vec<ReaderAt>, clock: Arc<dyn Clock>) -> Self {
        let readers = readers.into_iter().map(|reader| (reader.party.authority.clone(), reader)).collect();
        // Their addresses stand in the configuration, so nothing needs to be allowed.
        ReaderServers { readers, lines: Lines::new(broker.most_bytes(), Egress::default(), clock) }
    }

    fn of(&self, tenant: &str, reader: &Authority) -> Option<&ReaderAt> {
        self.readers.get(reader).filter(|it| it.party.tenant == tenant)
    }
}

impl Readers for ReaderServers {
    fn has(&self, tenant: &str, reader: &Authority) -> bool {
        self.of(tenant, reader).is_some()
    }

    fn ask(&self, question: &Question<'_>, sink: &mut dyn Sink) -> Result<Option<MetaData>, Failure> {
        let reader = self.of(question.tenant, question.reader);
        let ReaderAt { party, server } =
            reader.ok_or_else(|| Failure::permanent("xta-party.no-partner", "the reader has no server"))?;
        let line = self.lines.to(party, server).map_err(verdict::before)?.within(question.within);
        let call = Call::Deliver(question.meta, question.contents);
        line.ask(&call, |reply| reply.message(sink)).map_err(verdict::after)
    }
}
