//! Every message of the corpus: what is sound is decrypted, verified and understood; what is broken on purpose gets the
//! code that its folder names; and each order, replayed, is answered as it was then.

use std::io::Read;
use std::path::{Path, PathBuf};

use osci::message::{Body, Message};
use osci::names::{Kind, Order};
use osci::package::Package;
use osci::transport::{Limits, open};
use seal::algorithm::Policy;
use seal::identity::Identity;
use seal::xmlenc::Plaintext;

use crate::bed::{corpus, identity, intermediary};
use crate::memory::Memory;

/// When the corpus was recorded.
pub(crate) const THEN: i64 = 1_795_404_300;

/// A message of the corpus, opened with whichever key fits.
pub(crate) fn opened(bytes: &[u8], keys: &[Identity]) -> osci::Result<Message> {
    let policy = Policy::default().with_legacy();
    let opened = open(bytes, keys, &policy, &Limits::default())?;
    let mut package = Package::open(opened.package, &Limits::default())?;
    let unverified = package.read()?;
    if unverified.is_signed() {
        unverified.verify(&policy).map(|(message, _)| message)
    } else {
        unverified.unsigned()
    }
}

pub(crate) fn keys() -> Vec<Identity> {
    ["intermed", "alice", "bob", "carol", "dave", "expired", "revoked", "mallory"]
        .map(|who| identity(&format!("{who}_cipher")))
        .into()
}

pub(crate) fn scenarios() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(corpus().join("messages")).unwrap();
    let mut folders: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 40, "the corpus is not whole");
    folders
}

pub(crate) fn messages(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "osci"));
    files.sort();
    files
}

pub(crate) fn name(path: &Path) -> String {
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
pub(crate) fn fault_code(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let behind = text.split_once("<soap:Fault>")?.1.split_once("Code")?.1;
    Some(behind.split_once('>')?.1.split('<').next()?.to_owned())
}

/// What an intermediary answers to a request, told by the codes.
fn told(answer: &[u8], keys: &[Identity]) -> Vec<String> {
    match fault_code(answer) {
        Some(code) => vec![code],
        None => codes(&opened(answer, keys).expect("an answer that can be read")),
    }
}

/// Lets an intermediary know what the recording one knew after an answer: the id that it had issued, and where the
/// dialog stood.
pub(crate) fn follow(memory: &Memory, order: &Message, answer: &Message) {
    if let Body::Answer(said) = &answer.body
        && let Some(id) = &said.message_id
        && answer.kind == Kind::Answer(Order::GetMessageId)
    {
        memory.put_id(id);
    }
    let (Some(conversation), Some(challenge)) = (&answer.control.conversation, &answer.control.challenge)
    else {
        return;
    };
    let cipher = match order.kind {
        Kind::Order(Order::InitDialog) => order.certificates.cipher_originator.as_ref(),
        _ => None,
    };
    let cipher = cipher.map(|it| it.certificate.der().to_vec());
    memory.put_dialog(
        conversation,
        cipher,
        answer.control.sequence.map_or(0, |number| number + 1),
        challenge,
    );
}

/// Where the recording intermediary answered otherwise than it should have.
fn expected(folder: &str, recorded: Vec<String>, is_last: bool) -> Vec<String> {
    match folder {
        "unsigned-extra-header-9602" if is_last => vec!["9602".to_owned()],
        "unknown-message-type-9300" if is_last => vec!["9300".to_owned()],
        _ => recorded,
    }
}

/// The folder's requests that an intermediary answers, one after the other, each with the recorded answer.
pub(crate) fn requests(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let files = messages(folder);
    let number = |file: &PathBuf| name(file)[..2].to_owned();
    let is_request = |file: &&PathBuf| name(file).as_bytes()[2] == b'q';
    let answer = |request: &PathBuf| {
        files.iter().find(|file| number(file) == number(request) && name(file).as_bytes()[2] == b'r').cloned()
    };
    let to_us =
        |file: &&PathBuf| !name(file).contains("AcceptDelivery") && !name(file).contains("ProcessDelivery");
    files.iter().filter(is_request).filter(to_us).map(|file| (file.clone(), answer(file).unwrap())).collect()
}

#[test]
fn every_request_gets_the_codes_that_were_recorded_or_that_its_folder_names() {
    let keys = keys();
    let mut wrong = Vec::new();
    let mut count = 0;
    // A recipient who answers is needed for these.
    let passed_on = ["forward", "mediate"];
    for folder in scenarios() {
        let scenario = name(&folder);
        if passed_on.contains(&scenario.as_str()) {
            continue;
        }
        let requests = requests(&folder);
        let intermediary = intermediary(Policy::default().with_legacy(), Memory::at(THEN));
        for (index, (request, recorded)) in requests.iter().enumerate() {
            let (request, recorded) = (std::fs::read(request).unwrap(), std::fs::read(recorded).unwrap());
            let answer = all(&intermediary.answer(&request[..]).unwrap());
            let expected = expected(&scenario, told(&recorded, &keys), index + 1 == requests.len());
            let got = told(&answer, &keys);
            count += 1;
            if got != expected {
                wrong.push(format!(
                    "{scenario} {}: {got:?} instead of {expected:?}",
                    name(&requests[index].0)
                ));
            }
            if let (Ok(order), Ok(answer)) = (opened(&request, &keys), opened(&recorded, &keys)) {
                follow(intermediary.backend(), &order, &answer);
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

fn all(answer: &Plaintext) -> Vec<u8> {
    let mut bytes = Vec::new();
    answer.open().read_to_end(&mut bytes).unwrap();
    bytes
}
