//! The recorded dialogs, replayed: every request of the corpus goes to an intermediary whose clock and random bytes are
//! given, and what it answers is held against `answers.txt`, so that no change of an answer goes unnoticed. The file says
//! what answers mean; ids, keys and challenges are told by their part in the dialog. After a change that is wanted, run
//! this test with AMTSBOTE_WRITE_ANSWERS=1 and look at what has become different.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use osci::card::{Inspection, ProcessCardBundle, TimeStamp};
use osci::code::Code;
use osci::intermediary::Intermediary;
use osci::message::{Answer, Body, Chunk, ControlBlock, Feedback, Message};
use osci::package::Package;
use osci::transport::{Limits, open};
use seal::algorithm::Policy;
use seal::identity::Identity;

use crate::bed::{certificate, intermediary};
use crate::corpus::{THEN, fault_code, follow, keys, name, opened, requests, scenarios};
use crate::memory::Memory;
use crate::pass_on;
use crate::people::all;

/// Seconds between two requests.
const STEP: i64 = 10;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/answers.txt")
}

/// What the answers of one scenario say.
struct Told<'a> {
    keys: &'a [Identity],
    /// Message ids in the order in which they were seen.
    ids: BTreeMap<String, usize>,
    text: String,
}

impl Told<'_> {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "  {line}").unwrap();
    }

    fn id(&mut self, id: &str) -> String {
        let next = self.ids.len() + 1;
        format!("id {}", self.ids.entry(id.to_owned()).or_insert(next))
    }

    /// An answer to an order, if that could be read.
    fn answer(&mut self, answer: &[u8], order: Option<&Message>) {
        if let Some(code) = fault_code(answer) {
            return self.line(&format!("fault {code}"));
        }
        let policy = Policy::default();
        let opened = open(answer, self.keys, &policy, &Limits::default()).unwrap();
        let protection = opened.protection.map_or("in the clear".to_owned(), |it| {
            let reader = &it.certificate;
            let short = if it.knows_short_iv { "IvLength" } else { "no IvLength" };
            format!("{:?}, {short}, for {}", it.cipher, who(self.keys, reader.fingerprint()))
        });
        let mut package = Package::open(opened.package, &Limits::default()).unwrap();
        let (message, signer) = package.read().unwrap().verify(&policy).unwrap();
        assert_eq!(signer, certificate("intermed_signature"));
        let kind = message.kind.order().unwrap().name();
        self.line(&format!("ResponseTo{kind}, signed, {protection}"));
        self.control(&message.control, order.map(|order| &order.control));
        let Body::Answer(said) = &message.body else { panic!("an answer") };
        self.said(said);
        if let Some(content) = &message.content {
            let attachments: Vec<u64> = package.attachments.iter().map(|it| it.length).collect();
            self.line(&format!(
                "content: {} containers, {} encrypted, attachments of {attachments:?} bytes",
                content.containers, content.encrypted
            ));
        }
        let blocks: Vec<&str> = message.custom.iter().map(|custom| custom.local.as_str()).collect();
        let certificates = message.certificates.all().count();
        if !blocks.is_empty() || certificates > 0 {
            self.line(&format!("handed on: {certificates} certificates, blocks {blocks:?}"));
        }
    }

    fn control(&mut self, control: &ControlBlock, order: Option<&ControlBlock>) {
        let relation = |own: &Option<String>, theirs: Option<&Option<String>>| match (own, theirs) {
            (None, _) => "none",
            (Some(_), Some(theirs)) if own == theirs => "the order's",
            (Some(_), _) => "new",
        };
        let sequence = control.sequence.map_or("none".to_owned(), |number| number.to_string());
        self.line(&format!(
            "response {}, challenge {}, conversation {}, sequence {sequence}",
            relation(&control.response, order.map(|it| &it.challenge)),
            relation(&control.challenge, order.map(|it| &it.challenge)),
            relation(&control.conversation, order.map(|it| &it.conversation)),
        ));
    }

    fn said(&mut self, said: &Answer) {
        for (what, feedback) in [("feedback", &said.feedback), ("inside", &said.inside_feedback)] {
            let code = |it: &Feedback| format!("{} {}", it.code, it.language.as_deref().unwrap_or("-"));
            let codes: Vec<String> = feedback.iter().map(code).collect();
            if what == "feedback" || !codes.is_empty() {
                self.line(&format!("{what}: {}", codes.join(", ")));
            }
        }
        if let Some(Chunk { number, total_chunks, received, .. }) = &said.chunk {
            self.line(&format!("chunk {number:?} of {total_chunks:?}, there are {received:?}"));
        }
        if let Some(id) = &said.message_id {
            let id = self.id(id);
            self.line(&format!("issued: {id}"));
        }
        if said.rule.is_some() || said.limit.is_some() {
            let kind = format!("{:?}", said.rule);
            let kind = kind.split(['(', ' ']).nth(1).unwrap_or("none").to_owned();
            self.line(&format!("repeats: rule {kind}, limit {:?}", said.limit));
        }
        said.cards.iter().for_each(|card| self.card("card", card));
        said.reply_card.iter().for_each(|card| self.card("card of the reply", card));
    }

    fn card(&mut self, what: &str, card: &ProcessCardBundle) {
        let id = self.id(&card.message_id);
        let moment = |stamp: &Option<TimeStamp>| match stamp {
            None => "none".to_owned(),
            Some(TimeStamp::Plain(at)) => after(at),
            Some(TimeStamp::Cryptographic { .. }) => "proven".to_owned(),
        };
        self.line(&format!(
            "{what} of {id}: creation {}, forwarding {}, reception {}, modification {}, subject {}",
            moment(&card.creation),
            moment(&card.forwarding),
            moment(&card.reception),
            after(&card.recent_modification),
            card.subject.is_some()
        ));
        card.inspections.iter().for_each(|inspection| self.inspection(inspection));
    }

    fn inspection(&mut self, it: &Inspection) {
        let online = it.online.as_ref().map(|online| online.revoked);
        self.line(&format!(
            "  certificate {}: {:?}, math {:?}, offline {:?}, revoked {online:?}",
            it.serial, it.kind, it.math, it.offline
        ));
    }
}

