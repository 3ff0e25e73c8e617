//! What independent clients sent is answered as an independent server did.

use crate::bed::{Asked, Got, judge, shared, soap_xml, validate};
use crate::memory::Memory;
use xta::server::{Port, Settings};
use xta::v3::names::Operation;

/// The pairs that were recorded, in their order.
const PAIRS: [&str; 9] = ["01", "03", "04", "06", "07", "08", "09", "12", "14"];

/// A recorded answer.
fn recorded(number: &str) -> Got {
    let bytes = std::fs::read(shared(&format!("samples/xta/v3-jaxws-wire/{number}_response.http"))).unwrap();
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
        Asked::recorded(&format!("samples/xta/v3-jaxws-wire/{number}_request.http")).of(&backend)
    };
    // The recorded server had no moment before which the message was not to be delivered, nor has ours.
    let ours: Vec<Got> = PAIRS.iter().map(ask).collect();
    let theirs: Vec<Got> = PAIRS.iter().map(|number| recorded(number)).collect();
    validate(&ours);
    for (number, (ours, theirs)) in PAIRS.iter().zip(judge(&ours).iter().zip(judge(&theirs).iter())) {
        // JAX-WS calls every fault one of the receiver.
        assert_eq!(ours.verdict.replace("Sender", "Receiver"), theirs.verdict, "{number}");
        for name in ["Action", "RelatesTo", "Message", "Attachment", "code", "name", "Identifier", "Subject"]
        {
            let ours: Vec<&str> = ours.shown(name).collect();
            let theirs: Vec<&str> = theirs.shown(name).collect();
            // Reports differ in their entries.
            if *number != "06" {
                assert_eq!(ours, theirs, "{number} {name}");
            }
        }
    }
    for (number, (ours, theirs)) in PAIRS.iter().zip(ours.iter().zip(theirs.iter())) {
        assert_eq!(ours.status, theirs.status, "{number}");
        let is_package = |got: &Got| got.content_type.starts_with("multipart/related");
        assert_eq!(is_package(ours), is_package(theirs), "{number}");
    }
}

/// Requests that zeep built, in their order, and what becomes of them.
const ZEEP: [(&str, Operation, &str); 8] = [
    ("01_checkAccountActive", Operation::CheckAccountActive, "answered"),
    ("02_createMessageId", Operation::CreateMessageId, "answered"),
    ("03_lookupService", Operation::LookupService, "answered"),
    ("05_cancelMessage", Operation::CancelMessage, "Sender 9022"),
    ("06_sendMessage", Operation::SendMessage, "answered"),
    ("08_getStatusList", Operation::GetStatusList, "answered"),
    ("10_getMessage", Operation::GetMessage, "answered"),
    ("12_close", Operation::Close, "answered"),
];

#[test]
fn each_request_of_zeep_is_answered_whether_it_reads_packages_or_not() {
    for accepts in [false, true] {
        let backend = Memory::default();
        let got: Vec<Got> = ZEEP
            .iter()
            .map(|(name, operation, _)| {
                let body =
                    std::fs::read(shared(&format!("samples/xta/v3-zeep-requests/{name}.xml"))).unwrap();
                let asked = Asked::raw(Port::V3(operation.port()), &soap_xml(operation.action()), body);
                let asked = if accepts { asked.accepting_packages() } else { asked };
                asked.with(&backend, &Settings::default())
            })
            .collect();
        validate(&got);
        let judged = judge(&got);
        for ((name, _, verdict), judged) in ZEEP.iter().zip(&judged) {
            assert_eq!(judged.verdict, *verdict, "{name}");
        }
        assert_eq!(judged[6].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
        assert_eq!(judged[6].texts("Attachment"), ["JVBERi0xLjQ="]);
        assert_eq!(got[6].content_type.starts_with("multipart/related"), accepts);
    }
}
