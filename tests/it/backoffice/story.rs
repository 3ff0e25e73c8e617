//! The story of the back office: a letter that was scanned with a separator sheet, a signed and an encrypted e-mail with an attachment each end
//! in the case that they name and in the DMS, the case has its process in the engine, and once it is closed it lies in the archive as a
//! package and is destroyed here. Each adapter dies once in the middle of what it does: after it has acted and before it knows. The mail
//! server and the maker of stacks are programs of `../shared/senders/post`; the test says so where they are absent.

use std::collections::BTreeMap;
use std::time::Duration;

use conformance::simulate::camunda::Simulator;
use conformance::simulate::cmis::{PASSWORD, Repository, USER};
use serde_json::{Value, json};

use super::house::{House, until};
use super::line::{Gate, Line, Lost};
use super::mailbox::{Dovecot, PIN, Writers, run, shared};
use crate::installation::Installation;

/// What letters call the case.
const REFERENCE: &str = "VG-2026-0001";

/// What nobody here has heard of.
const STRANGER: &str = "VG-2026-0002";

/// Everything around the gateway, and what it dies at.
struct Around {
    dms: Repository,
    engine: Simulator,
    dovecot: Dovecot,
    to_dms: Line,
    to_engine: Line,
    to_mail: Line,
    scanning: Gate,
    packing: Gate,
}

impl Around {
    async fn set_up(installation: &Installation) -> Option<Self> {
        let dovecot = Dovecot::start()?;
        let dms = Repository::start().await.unwrap();
        let engine = Simulator::start().await.unwrap();
        engine.deploy(&std::fs::read_to_string(shared("samples/workflow/bpmn/vorgang-antrag.bpmn")).unwrap());
        let port = |url: &str| url.split(['/', ':']).nth(4).unwrap().parse().unwrap();
        Some(Around {
            to_dms: Line::to(port(&dms.url)).await,
            to_engine: Line::to(port(&engine.url)).await,
            to_mail: Line::to(dovecot.port).await,
            scanning: Gate::new(&installation.folder().join("scanning")),
            packing: Gate::new(&installation.folder().join("packing")),
            dms,
            engine,
            dovecot,
        })
    }

