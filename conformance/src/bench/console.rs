//! How soon the pages of the console are there with a million messages: each first page, and searches. Somebody signs in as people do: a user
//! of the command line, an initial secret, a password. One message of each state, one case and one task come by the interface; all others are
//! copies of their rows, spread over thirty days.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use time::OffsetDateTime;

use super::node::{message, sender};
use super::{rounded, wire};
use crate::Error;
use crate::bed::until;
use crate::client::text;
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};

/// Messages that are there.
const MESSAGES: u32 = 1_000_000;
/// Cases that are there; every twentieth message belongs to one.
const CASES: u32 = 50_000;
/// Acts of people and systems in the audit log.
const ACTS: u32 = 50_000;
/// Partners that the messages are from.
const PARTNERS: u32 = 200;
/// Time between two messages, in milliseconds: a million in thirty days.
const APART: u32 = 2_592;
/// Of a thousand messages the first so many wait for a human, then those below this were returned, then those below this are with their
/// recipient; the others are confirmed.
const PARKED: u32 = 2;
const RETURNED: u32 = 12;
const DELIVERED: u32 = 16;

/// Requests for each page.
const TIMES: usize = 200;
/// Connections at once: people do not ask at the same moment.
const CONNECTIONS: usize = 1;
/// Longest that 99 of 100 first pages may take, in milliseconds.
const PAGE_MS: f64 = 50.0;
/// Longest that 99 of 100 searches may take, in milliseconds.
const SEARCH_MS: f64 = 300.0;

const PASSWORD: &str = "sieben blaue Aktendeckel am Fenster";
const COOKIE: &str = "__Host-amtsbote-console";

/// What to measure.
#[derive(Debug, Clone)]
pub struct Console {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Its engine.
    pub engine: Engine,
}

/// One page or search.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// What it is.
    pub name: String,
    /// Median, in milliseconds, from request to the last byte.
    pub p50_ms: f64,
    /// What 99 of 100 kept, in milliseconds.
    pub p99_ms: f64,
    /// What they have to keep.
    pub most_ms: f64,
    /// Bytes of the page.
    pub bytes: usize,
    /// Whether they kept it.
    pub holds: bool,
}

/// Outcome of `bench console`.
#[derive(Debug, Clone, Serialize)]
pub struct ConsoleFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// Messages that were there.
    pub messages: u32,
    /// Each page and search.
    pub pages: Vec<Shown>,
}

/// Measures.
///
/// # Errors
/// If an answer is not what it has to be.
pub async fn console(wanted: &Console) -> Result<ConsoleFigures, Error> {
    let mut gateway = Gateway::prepare(&wanted.binary, &wanted.engine).await?;
    // Nothing is worked on at first, so that a message can be put aside.
    gateway.configure("[people]\ntotp = \"optional\"\n[limits]\nworkers = 0\n")?;
    let token = gateway.token("filler", sender()).await?;
    let secret = invited(&gateway).await?;
    let templates = Templates::make(&mut gateway, &token).await?;
    fill(&gateway, &wanted.engine, &templates).await?;
    gateway.start().await?;
    let base = gateway.internal();
    let cookie = sign_in(&base, &secret).await?;
    let mut pages = vec![];
    for (name, path, most_ms) in places(&templates) {
        let request = get(&path, &cookie);
        // What the database and the gateway have to warm up for is not measured.
        let (_, first) = wire::answers(&base, vec![request.clone(); 3], 1, 200).await?;
        let run = wire::run(&base, vec![request; TIMES], CONNECTIONS, 200).await?;
        pages.push(Shown {
            name: name.to_owned(),
            p50_ms: rounded(run.percentile_ms(50)),
            p99_ms: rounded(run.p99_ms()),
            most_ms,
            bytes: first.first().map_or(0, |(_, body)| body.len()),
            holds: run.p99_ms() < most_ms,
        });
    }
    gateway.remove().await?;
    Ok(ConsoleFigures { engine: wanted.engine.name(), messages: MESSAGES, pages })
}

