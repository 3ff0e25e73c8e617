//! Writing the header blocks that every kind of message has (OSCI-Transport 1.2, section 4.1; `order.xsd`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Block, CERTIFICATES_ACTOR, Foreign, Xml, holds_body, statement};
use crate::message::{ControlBlock, Features, Message, Named, QualityOfTimestamp};
use crate::names::ACTOR_NEXT;

/// Letters of base64 in a line of a certificate.
const LINE: usize = 76;

/// The message's own blocks, in the order of the schemas, without a signature. `mark` stands behind their ids.
pub(super) fn of(message: &Message, foreign: Foreign, mark: &str) -> Vec<Block> {
    let own = |block: Block| marked(block, mark);
    let mut blocks = vec![own(control(&message.control))];
    if !message.languages.is_empty() {
        blocks.push(own(languages(&message.languages)));
    }
    blocks.extend(message.time_stamps.iter().map(time_stamp).map(own));
    if !holds_body(message.kind) {
        let id = message.kind.element().to_ascii_lowercase();
        blocks.push(own(Block { id, xml: statement(message) }));
    }
    blocks.extend(intermediary(message).map(own));
    blocks.extend(foreign.certificates.or_else(|| certificates(message).map(own)));
    // A description of nothing is against the schema.
    blocks.extend(message.features.as_ref().filter(|it| !it.supported.is_empty()).map(features).map(own));
    blocks.extend(foreign.custom);
    blocks
}

/// A block with a longer `Id`, which stands in its start tag.
fn marked(block: Block, mark: &str) -> Block {
    if mark.is_empty() {
        return block;
    }
    let id = format!("{}{mark}", block.id);
    let xml = block.xml.replacen(&format!(" Id=\"{}\"", block.id), &format!(" Id=\"{id}\""), 1);
    Block { id, xml }
}

fn finished(id: &str, mut xml: Xml, name: &str) -> Block {
    xml.close(name);
    Block { id: id.to_owned(), xml: xml.text }
}

fn control(control: &ControlBlock) -> Block {
    let (id, name) = ("controlblock", "osci:ControlBlock");
    let sequence = control.sequence.map(|number| number.to_string());
    let mut attributes = Vec::new();
    attributes.extend(control.conversation.as_deref().map(|digits| ("ConversationId", digits)));
    attributes.extend(sequence.as_deref().map(|number| ("SequenceNumber", number)));
    let mut xml = Xml::default();
    xml.block(name, id, ACTOR_NEXT, &attributes);
    if let Some(response) = &control.response {
        xml.element("osci:Response", response);
    }
    if let Some(challenge) = &control.challenge {
        xml.element("osci:Challenge", challenge);
    }
    finished(id, xml, name)
}

fn languages(languages: &[String]) -> Block {
    let (id, name) = ("desiredlanguages", "osci:DesiredLanguages");
    let mut xml = Xml::default();
    xml.block(name, id, ACTOR_NEXT, &[("LanguagesList", &languages.join(" "))]);
    finished(id, xml, name)
}

fn time_stamp(wanted: &QualityOfTimestamp) -> Block {
    let name = "osci:QualityOfTimestamp";
    let (id, service) = match wanted.of_creation {
        true => ("qualityoftimestamp_creation", "creation"),
        false => ("qualityoftimestamp_reception", "reception"),
    };
    let quality = if wanted.cryptographic { "cryptographic" } else { "plain" };
    let mut xml = Xml::default();
    xml.block(name, id, ACTOR_NEXT, &[("Quality", quality), ("Service", service)]);
    finished(id, xml, name)
}

fn intermediary(message: &Message) -> Option<Block> {
    let (id, name) = ("intermediarycertificates", "osci:IntermediaryCertificates");
    let certificates = &message.intermediary;
    if certificates.is_empty() {
        return None;
    }
    let mut xml = Xml::default();
    xml.block(name, id, CERTIFICATES_ACTOR, &[]);
    put_all(&mut xml, "CipherCertificateIntermediary", &certificates.cipher);
    put_all(&mut xml, "SignatureCertificateIntermediary", &certificates.signature);
    Some(finished(id, xml, name))
}

fn certificates(message: &Message) -> Option<Block> {
    let (id, name) = ("nonintermediarycertificates", "osci:NonIntermediaryCertificates");
    let all = &message.certificates;
    all.all().next()?;
    let mut xml = Xml::default();
    xml.block(name, id, CERTIFICATES_ACTOR, &[]);
    put_all(&mut xml, "CipherCertificateOriginator", &all.cipher_originator);
    put_all(&mut xml, "CipherCertificateOtherAuthor", &all.cipher_other_authors);
    put_all(&mut xml, "CipherCertificateAddressee", &all.cipher_addressee);
    put_all(&mut xml, "CipherCertificateOtherReader", &all.cipher_other_readers);
    put_all(&mut xml, "SignatureCertificateOriginator", &all.signature_originator);
    put_all(&mut xml, "SignatureCertificateOtherAuthor", &all.signature_other_authors);
    put_all(&mut xml, "SignatureCertificateAddressee", &all.signature_addressee);
    Some(finished(id, xml, name))
}

fn put_all<'a>(xml: &mut Xml, local: &str, certificates: impl IntoIterator<Item = &'a Named>) {
    let name = format!("osci:{local}");
    for named in certificates {
        xml.open(&name, &[("Id", &named.id)]);
        xml.open("ds:X509Data", &[]);
        xml.element("ds:X509Certificate", &in_lines(named.certificate.der()));
        xml.close("ds:X509Data");
        xml.close(&name);
    }
}

/// Base64 in lines, as the field writes certificates.
fn in_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    let mut rest = text.as_str();
    while let Some((line, behind)) = rest.split_at_checked(LINE).filter(|(_, behind)| !behind.is_empty()) {
        lines.push_str(line);
        lines.push('\n');
        rest = behind;
    }
    lines.push_str(rest);
    lines
}

fn features(features: &Features) -> Block {
    let (id, name) = ("featuredescription", "osci2017:FeatureDescription");
    let numbers = [
        ("ChunkMessageTimeout", features.chunk_message_timeout),
        ("MaxChunkSize", features.max_chunk_size),
        ("MaxMessageSize", features.max_message_size),
        ("MinChunkSize", features.min_chunk_size),
    ];
    let written: Vec<(&str, String)> =
        numbers.iter().filter_map(|(key, number)| number.map(|number| (*key, number.to_string()))).collect();
    let attributes: Vec<(&str, &str)> = written.iter().map(|(key, number)| (*key, number.as_str())).collect();
    let mut xml = Xml::default();
    xml.block(name, id, "", &attributes);
    xml.open("osci2017:SupportedFeatures", &[]);
    for (key, version) in &features.supported {
        xml.empty("osci2017:Feature", &[("Key", key), ("Version", version)]);
    }
    xml.close("osci2017:SupportedFeatures");
    finished(id, xml, name)
}
