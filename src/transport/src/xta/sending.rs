//! Messages that an account sends: what metadata alone forbid is refused before any content is read; the rest is written
//! as it comes, checked, and taken in by one transaction with its message id. For an authority whose reader fetches by XTA
//! it waits in the message box, for any other it is an arrival, and for somebody outside it is sent on. What a server of XTA delivers to
//! a reader for whom we answer (`deliverMessage` of version 5) is an arrival, too; it comes with a message id of that server, and coming
//! again it is the same.

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
use super::along::MOST_META;
use super::answering::{Asked, synchronous};
use super::boxes::{Boxes, body, end_of_day, failed, is_booked, mailbox, member, meta, moment, ticket};
use super::kept::KeptMeta;
use super::package::{Packer, Unpacked};

/// Most messages that one says it answers.
pub(super) const MOST_RELATED: usize = 100;
/// Contents that are shown to the standards of the house.
const MOST_LOOKED_AT: usize = 100;
/// How far ahead a message may be sent.
const LONGEST_AHEAD: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest subject that the relay keeps beside the metadata, in bytes.
const SUBJECT_BYTES: usize = 4_000;
/// What a container is called that no standard reads.
pub(super) const CONTAINER: &str = "xta.zip";

impl Boxes {
    /// Begins to take in a message of the account.
    ///
    /// # Errors
    /// 9013, 9014, 9020, 9022 to 9024, 9080, 9081.
    pub fn begin(&self, account: &Account, meta: &MetaData, wish: Wish) -> Result<Box<dyn Receiving + '_>> {
        Ok(Box::new(self.try_begin(account, meta, Way::Sent(wish))?))
    }

    /// Begins to take in a message that the account, a server of XTA, delivers.
    ///
    /// # Errors
    /// 9013, 9014, 9020, 9022, 9023.
    pub fn deliver(&self, account: &Account, meta: &MetaData) -> Result<Box<dyn Receiving + '_>> {
        Ok(Box::new(self.try_begin(account, meta, Way::Delivered)?))
    }

    fn try_begin(&self, account: &Account, meta: &MetaData, way: Way) -> Result<Receiver<'_>> {
        let is_author = meta.author.id.trim() == account.party.as_str();
        let may_be_another = account.delivers && way == Way::Delivered;
        if !is_author && !may_be_another {
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
        let member = member(account);
        let place = self.place(account, meta, way)?;
        if way != Way::Delivered
            && !self.wait(self.relay.may_use(&member, &ticket)).map_err(|error| failed(&error))?
        {
            return Err(self.not_usable(&member, &ticket));
        }
        let terms = self.terms(meta)?;
        let kept = KeptMeta::from(meta);
        if serde_json::to_string(&kept).map_or(0, |json| json.len()) > MOST_META {
            return Err(Fault::TOO_LARGE.into());
        }
        let writer = self.relay.writer(&member).map_err(|error| failed(&error))?;
        let most = match place.target {
            // What its reader does not take is refused here: its author can still mend it.
            Target::Outside(most) => account.container_bytes.min(most),
            _ => account.container_bytes,
        };
        if meta.size.is_some_and(|size| size > most) {
            return Err(Fault::TOO_LARGE.into());
        }
        let packer = Packer::new(writer, most);
        let subject = meta.subject.clone().filter(|subject| subject.len() <= SUBJECT_BYTES);
        let (account, test) = (account.clone(), kept.is_test);
        let told = Told { account, member, body: Value::Null, ticket, place, way, terms, subject, test };
        Ok(Receiver { boxes: self, told, kept, packer })
    }

    /// Where a message goes.
    fn place(&self, account: &Account, meta: &MetaData, way: Way) -> Result<Place> {
        let in_house = self.reader(account, &meta.reader);
        let Way::Sent(wish) = way else {
            let reader = in_house.ok_or(Fault::PARAMETERS)?;
            return Ok(Place { keeper: reader.clone(), reader, target: Target::House });
        };
        if wish == Wish::Asynchronous
            && let Some(reader) = self.who_waits(account, meta)?
        {
            return Ok(Place { reader, keeper: account.party.clone(), target: Target::Box });
        }
        let Some(reader) = in_house else { return self.outside(account, &meta.reader, wish) };
        self.check_wish(account, &reader, &meta.service, wish)?;
        let is_fetched = self.settings.fetching.contains(&(account.tenant.clone(), reader.clone()));
        let target = if is_fetched { Target::Box } else { Target::House };
        Ok(Place { keeper: reader.clone(), reader, target })
    }

    /// A place outside. The gateway is the sender of its own authorities only: for others it sends nothing on.
    fn outside(&self, account: &Account, reader: &Party, wish: Wish) -> Result<Place> {
        let is_ours = account.caller.authority.as_ref() == Some(&account.party);
        let reader: Authority = reader.id.trim().parse().map_err(|_| Fault::PARAMETERS)?;
        if !is_ours {
            return Err(Fault::PARAMETERS.into());
        }
        let takes = self.wait(self.broker.takes_bytes(&account.tenant, &account.party, &reader));
        let most = takes.map_err(|error| failed(&error))?.ok_or(Fault::PARAMETERS)?;
        match wish {
            Wish::Synchronous => Err(Fault::ONLY_ASYNCHRONOUS.into()),
            Wish::Asynchronous => {
                Ok(Place { keeper: account.party.clone(), reader, target: Target::Outside(most) })
            }
        }
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
}

