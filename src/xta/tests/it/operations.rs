//! Every operation, asked bare and as a package, is answered as the schemas say.

use std::io::{self, Read};

use xta::Error;
use xta::server::{Port, Request, Settings, carry_out};
use xta::v3::names::Operation;

use crate::bed::{Asked, CONTAINER, Got, Judged, at_once, author, judge, meta, validate};
use crate::memory::Memory;

const ID: &str = "urn:de:xta:messageid:x:1";
const READER: &str = "ags:87654321";

/// One request of each operation, so that each finds what it is about.
fn next(name: &str, iterator: &str, received: &str) -> String {
    format!("<o:{name} MsgBoxRequestID=\"{iterator}\">{received}</o:{name}>")
}

fn all() -> Vec<(Operation, Asked)> {
    let id = format!("<wsa:MessageID>{ID}</wsa:MessageID>");
    let lookup = |service: &str, reader: &str| {
        format!(
            "<x:LookupServiceRequestList><x:LookupService><m:Reader><m:Identifier type=\"xoev\">{reader}\
             </m:Identifier></m:Reader><x:ServiceType>{service}</x:ServiceType></x:LookupService>\
             </x:LookupServiceRequestList>"
        )
    };
    let services = [("urn:dienst", READER), ("urn:dienst", "ags:12345678"), ("urn:unknown", READER)]
        .map(|(service, reader)| lookup(service, reader))
        .concat();
    let lookup = format!("<x:LookupServiceRequest>{services}</x:LookupServiceRequest>");
    let (ours, theirs) = (author("ags:12345678"), author(READER));
    let received = format!("<o:LastMsgReceived>{ID}</o:LastMsgReceived>");
    let list = "<o:MsgBoxStatusListRequest ListForm=\"MessageMetaData\" maxListItems=\"5\"/>";
    let attributes = "<o:MsgBoxStatusListRequest ListForm=\"MsgAtrributes\"><o:MsgSelector \
        newEntry=\"false\"/></o:MsgBoxStatusListRequest>";
    let fetch = format!(
        "<o:MsgBoxFetchRequest MsgPart=\"Envelope\"><o:MsgSelector><wsa:MessageID>{ID}</wsa:MessageID>\
         </o:MsgSelector></o:MsgBoxFetchRequest>"
    );
    use Operation::*;
    let bare = |operation, blocks: &str, body: &str| (operation, Asked::bare(operation, blocks, body));
    vec![
        bare(CheckAccountActive, &ours, ""),
        bare(CreateMessageId, "", " "),
        bare(LookupService, &ours, &lookup),
        bare(SendMessage, &meta(ID), CONTAINER),
        bare(SendMessageSync, &meta("urn:de:xta:messageid:x:2"), CONTAINER),
        bare(GetTransportReport, &ours, &id),
        bare(CancelMessage, &ours, &id),
        bare(GetStatusList, &theirs, list),
        bare(GetNextStatusList, &theirs, &next("MsgBoxGetNextRequest", "urn:uuid:list", "")),
        bare(GetNextStatusList, &theirs, &next("MsgBoxGetNextRequest", "urn:uuid:other", "")),
        bare(GetMessage, &theirs, &fetch),
        bare(GetStatusList, &theirs, attributes),
        bare(GetNextMessage, &theirs, &next("MsgBoxGetNextRequest", "urn:uuid:fetch", "")),
        bare(Close, &theirs, &next("MsgBoxCloseRequest", "1", &received)),
        bare(GetStatusList, &theirs, list),
    ]
}

fn check(got: &[Got]) -> Vec<Judged> {
    assert!(got.iter().all(|got| got.status == 200));
    validate(got);
    let judged = judge(got);
    for (judged, (operation, _)) in judged.iter().zip(all()) {
        assert_eq!(judged.verdict, "answered", "{operation:?}");
        assert_eq!(judged.texts("Action"), [operation.action()]);
        assert_eq!(judged.texts("RelatesTo").first(), Some(&"urn:uuid:7"), "{operation:?}");
        assert_eq!(judged.texts("To"), ["http://www.w3.org/2005/08/addressing/anonymous"]);
    }
    judged
}

