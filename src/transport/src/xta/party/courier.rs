//! Sending: the adapter that carries messages of the house's authorities to partners by servers of XTA (`createMessageId`,
//! `sendMessage`, `getTransportReport`).
//!
//! A message id is issued once for each message and remembered before it is used. Every attempt uses the same: a server takes an
//! id once (9024), and tells by its report whether it has the message (9070 if not).

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use broker::house::XTA_ADAPTER;
use broker::{Notebook, Wanted};
use model::adapter::{
    Adapter, Capability, Content, Delivery, Descriptor, Followed, Health, Receipt, Sources,
};
use model::{Authority, Failure, FailureKind};
use serde_json::{Value, json};
use tokio_util::io::SyncIoBridge;
use xta::client::Call;
use xta::model::{Report, Status};
use xta::{Error, Fault};

use super::goods::Goods;
use super::line::{Line, Trouble};
use super::meta::{self, Way};
use super::{Parties, Partner, Party, court, verdict};
use crate::remembered::Remembered;

/// Why a message is returned that its server says came to nothing.
const CAME_TO_NOTHING: &str = "xta-party.came-to-nothing";

/// Carries messages. Cheap to clone.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    descriptor: Descriptor,
    parties: Parties,
    notebook: Notebook,
}

impl Courier {
    pub(super) fn new(parties: Parties, notebook: Notebook) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Follow];
        // The server knows a message by the id that it gave it.
        let descriptor =
            Descriptor { asks_by_notes: true, ..Descriptor::new(XTA_ADAPTER, "xta", capabilities) };
        Courier(Arc::new(Inner { descriptor, parties, notebook }))
    }

    /// Asks the server of a partner whether the account of an authority is active: the server that takes what is to be sent.
    ///
    /// # Errors
    /// If one of them has no keys or is not known, or the server refuses or is not reached.
    pub async fn check_account(
        &self,
        from: &Authority,
        to: &Authority,
        wanted: Wanted<'_>,
    ) -> Result<(), Failure> {
        let inner = Arc::clone(&self.0);
        let detail = json!({ "service": wanted.service, "size": wanted.bytes });
        let (from, to) = (from.clone(), to.clone());
        blocking(move || {
            let (party, partner) = inner.ends(&from, &to, &detail)?;
            let line = inner.parties.0.lines.to(&party, &partner.server).map_err(verdict::before)?;
            line.ask(&Call::CheckAccountActive, |reply| reply.nothing()).map_err(verdict::before)
        })
        .await
    }
}

#[async_trait]
impl Adapter for Courier {
    fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let content: Content = match sources.first() {
            Some(source) => source.open().await?,
            None => Box::new(tokio::io::empty()),
        };
        let (inner, delivery) = (Arc::clone(&self.0), delivery.clone());
        let content = SyncIoBridge::new(content);
        blocking(move || inner.deliver(&delivery, content)).await
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let (inner, delivery) = (Arc::clone(&self.0), delivery.clone());
        blocking(move || {
            let Some(remembered) = inner.remembered(&delivery)? else { return Ok(None) };
            inner.errand(&delivery, |errand| errand.found(errand.id_of(&remembered)?))
        })
        .await
    }

    async fn follow(&self, delivery: &Delivery, _: Sources<'_>) -> Result<Followed, Failure> {
        let (inner, delivery) = (Arc::clone(&self.0), delivery.clone());
        blocking(move || {
            let Some(remembered) = inner.remembered(&delivery)? else { return Ok(Followed::Received) };
            inner.errand(&delivery, |errand| errand.followed(errand.id_of(&remembered)?))
        })
        .await
    }

    async fn check(&self) -> Health {
        let partners = self.0.parties.0.partners.len();
        Health { ok: true, detail: format!("{partners} partners are reached by XTA") }
    }
}

