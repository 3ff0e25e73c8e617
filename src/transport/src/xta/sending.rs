//! Messages that an account sends: what metadata alone forbid is refused before any content is read; the rest is written
//! as it comes, checked, and taken in by one transaction with its message id. For an authority whose reader fetches by XTA
//! it waits in the message box, for any other it is an arrival, and for
//! somebody outside it is sent on.

use std::io::{self, Write};
use std::time::Duration;

use broker::{Arrival, BoxTerms, Broker, Carried, Checked, NewDelivery, Onward, Sent, StoredPayload};
use model::message::{Door, Finding};
use model::{Actor, Authority, Caller, Timestamp};
use serde_json::{Value, json};
use xta::model::{Content, ContentRole, MetaData, Party};
use xta::server::backend::{Contents, Receiving, Reply, Wish};
use xta::{Error, Fault, Result};

use super::account::Account;
use super::boxes::{Boxes, body, end_of_day, failed, is_booked, mailbox, member, moment, ticket};
use super::kept::KeptMeta;
use super::package::{Packer, Unpacked};

/// Most bytes of metadata, as they are kept.
const MOST_META: usize = 60 * 1024;
/// Most messages that one says it answers.
const MOST_RELATED: usize = 100;
/// Contents that are shown to the standards of the house.
const MOST_LOOKED_AT: usize = 100;
/// How far ahead a message may be sent.
const LONGEST_AHEAD: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest subject that the relay keeps beside the metadata, in bytes.
const SUBJECT_BYTES: usize = 4_000;
/// What a container is called that no standard reads.
const CONTAINER: &str = "xta.zip";

