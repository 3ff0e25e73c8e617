//! What a conversion leaves out, it says; what would be read as something else, it refuses.

use model::Failure;
use model::exchange::{ImportResult, ImportResults};
use model::standard::{Outgoing, OutgoingContent, Written};
use xoev::xdomea::again;
use xoev::xdomea::messages::{MessageType, Version};

use crate::memory::{Memory, check, read, write};
use crate::tools::{own, pack, shared, unpack, xmllint};
use crate::trees::outgoing;
use crate::versions::{PROCESS, taken};

/// A message of a sample with another text in a place, taken in.
fn changed(version: Version, code: &str, sample: &str, change: (&str, &str)) -> Option<(Memory, Outgoing)> {
    let xml = std::fs::read_to_string(shared("samples/xoev/xdomea")?.join(sample)).unwrap();
    assert!(xml.contains(change.0), "{sample}: {}", change.0);
    let process = xml.split_once("ProzessID>").unwrap().1.split('<').next().unwrap().to_owned();
    let xml = xml.replace(&process, PROCESS).replacen(change.0, change.1, 1);
    Some(taken(version, MessageType::by_code(code, version).unwrap(), &xml))
}

const CIRCULATION: &str =
    "derived-3.0.0/11110000-0000-4000-8000-000000000201_Geschaeftsgang.Geschaeftsgang.0201.xml";

#[test]
fn documents_beside_cases_in_what_accompanies_a_circulation_become_attachments() {
    let element = |name: &str, number: u32, content: &str| {
        format!(
            "<xdomea:{name}><xdomea:Identifikation><xdomea:ID>1{number}552d67-43a1-4b7c-b813-65ae087befa7</xdomea:ID></xdomea:Identifikation>{content}</xdomea:{name}>"
        )
    };
    let (document, case) = (element("Dokument", 0, ""), element("Vorgang", 1, ""));
    let content = format!("<xdomea:Akteninhalt>{document}{case}</xdomea:Akteninhalt>");
    let attachment = format!("<xdomea:Anlage>{}</xdomea:Anlage>", element("Akte", 2, &content));
    let end = "</xdomea:Geschaeftsgang.Geschaeftsgang.0201>";
    let change = (end, &*(attachment + end));
    let Some((mut memory, mut outgoing)) = changed(Version::V3_0_0, "0201", CIRCULATION, change) else {
        return;
    };
    outgoing.version = "2.4.0".to_owned();
    let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
    let xml = unpack(&bytes).0;
    assert!(written.report.findings.iter().any(|finding| finding.rule == "xdomea.moved"));
    assert_eq!(xml.matches("10552d67-43a1-4b7c-b813-65ae087befa7").count(), 1, "{xml}");
    let Some(packs) = shared("packs") else { return };
    xmllint(&packs, "2.4.0", "0201", &xml).unwrap();
}

const TRANSFER: &str = "opengovdoc-4.0.0-0503/dcf9f610-edce-5531-ad75-2499d4978bea_0503_1.xml";

/// Rule and path of everything that was found.
fn found(written: &Written) -> Vec<(&str, &str)> {
    let findings = written.report.findings.iter();
    findings.map(|it| (&*it.rule, it.path.as_deref().unwrap_or_default())).collect()
}

/// A transfer of 4.0 with another text in a place, as a message of another version.
fn transfer_as(version: &str, change: (&str, &str)) -> Option<Result<(String, Written), Failure>> {
    let (mut memory, mut outgoing) = changed(Version::V4_0_0, "0503", TRANSFER, change)?;
    outgoing.version = version.to_owned();
    let written = write(&own(), &outgoing, &mut memory);
    Some(written.map(|(bytes, written)| (unpack(&bytes).0, written)))
}

