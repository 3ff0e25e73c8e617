//! Messages that say something of a case without being part of an exchange, such as an invoice: their records come into being with them,
//! nothing is answered. Whoever confirms the mailbox entry has the records durably; they are worked on from then on.

use model::case::RecordStatus;
use model::command::Change;
use model::{Actor, EventKind, Message, MessageState, Scope};
use store::{Job, Page, TimelineOf, Work};

use crate::translate::Translator;
use crate::{Broker, Error, notes};

/// Events of a message that are looked at for the records that it brought.
const MOST_EVENTS: u32 = 1_000;

impl Broker {
    /// The records are revealed, and the message waits in the mailbox.
    pub(crate) async fn take_facts(
        &self,
        job: &Job,
        mut message: Message,
        mut translator: Translator,
    ) -> Result<(), Error> {
        let now = self.now();
        let actor = Actor::gateway();
        message.state = MessageState::Processed;
        message.updated_at = now;
        let mut work = translator.take_rest();
        self.note_answer(&mut work, &mut message).await?;
        work.update_message(&message, MessageState::Accepted);
        work.reveal(&message.tenant, message.id);
        for decided in &translator.decided {
            work.insert_event(&notes::of_record(decided, &actor, now, Some(message.id)));
        }
        self.put_into_mailbox(&mut work, &message).await?;
        work.insert_event(&notes::of_message(EventKind::MessageProcessed, &message, &actor, now));
        self.finish(job, work).await
    }

    /// What a confirmed message brought is worked on here from now on. An exchange waits for its import results instead.
    pub(crate) async fn open_facts(
        &self,
        work: &mut Work,
        message: &Message,
        actor: &Actor,
    ) -> Result<(), Error> {
        if message.exchange.is_some() {
            return Ok(());
        }
        let scope = Scope::tenant(&message.tenant);
        let page = Page { after: None, limit: MOST_EVENTS };
        let events = self.store().timeline(&scope, TimelineOf::Message(message.id), &page).await?;
        let created = events.into_iter().filter(|(_, event)| event.kind == EventKind::RecordCreated);
        for subject in created.filter_map(|(_, event)| event.subject) {
            let Some(record) = self.store().record_any(&scope, subject.id).await? else { continue };
            if record.status() == RecordStatus::Received.name() {
                self.apply(work, &record, Change::ConfirmReceived, actor, Some(message.id))?;
            }
        }
        Ok(())
    }
}