#[test]
fn every_operation_is_answered_as_the_schemas_say() {
    let backend = Memory::default();
    let got: Vec<Got> = all().iter().map(|(_, asked)| asked.of(&backend)).collect();
    let judged = check(&got);
    assert!(got.iter().all(|got| got.content_type.starts_with("application/soap+xml")));
    let (looked, report, cancelled) = (&judged[2], &judged[5], &judged[6]);
    assert_eq!(looked.texts("ServiceIsAvailable"), ["true", "false"]);
    assert_eq!(looked.texts("ServiceIsAvailableUnknown"), ["true"]);
    assert_eq!(report.texts("Status"), ["3"]);
    assert_eq!(["Error", "Warning", "Info"].map(|name| report.shown(name).count()), [1, 1, 2]);
    assert_eq!(cancelled.shown("Body").collect::<Vec<_>>(), [" | "]);
    assert_eq!(judged[7].texts("ItemsPending"), ["0"]);
    let reasons = |judged: &Judged| judged.shown("NoMessageAvailable").map(str::to_owned).collect::<Vec<_>>();
    let reason =
        |name| vec![format!(" reason=http://www.osci.eu/ws/2008/05/transport/MsgBox/reasons/{name} | ")];
    assert_eq!(reasons(&judged[9]), reason("RequestIdInvalid"));
    assert_eq!(reasons(&judged[14]), reason("NoMatch"));
    assert_eq!(judged[11].texts("TypeOfBusinessScenario"), ["X_DATA"]);
    for at in [4, 10, 12] {
        assert_eq!(judged[at].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
        assert_eq!(judged[at].texts("Attachment"), ["JVBERi0xLjQ="]);
        assert!(judged[at].shown("Attachment").next().unwrap().contains("contentDescription=d"));
    }
}

#[test]
fn who_asks_with_packages_is_answered_with_packages() {
    let backend = Memory::default();
    let ask = |(operation, asked): &(Operation, Asked)| asked.packed(*operation).of(&backend);
    let got: Vec<Got> = all().iter().map(ask).collect();
    assert!(got.iter().all(|got| got.content_type.starts_with("multipart/related")));
    let judged = check(&got);
    assert_eq!(judged[10].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
    assert!(!String::from_utf8_lossy(&got[10].body).contains("JVBERi0xLjQ="), "contents are parts");
}

#[test]
fn metadata_come_out_of_the_box_as_they_went_in() {
    let backend = Memory::default();
    let sent = Asked::bare(Operation::SendMessage, &meta(ID), CONTAINER).of(&backend);
    assert_eq!(sent.status, 200);
    let list = "<o:MsgBoxStatusListRequest/>";
    let got = Asked::bare(Operation::GetStatusList, &author(READER), list).of(&backend);
    let given = Got { body: crate::bed::envelope(&meta(ID), "").into_bytes(), ..got.clone() };
    let [ours, given] = <[Judged; 2]>::try_from(judge(&[got, given])).unwrap();
    let inner = |judged: &Judged| {
        let from = judged.elements.iter().position(|line| line.starts_with("MessageMetaData")).unwrap();
        let mut lines = judged.elements[from..].to_vec();
        // The box adds when it was delivered; the given one is in a header.
        lines.retain(|line| !line.starts_with("Delivery | 2") && !line.starts_with("Body"));
        lines
    };
    assert_eq!(inner(&ours), inner(&given));
    assert!(inner(&ours).len() > 35);
}

#[test]
fn an_encrypted_container_is_handed_out_as_it_was_sent() {
    let encrypted = "<x:GenericContentContainer><e:EncryptedData \
        xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:CipherData><e:CipherValue>AAEC</e:CipherValue>\
        </e:CipherData></e:EncryptedData></x:GenericContentContainer>";
    let backend = Memory::default();
    let sent = Asked::bare(Operation::SendMessage, &meta(ID), encrypted).of(&backend);
    let fetch = Asked::bare(Operation::GetMessage, &author(READER), "<o:MsgBoxFetchRequest/>");
    let got = [sent, fetch.of(&backend), fetch.packed(Operation::GetMessage).of(&backend)];
    validate(&got);
    let judged = judge(&got);
    assert_eq!(judged[1].texts("CipherValue"), ["AAEC"]);
    assert_eq!(judged[2].texts("CipherValue"), ["AAEC"]);
}

#[test]
fn a_block_that_nobody_asks_for_is_not_judged() {
    let long = meta(ID).replace("urn:dienst", &"x".repeat(70_000));
    let party = author("ags:12345678");
    let asked = [
        Asked::bare(Operation::CheckAccountActive, &format!("{party}{long}"), ""),
        Asked::bare(Operation::SendMessage, &long, CONTAINER),
    ];
    let got = asked.map(|asked| asked.of(&Memory::default()));
    let verdicts: Vec<String> = judge(&got).into_iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, ["answered", "Sender"]);
}

#[test]
fn a_request_that_breaks_off_within_a_block_is_not_taken_for_a_wrong_one() {
    struct Gone;
    impl Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let asked = Asked::bare(Operation::SendMessage, &meta(ID), CONTAINER);
    let end = asked.body.windows(6).position(|six| six == b"Reader").unwrap();
    let body = asked.body[..end].chain(Gone);
    let Asked { port, content_type, accept, .. } = asked.clone();
    let request = Request { port, content_type, accept, body };
    let backend = Memory::default();
    let done = at_once(carry_out(&backend, request, &Settings::default()));
    assert!(matches!(done.refusal(), Some(Error::Io(_))), "{:?}", done.refusal());
}

#[test]
fn what_some_leave_out_is_accepted_from_those_who_may() {
    let sloppy = meta(ID)
        .replace("<m:Identifier type=\"xoev\">ags:87654321", "<m:Identifier>ags:87654321")
        .replace("<m:Service>urn:dienst</m:Service>", "<m:Service/>");
    let from = sloppy.find("<m:BusinessScenario>").unwrap();
    let to = sloppy.find("<m:MessageType").unwrap();
    let sloppy = [&sloppy[..from], &sloppy[to..], "<o:X509TokenContainer/>"].concat();
    let asked = Asked::bare(Operation::SendMessage, &sloppy, CONTAINER);
    let (strict, lenient) = (Memory::default(), Memory { is_lenient: true, ..Memory::default() });
    let party = author("ags:12345678").replace(" type=\"xoev\"", "");
    let active = Asked::bare(Operation::CheckAccountActive, &party, "");
    let got = [asked.of(&strict), asked.of(&lenient), active.of(&lenient), active.of(&strict)];
    let verdicts: Vec<String> = judge(&got).into_iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, ["Sender 9022", "answered", "answered", "Sender 9022"]);
    assert!(strict.boxes.lock().unwrap().is_empty());
    let stored = lenient.boxes.lock().unwrap()[0].meta.clone();
    assert_eq!((stored.reader.scheme, stored.scenario, stored.service), (None, None, String::new()));
}

