//! The chain in the database: rows that somebody changed are found and named.

use model::{Id, ids};
use seal::timestamp::{self, Authorities};
use store::{ChainReport, EvidenceKey, StampRow, Work};

use crate::make::{self, TENANT};
use crate::tsa::Tsa;
use crate::{Bed, execute, on_every_engine};

const TABLES: [&str; 5] = ["event", "unsealed", "chain_entry", "chain_batch", "chain_stamp"];

/// A chain of twelve events in four batches, the second and the fourth stamped, the eighth event erased, and two events
/// that wait.
struct Chain {
    bed: Bed,
    key: EvidenceKey,
    authorities: Authorities,
    sealed: Vec<Id>,
    waiting: Vec<Id>,
}

impl Chain {
    async fn new(bed: Bed) -> Self {
        let (key, tsa) = (EvidenceKey::random().unwrap(), Tsa::good());
        let mut sealed = Vec::new();
        for no in 1..=4 {
            sealed.extend(emit(&bed, 3).await);
            bed.store.seal(TENANT, &key).await.unwrap();
            if no % 2 == 0 {
                let head = bed.store.last_batch(TENANT).await.unwrap().unwrap().batch.head;
                let response = tsa.stamp(&head.0);
                let at = timestamp::check(&response, &head.0, None).unwrap().at_micros;
                let stamp = StampRow { batch_no: no, at: model::Timestamp::from_micros(at), response };
                bed.store.put_stamp(TENANT, &stamp, std::time::Duration::ZERO).await.unwrap();
            }
        }
        let waiting = emit(&bed, 2).await;
        let mut work = Work::new();
        work.erase_event(TENANT, sealed[7]);
        bed.store.commit(work).await.unwrap();
        let chain = Self { bed, key, authorities: tsa.authorities(), sealed, waiting };
        for table in TABLES {
            execute(&chain.bed.database, &format!("CREATE TABLE saved_{table} AS SELECT * FROM {table}"))
                .await;
        }
        chain
    }

    async fn check(&self) -> ChainReport {
        self.bed.store.check_chain(TENANT, &self.key.keys().unwrap(), Some(&self.authorities)).await.unwrap()
    }

    async fn restore(&self) {
        let restore =
            |table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved_{table};");
        execute(&self.bed.database, &TABLES.map(restore).concat()).await;
    }
}

async fn emit(bed: &Bed, count: usize) -> Vec<Id> {
    let mut ids = Vec::new();
    let mut work = Work::new();
    for _ in 0..count {
        let event = make::event(Some(ids::new_id()));
        ids.push(event.id);
        work.insert_event(&event);
    }
    bed.store.commit(work).await.unwrap();
    ids
}

/// A manipulation, and the finding that must name it.
struct Manipulation {
    sql: String,
    code: &'static str,
    event: Option<u64>,
    batch: Option<u64>,
}

fn at_event(sql: String, code: &'static str, event: u64) -> Manipulation {
    Manipulation { sql, code, event: Some(event), batch: None }
}

fn at_batch(sql: &str, code: &'static str, batch: u64) -> Manipulation {
    Manipulation { sql: sql.to_owned(), code, event: None, batch: Some(batch) }
}

fn somewhere(sql: String, code: &'static str) -> Manipulation {
    Manipulation { sql, code, event: None, batch: None }
}