#[test]
fn one_of_several_messages_is_not_written_where_it_would_be_taken_for_a_repeat() {
    let total = "<xdomea:GesamtanzahlNachrichtenProTyp>1<";
    let several = "<xdomea:GesamtanzahlNachrichtenProTyp>5<";
    for version in ["3.1.0", "2.4.0"] {
        let Some(refused) = transfer_as(version, (total, several)) else { return };
        assert_eq!(refused.unwrap_err().code, "xdomea.not-written");
        let (_, written) = transfer_as(version, ("", "")).unwrap().unwrap();
        assert!(found(&written).contains(&("xdomea.not-carried", "Kopf/nachrichtenUUID")), "{written:#?}");
    }
    let (_, written) = transfer_as("4.0.0", (total, several)).unwrap().unwrap();
    assert_eq!(found(&written), []);
}

#[test]
fn what_a_message_answers_is_said_to_be_lost_before_4_0() {
    let Some(packs) = shared("packs") else { return };
    let results = ImportResults {
        objects: vec![(PROCESS.parse().unwrap(), ImportResult { successful: true, ..Default::default() })],
        whole: Some(ImportResult { successful: true, ..Default::default() }),
    };
    let message = Outgoing {
        version: "4.0.0".into(),
        answers: Some("0503".into()),
        answers_id: Some(model::ids::new_id()),
        ..outgoing(OutgoingContent::ImportResults(results))
    };
    let (bytes, _) = write(&own(), &message, &mut Memory::default()).unwrap();
    let (identity, _) = check(&own(), &bytes, None);
    let (mut memory, meaning) = read(&own(), &bytes);
    let again = again(&identity.unwrap(), &meaning, memory.message.as_ref().unwrap()).unwrap();
    let (bytes, written) =
        write(&own(), &Outgoing { version: "3.1.0".into(), ..again }, &mut memory).unwrap();
    xmllint(&packs, "3.1.0", "0506", &unpack(&bytes).0).unwrap();
    for path in ["Kopf/nachrichtenUUID", "Kopf/UUIDUrsprungsnachricht", "ErfolgOderMisserfolg"] {
        assert!(found(&written).contains(&("xdomea.not-carried", path)), "{path}: {written:#?}");
    }
}

#[test]
fn a_test_of_4_0_says_that_it_is_one_and_becomes_no_real_message() {
    let test = (" version=\"4.0.0\"", " version=\"4.0.0\" test=\"ja\"");
    let Some(refused) = transfer_as("3.1.0", test) else { return };
    assert_eq!(refused.unwrap_err().code, "xdomea.not-written");
    let (xml, written) = transfer_as("4.0.0", test).unwrap().unwrap();
    assert!(xml.contains(" test=\"ja\""), "{xml}");
    let container = pack(written.file_name.trim_end_matches(".zip"), &xml);
    let (_, report) = check(&own(), &container, Some(&written.file_name));
    assert!(report.findings.iter().any(|finding| finding.rule == "xoev.test"), "{report:#?}");
}

#[test]
fn a_conversion_to_4_0_gives_the_same_bytes_again() {
    let handover =
        "lavnrw-3.0.0-0503/9fde4e7a-b41b-11ec-9225-005056871b7c_Aussonderung.Aussonderung.0503.xml";
    let once = || {
        let (mut memory, mut outgoing) = changed(Version::V3_0_0, "0503", handover, ("", ""))?;
        outgoing.version = "4.0.0".to_owned();
        let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
        Some((unpack(&bytes).0, written.identity))
    };
    let Some((xml, identity)) = once() else { return };
    assert_eq!(xml, once().unwrap().0);
    assert!(identity.message_id.is_some());
}

const SYSTEM: (&str, &str) = ("xdomea.not-carried", "Kopf/SendendesSystem/Produktname");

