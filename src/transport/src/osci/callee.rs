//! Calls to passive recipients (OSCI-Transport 1.2, sections 4.2.3 and 4.2.4) and to intermediaries over HTTP. An order may
//! name the address, so only addresses of the configuration are called, by a client that may reach nothing else. Those that a
//! directory names are judged by the house's rules of egress.

use std::io;
use std::sync::Arc;
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

/// Recipients that may be called.
pub(super) struct Callee {
    addresses: Vec<String>,
    client: Client,
    /// For addresses that a directory names.
    others: Client,
    /// Where those may lie.
    egress: Egress,
    limits: Limits,
    within: Duration,
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
        let egress = Egress::default().with_plain_http();
        let others = Client::new(egress.clone(), net::Settings::default(), clock);
        Ok(Callee { addresses, client, others, egress, limits, within: WITHIN })
    }

    /// The same for a house of which directories may name what these rules allow. Packages are encrypted and signed, so they may go by
    /// plain HTTP.
    pub(super) fn within_rules(self, egress: Egress, clock: Arc<dyn Clock>) -> Self {
        let egress = egress.with_plain_http();
        let others = Client::new(egress.clone(), net::Settings::default(), clock);
        Callee { others, egress, ..self }
    }

    /// Whether an address that a directory names may be called, as far as it can be told without looking a name up.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn permits(&self, address: &str) -> std::result::Result<(), net::Error> {
        self.egress.check(address, ChosenBy::System)
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
            true => self.post(&self.client, ChosenBy::Administrator, address, package).await,
            false => Ok(Call::NotReached),
        }
    }

    /// The same at an address that a directory names, which need not be listed: it must be public, or lie where the house allows.
    pub(super) async fn call_known(&self, address: &str, package: &Plaintext) -> Result<Call> {
        match self.may_be_called(address) {
            true => self.post(&self.client, ChosenBy::Administrator, address, package).await,
            false => self.post(&self.others, ChosenBy::System, address, package).await,
        }
    }

    async fn post(
        &self,
        client: &Client,
        chosen_by: ChosenBy,
        address: &str,
        package: &Plaintext,
    ) -> Result<Call> {
        let (body, pieces) = upload(package.length());
        let request = Request {
            method: Method::POST,
            url: address.to_owned(),
            chosen_by,
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
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let told = format!("http://{}/osci", there.local_addr().unwrap());
        let known = callee.call_known(&told, &package(9)).await.unwrap();
        assert!(matches!(known, Call::NotReached), "a directory leads nobody into the house");
        assert_eq!(callee.permits(&told).unwrap_err().code(), "net.forbidden");
        let named = told.replace("127.0.0.1", "localhost");
        callee.permits(&named).unwrap();
        let known = callee.call_known(&named, &package(9)).await.unwrap();
        assert!(matches!(known, Call::NotReached), "wherever its name leads");
        assert!(tokio::time::timeout(Duration::from_millis(1), there.accept()).await.is_err());
        let rules = Egress::new(&["127.0.0.0/8"]).unwrap();
        let callee = callee.within_rules(rules, Arc::new(SystemClock)).within(Duration::from_secs(5));
        callee.permits(&told).unwrap();
        let call = tokio::spawn(async move { callee.call_known(&told, &package(9)).await.map(|_| callee) });
        drop(there.accept().await.unwrap());
        let callee = call.await.unwrap().unwrap();
        assert!(callee.may_be_called(&address) && !callee.may_be_called(&format!("{address}?x")));
    }
}
