//! Sending: the adapter that carries messages of the house's authorities to partners, by their intermediaries
//! (StoreDelivery, ForwardDelivery, MediateDelivery: OSCI-Transport 1.2, sections 4.2.1, 4.2.3 and 4.2.4).
//!
//! A message id is issued once for each message and remembered before it is used. Every attempt uses the same: the
//! intermediary takes an id once, so however often something breaks off, the message is with its recipient once.

use std::io::{self, Read};
use std::sync::Arc;

use ::osci::card::{ProcessCardBundle, TimeStamp};
use ::osci::client::{Answered, NewOrder, SIGNER_ID};
use ::osci::code::Code;
use ::osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use ::osci::message::{Certificates, Named, SelectionRule};
use ::xta::v3::header::ID as METADATA_ID;
use async_trait::async_trait;
use broker::house::{OSCI_ADAPTER, OsciMode};
use broker::{Notebook, Wanted};
use model::adapter::{Adapter, Capability, Content, Delivery, Descriptor, Health, Receipt, Sources};
use model::{Authority, Failure, Id};
use seal::xmlenc::Staging;
use serde_json::{Value, json};
use tokio_util::io::SyncIoBridge;

use super::arrivals::Delivered;
use super::carried::{header_of, pack_all};
use super::line::{Session, blocking, said};
use super::{Parties, Partner, Party, verdict};
use crate::remembered::Remembered;

/// `Id` of the recipient's cipher certificate in our orders.
const RECIPIENT_ID: &str = "addressee_cipher";
/// Longest name of an attachment, in bytes.
const NAME: usize = 120;

/// Carries messages. Cheap to clone.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    descriptor: Descriptor,
    parties: Parties,
    notebook: Notebook,
}

/// Something to be sent.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The tenant that sends it.
    pub tenant: String,
    /// The same id is the same parcel, and arrives once.
    pub id: Id,
    /// Authority of the house that sends it.
    pub from: Authority,
    /// Partner that it is for.
    pub to: Authority,
    /// Public service that it is about.
    pub service: Option<String>,
    /// Its size, if that is known before it is read.
    pub bytes: Option<u64>,
    /// What stands outside of the encryption: no personal data.
    pub subject: Option<String>,
    /// Name of the file.
    pub name: String,
    /// Metadata of XTA, as a header block.
    pub header: Option<String>,
    /// Whether it is a container of XTA, whose contents are sent one by one.
    pub is_container: bool,
}

impl Parcel {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { from: Some(&self.from), service: self.service.as_deref(), bytes: self.bytes }
    }
}

impl Courier {
    pub(super) fn new(parties: Parties, notebook: Notebook) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile];
        // The intermediary knows a message by the id that it gave it.
        let descriptor =
            Descriptor { asks_by_notes: true, ..Descriptor::new(OSCI_ADAPTER, "osci", capabilities) };
        Courier(Arc::new(Inner { descriptor, parties, notebook }))
    }

    /// Sends a parcel. The same one again arrives once.
    ///
    /// # Errors
    /// [`Uncertain`](model::FailureKind::Uncertain) if it may have arrived: [`Courier::found`] says so.
    pub async fn send(&self, parcel: Parcel, content: Content) -> Result<Receipt, Failure> {
        let inner = Arc::clone(&self.0);
        let content = SyncIoBridge::new(content);
        blocking(move || inner.send(&parcel, content)).await.map_err(|error| verdict::ours(&error))?
    }

    /// What became of a parcel; `None` if it never arrived.
    ///
    /// # Errors
    /// If the intermediary cannot be asked.
    pub async fn found(&self, parcel: Parcel) -> Result<Option<Receipt>, Failure> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.found(&parcel)).await.map_err(|error| verdict::ours(&error))?
    }

    /// Opens and ends a dialog of an authority with the intermediary of a partner.
    ///
    /// # Errors
    /// If one of them has no keys or is not known, or the intermediary refuses or is not reached.
    pub async fn try_dialog(&self, from: Authority, to: Authority) -> Result<(), Failure> {
        let inner = Arc::clone(&self.0);
        let tried = move || {
            let (party, partner) = inner.ends(&from, &to, Wanted::default())?;
            inner.open(party, &partner).map(Session::close)
        };
        blocking(tried).await.map_err(|error| verdict::ours(&error))?
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
        self.send(parcel(delivery)?, content).await
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        self.found(parcel(delivery)?).await
    }

    async fn check(&self) -> Health {
        let partners = self.0.parties.0.partners.len();
        Health { ok: true, detail: format!("{partners} partners are reached by OSCI-Transport") }
    }
}

