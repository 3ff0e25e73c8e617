//! The ten operations of version 5: each reads its request, has the backend carry it out, and says what the answer holds. Every request
//! names its caller in the header `Party`.

use std::io::Read;

use soap::message::Input;
use xml::Reader;

use super::Backend;
use super::backend::{Reply, Selector, Way, Wish};
use super::operations::{Body, Exchange, Outcome, of_container};
use crate::deviations::Deviations;
use crate::model::Version;
use crate::v5::names::{CORE, OLDER, Operation};
use crate::v5::{answer, request};
use crate::{Fault, Result, container};

/// Header blocks that are known, by namespace and local name.
pub(super) const KNOWN: [(&str, &str); 4] =
    [(CORE, "Party"), (CORE, "MessageMetaData"), (OLDER, "Party"), (OLDER, "MessageMetaData")];

impl<B: Backend, R: Read> Exchange<'_, B, R> {
    /// Carries out an operation of version 5.
    pub(super) async fn carry_out_v5(&mut self, operation: Operation) -> Result<Outcome> {
        let caller = self.party()?;
        let backend = self.backend;
        match operation {
            Operation::CheckAccountActive => self.nothing().map(|()| Body::Empty.into()),
            Operation::CreateMessageId => {
                self.nothing()?;
                Ok(Body::MessageId(backend.create_message_id(&caller).await?).into())
            }
            Operation::GetTransportReport => {
                let id = self.by_rules(request::message_id)?;
                Ok(Body::Report(Box::new(backend.report(&caller, &id).await?)).into())
            }
            Operation::LookupService => {
                let asked = request::lookup(self.incoming.body())?;
                self.look_up(&caller, asked).await
            }
            Operation::SendMessage => {
                self.take_v5(&caller, Way::Sent(Wish::Asynchronous)).await?;
                Ok(Body::Empty.into())
            }
            Operation::SendMessageSync => replied(self.take_v5(&caller, Way::Sent(Wish::Synchronous)).await?),
            Operation::DeliverMessage => replied(self.take_v5(&caller, Way::Delivered).await?),
            Operation::GetStatusList | Operation::GetMessage | Operation::Close => {
                self.visit_v5(operation, &caller).await
            }
        }
    }

    /// What concerns a message box.
    async fn visit_v5(&mut self, operation: Operation, caller: &B::Caller) -> Result<Outcome> {
        if operation == Operation::GetStatusList {
            let (selector, most) = self.by_rules(request::selector)?;
            let listed = self.backend.list(caller, &selector, most).await?;
            let blocks = vec![answer::position_block(&listed.position)?];
            return Ok(Outcome { blocks, body: Body::StatusList(listed.entries) });
        }
        let id = self.by_rules(request::fetch)?;
        if operation == Operation::Close {
            self.backend.close(caller, &[id], "").await?;
            return Ok(Body::Empty.into());
        }
        let selector = Selector { message_ids: vec![id], ..Selector::default() };
        let fetched = self.backend.fetch(caller, &selector).await?;
        let blocks = vec![answer::position_block(&fetched.position)?, answer::meta_block(&fetched.meta)?];
        Ok(Outcome { blocks, body: Body::Contents(fetched.contents) })
    }

    /// Who calls. From here on the rules are the caller's.
    fn party(&mut self) -> Result<B::Caller> {
        let party = self.said.party.said()?.ok_or(Fault::NO_PARAMETERS)?.value;
        if !party.extensions.is_empty() {
            return Err(Fault::EXTENSION.into());
        }
        let caller = self.backend.caller(Some(&party))?;
        self.rules = self.backend.rules(&caller);
        Ok(caller)
    }

    /// Reads a request to its end, and judges it by the rules of its caller.
    fn by_rules<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<Input<R>>, &Deviations) -> Result<T>,
    ) -> Result<T> {
        let seen = Deviations::default();
        let asked = read(self.incoming.body(), &seen)?;
        seen.judge(self.rules)?;
        self.incoming.finish()?;
        Ok(asked)
    }

    /// Takes in a message.
    async fn take_v5(&mut self, caller: &B::Caller, way: Way) -> Result<Option<Reply>> {
        let meta = self.said.meta.said()?.ok_or(Fault::NO_PARAMETERS)?.judged(self.rules)?;
        let mut receiving = self.backend.begin(caller, &meta, way).await?;
        let limits = container::Limits::default();
        let read = container::read(&mut self.incoming, &mut *receiving, &limits, Version::V5);
        read.map_err(of_container)?;
        receiving.finish().await
    }
}

/// The reader's answer, which may be that there is none.
fn replied(reply: Option<Reply>) -> Result<Outcome> {
    let (meta, contents) = reply.map(|reply| (reply.meta, reply.contents)).unzip();
    Ok(Outcome { blocks: vec![answer::reply_block(meta.as_ref())?], body: Body::Reply(contents) })
}
