//! What citizens hold and what proves it: files stay as they were provided, each giving of a secret and each entry is told, and with access
//! everything ends that was given.

use broker::{Asked, Error, PushSubscription, Upload};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use model::activity::{DispatchStatus, DispatchStep, ProofKind, StepProof};
use model::case::{Document, DocumentDates, RecordStatus, Version};
use model::command::Change;
use model::party::{Contact, Party};
use model::record::Meta;
use model::{Clock, Id, Record, RecordKind, ids};
use serde_json::{Value, json};

use crate::citizens::{Bed, PDF, application, is_refused};
use crate::engines::on_every_engine;
use crate::house::{change, create, new_case};

impl Bed {
    /// A document of the case without bytes.
    async fn document(&self, case: Id) -> Id {
        let case = self.broker.record(&self.ours, RecordKind::Case, case).await.unwrap();
        let document = Document {
            meta: Meta { id: ids::new_id(), version: 0, ..case.meta().clone() },
            description: model::case::Description { title: "Bescheid".into(), ..Default::default() },
            parent: Some(case.meta().id),
            kind: None,
            dates: DocumentDates::default(),
            versions: Vec::<Version>::new(),
            status: RecordStatus::Open,
        };
        self.broker.submit(&self.ours, create(Record::Document(document)), None).await.unwrap().meta().id
    }

    async fn adds(&self, document: Id, (version, name): (&str, &str), bytes: &'static [u8]) -> String {
        let upload = Upload { file_name: name.into(), version: version.into(), ..Upload::default() };
        let body = futures::stream::iter([Ok(Bytes::from_static(bytes))]);
        let record = self.broker.add_content(&self.ours, document, upload, body).await.unwrap();
        let Record::Document(document) = record else { panic!() };
        let files = document.versions.iter().flat_map(|version| &version.files);
        files.rev().find(|file| file.name == name).unwrap().content.as_ref().unwrap().sha256.clone()
    }

    async fn tasks(&self) -> Vec<String> {
        let filter = broker::RecordFilter::of(RecordKind::Task);
        let found = self.broker.records(&self.ours, &filter, &broker::Page::first(50)).await.unwrap();
        let kind = |record: Record| match record {
            Record::Task(task) => Some(task.kind),
            _ => None,
        };
        found.items.into_iter().filter_map(kind).collect()
    }

    /// Payloads that lie on the disk: each has one file of digests.
    pub(crate) fn kept_payloads(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let one =
                |path: &std::path::Path| usize::from(path.extension().is_some_and(|it| it == "digests"));
            entries.map(|path| if path.is_dir() { count(&path) } else { one(&path) }).sum()
        }
        count(&self.gateway.folder.path().join("payloads"))
    }
}

async fn fetched(
    bed: &Bed,
    session: &broker::CitizenSession,
    ids: (Id, Id),
    sha256: &str,
) -> Option<Vec<u8>> {
    let (_, payload) = match bed.broker.citizen_fetches(session, ids, sha256).await {
        Ok(fetched) => fetched,
        Err(Error::Model(model::Error::NotFound { .. })) => return None,
        Err(error) => panic!("{error:?}"),
    };
    let pieces: Vec<Bytes> = payload.stream(0..payload.size()).try_collect().await.unwrap();
    Some(pieces.concat())
}

pub(crate) fn subscription(at: usize) -> PushSubscription {
    let encoded = |length: usize| {
        use base64::Engine;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(vec![4_u8; length])
    };
    let endpoint = format!("https://push.example/{at}");
    PushSubscription { endpoint, p256dh: encoded(65), auth: encoded(16) }
}

