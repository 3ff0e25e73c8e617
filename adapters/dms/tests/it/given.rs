//! What the tests of systems without CMIS begin with: a document in a case in a case file, with its bytes; a client; servers.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adapter_dms::dms::{Dms, Settings};
use adapter_dms::mapping::{Field, Mapping};
use adapter_dms::port::{Port, ValueKind};
use model::adapter::{About, AboutFile, Adapter, Delivery, Link, Receipt};
use model::case::{
    CaseFile, Description, Document, DocumentDates, File, FilePlanUnit, RecordStatus, Version,
};
use model::record::{Meta, Record};
use model::{PayloadRef, RecordKind, SystemClock, ids, testkit};
use net::{Client, Egress};

/// A document to be told of.
pub(crate) struct Given {
    pub(crate) case_file: Record,
    pub(crate) case: Record,
    pub(crate) document: Document,
    pub(crate) links: Vec<Link>,
}

impl Given {
    /// A document without bytes.
    pub(crate) fn new() -> Self {
        let file_meta = testkit::a_meta();
        let root = file_meta.id;
        let description = |title: &str| Description { title: title.into(), ..Description::default() };
        let file_plan_unit = Some(FilePlanUnit {
            code: Some("63.10".into()),
            title: Some("Bauanträge".into()),
            short_title: None,
        });
        let case_file = Record::CaseFile(CaseFile {
            meta: file_meta,
            description: Description { file_plan_unit, ..description("Akte Müller / Nord") },
            parent: None,
            status: RecordStatus::Open,
        });
        let within = |meta: Meta| Meta { root, ..meta };
        let Record::Case(mut case) = testkit::a_case("Bauantrag Garage") else { unreachable!() };
        case.meta = within(case.meta);
        case.case_file = Some(root);
        let document = Document {
            meta: within(testkit::a_meta()),
            description: description("Lageplan: Nord"),
            parent: Some(case.meta.id),
            kind: None,
            dates: DocumentDates::default(),
            versions: vec![],
            status: RecordStatus::Open,
        };
        Given { case_file, case: Record::Case(case), document, links: vec![] }
    }

    /// Tells an adapter of case file and case, as the broker does before it tells of what lies in them.
    pub(crate) async fn begin(&mut self, adapter: &dyn Adapter) {
        for (record, above) in
            [(self.case_file.clone(), vec![]), (self.case.clone(), vec![self.case_file.clone()])]
        {
            let mut delivery = self.delivery("record.created", vec![]);
            delivery.record = Some((record.kind(), record.meta().id));
            let links = self.links.clone();
            delivery.about = Some(Box::new(About { record, above, links, files: vec![] }));
            let receipt = adapter.deliver(&delivery, &[]).await.unwrap();
            self.keep(&receipt);
        }
    }

    /// A further version with these bytes, and the delivery of them.
    pub(crate) fn version(&mut self, number: &str, bytes: &[u8]) -> Delivery {
        self.version_of(number, bytes.len() as u64, &seal::sha256(&[bytes]).to_string())
    }

    pub(crate) fn version_of(&mut self, number: &str, size: u64, sha256: &str) -> Delivery {
        let id = ids::new_id();
        let content = PayloadRef { id, size, sha256: sha256.to_owned(), chunk_root: "00".repeat(32) };
        let file = File {
            name: format!("lageplan-{number}.pdf"),
            media_type: Some("application/pdf".into()),
            content: Some(content),
            ..File::default()
        };
        self.document.versions.push(Version { number: number.to_owned(), files: vec![file.clone()] });
        let files = vec![AboutFile { document: self.document.meta.id, version: number.to_owned(), file }];
        self.delivery("document.content-added", files)
    }

    /// A delivery about the document as it is now.
    pub(crate) fn delivery(&self, kind: &str, files: Vec<AboutFile>) -> Delivery {
        let about = About {
            record: Record::Document(self.document.clone()),
            above: vec![self.case_file.clone(), self.case.clone()],
            links: self.links.clone(),
            files,
        };
        Delivery {
            id: ids::new_id(),
            tenant: "soest".into(),
            kind: kind.to_owned(),
            record: Some((RecordKind::Document, self.document.meta.id)),
            detail: serde_json::json!({}),
            about: Some(Box::new(about)),
        }
    }

    /// Keeps the links of a receipt, as the broker does.
    pub(crate) fn keep(&mut self, receipt: &Receipt) {
        for link in &receipt.links {
            self.links.retain(|known| (known.record, &known.part) != (link.record, &link.part));
            self.links.push(link.clone());
        }
    }
}

pub(crate) fn mapping() -> Mapping {
    let field = |field: &str, property: &str| Field {
        field: field.into(),
        property: property.into(),
        kind: ValueKind::Text,
        comes_back: false,
    };
    Mapping {
        folders: vec![field("title", "betreff")],
        documents: vec![field("title", "betreff")],
        reference: Some("aktenzeichen".into()),
    }
}

pub(crate) fn dms(port: impl Port + 'static) -> Arc<Dms> {
    let settings = Settings { id: "dms-main".into(), mapping: mapping(), poll: Duration::from_secs(60) };
    Arc::new(Dms::new(settings, Arc::new(port)))
}

/// A client that reaches this machine.
pub(crate) fn client() -> Client {
    Client::new(Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), Arc::new(SystemClock))
}

/// Python with the packages that `./dev` installs.
pub(crate) fn python() -> PathBuf {
    let named = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    named.unwrap_or_else(|| target.join("zeep/bin/python3"))
}

/// wsgidav over a folder.
pub(crate) struct Wsgidav {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) url: String,
    child: Child,
}

impl Wsgidav {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wsgidav_server.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python with wsgidav: ./dev installs it, or AMTSBOTE_TEST_ZEEP names it");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.trim().is_empty(), "wsgidav does not start");
        Wsgidav { folder, url: format!("http://127.0.0.1:{}/dav/akten", port.trim()), child }
    }
}

impl Drop for Wsgidav {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
