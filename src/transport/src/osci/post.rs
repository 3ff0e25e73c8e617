//! What the intermediary remembers, in the broker's relay: [`Backend`] of OSCI-Transport's intermediary. A delivery keeps
//! the package as it came, and what was found out about its certificates; its ticket is the message id.
//!
//! The intermediary is synchronous and runs on threads that may block; the broker is waited for there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Read, Write};

use ::osci::code::Code;
use ::osci::intermediary::Inspected;
use ::osci::intermediary::backend::{
    Arrived, Backend, Call, Card, Cards, Dialog, DialogState, Found, NewChunk, NewDelivery, Refusal,
    Selection, Whole,
};
use ::osci::message::Role;
use ::osci::transport::Limits;
use ::osci::{Error, Result};
use broker::{BoxTerms, Broker, CardFilter, CardRule, Pick, Relay, RelayDelivery, RelayStage, StoredPayload};
use model::message::Door;
use model::{Caller, Id, JsonText, Timestamp};
use seal::x509::Certificate;
use seal::xmlenc::{Plaintext, Staging};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::callee::Callee;
use super::house::{House, Mailbox};

/// Tickets that the relay lets one question name.
const TICKETS_AT_ONCE: usize = 100;
/// Process cards that the relay gives at once.
const CARDS_AT_ONCE: u32 = 100;
/// Why a delivery went back whose recipient was not reached.
const NOT_REACHED: &str = "message.not-reached";

/// The relay as the intermediary's memory.
pub(super) struct Post {
    broker: Broker,
    pub(super) relay: Relay,
    pub(super) house: House,
    callee: Callee,
    /// Who signs the answers of passive recipients, by their addresses.
    signers: HashMap<String, Vec<Certificate>>,
    limits: Limits,
    runtime: Handle,
}

impl Post {
    pub(super) fn new(
        broker: &Broker,
        house: House,
        callee: Callee,
        signers: HashMap<String, Vec<Certificate>>,
        limits: Limits,
        runtime: Handle,
    ) -> Self {
        Post { broker: broker.clone(), relay: broker.relay(), house, callee, signers, limits, runtime }
    }

    /// Waits for the broker.
    pub(super) fn wait<T>(
        &self,
        act: impl Future<Output = std::result::Result<T, broker::Error>>,
    ) -> std::result::Result<T, broker::Error> {
        self.runtime.block_on(act)
    }

    /// Where a delivery is kept, and whom it comes from there.
    fn place(&self, delivery: &NewDelivery<'_>) -> Option<(Mailbox, Caller)> {
        let mailbox = match delivery.is_passed_on {
            true => self.house.passing(delivery.addressee),
            false => self.house.mailbox(delivery.addressee)?,
        };
        let originator = self.house.originator(delivery.originator, &mailbox.tenant);
        Some((mailbox, originator))
    }

    /// Seals the package as it came.
    fn write(&self, originator: &Caller, package: &Plaintext) -> Result<StoredPayload> {
        let mut writer = self.relay.writer(originator).map_err(failed)?;
        io::copy(&mut package.open(), &mut writer)?;
        writer.finish().map_err(|error| failed(error.into()))
    }

    /// A delivery that was taken in to be passed on.
    fn passing(&self, delivery: &NewDelivery<'_>) -> Result<(Caller, Id)> {
        let (_, originator) = self.place(delivery).ok_or(Error::Refused(Code::INTERNAL))?;
        let filter = CardFilter {
            mailbox: None,
            originator: Some(&originator.actor.id),
            rule: CardRule::Tickets(vec![delivery.message_id.to_owned()]),
            unreceived: false,
            limit: 1,
        };
        let found = self.wait(self.relay.cards(&originator, &filter)).map_err(failed)?;
        let id = found.items.first().map(|it| it.message).ok_or(Error::Refused(Code::INTERNAL))?;
        Ok((originator, id))
    }

    /// The delivery of a mailbox that is meant, and whether there are more.
    fn pick(
        &self,
        client: &Caller,
        mailbox: &str,
        selection: &Selection,
        had: &[Id],
    ) -> Result<Option<(RelayDelivery, bool)>> {
        let (pick, had) = match selection {
            Selection::Next => (Pick::Next, had),
            Selection::Since(moment) => (Pick::Since(timestamp(*moment)), had),
            // Named, it may be had again.
            Selection::Ids(ids) => match ids.as_slice() {
                [id] => (Pick::Ticket(id), &[][..]),
                _ => return Ok(None),
            },
            Selection::Modified(moment) => return self.pick_modified(client, mailbox, *moment, had),
        };
        let found = self.wait(self.relay.next(client, mailbox, pick, had)).map_err(failed)?;
        Ok(found.map(|(relayed, more)| (relayed.delivery, more)))
    }

