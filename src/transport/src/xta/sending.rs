//! Messages that an account sends: what metadata alone forbid is refused before any content is read; the rest is written
//! as it comes, checked, and taken in by one transaction with its message id. For an authority whose reader fetches by XTA
//! it waits in the message box, for any other it is an arrival, and for somebody outside it is sent on. What a server of XTA delivers to
//! a reader for whom we answer (`deliverMessage` of version 5) is an arrival, too; it comes with a message id of that server, and coming
//! again it is the same.

use std::io::{self, Write};
use std::time::Duration;

use broker::{Arrival, BoxTerms, Carried, NewDelivery, Onward, Sent, StoredPayload};
use model::message::{Door, Finding};
use model::{Actor, Authority, Caller, JsonText, Timestamp};
use serde_json::json;
use xta::model::{Content, MetaData, Party};
use xta::server::backend::{Receiving, Reply, Taken, Taking, Way, Wish};
use xta::{Error, Fault, Result};

use super::account::Account;
use super::along::MOST_META;
use super::answering::Asked;
use super::boxes::{Boxes, Noted, blocking, end_of_day, failed, is_booked, mailbox, member, moment, ticket};
use super::contents::take_out;
use super::kept::KeptMeta;
use super::package::Packer;

/// Most messages that one says it answers.
pub(super) const MOST_RELATED: usize = 100;
/// How far ahead a message may be sent.
const LONGEST_AHEAD: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest subject that the relay keeps beside the metadata, in bytes.
const SUBJECT_BYTES: usize = 4_000;
/// What a container is called that no standard reads.
pub(super) const CONTAINER: &str = "xta.zip";