impl Inner {
    fn deliver(&self, delivery: &Delivery, content: impl Read) -> Result<Receipt, Failure> {
        let (from, to) = ends(delivery)?;
        let (party, partner) = self.ends(&from, &to, &delivery.detail)?;
        // Looked at and staged first: nothing is asked of a server for a message that it does not take.
        let most = partner.server.container_bytes.min(partner.most_bytes);
        if delivery.detail["size"].as_u64().is_some_and(|size| size > most)
            && delivery.detail["container"] != true
        {
            return Err(verdict::too_large(format!("at most {most} bytes")));
        }
        let goods = Goods::stage(content, &delivery.detail, most).map_err(|error| match error {
            Error::Seal(seal::Error::EncryptionTooLarge) => {
                verdict::too_large(format!("at most {most} bytes"))
            }
            error => verdict::ours(&error),
        })?;
        let goods = match &partner.court {
            Some(form) => {
                let (container, now) = (self.parties.0.container, self.parties.0.broker.now());
                court::unpacked(goods, &delivery.detail, &court::rules(form, container, now))?
            }
            None => goods,
        };
        if goods.bytes() > most {
            return Err(verdict::too_large(format!("at most {most} bytes")));
        }
        let line = self.parties.0.lines.to(&party, &partner.server).map_err(verdict::before)?;
        Errand { inner: self, delivery, party: &party, partner: &partner, line }.carry_out(&goods)
    }

    fn errand<T>(
        &self,
        delivery: &Delivery,
        act: impl FnOnce(&Errand<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (from, to) = ends(delivery)?;
        let (party, partner) = self.ends(&from, &to, &delivery.detail)?;
        let line = self.parties.0.lines.to(&party, &partner.server).map_err(verdict::before)?;
        act(&Errand { inner: self, delivery, party: &party, partner: &partner, line })
    }

    fn ends(
        &self,
        from: &Authority,
        to: &Authority,
        detail: &Value,
    ) -> Result<(Arc<Party>, Arc<Partner>), Failure> {
        let party = self.parties.0.own.get(from).cloned();
        let party = party
            .ok_or_else(|| Failure::permanent("xta-party.no-keys", "the authority has no keys for XTA"))?;
        let runtime = &self.parties.0.lines.runtime;
        let (service, bytes) = (detail["service"].as_str(), detail["size"].as_u64());
        let wanted = Wanted { from: Some(from), service, bytes };
        let partner = runtime.block_on(self.parties.partner(&party.tenant, to, wanted))?;
        let partner = partner
            .ok_or_else(|| Failure::permanent("xta-party.no-partner", "the partner is not reached by XTA"))?;
        Ok((party, partner))
    }

    /// What is remembered of earlier attempts.
    fn remembered(&self, delivery: &Delivery) -> Result<Option<Remembered>, Failure> {
        let found = self.wait(self.notebook.read(&delivery.tenant, &delivery.id.to_string()))?;
        Ok(found.and_then(|value| Remembered::read(&value)))
    }

    fn wait<T>(&self, act: impl Future<Output = Result<T, broker::Error>>) -> Result<T, Failure> {
        self.parties.0.lines.runtime.block_on(act).map_err(|error| verdict::broker(&error))
    }
}

/// One message on its way to a server.
struct Errand<'a> {
    inner: &'a Inner,
    delivery: &'a Delivery,
    party: &'a Party,
    partner: &'a Partner,
    line: Line<'a>,
}

/// What became of a message that was given away.
enum Given {
    Taken,
    /// Its id is not good, or not any more.
    NoGoodId(Fault),
}