    fn pick_modified(
        &self,
        client: &Caller,
        mailbox: &str,
        moment: i64,
        had: &[Id],
    ) -> Result<Option<(RelayDelivery, bool)>> {
        let filter = CardFilter {
            mailbox: Some(mailbox),
            originator: None,
            rule: CardRule::ModifiedSince(timestamp(moment)),
            unreceived: false,
            limit: CARDS_AT_ONCE,
        };
        let cards = self.wait(self.relay.cards(client, &filter)).map_err(failed)?;
        let is_meant = |it: &RelayDelivery| it.stage != RelayStage::Returned && !had.contains(&it.message);
        let mut meant = cards.items.into_iter().filter(is_meant);
        Ok(meant.next().map(|first| (first, cards.more || meant.next().is_some())))
    }

    /// The package of a delivery as it was taken in.
    fn package(&self, client: &Caller, id: Id) -> Result<Plaintext> {
        let payload = self.wait(self.relay.content(client, id)).map_err(failed)?;
        let mut staging = Staging::new(self.limits.memory, payload.size());
        io::copy(&mut payload.blocking(), &mut staging)?;
        Ok(staging.finish())
    }

    /// Cards of a client within one tenant: of what lies in its mailboxes there, and of what it sent there.
    fn cards_in(
        &self,
        tenant: &str,
        certificate: &Certificate,
        cards: &Cards,
    ) -> Result<(Vec<RelayDelivery>, bool)> {
        let own = self.house.client(certificate);
        let is_own = own.scope.tenant == tenant && cards.role != Some(Role::Originator);
        let fingerprint = certificate.fingerprint();
        let authority = own.authority.as_ref().map(|authority| authority.as_str());
        let mailboxes = [authority, Some(fingerprint)].into_iter().flatten().filter(|_| is_own);
        let mut asked: Vec<(Option<&str>, Option<&str>)> = mailboxes.map(|key| (Some(key), None)).collect();
        if cards.role != Some(Role::Addressee) {
            asked.push((None, Some(fingerprint)));
        }
        let caller = match is_own {
            true => own.clone(),
            false => self.house.originator(Some(certificate), tenant),
        };
        let (mut found, mut more) = (Vec::new(), false);
        for (mailbox, originator) in asked {
            for rule in rules(&cards.selection) {
                let limit = u32::try_from(cards.limit).unwrap_or(u32::MAX);
                let filter = CardFilter { mailbox, originator, rule, unreceived: cards.no_reception, limit };
                let some = self.wait(self.relay.cards(&caller, &filter)).map_err(failed)?;
                found.extend(some.items);
                more |= some.more;
            }
        }
        Ok((found, more))
    }
}

impl Backend for Post {
    fn now(&self) -> i64 {
        seconds(self.broker.now())
    }

    fn random(&self) -> Result<[u8; 24]> {
        Ok(seal::random_bytes()?)
    }

    fn begin_dialog(&self, conversation: &str, state: &DialogState) -> Result<bool> {
        self.begin(conversation, state)
    }

    fn dialog(&self, conversation: &str) -> Result<Option<Dialog>> {
        self.find_dialog(conversation)
    }

    fn advance_dialog(&self, was: &Dialog, next: &DialogState) -> Result<bool> {
        self.advance(was, next)
    }

    fn end_dialog(&self, was: &Dialog) -> Result<bool> {
        self.end(was)
    }

    fn issue_message_id(&self) -> Result<String> {
        let id = format!("amtsbote.{}", hex::encode(seal::random_bytes::<16>()?));
        self.wait(self.relay.issue(&self.house.door(), &id)).map_err(failed)?;
        Ok(id)
    }

    fn take_in(
        &self,
        delivery: &NewDelivery<'_>,
        package: &Plaintext,
    ) -> Result<std::result::Result<Card, Refusal>> {
        let Some((mailbox, originator)) = self.place(delivery) else { return Ok(Err(Refusal::NoMailbox)) };
        let stored = self.write(&originator, package)?;
        let new = broker::NewDelivery {
            door: Door::Osci,
            ticket: delivery.message_id.to_owned(),
            issued_to: Some(self.house.door()),
            authority: mailbox.authority,
            mailbox: mailbox.key,
            partner: self.house.partner(delivery.originator),
            addressee: delivery.addressee.fingerprint().to_owned(),
            subject: delivery.subject.map(str::to_owned),
            dedup_key: format!("osci:{}", delivery.message_id),
            body: JsonText::of(&Remembered { inspections: delivery.inspections.into() })
                .map_err(io::Error::from)?,
            terms: BoxTerms::default(),
        };
        let taken = match delivery.whole {
            None => self.wait(self.relay.take_in(&originator, new, stored)),
            Some(whole) => self.wait(self.relay.take_in_whole(&originator, new, stored, whole.sender)),
        };
        match taken {
            Ok(taken) => Ok(Ok(card(&taken)?)),
            Err(broker::Error::TicketRefused | broker::Error::IdReused) => Ok(Err(Refusal::MessageId)),
            Err(broker::Error::MailboxFull) => Ok(Err(Refusal::Full)),
            Err(error) => Err(failed(error)),
        }
    }

    fn arrived(&self, whole: &Whole<'_>) -> Result<Option<Arrived>> {
        self.arrived_of(whole)
    }

    fn keep_chunk(
        &self,
        whole: &Whole<'_>,
        chunk: &NewChunk<'_>,
        bytes: &mut dyn Read,
    ) -> Result<std::result::Result<(), Refusal>> {
        self.keep(whole, chunk, bytes)
    }