/// Names and addresses of what is measured, and how long it may take.
fn places(templates: &Templates) -> Vec<(&'static str, String, f64)> {
    let page = |name, path: &str| (name, path.to_owned(), PAGE_MS);
    let search = |name, path: String| (name, path, SEARCH_MS);
    let day = |days: i64| (OffsetDateTime::now_utc() - time::Duration::days(days)).date();
    vec![
        page("overview", "/overview"),
        page("messages", "/messages"),
        page("a message", &format!("/messages/{}", templates.message)),
        page("partners", "/partners"),
        page("adapters", "/adapters"),
        page("figures", "/figures"),
        page("audit log", "/audit"),
        page("evidence", "/evidence"),
        page("desk", "/desk"),
        page("post", "/post"),
        page("cases", "/cases"),
        page("a case", &format!("/cases/{}", templates.case)),
        page("a clarification", &format!("/clarifications/{}", templates.parked)),
        page("payments", "/payments"),
        page("statement lines", "/statement-lines"),
        page("users", "/users"),
        search("messages of an id", format!("/messages?q={}", templates.message)),
        search("messages of a reference", "/messages?q=AZ-31415".into()),
        search("messages parked by a rule", "/messages?rule=message.parked-by-hand&state=parked".into()),
        search(
            "messages of a partner in a week",
            format!("/messages?partner=bab%3A06000042&since={}&until={}", day(14), day(7)),
        ),
        search("parked messages of a partner", "/messages?state=parked&partner=bab%3A06000042".into()),
        search("nothing of that partner", "/messages?partner=bab%3A09999999".into()),
        // Each of these is many messages, together they are none: nothing ends the search early.
        search("returned messages of a door, none", "/messages?state=returned&door=xta".into()),
        search(
            "confirmed messages of a door and a type, none",
            "/messages?state=confirmed&door=xta&type=0401".into(),
        ),
        search("messages of a door and a type, none", "/messages?door=xta&type=0401".into()),
        search("messages of a type and a partner, none", "/messages?type=0401&partner=bab%3A06000042".into()),
        search(
            "messages of everything at once, none",
            format!(
                "/messages?state=confirmed&direction=in&door=xta&standard=xdomea&type=0401&partner=bab%3A06000042&since={}&until={}",
                day(29),
                day(1)
            ),
        ),
        search("cases of a reference", "/cases?q=AZ-31415".into()),
        search("cases of a text", "/cases?q=Wintergarten".into()),
    ]
}

fn get(path: &str, cookie: &str) -> Vec<u8> {
    let head = format!("GET /console{path} HTTP/1.1\r\nHost: localhost\r\n");
    format!("{head}Cookie: {COOKIE}={cookie}\r\nAccept-Language: de\r\n\r\n").into_bytes()
}

/// A user who may see everything, made on the command line; gives the initial secret.
async fn invited(gateway: &Gateway) -> Result<String, Error> {
    let mut arguments = vec!["user", "add", "e.beispiel", "--name", "Erika Beispiel", "--tenant", COUNTY];
    for role in ["clerk", "cashier", "operator", "auditor", "admin"] {
        arguments.extend(["--role", role]);
    }
    arguments.extend(["--unit", "*", "--service", "*", "--authority", COUNTY_KEY, "--json"]);
    Ok(text(&gateway.run(&arguments).await?, "secret").to_owned())
}

/// Signs in by the forms, with the initial secret and a new password; gives the session.
async fn sign_in(base: &str, secret: &str) -> Result<String, Error> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let send = async |path: &str, cookie: &str, fields: &[(&str, &str)]| {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = http.post(format!("{base}/console{path}")).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("cookie", format!("{COOKIE}={cookie}")).send().await?;
        let status = answer.status().as_u16();
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|it| it.to_str().ok());
        let mut cookies =
            cookies.filter_map(|it| it.strip_prefix(COOKIE)?.strip_prefix('=')?.split(';').next());
        match cookies.next() {
            Some(session) if !session.is_empty() => Ok(session.to_owned()),
            _ => Err(Error::Unexpected { what: format!("POST {path}"), status, code: String::new() }),
        }
    };
    let session = send("/welcome", "", &[("secret", secret)]).await?;
    let page = http.get(format!("{base}/console/set-up"));
    let page = page.header("cookie", format!("{COOKIE}={session}")).send().await?.text().await?;
    let form = page.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields = [("form", form.unwrap_or_default()), ("new", PASSWORD), ("again", PASSWORD)];
    send("/set-up", &session, &fields).await
}