impl Inner {
    fn send(&self, parcel: &Parcel, content: impl Read) -> Result<Receipt, Failure> {
        let (party, partner) = self.ends(&parcel.from, &parcel.to, parcel.wanted())?;
        let partner = partner.as_ref();
        self.parties.0.lines.vetting.demand(&partner.recipient)?;
        // Made first: no dialog waits for a large message.
        let content = self.pack(parcel, party, partner, content).map_err(|error| verdict::ours(&error))?;
        let mut errand = Errand { inner: self, parcel, party, partner, session: self.open(party, partner)? };
        let receipt = errand.carry_out(&content)?;
        errand.session.close();
        Ok(receipt)
    }

    fn found(&self, parcel: &Parcel) -> Result<Option<Receipt>, Failure> {
        let Some(remembered) = self.remembered(parcel)? else { return Ok(None) };
        let (party, partner) = self.ends(&parcel.from, &parcel.to, parcel.wanted())?;
        let partner = partner.as_ref();
        let Some(id) = remembered.at(at(partner)) else {
            return Err(verdict::unclear("it was given to another intermediary".to_owned()));
        };
        let mut errand = Errand { inner: self, parcel, party, partner, session: self.open(party, partner)? };
        let receipt = errand.ask(id)?;
        errand.session.close();
        // The answer was given once, to whoever asks now, and did not come. It must not be lost in silence.
        let is_lost = partner.mode == OsciMode::Mediate;
        Ok(receipt.map(|it| Receipt { clarify: is_lost.then_some("osci-party.reply-lost"), ..it }))
    }

    fn ends(
        &self,
        from: &Authority,
        to: &Authority,
        wanted: Wanted<'_>,
    ) -> Result<(&Party, Arc<Partner>), Failure> {
        let parties = &self.parties.0;
        let party = parties.own.get(from).ok_or_else(|| {
            Failure::permanent("osci-party.no-keys", "the authority has no keys for OSCI-Transport")
        })?;
        let partner = parties.lines.runtime.block_on(self.parties.partner(&party.tenant, to, wanted))?;
        let partner = partner.ok_or_else(|| {
            Failure::permanent("osci-party.no-partner", "the partner is not reached by OSCI-Transport")
        })?;
        Ok((party, partner))
    }

    fn open<'a>(&'a self, party: &'a Party, partner: &'a Partner) -> Result<Session<'a>, Failure> {
        let cipher = party.cipher.first().ok_or_else(|| {
            Failure::permanent("osci-party.no-keys", "the authority has no keys for OSCI-Transport")
        })?;
        Session::open(&self.parties.0.lines, &partner.line, party, cipher).map_err(verdict::before)
    }

    /// One container, signed by the authority and encrypted for the partner.
    fn pack(
        &self,
        parcel: &Parcel,
        party: &Party,
        partner: &Partner,
        mut content: impl Read,
    ) -> ::osci::Result<NewContent> {
        let lines = &self.parties.0.lines;
        let recipient = recipient(partner);
        let author = Author { signer: &party.signer, method: party.method, certificate: SIGNER_ID };
        let made = if parcel.is_container {
            let mut staging = Staging::new(lines.limits.memory, lines.limits.package);
            io::copy(&mut content, &mut staging)?;
            pack_all(lines, author, &recipient, &staging.finish())?
        } else {
            let name = attachment_name(&parcel.name);
            let mut maker = Maker::new(&lines.policy, &lines.limits);
            maker.add(NewContainer {
                parts: vec![NewPart::Attachment(&name, &mut content)],
                authors: vec![author],
                readers: vec![&recipient],
            })?;
            maker.finish()?
        };
        Ok(match &parcel.header {
            Some(header) => made.with_header(METADATA_ID, header.clone()),
            None => made,
        })
    }

    /// What is remembered of earlier attempts.
    fn remembered(&self, parcel: &Parcel) -> Result<Option<Remembered>, Failure> {
        let found = self.wait(self.notebook.read(&parcel.tenant, &parcel.id.to_string()))?;
        Ok(found.and_then(|value| Remembered::read(&value)))
    }

    fn wait<T>(&self, act: impl Future<Output = Result<T, broker::Error>>) -> Result<T, Failure> {
        self.parties.0.lines.runtime.block_on(act).map_err(|error| verdict::broker(&error))
    }
}

/// One parcel on its way, within a dialog.
struct Errand<'a> {
    inner: &'a Inner,
    parcel: &'a Parcel,
    party: &'a Party,
    partner: &'a Partner,
    session: Session<'a>,
}

