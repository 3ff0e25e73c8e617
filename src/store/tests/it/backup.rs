//! All rows out and in again, into either engine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use model::{Clock, ids};
use seal::keys::{KeyRing, MasterKey};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::backup::{NewRows, TableRows};
use store::{EvidenceKey, NewJob, NewUpload, Rewrapped, Store, UploadQuota, Work};

use crate::make::{self, TENANT};
use crate::{Bed, on_every_engine, open};

/// A store with something in most tables; returns payloads: in the row, in files, erased.
async fn filled(bed: &Bed, signer: &EvidenceKey) -> Vec<model::Id> {
    let mut ids = vec![];
    for bytes in [100, 200_000, 70_000] {
        let mut writer = bed.store.payload_writer(TENANT);
        writer.write(&vec![7; bytes]).await.unwrap();
        let stored = writer.finish().await.unwrap();
        ids.push(stored.reference().id);
        let record = make::with_alias(make::case("Bauantrag"), "vorgang", &format!("n-{bytes}"));
        let mut work = Work::new();
        work.insert_message(&make::message())
            .insert_payload(TENANT, &stored)
            .enqueue(&make::job("a", Some("k")));
        work.put_record(&record, None).insert_event(&make::event(None));
        bed.store.commit(work).await.unwrap();
    }
    bed.store.erase_payload(TENANT, ids[2]).await.unwrap();
    bed.store.seal(TENANT, signer).await.unwrap();
    let mut unsealed = Work::new();
    unsealed.insert_event(&make::event(None));
    bed.store.commit(unsealed).await.unwrap();
    ids
}

async fn write(store: &Store, folder: &Path) -> (Vec<TableRows>, i64) {
    fs::create_dir_all(folder).unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    let mut tables = vec![];
    for name in snapshot.tables() {
        let file = File::create(folder.join(&name)).unwrap();
        tables.push(snapshot.write(&name, file).await.unwrap());
    }
    let schema = snapshot.schema();
    snapshot.end().await.unwrap();
    (tables, schema)
}

async fn read(target: &str, schema: i64, tables: &[TableRows], folder: &Path) {
    let mut rows = NewRows::create(target, schema).await.unwrap();
    for table in tables {
        let file = File::open(folder.join(&table.name)).unwrap();
        rows.insert(table, &mut BufReader::new(file), &|_| ()).await.unwrap();
    }
    rows.finish().await.unwrap();
}

/// Names of all tables that the migrations leave, as their text says, but that of schema versions.
fn tables_of_migrations() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut tables = BTreeSet::new();
    for line in files
        .iter()
        .flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => assert!(tables.insert((*name).to_owned()), "{line}"),
            ["DROP", "TABLE", name] => assert!(tables.remove(*name), "{line}"),
            ["ALTER", "TABLE", old, "RENAME", "TO", new] => {
                assert!(tables.remove(*old) && tables.insert((*new).to_owned()), "{line}");
            }
            _ => {}
        }
    }
    tables
}