impl Boxes {
    /// Begins to take in a message of the account, or, if the account is a server of XTA, one that it delivers. Of a request that `is_whole`
    /// already, the message id is left to the transaction, and looked at before only if the message is refused for another reason.
    ///
    /// # Errors
    /// 9013, 9014, 9020, 9022 to 9024, 9080, 9081.
    pub async fn begin<'a>(
        &'a self,
        account: &Account,
        meta: &MetaData,
        way: Way,
        is_whole: bool,
    ) -> Result<Box<dyn Receiving<'a> + 'a>> {
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
        let place = self.place(account, meta, way).await?;
        let has_id = matches!(way, Way::Sent(_));
        if has_id && !is_whole {
            self.demand_usable(&member, &ticket).await?;
        }
        let id_is_new = has_id && is_whole;
        match self.receiver(account, meta, way, place, id_is_new) {
            Ok(receiver) => Ok(Box::new(receiver)),
            Err(error) if id_is_new => Err(self.refused(&member, &ticket, error).await),
            Err(error) => Err(error),
        }
    }

    fn receiver(
        &self,
        account: &Account,
        meta: &MetaData,
        way: Way,
        place: Place,
        id_is_new: bool,
    ) -> Result<Receiver<'_>> {
        let (member, ticket) = (member(account), ticket(&meta.message_id));
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
        let author = meta.author.id.trim().to_owned();
        let noted = Noted { meta: kept, bytes: 0, synchronous: way == Way::Sent(Wish::Synchronous) };
        let told = Told { account, member, author, noted, ticket, place, way, terms, subject, test };
        Ok(Receiver { boxes: self, told, packer, id_is_new })
    }

    /// Where a message goes.
    async fn place(&self, account: &Account, meta: &MetaData, way: Way) -> Result<Place> {
        let in_house = self.reader(account, &meta.reader);
        let Way::Sent(wish) = way else {
            let reader = in_house.ok_or(Fault::PARAMETERS)?;
            // It becomes the name of a partner.
            let _: Authority = meta.author.id.trim().parse().map_err(|_| Fault::PARAMETERS)?;
            return Ok(Place { keeper: reader.clone(), reader, target: Target::House });
        };
        if wish == Wish::Asynchronous
            && let Some(reader) = self.who_waits(account, meta).await?
        {
            return Ok(Place { reader, keeper: account.party.clone(), target: Target::Box });
        }
        let Some(reader) = in_house else { return self.outside(account, &meta.reader, wish).await };
        self.check_wish(account, &reader, &meta.service, wish)?;
        let is_fetched = self.settings.fetching.contains(&(account.tenant.clone(), reader.clone()));
        let target = if is_fetched { Target::Box } else { Target::House };
        Ok(Place { keeper: reader.clone(), reader, target })
    }

    /// A place outside. The gateway is the sender of its own authorities only: for others it sends nothing on.
    async fn outside(&self, account: &Account, reader: &Party, wish: Wish) -> Result<Place> {
        let is_ours = account.caller.authority.as_ref() == Some(&account.party);
        let reader: Authority = reader.id.trim().parse().map_err(|_| Fault::PARAMETERS)?;
        if !is_ours {
            return Err(Fault::PARAMETERS.into());
        }
        let takes = self.broker.takes_bytes(&account.tenant, &account.party, &reader).await;
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

    /// Why a message is refused whose id was not looked at before: it tells first that the message is here already.
    async fn refused(&self, member: &Caller, ticket: &str, error: Error) -> Error {
        self.demand_usable(member, ticket).await.err().unwrap_or(error)
    }

    /// Refuses a message id that may not be used.
    async fn demand_usable(&self, member: &Caller, ticket: &str) -> Result<()> {
        match self.relay.may_use(member, ticket).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.not_usable(member, ticket).await),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Why a message id may not be used: it was, or it was never issued to this party.
    async fn not_usable(&self, member: &Caller, ticket: &str) -> Error {
        match self.is_used(member, ticket).await {
            Ok(true) => Fault::USED_ID.into(),
            Ok(false) => Fault::PARAMETERS.into(),
            Err(error) => failed(&error),
        }
    }

    async fn is_used(&self, member: &Caller, ticket: &str) -> std::result::Result<bool, broker::Error> {
        let (tenant, sender) = (&member.scope.tenant, &member.actor.id);
        Ok(self.relay.sent(member, ticket).await?.is_some()
            || self.broker.promised(tenant, sender, ticket).await?.is_some())
    }

    /// The outcome of a transaction that uses the message id of what was `told`.
    async fn outcome<T>(
        &self,
        told: (&Caller, &str),
        taken: std::result::Result<T, broker::Error>,
    ) -> Result<()> {
        match taken {
            Ok(_) => Ok(()),
            Err(broker::Error::TicketRefused) => Err(self.not_usable(told.0, told.1).await),
            Err(error) => Err(failed(&error)),
        }
    }
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
    packer: Packer,
    /// The message id was not looked at so far.
    id_is_new: bool,
}

impl Taking for Receiver<'_> {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.packer.begin(index, content)?;
        Ok(self)
    }
}

