//! SIGKILL at seeded moments under load: whatever clients were told is there afterwards, once.

use std::path::Path;

use conformance::crash::Campaign;
use conformance::gateway::Engine;

/// Seeds of each engine here; `./dev check crash` runs 500.
const SEEDS: u64 = 25;

fn campaign(engine: Engine, seeds: u64, forget: bool) -> Campaign {
    Campaign { binary: Path::new(env!("CARGO_BIN_EXE_amtsbote")).to_owned(), engine, from: 1, seeds, forget }
}

async fn assert_nothing_is_lost(engine: Engine) {
    let summary = campaign(engine, SEEDS, false).run(|_, _| {}).await;
    assert!(summary.failures.is_empty(), "{:#?}", summary.failures);
    assert!(summary.kills >= SEEDS && summary.acknowledged > 0);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_on_sqlite() {
    assert_nothing_is_lost(Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => assert_nothing_is_lost(engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

#[tokio::test]
async fn a_campaign_that_forgets_a_payload_reports_it() {
    let summary = campaign(Engine::Sqlite, 1, true).run(|_, _| {}).await;
    let [(_, found)] = &summary.failures[..] else { panic!("{summary:?}") };
    assert!(found.iter().any(|discrepancy| discrepancy.starts_with("lost: ")), "{found:?}");
}