    fn assemble(&self, whole: &Whole<'_>, sink: &mut dyn Write) -> Result<()> {
        self.put_together(whole, sink)
    }

    fn forget_chunks(&self, whole: &Whole<'_>) -> Result<()> {
        self.forget(whole)
    }

    fn find_delivery(&self, dialog: &Dialog, selection: &Selection) -> Result<Option<Found>> {
        let certificate = dialog.client()?;
        let Some(mailbox) = self.house.mailbox(&certificate) else { return Ok(None) };
        let client = self.house.client(&certificate);
        let had = self.had(&client, dialog)?;
        let Some((delivery, more)) = self.pick(&client, &mailbox.key, selection, &had)? else {
            return Ok(None);
        };
        let package = self.package(&client, delivery.message)?;
        Ok(Some(Found { card: card(&delivery)?, more, package }))
    }

    fn hand_out(&self, was: &Dialog, next: &DialogState, message_id: &str) -> Result<Option<Card>> {
        let certificate = was.client()?;
        let Some(mailbox) = self.house.mailbox(&certificate) else { return Ok(None) };
        let client = self.house.client(&certificate);
        let named = self.wait(self.relay.next(&client, &mailbox.key, Pick::Ticket(message_id), &[]));
        let Some((relayed, _)) = named.map_err(failed)? else { return Err(Error::Refused(Code::INTERNAL)) };
        let handed = self.hand_out_in(&client, was, next, &relayed.delivery)?;
        handed.as_ref().map(card).transpose()
    }

    fn may_call(&self, receiver: &str) -> bool {
        self.callee.may_be_called(receiver)
    }

    fn signers(&self, receiver: &str) -> &[Certificate] {
        self.signers.get(receiver).map(Vec::as_slice).unwrap_or_default()
    }

    fn call(&self, receiver: &str, package: &Plaintext) -> Result<Call> {
        self.runtime.block_on(self.callee.call(receiver, package))
    }

    fn passed_on(&self, delivery: &NewDelivery<'_>, forwarding: i64) -> Result<Card> {
        let (originator, id) = self.passing(delivery)?;
        let received = self.wait(self.relay.receive(&originator, id, timestamp(forwarding)));
        card(&received.map_err(failed)?)
    }

    fn withdraw(&self, delivery: &NewDelivery<'_>) -> Result<()> {
        let (originator, id) = self.passing(delivery)?;
        self.wait(self.relay.withdraw(&originator, id, &self.house.door(), NOT_REACHED)).map_err(failed)
    }

    fn cards(&self, client: &Certificate, cards: &Cards) -> Result<(Vec<Card>, bool)> {
        let (mut found, mut more) = (Vec::new(), false);
        for tenant in self.house.tenants() {
            let (some, is_cut) = self.cards_in(tenant, client, cards)?;
            found.extend(some);
            more |= is_cut;
        }
        let by_change = matches!(cards.selection, Selection::Modified(_));
        found.sort_by_key(|it| (if by_change { it.modified_at } else { it.created_at }, it.message));
        found.dedup_by_key(|it| it.message);
        more |= found.len() > cards.limit;
        found.truncate(cards.limit);
        Ok((found.iter().map(card).collect::<Result<_>>()?, more))
    }
}

/// A failure of ours, told as such (9000). The log gets its code.
pub(super) fn failed(error: broker::Error) -> Error {
    tracing::error!(code = error.code(), "an order failed");
    Error::Refused(Code::INTERNAL)
}

/// A selection as the relay knows it; several rules if it names more than the relay takes at once.
fn rules(selection: &Selection) -> Vec<CardRule> {
    match selection {
        Selection::Ids(ids) => {
            ids.chunks(TICKETS_AT_ONCE).map(|some| CardRule::Tickets(some.to_vec())).collect()
        }
        Selection::Modified(moment) => vec![CardRule::ModifiedSince(timestamp(*moment))],
        Selection::Since(moment) => vec![CardRule::CreatedSince(timestamp(*moment))],
        Selection::Next => vec![CardRule::CreatedSince(timestamp(0))],
    }
}

/// What a delivery remembers.
#[derive(Serialize, Deserialize)]
struct Remembered<'a> {
    /// What was found when its certificates were looked at.
    inspections: Cow<'a, [Inspected]>,
}

/// The process card of a delivery.
fn card(delivery: &RelayDelivery) -> Result<Card> {
    let body: Remembered<'_> = delivery.body.read().ok_or(Error::Refused(Code::INTERNAL))?;
    Ok(Card {
        message_id: delivery.ticket.clone(),
        subject: delivery.subject.clone(),
        creation: seconds(delivery.created_at),
        forwarding: delivery.forwarded_at.map(seconds),
        reception: delivery.received_at.map(seconds),
        modification: seconds(delivery.modified_at),
        inspections: body.inspections.into_owned(),
    })
}

pub(super) fn seconds(moment: Timestamp) -> i64 {
    moment.micros().div_euclid(1_000_000)
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}
