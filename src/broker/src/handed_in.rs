//! Messages that a system of an authority hands in as they are, for somebody else: taken in by the first transaction like any, then
//! checked by their standard, and delivered. From then on they are outgoing messages like those of exchanges.

use model::message::{Direction, Finding, Message, Report};
use model::rights::Within;
use model::standard::Identity;
use model::{Authority, MessageState, Scope, ids};
use store::{Job, StoredPayload, Work};

use crate::house::AuthorityEntry;
use crate::intake::dedup_key;
use crate::reach::best;
use crate::{Broker, Error};

impl Broker {
    /// A message from an authority of the house to somebody else that is handed in now.
    ///
    /// # Errors
    /// `UnknownAuthority`, `TooLarge`, or `Forbidden` if the caller could not see it afterwards. What keeps every way from being used
    /// now is found when it is prepared.
    pub(crate) async fn handed_in(
        &self,
        scope: &Scope,
        (from, to): (&Authority, &Authority),
        identity: Option<Identity>,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let tenant = &scope.tenant;
        let way = self.way_onward(tenant, (from, to), stored.reference().size).await?;
        let from = self.house().authority(tenant, from).ok_or(Error::UnknownAuthority)?;
        let (unit, public_service) = desk(scope, from).ok_or(model::Error::Forbidden)?;
        let now = self.now();
        Ok(Message {
            id: ids::new_id(),
            tenant: tenant.clone(),
            authority: from.key.clone(),
            unit,
            public_service,
            direction: Direction::Out,
            door: way.reach.transport.door(),
            partner: to.to_string(),
            // The same message to somebody else is another one.
            dedup_key: format!(
                "{}:{to}",
                dedup_key(identity.as_ref(), &from.key.to_string(), &stored.reference().sha256)
            ),
            identity,
            payload: Some(stored.reference().clone()),
            file_name: None,
            test: false,
            state: MessageState::Preparing,
            received_at: now,
            updated_at: now,
            report: None,
            related: None,
            exchange: None,
            forwarding: None,
        })
    }

    /// Checks a message that was handed in. What its standard refuses goes back; what nobody can be reached for waits.
    pub(crate) async fn prepare_handed_in(&self, job: &Job, mut message: Message) -> Result<(), Error> {
        let payload = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        let content = self.store().open_payload(&job.tenant, payload.id).await?;
        let checked = self.check_content(content, message.file_name.clone()).await?;
        let now = self.now();
        message.updated_at = now;
        message.identity = checked.identity;
        let mut report = checked.report;
        if !report.is_acceptable() {
            message.report = Some(report);
            return match self.is_told(&message).await? {
                true => self.return_message(job, message).await,
                false => self.park(job, message).await,
            };
        }
        let recipient: Authority = message.partner.parse()?;
        match best(self.ways_of(&message, &recipient).await?) {
            None => report.add(Finding::error("broker.unknown-authority")),
            Some(way) => {
                message.door = way.reach.transport.door();
                way.obstacle.into_iter().for_each(|rule| report.add(Finding::error(rule)));
            }
        }
        let is_ready = report.is_acceptable();
        message.report = Some(report).filter(|report| *report != Report::default());
        // A rejection knows already which message it rejects.
        message.related = message.related.or(self.meant_by(&message).await?.map(|meant| meant.id));
        self.prepared(job, Work::new(), message, is_ready).await
    }
}

/// Unit and service of what is handed in: those of the authority, or the only ones of whoever hands it in. Nothing if it would lie
/// where they do not look.
fn desk(scope: &Scope, from: &AuthorityEntry) -> Option<(String, Option<String>)> {
    let only = |within: &Within| match within {
        Within::Only(names) if names.len() == 1 => names.first().cloned(),
        _ => None,
    };
    let unit = only(&scope.units).unwrap_or_else(|| from.unit.clone());
    let service = only(&scope.services);
    scope.covers(&scope.tenant, &unit, service.as_deref()).then_some((unit, service))
}
