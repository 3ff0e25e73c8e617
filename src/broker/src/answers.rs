//! Answers to single messages. Where a standard gives each message an id of its own (XJustiz), a message names the one that it answers,
//! and may acknowledge it or say why not. Both sides' messages of one authority and one partner are looked at; nobody else's word
//! counts.

use model::message::{Direction, Finding};
use model::{Actor, Authority, EventKind, Message, MessageState, Scope};
use serde_json::json;
use store::{MessageFilter, Page, Work};

use crate::{Broker, Error, notes};

/// Messages of one id that are looked at: those that came to nothing may have been sent again.
const MOST_OF_ONE_ID: u32 = 20;
/// What a message of ours is told by that a court has not acknowledged, and one that was rejected by its standard.
const COURTS: &str = "xjustiz";
const REFUSED: &str = "xjustiz.eeb-refused";
const REJECTED: &str = "xoev.rejected";

impl Broker {
    /// The message of the other direction that one means by its answer, if there is one: the newest that did not come to nothing.
    pub(crate) async fn meant_by(&self, message: &Message) -> Result<Option<Message>, Error> {
        let answers = message.identity.as_ref().and_then(|identity| identity.answers);
        let Some(answers) = answers else { return Ok(None) };
        let direction = match message.direction {
            Direction::In => Direction::Out,
            Direction::Out => Direction::In,
        };
        let filter = MessageFilter {
            direction: Some(direction),
            partner: Some(message.partner.clone()),
            authority: Some(message.authority.clone()),
            process_id: Some(answers),
            ..MessageFilter::default()
        };
        let page = Page { after: None, limit: MOST_OF_ONE_ID };
        let found = self.store().messages(&Scope::tenant(&message.tenant), &filter, &page).await?;
        let alive = found.items.into_iter().filter(|it| it.state != MessageState::Returned);
        Ok(alive.filter(|it| it.test == message.test).max_by_key(|it| it.received_at))
    }

    /// Notes on a message of ours what one says that came: that it is an answer, and whether it acknowledges.
    pub(crate) async fn note_answer(&self, work: &mut Work, message: &mut Message) -> Result<(), Error> {
        // What the authorities of this gateway send each other is linked by their messages themselves.
        let partner: Option<Authority> = message.partner.parse().ok();
        if partner.is_none_or(|partner| self.house().tenant_of(&partner).is_some()) {
            return Ok(());
        }
        let Some(mut sent) = self.meant_by(message).await? else { return Ok(()) };
        message.related = Some(sent.id);
        let said = message.identity.as_ref().and_then(|identity| identity.acknowledgement.as_ref());
        let Some(said) = said else { return Ok(()) };
        if !self.has_left(&sent).await? {
            return Ok(());
        }
        let (before, now) = (sent.state, self.now());
        let (state, kind) = match said.refused {
            None => (MessageState::Confirmed, EventKind::MessageConfirmed),
            Some(_) => (MessageState::Returned, EventKind::MessageReturned),
        };
        if let Some(reason) = &said.refused {
            let by_court = message.identity.as_ref().is_some_and(|it| it.standard == COURTS);
            let finding =
                Finding::error(if by_court { REFUSED } else { REJECTED }).with("reason", reason.as_str());
            sent.report.get_or_insert_default().add(finding);
        }
        let actor = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
        // Nobody knew whether it had arrived.
        if before == MessageState::Parked {
            self.leave_parked(work, &sent, &actor).await?;
        }
        // Its transport may have told its end before; what is said of it is kept all the same.
        if before.may_become(state) {
            sent.state = state;
        }
        sent.updated_at = now;
        work.update_message(&sent, before);
        let fact = json!({ "message": message.id, "day": said.day, "refused": said.refused });
        let event = notes::of_message(kind, &sent, &actor, now);
        work.insert_event(&notes::with_fact(event, "acknowledgement", fact));
        Ok(())
    }

    /// Whether a message of ours may be with its recipient. One whose outcome is open is: its job then finds that it has ended.
    async fn has_left(&self, sent: &Message) -> Result<bool, Error> {
        match sent.state {
            MessageState::Preparing => Ok(false),
            MessageState::Ready => Ok(self.store().is_calling(&sent.tenant, sent.id).await?),
            _ => Ok(true),
        }
    }
}