/// Rows changed one way or the other; the fifth event stands in the second batch.
fn manipulations(chain: &Chain) -> Vec<Manipulation> {
    let (fifth, sixth, last) = (chain.sealed[4], chain.sealed[5], chain.sealed[11]);
    let zeros = "0".repeat(64);
    let of_event = |change: &str| format!("UPDATE event SET {change} WHERE id = '{fifth}'");
    let of_entry = |change: &str| format!("UPDATE chain_entry SET {change} WHERE number = 5");
    let changed = "evidence.event-changed";
    vec![
        at_event(of_event("body = replace(body, 'Neubau', 'Abriss')"), changed, 5),
        at_event(of_event("salt = '00000000000000000000000000000000'"), changed, 5),
        at_event(of_event("salt = 'no salt'"), changed, 5),
        at_event(of_event("salt = NULL"), changed, 5),
        at_event(of_event(&format!("digest = '{zeros}'")), changed, 5),
        at_event(of_event(&format!("salt = NULL, body = NULL, digest = '{zeros}'")), changed, 5),
        at_event(of_event(&format!("case_id = '{last}'")), changed, 5),
        at_event(of_event("case_id = NULL"), changed, 5),
        at_event(of_event("unit = '70'"), changed, 5),
        at_event(of_event("public_service = NULL"), changed, 5),
        at_event(of_event(&format!("message_id = '{last}'")), changed, 5),
        at_event(of_event("tenant = 'lippstadt'"), changed, 5),
        at_event(format!("DELETE FROM event WHERE id = '{fifth}'"), "evidence.event-missing", 5),
        somewhere(
            format!(
                "INSERT INTO event (id, tenant, digest, salt, body) SELECT '{}', tenant, digest, salt, body FROM event \
                 WHERE id = '{fifth}'",
                ids::new_id()
            ),
            "evidence.event-unsealed",
        ),
        at_event(of_entry(&format!("digest = '{zeros}'")), "evidence.entry-changed", 5),
        at_event(of_entry("digest = 'none'"), "evidence.entry-changed", 5),
        at_event(of_entry("tenant = 'lippstadt'"), "evidence.event-missing", 5),
        at_event("DELETE FROM chain_entry WHERE number = 5".into(), "evidence.event-missing", 5),
        at_event("DELETE FROM chain_entry WHERE number IN (5, 6)".into(), "evidence.event-missing", 5),
        somewhere("DELETE FROM chain_entry WHERE number = 5".into(), "evidence.event-unsealed"),
        // Two events exchange their places.
        at_event(
            "UPDATE chain_entry SET number = 99 WHERE number = 5; UPDATE chain_entry SET number = 5 WHERE number = 6; \
             UPDATE chain_entry SET number = 6 WHERE number = 99"
                .into(),
            "evidence.order",
            6,
        ),
        at_event(
            format!(
                "UPDATE chain_entry SET event_id = 'x' WHERE number = 5; UPDATE chain_entry SET event_id = '{fifth}' \
                 WHERE number = 6; UPDATE chain_entry SET event_id = '{sixth}' WHERE number = 5"
            ),
            "evidence.order",
            6,
        ),
        at_batch(&format!("UPDATE chain_batch SET root = '{zeros}' WHERE no = 2"), "evidence.batch-changed", 2),
        at_batch("UPDATE chain_batch SET root = 'none' WHERE no = 2", "evidence.batch-changed", 2),
        at_batch(&format!("UPDATE chain_batch SET head = '{zeros}' WHERE no = 2"), "evidence.batch-changed", 2),
        at_batch(
            &format!("UPDATE chain_batch SET previous_head = '{zeros}' WHERE no = 2"),
            "evidence.batch-changed",
            2,
        ),
        at_batch("UPDATE chain_batch SET sealed_at = sealed_at + 1 WHERE no = 2", "evidence.batch-changed", 2),
        at_batch("UPDATE chain_batch SET last = last + 1 WHERE no = 2", "evidence.batch-changed", 2),
        at_batch("UPDATE chain_batch SET signature = '3000' WHERE no = 2", "evidence.batch-signature", 2),
        at_batch(
            "UPDATE chain_batch SET signature = (SELECT signature FROM saved_chain_batch WHERE no = 1) WHERE no = 2",
            "evidence.batch-signature",
            2,
        ),
        at_batch("DELETE FROM chain_batch WHERE no = 2", "evidence.batch-gap", 3),
        at_batch("UPDATE chain_batch SET no = 7 WHERE no = 2", "evidence.batch-gap", 3),
        at_batch(
            "UPDATE chain_batch SET no = 99 WHERE no = 2; UPDATE chain_batch SET no = 2 WHERE no = 3; \
             UPDATE chain_batch SET no = 3 WHERE no = 99",
            "evidence.batch-changed",
            2,
        ),
        // The end is cut off, more and more thoroughly.
        at_event("DELETE FROM chain_batch WHERE no = 4".into(), "evidence.tail-cut", 10),
        at_batch("DELETE FROM chain_batch WHERE no = 4", "evidence.tail-cut", 4),
        somewhere(
            "DELETE FROM chain_batch WHERE no = 4; DELETE FROM chain_entry WHERE number > 9; DELETE FROM chain_stamp \
             WHERE batch_no = 4"
                .into(),
            "evidence.event-unsealed",
        ),
        at_batch(
            &format!(
                "DELETE FROM chain_batch WHERE no = 4; DELETE FROM chain_entry WHERE number > 9; DELETE FROM event WHERE \
                 id > '{}' AND id <= '{last}'",
                chain.sealed[8]
            ),
            "evidence.tail-cut",
            4,
        ),
        at_batch("UPDATE chain_stamp SET stamped_at = stamped_at - 1 WHERE batch_no = 2", "evidence.stamp-wrong", 2),
        at_batch(
            "UPDATE chain_stamp SET token = (SELECT token FROM saved_chain_stamp WHERE batch_no = 4) WHERE batch_no = 2",
            "evidence.stamp-wrong",
            2,
        ),
        at_batch("UPDATE chain_stamp SET batch_no = 9 WHERE batch_no = 4", "evidence.tail-cut", 9),
        somewhere(
            format!("UPDATE unsealed SET digest = '{zeros}' WHERE event_id = '{}'", chain.waiting[0]),
            changed,
        ),
        somewhere(
            format!("DELETE FROM unsealed WHERE event_id = '{}'", chain.waiting[0]),
            "evidence.event-unsealed",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_chain_is_whole() {
    on_every_engine(|bed| async move {
        let report = Chain::new(bed).await.check().await;
        assert_eq!(report.findings, []);
        let ChainReport { batches, events, erased, unsealed, stamps, .. } = report;
        assert_eq!((batches, events, erased, unsealed, stamps), (4, 12, 1, 2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_over_a_change_of_the_key_is_whole_by_both_and_the_older_batches_are_named_by_the_newer_alone()
 {
    on_every_engine(|bed| async move {
        let chain = Chain::new(bed).await;
        let newer = EvidenceKey::random().unwrap().after(vec![chain.key.public().unwrap()]);
        chain.bed.store.seal(TENANT, &newer).await.unwrap();
        let check = async |keys| chain.bed.store.check_chain(TENANT, &keys, None).await.unwrap();
        let report = check(newer.keys().unwrap()).await;
        assert_eq!((report.findings.clone(), report.batches, report.events), (vec![], 5, 14));
        let [before, after] = [chain.key.public(), newer.public()].map(|key| key.unwrap().fingerprint());
        let signers: Vec<_> =
            report.signed_by.iter().map(|by| (by.key, by.batches, by.first, by.last)).collect();
        assert_eq!(signers, [(before, 4, 1, 4), (after, 1, 5, 5)]);
        assert!(report.to_string().contains(&before.to_string()), "{report}");

        let report = check(newer.public().unwrap().into()).await;
        let found: Vec<_> = report.findings.iter().map(|it| (it.code, it.batch)).collect();
        assert_eq!(found, [1, 2, 3, 4].map(|no| ("evidence.batch-signature", Some(no))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manipulation_of_rows_is_found_and_named() {
    on_every_engine(|bed| async move {
        let chain = Chain::new(bed).await;
        for manipulation in manipulations(&chain) {
            execute(&chain.bed.database, &manipulation.sql).await;
            let report = chain.check().await;
            let is_named = report.findings.iter().any(|finding| {
                let fits = |wanted: Option<u64>, found| wanted.is_none() || wanted == found;
                finding.code == manipulation.code
                    && fits(manipulation.event, finding.event)
                    && fits(manipulation.batch, finding.batch)
                    && (finding.event.is_some() || finding.batch.is_some() || finding.event_id.is_some())
            });
            assert!(is_named, "{}: {:#?}", manipulation.sql, report.findings);
            chain.restore().await;
        }
        assert!(chain.check().await.ok);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seeded_change_of_a_character_is_found_and_named() {
    let seeds = std::env::var("AMTSBOTE_SEEDS").map_or(100, |text| text.parse().unwrap());
    on_every_engine(move |bed| async move {
        let chain = Chain::new(bed).await;
        for seed in 0..seeds {
            let mut rng = fastrand::Rng::with_seed(seed);
            // The erased event has neither salt nor content.
            let number = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12][rng.usize(..11)];
            let batch = (number - 1) / 3 + 1;
            let id = chain.sealed[number as usize - 1];
            let (table, column, length, row) = match rng.usize(..9) {
                0 => ("event", "digest", 64, format!("id = '{id}'")),
                1 => ("event", "salt", 32, format!("id = '{id}'")),
                2 => ("event", "body", 200, format!("id = '{id}'")),
                3 => ("chain_entry", "digest", 64, format!("number = {number}")),
                4 => ("chain_entry", "event_id", 36, format!("number = {number}")),
                5 => ("chain_batch", "root", 64, format!("no = {batch}")),
                6 => ("chain_batch", "head", 64, format!("no = {batch}")),
                7 => ("chain_batch", "previous_head", 64, format!("no = {batch}")),
                _ => ("chain_batch", "signature", 140, format!("no = {batch}")),
            };
            let at = rng.usize(1..=length);
            let sql = format!(
                "UPDATE {table} SET {column} = substr({column}, 1, {}) || CASE WHEN substr({column}, {at}, 1) = '1' THEN \
                 '2' ELSE '1' END || substr({column}, {}) WHERE {row}",
                at - 1,
                at + 1
            );
            execute(&chain.bed.database, &sql).await;
            let report = chain.check().await;
            let named = report.findings.iter().any(|finding| {
                finding.event == Some(number) || finding.batch == Some(batch) || finding.event_id == Some(id)
            });
            assert!(named, "seed {seed}: {sql}: {:#?}", report.findings);
            chain.restore().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_went_with_their_month_are_counted_and_no_finding() {
    on_every_engine(|bed| async move {
        let chain = Chain::new(bed).await;
        execute(&chain.bed.database, &format!("DELETE FROM event WHERE id <= '{}'", chain.sealed[3])).await;
        let report = chain.check().await;
        assert_eq!((report.dropped, report.findings), (4, vec![]));
    })
    .await;
}
