//! Every code reaches the other side in its exception, under the name that the standard gives it.

use xta::model::Version;
use xta::server::failure;
use xta::v3::names::Operation;
use xta::{Exception, Fault};

use crate::bed::{Asked, Got, judge, shared, validate};
use crate::memory::Memory;

const EXCEPTIONS: [(Exception, &str); 8] = [
    (Exception::PermissionDenied, "PermissionDeniedException"),
    (Exception::ParameterIsNotValid, "ParameterIsNotValidException"),
    (Exception::XtaWsTechnicalProblem, "XTAWSTechnicalProblemException"),
    (Exception::MessageSchemaViolation, "MessageSchemaViolationException"),
    (Exception::MessageVirusDetection, "MessageVirusDetectionException"),
    (Exception::InvalidMessageId, "InvalidMessageIDException"),
    (Exception::SyncAsync, "SyncAsyncException"),
    (Exception::CancelDenied, "CancelDeniedException"),
];

/// Codes, their names, and the exception that the schema's comment names.
fn codes() -> Vec<(u16, String, String)> {
    let schema = std::fs::read_to_string(shared("packs/xta/v3-ws211/XTA-Webservice-Datentypen.xsd")).unwrap();
    let list = schema.split("name=\"Codelist.Fehlernummer\"").nth(1).unwrap();
    let list = list.split("</xs:simpleType>").next().unwrap();
    let between = |text: &str, from: &str, to: &str| {
        let rest = text.split(from).nth(1)?;
        Some(rest.split(to).next()?.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let entries = list.split("<xs:enumeration value=\"").skip(1).map(|entry| {
        let code = entry.split('"').next().unwrap().parse().unwrap();
        let exception = between(entry, "<xs:documentation>", "</xs:documentation>").unwrap_or_default();
        (code, between(entry, "<codeName>", "</codeName>").unwrap(), exception)
    });
    entries.collect()
}

fn asked(fault: Fault) -> [Got; 2] {
    let operation = Operation::SendMessage;
    let bare = Asked::bare(operation, &crate::bed::meta("urn:de:xta:messageid:x:1"), crate::bed::CONTAINER);
    let backend = Memory::refusing(fault);
    [bare.of(&backend), bare.packed(operation).of(&backend)]
}

#[test]
fn every_code_of_the_list_is_told_with_its_name_in_its_exception() {
    let codes = codes();
    assert_eq!(codes.len(), 23);
    let faults: Vec<Fault> = codes.iter().map(|(code, ..)| Fault::of(*code)).collect();
    let answers: Vec<Got> = faults.iter().copied().flat_map(asked).collect();
    assert!(answers.iter().all(|got| got.status == 500));
    validate(&answers);
    for (judged, (code, name, exception)) in judge(&answers).iter().zip(codes.iter().flat_map(|it| [it, it]))
    {
        assert_eq!(judged.texts("code"), [code.to_string()]);
        assert_eq!(judged.texts("name"), [name]);
        assert_eq!(judged.texts("Action"), [Operation::SendMessage.action()]);
        assert_eq!(judged.texts("RelatesTo"), ["urn:uuid:7"]);
        let expected = EXCEPTIONS.iter().find(|(it, _)| *it == Fault::of(*code).exception).unwrap().1;
        assert_eq!(judged.shown(expected).count(), 1, "{code}");
        // The list writes some of them in another way: one is without its c, one without a capital.
        let exception = exception.replace("Exeption", "Exception");
        assert!(exception.is_empty() || exception.eq_ignore_ascii_case(expected), "{code}: {exception}");
        let side = if (9030..=9032).contains(code) || *code == 9000 { "Receiver" } else { "Sender" };
        assert_eq!(judged.verdict, format!("{side} {code}"));
    }
}

#[test]
fn each_exception_carries_the_code_that_is_for_none_of_them() {
    let faults = EXCEPTIONS.map(|(exception, _)| Fault { code: 9000, exception });
    let answers: Vec<Got> = faults.into_iter().flat_map(asked).collect();
    validate(&answers);
    for (judged, (_, name)) in judge(&answers).iter().zip(EXCEPTIONS.iter().flat_map(|it| [it, it])) {
        assert_eq!(judged.shown(name).count(), 1, "{name}");
        assert_eq!(judged.texts("code"), ["9000"]);
    }
}

#[test]
fn a_failure_of_ours_is_told_as_one() {
    let answer = failure(Version::V3).unwrap();
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut answer.body.open(), &mut body).unwrap();
    let got = Got { status: answer.status, content_type: answer.content_type, body };
    validate(std::slice::from_ref(&got));
    assert_eq!(judge(&[got])[0].verdict, "Receiver 9030");
}
