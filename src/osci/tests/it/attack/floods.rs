//! Floods: what never ends, lies too deep, or is too much of anything is refused after a bounded part of it was read.

use std::cell::Cell;
use std::io::{self, Read};

use osci::intermediary::{Intermediary, Settings};
use osci::package::Package;
use osci::transport::{Limits, Sealing, seal};
use seal::algorithm::{BlockCipher, Policy};
use seal::xmlenc::{OaepHash, Staging};
use soap::mime::Boundary;

use super::forge::{MESSAGE_ID, NOW, before, codes, element, genuine, stripped, swap, told};
use crate::bed::{certificate, settings};
use crate::memory::Memory;
use crate::people::all;

/// Begins with something, and repeats something else without an end. Counts what was read.
struct Endless<'a> {
    begin: &'a [u8],
    repeated: &'a dyn Fn(u64) -> String,
    next: u64,
    piece: Vec<u8>,
    from: usize,
    read: &'a Cell<u64>,
}

impl Read for Endless<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = if self.begin.is_empty() {
            if self.from == self.piece.len() {
                self.piece = (self.repeated)(self.next).into_bytes();
                (self.next, self.from) = (self.next + 1, 0);
            }
            let count = (&self.piece[self.from..]).read(target)?;
            self.from += count;
            count
        } else {
            self.begin.read(target)?
        };
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

fn at(limits: Limits) -> Intermediary<Memory> {
    let memory = Memory::at(NOW);
    memory.put_id(MESSAGE_ID);
    Intermediary::new(Settings { limits, ..settings(Policy::default()) }, memory)
}

/// How many bytes are read of something without an end before it is refused as no message.
fn read_of_endless(begin: &str, repeated: impl Fn(u64) -> String) -> u64 {
    let read = Cell::new(0);
    let endless = Endless {
        begin: begin.as_bytes(),
        repeated: &repeated,
        next: 0,
        piece: Vec::new(),
        from: 0,
        read: &read,
    };
    // A message may have 4 MB, its XML 1 MB.
    let limits = Limits { package: 4 << 20, xml: 1 << 20, ..Limits::default() };
    let answer = all(&at(limits).answer(endless).unwrap());
    assert_eq!(codes(&answer), ["9100"]);
    read.get()
}

const HEAD: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n";
/// A bit more than the buffer of the package reader.
const LITTLE: u64 = 200 << 10;

#[test]
fn what_has_no_end_before_the_first_part_is_refused_early() {
    let line = |_| "x".repeat(70) + "\r\n";
    assert!(read_of_endless(HEAD, line) < LITTLE, "preamble");
    assert!(read_of_endless("", |_| "\r\n".to_owned()) < LITTLE, "empty lines");
    assert!(read_of_endless("", |_| "x".to_owned()) < LITTLE, "a name of a header");
    assert!(read_of_endless("A: ", |_| "x".to_owned()) < LITTLE, "a value of a header");
    assert!(read_of_endless("A: x\r\n", |_| " x\r\n".to_owned()) < LITTLE, "a folded header");
    assert!(read_of_endless("", |n| format!("A{n}: x\r\n")) < LITTLE, "headers");
    let boundary = "Content-Type: multipart/related; boundary=";
    assert!(read_of_endless(boundary, |_| "b".to_owned()) < LITTLE, "a boundary");
    let part = format!("{HEAD}--b\r\n");
    assert!(read_of_endless(&part, |n| format!("A{n}: x\r\n")) < LITTLE, "headers of a part");
    assert!(read_of_endless(&format!("{part}A: "), |_| "x".to_owned()) < LITTLE, "a header of a part");
    let spaces = format!("{HEAD}--b");
    assert!(read_of_endless(&spaces, |_| " ".to_owned()) < LITTLE, "space behind a boundary");
}

/// The head of an order in the clear up to and with this, which stands in it once.
fn up_to(place: &str) -> String {
    let order = stripped(&genuine());
    let at = order.find(place).unwrap();
    order[..at + place.len()].to_owned()
}

#[test]
fn xml_without_an_end_is_read_up_to_its_limit() {
    // An envelope of encryption may have 4 MB, and whether it is one is known behind that.
    let most = (4 << 20) + LITTLE;
    let begin = up_to("<osci:ContentPackage>");
    assert!(read_of_endless(&begin, |_| "<a>".to_owned()) < most, "elements within each other");
    assert!(read_of_endless(&begin, |_| "<a></a>".to_owned()) < most, "elements");
    assert!(read_of_endless(&begin, |_| "x".repeat(100)) < most, "text");
    assert!(read_of_endless(&format!("{begin}<!--"), |_| "x".repeat(100)) < most, "a comment");
    assert!(read_of_endless(&format!("{begin}<a "), |n| format!("a{n}='' ")) < most, "attributes");
    assert!(read_of_endless(&format!("{begin}<a b='"), |_| "x".repeat(100)) < most, "an attribute");
}

