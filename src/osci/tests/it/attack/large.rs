//! Large messages: memory does not grow with them. Each test measures a process of its own.

use std::io::{self, Read};

use osci::client::NewOrder;
use osci::content::write::{Author, Maker, NewContainer, NewPart};
use osci::content::{Part, Reader};
use osci::intermediary::Intermediary;
use osci::transport::Limits;
use seal::algorithm::Policy;

use super::forge::NOW;
use crate::bed::{identity, intermediary};
use crate::memory::Memory;
use crate::people::{METHOD, Person, addressed_to, codes, dialog, intermediary_certificate, message_id};

const MEGABYTE: u64 = 1 << 20;
const LENGTH: u64 = 300 * MEGABYTE;

/// Peak of the process' memory in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

/// The attachment.
fn large() -> impl Read {
    let block: Vec<u8> = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    io::Cursor::new(block).chain(io::repeat(7)).take(LENGTH)
}

fn digest(mut bytes: impl Read) -> seal::Digest {
    let (mut writer, mut piece) = (seal::Sha256Writer::new(), vec![0; 1 << 16]);
    loop {
        match bytes.read(&mut piece).unwrap() {
            0 => return writer.finish(),
            count => writer.update(&piece[..count]),
        }
    }
}

/// Alice stores the attachment for bob.
fn store(at: &Intermediary<Memory>) {
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let new = NewOrder::Store { message_id: message_id(at, &client), subject: None };
    let certificates = addressed_to("bob");
    let (policy, limits) = (Policy::default(), Limits::default());
    let (mut maker, mut bytes) = (Maker::new(&policy, &limits), large());
    let author = Author { signer: &alice.signer, method: METHOD, certificate: osci::client::SIGNER_ID };
    let readers = certificates.cipher_addressee.iter().collect();
    let parts = vec![NewPart::Attachment("large.bin", &mut bytes)];
    maker.add(NewContainer { parts, authors: vec![author], readers }).unwrap();
    let content = maker.finish().unwrap();
    let ordered = client.order(None, &new, certificates, Some(&content)).unwrap();
    let answer = at.answer(ordered.package.open()).unwrap();
    assert_eq!(codes(&client.answer(&ordered, answer.open()).unwrap()), ["0800"]);
}

#[test]
#[ignore = "measures its process, in which nothing else may run: the next test starts one"]
fn three_hundred_megabytes_there_and_back() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    store(&at);
    let (bob, certificate) = (Person::of("bob"), intermediary_certificate());
    let client = bob.client(&certificate);
    let talk = dialog(&at, &client);
    let ordered = client.order(Some(&talk), &NewOrder::Fetch(None), Default::default(), None).unwrap();
    let answer = at.answer(ordered.package.open()).unwrap();
    let fetched = client.answer(&ordered, answer.open()).unwrap();
    assert_eq!(codes(&fetched), ["0801"]);
    let (policy, limits, keys) = (Policy::default(), Limits::default(), [identity("bob_cipher")]);
    let (package, message) = (&fetched.package, &fetched.message);
    let reader = Reader { package, message, keys: &keys, policy: &policy, limits: &limits };
    let parts = reader.read().unwrap();
    let [Part::Opened(inner)] = parts.as_slice() else { panic!("{parts:?}") };
    let [Part::Container(container)] = inner.as_slice() else { panic!("{inner:?}") };
    let [Part::Attachment(attached)] = container.parts.as_slice() else { panic!() };
    assert_eq!(container.authors.len(), 1);
    let attachment = reader.open_attachment(attached).unwrap();
    assert_eq!(attachment.length(), LENGTH);
    assert_eq!(digest(attachment.open()), digest(large()));
    println!("peak: {} MB", peak() / MEGABYTE);
    assert!(peak() < 64 * MEGABYTE, "{} MB", peak() / MEGABYTE);
}

#[test]
fn an_attachment_of_three_hundred_megabytes_goes_there_and_back_within_64_mb() {
    let alone = "attack::large::three_hundred_megabytes_there_and_back";
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    let output = process.args(["--exact", "--ignored", "--nocapture", alone]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
