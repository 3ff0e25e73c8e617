//! Every operation, asked bare and as a package, is answered as the schemas say; messages go from version to version.

use super::*;
use crate::bed;
use crate::memory::Memory;
use xta::v3::names::Operation as V3;

/// One request of each operation, so that each finds what it is about.
fn all() -> Vec<(Operation, Asked)> {
    let (ours, theirs) = (party(AUTHOR), party(READER));
    let query = |reader: &str, service: &str| {
        format!(
            "<c:LookupService><c:Reader><c:Identifier>{reader}</c:Identifier></c:Reader>{service}</c:LookupService>"
        )
    };
    let service = |name: &str| format!("<c:Service>{name}</c:Service>");
    let queries =
        [query(READER, &service("urn:dienst")), query(AUTHOR, ""), query(READER, &service("urn:unknown"))];
    let lookup = format!("<c:LookupQuery>{}</c:LookupQuery>", queries.concat());
    let id = format!("<c:XTAMessageID id=\"m\">{ID}</c:XTAMessageID>");
    let named = format!("<c:MessageSelector><c:XTAMessageIDs>{id}</c:XTAMessageIDs></c:MessageSelector>");
    use Operation::*;
    let ask = |operation, blocks: &str, body: &str| (operation, bare(operation, blocks, body));
    vec![
        ask(CheckAccountActive, &ours, ""),
        ask(CreateMessageId, &ours, " "),
        ask(LookupService, &ours, &lookup),
        ask(SendMessage, &sending(ID), CONTAINER),
        ask(SendMessageSync, &sending("urn:de:xta:messageid:x:2"), CONTAINER),
        ask(DeliverMessage, &sending("urn:de:xta:messageid:x:3"), CONTAINER),
        ask(GetTransportReport, &ours, &id),
        ask(GetStatusList, &theirs, &criteria("<c:MaxMessages>5</c:MaxMessages>")),
        ask(GetMessage, &theirs, &fetch(ID)),
        ask(GetStatusList, &theirs, &criteria("")),
        ask(GetStatusList, &theirs, &criteria("<c:NewEntry>false</c:NewEntry>")),
        ask(GetStatusList, &theirs, &named),
        ask(Close, &theirs, &fetch(ID)),
        ask(GetStatusList, &theirs, &named),
    ]
}

fn check(got: &[Got]) -> Vec<Judged> {
    assert!(got.iter().all(|got| got.status == 200));
    let judged = checked(got);
    for (judged, (operation, _)) in judged.iter().zip(all()) {
        assert_eq!(judged.verdict, "answered", "{operation:?}");
        assert_eq!(judged.texts("Action"), [format!("{}Response", operation.action())]);
        assert_eq!(judged.texts("RelatesTo"), ["urn:uuid:7"]);
        assert_eq!(judged.texts("To"), ["http://www.w3.org/2005/08/addressing/anonymous"]);
    }
    judged
}

