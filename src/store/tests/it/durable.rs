//! Acknowledged means durable, seen from outside: the system calls of a child process, in their order, and what becomes
//! of it when a sync fails. Needs `strace`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use seal::keys::{KeyRing, MasterKey};
use store::Work;

use crate::make::{self, TENANT};
use crate::{TestClock, open};

const CHILD: &str = "AMTSBOTE_TEST_CHILD";
const ACKNOWLEDGED: &str = "acknowledged by the child";

/// Not a test of its own: what the child process of the tests below does.
#[test]
fn a_child_takes_one_payload_in() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(take_in(Path::new(&folder)));
}

async fn take_in(folder: &Path) {
    let database = format!("sqlite:{}", folder.join("rows.db").display());
    let keys = Arc::new(KeyRing::new(MasterKey::random().unwrap(), vec![]));
    let store = open(&database, folder, &Arc::new(TestClock::now()), &keys).await.unwrap();
    let mut writer = store.payload_writer(TENANT);
    writer.write(&[7; 100_000]).await.unwrap();
    let stored = writer.finish().await.unwrap();
    let mut work = Work::new();
    work.insert_payload(TENANT, &stored).insert_message(&make::message());
    store.commit(work).await.unwrap();
    eprintln!("{ACKNOWLEDGED}");
    store.close().await;
}

/// Runs the child on a store that is there already, under strace with further options for its folder; its trace, or
/// `None` where there is no strace.
fn trace(options: impl Fn(&Path) -> Vec<String>) -> Option<String> {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED: strace is absent");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let child = |command: &mut Command| {
        command.args(["--exact", "durable::a_child_takes_one_payload_in", "--nocapture"]);
        command.env(CHILD, folder.path()).output().unwrap()
    };
    let program = std::env::current_exe().unwrap();
    let made = child(&mut Command::new(&program));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o"]).arg(&trace);
    let traced = child(strace.args(options(folder.path())).arg(program));
    let trace = std::fs::read_to_string(trace).unwrap();
    let acknowledged = String::from_utf8_lossy(&traced.stderr).contains(ACKNOWLEDGED);
    assert_eq!(traced.status.success(), acknowledged, "{trace}");
    Some(trace)
}

/// Where the syncs of the file that `is` picks begin and end, as lines of the trace.
fn syncs(trace: &str, is: impl Fn(&str) -> bool) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = trace.lines().collect();
    let mut syncs = Vec::new();
    for (begin, line) in lines.iter().enumerate() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let Some(path) = call.trim_start().strip_prefix("f").and_then(|_| between(call, '<', '>')) else {
            continue;
        };
        if !call.contains("sync(") || !is(path) {
            continue;
        }
        let resumed = |line: &&str| line.starts_with(pid) && line.contains("sync resumed");
        let later = || lines[begin + 1..].iter().position(resumed).map(|at| begin + 1 + at);
        let end = if call.contains("unfinished") { later().expect("the call returns") } else { begin };
        syncs.push((begin, end));
    }
    syncs
}

fn between(text: &str, open: char, close: char) -> Option<&str> {
    text.split_once(open)?.1.split_once(close).map(|(inside, _)| inside)
}

#[test]
fn payload_then_folder_then_row_are_synced_before_the_answer() {
    let Some(trace) = trace(|_| vec![]) else { return };
    let answer = trace.lines().position(|line| line.contains(ACKNOWLEDGED)).expect("it is acknowledged");
    let segment = syncs(&trace, |path| path.ends_with(".0"))[0];
    let digests = syncs(&trace, |path| path.ends_with(".digests"))[0];
    let in_payloads = |path: &str| {
        path.rsplit_once('/').is_some_and(|(parent, name)| parent.ends_with("payloads") && name.len() == 2)
    };
    let folder = syncs(&trace, in_payloads)[0];
    assert!(segment.1 < folder.0 && digests.1 < folder.0, "files before their folder");
    let row = syncs(&trace, |path| path.ends_with("-wal"));
    assert!(
        row.iter().any(|(begin, end)| folder.1 < *begin && *end < answer),
        "the row between folder and answer"
    );
}

#[test]
fn a_failed_sync_of_row_or_folder_stops_the_process_before_it_answers() {
    let fail = |paths: Vec<String>| {
        let mut options = vec!["-e".to_owned(), "inject=fsync,fdatasync:error=EIO".to_owned()];
        options.extend(paths.into_iter().flat_map(|path| ["-P".to_owned(), path]));
        options
    };
    let row = trace(|folder| fail(vec![folder.join("rows.db-wal").display().to_string()]));
    let folder = trace(|folder| {
        let of = |number: u8| folder.join("payloads").join(hex::encode([number])).display().to_string();
        fail((0..=u8::MAX).map(of).collect())
    });
    for trace in [row, folder].into_iter().flatten() {
        assert!(trace.contains("EIO") && trace.contains("killed by SIGABRT"), "{trace}");
    }
}
