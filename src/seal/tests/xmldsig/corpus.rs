//! Recorded OSCI messages: each signature must verify or fail as the index of the corpus says.

use crate::tools::shared;
use seal::algorithm::{DigestMethod, Policy};
use seal::xmldsig::{Hasher, Key, OutsideDigests, Signature, Survey, Verified, Verifier, certificate_at};
use seal::{Error, Result};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use xml::{Event, Limits, Reader};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const OSCI: &str = "http://www.osci.de/2002/04/osci";
/// Where the signature of the message stands, in the depth of a header block's child.
const MESSAGE_SIGNATURE_DEPTH: usize = 4;

/// A message cut into its parts.
pub(crate) struct Message {
    pub(crate) xml: Vec<u8>,
    /// Transported bytes by `cid:` URI.
    pub(crate) attachments: HashMap<String, Vec<u8>>,
}

/// Cuts a package at its boundary, which ends each part together with the line break before it.
pub(crate) fn cut(package: &[u8]) -> Message {
    let find = |text: &[u8], needle: &[u8]| text.windows(needle.len()).position(|it| it == needle);
    let from = find(package, b"boundary=").unwrap() + 9;
    let length = package[from..].iter().position(|byte| b";\r".contains(byte)).unwrap();
    let delimiter = [b"\r\n--", package[from..from + length].trim_ascii()].concat();
    let mut rest = &package[find(package, &delimiter).unwrap() + delimiter.len()..];
    let mut message = Message { xml: Vec::new(), attachments: HashMap::new() };
    while !rest.starts_with(b"--") {
        let head = find(rest, b"\r\n\r\n").unwrap();
        let end = find(rest, &delimiter).unwrap();
        let headers = String::from_utf8(rest[..head].to_vec()).unwrap();
        let body = &rest[head + 4..end];
        if message.xml.is_empty() {
            message.xml = body.to_vec();
        } else {
            let id = headers.split_once("Content-ID: <").unwrap().1.split_once('>').unwrap().0;
            message.attachments.insert(format!("cid:{id}"), decoded(&headers, body));
        }
        rest = &rest[end + delimiter.len()..];
    }
    message
}

fn decoded(headers: &str, body: &[u8]) -> Vec<u8> {
    if !headers.contains("Content-Transfer-Encoding: base64") {
        return body.to_vec();
    }
    let mut writer = seal::xmldsig::Base64Writer::new(Vec::new());
    writer.push(std::str::from_utf8(body).unwrap()).unwrap();
    writer.finish().unwrap()
}

fn digest(method: DigestMethod, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(method).unwrap();
    hasher.write_all(bytes).unwrap();
    hasher.finish().unwrap()
}

/// Verifies one signature with the certificate that its `RetrievalMethod` names; says whose it is.
pub(crate) fn verify(
    message: &Message,
    survey: &Survey,
    signature: &Signature,
    policy: Policy,
    library_form: bool,
) -> Result<(Verified, String)> {
    let mut outside = OutsideDigests::new();
    for reference in &signature.references {
        let uri = reference.uri.as_deref().unwrap_or_default();
        if let Some(bytes) = message.attachments.get(uri) {
            let method = reference.digest_method.unwrap();
            outside.insert(uri, method, digest(method, bytes));
        }
    }
    let id = signature.key_info.retrieval[0].uri.strip_prefix('#').unwrap();
    let ordinal = survey.place(id).ok_or(Error::SignatureNotCovered)?.ordinal;
    let certificate = certificate_at(message.xml.as_slice(), Limits::default(), ordinal)?.unwrap();
    let subject = certificate.subject().unwrap();
    let name = subject.split_once("CN=").unwrap().1.split(',').next().unwrap();
    let signer = name.trim_start_matches("GRP: ").to_owned();
    let key = Key::Certificate(certificate);
    let verifier = Verifier { survey, key: &key, policy, outside: &outside, library_form };
    Ok((verifier.verify(signature, message.xml.as_slice())?, signer))
}

