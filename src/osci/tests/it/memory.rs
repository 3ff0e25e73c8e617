//! A backend that remembers in memory, for tests: it can be told what another intermediary had remembered.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use osci::intermediary::Backend;
use osci::intermediary::backend::{
    Arrived, ArrivedChunk, Call, Card, Cards, Dialog, DialogState, Found, NewChunk, NewDelivery, Refusal,
    Selection, Whole,
};
use osci::message::Role;
use osci::{Error, Result};
use seal::x509::Certificate;
use seal::xmlenc::{Plaintext, Staging};

/// Who is called, by an address and with a package.
pub(crate) type Recipient = Box<dyn Fn(&str, &Plaintext) -> Result<Call> + Send + Sync>;

/// What is remembered.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) recipient: Option<Recipient>,
    /// By which certificates alone he signs, if that is known.
    signers: Vec<Certificate>,
    now: AtomicI64,
    /// Fingerprint of a certificate that has no mailbox here.
    stranger: Option<String>,
    count: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dialogs: BTreeMap<String, Dialog>,
    /// Ids that were issued, and whether they were used.
    ids: BTreeMap<String, bool>,
    deliveries: Vec<Kept>,
    /// By sender and message id.
    wholes: BTreeMap<(String, String), InChunks>,
}

/// What came of a message, and the bytes of its chunks.
type InChunks = (Arrived, BTreeMap<u32, Vec<u8>>);

fn key(whole: &Whole<'_>) -> (String, String) {
    (whole.sender.to_owned(), whole.message_id.to_owned())
}

struct Kept {
    card: Card,
    addressee: String,
    originator: Option<String>,
    package: Plaintext,
}

impl Memory {
    pub(crate) fn at(now: i64) -> Self {
        Memory { now: AtomicI64::new(now), ..Memory::default() }
    }

    /// The same without a mailbox for the certificate of this fingerprint.
    pub(crate) fn without(now: i64, stranger: String) -> Self {
        Memory { stranger: Some(stranger), ..Memory::at(now) }
    }

    /// The same with somebody who can be called.
    pub(crate) fn calling(now: i64, recipient: Recipient) -> Self {
        Memory { recipient: Some(recipient), ..Memory::at(now) }
    }

    /// The same, knowing by which certificates those who are called sign.
    pub(crate) fn knowing(self, signers: Vec<Certificate>) -> Self {
        Memory { signers, ..self }
    }

    /// Moves the clock.
    pub(crate) fn set_now(&self, now: i64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Where a dialog that another intermediary led stands now. `cipher` is the client's certificate if it is new.
    pub(crate) fn put_dialog(&self, conversation: &str, cipher: Option<Vec<u8>>, next: u32, challenge: &str) {
        let mut all = self.state.lock().unwrap();
        let known = all.dialogs.remove(conversation);
        let Some(cipher) = cipher.or(known.as_ref().map(|dialog| dialog.state.cipher.clone())) else {
            return;
        };
        let handed_out = known.map(|dialog| dialog.state.handed_out).unwrap_or_default();
        let (signer, challenge) = (None, challenge.to_owned());
        let (knows_short_iv, is_sealed) = (true, false);
        let fetching = None;
        let state =
            DialogState { cipher, signer, next, challenge, handed_out, fetching, knows_short_iv, is_sealed };
        all.dialogs.insert(
            conversation.to_owned(),
            Dialog { conversation: conversation.to_owned(), version: 0, state },
        );
    }

    /// An id that another intermediary had issued.
    pub(crate) fn put_id(&self, id: &str) {
        self.state.lock().unwrap().ids.entry(id.to_owned()).or_insert(false);
    }

    /// How many deliveries were taken in.
    pub(crate) fn deliveries(&self) -> usize {
        self.state.lock().unwrap().deliveries.len()
    }

    pub(crate) fn reception_of(&self, id: &str) -> Option<i64> {
        let state = self.state.lock().unwrap();
        state.deliveries.iter().find(|it| it.card.message_id == id).and_then(|it| it.card.reception)
    }
}

/// A large package lies in a file.
fn copy(package: &Plaintext) -> Result<Plaintext> {
    let mut staging = Staging::new(1 << 20, 1 << 30);
    std::io::copy(&mut package.open(), &mut staging)?;
    Ok(staging.finish())
}

impl State {
    fn moved(&mut self, was: &Dialog) -> Option<&mut Dialog> {
        self.dialogs.get_mut(&was.conversation).filter(|dialog| dialog.version == was.version)
    }

