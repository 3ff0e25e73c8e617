//! What JAX-WS sent is answered as JAX-WS did.

use super::*;
use crate::bed::shared;
use crate::memory::Memory;

/// The pairs that were recorded, in their order.
const PAIRS: [&str; 10] = ["01", "03", "04", "06", "07", "08", "09", "12", "13", "15"];

/// A recorded answer.
fn recorded(number: &str) -> Got {
    let bytes = std::fs::read(shared(&format!("samples/xta/v5-jaxws-wire/{number}_response.http"))).unwrap();
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix("Content-type: ")).unwrap();
    Got { status, content_type: line.to_owned(), body: bytes[at + 4..].to_vec() }
}

#[test]
fn each_recorded_request_of_jax_ws_is_answered_as_jax_ws_did() {
    let backend = Memory::default();
    let ask = |number: &&str| {
        Asked::recorded(&format!("samples/xta/v5-jaxws-wire/{number}_request.http")).of(&backend)
    };
    let ours: Vec<Got> = PAIRS.iter().map(ask).collect();
    let theirs: Vec<Got> = PAIRS.iter().map(|number| recorded(number)).collect();
    for (number, (ours, theirs)) in PAIRS.iter().zip(checked(&ours).iter().zip(judge(&theirs).iter())) {
        // JAX-WS calls every fault one of the receiver.
        assert_eq!(ours.verdict.replace("Sender", "Receiver"), theirs.verdict, "{number}");
        for name in
            ["Action", "RelatesTo", "Identifier", "MessageType", "code", "Undefined", "MessagesPending"]
        {
            let (ours, theirs): (Vec<&str>, Vec<&str>) =
                (ours.shown(name).collect(), theirs.shown(name).collect());
            // Reports differ in their entries. Nothing is answered to what is delivered here.
            if !matches!(
                (*number, name),
                ("09", "code") | ("15", "Identifier" | "MessageType" | "code" | "Undefined")
            ) {
                assert_eq!(ours, theirs, "{number} {name}");
            }
        }
        let texts = |judged: &Judged| ["Message", "Attachment"].map(|name| judged.texts(name).concat());
        if *number != "15" {
            assert_eq!(texts(ours), texts(theirs), "{number}");
        }
    }
    for (number, (ours, theirs)) in PAIRS.iter().zip(ours.iter().zip(theirs.iter())) {
        assert_eq!(ours.status, theirs.status, "{number}");
        let is_package = |got: &Got| got.content_type.starts_with("multipart/related");
        assert_eq!(is_package(ours), is_package(theirs), "{number}");
    }
}
