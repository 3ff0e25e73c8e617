//! The story of the back office: a letter that was scanned with a separator sheet and a signed e-mail with an attachment end in the case that
//! they name and in the DMS, the case has its process in the engine, and once it is closed it lies in the archive as a package. The
//! gateway is killed after each hop. It needs the programs of `../shared/senders/post`, and says so where they are absent.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use conformance::simulate::camunda::Simulator;
use conformance::simulate::cmis::{PASSWORD, Repository, USER};
use serde_json::{Value, json};

use super::house::{House, until};
use crate::installation::Installation;

/// What letters call the case.
const REFERENCE: &str = "VG-2026-0001";

/// Puts a file into a mailbox as an e-mail.
const PUT: &str = r"
import imaplib, sys, time
for attempt in range(100):
    try: client = imaplib.IMAP4('127.0.0.1', int(sys.argv[1])); break
    except OSError: time.sleep(0.1)
client.login('poststelle', 'geheim')
assert client.append('INBOX', None, None, open(sys.argv[2], 'rb').read())[0] == 'OK'
client.logout()
";

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path)
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|_| panic!("{program} is missing; ./dev test installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A mail server that is not ours, until it is dropped.
struct Dovecot {
    folder: tempfile::TempDir,
    port: u16,
}

impl Dovecot {
    fn start() -> Option<Self> {
        let script = shared("senders/post/imap-server.sh");
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().to_str().unwrap().to_owned();
        run("chmod", &["755", &path]);
        let mut command = Command::new("sh");
        command.arg(&script).arg(&path).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = script.exists() && command.status().is_ok_and(|status| status.success());
        if !is_there {
            eprintln!("SKIPPED: Dovecot, or its script in ../shared, is absent or cannot be started");
        }
        is_there.then_some(Dovecot { folder, port })
    }

    fn put(&self, mail: &Path) {
        run("python3", &["-c", PUT, &self.port.to_string(), mail.to_str().unwrap()]);
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let configuration = self.folder.path().join("dovecot.conf");
        let _ = Command::new("doveadm").arg("-c").arg(configuration).arg("stop").status();
    }
}

/// An e-mail with an attachment, signed by somebody whom `ca.pem` vouches for.
fn signed_mail(folder: &Path) -> PathBuf {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let ca = ["req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30", "-subj", "/CN=S-MIME-CA"];
    run("openssl", &[&ca[..], &["-keyout", &at("ca.key"), "-out", &at("ca.pem")]].concat());
    let asks =
        ["req", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=Architektin/emailAddress=plan@buero.example"];
    run("openssl", &[&asks[..], &["-keyout", &at("signer.key"), "-out", &at("signer.csr")]].concat());
    std::fs::write(at("ext"), "keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nsubjectAltName=email:plan@buero.example\n")
        .unwrap();
    let (csr, ca, key) = (at("signer.csr"), at("ca.pem"), at("ca.key"));
    let signs = ["x509", "-req", "-in", &csr, "-CA", &ca, "-CAkey", &key, "-days", "30", "-extfile"];
    run("openssl", &[&signs[..], &[&at("ext"), "-out", &at("signer.pem")]].concat());
    let body = "Content-Type: multipart/mixed; boundary=grenze\r\n\r\n--grenze\r\nContent-Type: text/plain\r\n\r\n\
                Anbei der Lageplan.\r\n--grenze\r\nContent-Type: application/pdf\r\n\
                Content-Disposition: attachment; filename=lageplan.pdf\r\n\r\n%PDF-1.7 Lageplan\r\n--grenze--\r\n";
    std::fs::write(at("body"), body).unwrap();
    let subject = format!("Nachreichung zu {REFERENCE}");
    let (body, key, mail) = (at("body"), at("signer.key"), at("signed.eml"));
    let sign = ["cms", "-sign", "-in", &body, "-signer", &at("signer.pem"), "-inkey", &key, "-out", &mail];
    let head = ["-from", "plan@buero.example", "-to", "poststelle@kreis.example", "-subject", &subject];
    run("openssl", &[&sign[..], &head].concat());
    let head = "Message-ID: <1@buero.example>\r\nDate: Thu, 05 Nov 2026 08:30:00 +0000\r\n";
    let mail = folder.join("signed.eml");
    let signed = std::fs::read(&mail).unwrap();
    std::fs::write(&mail, [head.as_bytes(), &signed].concat()).unwrap();
    mail
}

/// The adapters of the house.
fn adapters(dms: &Repository, engine: &Simulator, mail: u16) -> String {
    let serves = "tenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"";
    let (browser, engine) = (dms.browser(), &engine.url);
    format!(
        r#"
[[adapter]]
id = "dms"
{serves}
kind = "cmis"
url = "{browser}"
user = "{USER}"
password = "file:dms.secret"
folder = "/Fachverfahren/Amtsbote"
folder_type = "amt:akte"
document_type = "amt:dokument"
own_property = "amt:id"
poll_seconds = 1

[[adapter]]
id = "workflow"
{serves}
kind = "camunda"
url = "{engine}"
wait_seconds = 1
processes = [{{ service = "baugenehmigung", key = "antrag", variables = {{ titel = "case.title" }} }}]
topics = [{{ name = "dms-ablage", does = "note" }}]
history = true

[[adapter]]
id = "scan"
{serves}
kind = "scan"
folder = "scan"
quiet_seconds = 0
pause_seconds = 1
separate = {{}}
recognise = {{ references = ["VG-[0-9]{{4}}-[0-9]{{4}}"] }}

[[adapter]]
id = "mail"
{serves}
kind = "mail"
server = {{ host = "127.0.0.1", port = {mail}, security = "none" }}
user = "poststelle"
password = "file:mail.secret"
trust = ["file:mail/ca.pem"]
references = ["VG-[0-9]{{4}}-[0-9]{{4}}"]
pause_seconds = 1

[[adapter]]
id = "bags"
kind = "archive-folder"
folder = "bags"
source_organisation = "Musterkreis"

[[partner]]
authority = "kv:00000099"
name = "Kreisarchiv"
adapter = "bags"
reads = [["xdomea", "3.1.0"]]
most_bytes = 1_000_000_000
"#
    )
}

impl House {
    async fn documents(&self, case: &str) -> Vec<Value> {
        self.get(&format!("/cases/{case}/documents")).await["items"].as_array().unwrap().clone()
    }

    /// Looks until the case has so many documents, each with bytes.
    async fn has_documents(&self, case: &str, wanted: usize) -> Vec<Value> {
        until("documents", async || {
            let all = self.documents(case).await;
            let whole = all.iter().all(|one| one["versions"][0]["files"][0]["content"].is_object());
            (all.len() == wanted && whole).then_some(all)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn post_finds_its_case_the_dms_the_engine_and_the_archive() {
    let Some(dovecot) = Dovecot::start() else { return };
    let dms = Repository::start().await.unwrap();
    let engine = Simulator::start().await.unwrap();
    engine.deploy(&std::fs::read_to_string(shared("samples/workflow/bpmn/vorgang-antrag.bpmn")).unwrap());
    let installation = Installation::new();
    for folder in ["scan", "bags", "mail"] {
        std::fs::create_dir(installation.folder().join(folder)).unwrap();
    }
    let mail = signed_mail(&installation.folder().join("mail"));
    let secrets = [("dms.secret", PASSWORD), ("mail.secret", "geheim")];
    let mut house = House::with(installation, &adapters(&dms, &engine, dovecot.port), &secrets);
    let reference = json!([{ "kind": "eingang", "value": REFERENCE }]);
    let new = json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Bauantrag", "references": reference });
    let case = house.make("/cases", new).await;

    until("the process", async || (!engine.instances(&case).is_empty()).then_some(())).await;
    house.kill();
    let instance = engine.instances(&case).remove(0);
    until("its first task", async || {
        (engine.stands_at(&instance).as_deref() == Some("warteZahlung")).then_some(())
    })
    .await;

    let stack = house.path("scan/.stapel.tif");
    run(
        "sh",
        &[
            shared("senders/post/make_stack.sh").to_str().unwrap(),
            stack.to_str().unwrap(),
            REFERENCE,
            "VG-2026-0002",
        ],
    );
    std::fs::rename(&stack, house.path("scan/stapel.tif")).unwrap();
    house.has_documents(&case, 1).await;
    house.kill();
    dovecot.put(&mail);
    // The e-mail itself, and its attachment.
    let documents = house.has_documents(&case, 3).await;
    house.kill();

    for document in &documents {
        let id = document["id"].as_str().unwrap();
        until("the document in the DMS", async || {
            dms.objects().iter().any(|object| object["amt:id"] == document["id"]).then_some(())
        })
        .await;
        let told = house.events("channel.delivered", id).await;
        assert!(told.iter().any(|event| event["detail"]["adapter"] == "dms"), "{told:?}");
    }
    assert_eq!(engine.instances(&case).len(), 1, "one process");
    assert_eq!(house.documents(&case).await.len(), 3, "nothing twice");

    house.act(&format!("/cases/{case}/close")).await;
    let offer = json!({ "kind": "disposition", "to": "kv:00000099", "twoStep": true, "objects": [case] });
    house.make("/exchanges", offer).await;
    house.kill();
    let bags = house.path("bags");
    let bag = until("the package", async || {
        let names = std::fs::read_dir(&bags)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        names.into_iter().find(|name| !name.starts_with('.'))
    })
    .await;
    house.kill();
    std::fs::write(bags.join(format!("{bag}.archived")), "ARCHIV-1\n").unwrap();
    until("the archive's word", async || {
        let known = house.get(&format!("/cases/{case}")).await["references"].as_array().unwrap().clone();
        known.iter().any(|one| one["kind"] == "archive" && one["value"] == "ARCHIV-1").then_some(())
    })
    .await;
}
