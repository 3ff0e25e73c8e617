//! Handing to the broker what was fetched: its sender known by its name at the server, taken in by the first transaction. What no
//! standard reads or comes from nobody known is taken in as well and waits for a human.

use std::io::Write;

use broker::{Arrival, Broker, StoredPayload};
use model::ids::is_name;
use model::message::{Door, Finding};
use model::{Actor, Caller, Message, Role, Scope};
use serde_json::json;
use xta::client::Sink;
use xta::model::{Content, MetaData};

use super::{Parties, Party, Server, court_mail};
use crate::xta::along;
use crate::xta::boxes::ticket;
use crate::xta::contents::{looked_at, opened, screen, take_out};
use crate::xta::package::Packer;
use crate::xta::sending::CONTAINER;

/// Whom a message comes from that says nothing readable.
const NOBODY: &str = "anonymous";

/// Takes in what comes from one message box.
pub(super) struct Arrivals<'a> {
    pub(super) parties: &'a Parties,
    pub(super) party: &'a Party,
    pub(super) server: &'a Server,
}

/// A message that is being fetched: its contents go into a container.
pub(super) struct Incoming(pub(super) Packer);

impl Sink for Incoming {
    fn content(&mut self, index: usize, content: &Content) -> xta::Result<&mut dyn Write> {
        self.0.begin(index, content)?;
        Ok(&mut self.0)
    }
}

/// Whether a container is harmful, and why it has to wait if it is not.
fn judged(
    broker: &Broker,
    caller: &Caller,
    container: &StoredPayload,
) -> Result<(Option<&'static str>, Option<&'static str>), broker::Error> {
    let unpacked = opened(broker, caller, container).map_err(|_| broker::Error::Internal)?;
    let harmful = match screen(broker, &unpacked) {
        Ok(()) => None,
        Err(broker::Error::Harmful) => Some("virus.found"),
        Err(error) => return Err(error),
    };
    match looked_at(broker, &unpacked, false) {
        Ok(wait) => Ok((harmful, wait)),
        Err(xta::Error::Fault(_)) => Ok((harmful, Some("xta-party.no-content"))),
        Err(_) => Err(broker::Error::Internal),
    }
}