impl Errand<'_> {
    fn carry_out(&mut self, content: &NewContent) -> Result<Receipt, Failure> {
        let remembered = self.inner.remembered(self.parcel)?;
        let id = match remembered.as_ref().and_then(|it| it.at(at(self.partner))) {
            Some(id) => id.to_owned(),
            None => self.new_id(remembered.is_some())?,
        };
        if let Some(receipt) = self.give(&id, content)? {
            return Ok(receipt);
        }
        // The id was used: by an earlier attempt of ours, or its time is over.
        if let Some(receipt) = self.ask(&id)? {
            return Ok(receipt);
        }
        let id = self.new_id(true)?;
        self.give(&id, content)?.ok_or_else(|| verdict::refused(Code::MESSAGE_ID))
    }

    /// A message id, remembered before it is used.
    fn new_id(&mut self, instead: bool) -> Result<String, Failure> {
        let ordered = self.session.order(&NewOrder::GetMessageId, Certificates::default(), None);
        let answered = ordered.map_err(verdict::before)?;
        let id = match said(&answered) {
            (_, Some(code)) => return Err(verdict::refused(code)),
            (answer, None) => answer.and_then(|answer| answer.message_id.clone()),
        };
        let id = id.ok_or_else(|| verdict::refused(Code::NO_MESSAGE_ID))?;
        let (key, value) = (self.parcel.id.to_string(), Remembered::write(&id, at(self.partner)));
        let notebook = &self.inner.notebook;
        if instead {
            self.inner.wait(notebook.write(&self.parcel.tenant, &key, &value))?;
            return Ok(id);
        }
        let holds = self.inner.wait(notebook.write_first(&self.parcel.tenant, &key, &value))?;
        Ok(Remembered::read(&holds).and_then(|it| it.at(at(self.partner)).map(str::to_owned)).unwrap_or(id))
    }

    /// Gives the parcel away; `None` if its id was used before.
    fn give(&mut self, id: &str, content: &NewContent) -> Result<Option<Receipt>, Failure> {
        let certificates =
            Certificates { cipher_addressee: Some(recipient(self.partner)), ..Certificates::default() };
        let order = self.order(id);
        let answered = self.session.order(&order, certificates, Some(content)).map_err(verdict::after)?;
        let (answer, refused) = said(&answered);
        match refused {
            Some(Code::MESSAGE_ID) => return Ok(None),
            // It was accepted all the same.
            Some(Code::NO_DELIVERY_IN_ANSWER) => {}
            Some(code) => {
                tracing::warn!(osci = %code, "an intermediary did not take a message");
                return Err(verdict::refused(code));
            }
            None => {}
        }
        let card = answer.and_then(|answer| answer.cards.first());
        let mut receipt = receipt(id, card);
        if self.partner.mode == OsciMode::Mediate {
            self.take_reply(id, &answered, &mut receipt);
        }
        Ok(Some(receipt))
    }

    fn order(&self, id: &str) -> NewOrder {
        let (message_id, subject) = (id.to_owned(), self.parcel.subject.clone());
        let receiver = self.partner.receiver.clone();
        match self.partner.mode {
            OsciMode::Store => NewOrder::Store { message_id, subject },
            OsciMode::Forward => NewOrder::Forward { receiver, message_id, subject },
            OsciMode::Mediate => NewOrder::Mediate { receiver, message_id: Some(message_id), subject },
        }
    }

    /// Takes the recipient's answer in, and says in the receipt what became of it. It is given once: if our own store fails
    /// now, a human has to ask for it.
    fn take_reply(&self, id: &str, answered: &Answered, receipt: &mut Receipt) {
        receipt.data["reply"] = json!(false);
        if answered.message.content.is_none() {
            return;
        }
        let reply = said(answered).0.and_then(|answer| answer.message_id.clone());
        let delivered = Delivered {
            party: self.party,
            intermediary: self.partner.line.certificate.fingerprint(),
            package: &answered.package,
            message: &answered.message,
            message_id: reply.unwrap_or_else(|| format!("reply-to.{id}")),
            answers: Some(self.parcel.id),
            doubt: None,
        };
        let (lines, arrivals) = (&self.inner.parties.0.lines, &self.inner.parties.0.arrivals);
        if let Some(said) = arrivals.acknowledged(lines, &delivered, &self.partner.authority) {
            receipt.data["acknowledgement"] = json!(said);
            return;
        }
        match arrivals.take(lines, &delivered) {
            Ok(message) => receipt.data["reply"] = json!(message.id),
            Err(error) => {
                tracing::error!(code = error.code(), "an answer was lost");
                receipt.clarify = Some("osci-party.reply-lost");
            }
        }
    }

    /// What the intermediary knows of a message id; `None` if nothing came under it.
    fn ask(&mut self, id: &str) -> Result<Option<Receipt>, Failure> {
        let rule = Some(SelectionRule::MessageIds(vec![id.to_owned()]));
        let order = NewOrder::Cards { rule, limit: None };
        let answered = self.session.order(&order, Certificates::default(), None).map_err(verdict::before)?;
        let (answer, refused) = said(&answered);
        match refused {
            Some(Code::NO_PROCESS_CARD) => return Ok(None),
            Some(code) => return Err(verdict::refused(code)),
            None => {}
        }
        let cards = answer.map(|answer| answer.cards.as_slice()).unwrap_or_default();
        let Some(card) = cards.iter().find(|card| card.message_id == id) else { return Ok(None) };
        // What was to be passed on may have broken off on its way.
        if self.partner.mode != OsciMode::Store && card.reception.is_none() {
            return Err(verdict::unclear("passed on, not received".to_owned()));
        }
        let mut receipt = receipt(id, Some(card));
        if self.partner.mode == OsciMode::Mediate {
            receipt.data["reply"] = json!(false);
        }
        Ok(Some(receipt))
    }
}

