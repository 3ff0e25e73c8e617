//! Every exception reaches the other side in its element and with its action; where an operation has it not, another tells it.

use std::io::Read;

use xta::model::Version;
use xta::server::failure;
use xta::v5::names::{element, exceptions};
use xta::{Exception, Fault};

use super::*;
use crate::memory::Memory;

const ALL: [Exception; 11] = [
    Exception::PermissionDenied,
    Exception::ParameterIsNotValid,
    Exception::XtaWsTechnicalProblem,
    Exception::MessageSchemaViolation,
    Exception::MessageVirusDetection,
    Exception::InvalidMessageId,
    Exception::SyncAsync,
    Exception::NotImplemented,
    Exception::ParameterNotSupported,
    Exception::UnsupportedExtension,
    Exception::ExternalServiceUnavailable,
];

/// A request of each operation that reaches the backend.
fn asked(operation: Operation) -> Asked {
    bare(operation, &sending(ID), "")
}

#[test]
fn every_exception_is_told_by_every_operation_in_one_that_it_has() {
    let pairs = Operation::ALL.into_iter().flat_map(|it| ALL.map(|exception| (it, exception)));
    let pairs: Vec<_> = pairs.collect();
    let answer = |(operation, exception): &(Operation, Exception)| {
        asked(*operation).of(&Memory::refusing(Fault { code: 9000, exception: *exception }))
    };
    let got: Vec<Got> = pairs.iter().map(answer).collect();
    assert!(got.iter().all(|got| got.status == 500));
    for ((operation, exception), judged) in pairs.into_iter().zip(checked(&got)) {
        let has = exceptions(operation).any(|it| it == exception);
        let told = exceptions(operation).find(|it| judged.shown(element(*it)).count() == 1).unwrap();
        assert!(!has || told == exception, "{operation:?} {exception:?}");
        assert_eq!(judged.texts("Action"), [operation.fault_action(told)]);
        assert_eq!((judged.texts("code"), judged.texts("RelatesTo")), (vec!["9000"], vec!["urn:uuid:7"]));
        assert!(!judged.texts("Detail").concat().is_empty());
    }
}

#[test]
fn codes_are_those_of_version_3_and_each_has_its_exception() {
    let codes = [
        (9010, "PermissionDenied"),
        (9014, "PermissionDenied"),
        (9020, "ParameterIsNotValid"),
        (9024, "ParameterIsNotValid"),
        (9030, "TechnicalProblem"),
        (9031, "ExternalServiceUnavailable"),
        (9032, "ExternalServiceUnavailable"),
        (9050, "MessageSchemaViolation"),
        (9060, "MessageVirusDetection"),
        (9080, "SyncAsync"),
        (9081, "SyncAsync"),
        (9101, "TechnicalProblem"),
    ];
    let operation = Operation::SendMessageSync;
    let got = codes.map(|(code, _)| asked(operation).of(&Memory::refusing(Fault::of(code))));
    for ((code, name), judged) in codes.iter().zip(checked(&got)) {
        assert_eq!(judged.texts("code"), [code.to_string()]);
        let action = format!("https://xoev.de/transport/xta/core/core.sender/{name}Exception");
        assert_eq!(judged.texts("Action"), [action]);
        let list = "urn:xoev-de:kosit:codeliste:xta.core.fehlernummer";
        assert!(judged.shown("ErrorCode").next().unwrap().contains(list));
    }
}

#[test]
fn a_failure_of_ours_is_told_as_one() {
    let answer = failure(Version::V5).unwrap();
    let mut body = Vec::new();
    answer.body.open().read_to_end(&mut body).unwrap();
    let got = Got { status: answer.status, content_type: answer.content_type, body };
    assert_eq!(checked(&[got])[0].verdict, "Receiver 9030");
}