/// The rows that all others are copies of.
struct Templates {
    message: String,
    state: String,
    parked: String,
    case: String,
    task: String,
}

impl Templates {
    /// Makes them; the gateway is down before and after.
    async fn make(gateway: &mut Gateway, token: &str) -> Result<Templates, Error> {
        let operator = Rights { roles: &["operator"], authority: None, ..sender() };
        let operator = gateway.token("operator", operator).await?;
        gateway.start().await?;
        let client = gateway.client(token)?;
        let raw = |number| vec![message(token, number)];
        let base = gateway.internal();
        let first = wire::answers(&base, raw(1), 1, 202).await?.1;
        let second = wire::answers(&base, raw(2), 1, 202).await?.1;
        let id = |answers: &[(usize, Vec<u8>)]| {
            let answer =
                answers.first().map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap_or_default());
            text(&answer.unwrap_or_default(), "id").to_owned()
        };
        let (message, parked) = (id(&first), id(&second));
        let park = format!("/messages/{parked}/park");
        gateway.client(&operator)?.post(&park, "park", &json!({})).await?.expect("POST …/park", &[200])?;
        let case = json!({ "unit": "63", "title": "Neubau", "recordReference": "AZ-0" });
        let case = client.post("/cases", "case", &case).await?.expect("POST /cases", &[201])?;
        let task =
            json!({ "unit": "63", "title": "Stellungnahme", "kind": "hearing", "case": text(&case, "id") });
        let task = client.post("/tasks", "task", &task).await?.expect("POST /tasks", &[201])?;
        gateway.kill().await?;
        gateway.reconfigure(&[("workers = 0", "workers = 2")])?;
        gateway.start().await?;
        let state = until("the first message", Duration::from_millis(100), async || {
            let path = format!("/messages/{message}");
            let state =
                text(&client.get(&path).await?.expect("GET /messages/{id}", &[200])?, "state").to_owned();
            Ok(Some(state).filter(|state| state != "accepted"))
        })
        .await?;
        gateway.kill().await?;
        let of = |it: &Value| text(it, "id").to_owned();
        Ok(Templates { case: of(&case), task: of(&task), message, state, parked })
    }
}

async fn fill(gateway: &Gateway, engine: &Engine, templates: &Templates) -> Result<(), Error> {
    let is_sqlite = *engine == Engine::Sqlite;
    let steps = steps(is_sqlite, templates);
    if is_sqlite {
        let path = gateway.folder().join("data/amtsbote.db");
        let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
        for step in steps {
            sqlx::query(AssertSqlSafe(step)).execute(&mut conn).await?;
        }
        return Ok(());
    }
    let mut conn = PgConnection::connect(&gateway.database_url()).await?;
    // PostgreSQL looks at its tables and tidies them up by itself, a minute later; SQLite never.
    for step in steps.into_iter().chain(["VACUUM ANALYZE".to_owned()]) {
        sqlx::query(AssertSqlSafe(step)).execute(&mut conn).await?;
    }
    Ok(())
}

