//! Small calls to machines outside: webhooks and time stamps. The broker says what to post and to whom; who
//! carries it knows the network. Large contents go by adapters and transports.

use std::time::Duration;

use async_trait::async_trait;

use crate::Failure;

/// Who chose the address that is called. It decides which networks may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The configuration: any host, private networks included.
    Administrator,
    /// Whoever holds a token: hosts of the allow-list, or public addresses.
    System,
    /// Anybody: public addresses only.
    Citizen,
}

/// A POST request.
#[derive(Debug, Clone)]
pub struct Post {
    /// `https://…`, or `http://…` where the egress rules allow it.
    pub url: String,
    /// Who chose the address.
    pub chosen_by: ChosenBy,
    /// Header fields, without `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Longest time for all of it: name, connection, sending, answer.
    pub within: Duration,
    /// Most bytes of the answer's body that are read; a longer one is a failure.
    pub most_answer: usize,
}

/// What was answered, whatever the status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status. Redirects are never followed.
    pub status: u16,
    /// `Content-Type` as it stands.
    pub content_type: Option<String>,
    /// `Retry-After`, in seconds or as a date, as the time from now.
    pub retry_after: Option<Duration>,
    /// Body.
    pub body: Vec<u8>,
}

/// Carries small calls outside.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Whether an address could be called at all, as far as it can be told without looking a name up: so that whoever
    /// states it learns at once what is wrong with it.
    ///
    /// # Errors
    /// [`Permanent`](crate::FailureKind::Permanent) with the reason.
    fn permits(&self, url: &str, chosen_by: ChosenBy) -> Result<(), Failure>;

    /// Posts, once.
    ///
    /// # Errors
    /// [`Transient`](crate::FailureKind::Transient) if nothing was sent (no name, no connection),
    /// [`Uncertain`](crate::FailureKind::Uncertain) if something was sent and no whole answer came,
    /// [`Permanent`](crate::FailureKind::Permanent) if the egress rules forbid the address.
    async fn post(&self, post: &Post) -> Result<Reply, Failure>;
}
