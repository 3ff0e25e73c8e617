//! What is wrong with a request to the server of XTA is told by the right fault and code, in the form of the schemas, and leaves
//! nothing but its audit entry: none of whoever has no account, since there is no tenant whose it would be.

mod rows;

use std::path::Path;
use std::process::Command;

use conformance::gateway::Engine;
use serde_json::Value;

use super::replay::{Recorded, post};
use super::{Bed, python, said, shared};
use rows::{Row, Used, rows};

/// Rows of each table, those of evidence and of what the clock notes aside, and files beside the database.
const COUNT: &str = r"
import json, os, sqlite3, sys
base = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
tables = [name for name, in base.execute('SELECT name FROM sqlite_master WHERE type = ?', ('table',))]
evidence = ('chain_', 'compact_', 'sealer', 'unsealed', 'sqlite_', '_sqlx', 'lane', 'figure')
counts = {name: base.execute(f'SELECT COUNT(*) FROM {name}').fetchone()[0] for name in tables if not name.startswith(evidence)}
counts['files'] = sum(len(files) for folder, _, files in os.walk(sys.argv[2]) if folder != os.path.dirname(sys.argv[1]))
print(json.dumps(counts))
";

fn counts(bed: &Bed) -> Value {
    let (folder, url) = (bed.gateway.folder(), bed.gateway.database_url());
    let file = folder.join(url.trim_start_matches("sqlite:").split('?').next().unwrap());
    let mut count = Command::new(python());
    serde_json::from_str(&said(count.arg("-c").arg(COUNT).arg(file).arg(folder.join("data")))).unwrap()
}

/// Number of audit entries, and all the rest.
fn apart(mut counts: Value) -> (u64, Value) {
    let events = counts.as_object_mut().and_then(|all| all.remove("event"));
    (events.and_then(|it| it.as_u64()).unwrap(), counts)
}

/// Sends a request; gives the status, and the file with the answer.
async fn asked(bed: &Bed, row: &Row, file: &Path) -> u16 {
    let request = Recorded {
        port: row.port.to_owned(),
        content_type: row.content_type.clone(),
        accept: "*/*".to_owned(),
        body: row.body.clone(),
    };
    let url = format!("{}/{}", bed.base, row.port);
    let (status, content_type, body) = post(&bed.client(row.who), &url, &request).await;
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n\r\n");
    std::fs::write(file, [head.as_bytes(), &body].concat()).unwrap();
    status
}

/// Ids and messages that rows are about.
async fn used(bed: &Bed) -> Used {
    let issue = async |who, party| {
        let row = rows::created(who, party);
        let file = bed.gateway.folder().join("created");
        assert_eq!(asked(bed, &row, &file).await, 200);
        let text = std::fs::read_to_string(file).unwrap();
        let from = text.find("urn:de:xta:messageid:").unwrap();
        text[from..].split('<').next().unwrap().to_owned()
    };
    let used = Used {
        fresh: issue("client", super::AUTHOR).await,
        sent: issue("client", super::AUTHOR).await,
        foreign: issue("other", rows::OTHER).await,
    };
    let file = bed.gateway.folder().join("sent");
    let good = rows::sent(&used.sent);
    assert_eq!(asked(bed, &good, &file).await, 200, "{}", std::fs::read_to_string(&file).unwrap());
    used
}

/// Sender or receiver with subcodes and number, of each answer; all of them must hold to the schemas.
fn judged(files: &[std::path::PathBuf]) -> Vec<String> {
    let schemas =
        said(Command::new(python()).arg("-B").arg(shared("senders/xta/validate.py")).arg("v3").args(files));
    assert_eq!(schemas.lines().filter(|line| line.starts_with("ok ")).count(), files.len(), "{schemas}");
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/xta/tests/it/judge.py");
    let told = said(Command::new(python()).arg("-B").arg(judge).args(files));
    told.lines().filter_map(|line| line.strip_prefix("== ")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_and_leaves_only_its_audit_entry() {
    let bed = Bed::on(&Engine::Sqlite).await;
    let rows = rows(&used(&bed).await);
    assert!(rows.len() >= 80, "{}", rows.len());
    let (mut wrong, mut files) = (Vec::new(), Vec::new());
    let (mut events, mut rest) = apart(counts(&bed));
    for (index, row) in rows.iter().enumerate() {
        let file = bed.gateway.folder().join(format!("{index:03}_answer.http"));
        let status = asked(&bed, row, &file).await;
        files.push(file);
        let (events_now, rest_now) = apart(counts(&bed));
        let left = events_now - events;
        if status != 500 || left != u64::from(row.is_noted()) || rest != rest_now {
            wrong
                .push(format!("{}: status {status}, {left} audit entries, {rest} then {rest_now}", row.name));
        }
        (events, rest) = (events_now, rest_now);
    }
    for (row, verdict) in rows.iter().zip(judged(&files)) {
        if verdict != row.verdict {
            wrong.push(format!("{}: {verdict} instead of {}", row.name, row.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Who sends well is taken as before.
    let file = bed.gateway.folder().join("sent");
    let id = used(&bed).await.fresh;
    // Bytes that begin like XML, but do not say that they are.
    let sent = rows::sent(&id).with("SGFsbG8=", "PD8B/w==");
    assert_eq!(asked(&bed, &sent, &file).await, 200, "{}", std::fs::read_to_string(&file).unwrap());
    bed.gateway.remove().await.unwrap();
}
