//! What comes to an adapter from outside by the gateway's own door, and whole messages that an adapter brings.

use std::sync::Arc;
use std::time::Duration;

use model::adapter::{Adapter, CallbackRequest, Capability, Handed, Reply};
use model::directory::{Asked, Transport};
use model::message::Door;
use model::rights::{Role, Scope};
use model::{Actor, Authority, Caller, Failure, Id};
use serde_json::json;

use super::Channel;
use super::host::Session;
use crate::{Arrival, Broker, Error, Incoming};

/// Longest time that an adapter may take for a call from outside.
const LONGEST_CALL: Duration = Duration::from_secs(30);
/// Longest key of a command or message, and longest name of a file, in bytes.
const KEY_BYTES: usize = 200;

impl Broker {
    /// The adapter `id` with whom it serves, if anybody may call it. Asked of memory alone, so that nobody learns from the time it takes
    /// which there are.
    fn called(&self, id: &str) -> Option<(&dyn Adapter, &Channel)> {
        let (adapter, channel) = self.adapters.get(id).zip(self.channels.get(id))?;
        let takes = adapter.descriptor().capabilities.contains(&Capability::Callback);
        takes.then_some((&**adapter, channel))
    }

    /// Whether the adapter `id` takes calls from outside.
    pub fn takes_callbacks(&self, id: &str) -> bool {
        self.called(id).is_some()
    }

    /// The adapter that has a door of its own at the public listener.
    pub fn behind_door(&self, door: &str) -> Option<&str> {
        let has = |id: &&String| {
            self.called(id).is_some_and(|(it, _)| it.descriptor().door.as_deref() == Some(door))
        };
        self.channels.keys().find(has).map(String::as_str)
    }

    /// Hands a call from outside to the adapter `id`. What it leads to is committed once this returns.
    ///
    /// # Errors
    /// `NotFound` if it takes none; the adapter's own failure; refusals of the model.
    pub async fn callback(&self, id: &str, request: CallbackRequest) -> Result<Reply, Error> {
        let Some((adapter, channel)) = self.called(id) else {
            return Err(model::Error::NotFound { kind: "adapter" }.into());
        };
        let session = Arc::new(Session::new(self.clone(), id.to_owned(), channel.clone()));
        let outcome = tokio::time::timeout(LONGEST_CALL, adapter.callback(request, session)).await;
        let reply =
            outcome.map_err(|_| Failure::transient("adapter.unavailable", "the adapter took too long"))??;
        if !(200..600).contains(&reply.status) {
            return Err(model::Error::Invalid { field: "callback" }.into());
        }
        if reply.look {
            self.look_now(id, channel).await?;
        }
        Ok(reply)
    }
}

impl Session {
    /// Takes a whole message in.
    pub(super) async fn take_message(&self, key: &str, message: Handed) -> Result<Id, Error> {
        let too_long = |text: &str| text.is_empty() || text.len() > KEY_BYTES;
        if too_long(key) || message.file_name.as_deref().is_some_and(too_long) {
            return Err(model::Error::Invalid { field: "message" }.into());
        }
        match message.from.clone() {
            Some(partner) => self.bring(key, partner, message).await,
            None => self.hand_in(key, message).await,
        }
    }

    /// From a partner, to an authority of the house.
    async fn bring(&self, key: &str, partner: Authority, message: Handed) -> Result<Id, Error> {
        let broker = &self.broker;
        let tenant = &self.channel.scope.tenant;
        let asked = Asked { tenant, to: &partner, from: None, service: None, bytes: None, now: broker.now() };
        let mine =
            |transport: &Transport| matches!(transport, Transport::Adapter { id, .. } if *id == self.adapter);
        // Nobody speaks for a partner that is reached in another way.
        if !broker.house().ways(&asked).iter().any(|way| mine(&way.reach.transport)) {
            return Err(Error::UnknownAuthority);
        }
        let arrival = Arrival {
            door: Door::Adapter,
            ticket: format!("channel:{}:{key}", self.adapter),
            authority: message.to.unwrap_or_else(|| self.channel.authority.clone()),
            file_name: message.file_name,
            answers: None,
            finding: None,
            facts: json!({ "adapter": self.adapter }),
            not_before: None,
            sent: None,
            carried: None,
            test: false,
        };
        if let Some(first) = broker.arrived(tenant, &arrival).await? {
            self.discard(&[message.content]).await;
            return Ok(first.id);
        }
        let stored = self.take_all(&[message.content])?.pop().ok_or(Error::Internal)?;
        let caller = Caller {
            actor: Actor { kind: "partner".to_owned(), id: partner.to_string() },
            roles: vec![Role::System],
            scope: Scope::tenant(tenant),
            authority: Some(arrival.authority.clone()),
        };
        Ok(broker.take_arrival(&caller, arrival, stored).await?.id)
    }

    /// From a system of the house, for somebody else.
    async fn hand_in(&self, key: &str, message: Handed) -> Result<Id, Error> {
        let to = message.to.ok_or(model::Error::Invalid { field: "to" })?;
        let caller = Caller { roles: vec![Role::System], ..self.caller.clone() };
        let key = format!("message:{key}");
        let digest = format!("{}:{to}", message.content.sha256);
        let once = crate::Once { key: key.clone(), digest };
        if let Some(first) = self.broker.answered(&caller, Some(&once)).await? {
            self.discard(&[message.content]).await;
            let id = first["id"].as_str().and_then(|id| id.parse().ok());
            return id.ok_or(Error::KeyReused);
        }
        let stored = self.take_all(&[message.content])?.pop().ok_or(Error::Internal)?;
        let incoming =
            Incoming { file_name: message.file_name, key: Some(key), to: Some(to), ..Incoming::default() };
        let message = self.broker.accept_stored(&caller, incoming, stored).await?;
        Ok(message.id)
    }
}
