//! The line that events come by: a web socket (RFC 6455) at `{url}/events`. Its TCP and TLS are those of [`net::line`]; so is the bound on
//! what may come.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use model::Failure;
use net::line::{Allowance, Line, Security, Server};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::ari::{UNREACHABLE, unauthorised};

/// Most bytes of an event. Those of Asterisk have one or two thousand.
const MOST_EVENT: usize = 64 * 1024;

/// Most bytes that may come before the next event is looked at.
const MOST_AT_ONCE: u64 = 4 * 1024 * 1024;

/// What came.
pub(crate) enum Came {
    Text(String),
    /// A sign of life.
    Pong,
}

/// A line that events come by.
pub(crate) struct Socket {
    stream: WebSocketStream<Line>,
    allowance: Allowance,
}

/// Where the interface is.
pub(crate) struct Place {
    server: Server,
    path: String,
}

impl Place {
    /// Of the interface's address; `None` if it is none.
    pub(crate) fn of(url: &str) -> Option<Place> {
        let uri: Uri = url.parse().ok()?;
        let (security, port) = match uri.scheme_str()? {
            "https" => (Security::Tls, 443),
            "http" => (Security::Plain, 80),
            _ => return None,
        };
        let host = uri.host()?.to_owned();
        let server = Server { host, port: uri.port_u16().unwrap_or(port), security, trust: None };
        Some(Place { server, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

impl Socket {
    /// Connects, and has the application registered by that.
    pub(crate) async fn connect(
        place: &Place,
        (application, authorization): (&str, &str),
        within: Duration,
    ) -> Result<Socket, Failure> {
        let line = place.server.connect(within).await.map_err(Failure::from)?;
        let allowance = line.allowance();
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("app", application)
            .append_pair("subscribeAll", "true")
            .finish();
        let url = format!("ws://{}:{}{}/events?{query}", place.server.host, place.server.port, place.path);
        let mut request = url.into_client_request().map_err(|_| broken("the address is none"))?;
        let mut value = HeaderValue::from_str(authorization).map_err(|_| broken("the login is none"))?;
        value.set_sensitive(true);
        request.headers_mut().insert("authorization", value);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MOST_EVENT))
            .max_frame_size(Some(MOST_EVENT))
            .max_write_buffer_size(2 * MOST_EVENT)
            .write_buffer_size(0);
        let made = timeout(within, client_async_with_config(request, line, Some(config))).await;
        match made {
            Ok(Ok((stream, _))) => Ok(Socket { stream, allowance }),
            Ok(Err(tungstenite::Error::Http(answer))) if matches!(answer.status().as_u16(), 401 | 403) => {
                Err(unauthorised())
            }
            Ok(Err(_)) => Err(broken("no web socket was made")),
            Err(_) => Err(broken("no web socket was made in time")),
        }
    }

    /// Asks for a sign of life.
    pub(crate) async fn ping(&mut self, within: Duration) -> Result<(), Failure> {
        match timeout(within, self.stream.send(Message::Ping(Bytes::new()))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(broken("the line broke")),
        }
    }

    /// What comes next. May be given up at any time: nothing is lost by that.
    pub(crate) async fn next(&mut self) -> Result<Came, Failure> {
        loop {
            self.allowance.set(MOST_AT_ONCE);
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Came::Text(text.as_str().to_owned())),
                Some(Ok(Message::Pong(_))) => return Ok(Came::Pong),
                Some(Ok(Message::Close(_))) | None => {
                    return Err(broken("the telephone system has closed the line"));
                }
                Some(Ok(_)) => {}
                Some(Err(tungstenite::Error::Capacity(_))) => {
                    return Err(Failure::transient("telephone.garbage", "an event is too large"));
                }
                Some(Err(_)) => return Err(broken("the line broke")),
            }
        }
    }
}

fn broken(detail: &str) -> Failure {
    Failure::transient(UNREACHABLE, detail)
}