#[tokio::test]
async fn exactly_what_was_provided_is_shown_and_given_and_proved() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let document = bed.document(access.case).await;
        let old = [
            bed.adds(document, ("1", "bescheid.pdf"), b"%PDF-1 Bescheid").await,
            bed.adds(document, ("1", "anlage.pdf"), b"%PDF-1 Anlage").await,
        ];
        let dispatch = bed.dispatch(access.case, Some("portal"), &[document, document]).await;
        let session = bed.enters(&access.number, &access.secret).await.unwrap();
        assert_eq!(
            fetched(&bed, &session, (dispatch, document), &old[0]).await,
            None,
            "it is not provided yet"
        );
        let provided = bed.provide(dispatch).await.provided;
        assert_eq!((provided.len(), &provided[0].sha256, &*provided[0].version), (1, &old.to_vec(), "1"));
        // What comes to the document later is no business of the citizen's.
        let new = [
            bed.adds(document, ("1", "vermerk.pdf"), b"%PDF-1 Vermerk").await,
            bed.adds(document, ("2", "bescheid.pdf"), b"%PDF-2 Entwurf").await,
        ];
        let shown = bed.broker.citizen_view(&session).await.unwrap().documents;
        assert_eq!(shown.iter().map(|it| it.sha256.clone()).collect::<Vec<_>>(), old);
        assert_eq!(shown.iter().map(|it| &*it.file_name).collect::<Vec<_>>(), ["bescheid.pdf", "anlage.pdf"]);
        for sha256 in &new {
            assert_eq!(fetched(&bed, &session, (dispatch, document), sha256).await, None);
        }
        for _ in 0..2 {
            let bytes = fetched(&bed, &session, (dispatch, document), &old[0]).await;
            assert_eq!(bytes.as_deref(), Some(&b"%PDF-1 Bescheid"[..]));
        }
        assert!(fetched(&bed, &session, (dispatch, document), &old[1]).await.is_some());
        let proofs: Vec<Value> =
            bed.told_of(dispatch).await.into_iter().filter(|it| it["retrieved"] == json!(document)).collect();
        let digests: Vec<&Value> = proofs.iter().map(|proof| &proof["sha256"]).collect();
        assert_eq!(digests, [&json!(old[0]), &json!(old[1])], "each file once");
        assert_eq!((&proofs[0]["version"], &proofs[0]["generation"]), (&json!("1"), &json!(1)));
        assert!(proofs[0]["session"].is_string());
    })
    .await;
}

#[tokio::test]
async fn nobody_tells_that_something_lies_there_or_was_fetched_but_the_gateway() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let document = bed.document(access.case).await;
    let dispatch = bed.dispatch(access.case, Some("portal"), &[document]).await;
    let step = |kind| DispatchStep { kind, at: bed.clock.now() };
    let told = async |change_| {
        let told = bed.broker.submit(&bed.ours, change(RecordKind::Dispatch, dispatch, change_), None).await;
        match told {
            Ok(_) => "told",
            Err(Error::Model(model::Error::Invalid { field })) => field,
            Err(error) => panic!("{error:?}"),
        }
    };
    let proven =
        |step| Change::ProvenStep(StepProof { step, kind: ProofKind::Acknowledgement, document: None });
    let [provided, retrieved, failed] =
        [DispatchStatus::Provided, DispatchStatus::Retrieved, DispatchStatus::Failed].map(step);
    for change in [proven(provided), proven(retrieved), Change::DispatchStep(retrieved, None)] {
        assert_eq!(told(change).await, "kind");
    }
    assert_eq!(told(Change::DispatchStep(provided, Some("A1".into()))).await, "documents", "it has no bytes");
    let sha256 = bed.adds(document, ("1", "a.pdf"), PDF).await;
    let both = bed.dispatch(access.case, Some("portal"), &[document, bed.document(access.case).await]).await;
    let some = change(RecordKind::Dispatch, both, Change::DispatchStep(provided, None));
    assert!(bed.broker.submit(&bed.ours, some, None).await.is_err(), "one of both has no bytes");
    assert_eq!(told(Change::DispatchStep(provided, Some("A1".into()))).await, "told");
    let session = bed.enters(&access.number, &access.secret).await.unwrap();
    assert!(fetched(&bed, &session, (dispatch, document), &sha256).await.is_some());
    assert_eq!(told(proven(provided)).await, "told", "that has its proof now");
    assert_eq!(told(proven(failed)).await, "told", "anything else is for people to tell");
}

#[tokio::test]
async fn what_goes_by_another_way_is_not_fetched() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let session = bed.enters(&access.number, &access.secret).await.unwrap();
    let document = bed.document(access.case).await;
    let sha256 = bed.adds(document, ("1", "a.pdf"), PDF).await;
    let dispatch = bed.dispatch(access.case, None, &[document]).await;
    bed.provide(dispatch).await;
    assert_eq!(fetched(&bed, &session, (dispatch, document), &sha256).await, None);
    assert!(bed.broker.citizen_view(&session).await.unwrap().documents.is_empty());
}

