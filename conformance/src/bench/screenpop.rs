//! How fast it is known who calls: look-ups of numbers (`POST /telephony/look-ups`) with a million calls and fifty thousand cases, a
//! tenth of the calls from one number. One case and one call come in by the interface; all others are copies of their rows.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use time::OffsetDateTime;

use super::wire::{self, Run};
use super::{node::sender, rounded};
use crate::Error;
use crate::client::{items, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};

/// Calls that are there.
const CALLS: u32 = 1_000_000;
/// Calls of them from one number.
const BUSY: u32 = 100_000;
/// Cases that are there.
const CASES: u32 = 50_000;
/// Numbers that the other calls are from.
const NUMBERS: u32 = 180_000;

/// The number of very many calls.
const BUSY_NUMBER: &str = "+492921000000";

/// Look-ups that are measured, and connections at once.
const LOOK_UPS: u32 = 4_000;
const CONNECTIONS: usize = 4;

/// The store's own statement (`src/store/src/records.rs`, `newest_named`), for the plan.
const STATEMENT: &str = "SELECT record.kind, record.body, record.id FROM (SELECT record_alias.record FROM record_alias \
     WHERE record_alias.tenant = 'kreis-soest' AND record_alias.kind = 'call' AND record_alias.value = '+492921000000' \
     ORDER BY record_alias.record DESC LIMIT 200) AS named CROSS JOIN record WHERE record.tenant = 'kreis-soest' \
     AND record.unit IN ('63') AND (record.staged_by IS NULL OR NOT EXISTS \
     (SELECT 1 FROM staging WHERE staging.message = record.staged_by AND staging.revealed = 0)) \
     AND record.id = named.record ORDER BY record.id DESC LIMIT 10";

/// What to measure.
#[derive(Debug, Clone)]
pub struct ScreenPop {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Its engine.
    pub engine: Engine,
}

/// Outcome of `bench screenpop`.
#[derive(Debug, Clone, Serialize)]
pub struct ScreenPopFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// Contacts that were there.
    pub interactions: u32,
    /// Look-ups a second, four at once.
    pub look_ups_per_s: f64,
    /// Median of all look-ups, in milliseconds.
    pub p50_ms: f64,
    /// Latency that 99 of 100 look-ups kept, in milliseconds.
    pub p99_ms: f64,
    /// The same of those of the number that a hundred thousand calls are from.
    pub busy_p99_ms: f64,
    /// The same of those by somebody who may see nothing of that.
    pub stranger_p99_ms: f64,
    /// How the database finds the calls of that number.
    pub plan: Vec<String>,
}

/// Measures.
///
/// # Errors
/// If an answer is not what the contract says.
pub async fn screenpop(wanted: &ScreenPop) -> Result<ScreenPopFigures, Error> {
    let mut gateway = Gateway::prepare(&wanted.binary, &wanted.engine).await?;
    let token = gateway.token("filler", sender()).await?;
    let clerk =
        |unit| Rights { tenant: COUNTY, roles: &["system"], unit, service: "*", authority: Some(COUNTY_KEY) };
    let own = gateway.token("clerk", clerk("63")).await?;
    let stranger = gateway.token("stranger", clerk("70")).await?;
    gateway.start().await?;
    let client = gateway.client(&token)?;
    let party = json!({
        "person": { "givenName": "Erika", "familyName": "Mustermann" },
        "contacts": [{ "channel": "phone", "value": BUSY_NUMBER }],
    });
    let case = json!({ "unit": "63", "title": "Neubau", "parties": [party] });
    let case = client.post("/cases", "case", &case).await?.expect("POST /cases", &[201])?;
    let call = json!({
        "unit": "63", "reference": "1", "direction": "incoming", "number": BUSY_NUMBER, "state": "ended",
        "at": "2026-11-23T09:00:00Z", "durationSeconds": 60,
    });
    let call =
        client.post("/telephony/calls", "call", &call).await?.expect("POST /telephony/calls", &[201])?;
    gateway.kill().await?;
    let plan = fill(&gateway, &wanted.engine, text(&case, "id"), text(&call, "id")).await?;
    gateway.start().await?;
    let client = gateway.client(&own)?;
    let known = client.post("/telephony/look-ups", "look", &json!({ "number": BUSY_NUMBER })).await?;
    let known = known.expect("POST /telephony/look-ups", &[200])?;
    if items(&known, "calls").len() != 10 || items(&known, "cases").is_empty() {
        return Err(Error::Start("the calls and the case of the number are not found".into()));
    }
    let base = gateway.internal();
    let mixed = |number: u32| number_of(BUSY + (number * 7_919) % NUMBERS);
    let busy = |_: u32| BUSY_NUMBER.to_owned();
    // What the databases and the gateway have to warm up for is not measured.
    look_up(&base, &own, LOOK_UPS / 4, mixed).await?;
    let all = look_up(&base, &own, LOOK_UPS, |number| if number % 4 == 0 { busy(0) } else { mixed(number) })
        .await?;
    let of_busy = look_up(&base, &own, LOOK_UPS / 4, busy).await?;
    let of_stranger = look_up(&base, &stranger, LOOK_UPS / 4, busy).await?;
    gateway.remove().await?;
    let p50 = all.latencies.get(all.latencies.len() / 2).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3);
    Ok(ScreenPopFigures {
        engine: wanted.engine.name(),
        interactions: CALLS + 1,
        look_ups_per_s: all.rate().round(),
        p50_ms: rounded(p50),
        p99_ms: rounded(all.p99_ms()),
        busy_p99_ms: rounded(of_busy.p99_ms()),
        stranger_p99_ms: rounded(of_stranger.p99_ms()),
        plan,
    })
}