/// Each header block but that of the signature, the body, and each attachment must be covered.
fn require_all(message: &Message, signature: &Signature, verified: &Verified) -> Result<()> {
    let mut reader = Reader::new(message.xml.as_slice(), Limits::default());
    loop {
        let depth = reader.depth() + 1;
        match reader.next()? {
            Event::Start(start) => {
                let ordinal = start.ordinal();
                let is_body = depth == 2 && start.is(SOAP, "Body");
                if depth == 3 && signature.place.parent != Some(ordinal) || is_body {
                    verified.require(ordinal)?;
                    reader.skip()?;
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let missing = message.attachments.keys().any(|uri| !verified.outside().contains(uri));
    if missing { Err(Error::SignatureNotCovered) } else { Ok(()) }
}

/// Everything there is to say about the signature of a message: the signer, or a code.
fn judge(message: &Message, policy: Policy) -> String {
    let judged = || -> Result<String> {
        let survey = Survey::read(message.xml.as_slice(), Limits::default())?;
        let of_message = |it: &&Signature| it.place.depth == MESSAGE_SIGNATURE_DEPTH;
        let Some(signature) = survey.signatures().iter().find(of_message) else {
            return Ok("unsigned".to_owned());
        };
        let (verified, signer) = verify(message, &survey, signature, policy, false)?;
        require_all(message, signature, &verified)?;
        Ok(signer)
    };
    judged().unwrap_or_else(|error| error.code().to_owned())
}

/// What the index says about a file: the signer, `unsigned`, or `None` for what is no signed message.
fn expectation(line: &str) -> Option<&str> {
    if line.contains(" unsigned ") {
        return Some("unsigned");
    }
    let (_, rest) = line.split_once("signed-by=")?;
    rest.split_ascii_whitespace().next()
}

#[test]
fn every_recorded_message_is_judged_as_its_index_says() {
    let samples = shared("samples/osci");
    let index = std::fs::read_to_string(samples.join("INDEX.md")).unwrap();
    let mut judged = 0;
    for line in index.lines().filter(|line| line.starts_with("- `messages/")) {
        let Some(expected) = expectation(line) else { continue };
        let path = samples.join(line.split('`').nth(1).unwrap());
        let inner = path.with_extension("inner");
        let path = if line.contains(" encrypted ") { &inner } else { &path };
        let message = cut(&std::fs::read(path).unwrap());
        let policy = match path.to_str().unwrap().contains("legacy-sha1") {
            true => Policy::default().with_legacy(),
            false => Policy::default(),
        };
        assert_eq!(judge(&message, policy), expected, "{}", path.display());
        judged += 1;
    }
    // Fewer would mean that the index is no longer read as it is written.
    assert!(judged > 300, "{judged}");
}

fn judge_file(path: &str) -> String {
    let path = shared("samples/osci/messages").join(path);
    judge(&cut(&std::fs::read(Path::new(&path)).unwrap()), Policy::default())
}

#[test]
fn broken_messages_are_refused_for_what_is_broken() {
    assert_eq!(judge_file("tampered-body-9601/02q-Invalid.osci"), "signature.digest");
    assert_eq!(judge_file("tampered-subject-9601/02q-Invalid.osci"), "signature.digest");
    assert_eq!(judge_file("signature-value-destroyed-9601/02q-Invalid.osci"), "signature.value");
    assert_eq!(judge_file("unsigned-extra-header-9602/02q-Invalid.osci"), "signature.not-covered");
    assert_eq!(judge_file("doctype-refused-9100/02q-Invalid.osci"), "xml.doctype");
}

#[test]
fn sha1_is_taken_from_partners_that_may_use_it_only() {
    let path = "legacy-sha1/02q-StoreDelivery.inner";
    assert_eq!(judge_file(path), "algorithm.forbidden");
}

#[test]
fn a_changed_attachment_is_noticed() {
    let path = shared("samples/osci/messages").join("unencrypted/02q-StoreDelivery.osci");
    let mut message = cut(&std::fs::read(path).unwrap());
    assert_eq!(judge(&message, Policy::default()), "alice_signature");
    let uri = message.attachments.keys().next().unwrap().clone();
    message.attachments.get_mut(&uri).unwrap()[0] ^= 1;
    assert_eq!(judge(&message, Policy::default()), "signature.digest");
    message.attachments.remove(&uri);
    assert_eq!(judge(&message, Policy::default()), "signature.reference");
}

#[test]
fn signatures_of_authors_over_content_in_the_clear_verify() {
    let messages = shared("samples/osci/messages");
    let mut verified = 0;
    for folder in std::fs::read_dir(&messages).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let in_the_clear = bytes.windows(12).any(|it| it == b"osci@message");
            if !in_the_clear || path.extension().is_some_and(|it| it == "txt") {
                continue;
            }
            let message = cut(&bytes);
            let Ok(survey) = Survey::read(message.xml.as_slice(), Limits::default()) else { continue };
            for signature in survey.signatures().iter().filter(|it| it.place.depth > MESSAGE_SIGNATURE_DEPTH)
            {
                let policy = Policy::default().with_legacy();
                let result = verify(&message, &survey, signature, policy, false);
                let signer = result.map_or_else(|error| error.code().to_owned(), |(_, signer)| signer);
                assert!(signer.ends_with("_signature"), "{}: {signer}", path.display());
                verified += 1;
            }
        }
    }
    assert!(verified >= 20, "{verified}");
}

#[test]
fn signatures_stand_where_the_standard_wants_them() {
    let path = shared("samples/osci/messages").join("unencrypted/02q-StoreDelivery.osci");
    let message = cut(&std::fs::read(path).unwrap());
    let survey = Survey::read(message.xml.as_slice(), Limits::default()).unwrap();
    let block = survey.place("clientsignature").unwrap();
    assert_eq!(survey.signatures()[0].place.parent, Some(block.ordinal));
    assert_eq!(block.depth, 3);
    let (verified, _) = verify(&message, &survey, &survey.signatures()[0], Policy::default(), false).unwrap();
    let mut elements = verified.elements(message.xml.as_slice());
    let mut names = Vec::new();
    while let Some(mut element) = elements.next().unwrap() {
        let parent = element.ancestors.last().unwrap();
        assert_eq!(parent.namespace.as_deref(), Some(SOAP));
        let parent = parent.local.clone();
        let start = element.reader().unwrap().current();
        assert!(start.namespace() != Some(OSCI) || parent == "Header");
        names.push(start.local().to_owned());
    }
    let expected = [
        "ControlBlock",
        "DesiredLanguages",
        "QualityOfTimestamp",
        "QualityOfTimestamp",
        "storeDelivery",
        "NonIntermediaryCertificates",
        "FeatureDescription",
        "Body",
    ];
    assert_eq!(names, expected);
}
