//! What comes in at the public door: notifications of providers, and payers who come back.

use std::time::Duration;

use model::Id;
use model::payment::provider::Notice;

use crate::{Broker, Error};

/// Which of a payment's two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeDoor {
    /// The provider calls.
    Notify,
    /// The payer's browser comes back.
    Return,
}

impl NoticeDoor {
    /// Name in the address and in the store.
    pub fn name(self) -> &'static str {
        match self {
            NoticeDoor::Notify => "notify",
            NoticeDoor::Return => "return",
        }
    }
}

/// How a call at a door is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeAnswer {
    /// HTTP status.
    pub status: u16,
    /// When to come again, with 503.
    pub retry_after: Option<Duration>,
    /// Tenant and payment that the door is of; absent: nobody's.
    pub payment: Option<(String, Id)>,
    /// Where the payer's browser goes on to; of the return door alone.
    pub return_to: Option<String>,
}

impl Broker {
    /// Takes a call at a payment's door. What is acknowledged is durable, and has the provider asked.
    ///
    /// # Errors
    /// If the store fails: to be answered with 503, so that the call comes again.
    pub async fn notice(
        &self,
        provider: &str,
        token: &str,
        door: NoticeDoor,
        notice: Notice,
    ) -> Result<NoticeAnswer, Error> {
        let _ = (provider, token, door, notice);
        Err(Error::PaymentsNotConfigured)
    }

    /// The most bytes of query and body together that the provider's door takes; `None` if there is no such provider.
    pub fn most_notice_bytes(&self, provider: &str) -> Option<usize> {
        let _ = provider;
        None
    }
}