impl Errand<'_> {
    fn carry_out(&self, goods: &Goods) -> Result<Receipt, Failure> {
        let remembered = self.inner.remembered(self.delivery)?;
        let is_elsewhere = remembered.as_ref().is_some_and(|it| it.at(self.at()).is_none());
        let remembered = remembered.as_ref().and_then(|it| it.at(self.at()));
        let id = match remembered {
            Some(id) => id.to_owned(),
            None => self.new_id(is_elsewhere)?,
        };
        let Given::NoGoodId(fault) = self.give(&id, goods)? else { return Ok(self.receipt(&id, None)) };
        // Of an id that was issued just now, it is the message that is not taken.
        if fault != Fault::USED_ID && remembered.is_none() {
            return Err(verdict::refused(fault));
        }
        // The id was used by an earlier attempt of ours, or its time is over.
        if let Some(receipt) = self.found(&id)? {
            return Ok(receipt);
        }
        match fault {
            // The server has seen it and does not know of it yet: under another id it could arrive twice.
            Fault::USED_ID => return Err(verdict::unclear(fault.code.to_string())),
            Fault::PARAMETERS => {}
            fault => return Err(verdict::refused(fault)),
        }
        let id = self.new_id(true)?;
        match self.give(&id, goods)? {
            Given::Taken => Ok(self.receipt(&id, None)),
            Given::NoGoodId(fault) => Err(verdict::refused(fault)),
        }
    }

    /// The server that is asked.
    fn at(&self) -> &str {
        &self.partner.server.management
    }

    /// The message id of an earlier attempt at this server. What was given to another one nobody can say here.
    fn id_of<'r>(&self, remembered: &'r Remembered) -> Result<&'r str, Failure> {
        remembered.at(self.at()).ok_or_else(|| verdict::unclear("it was given to another server".to_owned()))
    }

    /// A message id, remembered before it is used.
    fn new_id(&self, instead: bool) -> Result<String, Failure> {
        let id =
            self.line.ask(&Call::CreateMessageId, |reply| reply.message_id()).map_err(verdict::before)?;
        let (key, value) = (self.delivery.id.to_string(), Remembered::write(&id, self.at()));
        let notebook = &self.inner.notebook;
        if instead {
            self.inner.wait(notebook.write(&self.delivery.tenant, &key, &value))?;
            return Ok(id);
        }
        let holds = self.inner.wait(notebook.write_first(&self.delivery.tenant, &key, &value))?;
        Ok(Remembered::read(&holds).and_then(|it| it.at(self.at()).map(str::to_owned)).unwrap_or(id))
    }

    fn give(&self, id: &str, goods: &Goods) -> Result<Given, Failure> {
        let way = Way { party: self.party, partner: self.partner, message_id: id };
        let now = self.inner.parties.0.broker.now();
        let meta = meta::of(&way, &self.delivery.detail, goods, now);
        match self.line.ask(&Call::Send(&meta, goods), |reply| reply.nothing()) {
            Ok(()) => Ok(Given::Taken),
            Err(Trouble::Answer(Error::Fault(fault))) if verdict::may_be_the_id(fault) => {
                Ok(Given::NoGoodId(fault))
            }
            Err(trouble) => {
                if let Trouble::Answer(Error::Fault(fault)) = &trouble {
                    tracing::warn!(fault = fault.code, "a server of XTA did not take a message");
                }
                Err(verdict::after(trouble))
            }
        }
    }

    /// What the server says of a message id; `None` if nothing came under it.
    fn report(&self, id: &str) -> Result<Option<Report>, Failure> {
        match self.line.ask(&Call::TransportReport(id), |reply| reply.report()) {
            Ok(report) => Ok(Some(report)),
            Err(Trouble::Answer(Error::Fault(Fault::UNKNOWN_ID))) => Ok(None),
            Err(trouble) => Err(verdict::before(trouble)),
        }
    }

    fn found(&self, id: &str) -> Result<Option<Receipt>, Failure> {
        let Some(report) = self.report(id)? else { return Ok(None) };
        let delivery = &report.meta.delivery;
        let is_taken =
            delivery.initial_send.is_some() || delivery.delivery.is_some() || !report.records.is_empty();
        match report.status {
            // Some servers report on an id that was issued and never used.
            Status::Open if !is_taken => Ok(None),
            Status::Red => Err(Failure::new(FailureKind::Rejected, CAME_TO_NOTHING, reason(&report))),
            _ => Ok(Some(self.receipt(id, Some(&report)))),
        }
    }

    fn followed(&self, id: &str) -> Result<Followed, Failure> {
        let Some(report) = self.report(id)? else { return Ok(Followed::Open) };
        Ok(match report.status {
            Status::Open => Followed::Open,
            Status::Green | Status::Yellow => Followed::Received,
            Status::Red => Followed::CameToNothing(CAME_TO_NOTHING),
        })
    }

    fn receipt(&self, id: &str, report: Option<&Report>) -> Receipt {
        let data = json!({
            "server": crate::host(&self.partner.server.management),
            "status": report.map(|report| report.status as u8),
        });
        Receipt { reference: Some(id.to_owned()), data, ..Receipt::default() }
    }
}

/// The codes of a report's errors: their words are the other side's.
fn reason(report: &Report) -> String {
    let codes = report.records.iter().filter(|it| it.severity == xta::model::Severity::Error);
    let codes: Vec<&str> = codes
        .map(|it| it.code.as_str())
        .filter(|code| code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .take(10)
        .collect();
    codes.join(" ")
}

/// The authorities of a delivery, as the broker describes messages.
fn ends(delivery: &Delivery) -> Result<(Authority, Authority), Failure> {
    let authority = |name: &str| delivery.detail[name].as_str().and_then(|it| it.parse().ok());
    authority("from")
        .zip(authority("to"))
        .ok_or_else(|| Failure::permanent("xta-party.no-partner", "the delivery names no authorities"))
}

/// Runs something that blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Failure::transient("xta-party.failed", "the work broke off")))
}