async fn look_up(base: &str, token: &str, count: u32, number: impl Fn(u32) -> String) -> Result<Run, Error> {
    let request = |at| {
        let body = json!({ "number": number(at) }).to_string();
        wire::post("/telephony/look-ups", token, "application/json", body.as_bytes())
    };
    wire::run(base, (0..count).map(request).collect(), CONNECTIONS, 200).await
}

/// The number of a copy, as SQL has it below.
fn number_of(copy: u32) -> String {
    if copy < BUSY { BUSY_NUMBER.to_owned() } else { format!("+49292{}", 1_000_000 + copy % NUMBERS) }
}

/// Copies the rows of a case and a call, and tells how the database finds calls.
async fn fill(gateway: &Gateway, engine: &Engine, case: &str, call: &str) -> Result<Vec<String>, Error> {
    let is_sqlite = *engine == Engine::Sqlite;
    let begin = OffsetDateTime::now_utc().unix_timestamp() * 1_000 - 10_000_000;
    let steps: Vec<String> = [(case, "phone", CASES, BUSY, 'a'), (call, "call", CALLS, 0, 'b')]
        .into_iter()
        .flat_map(|(template, name, count, skip, mark)| {
            let id = id_sql(is_sqlite, begin, mark);
            copies(is_sqlite, (template, name), (count, skip), &id)
        })
        // PostgreSQL looks at its tables by itself, SQLite never.
        .chain((!is_sqlite).then(|| "ANALYZE".to_owned()))
        .collect();
    if is_sqlite {
        let path = gateway.folder().join("data/amtsbote.db");
        let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
        for step in steps {
            sqlx::query(AssertSqlSafe(step)).execute(&mut conn).await?;
        }
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {STATEMENT}")))
            .fetch_all(&mut conn)
            .await?;
        return Ok(rows.iter().map(|row| row.try_get(3)).collect::<Result<_, _>>()?);
    }
    let mut conn = PgConnection::connect(&gateway.database_url()).await?;
    for step in steps {
        sqlx::query(AssertSqlSafe(step)).execute(&mut conn).await?;
    }
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN {STATEMENT}"))).fetch_all(&mut conn).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// The id of copy `i`: in the order of time, as the gateway's own are.
fn id_sql(is_sqlite: bool, begin: i64, mark: char) -> String {
    let at = format!("({begin} + i / 10)");
    match is_sqlite {
        true => format!("printf('%08x-%04x-7000-8000-{mark}%011x', {at} >> 16, {at} & 65535, i)"),
        false => format!(
            "(lpad(to_hex({at} >> 16), 8, '0') || '-' || lpad(to_hex({at} & 65535), 4, '0') || '-7000-8000-{mark}' \
             || lpad(to_hex(i), 11, '0'))"
        ),
    }
}

fn copies(
    is_sqlite: bool,
    (template, name): (&str, &str),
    (count, skip): (u32, u32),
    id: &str,
) -> Vec<String> {
    let last = count - 1;
    let numbers = match is_sqlite {
        true => format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "),
        false => format!("WITH n(i) AS (SELECT generate_series(0::bigint, {last})) "),
    };
    let copy = format!("(i + {skip})");
    let number = format!(
        "CASE WHEN {copy} < {BUSY} THEN '{BUSY_NUMBER}' ELSE '+49292' || CAST(1000000 + {copy} % {NUMBERS} AS TEXT) END"
    );
    vec![
        format!(
            "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, status, \
             record_reference, version, staged_by, body) {numbers} SELECT {id}, tenant, kind, authority, unit, \
             public_service, {id}, parent, place, status, record_reference, version, staged_by, \
             replace(replace(body, '{template}', {id}), '{BUSY_NUMBER}', {number}) \
             FROM record, n WHERE record.id = '{template}'"
        ),
        format!(
            "INSERT INTO record_alias (tenant, kind, value, record) {numbers} \
             SELECT '{COUNTY}', '{name}', {number}, {id} FROM n"
        ),
    ]
}