#[tokio::test]
async fn however_much_happens_to_a_case_what_was_provided_is_shown() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let document = bed.document(access.case).await;
    bed.adds(document, ("1", "a.pdf"), PDF).await;
    let dispatch = bed.dispatch(access.case, Some("portal"), &[document]).await;
    bed.provide(dispatch).await;
    let asked = Asked { what: "Lageplan".into(), due_days: 14 };
    bed.broker.ask_for_document(&bed.ours, access.case, asked, None).await.unwrap();
    // More than are read at once, all of them later.
    for _ in 0..3 {
        join_all((0..70).map(|_| async {
            let notice = bed.dispatch(access.case, Some("push"), &[]).await;
            bed.provide(notice).await
        }))
        .await;
    }
    let session = bed.enters(&access.number, &access.secret).await.unwrap();
    let view = bed.broker.citizen_view(&session).await.unwrap();
    assert_eq!((view.documents.len(), view.missing.len(), view.state.name()), (1, 1, "ACTION_REQUIRED"));
}

#[tokio::test]
async fn each_giving_of_a_secret_and_each_entry_is_told_and_a_repetition_gives_no_later_one() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let first = bed.apply("k").await.access;
        bed.enters(&first.number, &first.secret).await.unwrap();
        assert!(is_refused(&bed.enters(&first.number, "x").await));
        bed.broker.give_access(&bed.ours, first.case).await.unwrap();
        bed.broker.revoke_access(&bed.ours, first.case).await.unwrap();
        // Whoever has leaked the first one repeats the request.
        assert_eq!(bed.apply("k").await.access, first);
        assert!(is_refused(&bed.enters(&first.number, &first.secret).await));
        let second = bed.broker.give_access(&bed.ours, first.case).await.unwrap();
        let session = bed.enters(&first.number, &second.secret).await.unwrap();
        bed.broker.citizen_session(&session.token).await.unwrap();
        let told: Vec<(String, u64)> = bed
            .told_of(first.case)
            .await
            .iter()
            .filter_map(|it| Some((it["citizenAccess"].as_str()?.to_owned(), it["generation"].as_u64()?)))
            .collect();
        let told: Vec<(&str, u64)> = told.iter().map(|(what, number)| (what.as_str(), *number)).collect();
        let expected = [
            ("given", 1),
            ("entered", 1),
            ("given", 1),
            ("revoked", 2),
            ("given", 1),
            ("given", 2),
            ("entered", 2),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn with_access_apps_and_links_end() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let session = bed.enters(&access.number, &access.secret).await.unwrap();
        for at in 0..3 {
            bed.broker.citizen_subscribes(&session, subscription(at)).await.unwrap();
        }
        let apps = async |session| bed.broker.citizen_view(session).await.unwrap().apps;
        assert_eq!(apps(&session).await, 3);
        bed.broker.citizen_unsubscribes(&session, Some("https://push.example/1")).await.unwrap();
        bed.broker.citizen_unsubscribes(&session, Some("https://push.example/9")).await.unwrap();
        assert_eq!(apps(&session).await, 2);
        let asked = || Asked { what: "Lageplan".into(), due_days: 14 };
        let once = broker::Once::new("ask".into(), "d".into());
        let ask = async || {
            let wanting = bed.broker.ask_for_document(&bed.ours, access.case, asked(), Some(&once)).await;
            wanting.unwrap().link.rsplit('/').next().unwrap().to_owned()
        };
        let link = ask().await;
        bed.broker.upload_page(&link).await.unwrap();
        bed.clock.advance(std::time::Duration::from_secs(1));
        bed.broker.revoke_access(&bed.ours, access.case).await.unwrap();
        assert_eq!(bed.broker.citizen_view(&session).await.unwrap().apps, 0);
        assert!(matches!(bed.broker.upload_page(&link).await, Err(Error::LinkOver)));
        assert!(matches!(bed.brings(&link, PDF).await, Err(Error::LinkOver)));
        assert_eq!(ask().await, link, "the same request has the same answer");
        // A session that was looked at before brings nothing back.
        assert!(is_refused(&bed.broker.citizen_subscribes(&session, subscription(7)).await));
        let next = bed.broker.give_access(&bed.ours, access.case).await.unwrap();
        let session = bed.enters(&next.number, &next.secret).await.unwrap();
        let view = bed.broker.citizen_view(&session).await.unwrap();
        assert_eq!(view.apps, 0);
        let shown = view.missing[0].link.rsplit('/').next().unwrap().to_owned();
        assert_ne!(shown, link);
        bed.brings(&shown, PDF).await.unwrap();
        bed.broker.citizen_subscribes(&session, subscription(1)).await.unwrap();
        bed.broker.citizen_unsubscribes(&session, None).await.unwrap();
        assert_eq!(bed.broker.citizen_view(&session).await.unwrap().apps, 0);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_number_costs_what_a_wrong_secret_costs() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let asked = Asked { what: "Lageplan".into(), due_days: 14 };
        let link = bed.broker.ask_for_document(&bed.ours, access.case, asked, None).await.unwrap().link;
        let link = link.rsplit('/').next().unwrap();
        // The keys of all tenants are read once.
        assert!(is_refused(&bed.enters("", "").await));
        let wrong = "00000-00000-00000-00000";
        let times = || bed.broker.times_asked();
        let mut costs = vec![];
        for number in [access.number.as_str(), "12345678903", "12345678902", "", "x"] {
            let before = times();
            assert!(is_refused(&bed.enters(number, wrong).await));
            costs.push(times() - before);
        }
        assert!(costs.iter().all(|cost| *cost == costs[0] && *cost > 3), "{costs:?}");
        let (mut costs, last) = (vec![], if link.ends_with('A') { "E" } else { "A" });
        for token in [format!("{}{last}", &link[..42]), "A".repeat(43), "E".repeat(43)] {
            let before = times();
            assert!(matches!(bed.broker.upload_page(&token).await, Err(Error::LinkOver)));
            costs.push(times() - before);
        }
        assert!(costs.iter().all(|cost| *cost == costs[0] && *cost > 3), "{costs:?}");
    })
    .await;
}

