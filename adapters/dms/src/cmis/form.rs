//! Forms of the browser binding, section 5.4: `application/x-www-form-urlencoded`, or `multipart/form-data` (RFC 7578) with the content as its
//! last part, which is streamed.

use std::io;

use bytes::Bytes as Piece;
use futures::StreamExt;
use model::Failure;
use net::Upload;
use tokio_util::io::ReaderStream;

use super::wire::Set;
use crate::port::Bytes;

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Content type of a form without content.
pub(super) const URLENCODED: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// A form for an action (section 5.4.3).
    pub(super) fn of(action: &str) -> Self {
        let mut form = Form::default();
        form.add("cmisaction", action);
        form.add("succinct", "true");
        form
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(super) fn add_some(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }

    /// Properties (section 5.4.3.1): places from 0 without gaps; a property without a value is cleared.
    pub(super) fn properties(&mut self, set: &[Set]) -> &mut Self {
        for (place, property) in set.iter().enumerate() {
            self.add(format!("propertyId[{place}]"), &property.id);
            for (at, value) in property.values.iter().enumerate() {
                match property.multi {
                    true => self.add(format!("propertyValue[{place}][{at}]"), value),
                    false => self.add(format!("propertyValue[{place}]"), value),
                };
            }
        }
        self
    }

    pub(super) fn urlencoded(&self) -> Upload {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            text.append_pair(name, value);
        }
        text.finish().into_bytes().into()
    }

    /// The form with content, and its content type.
    pub(super) async fn multipart(&self, bytes: &Bytes<'_>) -> Result<(String, Upload), Failure> {
        let boundary = format!("amtsbote-{}", model::ids::new_id());
        let mut head = String::new();
        for (name, value) in &self.0 {
            let kind = "Content-Type: text/plain; charset=utf-8";
            head.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{kind}\r\n\r\n{value}\r\n"
            ));
        }
        // Fields of their own: old servers read the part's header in their own charset.
        for (name, value) in [("filename", bytes.file_name), ("contenttype", media_type(bytes))] {
            head.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n"
            ));
        }
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{}\"\r\nContent-Type: {}\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            quoted(bytes.file_name),
            media_type(bytes),
        ));
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = head.len() as u64 + bytes.size + tail.len() as u64;
        let upload = around(head, bytes, tail, Ok, length).await?;
        Ok((format!("multipart/form-data; boundary={boundary}"), upload))
    }
}

/// Content as it is.
pub(super) async fn plain(bytes: &Bytes<'_>) -> Result<Upload, Failure> {
    around(String::new(), bytes, String::new(), Ok, bytes.size).await
}

/// Content between two texts, a piece at a time.
pub(super) async fn around(
    head: String,
    bytes: &Bytes<'_>,
    tail: String,
    encode: impl FnMut(Piece) -> io::Result<Piece> + Send + Sync + 'static,
    length: u64,
) -> Result<Upload, Failure> {
    let mut encode = encode;
    let content = crate::cmis::pump::pieces(ReaderStream::with_capacity(bytes.source.open().await?, PIECE));
    let content = content.map(move |piece| piece.and_then(&mut encode));
    let text = |text: String| futures::stream::iter([Ok(Piece::from(text))]);
    Ok(Upload::new(text(head).chain(content).chain(text(tail)), Some(length)))
}

/// A media type that can stand in a header.
pub(super) fn media_type<'a>(bytes: &Bytes<'a>) -> &'a str {
    let is_sound =
        |it: &&str| it.len() <= 120 && it.contains('/') && it.bytes().all(|b| (0x20..0x7f).contains(&b));
    bytes.media_type.filter(is_sound).unwrap_or("application/octet-stream")
}

/// A file name within quotes, as browsers write it (RFC 7578, section 4.2).
pub(super) fn quoted(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    clean.replace('\\', "_").replace('"', "%22")
}