impl Boxes {
    /// Begins to take in a message of the account.
    ///
    /// # Errors
    /// 9013, 9014, 9020, 9022 to 9024, 9080.
    pub fn begin(&self, account: &Account, meta: &MetaData, wish: Wish) -> Result<Box<dyn Receiving + '_>> {
        let began = self.try_begin(account, meta, wish);
        let receiver = began.map_err(|error| self.refused(account, error))?;
        Ok(Box::new(receiver))
    }

    fn try_begin(&self, account: &Account, meta: &MetaData, wish: Wish) -> Result<Receiver<'_>> {
        if wish == Wish::Synchronous {
            return Err(Fault::ONLY_ASYNCHRONOUS.into());
        }
        if meta.author.id.trim() != account.party.as_str() {
            return Err(Fault::NOT_THE_SENDER.into());
        }
        if !is_booked(account, &meta.service) {
            return Err(Fault::NOT_BOOKED.into());
        }
        // It would reach only one of them.
        if !meta.other_readers.is_empty() || !meta.cc_readers.is_empty() {
            return Err(Fault::PARAMETERS.into());
        }
        let ticket = ticket(&meta.message_id);
        if ticket.is_empty() {
            return Err(Fault::NO_PARAMETERS.into());
        }
        let target = self.target(account, &meta.reader)?;
        let member = member(account);
        if !self.wait(self.relay.may_use(&member, &ticket)).map_err(|error| failed(&error))? {
            return Err(self.not_usable(&member, &ticket));
        }
        let terms = self.terms(meta)?;
        let kept = KeptMeta::from(meta);
        if serde_json::to_string(&kept).map_or(0, |json| json.len()) > MOST_META {
            return Err(Fault::TOO_LARGE.into());
        }
        let writer = self.relay.writer(&member).map_err(|error| failed(&error))?;
        let most = match target {
            Target::House(_) => account.container_bytes,
            // What its reader does not take is refused here: its author can still mend it.
            Target::Outside(_, most) => account.container_bytes.min(most),
        };
        if meta.size.is_some_and(|size| size > most) {
            return Err(Fault::TOO_LARGE.into());
        }
        let packer = Packer::new(writer, most);
        let subject = meta.subject.clone().filter(|subject| subject.len() <= SUBJECT_BYTES);
        let account = account.clone();
        Ok(Receiver { boxes: self, account, member, kept, ticket, target, terms, subject, packer })
    }

    /// Whom a message is for. The gateway is the sender of its own authorities only: for others it sends nothing on.
    fn target(&self, account: &Account, reader: &Party) -> Result<Target> {
        if let Some(reader) = self.reader(account, reader) {
            return Ok(Target::House(reader));
        }
        let is_ours = account.caller.authority.as_ref() == Some(&account.party);
        let reader: Authority = reader.id.trim().parse().map_err(|_| Fault::PARAMETERS)?;
        if !is_ours {
            return Err(Fault::PARAMETERS.into());
        }
        let takes = self.wait(self.broker.takes_bytes(&account.tenant, &reader));
        let most = takes.map_err(|error| failed(&error))?.ok_or(Fault::PARAMETERS)?;
        Ok(Target::Outside(reader, most))
    }

    /// When a message is to be delivered, and what it answers.
    fn terms(&self, meta: &MetaData) -> Result<BoxTerms> {
        let now = self.now();
        let delivery = &meta.delivery;
        let read = |text: Option<String>, read: fn(&str) -> Option<Timestamp>| match text {
            Some(text) => read(&text).map(Some).ok_or(Fault::PARAMETERS),
            None => Ok(None),
        };
        let not_before = read(delivery.not_before.as_ref().map(ToString::to_string), moment)?;
        let obsolete_at = read(delivery.obsolete_after.as_ref().map(ToString::to_string), end_of_day)?;
        let starts = not_before.map_or(now, |moment| moment.max(now));
        let is_too_far = starts > now.plus(LONGEST_AHEAD);
        if is_too_far || obsolete_at.is_some_and(|end| end <= starts) || meta.in_reply_to.len() > MOST_RELATED
        {
            return Err(Fault::PARAMETERS.into());
        }
        let related = meta.in_reply_to.iter().map(|id| self::ticket(id)).filter(|id| !id.is_empty());
        Ok(BoxTerms { not_before, obsolete_at, related: related.collect() })
    }

    /// Why a message id may not be used: it was, or it was never issued to this party.
    fn not_usable(&self, member: &Caller, ticket: &str) -> Error {
        let sent = self.wait(async {
            let relayed = self.relay.sent(member, ticket).await?.is_some();
            let tenant = &member.scope.tenant;
            Ok(relayed || self.broker.promised(tenant, &member.actor.id, ticket).await?.is_some())
        });
        match sent {
            Ok(true) => Fault::USED_ID.into(),
            Ok(false) => Fault::PARAMETERS.into(),
            Err(error) => failed(&error),
        }
    }

    /// Leaves an audit event of a refusal. If that fails, the refusal stands all the same.
    fn refused(&self, account: &Account, error: Error) -> Error {
        if let Error::Fault(fault) = &error {
            let noted = self.broker.note_refusal(&account.caller, error.code(), fault.code);
            if let Err(error) = self.wait(noted) {
                tracing::warn!(code = error.code(), "a refusal could not be noted");
            }
        }
        error
    }
}

/// A message that is being taken in.
struct Receiver<'a> {
    boxes: &'a Boxes,
    account: Account,
    member: Caller,
    kept: KeptMeta,
    ticket: String,
    target: Target,
    terms: BoxTerms,
    subject: Option<String>,
    packer: Packer,
}

/// Whom a message is for.
#[derive(Debug, Clone)]
enum Target {
    /// An authority of the house.
    House(Authority),
    /// Somebody that messages are sent on to, who takes so many bytes.
    Outside(Authority, u64),
}

impl Receiving for Receiver<'_> {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        let begun = self.packer.begin(index, content);
        begun.map_err(|error| self.boxes.refused(&self.account, error))?;
        Ok(self)
    }

    fn finish(self: Box<Self>) -> Result<Option<Reply>> {
        let (boxes, account) = (self.boxes, self.account.clone());
        match self.take_in() {
            Ok(()) => Ok(None),
            Err(error) => Err(boxes.refused(&account, error)),
        }
    }
}

