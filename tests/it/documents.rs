//! What the documents promise, held against the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use model::{Action, Role};

use crate::installation::{Installation, on_free_ports};

const SECURITY: &str = include_str!("../../docs/SECURITY.md");
const OPERATIONS: &str = include_str!("../../docs/OPERATIONS.md");

/// The words of the table for each action.
const ACTIONS: &[(&str, &[Action])] = &[
    ("see cases and documents", &[Action::ReadCases]),
    ("create and change them", &[Action::WriteCases]),
    ("read content", &[Action::ReadContent]),
    ("work on tasks", &[Action::WorkTasks]),
    ("start and carry on exchanges, lock", &[Action::Exchange]),
    ("use the mailbox", &[Action::UseInbox]),
    ("confirm an import", &[Action::ConfirmImport]),
    ("appraise what was offered to an archive of ours", &[Action::Appraise]),
    (
        "bar records from destruction, destroy what was disposed of",
        &[Action::HoldRecords, Action::DestroyRecords],
    ),
    ("make and cancel claims, begin and void payments", &[Action::WriteClaims]),
    ("decide about money: refunds, contradictions", &[Action::DecideMoney]),
    ("keep the cash office's books: statements, files, reconciliation", &[Action::KeepCash]),
    ("bring in raw messages", &[Action::SendMessages]),
    ("see messages (metadata, findings)", &[Action::ReadMessages]),
    ("resend, park, mend, return, forward a message", &[Action::ClearMessages]),
    ("see to many messages at once, lanes, what adapters could not be told", &[Action::RepairMessages]),
    ("read the event feed", &[Action::ReadEvents]),
    ("export evidence", &[Action::ReadEvidence]),
    ("erase content and events", &[Action::Erase]),
    ("export what is known of a person", &[Action::ExportPersons]),
    ("see partners", &[Action::ReadPartners]),
    ("change partners, manage tokens", &[Action::ManagePartners, Action::ManageTokens]),
    ("have subscriptions to webhooks, see and end them", &[Action::Subscribe]),
    ("see how the gateway stands, figures and alerts; test connections and alerts", &[Action::Operate]),
    ("read the audit log", &[Action::ReadAudit]),
    ("manage users", &[Action::ManageUsers]),
    ("release contents to somebody else for a time", &[Action::ReleaseContent]),
];

#[test]
fn the_table_of_rights_is_that_of_the_code() {
    let roles = [
        Role::Clerk,
        Role::System,
        Role::RecordKeeping,
        Role::RecordsManager,
        Role::Cashier,
        Role::Operator,
        Role::Auditor,
        Role::Admin,
    ];
    for (words, actions) in ACTIONS {
        let row = SECURITY.lines().find(|line| line.starts_with(&format!("| {words} |")));
        let cells: Vec<&str> =
            row.unwrap_or_else(|| panic!("no row: {words}")).split('|').skip(2).map(str::trim).collect();
        for (role, cell) in roles.iter().zip(cells) {
            let allowed = actions.iter().all(|action| role.actions().contains(action));
            assert_eq!(cell == "x", allowed, "{words}: {role:?}");
        }
    }
    let written: BTreeSet<Action> = ACTIONS.iter().flat_map(|(_, actions)| actions.iter().copied()).collect();
    let held: BTreeSet<Action> = roles.iter().flat_map(|role| role.actions().iter().copied()).collect();
    assert_eq!(written, held);
}

/// Sections without threats: who may do what, what there is not, whom to tell.
const NO_THREATS: [&str; 3] = ["Who may do what", "Limits of this version", "Reporting"];

#[test]
fn every_line_of_the_threat_model_names_a_test_that_exists() {
    let mut tests = BTreeSet::new();
    note_tests(Path::new(env!("CARGO_MANIFEST_DIR")), &mut tests);
    assert!(tests.len() > 2_000, "{}", tests.len());
    let mut wrong = vec![];
    for section in SECURITY.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').unwrap();
        if NO_THREATS.contains(&title) {
            continue;
        }
        let rows = rows_of(text);
        assert!(!rows.is_empty(), "{title} has no table");
        for row in rows {
            let shown = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
            let names: Vec<&str> = shown.split('`').skip(1).step_by(2).filter(|it| is_name(it)).collect();
            let told = !names.is_empty() || ["by review", "the house"].iter().any(|it| shown.contains(it));
            if !told || !names.iter().all(|name| is_known(&tests, name)) {
                wrong.push(format!("{title}: {row}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of a text's tables without their heads, whose last column has to be that of tests.
fn rows_of(text: &str) -> Vec<&str> {
    let mut rows = vec![];
    let mut before = "";
    for line in text.lines() {
        let is_head = line.starts_with('|') && !before.starts_with('|');
        assert!(!is_head || line.ends_with("| test |"), "{line}");
        if line.starts_with('|') && !is_head && !line.starts_with("|-") {
            rows.push(line);
        }
        before = line;
    }
    rows
}

/// Whether this is written like the name of a test; `…` stands for the rest of one.
fn is_name(text: &str) -> bool {
    text.contains('_')
        && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || "_…".contains(it))
}

fn is_known(tests: &BTreeSet<String>, name: &str) -> bool {
    match name.strip_suffix('…') {
        Some(begin) => tests.iter().any(|test| test.starts_with(begin)),
        None => tests.contains(name),
    }
}

/// Adds the names of all tests in the sources below a folder.
fn note_tests(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
            note_tests(&path, tests);
        } else if path.is_file() && name.ends_with(".rs") {
            note_tests_of(&fs::read_to_string(&path).unwrap(), tests);
        }
    }
}

fn note_tests_of(source: &str, tests: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some((name, _)) = function.and_then(|it| it.split_once('(')) {
            if is_test {
                tests.insert(name.to_owned());
            }
            is_test = false;
        }
    }
}

#[tokio::test]
async fn every_metric_that_operators_shall_watch_is_there() {
    let running = Installation::new();
    // With a time stamp authority, so that its figures are there; nobody needs to answer for that.
    std::fs::write(running.folder().join("tsa-ca.pem"), a_certificate()).unwrap();
    running.configure(|example| {
        let stamped = "[evidence]\ntsa_url = \"http://127.0.0.1:9/\"\ntsa_ca = \"tsa-ca.pem\"";
        on_free_ports(example).replace("[evidence]", stamped)
    });
    let gateway = running.start();
    let url = format!("{}/metrics", gateway.operations);
    let metrics = reqwest::Client::new().get(url).send().await.unwrap().text().await.unwrap();
    let named =
        OPERATIONS.lines().filter_map(|line| line.strip_prefix("| `amtsbote_")?.split(['{', '`']).next());
    let named: Vec<&str> = named.collect();
    assert!(named.len() >= 4, "{named:?}");
    // Counted by state, partner or call: nothing to show before the first message or call.
    let comes_later = |name: &&str| {
        ["messages", "messages_total", "channel_deliveries", "certificate_end_timestamp_seconds"]
            .contains(name)
            || name.starts_with("lane_")
            || name.starts_with("call")
    };
    for name in named.into_iter().filter(|name| !comes_later(name)) {
        assert!(metrics.contains(&format!("amtsbote_{name}")), "{name}");
    }
}

/// Of nobody: made for this run.
fn a_certificate() -> Vec<u8> {
    let arguments =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Test -keyout /dev/null";
    Command::new("openssl").args(arguments.split(' ')).output().unwrap().stdout
}