#[test]
fn attachments_without_an_end_are_refused_when_there_are_too_many() {
    let order = stripped(&genuine());
    let (head, last) = order.rsplit_once("\r\n--").unwrap();
    let boundary = last.trim_end().trim_end_matches("--").to_owned();
    let read = read_of_endless(head, |n| format!("\r\n--{boundary}\r\nContent-ID: <{n}>\r\n\r\n"));
    let part = boundary.len() as u64 + 40;
    assert!(read < 10_001 * part + LITTLE, "{read}");
}

#[test]
fn what_has_no_end_behind_the_last_part_is_refused_early() {
    let order = genuine();
    let read = read_of_endless(&order, |_| "x".repeat(100));
    assert!(read < order.len() as u64 + LITTLE, "{read}");
}

#[test]
fn a_third_part_in_an_envelope_of_encryption_is_refused_early() {
    let sealed = String::from_utf8_lossy(&sealed(genuine().as_bytes())).into_owned();
    let (head, _) = sealed.split_once("<osci_enc>\r\n\r\n").unwrap();
    let boundary = head.split("boundary=").nth(1).unwrap().split(['"', ';', '\r']).find(|it| !it.is_empty());
    let boundary = boundary.unwrap();
    let begin =
        format!("{head}<osci_enc>\r\n\r\n0123456789abcdef\r\n--{boundary}\r\nContent-ID: <x>\r\n\r\n");
    let read = read_of_endless(&begin, |_| "x".repeat(100));
    assert!(read < begin.len() as u64 + LITTLE, "{read}");
}

/// The order with this many more attachments.
fn with_attachments(count: usize) -> String {
    let order = stripped(&genuine());
    let (head, last) = order.rsplit_once("\r\n--").unwrap();
    let boundary = last.trim_end().trim_end_matches("--");
    let part = |n| format!("\r\n--{boundary}\r\nContent-ID: <{n}>\r\n\r\nx");
    let parts: String = (0..count).map(part).collect();
    format!("{head}{parts}\r\n--{last}")
}

#[test]
fn ten_thousand_attachments_are_taken_and_one_more_is_refused() {
    // Two are there.
    for (more, expected, sealed_expected) in [(9_998, "0800", ""), (9_999, "9100", "9300")] {
        let order = with_attachments(more);
        let answer = all(&at(Limits::default()).answer(order.as_bytes()).unwrap());
        assert_eq!(codes(&answer), [expected]);
        let answer = all(&at(Limits::default()).answer(&sealed(order.as_bytes())[..]).unwrap());
        assert_eq!(codes(&answer).concat(), sealed_expected);
    }
}

/// A package in an envelope of encryption for the intermediary.
fn sealed(package: &[u8]) -> Vec<u8> {
    let receiver = certificate("intermed_cipher");
    let (cipher, oaep) = (BlockCipher::Aes256Gcm, OaepHash::Sha256);
    let sealing = Sealing { receiver: &receiver, cipher, oaep, knows_short_iv: true };
    seal(package, &sealing, &Policy::default(), Boundary::from_random([3; 24]), Vec::new()).unwrap()
}

/// Refused in the clear and, with the code of its own, within an envelope of encryption.
fn assert_refused(order: &str, why: &str) {
    assert_eq!(told(order), "9100", "{why}");
    let at = at(Limits::default());
    let answer = all(&at.answer(&sealed(order.as_bytes())[..]).unwrap());
    assert_eq!(codes(&answer), ["9300"], "{why}");
    assert_eq!(at.backend().deliveries(), 0);
}

/// Puts something at the beginning of the content.
fn in_content(xml: &str) -> String {
    swap(&genuine(), "<osci:ContentPackage>", &format!("<osci:ContentPackage>{xml}"))
}

#[test]
fn what_breaks_a_document_is_named_wherever_it_stands() {
    let opened = |order: &str| {
        let mut staging = Staging::new(1 << 20, 1 << 30);
        staging.take(order.as_bytes()).unwrap();
        Package::open(staging.finish(), &Limits::default()).err().map(|error| error.code())
    };
    assert_eq!(opened(&genuine()), None);
    for (broken, code) in
        [("<!DOCTYPE a>", "xml.doctype"), ("<a>&b;</a>", "xml.entity"), ("</b>", "xml.syntax")]
    {
        assert_eq!(opened(&in_content(broken)), Some(code));
        assert_eq!(opened(&before(&genuine(), "<osci:ControlBlock", broken)), Some(code));
    }
    // Another mistake that was found first does not hide it.
    let twice =
        swap(&genuine(), "<osci:ContentPackage>", "<osci:ContentPackage/><osci:ContentPackage><!DOCTYPE a>");
    assert_eq!(opened(&twice), Some("xml.doctype"));
}

