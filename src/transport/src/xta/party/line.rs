//! Requests to servers elsewhere, over HTTPS with the certificate of the authority that calls. Each server is reached by a client of
//! its own that may reach nothing else, or if a directory names it, what the house's rules of egress allow; bodies lie in files without
//! a name, so memory does not grow with a message.

use std::collections::HashMap;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join;
use model::Clock;
use model::outbound::ChosenBy;
use net::{Client as Http, Egress, Method, Settings};
use seal::xmlenc::{Plaintext, PlaintextReader, Staging};
use tokio::runtime::Handle;
use xta::client::{ACCEPT, Call, Client, Limits, Reply, Request};
use xta::server::Port;
use xta::{v3, v5};

use super::{Party, Server};
use crate::feed::{feed, upload};

/// Longest time of one request, which may bring or take gigabytes.
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// Longest silence of a server, which may check a large message before it answers.
const SILENCE: Duration = Duration::from_secs(120);
/// Bytes of an answer that are kept in memory; what is more lies in a file.
const MEMORY: usize = 256 * 1024;
/// What an answer may have beside its contents.
const AROUND: u64 = 32 << 20;

/// Why a request has no answer that says what it should.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing was sent.
    NotReached(net::Error),
    /// Something was sent, and no whole answer came.
    NoAnswer(net::Error),
    /// A fault, or an answer that is not in order.
    Answer(xta::Error),
    /// The request could not be made.
    Request(xta::Error),
    /// The configuration names no address of the port.
    NoAddress,
}

/// Clients that are kept.
const MOST_CLIENTS: usize = 64;

/// What all lines have in common.
pub(super) struct Lines {
    /// Most bytes of an answer.
    most: u64,
    /// Where servers may lie that a directory names.
    egress: Egress,
    clock: Arc<dyn Clock>,
    /// Clients of HTTP, by the certificate that is shown, the host, and those that its certificate goes back to.
    made: Mutex<HashMap<String, Http>>,
    pub(super) runtime: Handle,
}

/// A server as an authority reaches it.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    http: Http,
    client: Client,
    server: &'a Server,
    within: Duration,
}

/// An answer whose body is read from where it is staged.
pub(super) type Answer<'a> = Reply<BufReader<PlaintextReader<'a>>>;

impl Lines {
    pub(super) fn new(most_bytes: u64, egress: Egress, clock: Arc<dyn Clock>) -> Self {
        // As base64 a message is larger than it is.
        let most = most_bytes.saturating_mul(2).saturating_add(AROUND);
        Lines { most, egress, clock, made: Mutex::default(), runtime: Handle::current() }
    }

    /// The way of an authority to a server.
    pub(super) fn to<'a>(&'a self, party: &Party, server: &'a Server) -> Result<Line<'a>, Trouble> {
        let http = self.http(party, server).map_err(Trouble::NotReached)?;
        let limits = Limits { envelope_bytes: self.most, package_bytes: self.most, ..Limits::default() };
        let (version, as_packages) = (server.version, server.as_packages);
        let client = Client { version, party: party.name.clone(), as_packages, limits };
        Ok(Line { lines: self, http, client, server, within: WITHIN })
    }

    /// Whether a server may be called, as far as it can be told without looking a name up.
    pub(super) fn permits(&self, server: &Server) -> Result<(), net::Error> {
        let addresses = [Some(&server.management), server.send.as_ref(), server.message_box.as_ref()];
        let permits = |address: &String| self.egress.check(address, server.chosen_by);
        addresses.into_iter().flatten().try_for_each(permits)
    }

    fn http(&self, party: &Party, server: &Server) -> Result<Http, net::Error> {
        let addresses = [Some(&server.management), server.send.as_ref(), server.message_box.as_ref()];
        let hosts: Vec<&str> = addresses.into_iter().flatten().map(|address| crate::host(address)).collect();
        let trust = server.trust.iter().flatten().map(|it| it.fingerprint());
        let key = [party.identity.certificate().fingerprint()].into_iter().chain(hosts.iter().copied());
        let is_ours = server.chosen_by == ChosenBy::Administrator;
        let key: Vec<&str> = key.chain(trust).chain([if is_ours { "" } else { "told" }]).collect();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = made.get(&key.join(" ")) {
            return Ok(http.clone());
        }
        let settings = Settings { silence: SILENCE, ..Settings::default() };
        let egress = if is_ours { Egress::new(&hosts)? } else { self.egress.clone() };
        let http = Http::new(egress, settings, Arc::clone(&self.clock))
            .showing(&party.identity, server.trust.as_deref())?;
        // Entries of a directory come and go.
        if made.len() >= MOST_CLIENTS {
            made.clear();
        }
        made.insert(key.join(" "), http.clone());
        Ok(http)
    }
}

impl Server {
    /// Where a port is.
    fn address(&self, port: Port) -> Option<&str> {
        use v3::names::Port::{Management, MessageBox, Send};
        use v5::names::Port::{Base, Reader, Recipient, Sender};
        match port {
            Port::V3(Management) | Port::V5(Base) => Some(&self.management),
            Port::V3(Send) | Port::V5(Sender | Reader) => self.send.as_deref(),
            Port::V3(MessageBox) | Port::V5(Recipient) => self.message_box.as_deref(),
        }
    }
}

impl Line<'_> {
    /// The same, whose requests take at most this time.
    pub(super) fn within(self, within: Duration) -> Self {
        Line { within, ..self }
    }

    /// Asks, and has the answer read.
    pub(super) fn ask<T>(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(Answer<'_>) -> xta::Result<T>,
    ) -> Result<T, Trouble> {
        let port = call.operation(self.server.version).port();
        let address = self.server.address(port).ok_or(Trouble::NoAddress)?;
        let request = self.client.request(address, call).map_err(Trouble::Request)?;
        let (status, content_type, answer) = self.post(address, &request)?;
        let reply = self.client.open(&request, status, &content_type, answer.open());
        reply.and_then(read).map_err(Trouble::Answer)
    }

    fn post(&self, address: &str, request: &Request) -> Result<(u16, String, Plaintext), Trouble> {
        let (body, pieces) = upload(request.body.length());
        let headers = [("Content-Type", request.content_type.as_str()), ("Accept", ACCEPT)];
        let posted = net::Request {
            method: Method::POST,
            url: address.to_owned(),
            chosen_by: self.server.chosen_by,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: Some(body),
            within: self.within,
            most_answer: usize::try_from(self.lines.most).unwrap_or(usize::MAX),
        };
        let mut answer = Staging::new(MEMORY, self.lines.most);
        let exchange = join(self.http.send_into(posted, &mut answer), feed(&request.body, pieces));
        let (answered, ()) = self.lines.runtime.block_on(exchange);
        match answered {
            Ok((status, headers)) => {
                let named = headers.get("content-type").and_then(|value| value.to_str().ok());
                Ok((status, named.unwrap_or_default().to_owned(), answer.finish()))
            }
            Err(error) if error.kind() == model::FailureKind::Uncertain => Err(Trouble::NoAnswer(error)),
            Err(error) => Err(Trouble::NotReached(error)),
        }
    }
}
