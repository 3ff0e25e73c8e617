//! Requests as bytes (XTA 2 version 3 over SOAP 1.2), written by hand: nothing of the gateway's own writers is in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Namespaces, as the envelopes below name them.
const NAMESPACES: &str = "xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\" \
     xmlns:a=\"http://www.w3.org/2005/08/addressing\" xmlns:m=\"http://www.osci.eu/ws/2014/10/transport\" \
     xmlns:o=\"http://www.osci.eu/ws/2008/05/transport\" xmlns:x=\"http://xoev.de/transport/xta/211\"";
const BOUNDARY: &str = "messung-0123456789";
/// Action of `getMessage`.
const GET_MESSAGE: &str = "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxFetchRequest";
/// Media types of both bindings.
const SOAP: &str = "application/soap+xml; charset=utf-8";
const MTOM: &str = "multipart/related; type=\"application/xop+xml\"; start=\"<root@messung>\"; \
     start-info=\"application/soap+xml\"; boundary=\"messung-0123456789\"";

/// Where the content of a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In a part of the package, as it is.
    Mtom,
    /// In the envelope, as base64.
    Inline,
}

/// A message that is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its author's party.
    pub author: &'a str,
    /// Its reader's party.
    pub reader: &'a str,
    /// The id that was issued for it.
    pub id: &'a str,
    /// Name of its content.
    pub file_name: &'a str,
    /// Bytes of its content.
    pub length: u64,
}

/// The bytes before and behind a content.
pub struct Around {
    /// Before, with HTTP's head.
    pub before: Vec<u8>,
    /// Behind.
    pub behind: Vec<u8>,
}

/// `createMessageId` of a party.
pub fn create_message_id(path: &str, party: &str) -> Vec<u8> {
    let blocks = format!("<m:Author>{}</m:Author>", identifier(party));
    let envelope = envelope("http://www.xta.de/XTA/CreateMessageID", &blocks, "");
    post(path, SOAP, envelope.as_bytes())
}

/// `getMessage` of one id, the answer in this form.
pub fn get_message(path: &str, reader: &str, id: &str, form: Form) -> Vec<u8> {
    let blocks = format!("<m:Author>{}</m:Author>", identifier(reader));
    let body = format!(
        "<o:MsgBoxFetchRequest MsgPart=\"Envelope\"><o:MsgSelector><a:MessageID>{id}</a:MessageID></o:MsgSelector></o:MsgBoxFetchRequest>"
    );
    let envelope = envelope(GET_MESSAGE, &blocks, &body);
    match form {
        Form::Inline => post(path, SOAP, envelope.as_bytes()),
        Form::Mtom => {
            let package = [root(&envelope).as_bytes(), b"\r\n--", BOUNDARY.as_bytes(), b"--\r\n"].concat();
            post(path, MTOM, &package)
        }
    }
}

/// `sendMessage` with its content.
pub fn send_message(path: &str, message: &Message<'_>, content: &[u8], form: Form) -> Vec<u8> {
    let Around { mut before, behind } = around(path, message, form);
    match form {
        Form::Mtom => before.extend_from_slice(content),
        Form::Inline => before.extend_from_slice(STANDARD.encode(content).as_bytes()),
    }
    before.extend_from_slice(&behind);
    before
}

/// `sendMessage` without its content, for those that are too large to be laid out.
pub fn around(path: &str, message: &Message<'_>, form: Form) -> Around {
    let (mut before, behind, length) = match form {
        Form::Mtom => {
            let include =
                "<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:c@messung\"/>";
            let part = format!(
                "\r\n--{BOUNDARY}\r\nContent-ID: <c@messung>\r\nContent-Type: application/octet-stream\r\n\
                 Content-Transfer-Encoding: binary\r\n\r\n"
            );
            let before = root(&sent(message, include)) + &part;
            (before, format!("\r\n--{BOUNDARY}--\r\n"), message.length)
        }
        Form::Inline => {
            let whole = sent(message, "\u{0}");
            let (before, behind) = whole.split_once('\u{0}').unwrap_or((&whole, ""));
            (before.to_owned(), behind.to_owned(), message.length.div_ceil(3) * 4)
        }
    };
    let whole = before.len() as u64 + length + behind.len() as u64;
    before.insert_str(0, &head(path, if form == Form::Mtom { MTOM } else { SOAP }, whole));
    Around { before: before.into_bytes(), behind: behind.into_bytes() }
}

fn sent(message: &Message<'_>, content: &str) -> String {
    let Message { author, reader, id, file_name, length } = message;
    let meta = format!(
        "<m:MessageMetaData><m:DeliveryAttributes><m:Origin>2026-11-29T07:00:00Z</m:Origin></m:DeliveryAttributes>\
         <m:Originators><m:Author>{}</m:Author></m:Originators>\
         <m:Destinations><m:Reader>{}</m:Reader></m:Destinations>\
         <m:MsgIdentification><a:MessageID>{id}</a:MessageID></m:MsgIdentification>\
         <m:Qualifier><m:Subject>Messung</m:Subject><m:Service>urn:xoev-de:xdomea:dienst:abgabe</m:Service>\
         <m:BusinessScenario><m:Defined listURI=\"urn:de:xta:codeliste:business.scenario\" listVersionID=\"1\">\
         <code>XDOMEA_DATA</code></m:Defined></m:BusinessScenario>\
         <m:MessageType payloadSchema=\"urn:xoev-de:xdomea:schema:3.1.0\" listURI=\"urn:de:payloadSchema:elementName\" \
         listVersionID=\"1.0\"><code>Abgabe.Abgabe.0401</code></m:MessageType></m:Qualifier>\
         <m:MsgSize>{length}</m:MsgSize></m:MessageMetaData>",
        identifier(author),
        identifier(reader)
    );
    let body = format!(
        "<x:GenericContentContainer><x:ContentContainer><x:Message contentType=\"application/octet-stream\" \
         filename=\"{file_name}\" size=\"{length}\">{content}</x:Message></x:ContentContainer></x:GenericContentContainer>"
    );
    envelope("http://www.xta.de/XTA/SendMessage", &meta, &body)
}

fn identifier(party: &str) -> String {
    format!("<m:Identifier type=\"xoev\" name=\"Messung\" category=\"Behörde\">{party}</m:Identifier>")
}

fn envelope(action: &str, blocks: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><S:Envelope {NAMESPACES}><S:Header>{blocks}\
         <a:Action>{action}</a:Action><a:MessageID>urn:uuid:{}</a:MessageID><a:To>https://127.0.0.1/xta</a:To>\
         </S:Header><S:Body>{body}</S:Body></S:Envelope>",
        uuid::Uuid::now_v7()
    )
}

/// The root of a package, without the end of its part.
fn root(envelope: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-ID: <root@messung>\r\n\
         Content-Type: application/xop+xml; charset=utf-8; type=\"application/soap+xml\"\r\n\
         Content-Transfer-Encoding: binary\r\n\r\n{envelope}"
    )
}

fn post(path: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    [head(path, media_type, body.len() as u64).as_bytes(), body].concat()
}

fn head(path: &str, media_type: &str, length: u64) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The message id in an answer.
pub fn issued(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let from = text.split_once("urn:de:xta:messageid:")?.1;
    let id = from.split('<').next()?;
    Some(format!("urn:de:xta:messageid:{id}"))
}