/// Bytes of the content that has begun.
impl Write for Receiver<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.packer.write(bytes);
        written.map_err(|error| self.boxes.refused(&self.account, error.into()).into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Receiver<'_> {
    fn take_in(self) -> Result<()> {
        let Receiver { boxes, account, member, kept, ticket, target, terms, subject, packer } = self;
        let (stored, bytes) = packer.finish()?;
        let (test, body) = (kept.is_test, body(&kept, bytes));
        let (Target::House(reader) | Target::Outside(reader, _)) = target.clone();
        let told = Told { account, member, body, ticket, reader, terms, subject, test };
        let is_fetched =
            boxes.settings.fetching.contains(&(told.account.tenant.clone(), told.reader.clone()));
        let whole = match boxes.looked_at(&told.member, &stored) {
            Ok(whole) => whole,
            Err(error) => {
                boxes.discard(stored);
                return Err(error);
            }
        };
        match target {
            Target::House(_) if is_fetched => boxes.put(told, stored),
            Target::House(_) => boxes.hand_over(told, stored, whole),
            Target::Outside(..) => boxes.send_on(told, stored, whole),
        }
    }
}

/// What is known of a message whose contents are here.
struct Told {
    account: Account,
    member: Caller,
    body: Value,
    ticket: String,
    reader: Authority,
    terms: BoxTerms,
    subject: Option<String>,
    test: bool,
}

