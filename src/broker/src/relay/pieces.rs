//! Deliveries that come in pieces: kept durably, each piece by itself, until the whole is taken in.

use model::rights::Action;
use model::{Caller, Id, Timestamp};
use store::{Payload, RelayPiece, RelayWhole, StoredPayload, WholeKey, Work};

use super::{Relay, is_ticket, refuse};
use crate::Error;

/// A piece that is to be kept, beside its payload.
#[derive(Debug, Clone)]
pub struct NewPiece {
    /// Who brings it: pieces of different senders never meet.
    pub sender: String,
    /// The id that the delivery will use; it was issued to the caller.
    pub ticket: String,
    /// Its number, from 1.
    pub number: u32,
    /// How many pieces the delivery has.
    pub pieces: u32,
    /// Most bytes of all of them together.
    pub bytes: u64,
}

impl Relay {
    /// What is kept of a delivery that comes in pieces, by their numbers. Of one that was taken in the pieces are still
    /// known.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn whole(
        &self,
        caller: &Caller,
        sender: &str,
        ticket: &str,
    ) -> Result<Option<(RelayWhole, Vec<RelayPiece>)>, Error> {
        let key = key(caller, sender, ticket)?;
        if !is_ticket(sender) || !is_ticket(ticket) {
            return Ok(None);
        }
        Ok(self.0.store().relay_whole(&key, self.0.now()).await?)
    }

    /// Keeps a piece, durably. If there is one of this number, that one stays.
    ///
    /// # Errors
    /// `TicketRefused` if the ticket cannot be used any more; `MailboxFull` if as much is kept as may be.
    pub async fn keep_piece(
        &self,
        caller: &Caller,
        piece: &NewPiece,
        stored: StoredPayload,
    ) -> Result<(), Error> {
        let outcome = self.try_keep_piece(caller, piece, &stored).await;
        let is_kept = match &outcome {
            Ok(is_kept) => *is_kept,
            Err(error) => matches!(error, Error::Store(store::Error::Uncertain)),
        };
        if !is_kept {
            self.0.store().discard(stored).await;
        }
        outcome.map(drop)
    }

    /// Whether the payload is needed now.
    async fn try_keep_piece(
        &self,
        caller: &Caller,
        piece: &NewPiece,
        stored: &StoredPayload,
    ) -> Result<bool, Error> {
        let key = key(caller, &piece.sender, &piece.ticket)?;
        refuse("piece", piece.number == 0 || piece.number > piece.pieces || !is_ticket(&piece.sender))?;
        if !is_ticket(&piece.ticket) {
            return Err(Error::TicketRefused);
        }
        // A second round, if another piece came first in the meantime.
        for _ in 0..2 {
            let now = self.0.now();
            let is_begun = self.0.store().relay_whole(&key, now).await?.is_some();
            let mut work = Work::new();
            if !is_begun {
                let expires_at = now.plus(self.0.relay_limits.ticket);
                let (pieces, bytes, taken) = (piece.pieces, piece.bytes, false);
                let key = key.clone();
                let (created_at, modified_at) = (now, now);
                let whole = RelayWhole { key, pieces, bytes, taken, created_at, modified_at, expires_at };
                // What is left of one whose time is over.
                work.forget_whole(&whole.key, now);
                work.begin_whole(&whole, &caller.actor.id, self.0.relay_limits.wholes);
            }
            work.insert_piece(&key, piece.number, stored, now);
            match self.0.store().commit(work).await.map_err(Error::from) {
                Err(error) if error.is_conflict("relay piece") => return Ok(false),
                Err(error) if error.is_conflict("ticket") => return Err(Error::TicketRefused),
                Err(error) if error.is_conflict("relay whole") => {}
                outcome => return outcome.map(|()| true),
            }
        }
        Err(Error::MailboxFull)
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// `ContentUnavailable` if the whole was taken in.
    pub async fn piece(&self, caller: &Caller, piece: &RelayPiece) -> Result<Payload, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        let payload = piece.payload.ok_or(Error::ContentUnavailable)?;
        Ok(self.0.store().open_payload(tenant, payload).await?)
    }

    /// Forgets a delivery whose pieces cannot become one. Its ticket can still be used.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn forget_whole(&self, caller: &Caller, sender: &str, ticket: &str) -> Result<(), Error> {
        let key = key(caller, sender, ticket)?;
        let payloads = self.payloads_of(&key).await?;
        let mut work = Work::new();
        work.forget_whole(&key, Timestamp::from_micros(i64::MAX));
        self.0.store().commit(work).await?;
        self.0.store().remove_forgotten(payloads).await;
        Ok(())
    }

    pub(super) async fn payloads_of(&self, key: &WholeKey) -> Result<Vec<Id>, Error> {
        let found = self.0.store().relay_whole(key, self.0.now()).await?;
        let pieces = found.map(|(_, pieces)| pieces).unwrap_or_default();
        Ok(pieces.iter().filter_map(|piece| piece.payload).collect())
    }
}

/// The rows lie with whoever the ticket was issued to.
pub(super) fn key(caller: &Caller, sender: &str, ticket: &str) -> Result<WholeKey, Error> {
    let tenant = caller.may(Action::SendMessages)?.tenant.clone();
    Ok(WholeKey { tenant, sender: sender.to_owned(), ticket: ticket.to_owned() })
}
