//! Every message of the corpus: what is sound is decrypted, verified and understood; what is broken on purpose gets the
//! code that its folder names; and each order, replayed, is answered as it was then.

use std::path::{Path, PathBuf};

use osci::intermediary::backend::DialogState;
use osci::message::{Body, Message};
use osci::names::{Kind, Order};
use osci::package::Package;
use osci::transport::{Limits, open};
use seal::algorithm::Policy;
use seal::identity::Identity;

use crate::bed::{certificate, corpus, identity, intermediary};
use crate::memory::Memory;

/// When the corpus was recorded.
const THEN: i64 = 1_795_404_300;

/// A message of the corpus, opened with whichever key fits.
fn opened(bytes: &[u8], keys: &[Identity]) -> osci::Result<Message> {
    let policy = Policy::default().with_legacy();
    let opened = open(bytes, keys, &policy, &Limits::default())?;
    let package = Package::open(opened.package, &Limits::default())?;
    let unverified = package.read()?;
    if unverified.is_signed() {
        unverified.verify(&policy).map(|(message, _)| message)
    } else {
        unverified.unsigned()
    }
}

fn keys() -> Vec<Identity> {
    ["intermed", "alice", "bob", "carol", "dave", "expired", "revoked", "mallory"]
        .map(|who| identity(&format!("{who}_cipher")))
        .into()
}

fn scenarios() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(corpus().join("messages")).unwrap();
    let mut folders: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 40, "the corpus is not whole");
    folders
}

fn messages(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "osci"));
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_sound_message_is_decrypted_verified_and_understood() {
    let keys = keys();
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in scenarios().iter().flat_map(|folder| messages(folder)) {
        let file_name = name(&file);
        let kind = file_name.split(['-', '.']).nth(1).unwrap().to_owned();
        if kind == "Invalid" || kind == "SOAPFault" {
            continue;
        }
        count += 1;
        match opened(&std::fs::read(&file).unwrap(), &keys) {
            Ok(message) => {
                let order = message.kind.order().unwrap().name();
                let expected = match message.kind {
                    Kind::Answer(_) => format!("ResponseTo{order}"),
                    _ => order.to_owned(),
                };
                assert_eq!(expected, kind, "{}", file.display());
            }
            Err(error) => wrong.push(format!("{}: {error}", file.display())),
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 250, "{count}");
}

/// The codes of a feedback.
fn codes(message: &Message) -> Vec<String> {
    match &message.body {
        Body::Answer(answer) => answer.feedback.iter().map(|entry| entry.code.clone()).collect(),
        _ => Vec::new(),
    }
}

/// The code of a fault.
fn fault_code(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    text.contains(":Fault>").then(|| text.split("Code").nth(1).unwrap().chars().filter(char::is_ascii_digit).collect())
}

/// What an intermediary answers to a request, told by the codes.
fn told(answer: &[u8], keys: &[Identity]) -> Vec<String> {
    match fault_code(answer) {
        Some(code) => vec![code],
        None => codes(&opened(answer, keys).expect("an answer that can be read")),
    }
}

/// Puts into memory what the recording intermediary remembered before this request.
fn remember(memory: &Memory, request: &Message, before: &[Message]) {
    let conversation = request.control.conversation.as_deref();
    for (order, answer) in before.chunks_exact(2).filter_map(|pair| <&[Message; 2]>::try_from(pair).ok()).map(|[a, b]| (a, b)) {
        if let Body::Answer(said) = &answer.body
            && let Some(id) = &said.message_id
        {
            memory.put_id(id);
        }
        let is_ours = conversation.is_some() && answer.control.conversation.as_deref() == conversation;
        if is_ours {
            let first = before.iter().find(|it| {
                it.kind == Kind::Order(Order::InitDialog) && answer.control.conversation.as_deref() == conversation
            });
            let cipher = first.and_then(|it| it.certificates.cipher_originator.as_ref());
            memory.put_dialog(
                conversation.unwrap(),
                DialogState {
                    cipher: cipher.map(|it| it.certificate.der().to_vec()).unwrap_or_default(),
                    signer: None,
                    next: answer.control.sequence.map_or(0, |sequence| sequence + 1),
                    challenge: answer.control.challenge.clone().unwrap_or_default(),
                    handed_out: Vec::new(),
                    knows_short_iv: true,
                },
            );
        }
        let _ = order;
    }
}