#[tokio::test]
async fn announced_attachments_that_never_come_are_a_clerks_task() {
    // When jobs are due PostgreSQL says by its own clock, which tests do not set.
    let bed = Bed::new(None).await;
    let with = |titles: &[&str]| {
        let attachment = |title: &&str| broker::Attachment { title: (*title).into(), kind: None };
        let attachments = titles.iter().map(attachment).collect();
        broker::Application { attachments, ..application() }
    };
    let whole = bed.applies("whole", with(&["Lageplan"])).await.unwrap();
    bed.adds(whole.documents[0], ("1", "plan.pdf"), PDF).await;
    let broken = bed.applies("broken", with(&["Lageplan", "Statik"])).await.unwrap();
    bed.adds(broken.documents[0], ("1", "plan.pdf"), PDF).await;
    bed.applies("without", application()).await.unwrap();
    bed.broker.run_due_jobs().await.unwrap();
    assert_eq!(bed.tasks().await, Vec::<String>::new());
    bed.clock.advance(std::time::Duration::from_secs(25 * 3_600));
    bed.broker.run_due_jobs().await.unwrap();
    assert_eq!(bed.tasks().await, ["citizen.attachments-outstanding"]);
    let filter = broker::RecordFilter {
        parent: Some(broken.access.case),
        ..broker::RecordFilter::of(RecordKind::Task)
    };
    let of_case = bed.broker.records(&bed.ours, &filter, &broker::Page::first(5)).await.unwrap().items;
    assert_eq!(of_case.len(), 1);
}

#[tokio::test]
async fn a_portal_whose_clock_is_ahead_loses_nothing_and_a_late_repetition_has_its_answer() {
    let bed = Bed::new(None).await;
    let at = |seconds: i64| {
        let micros = bed.clock.now().micros() + seconds * 1_000_000;
        broker::Application { received_at: Some(model::Timestamp::from_micros(micros)), ..application() }
    };
    let now = bed.clock.now();
    let ahead = bed.applies("ahead", at(299)).await.unwrap();
    assert_eq!(ahead.received_at, now, "no later than now");
    let wrong = bed.applies("far", at(301)).await.unwrap_err();
    assert!(matches!(wrong, Error::Model(model::Error::Invalid { field: "receivedAt" })), "{wrong:?}");
    let earlier = at(-60);
    let first = bed.applies("earlier", earlier.clone()).await.unwrap();
    bed.clock.advance(std::time::Duration::from_secs(200 * 24 * 3_600));
    let again = bed.applies("earlier", earlier).await.unwrap();
    assert_eq!((again.again, again.access, again.received_at), (true, first.access, first.received_at));
}

