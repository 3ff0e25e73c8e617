//! Messages with very many of what any schema allows without end: read in a time and a memory that grow with the message alone.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use model::exchange::{ImportResult, ImportResults};
use model::standard::{Meaning, Outgoing, OutgoingContent, Standard};
use model::{FailureKind, Report};
use xoev::container::ContainerWriter;
use xoev::xdomea::Options;

use crate::memory::{Memory, check, read, write};
use crate::tools::{own, pack};
use crate::trees::outgoing;

#[test]
fn a_record_with_a_hundred_thousand_parties_is_read() {
    let (xml, many) = (crate::checks::handover(), 100_000);
    let parties = "<xdomea:Kontakt/>".repeat(many);
    let xml = xml.replace("<xdomea:Dokument>", &format!("{parties}<xdomea:Dokument>"));
    let (memory, _) = read(&own(), &pack(&crate::checks::stem(), &xml));
    let parties = memory.objects.iter().map(|object| object.record.description().unwrap().parties.len());
    assert_eq!(parties.sum::<usize>(), many);
}

/// An answer of an archive about so many objects.
fn answer(version: &str, count: usize) -> Vec<u8> {
    let result = ImportResult {
        successful: true,
        archive_reference: Some("Best. 7/26".to_owned()),
        ..ImportResult::default()
    };
    let results = ImportResults {
        objects: (0..count).map(|_| (model::ids::new_id(), result.clone())).collect(),
        whole: None,
    };
    let message = Outgoing {
        version: version.into(),
        answers: Some("0503".into()),
        answers_id: Some(model::ids::new_id()),
        ..outgoing(OutgoingContent::ImportResults(results))
    };
    write(&own(), &message, &mut Memory::default()).unwrap().0
}

#[test]
fn an_answer_about_very_many_objects_is_taken() {
    for version in ["3.1.0", "4.0.0"] {
        let (count, bytes) = (26_000, answer(version, 26_000));
        let (_, report) = check(&own(), &bytes, None);
        assert!(report.is_acceptable(), "{version}: {:#?}", crate::round_trip::errors(&report));
        let (_, meaning) = read(&own(), &bytes);
        let Meaning::ImportResults(results) = meaning else { panic!("{version}") };
        assert_eq!(results.objects.len(), count, "{version}");
    }
}

/// Bytes that cannot be read beyond a place.
struct Failing(Cursor<Vec<u8>>, u64);

impl Read for Failing {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let left = self.1.saturating_sub(self.0.position());
        let room = usize::try_from(left).unwrap().min(target.len());
        if room == 0 && !target.is_empty() && self.0.position() < self.0.get_ref().len() as u64 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.read(&mut target[..room])
    }
}

impl Seek for Failing {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.0.seek(place)
    }
}

#[test]
fn a_source_that_fails_makes_no_other_message_of_one() {
    let all = xoev::standards(std::sync::Arc::new(schemas::Schemas::new()), Options::default());
    let long = |xml: String, at: &str| {
        let head = if xml.starts_with("<?xml") { "" } else { "<?xml version=\"1.0\"?>" };
        format!("{head}{}", xml.replacen(at, &format!("{}{at}", " ".repeat(200_000)), 1))
    };
    let meter = r#"<nachricht.gds.x.1 xmlns="http://www.xjustiz.de"><nachrichtenkopf xjustizVersion="3.6.2"/></nachricht.gds.x.1>"#;
    let invoice =
        r#"<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><ID>1</ID></Invoice>"#;
    let family = r#"<a xmlns="http://www.xplanung.de/xplangml/6/0"><b/><c/></a>"#;
    let messages = [
        ("xdomea", long(crate::checks::handover(), "</xdomea:Kopf>")),
        ("xdomea", long(crate::checks::handover(), "<xdomea:Abgabe")),
        ("xjustiz", long(meter.to_owned(), "<nachrichtenkopf")),
        ("xjustiz", long(meter.to_owned(), "<nachricht.gds")),
        ("xrechnung", long(invoice.to_owned(), "<ID>")),
        ("xrechnung", long(invoice.to_owned(), "<Invoice")),
        ("xoev", long(family.to_owned(), "<b/>")),
    ];
    for (name, xml) in messages {
        let standard = all.iter().find(|standard| standard.name() == name).unwrap();
        let mut source = Failing(Cursor::new(xml.into_bytes()), 80_000);
        let failure = standard.identify(&mut source, None).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{name}");
        let failure = standard.check(&mut source, None, &mut Report::default()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{name}");
    }
}

#[test]
fn what_is_damaged_within_a_container_is_no_failure_of_the_source() {
    let mut writer = ContainerWriter::new(Vec::new());
    let xml = crate::checks::handover();
    writer
        .entry(&format!("{}.xml", crate::checks::stem()), |sink| io::Write::write_all(sink, xml.as_bytes()))
        .unwrap();
    let mut bytes = writer.finish().unwrap();
    bytes[120..200].fill(0x55);
    let (_, report) = check(&own(), &bytes, None);
    assert_eq!(
        report.findings.last().map(|finding| &*finding.rule),
        Some("container.checksum"),
        "{report:#?}"
    );
    assert!(own().identify(&mut Cursor::new(bytes), None).is_ok());
}
