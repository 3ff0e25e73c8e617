//! Calls to passive recipients (OSCI-Transport 1.2, sections 4.2.3 and 4.2.4) and to intermediaries over HTTP. An order may
//! name the address, so only addresses of the configuration are called, by a client that may reach nothing else.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::osci::intermediary::backend::Call;
use ::osci::transport::Limits;
use ::osci::{Error, Result};
use futures::future::join;
use model::outbound::ChosenBy;
use model::{Clock, FailureKind};
use net::{Client, Egress, Method, Request};
use seal::xmlenc::{Plaintext, Staging};

use crate::feed::{feed, upload};

/// Longest time of a call, unless another is set: the client that gave the order waits for it.
const WITHIN: Duration = Duration::from_secs(5 * 60);
/// Hosts that clients are kept for.
const MOST_HOSTS: usize = 64;

/// Recipients that may be called.
pub(super) struct Callee {
    addresses: Vec<String>,
    client: Client,
    others: Others,
    limits: Limits,
    within: Duration,
}

/// Clients for hosts that are not listed, each of which may reach nothing but its host.
struct Others {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Client>>,
}

impl Others {
    fn client(&self, address: &str) -> Option<Client> {
        let host = crate::host(address);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(host) {
            return Some(client.clone());
        }
        if known.len() >= MOST_HOSTS {
            known.clear();
        }
        let egress = Egress::new(&[host]).ok()?;
        let client = Client::new(egress, net::Settings::default(), Arc::clone(&self.clock));
        known.insert(host.to_owned(), client.clone());
        Some(client)
    }
}

impl Callee {
    /// Those at these addresses.
    pub(super) fn new(
        addresses: Vec<String>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, net::Error> {
        let hosts: Vec<&str> = addresses.iter().map(|address| crate::host(address)).collect();
        let client = Client::new(Egress::new(&hosts)?, net::Settings::default(), Arc::clone(&clock));
        let others = Others { clock, known: Mutex::default() };
        Ok(Callee { addresses, client, others, limits, within: WITHIN })
    }

    /// The same with another longest time of a call.
    pub(super) fn within(self, within: Duration) -> Self {
        Callee { within, ..self }
    }

    pub(super) fn may_be_called(&self, address: &str) -> bool {
        self.addresses.iter().any(|known| known == address)
    }

    /// Posts a package and takes the answer. Reads the package on this thread, which may block.
    pub(super) async fn call(&self, address: &str, package: &Plaintext) -> Result<Call> {
        match self.may_be_called(address) {
            true => self.post(&self.client, address, package).await,
            false => Ok(Call::NotReached),
        }
    }

    /// The same at an address that our own directory names, which need not be listed. Many intermediaries are only reached within
    /// the networks of the administration, and by plain HTTP, since packages are encrypted and signed.
    pub(super) async fn call_known(&self, address: &str, package: &Plaintext) -> Result<Call> {
        match self.may_be_called(address) {
            true => self.post(&self.client, address, package).await,
            false => match self.others.client(address) {
                Some(client) => self.post(&client, address, package).await,
                None => Ok(Call::NotReached),
            },
        }
    }

    async fn post(&self, client: &Client, address: &str, package: &Plaintext) -> Result<Call> {
        let (body, pieces) = upload(package.length());
        let request = Request {
            method: Method::POST,
            url: address.to_owned(),
            chosen_by: ChosenBy::Administrator,
            headers: vec![("Content-Type".to_owned(), "text/xml".to_owned())],
            body: Some(body),
            within: self.within,
            most_answer: usize::try_from(self.limits.package).unwrap_or(usize::MAX),
        };
        let mut answer = Staging::new(self.limits.memory, self.limits.package);
        let (answered, ()) = join(client.send_into(request, &mut answer), feed(package, pieces)).await;
        match answered {
            Ok((200, _)) => Ok(Call::Answered(answer.finish())),
            Ok(_) => Ok(Call::Unknown),
            Err(net::Error::Body) => Err(Error::Io(io::ErrorKind::Other.into())),
            Err(error) if error.kind() == FailureKind::Uncertain => Ok(Call::Unknown),
            Err(_) => Ok(Call::NotReached),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use ::osci::intermediary::backend::Call;
    use model::SystemClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn package(length: usize) -> Plaintext {
        let mut staging = Staging::new(1 << 16, 1 << 30);
        staging.take(&vec![7; length]).unwrap();
        staging.finish()
    }

    /// Calls a recipient that reads a request of `length` bytes and then says `answer`.
    async fn called(answer: &'static str, length: usize, limits: Limits) -> Call {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/osci", listener.local_addr().unwrap());
        let recipient = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut seen, mut piece) = (Vec::new(), vec![0; 1 << 16]);
            while seen
                .windows(4)
                .position(|it| it == b"\r\n\r\n")
                .is_none_or(|head| seen.len() < head + 4 + length)
            {
                match socket.read(&mut piece).await.unwrap() {
                    0 => return seen,
                    count => seen.extend_from_slice(&piece[..count]),
                }
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            seen
        });
        let callee = Callee::new(vec![address.clone()], limits, Arc::new(SystemClock)).unwrap();
        let outcome = callee.call(&address, &package(length)).await.unwrap();
        let head = String::from_utf8_lossy(&recipient.await.unwrap()).to_lowercase();
        assert!(
            head.starts_with("post /osci http/1.1\r\n") && head.contains("content-type: text/xml\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("content-length: {length}\r\n")), "{head}");
        outcome
    }

    #[tokio::test]
    async fn an_answer_is_taken_as_a_stream_up_to_the_limit() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let Call::Answered(taken) = called(answer, 300_000, Limits::default()).await else {
            panic!("not answered")
        };
        let mut bytes = Vec::new();
        taken.open().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"hello");
        let limits = Limits { package: 4, ..Limits::default() };
        assert!(matches!(called(answer, 10, limits).await, Call::Unknown));
    }

    #[tokio::test]
    async fn nobody_knows_what_became_of_a_package_that_was_sent_and_not_answered_well() {
        for answer in [
            "",
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel",
        ] {
            assert!(matches!(called(answer, 10, Limits::default()).await, Call::Unknown), "{answer}");
        }
    }

    #[tokio::test]
    async fn who_is_not_listed_or_not_there_is_not_reached() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let address = format!("http://{free}/osci");
        let callee = Callee::new(vec![address.clone()], Limits::default(), Arc::new(SystemClock)).unwrap();
        for address in [address.as_str(), "http://127.0.0.1:1/osci", "https://www.example.org/osci"] {
            assert!(
                matches!(callee.call(address, &package(9)).await.unwrap(), Call::NotReached),
                "{address}"
            );
        }
        let known = callee.call_known("http://127.0.0.1:1/osci", &package(9)).await.unwrap();
        assert!(matches!(known, Call::NotReached), "nobody is there");
        assert!(callee.may_be_called(&address) && !callee.may_be_called(&format!("{address}?x")));
    }
}
