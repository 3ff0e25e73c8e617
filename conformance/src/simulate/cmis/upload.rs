//! What is sent to the simulated repository: forms and content, taken as a stream; what is large goes into a file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use memchr::memmem;
use tempfile::NamedTempFile;

use super::store::{Content, Outcome, Refusal, refuse};

/// Content up to here stands in memory.
const IN_MEMORY: usize = 256 * 1024;

/// Longest head of a part, or text of a field.
const MOST_TEXT: usize = 1024 * 1024;

/// Fields with their names in lower case, and content.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) fields: BTreeMap<String, String>,
    pub(super) content: Option<Content>,
}

/// Bytes that are taken piece by piece.
struct Incoming {
    stream: BodyDataStream,
    ready: Vec<u8>,
    is_over: bool,
}

impl Incoming {
    fn new(body: Body) -> Self {
        Incoming { stream: body.into_data_stream(), ready: vec![], is_over: false }
    }

    async fn more(&mut self) -> Outcome<bool> {
        match self.stream.next().await {
            Some(Ok(piece)) => self.ready.extend_from_slice(&piece),
            Some(Err(_)) => return refuse("runtime", "the body broke off"),
            None => self.is_over = true,
        }
        Ok(!self.is_over)
    }

    /// What stands before a mark, which is taken, too; into `sink` as it comes.
    async fn until(&mut self, mark: &[u8], sink: &mut impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let finder = memmem::Finder::new(mark);
        loop {
            if let Some(at) = finder.find(&self.ready) {
                sink(&self.ready[..at])?;
                self.ready.drain(..at + mark.len());
                return Ok(());
            }
            let safe = self.ready.len().saturating_sub(mark.len());
            sink(&self.ready[..safe])?;
            self.ready.drain(..safe);
            if !self.more().await? {
                return refuse("invalidArgument", "the body ends too early");
            }
        }
    }

    async fn text_until(&mut self, mark: &[u8]) -> Outcome<String> {
        let mut text = vec![];
        self.until(mark, &mut |piece| {
            text.extend_from_slice(piece);
            if text.len() > MOST_TEXT { refuse("invalidArgument", "a field is too long") } else { Ok(()) }
        })
        .await?;
        String::from_utf8(text).or_else(|_| refuse("invalidArgument", "a field is no UTF-8"))
    }

    async fn rest(&mut self) -> Outcome<Vec<u8>> {
        while self.ready.len() <= MOST_TEXT * 8 && self.more().await? {}
        Ok(std::mem::take(&mut self.ready))
    }
}

fn disk(_: std::io::Error) -> Refusal {
    Refusal("storage", "the disk is full".to_owned())
}

/// Where content goes.
#[derive(Default)]
struct Sink(Content);

impl Sink {
    fn take(&mut self, piece: &[u8]) -> Outcome<()> {
        self.0.length += piece.len() as u64;
        if let Some(file) = &self.0.file {
            return file.as_file().write_all(piece).map_err(disk);
        }
        self.0.memory.extend_from_slice(piece);
        if self.0.memory.len() > IN_MEMORY {
            let file = NamedTempFile::new().map_err(disk)?;
            file.as_file().write_all(&std::mem::take(&mut self.0.memory)).map_err(disk)?;
            self.0.file = Some(Arc::new(file));
        }
        Ok(())
    }
}

/// Reads a form of either kind.
pub(super) async fn form(content_type: &str, body: Body) -> Outcome<Sent> {
    let mut incoming = Incoming::new(body);
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let body = incoming.rest().await?;
        let pairs = form_urlencoded::parse(&body);
        let fields = pairs.map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect();
        return Ok(Sent { fields, content: None });
    }
    let boundary = content_type.split_once("boundary=").map(|(_, it)| it.trim_matches('"').to_owned());
    match boundary {
        Some(boundary) if content_type.starts_with("multipart/form-data") => {
            multipart(incoming, &boundary).await
        }
        _ => refuse("invalidArgument", "Invalid form encoding!"),
    }
}

async fn multipart(mut incoming: Incoming, boundary: &str) -> Outcome<Sent> {
    let mut sent = Sent::default();
    incoming.text_until(format!("--{boundary}").as_bytes()).await?;
    let mark = format!("\r\n--{boundary}");
    loop {
        while incoming.ready.len() < 2 && incoming.more().await? {}
        if incoming.ready.starts_with(b"--") {
            break;
        }
        let head = incoming.text_until(b"\r\n\r\n").await?;
        let name = between(&head, "name=\"").unwrap_or_default().to_lowercase();
        if name != "content" {
            let value = incoming.text_until(mark.as_bytes()).await?;
            sent.fields.insert(name, value);
            continue;
        }
        let mut sink = Sink::default();
        incoming.until(mark.as_bytes(), &mut |piece| sink.take(piece)).await?;
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|it| it.trim().to_owned())
        };
        sink.0.media_type = header("Content-Type:").unwrap_or_default();
        sink.0.name = between(&head, "filename=\"").unwrap_or_default().to_owned();
        sent.content = Some(sink.0);
    }
    if let Some(content) = &mut sent.content {
        // Fields of their own override the header of the part.
        let field = |name: &str| sent.fields.get(name).cloned();
        content.name = field("filename").unwrap_or(std::mem::take(&mut content.name));
        content.media_type = field("contenttype").unwrap_or(std::mem::take(&mut content.media_type));
    }
    Ok(sent)
}

fn between<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let found = text
        .match_indices(mark)
        .find(|(at, _)| *at == 0 || !text[..*at].ends_with(|c: char| c.is_alphanumeric()));
    let rest = &text[found?.0 + mark.len()..];
    Some(&rest[..rest.find('"')?])
}

/// Reads content as it is.
pub(super) async fn plain(media_type: &str, name: &str, body: Body) -> Outcome<Content> {
    let mut incoming = Incoming::new(body);
    let mut sink = Sink::default();
    loop {
        sink.take(&std::mem::take(&mut incoming.ready))?;
        if !incoming.more().await? {
            break;
        }
    }
    sink.0.media_type = media_type.to_owned();
    sink.0.name = name.to_owned();
    Ok(sink.0)
}

/// Reads an Atom entry; content in Base64 is taken out of it.
pub(super) async fn entry(body: Body) -> Outcome<(String, Option<Content>)> {
    const MARK: &[u8] = b":base64>";
    let mut incoming = Incoming::new(body);
    while memmem::find(&incoming.ready, MARK).is_none() && incoming.ready.len() < MOST_TEXT {
        if !incoming.more().await? {
            break;
        }
    }
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).or_else(|_| refuse("invalidArgument", "the entry is no UTF-8"))
    };
    if memmem::find(&incoming.ready, MARK).is_none() {
        return Ok((text(incoming.rest().await?)?, None));
    }
    let mut head = incoming.text_until(MARK).await?;
    let (mut sink, mut rest) = (Sink::default(), vec![]);
    incoming
        .until(b"</", &mut |piece| {
            rest.extend(piece.iter().filter(|byte| !byte.is_ascii_whitespace()));
            let ready: Vec<u8> = rest.drain(..rest.len() / 4 * 4).collect();
            let bytes = BASE64_STANDARD
                .decode(&ready)
                .or_else(|_| refuse("invalidArgument", "the content is no Base64"))?;
            sink.take(&bytes)
        })
        .await?;
    head.push_str(":base64></");
    head.push_str(&text(incoming.rest().await?)?);
    Ok((head, Some(sink.0)))
}