impl<'a> Receiving<'a> for Receiver<'a> {
    fn finish(self: Box<Self>) -> Taken<'a> {
        Box::pin(self.take_in())
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
    async fn take_in(self) -> Result<Option<Reply>> {
        let Receiver { boxes, mut told, packer, id_is_new } = self;
        let (stored, bytes) = match packer.is_small() {
            true => packer.finish()?,
            false => blocking(|| packer.finish()).await?,
        };
        told.noted.bytes = bytes;
        let (member, ticket) = (told.member.clone(), told.ticket.clone());
        let asked = told.noted.synchronous.then(|| Asked {
            member: member.clone(),
            tenant: told.account.tenant.clone(),
            ticket: ticket.clone(),
            reader: told.place.reader.clone(),
        });
        match boxes.keep(told, stored).await {
            Ok(()) => {}
            Err(error) if id_is_new => return Err(boxes.refused(&member, &ticket, error).await),
            Err(error) => return Err(error),
        }
        match asked {
            Some(asked) => boxes.answer_to(&asked).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What is known of a message.
struct Told {
    account: Account,
    member: Caller,
    /// The author's name in XTA.
    author: String,
    noted: Noted,
    ticket: String,
    place: Place,
    way: Way,
    terms: BoxTerms,
    subject: Option<String>,
    test: bool,
}

impl Boxes {
    /// Takes in what was written, if there is nothing against it.
    async fn keep(&self, told: Told, stored: StoredPayload) -> Result<()> {
        let whole = match self.look(&told.member, &stored).await {
            Ok(whole) => whole,
            Err(error) => {
                self.broker.discard_arrival(stored).await;
                return Err(error);
            }
        };
        match told.place.target {
            Target::Box => self.put(told, stored).await,
            Target::House => self.hand_over(told, stored, whole).await,
            Target::Outside(_) => self.send_on(told, stored, whole).await,
        }
    }

    /// Puts a message into the message box of its reader.
    async fn put(&self, told: Told, stored: StoredPayload) -> Result<()> {
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
            body: JsonText::of(&told.noted).map_err(io::Error::from)?,
            terms: told.terms,
        };
        let taken = self.relay.take_in(&told.member, new, stored).await;
        self.outcome((&told.member, &told.ticket), taken).await
    }

    /// Hands a message to the authority of the house that it is for: its only content; if it has to `wait` for a human, the
    /// whole container.
    async fn hand_over(
        &self,
        told: Told,
        container: StoredPayload,
        wait: Option<&'static str>,
    ) -> Result<()> {
        let (party, ticket, sent) = match told.way {
            // Each server has message ids of its own.
            Way::Delivered => (told.author, format!("{}:{}", told.account.party, told.ticket), None),
            Way::Sent(_) => {
                let (sender, ticket) = (told.member.actor.id.clone(), told.ticket.clone());
                (
                    told.account.party.to_string(),
                    ticket.clone(),
                    Some(Sent { sender, ticket, body: json!(told.noted) }),
                )
            }
        };
        let caller = Caller { actor: Actor { kind: "partner".to_owned(), id: party }, ..told.member.clone() };
        let (stored, file_name) = self.as_it_goes(&caller, container, wait).await?;
        let (ticket_there, obsolete_at) = (Some(told.ticket.clone()), told.terms.obsolete_at);
        let carried = Carried { ticket: ticket_there, obsolete_at, ..Carried::default() };
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
        let taken = self.broker.take_screened_arrival(&caller, arrival, stored).await;
        self.outcome((&told.member, &told.ticket), taken).await
    }

    /// Sends a message on to somebody outside, in the name of the authority of the house that wrote it: its only content, if a
    /// standard recognises it, or else the whole container.
    async fn send_on(&self, told: Told, container: StoredPayload, whole: Option<&'static str>) -> Result<()> {
        let party = told.account.party.to_string();
        let caller = Caller { actor: Actor { kind: "partner".to_owned(), id: party }, ..told.member.clone() };
        let (stored, file_name) = self.as_it_goes(&caller, container, whole).await?;
        let onward = Onward {
            door: Door::Xta,
            from: told.account.party.clone(),
            to: told.place.reader,
            file_name,
            carried: Carried {
                metadata: json!(told.noted.meta),
                container: whole.is_some(),
                ticket: Some(told.ticket.clone()),
                related: told.terms.related,
                not_before: told.terms.not_before,
                obsolete_at: told.terms.obsolete_at,
            },
            sent: Sent {
                sender: told.member.actor.id.clone(),
                ticket: told.ticket.clone(),
                body: json!(told.noted),
            },
            not_before: told.terms.not_before,
            obsolete_at: told.terms.obsolete_at,
            test: told.test,
        };
        let taken = self.broker.send_on(&caller, onward, stored).await;
        self.outcome((&told.member, &told.ticket), taken).await
    }

    /// What goes on of a container, with its name: the whole if there is a reason for it, or else its only content.
    async fn as_it_goes(
        &self,
        caller: &Caller,
        container: StoredPayload,
        whole: Option<&'static str>,
    ) -> Result<(StoredPayload, Option<String>)> {
        if whole.is_some() {
            return Ok((container, Some(CONTAINER.to_owned())));
        }
        let taken_out = take_out(&self.broker, caller, &container);
        self.broker.discard_arrival(container).await;
        taken_out
    }
}