fn recipient(partner: &Partner) -> Named {
    Named { id: RECIPIENT_ID.to_owned(), certificate: partner.recipient.clone() }
}

fn receipt(id: &str, card: Option<&ProcessCardBundle>) -> Receipt {
    let moment = |stamp: Option<&TimeStamp>| match stamp {
        Some(TimeStamp::Plain(moment)) => json!(moment.to_string()),
        Some(TimeStamp::Cryptographic { .. }) => json!("stamped"),
        None => Value::Null,
    };
    let data = json!({
        "creation": moment(card.and_then(|card| card.creation.as_ref())),
        "forwarding": moment(card.and_then(|card| card.forwarding.as_ref())),
        "reception": moment(card.and_then(|card| card.reception.as_ref())),
    });
    Receipt { reference: Some(id.to_owned()), data, ..Receipt::default() }
}

/// Whose ids a partner's intermediary issues.
fn at(partner: &Partner) -> &str {
    partner.line.certificate.fingerprint()
}

/// What the broker's facts say about a message.
fn parcel(delivery: &Delivery) -> Result<Parcel, Failure> {
    let text = |name: &str| delivery.detail.get(name).and_then(Value::as_str);
    let authority = |name: &str| {
        let key = text(name).and_then(|key| key.parse().ok());
        key.ok_or_else(|| Failure::permanent("osci-party.no-partner", "the delivery names no authority"))
    };
    let words = [text("standard"), text("type")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Ok(Parcel {
        tenant: delivery.tenant.clone(),
        id: delivery.id,
        from: authority("from")?,
        to: authority("to")?,
        service: text("service").map(str::to_owned),
        bytes: delivery.detail["size"].as_u64(),
        subject: Some(words).filter(|words| !words.is_empty()),
        name: text("fileName").unwrap_or("message").to_owned(),
        header: header_of(&delivery.detail)
            .map_err(|error| Failure::permanent("osci-party.metadata", error.code()))?,
        is_container: delivery.detail.get("container").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// A file's name as a Content-ID: it also stands in ids of the XML, where few characters may.
pub(super) fn attachment_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    // The ending says more than the beginning.
    let name = &name[name.len().saturating_sub(NAME)..];
    if name.is_empty() { "message".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_becomes_one_that_an_id_may_hold() {
        assert_eq!(attachment_name("a-1_Aussonderung.0401.zip"), "a-1_Aussonderung.0401.zip");
        assert_eq!(attachment_name("Bauakte Müller <1>.zip"), "Bauakte_M_ller__1_.zip");
        assert_eq!(attachment_name(""), "message");
        let long = attachment_name(&format!("{}.zip", "x".repeat(500)));
        assert!(long.len() == NAME && long.ends_with(".zip"));
    }

    #[test]
    fn the_subject_names_standard_and_type_and_nothing_else() {
        let detail = json!({ "from": "bab:1", "to": "bab:2", "standard": "xdomea", "type": "0401", "fileName": "Akte Meier" });
        let delivery = Delivery {
            id: model::ids::new_id(),
            tenant: "t".into(),
            kind: "message".into(),
            record: None,
            about: None,
            detail,
        };
        let parcel = parcel(&delivery).unwrap();
        assert_eq!(parcel.subject.as_deref(), Some("xdomea 0401"));
        assert_eq!((parcel.from.as_str(), parcel.to.as_str()), ("bab:1", "bab:2"));
    }
}
