//! Dialogs (OSCI-Transport 1.2, section 3.3) as conversations of the relay. Beside its state, a dialog remembers what was
//! handed out in it: the next order shows that the last of it has arrived, and what was had is not picked again.

use ::osci::code::Code;
use ::osci::intermediary::backend::{Dialog, DialogState};
use ::osci::{Error, Result};
use broker::{Conversation, RelayDelivery, Turn};
use model::{Caller, Id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::post::{Post, failed};

/// Deliveries that a dialog remembers to have had. Forgotten ones may be picked again by a moment long past.
const MOST_HAD: usize = 200;

/// A dialog as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    state: DialogState,
    /// What was handed out in it, oldest first.
    had: Vec<Had>,
}

/// A delivery that was handed out.
#[derive(Serialize, Deserialize)]
struct Had {
    message_id: String,
    id: Id,
}

impl Post {
    pub(super) fn begin(&self, conversation: &str, state: &DialogState) -> Result<bool> {
        let client = self.owner(state)?;
        let body = json!(Kept { state: state.clone(), had: Vec::new() });
        match self.wait(self.relay.begin(&client, conversation, &body)) {
            Ok(_) => Ok(true),
            Err(broker::Error::RelayIdTaken) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Which tenant a dialog is of is known only once it is found.
    pub(super) fn find_dialog(&self, conversation: &str) -> Result<Option<Dialog>> {
        for tenant in self.house.tenants() {
            let of_tenant = self.house.originator(None, tenant);
            if let Some((found, kept)) = self.kept(&of_tenant, conversation)? {
                let conversation = conversation.to_owned();
                return Ok(Some(Dialog { conversation, version: found.version, state: kept.state }));
            }
        }
        Ok(None)
    }

    pub(super) fn advance(&self, was: &Dialog, next: &DialogState) -> Result<bool> {
        let client = self.owner(&was.state)?;
        let Some((_, kept)) = self.kept(&client, &was.conversation)? else { return Ok(false) };
        let received = kept.arrived(&was.state);
        let body = json!(Kept { state: next.clone(), ..kept });
        moved(self.wait(self.relay.advance(&client, turn(was, &received), &body)))
    }

    pub(super) fn end(&self, was: &Dialog) -> Result<bool> {
        let client = self.owner(&was.state)?;
        let Some((_, kept)) = self.kept(&client, &was.conversation)? else { return Ok(false) };
        let received = kept.arrived(&was.state);
        moved(self.wait(self.relay.end(&client, turn(was, &received))))
    }

    /// What was handed out in the dialog before.
    pub(super) fn had(&self, client: &Caller, dialog: &Dialog) -> Result<Vec<Id>> {
        let kept = self.kept(client, &dialog.conversation)?;
        Ok(kept.map(|(_, kept)| kept.had.iter().map(|had| had.id).collect()).unwrap_or_default())
    }

    /// `None` if the dialog has been moved since it was read.
    pub(super) fn hand_out_in(
        &self,
        client: &Caller,
        was: &Dialog,
        next: &DialogState,
        delivery: &RelayDelivery,
    ) -> Result<Option<RelayDelivery>> {
        let Some((_, mut kept)) = self.kept(client, &was.conversation)? else { return Ok(None) };
        let received = kept.arrived(&was.state);
        kept.had.retain(|had| had.id != delivery.message);
        kept.had.push(Had { message_id: delivery.ticket.clone(), id: delivery.message });
        kept.had.drain(..kept.had.len().saturating_sub(MOST_HAD));
        let body = json!(Kept { state: next.clone(), ..kept });
        let handed = self.relay.hand_out(client, turn(was, &received), &body, delivery.message);
        match self.wait(handed) {
            Ok(delivery) => Ok(Some(delivery)),
            Err(broker::Error::ConversationChanged) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn owner(&self, state: &DialogState) -> Result<Caller> {
        Ok(self.house.client(&seal::x509::Certificate::from_der(&state.cipher)?))
    }

    fn kept(&self, client: &Caller, conversation: &str) -> Result<Option<(Conversation, Kept)>> {
        let found = self.wait(self.relay.conversation(client, conversation)).map_err(failed)?;
        let Some(mut found) = found else { return Ok(None) };
        let body: Value = std::mem::take(&mut found.body);
        let kept = serde_json::from_value(body).map_err(|_| Error::Refused(Code::INTERNAL))?;
        Ok(Some((found, kept)))
    }
}

impl Kept {
    /// What was handed out with the last answer, by the relay's ids.
    fn arrived(&self, state: &DialogState) -> Vec<Id> {
        self.had.iter().filter(|had| state.handed_out.contains(&had.message_id)).map(|had| had.id).collect()
    }
}

fn turn<'a>(was: &'a Dialog, received: &'a [Id]) -> Turn<'a> {
    Turn { id: &was.conversation, version: was.version, received }
}

/// Whether nobody else was faster.
fn moved<T>(outcome: std::result::Result<T, broker::Error>) -> Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(broker::Error::ConversationChanged) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