impl Arrivals<'_> {
    /// Begins to take in a message.
    pub(super) fn begin(&self) -> Result<Incoming, broker::Error> {
        let broker = &self.parties.0.broker;
        let writer = broker.arrival_writer(&self.caller(NOBODY.to_owned()))?;
        Ok(Incoming(Packer::new(writer, broker.most_bytes())))
    }

    /// Whether a message was taken in before.
    pub(super) fn came_before(&self, message_id: &str) -> Result<bool, broker::Error> {
        let arrival = self.arrival(message_id, None);
        let found = self.parties.0.broker.arrived(&self.party.tenant, &arrival);
        Ok(self.parties.0.lines.runtime.block_on(found)?.is_some())
    }

    /// Takes a message in. Returns once it is durable; the same message again gets the same one.
    pub(super) fn take(
        &self,
        message_id: &str,
        meta: Option<&MetaData>,
        container: StoredPayload,
    ) -> Result<Message, broker::Error> {
        let broker = &self.parties.0.broker;
        let known = meta.and_then(|meta| self.parties.sender(&self.party.tenant, &meta.author, self.server));
        let claimed = meta.map(|meta| meta.author.id.clone()).filter(|id| is_name(id));
        let sender = known.as_ref().map(ToString::to_string).or(claimed);
        let caller = self.caller(sender.unwrap_or_else(|| NOBODY.to_owned()));
        let (harmful, wait) = match judged(broker, &caller, &container) {
            Ok(judged) => judged,
            // It stays at the server and comes again: its bytes must not gather here meanwhile.
            Err(error) => {
                self.discard(container);
                return Err(error);
            }
        };
        let fetches = broker.house().authority(&self.party.tenant, &self.party.authority);
        let fetches = fetches.is_some_and(|entry| entry.xta_box);
        let is_of_court = !fetches && known.as_ref().is_some_and(|it| self.parties.is_court(it));
        let (stored, file_name, wait) = self.laid_out(&caller, container, harmful.or(wait), is_of_court)?;
        let doubt = match (meta, &known) {
            (None, _) => Some("xta-party.no-metadata"),
            (Some(_), None) => Some("xta-party.unknown-sender"),
            (Some(_), Some(_)) => None,
        };
        let finding = harmful.or(doubt).or(wait).map(Finding::error);
        let carried = meta.filter(|meta| along::is_usable(meta));
        let carried = carried.map(|meta| along::carried(meta, wait.is_some(), fetches));
        let arrival = Arrival { file_name, finding, carried, ..self.arrival(message_id, meta) };
        self.parties.0.lines.runtime.block_on(broker.take_screened_arrival(&caller, arrival, stored))
    }

    /// A message as it is taken in, the name of its file, and why it has to wait, if it has.
    fn laid_out(
        &self,
        caller: &Caller,
        container: StoredPayload,
        wait: Option<&'static str>,
        is_of_court: bool,
    ) -> Result<(StoredPayload, Option<String>, Option<&'static str>), broker::Error> {
        let broker = &self.parties.0.broker;
        let laid_out = match wait {
            None => take_out(broker, caller, &container).map(Some),
            Some("message.several-contents" | "message.unknown") if is_of_court => {
                let packed = court_mail::repacked(broker, caller, &container);
                packed.map(|packed| packed.map(|it| (it, Some(court_mail::CONTAINER.to_owned()))))
            }
            Some(_) => Ok(None),
        };
        match laid_out {
            Ok(None) => Ok((container, Some(CONTAINER.to_owned()), wait)),
            laid_out => {
                self.discard(container);
                let (stored, file_name) = laid_out.ok().flatten().ok_or(broker::Error::Internal)?;
                Ok((stored, file_name, None))
            }
        }
    }

    fn discard(&self, container: StoredPayload) {
        let parties = &self.parties.0;
        parties.lines.runtime.block_on(parties.broker.discard_arrival(container));
    }

    fn arrival(&self, message_id: &str, meta: Option<&MetaData>) -> Arrival {
        let server = crate::host(&self.server.management);
        Arrival {
            door: Door::Xta,
            ticket: format!("{server}:{}", ticket(message_id)),
            authority: self.party.authority.clone(),
            file_name: None,
            answers: None,
            finding: None,
            facts: json!({
                "messageId": message_id,
                "server": server,
                "author": meta.map(|meta| &meta.author.id),
            }),
            not_before: None,
            sent: None,
            carried: None,
            test: meta.is_some_and(|meta| meta.is_test),
        }
    }

    fn caller(&self, id: String) -> Caller {
        Caller {
            actor: Actor { kind: "partner".to_owned(), id },
            roles: vec![Role::System],
            scope: Scope::tenant(&self.party.tenant),
            authority: Some(self.party.authority.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;
    use std::sync::Arc;

    use model::Failure;
    use model::scan::{Scanner, Verdict};
    use net::Egress;
    use xta::model::Version;

    use super::*;
    use crate::test_ca::TestCa;
    use crate::test_house::{Gateway, SetClock, soest};
    use crate::xta::party::{Name, PartySettings};

    /// Nobody is there to look, or it is more than they look at.
    struct Unable(Failure);

    impl Scanner for Unable {
        fn scan(&self, _: &mut dyn Read, _: u64) -> Result<Verdict, Failure> {
            Err(self.0.clone())
        }
    }

    fn party() -> Party {
        let ca = TestCa::build();
        let read = |name: &str| std::fs::read(ca.path().join(name)).unwrap();
        let identity = [read("good.key"), read("good.pem")].concat();
        let identity = seal::identity::Identity::from_pem(&identity, "").unwrap();
        Party { tenant: "soest".to_owned(), authority: soest(), identity, name: Name::default() }
    }

    fn server() -> Server {
        Server {
            version: Version::V3,
            management: "https://xta.example/m".to_owned(),
            send: None,
            message_box: None,
            trust: None,
            container_bytes: 1 << 20,
            as_packages: true,
            chosen_by: model::outbound::ChosenBy::Administrator,
        }
    }

    fn files(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_could_not_be_checked_leaves_no_bytes_behind() {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder } = Gateway::on(None, clock.clone()).await;
        for failure in
            [Failure::transient("virus.unavailable", ""), Failure::permanent("virus.too-large", "")]
        {
            let broker = broker.clone().with_scanner(Arc::new(Unable(failure)));
            let (own, partners, mailboxes) = (vec![], vec![], vec![]);
            let (egress, container) = (Egress::default(), Default::default());
            let settings = PartySettings { own, partners, mailboxes, egress, container };
            let parties = Parties::new(&broker, settings, clock.clone());
            let (party, server) = (party(), server());
            let payloads = folder.path().join("payloads");
            tokio::task::block_in_place(|| {
                let arrivals = Arrivals { parties: &parties, party: &party, server: &server };
                let Incoming(mut packer) = arrivals.begin().unwrap();
                packer.begin(0, &Content::default()).unwrap();
                packer.write_all(&[7; 200_000]).unwrap();
                let (stored, _) = packer.finish().unwrap();
                assert!(files(&payloads) > 0, "it does not lie in a row");
                arrivals.take("urn:1", None, stored).unwrap_err();
            });
            assert_eq!(files(&payloads), 0);
        }
    }
}