    fn receive(&mut self, ids: &[String], now: i64) {
        for kept in self.deliveries.iter_mut().filter(|it| ids.contains(&it.card.message_id)) {
            kept.card.reception.get_or_insert(now);
            kept.card.modification = now;
        }
    }
}

fn is_meant(card: &Card, selection: &Selection) -> bool {
    match selection {
        Selection::Next => card.forwarding.is_none(),
        Selection::Ids(ids) => ids.contains(&card.message_id),
        Selection::Since(moment) => card.creation >= *moment,
        Selection::Modified(moment) => card.modification >= *moment,
    }
}

impl Backend for Memory {
    fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> Result<[u8; 24]> {
        let mut bytes = [0; 24];
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        bytes[..8].copy_from_slice(&count.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        Ok(bytes)
    }

    fn begin_dialog(&self, conversation: &str, state: &DialogState) -> Result<bool> {
        let mut all = self.state.lock().unwrap();
        let is_new = !all.dialogs.contains_key(conversation);
        let dialog = Dialog { conversation: conversation.to_owned(), version: 0, state: state.clone() };
        all.dialogs.entry(conversation.to_owned()).or_insert(dialog);
        Ok(is_new)
    }

    fn dialog(&self, conversation: &str) -> Result<Option<Dialog>> {
        Ok(self.state.lock().unwrap().dialogs.get(conversation).cloned())
    }

    fn advance_dialog(&self, was: &Dialog, next: &DialogState) -> Result<bool> {
        let mut state = self.state.lock().unwrap();
        let Some(dialog) = state.moved(was) else { return Ok(false) };
        dialog.version += 1;
        dialog.state = next.clone();
        state.receive(&was.state.handed_out, self.now());
        Ok(true)
    }

    fn end_dialog(&self, was: &Dialog) -> Result<bool> {
        let mut state = self.state.lock().unwrap();
        if state.moved(was).is_none() {
            return Ok(false);
        }
        state.dialogs.remove(&was.conversation);
        state.receive(&was.state.handed_out, self.now());
        Ok(true)
    }

    fn issue_message_id(&self) -> Result<String> {
        let id = format!("id-{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.put_id(&id);
        Ok(id)
    }

    fn take_in(
        &self,
        delivery: &NewDelivery<'_>,
        package: &Plaintext,
    ) -> Result<std::result::Result<Card, Refusal>> {
        if self.stranger.as_deref() == Some(delivery.addressee.fingerprint()) {
            return Ok(Err(Refusal::NoMailbox));
        }
        let mut state = self.state.lock().unwrap();
        match state.ids.get_mut(delivery.message_id) {
            Some(used) if !*used => *used = true,
            _ => return Ok(Err(Refusal::MessageId)),
        }
        let package = copy(package)?;
        let card = Card {
            message_id: delivery.message_id.to_owned(),
            subject: delivery.subject.map(str::to_owned),
            creation: self.now(),
            forwarding: None,
            reception: None,
            modification: self.now(),
            inspections: delivery.inspections.to_vec(),
        };
        state.deliveries.push(Kept {
            card: card.clone(),
            addressee: delivery.addressee.fingerprint().to_owned(),
            originator: delivery.originator.map(|it| it.fingerprint().to_owned()),
            package,
        });
        if let Some((arrived, chunks)) = delivery.whole.and_then(|whole| state.wholes.get_mut(&key(&whole))) {
            arrived.is_taken_in = true;
            chunks.clear();
        }
        Ok(Ok(card))
    }

    fn arrived(&self, whole: &Whole<'_>) -> Result<Option<Arrived>> {
        Ok(self.state.lock().unwrap().wholes.get(&key(whole)).map(|(arrived, _)| arrived.clone()))
    }

    fn keep_chunk(
        &self,
        whole: &Whole<'_>,
        chunk: &NewChunk<'_>,
        bytes: &mut dyn Read,
    ) -> Result<std::result::Result<(), Refusal>> {
        let mut state = self.state.lock().unwrap();
        if state.ids.get(whole.message_id) != Some(&false) {
            return Ok(Err(Refusal::MessageId));
        }
        let mut kept = Vec::new();
        bytes.read_to_end(&mut kept)?;
        let new = Arrived {
            total_chunks: chunk.total_chunks,
            total_size: chunk.total_size,
            creation: self.now(),
            modification: self.now(),
            is_taken_in: false,
            chunks: Vec::new(),
        };
        let (arrived, chunks) = state.wholes.entry(key(whole)).or_insert((new, BTreeMap::new()));
        chunks.entry(chunk.number).or_insert(kept);
        let NewChunk { number, length, digest, .. } = *chunk;
        arrived.chunks.push(ArrivedChunk { number, length, digest: digest.to_vec() });
        arrived.chunks.sort_by_key(|chunk| chunk.number);
        Ok(Ok(()))
    }

    fn assemble(&self, whole: &Whole<'_>, sink: &mut dyn Write) -> Result<()> {
        let state = self.state.lock().unwrap();
        let (_, chunks) = state.wholes.get(&key(whole)).ok_or(Error::Malformed("no such message"))?;
        chunks.values().try_for_each(|bytes| sink.write_all(bytes))?;
        Ok(())
    }

    fn forget_chunks(&self, whole: &Whole<'_>) -> Result<()> {
        self.state.lock().unwrap().wholes.remove(&key(whole));
        Ok(())
    }

    fn find_delivery(&self, dialog: &Dialog, selection: &Selection) -> Result<Option<Found>> {
        let client = dialog.client()?;
        let state = self.state.lock().unwrap();
        let mine = state.deliveries.iter().filter(|it| it.addressee == client.fingerprint());
        let mut meant = mine.filter(|it| is_meant(&it.card, selection));
        let Some(kept) = meant.next() else { return Ok(None) };
        let package = copy(&kept.package)?;
        Ok(Some(Found { card: kept.card.clone(), more: meant.next().is_some(), package }))
    }

    fn hand_out(&self, was: &Dialog, next: &DialogState, message_id: &str) -> Result<Option<Card>> {
        let mut state = self.state.lock().unwrap();
        let Some(dialog) = state.moved(was) else { return Ok(None) };
        dialog.version += 1;
        dialog.state = next.clone();
        let mut all = state.deliveries.iter_mut();
        let kept =
            all.find(|it| it.card.message_id == message_id).ok_or(Error::Malformed("no such delivery"))?;
        kept.card.forwarding.get_or_insert(self.now());
        kept.card.modification = self.now();
        Ok(Some(kept.card.clone()))
    }

    fn may_call(&self, _: &str) -> bool {
        true
    }

    fn signers(&self, _: &str) -> &[Certificate] {
        &self.signers
    }

    fn call(&self, receiver: &str, package: &Plaintext) -> Result<Call> {
        match &self.recipient {
            Some(recipient) => recipient(receiver, package),
            None => Ok(Call::NotReached),
        }
    }

    fn passed_on(&self, delivery: &NewDelivery<'_>, forwarding: i64) -> Result<Card> {
        let mut state = self.state.lock().unwrap();
        let mut all = state.deliveries.iter_mut();
        let kept = all.find(|it| it.card.message_id == delivery.message_id);
        let card = &mut kept.ok_or(Error::Malformed("no such delivery"))?.card;
        card.forwarding = Some(forwarding);
        card.reception = Some(self.now());
        card.modification = self.now();
        Ok(card.clone())
    }

    fn withdraw(&self, delivery: &NewDelivery<'_>) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.deliveries.retain(|it| it.card.message_id != delivery.message_id);
        state.ids.insert(delivery.message_id.to_owned(), false);
        Ok(())
    }

    fn cards(&self, client: &Certificate, cards: &Cards) -> Result<(Vec<Card>, bool)> {
        let state = self.state.lock().unwrap();
        let is_mine = |kept: &&Kept| {
            let is_addressee = kept.addressee == client.fingerprint();
            let is_originator = kept.originator.as_deref() == Some(client.fingerprint());
            match cards.role {
                Some(Role::Addressee) => is_addressee,
                Some(Role::Originator) => is_originator,
                None => is_addressee || is_originator,
            }
        };
        let open = |kept: &&Kept| !cards.no_reception || kept.card.reception.is_none();
        let mine = state.deliveries.iter().filter(is_mine).filter(open);
        let mut found: Vec<Card> =
            mine.map(|it| it.card.clone()).filter(|card| is_meant(card, &cards.selection)).collect();
        let more = found.len() > cards.limit;
        found.truncate(cards.limit);
        Ok((found, more))
    }
}