#[test]
fn a_list_goes_on_in_the_form_that_it_began_in() {
    let (backend, reader) = (Memory::default(), author("ags:87654321"));
    let list = |body: &str| Asked::bare(Operation::GetStatusList, &reader, body);
    let goes_on = |iterator: &str| {
        let body = next("MsgBoxGetNextRequest", iterator, "");
        Asked::bare(Operation::GetNextStatusList, &reader, &body)
    };
    let received = format!("<o:LastMsgReceived>{ID}</o:LastMsgReceived>");
    let close = next("MsgBoxCloseRequest", "urn:uuid:list:MsgAttributes", &received);
    let got = [
        Asked::bare(Operation::SendMessage, &meta(ID), CONTAINER),
        list("<o:MsgBoxStatusListRequest ListForm=\"MsgAtrributes\"/>"),
        goes_on("urn:uuid:list:MsgAttributes"),
        goes_on("urn:uuid:list"),
        Asked::bare(Operation::Close, &reader, &close),
        goes_on("urn:uuid:list:MsgAttributes"),
    ];
    let got: Vec<Got> = got.iter().map(|asked| asked.of(&backend)).collect();
    validate(&got);
    let judged = judge(&got);
    let iterator = |at: usize| {
        let response = judged[at].shown("MsgBoxResponse").next().unwrap();
        response.contains("MsgBoxRequestID=urn:uuid:list:MsgAttributes")
    };
    assert_eq!([1, 2, 3].map(iterator), [true, true, false]);
    let forms = [2, 3].map(|at| judged[at].texts("TypeOfBusinessScenario").len());
    assert_eq!(forms, [1, 0], "the same entry, in each of the forms");
    assert!(judged[5].texts("TypeOfBusinessScenario").is_empty(), "it is closed");
}

#[test]
fn addressing_may_be_left_out_where_that_is_allowed() {
    let action = Operation::CheckAccountActive.action();
    let body = crate::bed::envelope(&author("ags:12345678"), "");
    let asked =
        Asked::raw(Port::V3(Operation::CheckAccountActive.port()), &crate::bed::soap_xml(action), body);
    let settings = Settings { needs_addressing: false, ..Settings::default() };
    assert_eq!(asked.with(&Memory::default(), &settings).status, 200);
    assert_eq!(asked.of(&Memory::default()).status, 500);
}
