//! Ten thousand files and a gateway that is killed: none is lost, none taken twice, and each costs the same.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use adapter_post::scan::Scan;
use adapter_post::scan::settings::Settings;
use model::adapter::Adapter;

use super::support::{Gateway, Office};

const FOLDER: &str = "AMTSBOTE_TEST_SCAN_FOLDER";
const LOG: &str = "AMTSBOTE_TEST_SCAN_LOG";

/// Every third has an index file, which says its number.
fn fill(office: &Office, files: usize) {
    for number in 0..files {
        office.put(&format!("s{number}.pdf"), format!("%PDF-1.4\n% {number}\n%%EOF\n").as_bytes());
        if number % 3 == 0 {
            office.put(&format!("s{number}.csv"), format!("az\n{number}\n").as_bytes());
        }
    }
}

fn log_of(office: &Office) -> std::path::PathBuf {
    office.path("work").with_file_name(".log")
}

/// The other process: sessions until nothing is left.
#[tokio::test]
#[ignore = "is started by the others of this file"]
async fn child() {
    let (Ok(folder), Ok(log)) = (std::env::var(FOLDER), std::env::var(LOG)) else { return };
    let office = Office::new();
    let settings =
        Settings { folder: folder.into(), session: Duration::from_secs(600), ..office.settings.clone() };
    let scan = Scan::new(settings, None).unwrap();
    scan.run(Gateway::with_log(Path::new(&log))).await.unwrap();
}

fn start(office: &Office, before: &[&str]) -> Child {
    let program = std::env::current_exe().unwrap();
    let words: Vec<&str> = before.iter().copied().chain([program.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--ignored", "--exact", "scan::kills::child"]);
    command.env(FOLDER, office.folder.path()).env(LOG, log_of(office));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn lines(office: &Office) -> Vec<String> {
    fs::read_to_string(log_of(office)).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn none_of_ten_thousand_files_is_lost_or_taken_twice_through_three_kills() {
    const FILES: usize = 10_000;
    let office = Office::in_memory();
    fill(&office, FILES);
    for at in [1_500, 4_000, 8_000] {
        let mut child = start(&office, &[]);
        while lines(&office).len() < at {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {:?}", office.refused());
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(start(&office, &[]).wait().unwrap().success());

    let lines = lines(&office);
    let (mut new, again): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("new "));
    assert!(again.len() <= 3, "at most the one that was under way: {again:?}");
    let with_index = new.iter().filter(|line| !line.ends_with(" -")).count();
    assert_eq!(with_index, FILES.div_ceil(3), "no document lost its index");
    new.sort();
    new.dedup();
    assert_eq!(new.len(), FILES);
    assert_eq!(office.names("done").len(), FILES + FILES.div_ceil(3));
    assert!(office.names("work").is_empty() && office.names("error").is_empty());
}

/// Calls that name files or read folders.
fn calls(files: usize) -> usize {
    let office = Office::in_memory();
    fill(&office, files);
    let counts = office.path(".calls");
    let strace = ["strace", "-f", "-c", "-e", "trace=%file,getdents64", "-o", counts.to_str().unwrap()];
    assert!(start(&office, &strace).wait().unwrap().success());
    assert_eq!(lines(&office).len(), files);
    let counts = fs::read_to_string(counts).unwrap();
    // Share, seconds, microseconds per call, calls.
    let numbers =
        counts.lines().last().unwrap().split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    numbers.skip(2).map(|it| it as usize).max().unwrap()
}

#[test]
fn a_file_costs_the_same_however_many_there_are() {
    let [none, some, many] = [0, 150, 1_200].map(calls);
    let (one, other) = ((some - none) as f64 / 150.0, (many - none) as f64 / 1_200.0);
    assert!(other <= one * 1.1 && other < 60.0, "{one} calls of a file among 150, {other} among 1,200");
}

#[test]
fn what_is_noted_is_durable_before_anything_moves() {
    let office = Office::new();
    fill(&office, 1);
    let calls = office.path(".calls");
    let strace =
        ["strace", "-f", "-e", "trace=fsync,?rename,?renameat,?renameat2", "-o", calls.to_str().unwrap()];
    assert!(start(&office, &strace).wait().unwrap().success());
    let calls = fs::read_to_string(calls).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    let at =
        |what: &str| calls.iter().position(|call| call.contains("rename") && call.contains(what)).unwrap();
    let (note, index, document) = (at("/.item\""), at("s0.csv"), at("s0.pdf"));
    assert!(calls[..note].iter().any(|call| call.contains("fsync(")), "its bytes: {calls:?}");
    assert!(calls[note..index].iter().any(|call| call.contains("fsync(")), "and its name: {calls:?}");
    assert!(index < document, "{calls:?}");
}

#[tokio::test]
async fn what_was_begun_is_found_wherever_it_broke_off() {
    let office = Office::new();
    let work = office.path("work");
    let begin = |id: &str, item: Option<&str>| {
        let folder = work.join(id);
        fs::create_dir_all(&folder).unwrap();
        item.iter().for_each(|item| fs::write(folder.join(".item"), item).unwrap());
        folder
    };
    let pdf = |number: u8| format!("%PDF-1.4\n% {number}\n%%EOF\n");
    // Before anything moved; after the index; with everything; before its names were durable.
    begin("a", Some(r#"{"document":"a.pdf","index":"a.csv"}"#));
    office.put("a.pdf", pdf(1).as_bytes());
    office.put("a.csv", b"az\n1\n");
    fs::write(begin("b", Some(r#"{"document":"b.pdf","index":"b.csv"}"#)).join("b.csv"), b"az\n2\n").unwrap();
    office.put("b.pdf", pdf(2).as_bytes());
    fs::write(begin("c", Some(r#"{"document":"c.pdf","index":null}"#)).join("c.pdf"), pdf(3)).unwrap();
    begin("d", None);
    fs::write(begin("e", None).join(".new"), b"{\"docu").unwrap();
    office.session().await.unwrap();
    let mut hints: Vec<_> =
        office.gateway.letters().iter().map(|it| it.hints.first().map(|hint| hint.value.clone())).collect();
    hints.sort();
    assert_eq!(hints, [None, Some("1".into()), Some("2".into())]);
    assert_eq!(fs::read_dir(work).unwrap().count(), 0);
    assert_eq!(office.names("done"), ["a.csv", "a.pdf", "b.csv", "b.pdf", "c.pdf"]);
}