/// Rows of a table in an order of their own: an engine gives them in any.
fn lines(folder: &Path, table: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        fs::read_to_string(folder.join(table)).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A second database on the same server.
pub(crate) async fn another(bed: &Bed) -> String {
    let name = format!("amtsbote_test_{}", ids::new_id().simple());
    let mut admin = PgConnection::connect(&bed.database).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    format!("{}/{name}", bed.database.rsplit_once('/').unwrap().0)
}

pub(crate) async fn remove(bed: &Bed, url: &str) {
    let mut admin = PgConnection::connect(&bed.database).await.unwrap();
    let drop = format!("DROP DATABASE {} WITH (FORCE)", url.rsplit_once('/').unwrap().1);
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_are_found_again_in_a_database_of_either_engine() {
    on_every_engine(|bed| async move {
        let signer = EvidenceKey::random().unwrap();
        let payloads = filled(&bed, &signer).await;
        let new = NewUpload {
            tenant: TENANT.into(),
            owner: "t".into(),
            target: serde_json::json!({}),
            length: None,
            lifetime: std::time::Duration::from_secs(3_600),
        };
        let quota = UploadQuota { per_owner: 9, per_tenant: 9, tenant_bytes: 1 << 30 };
        bed.store.create_upload(new, quota).await.unwrap();
        let first = bed.folder.path().join("first");
        let (tables, schema) = write(&bed.store, &first).await;
        let written: BTreeSet<String> = tables.iter().map(|table| table.name.clone()).collect();
        assert_eq!(
            written,
            tables_of_migrations(),
            "no table is forgotten, and there is none that nobody made"
        );
        assert!(lines(&first, "upload").is_empty(), "what is under way begins anew");
        assert!(!lines(&first, "record_alias").is_empty() && !lines(&first, "unsealed").is_empty());

        let mut targets = vec![format!("sqlite:{}", bed.folder.path().join("restored.db").display())];
        if !bed.is_sqlite() {
            targets.push(another(&bed).await);
        }
        for target in targets {
            read(&target, schema, &tables, &first).await;
            let refused = NewRows::create(&target, schema).await.err().unwrap();
            assert_eq!(refused.code(), "store.not-empty");
            let store = open(&target, bed.folder.path(), &bed.clock, &bed.keys).await.unwrap();
            let again = bed.folder.path().join(ids::new_id().to_string());
            let (restored, _) = write(&store, &again).await;
            for table in &tables {
                let found = restored.iter().find(|it| it.name == table.name).unwrap();
                assert_eq!(found.columns, table.columns, "{}", table.name);
                assert_eq!(lines(&first, &table.name), lines(&again, &table.name), "{}", table.name);
            }
            let payload = store.open_payload(TENANT, payloads[1]).await.unwrap();
            assert_eq!(payload.read_at(0, 200_000).await.unwrap(), vec![7; 200_000]);
            let report = store.check_chain(TENANT, &signer.keys().unwrap(), None).await.unwrap();
            assert!(report.ok && report.events == 3, "{report}");
            // Numbers go on behind those that were given.
            let mut work = Work::new();
            work.enqueue(&make::job("a", Some("k"))).insert_event(&make::event(None));
            store.commit(work).await.unwrap();
            store.close().await;
            if target.starts_with("postgres") {
                remove(&bed, &target).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_happened_since_a_backup_is_doubted_and_nothing_else() {
    on_every_engine(|bed| async move {
        let now = bed.clock.now();
        let later = now.plus(std::time::Duration::from_secs(3_600));
        let job =
            |lane: &str, kind: &str, next_at| NewJob { kind: kind.into(), next_at, ..make::job(lane, None) };
        let doubted = [
            job("to:a", "deliver", now),
            job("channel:dms", "channel", now),
            job("pay", "payment-refund", now),
            job("prepare", "prepare", now),
        ];
        let sure = [
            job("to:a", "deliver", later),
            job("local:b", "deliver", now),
            job("hook:x", "hook", now),
            job("session:dms", "channel-session", now),
        ];
        let mut work = Work::new();
        for job in doubted.iter().chain(&sure) {
            work.enqueue_call(job, None);
        }
        let entry = make::entry();
        work.insert_inbox(&entry).set_inbox_expiry(entry.id, Some(now));
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.expired_inbox(9).await.unwrap().len(), 1);
        let folder = bed.folder.path().join("rows");
        let (tables, schema) = write(&bed.store, &folder).await;
        let target = match bed.is_sqlite() {
            true => format!("sqlite:{}", bed.folder.path().join("restored.db").display()),
            false => another(&bed).await,
        };
        let mut rows = NewRows::create(&target, schema).await.unwrap();
        for table in &tables {
            let file = File::open(folder.join(&table.name)).unwrap();
            rows.insert(table, &mut BufReader::new(file), &|_| ()).await.unwrap();
        }
        assert_eq!(rows.doubt(now, now).await.unwrap(), 4);
        rows.finish().await.unwrap();
        let store = open(&target, bed.folder.path(), &bed.clock, &bed.keys).await.unwrap();
        assert!(store.expired_inbox(9).await.unwrap().is_empty(), "somebody may have fetched it");
        for (jobs, is_doubted) in [(doubted, true), (sure, false)] {
            for job in jobs {
                let found = store.is_calling(TENANT, job.subject).await.unwrap();
                assert_eq!(found, is_doubted, "{} in {}", job.kind, job.lane);
            }
        }
        store.close().await;
        if target.starts_with("postgres") {
            remove(&bed, &target).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_of_one_moment_while_others_write() {
    on_every_engine(|bed| async move {
        let signer = EvidenceKey::random().unwrap();
        filled(&bed, &signer).await;
        let mut snapshot = bed.store.snapshot().await.unwrap();
        let heads = snapshot.heads().await.unwrap();
        let mut later = Work::new();
        later.insert_message(&make::message()).insert_event(&make::event(None));
        bed.store.commit(later).await.unwrap();
        bed.store.seal(TENANT, &signer).await.unwrap();
        assert_eq!(snapshot.write("message", std::io::sink()).await.unwrap().rows, 3);
        assert_eq!(snapshot.heads().await.unwrap(), heads);
        snapshot.end().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_none_are_refused_and_leave_nothing() {
    on_every_engine(|bed| async move {
        filled(&bed, &EvidenceKey::random().unwrap()).await;
        let folder = bed.folder.path().join("rows");
        let (tables, schema) = write(&bed.store, &folder).await;
        let message = tables.iter().find(|table| table.name == "message").unwrap();
        let target = bed.folder.path().join("none.db");
        let url = format!("sqlite:{}", target.display());
        let mut bad = TableRows { rows: 1, ..message.clone() };
        for text in ["[]\n", "nothing\n", "{}\n", ""] {
            let mut rows = NewRows::create(&url, schema).await.unwrap();
            let refused = rows.insert(&bad, &mut text.as_bytes(), &|_| ()).await.unwrap_err();
            assert_eq!(refused.code(), "store.corrupt", "{text}");
        }
        bad.columns[0] = "id\" --".into();
        let mut rows = NewRows::create(&url, schema).await.unwrap();
        assert_eq!(rows.insert(&bad, &mut &b"[]\n"[..], &|_| ()).await.unwrap_err().code(), "store.corrupt");
        bad.name = "message; DROP TABLE message".into();
        assert_eq!(rows.insert(&bad, &mut &b"[]\n"[..], &|_| ()).await.unwrap_err().code(), "store.corrupt");
        assert!(!target.exists());
        assert_eq!(NewRows::create(&url, 9_999).await.err().unwrap().code(), "store.newer-schema");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_database_left_beside_the_new_one_is_refused() {
    on_every_engine(|bed| async move {
        for ending in ["-wal", "-shm", "-journal"] {
            let target = bed.folder.path().join(format!("new{ending}.db")).display().to_string();
            fs::write(format!("{target}{ending}"), b"of another one").unwrap();
            let refused = NewRows::create(&format!("sqlite:{target}"), 1).await.err().unwrap();
            assert_eq!(refused.code(), "store.not-empty", "{ending}");
            assert!(!Path::new(&target).exists());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_key_wrapped_is_wrapped_anew() {
    on_every_engine(|bed| async move {
        let payloads = filled(&bed, &EvidenceKey::random().unwrap()).await;
        let (old, new) = ("11".repeat(32), "22".repeat(32));
        let key = |text: &String| text.parse::<MasterKey>().unwrap();
        // Content of an older key beside that of the bed's own.
        let both = Arc::new(KeyRing::new(key(&old), vec![]));
        let store = open(&bed.database, bed.folder.path(), &bed.clock, &both).await.unwrap();
        let stored = {
            let mut writer = store.payload_writer(TENANT);
            writer.write(&[9; 70_000]).await.unwrap();
            writer.finish().await.unwrap()
        };
        let mut work = Work::new();
        work.insert_payload(TENANT, &stored);
        store.commit(work).await.unwrap();
        store.close().await;

        let ring = Arc::new(KeyRing::new(key(&new), vec![key(&old)]));
        let store = open(&bed.database, bed.folder.path(), &bed.clock, &ring).await.unwrap();
        assert_eq!(store.key_use().await.unwrap().len(), 2);
        let unknown = async {
            let mut so_far = Rewrapped::default();
            while let Some(next) = store.rewrap(so_far).await? {
                so_far = next;
            }
            Ok::<_, store::Error>(so_far)
        };
        assert_eq!(unknown.await.unwrap_err().code(), "key.unknown", "that of the bed is not at hand");
        for id in payloads {
            store.erase_payload(TENANT, id).await.ok();
        }
        let mut so_far = Rewrapped::default();
        while let Some(next) = store.rewrap(so_far).await.unwrap() {
            so_far = next;
        }
        assert_eq!((so_far.done, so_far.passed), (1, 0));
        store.close().await;
        let ring = Arc::new(KeyRing::new(key(&new), vec![]));
        let store = open(&bed.database, bed.folder.path(), &bed.clock, &ring).await.unwrap();
        let payload = store.open_payload(TENANT, stored.reference().id).await.unwrap();
        assert_eq!(payload.read_at(0, 70_000).await.unwrap(), vec![9; 70_000]);
        store.close().await;
    })
    .await;
}
