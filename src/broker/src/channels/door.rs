//! What comes to an adapter from outside by the gateway's own door, and whole messages that an adapter brings.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use model::adapter::{Adapter, CallbackRequest, Capability, Content, Handed, Reply};
use model::directory::{Asked, Transport};
use model::message::Door;
use model::rights::{Role, Scope};
use model::{Actor, Authority, Caller, Failure, Id};
use serde_json::json;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::Channel;
use super::host::Session;
use crate::{Arrival, Broker, Error, Incoming};

/// Longest time that an adapter may take for a call from outside once it has what came of its body: a slow line is not the adapter's.
const LONGEST_CALL: Duration = Duration::from_secs(30);
/// Longest time of a call in all, however slowly its body comes.
const LONGEST_IN_ALL: Duration = Duration::from_secs(20 * 60);
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
        let came = Came::begin();
        let body: Content = Box::new(Watched { body: request.body, came: came.clone() });
        let call = adapter.callback(CallbackRequest { body, ..request }, session);
        let outcome = came.in_time(call, LONGEST_CALL, LONGEST_IN_ALL).await;
        let too_long = || Failure::transient("adapter.unavailable", "the adapter took too long");
        let reply = outcome.ok_or_else(too_long)??;
        if !(200..600).contains(&reply.status) {
            return Err(model::Error::Invalid { field: "callback" }.into());
        }
        if reply.look {
            self.look_now(id, channel).await?;
        }
        Ok(reply)
    }
}

/// When something came of a body at last.
#[derive(Clone)]
struct Came(Arc<Mutex<Instant>>);

impl Came {
    fn begin() -> Self {
        Came(Arc::new(Mutex::new(Instant::now())))
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// What the call comes to; `None` if it takes too long since something came, or in all.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = T>,
        longest: Duration,
        in_all: Duration,
    ) -> Option<T> {
        let end = Instant::now() + in_all;
        let mut call = pin!(call);
        loop {
            let until = end.min(self.last() + longest);
            if let Ok(outcome) = timeout_at(until, &mut call).await {
                return Some(outcome);
            }
            // In the meantime something came.
            if end.min(self.last() + longest) <= until {
                return None;
            }
        }
    }
}

/// A body of which is known when something came.
struct Watched {
    body: Content,
    came: Came,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.body).poll_read(context, buffer));
        self.came.now();
        Poll::Ready(read)
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
        let once = crate::Once::new(key.clone(), digest);
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::{StreamExt, stream};
    use tokio::io::AsyncReadExt;
    use tokio::time::sleep;
    use tokio_util::io::StreamReader;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A body of so many bytes, each of which comes after a pause.
    fn slow(bytes: usize, pause: Duration, came: &Came) -> Watched {
        let pieces = stream::iter(0..bytes).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, io::Error>(&b"x"[..])
        });
        Watched { body: Box::new(StreamReader::new(Box::pin(pieces))), came: came.clone() }
    }

    #[tokio::test]
    async fn a_slow_line_is_no_slow_adapter() {
        let came = Came::begin();
        let mut body = slow(5, millis(300), &came);
        let call = async {
            let mut bytes = vec![];
            body.read_to_end(&mut bytes).await.unwrap();
            bytes.len()
        };
        // In all it takes longer than an adapter may.
        assert_eq!(came.in_time(call, millis(1_200), LONGEST_IN_ALL).await, Some(5));
    }

    #[tokio::test]
    async fn neither_an_adapter_nor_a_body_is_waited_for_without_end() {
        let came = Came::begin();
        let mut body = slow(1, millis(1), &came);
        let never_done = async {
            body.read_u8().await.unwrap();
            pending::<()>().await;
        };
        assert!(came.in_time(never_done, millis(20), LONGEST_IN_ALL).await.is_none());
        let mut body = slow(usize::MAX, millis(1), &came);
        let never_over = async { while body.read_u8().await.is_ok() {} };
        assert!(came.in_time(never_over, LONGEST_CALL, millis(50)).await.is_none());
        let mut body = slow(1, LONGEST_CALL, &came);
        let call = body.read_u8();
        assert!(came.in_time(call, millis(20), LONGEST_IN_ALL).await.is_none(), "nothing came");
    }
}