/// How a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From its author.
    Sent(Wish),
    /// From a server of XTA, for its reader.
    Delivered,
}

/// Where a message goes.
struct Place {
    /// Whom it is for.
    reader: Authority,
    /// The authority of the house whose it is; of an answer, that of its author.
    keeper: Authority,
    target: Target,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// It waits in the reader's message box.
    Box,
    /// It is an arrival.
    House,
    /// It is sent on to its reader, who takes so many bytes.
    Outside(u64),
}

/// A message that is being taken in.
struct Receiver<'a> {
    boxes: &'a Boxes,
    told: Told,
    kept: KeptMeta,
    packer: Packer,
}

impl Receiving for Receiver<'_> {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.packer.begin(index, content)?;
        Ok(self)
    }

    fn finish(self: Box<Self>) -> Result<Option<Reply>> {
        self.take_in()
    }
}

/// Bytes of the content that has begun.
impl Write for Receiver<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.packer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Receiver<'_> {
    fn take_in(self) -> Result<Option<Reply>> {
        let Receiver { boxes, mut told, kept, packer } = self;
        let (stored, bytes) = packer.finish()?;
        told.body = body(&kept, bytes);
        let asked = match told.way {
            Way::Sent(Wish::Synchronous) => {
                told.body = synchronous(told.body);
                Some(Asked {
                    member: told.member.clone(),
                    tenant: told.account.tenant.clone(),
                    ticket: told.ticket.clone(),
                    reader: told.place.reader.clone(),
                })
            }
            _ => None,
        };
        let (broker, check) = (&boxes.broker, boxes.settings.check);
        let looked = screen(broker, &told.member, &stored)
            .and_then(|()| looked_at(broker, &told.member, &stored, check));
        let whole = match looked {
            Ok(whole) => whole,
            Err(error) => {
                boxes.discard(stored);
                return Err(error);
            }
        };
        match told.place.target {
            Target::Box => boxes.put(told, stored)?,
            Target::House => boxes.hand_over(told, stored, whole)?,
            Target::Outside(_) => boxes.send_on(told, stored, whole)?,
        }
        asked.map(|asked| boxes.answer_to(&asked)).transpose()
    }
}

/// What is known of a message.
struct Told {
    account: Account,
    member: Caller,
    body: Value,
    ticket: String,
    place: Place,
    way: Way,
    terms: BoxTerms,
    subject: Option<String>,
    test: bool,
}

