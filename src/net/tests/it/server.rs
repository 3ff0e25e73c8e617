//! A server that does exactly what a test says, and clients that may call it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::SystemClock;
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use net::{Client, Egress, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// Calls `serve` for every connection; gives the base URL.
pub(crate) async fn server<F: Future<Output = ()> + Send>(
    serve: impl Fn(TcpStream) -> F + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = serve.clone();
            tokio::spawn(async move { serve(stream).await });
        }
    });
    url
}

/// A server that reads a request and answers with `text`, then holds the connection if `holds`.
pub(crate) async fn answering(text: impl Into<Vec<u8>>, holds: bool) -> String {
    let text: Arc<Vec<u8>> = Arc::new(text.into());
    server(move |mut stream| {
        let text = Arc::clone(&text);
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(&text).await;
            if holds {
                hold(stream).await;
            }
        }
    })
    .await
}

/// Reads a request with a `Content-Length`; gives its head and body.
pub(crate) async fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = vec![];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length: usize = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
                .map_or(0, |value| value.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return (head, bytes[end + 4..].to_vec());
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return (String::new(), bytes);
        }
    }
}

/// Keeps a connection open and says nothing more.
pub(crate) async fn hold(stream: TcpStream) {
    tokio::time::sleep(FOR_EVER).await;
    drop(stream);
}

/// A client that may call the loopback.
pub(crate) fn client(settings: Settings) -> Client {
    Client::new(Egress::new(&["127.0.0.0/8"]).unwrap(), settings, Arc::new(SystemClock))
}

pub(crate) fn post(url: &str) -> Post {
    Post {
        url: url.to_owned(),
        chosen_by: ChosenBy::System,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
        within: Duration::from_secs(60),
        most_answer: 1_024,
    }
}

/// Posts, and gives the failure's kind and code if there is one.
pub(crate) async fn outcome(client: &Client, post: &Post) -> Result<Reply, String> {
    client.post(post).await.map_err(|failure| format!("{:?} {}", failure.kind, failure.code))
}