/// A moment, in seconds after the beginning.
fn after(moment: &xml::value::DateTime) -> String {
    let text = moment.to_string();
    let format = time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(&text, &format).unwrap().unix_timestamp();
    format!("+{}", at - THEN)
}

fn who(keys: &[Identity], fingerprint: &str) -> String {
    let names = ["intermed", "alice", "bob", "carol", "dave", "expired", "revoked", "mallory"];
    let place = keys.iter().position(|key| key.certificate().fingerprint() == fingerprint);
    place.map_or("nobody", |place| names[place]).to_owned()
}

/// An intermediary as it was when the dialogs were recorded, whose recipient is bob.
fn recorded(scenario: &str) -> Intermediary<Memory> {
    let reply = (scenario == "mediate").then_some(pass_on::answer_of_bob as fn() -> _);
    let memory = match scenario {
        "forward" | "mediate" => Memory::calling(THEN, pass_on::bob(Code::DIALOG_CLOSED, reply)),
        _ => Memory::at(THEN),
    };
    intermediary(Policy::default().with_legacy(), memory)
}

fn replayed(folder: &Path, keys: &[Identity]) -> String {
    let mut told = Told { keys, ids: BTreeMap::new(), text: String::new() };
    let at = recorded(&name(folder));
    for (index, (request, answer)) in requests(folder).iter().enumerate() {
        at.backend().set_now(THEN + STEP * index as i64);
        writeln!(told.text, "{} {}", name(folder), name(request).trim_end_matches(".osci")).unwrap();
        let (request, recorded) = (std::fs::read(request).unwrap(), std::fs::read(answer).unwrap());
        let order = opened(&request, keys).ok();
        told.answer(&all(&at.answer(&request[..]).unwrap()), order.as_ref());
        if let (Some(order), Ok(answer)) = (&order, opened(&recorded, keys)) {
            follow(at.backend(), order, &answer);
        }
    }
    told.text
}

#[test]
fn the_recorded_dialogs_are_answered_as_they_were_last_time() {
    let keys = keys();
    let answers: String = scenarios().iter().map(|folder| replayed(folder, &keys)).collect();
    if std::env::var_os("AMTSBOTE_WRITE_ANSWERS").is_some() {
        std::fs::write(file(), &answers).unwrap();
    }
    let known = std::fs::read_to_string(file()).unwrap_or_default();
    let changed = known.lines().zip(answers.lines()).enumerate().find(|(_, (old, new))| old != new);
    if let Some((number, (old, new))) = changed {
        panic!("line {}: was\n{old}\nand is\n{new}", number + 1);
    }
    assert_eq!(known.lines().count(), answers.lines().count());
    assert!(answers.lines().count() > 800);
}

#[test]
fn with_the_same_clock_and_the_same_random_bytes_an_answer_is_the_same_to_the_byte() {
    let folder = scenarios().into_iter().find(|folder| folder.ends_with("unencrypted")).unwrap();
    let answers = || {
        let at = recorded("unencrypted");
        let mut answers = Vec::new();
        for (request, answer) in requests(&folder) {
            let (request, recorded) = (std::fs::read(request).unwrap(), std::fs::read(answer).unwrap());
            answers.push(all(&at.answer(&request[..]).unwrap()));
            let keys = keys();
            if let (Ok(order), Ok(answer)) = (opened(&request, &keys), opened(&recorded, &keys)) {
                follow(at.backend(), &order, &answer);
            }
        }
        answers
    };
    assert_eq!(answers(), answers());
}