    /// The adapters of the house.
    fn adapters(&self) -> String {
        let serves = "tenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"";
        let (browser, engine) =
            (self.to_dms.instead(&self.dms.browser()), self.to_engine.instead(&self.engine.url));
        let mail = self.to_mail.port;
        let (zbarimg, identify) = (self.scanning.before(&["zbarimg"]), self.packing.before(&["true"]));
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
tools = {{ zbarimg = {zbarimg} }}
separate = {{ sheets = [{{ pattern = "^(?<reference>VG-[0-9]{{4}}-[0-9]{{4}})$", opens = "letter" }}] }}
recognise = {{ references = ["VG-[0-9]{{4}}-[0-9]{{4}}"] }}

[[adapter]]
id = "mail"
{serves}
kind = "mail"
server = {{ host = "127.0.0.1", port = {mail}, security = "none" }}
user = "poststelle"
password = "file:mail.secret"
keys = [{{ key = "file:mail/office.p12", password = "file:pin.secret" }}]
trust = ["file:mail/ca.pem"]
references = ["VG-[0-9]{{4}}-[0-9]{{4}}"]
pause_seconds = 1

[[adapter]]
id = "bags"
kind = "archive-folder"
folder = "bags"
source_organisation = "Musterkreis"
identify = {identify}

[[partner]]
authority = "kv:00000099"
name = "Kreisarchiv"
adapter = "bags"
reads = [["xdomea", "3.1.0"]]
most_bytes = 1_000_000_000
"#
        )
    }
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

    /// How often each kind of event stands on the time line of a record, with the adapter that it names.
    async fn timeline(&self, path: &str) -> BTreeMap<(String, String), usize> {
        let mut told = BTreeMap::new();
        for item in self.get(&format!("{path}/timeline?limit=200")).await["items"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let event = &item["event"];
            *told.entry((text(&event["kind"]), text(&event["detail"]["adapter"]))).or_default() += 1;
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn post_finds_its_case_the_dms_the_engine_and_the_archive_though_each_adapter_dies() {
    let installation = Installation::new();
    let Some(around) = Around::set_up(&installation).await else { return };
    for folder in ["scan", "bags", "mail"] {
        std::fs::create_dir(installation.folder().join(folder)).unwrap();
    }
    let writers = Writers::new(&installation.folder().join("mail"));
    let secrets = [("dms.secret", PASSWORD), ("mail.secret", "geheim"), ("pin.secret", PIN)];
    let mut house = House::with(installation, &around.adapters(), &secrets);

    let case = a_case_begins_its_process(&mut house, &around).await;
    a_stack_is_scanned(&mut house, &around, &case).await;
    e_mails_come(&mut house, &around, &writers, &case).await;
    everything_lies_in_the_dms(&house, &around, &case).await;
    the_case_goes_to_the_archive(&mut house, &around, &case).await;
}

/// The engine has begun the process, and its answer is lost with the gateway; the same again for the end of a task.
async fn a_case_begins_its_process(house: &mut House, around: &Around) -> String {
    let Around { engine, to_engine, .. } = around;
    let reference = json!([{ "kind": "eingang", "value": REFERENCE }]);
    let new = json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Bauantrag", "references": reference });
    to_engine.lose(Lost::Answer, "/start");
    let case = house.make("/cases", new).await;
    to_engine.has_lost().await;
    to_engine.lose(Lost::Answer, "/complete");
    house.kill();
    // What the gateway that died had taken for itself.
    engine.pass(Duration::from_secs(60));
    to_engine.has_lost().await;
    house.kill();
    let [instance] = &engine.instances(&case)[..] else {
        panic!("not one process: {:?}", engine.instances(&case))
    };
    assert_eq!(engine.stands_at(instance).as_deref(), Some("warteZahlung"));
    let noted = house.events("channel.noted", &case).await;
    assert_eq!(noted.len(), 1, "the task is done once: {noted:?}");
    case
}

/// Two letters, one of which names the case; the gateway dies while their sheets are read, and when the DMS has taken what was in one.
async fn a_stack_is_scanned(house: &mut House, around: &Around, case: &str) {
    let stack = house.path("scan/.stapel.tif");
    let maker = shared("senders/post/make_stack.sh");
    run("sh", &[maker.to_str().unwrap(), stack.to_str().unwrap(), REFERENCE, STRANGER]);
    around.scanning.close();
    std::fs::rename(&stack, house.path("scan/stapel.tif")).unwrap();
    around.scanning.is_waited_at().await;
    house.kill();
    around.to_dms.lose(Lost::Answer, "createDocument");
    around.scanning.open();
    around.to_dms.has_lost().await;
    house.kill();
    house.has_documents(case, 1).await;
    let unsure = until("the letter that names no case", async || {
        let all = house.get("/interactions?limit=100").await["items"].as_array().unwrap().clone();
        let on_desk: Vec<Value> = all.into_iter().filter(|letter| letter["status"] == "open").collect();
        (!on_desk.is_empty()).then_some(on_desk)
    })
    .await;
    assert_eq!(unsure.len(), 1, "{unsure:?}");
    assert!(unsure[0].to_string().contains(STRANGER), "what it says is proposed: {}", unsure[0]);
}

/// A signed e-mail and one that is encrypted as well; the gateway dies when they are in the case, and before they are out of the mailbox.
async fn e_mails_come(house: &mut House, around: &Around, writers: &Writers, case: &str) {
    let mails = [(1, "lageplan.pdf", false, 3), (2, "gutachten.pdf", true, 5)];
    for (number, attachment, encrypted, wanted) in mails {
        let subject = format!("Nachreichung zu {REFERENCE}");
        around.to_mail.lose(Lost::Question, " MOVE ");
        around.dovecot.put(&writers.write(number, &subject, attachment, encrypted));
        around.to_mail.has_lost().await;
        house.kill();
        // The e-mail itself, and its attachment.
        let documents = house.has_documents(case, wanted).await;
        let titles: Vec<&str> = documents.iter().filter_map(|one| one["title"].as_str()).collect();
        assert_eq!(titles.iter().filter(|title| title.contains(attachment)).count(), 1, "{titles:?}");
    }
    let letters = house.get("/interactions?limit=100").await["items"].as_array().unwrap().clone();
    assert_eq!(letters.len(), 4, "two from the scanner, two by e-mail: {letters:?}");
}

/// The DMS has each document once, and the time lines name who was told.
async fn everything_lies_in_the_dms(house: &House, around: &Around, case: &str) {
    let documents = house.documents(case).await;
    assert_eq!(documents.len(), 5);
    for document in &documents {
        let id = document["id"].as_str().unwrap();
        let told = house.events("channel.delivered", id).await;
        let of_dms: Vec<&Value> = told.iter().filter(|event| event["detail"]["adapter"] == "dms").collect();
        let foreign: Vec<Value> = around.dms.objects().into_iter().filter(|it| it["amt:id"] == *id).collect();
        assert_eq!(foreign.len(), 1, "in the DMS once: {foreign:?}");
        assert!(!of_dms.is_empty(), "{told:?}");
        let path = format!("/documents/{id}");
        let on_timeline = house.timeline(&path).await;
        assert!(on_timeline.contains_key(&("channel.delivered".into(), "dms".into())), "{on_timeline:?}");
    }
    let on_timeline = house.timeline(&format!("/cases/{case}")).await;
    for adapter in ["dms", "workflow"] {
        assert!(on_timeline.contains_key(&("channel.delivered".into(), adapter.into())), "{on_timeline:?}");
    }
    assert_eq!(around.engine.instances(case).len(), 1, "one process");
}

/// The gateway dies while the package is made; the archive's word lets the case be destroyed, and not before.
async fn the_case_goes_to_the_archive(house: &mut House, around: &Around, case: &str) {
    house.act(&format!("/cases/{case}/close")).await;
    around.packing.close();
    let offer = json!({ "kind": "disposition", "to": "kv:00000099", "twoStep": true, "objects": [case] });
    let exchange = house.make("/exchanges", offer).await;
    around.packing.is_waited_at().await;
    house.kill();
    around.packing.open();
    let bags = house.path("bags");
    let packages = || {
        let names = std::fs::read_dir(&bags)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
    };
    let bag = until("the package", async || packages().pop()).await;
    let (_, refused) = house.destroy(&exchange).await;
    assert_eq!(refused["code"], "model.not-disposed", "not before the archive has it");
    house.kill();
    assert_eq!(packages(), std::slice::from_ref(&bag), "one package");
    std::fs::write(bags.join(format!("{bag}.archived")), "ARCHIV-1\n").unwrap();
    until("the archive's word", async || {
        let known = house.get(&format!("/cases/{case}")).await["references"].as_array().unwrap().clone();
        known.iter().any(|one| one["kind"] == "archive" && one["value"] == "ARCHIV-1").then_some(())
    })
    .await;
    assert_eq!(house.destroy(&exchange).await.0, 202);
    until("the destruction", async || {
        (house.get(&format!("/cases/{case}")).await["status"] == "destroyed").then_some(())
    })
    .await;
    let proof = house.events("record.destroyed", case).await;
    assert_eq!(proof.len(), 1, "{proof:?}");
}
