//! Deliveries that come in pieces: kept until the whole is taken in, by whoever brought them alone.

use std::io::Write;

use broker::{NewPiece, StoredPayload};
use model::MessageState;

use super::{Bed, HOUR, bytes, new};
use crate::engines::on_every_engine;

fn piece(sender: &str, number: u32) -> NewPiece {
    NewPiece { sender: sender.into(), ticket: "t".into(), number, pieces: 2, bytes: 600 }
}

impl Bed {
    async fn stored(&self, bytes: Vec<u8>) -> StoredPayload {
        let mut writer = self.relay.writer(&self.alice).unwrap();
        let written = move || {
            writer.write_all(&bytes).unwrap();
            writer.finish().unwrap()
        };
        tokio::task::spawn_blocking(written).await.unwrap()
    }

    async fn keep(&self, piece: &NewPiece, bytes: &[u8]) -> Result<(), broker::Error> {
        let stored = self.stored(bytes.to_vec()).await;
        self.relay.keep_piece(&self.alice, piece, stored).await
    }

    /// Numbers of the pieces that are here, and whether the whole was taken in.
    async fn here(&self, sender: &str) -> Option<(Vec<u32>, bool)> {
        let (whole, pieces) = self.relay.whole(&self.alice, sender, "t").await.unwrap()?;
        Some((pieces.iter().map(|piece| piece.number).collect(), whole.taken))
    }

    async fn content(&self, sender: &str) -> Vec<u8> {
        let (_, pieces) = self.relay.whole(&self.alice, sender, "t").await.unwrap().unwrap();
        let mut all = Vec::new();
        for piece in &pieces {
            all.extend(bytes(self.relay.piece(&self.alice, piece).await.unwrap()).await);
        }
        all
    }

    fn files(&self) -> usize {
        let folders = std::fs::read_dir(self.gateway.folder.path().join("payloads")).unwrap();
        folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, broker::Error>) -> String {
    outcome.unwrap_err().code().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_in_any_order_become_one_delivery_and_are_known_afterwards() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        bed.relay.issue(&bed.alice, "t").await.unwrap();
        assert_eq!(bed.here("s").await, None);
        bed.keep(&piece("s", 2), b"for nobody").await.unwrap();
        bed.keep(&piece("s", 1), b"for Bob, ").await.unwrap();
        bed.keep(&piece("s", 1), b"something else").await.unwrap();
        assert_eq!(bed.content("s").await, b"for Bob, for nobody", "the first one of a number stays");
        let stored = bed.stored(b"for Bob, for nobody".to_vec()).await;
        let taken = bed.relay.take_in_whole(&bed.alice, new("t"), stored, "s").await.unwrap();
        assert_eq!(bed.here("s").await, Some((vec![1, 2], true)));
        assert_eq!(
            (bed.next().await, bed.state(taken.message).await),
            (Some(taken.message), MessageState::Processed)
        );
        assert_eq!(code(bed.keep(&piece("s", 2), b"late").await), "relay.mailbox-full");
        let stored = bed.stored(b"again".to_vec()).await;
        assert_eq!(
            code(bed.relay.take_in_whole(&bed.alice, new("t"), stored, "s").await),
            "relay.ticket-refused"
        );
        assert_eq!(bed.here("s").await, Some((vec![1, 2], true)));
        bed.clock.advance(2 * HOUR);
        assert_eq!((bed.here("s").await, bed.relay.sweep().await.unwrap()), (None, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_others_are_others_and_leave_with_them() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        assert_eq!(code(bed.keep(&piece("s", 1), b"x").await), "relay.ticket-refused");
        bed.relay.issue(&bed.alice, "t").await.unwrap();
        bed.keep(&piece("s", 1), b"one").await.unwrap();
        bed.keep(&piece("r", 2), b"two").await.unwrap();
        assert_eq!(
            (bed.here("s").await, bed.here("r").await),
            (Some((vec![1], false)), Some((vec![2], false)))
        );
        bed.relay.forget_whole(&bed.alice, "s", "t").await.unwrap();
        assert_eq!((bed.here("s").await, bed.here("r").await), (None, Some((vec![2], false))));
        bed.keep(&piece("s", 1), b"anew").await.unwrap();
        assert_eq!(bed.content("s").await, b"anew");
        // A second one of 600 bytes would be more than a thousand.
        bed.relay.issue(&bed.alice, "u").await.unwrap();
        let more = NewPiece { ticket: "u".into(), ..piece("s", 1) };
        assert_eq!(code(bed.keep(&more, b"x").await), "relay.mailbox-full");
        assert_eq!(
            code(bed.keep(&piece("s", 2), &[0; 597]).await),
            "relay.mailbox-full",
            "more than announced"
        );
        for wrong in [piece("", 1), piece("s", 0), piece("s", 3)] {
            assert_eq!(code(bed.keep(&wrong, b"x").await), "model.invalid");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_disk_of_pieces_that_are_not_needed_any_more() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let large = |number: u32| NewPiece { bytes: 500_000, ..piece("s", number) };
        let broker = bed.gateway.broker.clone().with_relay_limits(Default::default());
        let bed = Bed { relay: broker.relay(), ..bed };
        bed.relay.issue(&bed.alice, "t").await.unwrap();
        let content = vec![5; 100_000];
        bed.keep(&large(1), &content).await.unwrap();
        let one = bed.files();
        assert!(one > 0);
        bed.keep(&large(1), &content).await.unwrap();
        assert_eq!(bed.files(), one, "a repetition is not kept");
        bed.keep(&large(2), &content).await.unwrap();
        let stored = bed.stored(content.clone()).await;
        bed.relay.take_in_whole(&bed.alice, new("t"), stored, "s").await.unwrap();
        assert_eq!(bed.files(), one, "the delivery alone");
    })
    .await;
}