impl Boxes {
    /// Puts a message into the message box of its reader.
    fn put(&self, told: Told, stored: StoredPayload) -> Result<()> {
        let new = NewDelivery {
            door: Door::Xta,
            dedup_key: format!("xta:{}", told.ticket),
            ticket: told.ticket.clone(),
            issued_to: None,
            mailbox: mailbox(&told.place.reader),
            addressee: told.place.reader.to_string(),
            authority: told.place.keeper,
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
        let (party, ticket, sent) = match told.way {
            // Each server has message ids of its own.
            Way::Delivered => {
                let author = author(&told.body).ok_or(Fault::PARAMETERS)?;
                (author, format!("{}:{}", told.account.party, told.ticket), None)
            }
            Way::Sent(_) => {
                let (sender, ticket) = (told.member.actor.id.clone(), told.ticket.clone());
                (
                    told.account.party.to_string(),
                    ticket.clone(),
                    Some(Sent { sender, ticket, body: told.body }),
                )
            }
        };
        let caller = Caller { actor: Actor { kind: "partner".to_owned(), id: party }, ..told.member.clone() };
        let (stored, file_name) = self.as_it_goes(&caller, container, wait)?;
        let carried = Carried { ticket: Some(told.ticket.clone()), ..Carried::default() };
        let arrival = Arrival {
            door: Door::Xta,
            ticket,
            authority: told.place.reader,
            file_name,
            answers: None,
            finding: wait.map(Finding::error),
            facts: json!({ "messageId": told.ticket, "account": told.account.id }),
            not_before: told.terms.not_before,
            sent,
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
            to: told.place.reader,
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
    pub(super) fn discard(&self, stored: StoredPayload) {
        // It cannot fail: what cannot be removed is swept.
        let _ = self.wait(async {
            self.broker.discard_arrival(stored).await;
            Ok(())
        });
    }
}

/// The author of a message, which becomes the name of a partner.
fn author(body: &Value) -> Option<String> {
    let author = meta(body).ok()?.author.id.trim().to_owned();
    author.parse::<Authority>().is_ok().then_some(author)
}

/// Shows the contents of a container to the standards of the house, which `check` them or only recognise them. Says why the
/// message has to wait for a human if it is handed over; nothing if a standard recognises its only content.
pub(super) fn looked_at(
    broker: &Broker,
    member: &Caller,
    stored: &StoredPayload,
    check: bool,
) -> Result<Option<&'static str>> {
    let payload = broker.written(member, stored).map_err(|error| failed(&error))?;
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
        is_recognised |= match check {
            true => {
                let checked = broker.check_source(&mut source, name);
                is_sound(&checked.map_err(|error| failed(&error))?, content)?
            }
            false => broker.recognises_source(&mut source, name).map_err(|error| failed(&error))?,
        };
    }
    // What stands beside a content that is processed would be lost.
    Ok(match (is_recognised, unpacked.list().len()) {
        (false, _) => Some("message.unknown"),
        (true, 1) => None,
        (true, _) => Some("message.several-contents"),
    })
}

/// Looks for harmful content in each of the contents.
fn screen(broker: &Broker, member: &Caller, stored: &StoredPayload) -> Result<()> {
    let unpacked = Unpacked::open(broker.written(member, stored).map_err(|error| failed(&error))?)?;
    for (index, (_, length)) in unpacked.list().iter().enumerate() {
        let screened = broker.screen_source(&mut unpacked.section(index)?, *length);
        screened.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// The first content of a container as bytes of their own, with its name.
pub(super) fn take_out(
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

/// Whether a standard recognises a content; an error if it does and refuses it. What says that it is XML must be; other bytes
/// may look like the beginning of some.
fn is_sound(checked: &Checked, content: &Content) -> Result<bool> {
    let findings = &checked.report.findings;
    let is_unknown = findings.iter().all(|finding| finding.rule == "message.unknown");
    if checked.identity.is_none() && (is_unknown || !says_xml(content)) {
        return Ok(false);
    }
    if checked.report.is_acceptable() {
        return Ok(true);
    }
    let is_encoding = findings.iter().any(|finding| finding.rule == "xml.encoding");
    Err(if is_encoding { Fault::ENCODING } else { Fault::SCHEMA }.into())
}

/// Whether a content says of itself that it is XML, by its media type or the name of its file.
fn says_xml(content: &Content) -> bool {
    let kind = content.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let name = content.file_name.as_deref().unwrap_or_default().to_ascii_lowercase();
    kind.ends_with("/xml") || kind.ends_with("+xml") || name.ends_with(".xml")
}