/// The statements that copy the rows.
fn steps(is_sqlite: bool, templates: &Templates) -> Vec<String> {
    let Templates { message, state, parked, case, task } = templates;
    let begin = OffsetDateTime::now_utc().unix_timestamp() * 1_000 - i64::from(MESSAGES) * i64::from(APART);
    let numbers = |count: u32| match is_sqlite {
        true => format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "),
        false => format!("WITH n(i) AS (SELECT generate_series(1::bigint, {count})) "),
    };
    let id = |number: &str, mark: char| {
        id_sql(is_sqlite, &format!("({begin} + {number} * {APART})"), number, mark)
    };
    let (own, of_case) = (id("i", 'a'), id("(i % 50000 * 20)", 'c'));
    let state_of = format!(
        "CASE WHEN i % 1000 < {PARKED} THEN 'parked' WHEN i % 1000 < {RETURNED} THEN 'returned' \
         WHEN i % 1000 < {DELIVERED} THEN 'delivered' ELSE 'confirmed' END"
    );
    // What was returned or is parked never came by the other door, and that door never brings the first type.
    let door = format!("CASE WHEN i % 1000 < {RETURNED} OR i % 2 = 1 THEN door ELSE 'xta' END");
    let kind = "CASE i % 2 WHEN 1 THEN message_type ELSE '0501' END";
    let partner = format!("'bab:06' || substr(CAST(1000000 + i % {PARTNERS} AS TEXT), 2)");
    let body = format!(
        "replace(replace(replace(body, '{message}', {own}), '\"state\":\"{state}\"', '\"state\":\"' || {state_of} || '\"'), \
         partner, {partner})"
    );
    let columns = "tenant, authority, unit, public_service, direction";
    let record = |template: &str, count: u32, own: &str, reference: &str| {
        format!(
            "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, status, \
             record_reference, version, staged_by, urgency, pile, assignee, body) {} SELECT {own}, tenant, kind, authority, unit, public_service, \
             {own}, parent, place, status, {reference}, version, staged_by, urgency, pile, assignee, replace(replace(body, '{template}', {own}), 'AZ-0', COALESCE({reference}, 'AZ-0')) \
             FROM record, n WHERE record.id = '{template}'",
            numbers(count)
        )
    };
    let event = |template: &str, count: u32, mark: char, columns: &str| {
        let own = id("i", mark);
        format!(
            "INSERT INTO event (id, tenant, unit, public_service, case_id, message_id, subject_id, act, digest, salt, body) {} \
             SELECT {own}, {columns}, digest, salt, body FROM (SELECT * FROM event WHERE {template} ORDER BY id LIMIT 1) AS one, n",
            numbers(count)
        )
    };
    let linked = format!("CASE WHEN i % 20 = 0 THEN {of_case} END");
    vec![
        format!(
            "INSERT INTO message (id, {columns}, partner, message_type, process_id, exchange, state, received_at, body, door, standard) \
             {} SELECT {own}, {columns}, {partner}, {kind}, NULL, NULL, {state_of}, ({begin} + i * {APART}) * 1000, {body}, {door}, \
             standard FROM message, n WHERE message.id = '{message}'",
            numbers(MESSAGES)
        ),
        format!(
            "INSERT INTO clarification (message, tenant, rule, side, since, task) {} SELECT {own}, tenant, \
             CASE i % 2 WHEN 0 THEN rule ELSE 'message.parked-by-hand' END, side, ({begin} + i * {APART}) * 1000, NULL \
             FROM clarification, n WHERE clarification.message = '{parked}' AND i % 1000 < {PARKED}",
            numbers(MESSAGES)
        ),
        event(
            &format!("message_id = '{message}'"),
            MESSAGES,
            'e',
            &format!("tenant, unit, public_service, {linked}, {own}, NULL, NULL"),
        ),
        event(
            "act IS NOT NULL",
            ACTS,
            'd',
            "tenant, unit, public_service, case_id, message_id, subject_id, act",
        ),
        record(case, CASES, &id("(i * 20)", 'c'), "'AZ-' || i"),
        record(task, 2_000, &id("i", 'f'), "record_reference"),
    ]
}

/// An id of a time in milliseconds, in the order of time as the gateway's own are.
fn id_sql(is_sqlite: bool, at: &str, number: &str, mark: char) -> String {
    match is_sqlite {
        true => format!("printf('%08x-%04x-7000-8000-{mark}%011x', {at} >> 16, {at} & 65535, {number})"),
        false => format!(
            "(lpad(to_hex({at} >> 16), 8, '0') || '-' || lpad(to_hex({at} & 65535), 4, '0') || '-7000-8000-{mark}' \
             || lpad(to_hex({number}), 11, '0'))"
        ),
    }
}
