//! Evidence: heads are time-stamped off everybody's way, and a bundle proves all hops of a case.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Incoming, NewExchange, Stamping, UploadTarget};
use model::exchange::{ExchangeKind, ImportResult};
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::{Caller, EventKind, Failure, Id, RecordKind, Scope, SystemClock};
use seal::bundle::{Report, Trust, verify, verify_with};
use serde_json::{Value, json};
use store::{ActFilter, Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, Nowhere, SetClock, caller, lippstadt};
use crate::tsa::Tsa;

const HOUR: Duration = Duration::from_secs(3_600);
/// Longer than the first pauses after a failure.
const PAUSE: Duration = Duration::from_secs(120);

/// How the authority behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Good,
    Away,
    Status,
    Garbage,
    Rejecting,
    Replaying,
}

/// A time stamp authority behind a network that does as it is told.
struct Authority {
    tsa: Tsa,
    mode: Mutex<Mode>,
    asked: AtomicU32,
    before: Mutex<Vec<u8>>,
}

#[async_trait]
impl Outbound for Authority {
    fn permits(&self, _: &str, _: ChosenBy) -> Result<(), Failure> {
        Ok(())
    }

    async fn post(&self, post: &Post) -> Result<Reply, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!(post.headers, [("Content-Type".to_owned(), "application/timestamp-query".to_owned())]);
        assert_eq!(post.chosen_by, ChosenBy::Administrator);
        let mode = *self.mode.lock().unwrap();
        let body = match mode {
            Mode::Away => return Err(Failure::transient("net.unreachable", "nobody is there")),
            Mode::Good => self.tsa.answer_der(&post.body),
            Mode::Replaying => self.before.lock().unwrap().clone(),
            Mode::Status | Mode::Garbage => b"<html>".to_vec(),
            Mode::Rejecting => vec![0x30, 5, 0x30, 3, 2, 1, 2],
        };
        if mode == Mode::Good {
            self.before.lock().unwrap().clone_from(&body);
        }
        let status = if mode == Mode::Status { 503 } else { 200 };
        Ok(Reply { status, content_type: None, retry_after: None, body })
    }
}

struct Stamped {
    gateway: Gateway,
    clock: Arc<SetClock>,
    authority: Arc<Authority>,
    ours: Caller,
}

impl Stamped {
    async fn start(stop_intake: bool) -> Self {
        let (clock, tsa) = (Arc::new(SetClock::default()), Tsa::good());
        let authorities = tsa.authorities();
        let (mode, asked) = (Mutex::new(Mode::Good), AtomicU32::new(0));
        let authority = Arc::new(Authority { tsa, mode, asked, before: Mutex::default() });
        let stamping = Stamping {
            outbound: authority.clone(),
            url: "https://tsa.example/".to_owned(),
            authorities,
            policy: None,
            every: HOUR,
            tolerate: 48 * HOUR,
            stop_intake,
        };
        let gateway = Gateway::with(clock.clone(), Arc::new(Nowhere), Some(stamping)).await;
        Self { gateway, clock, authority, ours: caller("soest", "63") }
    }

    /// Something happens, is sealed, and stamped if that is due.
    async fn happen(&self) -> Id {
        let case = self.gateway.a_case(&self.ours, "Neubau").await;
        self.gateway.broker.run_due_jobs().await.unwrap();
        self.gateway.broker.stamp_due().await.unwrap();
        case.meta.id
    }

    fn set(&self, mode: Mode) {
        *self.authority.mode.lock().unwrap() = mode;
    }

    fn asked(&self) -> u32 {
        self.authority.asked.load(Ordering::SeqCst)
    }

    async fn verdict(&self, case: Id, require_stamps: bool) -> Report {
        let (bundle, _) = export(&self.gateway, &self.ours, case).await;
        let authorities = self.authority.tsa.authorities();
        verify_with(bundle, Trust { key: None, authorities: Some(&authorities), require_stamps }, |_| {})
    }
}

/// The bundle, and its events.
pub(crate) async fn export(gateway: &Gateway, caller: &Caller, case: Id) -> (File, Vec<Value>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    gateway.broker.export_evidence(caller, case, file.reopen().unwrap(), true).await.unwrap();
    let unzipped =
        std::process::Command::new("unzip").arg("-p").arg(file.path()).arg("events.jsonl").output().unwrap();
    let lines = String::from_utf8(unzipped.stdout).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (file.reopen().unwrap(), events)
}

