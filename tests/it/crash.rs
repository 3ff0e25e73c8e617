//! SIGKILL at seeded moments under load: whatever clients were told is there afterwards, once.

use std::path::Path;

use conformance::crash::Campaign;
use conformance::gateway::Engine;

/// Seeds of each engine here; `./dev check crash` runs 500.
const SEEDS: u64 = 25;

async fn campaign(engine: Engine) {
    let binary = Path::new(env!("CARGO_BIN_EXE_amtsbote")).to_owned();
    let summary = Campaign { binary, engine, from: 1, seeds: SEEDS }.run(|_, _| {}).await;
    assert!(summary.failures.is_empty(), "{:#?}", summary.failures);
    assert!(summary.kills >= SEEDS && summary.acknowledged > 0);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_on_sqlite() {
    campaign(Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => campaign(engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}