#[test]
fn no_document_type_is_read_wherever_it_stands() {
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    for doctype in ["<!DOCTYPE a>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">", bomb] {
        assert_refused(&before(&genuine(), "<soap:Envelope ", doctype), doctype);
        assert_refused(&in_content(doctype), doctype);
    }
    for entity in ["&b;", "&lol9;", "&xxe;", "&#0;", "&#xFFFFFFFF;", "&"] {
        assert_refused(&in_content(&format!("<a>{entity}</a>")), entity);
    }
}

#[test]
fn no_document_type_is_read_in_an_envelope_of_encryption() {
    let sealed = sealed(genuine().as_bytes());
    let place = b"<soap:Envelope";
    let at_byte = sealed.windows(place.len()).position(|it| it == place).unwrap();
    let (head, tail) = sealed.split_at(at_byte);
    let changed = [head, b"<!DOCTYPE a>", tail].concat();
    assert_eq!(codes(&all(&at(Limits::default()).answer(&changed[..]).unwrap())), ["9100"]);
}

#[test]
fn what_lies_too_deep_or_is_too_much_of_one_thing_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(300), "</a>".repeat(300));
    assert_refused(&in_content(&deep), "depth");
    let attributes: String = (0..300).map(|n| format!(" a{n}=\"\"")).collect();
    assert_refused(&in_content(&format!("<a{attributes}></a>")), "attributes");
    let namespaces: String = (0..300).map(|n| format!(" xmlns:a{n}=\"urn:a\"")).collect();
    assert_refused(&in_content(&format!("<a{namespaces}></a>")), "namespaces");
    assert_refused(&in_content(&format!("<a b=\"{}\"></a>", "x".repeat(70_000))), "an attribute");
    assert_refused(&in_content(&format!("<{}></a>", "x".repeat(70_000))), "a name");
    let names: String = (0..10_100).map(|n| format!("<a{n}></a{n}>")).collect();
    assert_refused(&in_content(&names), "names");
    let ids: String = (0..150_000).map(|n| format!("<a Id=\"x{n}\"></a>")).collect();
    assert_refused(&in_content(&ids), "ids");
    let signatures = "<ds:Signature></ds:Signature>".repeat(70);
    assert_refused(&in_content(&signatures), "signatures");
}

#[test]
fn a_signature_with_too_much_in_it_is_refused() {
    let order = genuine();
    let reference = element(&order, "ds:Reference").to_owned();
    let many = swap(&order, &reference, &reference.repeat(12_100));
    assert_refused(&many, "references");
    let transform = element(&reference, "ds:Transform").to_owned();
    let many = swap(&order, &reference, &swap(&reference, &transform, &transform.repeat(20)));
    assert_refused(&many, "transforms");
}

#[test]
fn header_blocks_have_bounds() {
    let order = genuine();
    let blocks: String = (0..101).map(|n| format!("<w:b xmlns:w=\"urn:w\" Id=\"w{n}\"></w:b>")).collect();
    assert_refused(&before(&order, "</soap:Header>", &blocks), "foreign blocks");
    let certificate = element(&order, "osci:SignatureCertificateOtherAuthor").to_owned();
    let many: String =
        (0..201).map(|n| certificate.replace("Id=\"author\"", &format!("Id=\"author{n}\""))).collect();
    assert_refused(&swap(&order, &certificate, &many), "certificates");
    let text = element(&certificate, "ds:X509Certificate").to_owned();
    let huge = format!("<ds:X509Certificate>{}</ds:X509Certificate>", "AAAA".repeat(100_000));
    assert_refused(&swap(&order, &certificate, &swap(&certificate, &text, &huge)), "base64");
    let subject = format!("<osci:Subject>{}</osci:Subject>", "x".repeat(70_000));
    assert_refused(&swap(&order, "<osci:Subject>s</osci:Subject>", &subject), "a subject");
}

#[test]
fn nothing_is_unpacked() {
    let order = genuine();
    let plain = "Content-Transfer-Encoding: binary\r\nContent-ID: <a.txt>";
    for encoding in ["gzip", "x-gzip", "deflate", "quoted-printable", "x-uuencode", "base64, gzip"] {
        let other = plain.replace("binary", encoding);
        assert_refused(&swap(&order, plain, &other), encoding);
    }
    // A header that is none of MIME's means nothing: the bytes are what was signed.
    let packed = format!("Content-Encoding: gzip\r\n{plain}");
    assert_eq!(told(&swap(&order, plain, &packed)), "0800");
}

#[test]
fn base64_without_an_end_is_read_up_to_the_limit_of_the_package() {
    let order = genuine();
    let plain = "Content-Transfer-Encoding: binary\r\nContent-ID: <a.txt>";
    let encoded = swap(&order, plain, &plain.replace("binary", "base64"));
    let (head, _) = encoded.split_once("attached A").unwrap();
    let length = head.rfind("Content-Length").unwrap();
    let read = read_of_endless(&format!("{}\r\n", &head[..length]), |_| "AAAA".repeat(19) + "\r\n");
    assert!(read <= (4 << 20) + LITTLE, "{read}");
}
