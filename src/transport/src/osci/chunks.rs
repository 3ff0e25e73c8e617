//! Deliveries that come in chunks (OSCI-Transport 1.2, supplement of 2017), as pieces that the relay keeps. They lie with the
//! intermediary itself: whose mailbox the whole is for is known once it can be read.

use std::io::{self, Read, Write};

use ::osci::code::Code;
use ::osci::intermediary::backend::{Arrived, ArrivedChunk, NewChunk, Refusal, Whole};
use ::osci::{Error, Result};
use broker::{NewPiece, RelayPiece, RelayWhole};

use super::post::{Post, failed, seconds};

/// Bytes in the unit of sizes.
const UNIT: u64 = 1024;

impl Post {
    pub(super) fn arrived_of(&self, whole: &Whole<'_>) -> Result<Option<Arrived>> {
        let found = self.pieces(whole)?;
        found.map(|(whole, pieces)| arrived(&whole, &pieces)).transpose()
    }

    pub(super) fn keep(
        &self,
        whole: &Whole<'_>,
        chunk: &NewChunk<'_>,
        bytes: &mut dyn Read,
    ) -> Result<std::result::Result<(), Refusal>> {
        let door = self.house.door();
        let mut writer = self.relay.writer(&door).map_err(failed)?;
        io::copy(bytes, &mut writer)?;
        let stored = writer.finish().map_err(|error| failed(error.into()))?;
        let piece = NewPiece {
            sender: whole.sender.to_owned(),
            ticket: whole.message_id.to_owned(),
            number: chunk.number,
            pieces: chunk.total_chunks,
            // Sizes are told in units, and what is left of the last one is not.
            bytes: (chunk.total_size + 1) * UNIT - 1,
        };
        match self.wait(self.relay.keep_piece(&door, &piece, stored)) {
            Ok(()) => Ok(Ok(())),
            Err(broker::Error::TicketRefused) => Ok(Err(Refusal::MessageId)),
            Err(broker::Error::MailboxFull) => Ok(Err(Refusal::Full)),
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn put_together(&self, whole: &Whole<'_>, sink: &mut dyn Write) -> Result<()> {
        let door = self.house.door();
        let (_, pieces) = self.pieces(whole)?.ok_or(Error::Refused(Code::INTERNAL))?;
        for piece in &pieces {
            let payload = self.wait(self.relay.piece(&door, piece)).map_err(failed)?;
            io::copy(&mut payload.blocking(), sink)?;
        }
        Ok(())
    }

    pub(super) fn forget(&self, whole: &Whole<'_>) -> Result<()> {
        let door = self.house.door();
        self.wait(self.relay.forget_whole(&door, whole.sender, whole.message_id)).map_err(failed)
    }

    fn pieces(&self, whole: &Whole<'_>) -> Result<Option<(RelayWhole, Vec<RelayPiece>)>> {
        let door = self.house.door();
        self.wait(self.relay.whole(&door, whole.sender, whole.message_id)).map_err(failed)
    }
}

fn arrived(whole: &RelayWhole, pieces: &[RelayPiece]) -> Result<Arrived> {
    let chunk = |piece: &RelayPiece| {
        let digest = hex::decode(&piece.sha256).map_err(|_| Error::Refused(Code::INTERNAL))?;
        Ok(ArrivedChunk { number: piece.number, length: piece.size, digest })
    };
    Ok(Arrived {
        total_chunks: whole.pieces,
        total_size: whole.bytes / UNIT,
        creation: seconds(whole.created_at),
        modification: seconds(whole.modified_at),
        is_taken_in: whole.taken,
        chunks: pieces.iter().map(chunk).collect::<Result<_>>()?,
    })
}