impl Boxes {
    /// Shows the contents to the standards of the house. Says why the message has to wait for a human if it was handed over;
    /// nothing if a standard recognises its only content.
    fn looked_at(&self, member: &Caller, stored: &StoredPayload) -> Result<Option<&'static str>> {
        let payload = self.broker.written(member, stored).map_err(|error| failed(&error))?;
        let unpacked = Unpacked::open(payload)?;
        if unpacked.list().is_empty() {
            return Err(Fault::NO_PARAMETERS.into());
        }
        let mut is_recognised = false;
        for (index, (content, _)) in unpacked.list().iter().enumerate().take(MOST_LOOKED_AT) {
            if content.role == ContentRole::Encrypted {
                continue;
            }
            let (mut source, name) = (unpacked.section(index)?, content.file_name.as_deref());
            let is_known = match self.settings.check {
                true => {
                    let checked = self.broker.check_source(&mut source, name);
                    is_sound(&checked.map_err(|error| failed(&error))?)?
                }
                false => {
                    let known = self.broker.recognises_source(&mut source, name);
                    known.map_err(|error| failed(&error))?
                }
            };
            is_recognised |= is_known;
        }
        // What stands beside a content that is processed would be lost.
        Ok(match (is_recognised, unpacked.list().len()) {
            (false, _) => Some("message.unknown"),
            (true, 1) => None,
            (true, _) => Some("message.several-contents"),
        })
    }

    /// Puts a message into the message box of its reader.
    fn put(&self, told: Told, stored: StoredPayload) -> Result<()> {
        let new = NewDelivery {
            door: Door::Xta,
            dedup_key: format!("xta:{}", told.ticket),
            ticket: told.ticket.clone(),
            issued_to: None,
            mailbox: mailbox(&told.reader),
            addressee: told.reader.to_string(),
            authority: told.reader,
            partner: told.account.party.to_string(),
            subject: told.subject,
            body: told.body,
            terms: told.terms,
        };
        match self.wait(self.relay.take_in(&told.member, new, stored)) {
            Ok(_) => Ok(()),
            Err(broker::Error::TicketRefused) => Err(self.not_usable(&told.member, &told.ticket)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Hands a message to the authority of the house that it is for: its only content; if it has to `wait` for a human, the
    /// whole container.
    fn hand_over(&self, told: Told, container: StoredPayload, wait: Option<&'static str>) -> Result<()> {
        let party = told.account.party.to_string();
        let caller = Caller { actor: Actor { kind: "partner".to_owned(), id: party }, ..told.member.clone() };
        let (stored, file_name) = self.as_it_goes(&caller, container, wait)?;
        let carried = Carried { ticket: Some(told.ticket.clone()), ..Carried::default() };
        let arrival = Arrival {
            door: Door::Xta,
            ticket: told.ticket.clone(),
            authority: told.reader,
            file_name,
            answers: None,
            finding: wait.map(Finding::error),
            facts: json!({ "messageId": told.ticket, "account": told.account.id }),
            not_before: told.terms.not_before,
            sent: Some(Sent {
                sender: told.member.actor.id.clone(),
                ticket: told.ticket.clone(),
                body: told.body,
            }),
            carried: Some(carried),
            test: told.test,
        };
        match self.wait(self.broker.take_arrival(&caller, arrival, stored)) {
            Ok(_) => Ok(()),
            Err(broker::Error::TicketRefused) => Err(self.not_usable(&told.member, &told.ticket)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Sends a message on to somebody outside, in the name of the authority of the house that wrote it: its only content, if a
    /// standard recognises it, or else the whole container.
    fn send_on(&self, told: Told, container: StoredPayload, whole: Option<&'static str>) -> Result<()> {
        let party = told.account.party.to_string();
        let caller = Caller { actor: Actor { kind: "partner".to_owned(), id: party }, ..told.member.clone() };
        let (stored, file_name) = self.as_it_goes(&caller, container, whole)?;
        let onward = Onward {
            door: Door::Xta,
            from: told.account.party.clone(),
            to: told.reader,
            file_name,
            carried: Carried {
                metadata: told.body.get("meta").cloned().unwrap_or_default(),
                container: whole.is_some(),
                ticket: Some(told.ticket.clone()),
                related: told.terms.related,
            },
            sent: Sent { sender: told.member.actor.id.clone(), ticket: told.ticket.clone(), body: told.body },
            not_before: told.terms.not_before,
            obsolete_at: told.terms.obsolete_at,
            test: told.test,
        };
        match self.wait(self.broker.send_on(&caller, onward, stored)) {
            Ok(_) => Ok(()),
            Err(broker::Error::TicketRefused) => Err(self.not_usable(&told.member, &told.ticket)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// What goes on of a container, with its name: the whole if there is a reason for it, or else its only content.
    fn as_it_goes(
        &self,
        caller: &Caller,
        container: StoredPayload,
        whole: Option<&'static str>,
    ) -> Result<(StoredPayload, Option<String>)> {
        if whole.is_some() {
            return Ok((container, Some(CONTAINER.to_owned())));
        }
        let taken_out = take_out(&self.broker, caller, &container);
        self.discard(container);
        taken_out
    }

    /// Removes what was written and is not needed.
    fn discard(&self, stored: StoredPayload) {
        // It cannot fail: what cannot be removed is swept.
        let _ = self.wait(async {
            self.broker.discard_arrival(stored).await;
            Ok(())
        });
    }
}

/// The first content of a container as bytes of their own, with its name.
fn take_out(
    broker: &Broker,
    caller: &Caller,
    container: &StoredPayload,
) -> Result<(StoredPayload, Option<String>)> {
    let unpacked = Unpacked::open(broker.written(caller, container).map_err(|error| failed(&error))?)?;
    let mut writer = broker.arrival_writer(caller).map_err(|error| failed(&error))?;
    io::copy(&mut unpacked.section(0)?, &mut writer)?;
    let stored = writer.finish().map_err(|error| failed(&error.into()))?;
    Ok((stored, unpacked.list().first().and_then(|(content, _)| content.file_name.clone())))
}

/// Whether a standard recognises a content; an error if it does and refuses it.
fn is_sound(checked: &Checked) -> Result<bool> {
    let findings = &checked.report.findings;
    if checked.identity.is_none() && findings.iter().all(|finding| finding.rule == "message.unknown") {
        return Ok(false);
    }
    if checked.report.is_acceptable() {
        return Ok(true);
    }
    let is_encoding = findings.iter().any(|finding| finding.rule == "xml.encoding");
    Err(if is_encoding { Fault::ENCODING } else { Fault::SCHEMA }.into())
}