#[tokio::test]
async fn a_stamped_head_proves_when_the_events_of_a_case_existed() {
    let stamped = Stamped::start(false).await;
    let case = stamped.happen().await;
    let report = stamped.verdict(case, true).await;
    assert!(report.ok && report.stamps_trusted, "{:?}", report.findings);
    assert_eq!((report.stamps.len(), report.unstamped_events), (1, 0));

    // The export is an event of the case too; it is covered by the next stamp, and the first stamp goes on proving what
    // it proved.
    stamped.clock.advance(HOUR);
    stamped.happen().await;
    let report = stamped.verdict(case, true).await;
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!(report.stamps.iter().map(|stamp| stamp.events).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_tenant_is_stamped_once_in_the_configured_time_and_only_if_something_happened() {
    let stamped = Stamped::start(false).await;
    stamped.happen().await;
    stamped.happen().await;
    assert_eq!(stamped.asked(), 1);
    stamped.clock.advance(HOUR);
    stamped.gateway.broker.stamp_due().await.unwrap();
    assert_eq!(stamped.asked(), 2);
    stamped.clock.advance(2 * HOUR);
    stamped.gateway.broker.stamp_due().await.unwrap();
    assert_eq!(stamped.asked(), 2, "nothing happened since");
    let health = stamped.gateway.broker.stamp_health().await.unwrap().unwrap();
    assert!(health.last.is_some() && health.unstamped_since.is_none() && !health.overdue);
}

#[tokio::test]
async fn an_authority_that_fails_stops_nothing_and_is_asked_again_later() {
    let stamped = Stamped::start(true).await;
    let case = stamped.happen().await;
    stamped.clock.advance(HOUR);
    for (times, mode) in
        (2..).zip([Mode::Away, Mode::Status, Mode::Garbage, Mode::Rejecting, Mode::Replaying])
    {
        stamped.set(mode);
        stamped.happen().await;
        assert_eq!(stamped.asked(), times);
        stamped.happen().await;
        assert_eq!(stamped.asked(), times, "not before the pause is over");
        stamped.clock.advance(times * PAUSE);
    }
    let message = json!({ "toy": "0401", "process": model::ids::new_id(), "objects": [] });
    assert!(stamped.gateway.accept(&stamped.ours, &message).await.is_ok());
    let report = stamped.verdict(case, false).await;
    assert_eq!((report.ok, report.stamps.len(), report.unstamped_events), (true, 1, 0));
    stamped.set(Mode::Good);
    stamped.happen().await;
    assert!(stamped.gateway.broker.stamp_health().await.unwrap().unwrap().unstamped_since.is_none());
}

#[tokio::test]
async fn overdue_stamps_are_told_and_stop_intake_only_where_the_house_wants_it() {
    for stop_intake in [false, true] {
        let stamped = Stamped::start(stop_intake).await;
        stamped.set(Mode::Away);
        stamped.happen().await;
        let health = async || stamped.gateway.broker.stamp_health().await.unwrap().unwrap();
        assert!(health().await.unstamped_since.is_some() && !health().await.overdue);
        stamped.clock.advance(48 * HOUR + PAUSE);
        stamped.happen().await;
        assert!(health().await.overdue && health().await.last.is_none());
        let message = json!({ "toy": "0401", "process": model::ids::new_id(), "objects": [] });
        let taken = stamped.gateway.accept(&stamped.ours, &message).await;
        let refused = taken.err().map(|error| error.code().to_owned());
        assert_eq!(refused.as_deref(), stop_intake.then_some("broker.time-stamp-overdue"));
        let in_parts = UploadTarget::Message(Incoming::default());
        let begun = stamped.gateway.broker.begin_upload(&stamped.ours, in_parts, None).await;
        let refused = begun.err().map(|error| error.code().to_owned());
        assert_eq!(refused.as_deref(), stop_intake.then_some("broker.time-stamp-overdue"));

        stamped.set(Mode::Good);
        stamped.clock.advance(PAUSE);
        stamped.happen().await;
        assert!(!health().await.overdue);
        assert!(stamped.gateway.accept(&stamped.ours, &message).await.is_ok());
    }
}

/// Kind of the event, and type and direction of its message.
fn hops(events: &[Value]) -> Vec<String> {
    let hop = |event: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let event = &event["event"];
        let detail = &event["detail"];
        format!("{} {} {}", text(&event["kind"]), text(&detail["type"]), text(&detail["direction"]))
    };
    events.iter().map(hop).collect()
}

#[tokio::test]
async fn a_bundle_holds_all_hops_of_a_handover_that_its_tenant_knows_and_none_of_the_other_s() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![case.meta.id],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    gateway.broker.start_exchange(&ours, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter::of(RecordKind::Exchange);
    let found = gateway.broker.records(&theirs, &filter, &Page::first(9)).await.unwrap().items;
    let model::Record::Exchange(there) = &found[0] else { unreachable!() };
    let result = ImportResult { successful: true, ..Default::default() };
    let object = &there.objects[0];
    gateway
        .broker
        .confirm_import(&theirs, there.meta.id, vec![(object.object_id, result)], None)
        .await
        .unwrap();
    gateway.broker.run_due_jobs().await.unwrap();

    let (_, sent) = export(&gateway, &ours, case.meta.id).await;
    let hops_sent = hops(&sent);
    for hop in [
        "record.created - -",
        "message.prepared 0401 out",
        "message.delivered 0401 out",
        "message.accepted 0403 in",
        "message.confirmed 0403 in",
        "exchange.received - -",
        "message.accepted 0402 in",
        "message.confirmed 0402 in",
        "exchange.import-confirmed - -",
    ] {
        assert!(hops_sent.iter().any(|found| found == hop), "{hop} is not among {hops_sent:#?}");
    }
    assert!(sent.iter().all(|event| event["event"]["tenant"] == "soest"));

    let (_, received) = export(&gateway, &theirs, object.root).await;
    let hops_received = hops(&received);
    for hop in [
        "message.accepted 0401 in",
        "message.processed 0401 in",
        "record.created - -",
        "message.prepared 0403 out",
        "message.delivered 0403 out",
        "message.prepared 0402 out",
        "message.delivered 0402 out",
    ] {
        assert!(hops_received.iter().any(|found| found == hop), "{hop} is not among {hops_received:#?}");
    }
    assert!(received.iter().all(|event| event["event"]["tenant"] == "lippstadt"));
}

/// Segment and digest files of payloads.
fn payload_files(gateway: &Gateway, ending: &str) -> Vec<std::path::PathBuf> {
    let folders = std::fs::read_dir(gateway.folder.path().join("payloads")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[tokio::test]
async fn lost_payload_files_are_named_and_keep_no_evidence_from_being_exported() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    // More than is kept in the row, and more than a chunk.
    let message = json!({
        "toy": "0401", "process": model::ids::new_id(), "objects": [[model::ids::new_id(), "x"]],
        "padding": "x".repeat(200_000),
    });
    gateway.accept(&ours, &message).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter::of(RecordKind::Case);
    let case = gateway.broker.records(&ours, &filter, &Page::first(9)).await.unwrap().items[0].meta().id;
    let verdict = async || {
        let (mut bundle, _) = export(&gateway, &ours, case).await;
        let mut bytes = vec![];
        bundle.read_to_end(&mut bytes).unwrap();
        let report = seal::bundle::verify(std::io::Cursor::new(bytes), None, |_| {});
        report.findings.iter().map(|finding| (finding.code, finding.place.chunk)).collect::<Vec<_>>()
    };
    assert_eq!(verdict().await, []);

    let [segment] = &payload_files(&gateway, ".0")[..] else { panic!("one segment") };
    let [digests] = &payload_files(&gateway, ".digests")[..] else { panic!("one list of digests") };
    let (bytes, list) = (std::fs::read(segment).unwrap(), std::fs::read(digests).unwrap());
    std::fs::remove_file(digests).unwrap();
    assert_eq!(verdict().await, [], "digests are computed anew from the content");
    std::fs::write(digests, list).unwrap();
    std::fs::write(segment, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(verdict().await, [("evidence.content-lost", Some(3))]);
    std::fs::remove_file(segment).unwrap();
    assert_eq!(verdict().await, [("evidence.content-lost", Some(0))]);
    std::fs::remove_file(digests).unwrap();
    let codes: Vec<_> = verdict().await.into_iter().map(|(code, _)| code).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "evidence.content-lost"), "{codes:?}");
}

#[tokio::test]
async fn a_chain_goes_on_with_another_key_and_says_so() {
    on_every_engine(|database| async move {
        let before = Gateway::on(database.clone(), Arc::new(SystemClock)).await;
        let (ours, mut all) = (caller("soest", "63"), caller("soest", "63"));
        all.scope = Scope::tenant("soest");
        let case = before.a_case(&ours, "Neubau").await.meta.id;
        export(&before, &ours, case).await;
        let older = before.broker.evidence_keys().unwrap().current().clone();
        let after = before.with_another_evidence_key(database).await;
        let broker = &after.broker;
        let newer = broker.evidence_keys().unwrap().current().clone();
        after.a_case(&ours, "Umbau").await;
        let (bundle, _) = export(&after, &ours, case).await;
        let report = verify(bundle, Some(&newer), |_| {});
        assert!(report.ok && report.key_trusted, "{:?}", report.findings);
        let signers = |signed: &[seal::chain::SignedBy]| signed.iter().map(|by| by.key).collect::<Vec<_>>();
        let both = [older.fingerprint(), newer.fingerprint()];
        assert_eq!(signers(&report.signed_by), both);
        let report = broker.check_chain(&ours, None).await.unwrap();
        assert_eq!((report.findings.clone(), signers(&report.signed_by)), (vec![], both.to_vec()));

        export(&after, &ours, case).await;
        let filter = ActFilter { kind: Some(EventKind::EvidenceKeyChanged), ..ActFilter::default() };
        let told = broker.acts_done(&all, &filter, &Page::first(9)).await.unwrap().items;
        let told: Vec<_> =
            told.into_iter().map(|(_, number, event)| (number.is_some(), event.detail)).collect();
        let detail = json!({ "from": both[0].to_string(), "to": both[1].to_string() });
        assert_eq!(told, [(true, Some(detail))], "once, and sealed");
    })
    .await;
}