#[test]
fn a_product_whose_maker_is_not_known_is_not_said_to_be_ours() {
    let xml = crate::checks::handover().replace("Abgabe.Abgabe.0401", "Aussonderung.Aussonderung.0503");
    let system = "</xdomea:Empfaenger><xdomea:SendendesSystem><xdomea:Produktname>DMS</xdomea:Produktname></xdomea:SendendesSystem>";
    let xml = xml.replace("</xdomea:Empfaenger>", system).replace("<code>0401<", "<code>0503<").replace(
        "<xdomea:Empfangsb",
        "<xdomea:RueckmeldungArchivkennung>0</xdomea:RueckmeldungArchivkennung><xdomea:Empfangsb",
    );
    let message = MessageType::by_code("0503", Version::V3_1_0).unwrap();
    let (mut memory, mut outgoing) = taken(Version::V3_1_0, message, &xml);
    outgoing.version = "4.0.0".to_owned();
    let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
    let xml = unpack(&bytes).0;
    assert!(
        xml.contains(r#" produkt="Amtsbote""#) && xml.contains(r#" produkthersteller="Amtsbote""#),
        "{xml}"
    );
    assert!(found(&written).contains(&SYSTEM), "{written:#?}");
    assert!(
        xml.contains("<xdomea:Importbestaetigung>1<"),
        "a truth that is fixed is written as the digit: {xml}"
    );
}

#[test]
fn a_time_that_cannot_be_read_is_not_said_to_be_1970() {
    let time = ("<erstellungszeitpunkt>2026-", "<erstellungszeitpunkt>12026-");
    let Some(written) = transfer_as("4.0.0", time) else { return };
    let (xml, written) = written.unwrap();
    assert!(xml.contains(time.1), "{xml}");
    assert_eq!(written.identity.created_at, None);
}

/// Results of a message of one version, as those of another: what was found, or the code of the refusal.
fn results_as(
    from: &str,
    to: &str,
    whole: Option<bool>,
    objects: &[bool],
) -> (String, Vec<(String, String)>) {
    let result =
        |successful| ImportResult { successful, archive_reference: Some("A".into()), ..Default::default() };
    let results = ImportResults {
        whole: whole.map(|successful| ImportResult { successful, ..Default::default() }),
        objects: objects.iter().map(|successful| (model::ids::new_id(), result(*successful))).collect(),
    };
    let message = Outgoing {
        version: from.into(),
        answers: Some("0503".into()),
        answers_id: Some(model::ids::new_id()),
        ..outgoing(OutgoingContent::ImportResults(results))
    };
    let (bytes, written) = write(&own(), &message, &mut Memory::default()).unwrap();
    assert_eq!(found(&written), [], "nothing is made up of what we say ourselves");
    let (identity, _) = check(&own(), &bytes, None);
    let (mut memory, meaning) = read(&own(), &bytes);
    let again = again(&identity.unwrap(), &meaning, memory.message.as_ref().unwrap()).unwrap();
    let message = Outgoing { version: to.into(), answers_id: message.answers_id, ..again };
    match write(&own(), &message, &mut memory) {
        Ok((_, written)) => {
            let owned = |(rule, path): (&str, &str)| (rule.to_owned(), path.to_owned());
            (String::new(), found(&written).into_iter().map(owned).collect())
        }
        Err(failure) => (failure.code.into(), Vec::new()),
    }
}

#[test]
fn a_result_of_everything_is_neither_made_up_nor_dropped_without_a_word() {
    let says = |(code, found): (String, Vec<(String, String)>), rule: &str| {
        code.is_empty()
            && found.iter().any(|(known, path)| known == rule && path.starts_with("ErfolgOderMisserfolg"))
    };
    // 3.x names objects; that these are all of them is not said.
    assert!(says(results_as("3.1.0", "2.4.0", None, &[true]), "xdomea.filled-in"));
    assert!(says(results_as("3.1.0", "4.0.0", None, &[true, true]), "xdomea.filled-in"));
    // 2.x says one of everything and names one object.
    assert!(says(results_as("2.4.0", "3.1.0", Some(true), &[true]), "xdomea.not-carried"));
    assert!(says(results_as("4.0.0", "3.1.0", Some(false), &[true, false]), "xdomea.not-carried"));
    assert_eq!(results_as("4.0.0", "3.1.0", Some(false), &[true]).0, "xdomea.not-written");
    assert_eq!(results_as("4.0.0", "3.0.0", Some(true), &[true, false]).0, "xdomea.not-written");
}