#[tokio::test]
async fn the_number_is_the_gateways_to_give() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let stolen = model::case::Reference { kind: "citizen".into(), value: access.number.clone() };
    let invalid = |outcome: Result<(), Error>| {
        matches!(outcome, Err(Error::Model(model::Error::Invalid { field: "references" })))
    };
    let mut theirs = application();
    theirs.description.references = vec![stolen.clone()];
    assert!(invalid(bed.applies("stolen", theirs).await.map(drop)));
    let Record::Case(mut case) = new_case(&bed.ours, "63", "Älter") else { panic!() };
    case.description.references = vec![stolen];
    assert!(invalid(bed.broker.submit(&bed.ours, create(Record::Case(case)), None).await.map(drop)));
    let amend = Change::Amend(json!({ "references": [{ "kind": "dms", "value": "7" }] }));
    bed.broker.submit(&bed.ours, change(RecordKind::Case, access.case, amend), None).await.unwrap();
    bed.enters(&access.number, &access.secret).await.unwrap();
    assert_eq!(bed.broker.give_access(&bed.ours, access.case).await.unwrap(), access);
}

#[tokio::test]
async fn the_ways_are_those_that_reach_the_applicant_and_the_choice_is_the_applicants() {
    let bed = Bed::new(None).await;
    let Record::Case(mut case) = new_case(&bed.ours, "63", "Vom Amt") else { panic!() };
    let party = |role: &str| Party { role: Some(role.into()), ..Party::default() };
    let email = Contact { channel: "email".into(), value: "architekt@post.example".into(), addition: None };
    case.description.parties =
        vec![Party { contacts: vec![email], ..party("architect") }, party("applicant")];
    let id = bed.broker.submit(&bed.ours, create(Record::Case(case)), None).await.unwrap().meta().id;
    let access = bed.broker.give_access(&bed.ours, id).await.unwrap();
    let session = bed.enters(&access.number, &access.secret).await.unwrap();
    let view = bed.broker.citizen_view(&session).await.unwrap();
    assert_eq!(view.ways, ["push", "portal"], "the e-mail is the architect's");
    assert!(matches!(bed.broker.citizen_prefers(&session, Some("mail")).await, Err(Error::UnknownWay)));
    bed.broker.citizen_prefers(&session, Some("push")).await.unwrap();
    let Record::Case(case) = bed.broker.record(&bed.ours, RecordKind::Case, id).await.unwrap() else {
        panic!()
    };
    let prefers: Vec<Option<&str>> =
        case.description.parties.iter().map(|party| party.prefers.as_deref()).collect();
    assert_eq!(prefers, [None, Some("push")]);
    let session = bed.broker.citizen_session(&session.token).await.unwrap();
    assert_eq!(bed.broker.citizen_view(&session).await.unwrap().prefers.as_deref(), Some("push"));
}

#[tokio::test]
async fn of_those_who_bring_at_the_same_time_only_one_leaves_files() {
    static LARGE: [u8; 100 * 1024] = [b'x'; 100 * 1024];
    let bed = Bed::new(None).await;
    let case = bed.apply("k").await.access.case;
    let asked = Asked { what: "Lageplan".into(), due_days: 14 };
    let link = bed.broker.ask_for_document(&bed.ours, case, asked, None).await.unwrap().link;
    let token = link.rsplit('/').next().unwrap();
    let before = bed.kept_payloads();
    let page = bed.broker.upload_page(token).await.unwrap();
    let brings = async |head: &'static [u8]| {
        let body = futures::stream::iter([Ok(Bytes::from_static(head)), Ok(Bytes::from_static(&LARGE))]);
        let file = bed.broker.stage_upload(&page, (1, "plan.pdf"), body).await.unwrap();
        bed.broker.take_upload(&page, vec![file]).await
    };
    let (one, other) = tokio::join!(brings(b"%PDF-1.7 one"), brings(b"%PDF-1.7 two"));
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|ok| **ok).count(), 1, "{one:?} {other:?}");
    assert_eq!(bed.kept_payloads() - before, 1);
    // Nor does an application leave anything whose proof is too long to be kept.
    let mut long = application();
    long.schema = Some("x".repeat(20_000));
    long.form = Some(("application/json".into(), vec![b' '; 150 * 1024]));
    assert!(bed.applies("long", long).await.is_err());
    assert_eq!(bed.kept_payloads() - before, 1);
}