#[test]
fn every_operation_is_answered_as_the_schemas_say() {
    let backend = Memory::default();
    let got: Vec<Got> = all().iter().map(|(_, asked)| asked.of(&backend)).collect();
    assert!(got.iter().all(|got| got.content_type.starts_with("application/soap+xml")));
    let judged = check(&got);
    assert_eq!(judged[2].texts("ServiceIsAvailable"), ["true", "false"]);
    assert_eq!(judged[2].texts("ServiceIsAvailableUnknown"), ["true"]);
    assert_eq!(judged[2].texts("Service"), ["urn:dienst", "urn:unknown"]);
    assert_eq!(judged[5].shown("ContentContainerReply").count(), 1);
    assert_eq!(judged[5].shown("ContentContainer").count(), 0, "nothing is to be answered");
    assert_eq!(judged[5].shown("MessageMetaDataReply").count(), 1);
    assert_eq!(judged[6].texts("Status"), ["3"]);
    assert_eq!(["Error", "Warning", "Info"].map(|name| judged[6].shown(name).count()), [1, 1, 2]);
    for at in [4, 8] {
        assert_eq!(judged[at].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
        assert_eq!(judged[at].texts("Attachment"), ["JVBERi0xLjQ="]);
    }
    let ids = |at: usize| judged[at].texts("XTAMessageID");
    let delivered = "urn:de:xta:messageid:x:3";
    assert_eq!(ids(7), [ID, delivered]);
    assert_eq!(ids(9), [delivered], "what is asked for is new unless something else is said");
    assert_eq!((ids(10), ids(11)), (vec![ID, delivered], vec![ID]));
    assert_eq!(
        judged[13].texts("NoMessageAvailable"),
        ["http://www.osci.eu/ws/2008/05/transport/MessageBox/reasons/NoMatch"]
    );
    assert_eq!(judged[7].texts("MessagesPending"), ["0"]);
}

#[test]
fn who_asks_with_packages_is_answered_with_packages() {
    let backend = Memory::default();
    let ask = |(operation, asked): &(Operation, Asked)| asked.packed_as(operation.action()).of(&backend);
    let got: Vec<Got> = all().iter().map(ask).collect();
    assert!(got.iter().all(|got| got.content_type.starts_with("multipart/related")));
    let judged = check(&got);
    for at in [4, 8] {
        assert_eq!(judged[at].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
        assert!(!String::from_utf8_lossy(&got[at].body).contains("JVBERi0xLjQ="), "contents are parts");
    }
}

/// Elements of the metadata in an answer or request, without ids and without what the box adds.
fn inner(judged: &Judged) -> Vec<String> {
    let from = judged.elements.iter().position(|line| line.starts_with("MessageMetaData")).unwrap();
    let lines = judged.elements[from..].iter().take_while(|line| !line.starts_with("Body"));
    let plain = |line: &String| match line.split_once(" id=") {
        Some((before, rest)) => format!("{before}{}", &rest[rest.find(' ').unwrap_or(0)..]),
        None => line.clone(),
    };
    lines.map(plain).filter(|line| !line.starts_with("Delivery ") && !line.starts_with("Party")).collect()
}

#[test]
fn metadata_come_out_of_the_box_as_they_went_in_but_for_their_ids() {
    let backend = Memory::default();
    assert_eq!(bare(Operation::SendMessage, &sending(ID), CONTAINER).of(&backend).status, 200);
    let list = bare(Operation::GetStatusList, &party(READER), &criteria(""));
    let got = list.of(&backend);
    let given = Got { body: envelope(&meta(ID), "").into_bytes(), ..got.clone() };
    let [ours, given] = <[Judged; 2]>::try_from(judge(&[got, given])).unwrap();
    assert_eq!(inner(&ours), inner(&given));
    assert!(inner(&ours).len() > 50);
}

#[test]
fn a_message_of_one_version_is_fetched_by_the_other() {
    let backend = Memory::default();
    let second = "urn:de:xta:messageid:x:2";
    let by_v3 = Asked::bare(V3::SendMessage, &bed::meta(ID), bed::CONTAINER);
    let by_v5 = bare(Operation::SendMessage, &sending(second), CONTAINER);
    assert_eq!([by_v3.of(&backend).status, by_v5.of(&backend).status], [200, 200]);
    let got = [
        bare(Operation::GetStatusList, &party(READER), &criteria("")),
        bare(Operation::GetMessage, &party(READER), &fetch(ID)),
        bare(Operation::GetMessage, &party(READER), &fetch(ID)).accepting_packages(),
    ]
    .map(|asked| asked.of(&backend));
    let judged = checked(&got);
    assert_eq!(judged[0].texts("XTAMessageID"), [ID, second]);
    for judged in &judged[1..] {
        assert_eq!(judged.texts("Attachment"), ["JVBERi0xLjQ="]);
        assert!(judged.texts("Value").contains(&"Müller & Söhne"), "the subject is a property");
    }
    let body = format!(
        "<o:MsgBoxFetchRequest><o:MsgSelector><wsa:MessageID>{second}</wsa:MessageID></o:MsgSelector>\
         </o:MsgBoxFetchRequest>"
    );
    let got = [
        Asked::bare(V3::GetStatusList, &bed::author(READER), "<o:MsgBoxStatusListRequest/>").of(&backend),
        Asked::bare(V3::GetMessage, &bed::author(READER), &body).of(&backend),
    ];
    bed::validate(&got);
    let judged = judge(&got);
    assert_eq!(judged[1].texts("Message"), ["PG4geG1sbnM9InVybjp0ZXN0Ii8+"]);
    assert!(judged[1].shown("Attachment").any(|it| it.contains("contentType=application/octet-stream")));
}

#[test]
fn an_encrypted_container_of_version_3_is_a_message_in_version_5() {
    let encrypted = "<x:GenericContentContainer><e:EncryptedData \
        xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:CipherData><e:CipherValue>AAEC</e:CipherValue>\
        </e:CipherData></e:EncryptedData></x:GenericContentContainer>";
    let backend = Memory::default();
    let sent = Asked::bare(V3::SendMessage, &bed::meta(ID), encrypted).of(&backend);
    assert_eq!(sent.status, 200);
    let ask = bare(Operation::GetMessage, &party(READER), &fetch(ID));
    let got = [ask.of(&backend), ask.packed_as(Operation::GetMessage.action()).of(&backend)];
    for judged in checked(&got) {
        let [message] = judged.texts("Message")[..] else { panic!() };
        assert!(message.starts_with("PGU6RW5jcnlwdGVkRGF0Y"), "{message}");
    }
}

#[test]
fn a_container_may_have_attachments_only_and_ids_that_cannot_stay_are_made_anew() {
    let ids = ["xta-content-1", "1a", "ok", "ok"];
    let list = ids.map(|id| format!("<c:Attachment id=\"{id}\">QQ==</c:Attachment>")).concat();
    let backend = Memory::default();
    let container = format!("<c:ContentContainer>{list}</c:ContentContainer>");
    assert_eq!(bare(Operation::SendMessage, &sending(ID), &container).of(&backend).status, 200);
    let got = [bare(Operation::GetMessage, &party(READER), &fetch(ID)).of(&backend)];
    let judged = checked(&got);
    let shown: Vec<&str> = judged[0].shown("Attachment").collect();
    assert_eq!(shown.len(), 4);
    assert_eq!(shown.iter().filter(|it| it.contains(" id=ok ")).count(), 1);
}

#[test]
fn the_namespace_of_the_version_before_is_answered_in_that_of_this_one() {
    let backend = Memory::default();
    let asked = bare(Operation::SendMessage, &sending(ID), CONTAINER);
    let body = String::from_utf8(asked.body.clone()).unwrap().replace("core/3.1.1", "core/3.1.0");
    let sent = Asked { body: body.into_bytes(), ..asked }.of(&backend);
    assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.body));
    let got = bare(Operation::GetMessage, &party(READER), &fetch(ID)).of(&backend);
    assert!(!String::from_utf8_lossy(&got.body).contains("3.1.0"));
    checked(&[got]);
}
