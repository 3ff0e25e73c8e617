//! Every scenario of every sender against the gateway's doors, each with a payment of its own, while others are under way.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use conformance::simulate::payment::{Provider, State};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::tables::{
    COMPUTOP, EPAY21, EPAYBL, GIRO, PM, PM_SIGNED, Row, SHIFTED_TO_OURS, STANDARD, STRIPE, XB,
};
use super::till::{Begun, Mock, Till, doors, senders, simulator};

/// Scenarios under way at once.
const AT_ONCE: usize = 8;

/// Runs the senders as their own command line does, but several in one process: a line is a program, a scenario and its arguments; the answer
/// is what the scenario gives.
const RUNNER: &str = r#"
import argparse, importlib, json, sys
sys.path.insert(0, sys.argv[1])
for line in sys.stdin:
    program, scenario, *arguments = json.loads(line)
    sender = importlib.import_module(program + "_send")
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    sender.args(parser)
    print(json.dumps(sender.S[scenario][0](parser.parse_args(arguments))), flush=True)
"#;

/// What is behind the gateway's doors.
struct World {
    till: Till,
    mock: Mock,
    simulator: Provider,
    /// Those that have nothing to do.
    runners: Mutex<Vec<Runner>>,
}

/// A process that plays senders, one after the other.
struct Runner {
    process: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
}

impl Runner {
    fn start(folder: &Path) -> Self {
        let mut python = Command::new("python3");
        python.args(["-c", RUNNER]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = python.spawn().unwrap();
        let (asks, says) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Runner { process, asks, says: BufReader::new(says) }
    }

    /// Plays a scenario; gives the statuses of the answers.
    fn play(&mut self, run: &Run, url: &str, arguments: Vec<String>) -> Vec<u64> {
        let what = [run.program, run.row.scenario, url].map(str::to_owned);
        let line: Vec<String> = what.into_iter().chain(arguments).collect();
        writeln!(self.asks, "{}", json!(line)).unwrap();
        let mut told = String::new();
        assert!(self.says.read_line(&mut told).unwrap() > 0, "{}: the sender has failed", run.name());
        let results: Value = serde_json::from_str(&told).unwrap();
        results.as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A sender, as it is run for one account.
#[derive(Clone)]
struct Run {
    account: &'static str,
    program: &'static str,
    /// Name of the account's interface at the Python provider; empty: the simulator knows the truth.
    known_as: &'static str,
    extra: &'static [&'static str],
    row: Row,
}

fn runs() -> Vec<Run> {
    let of = |account, program, known_as, extra, rows: &[Row]| {
        let run = |row: &Row| Run { account, program, known_as, extra, row: *row };
        rows.iter().map(run).collect::<Vec<Run>>()
    };
    let mut all = vec![];
    all.extend(of("giro", "girocheckout", "gc", &[], GIRO));
    all.extend(of("giro-page", "girocheckout", "gc", &["--paypage"], GIRO));
    all.extend(of("giro", "girocheckout", "gc", &["--backend", "pWkqbQ43eyVK2"], &[SHIFTED_TO_OURS]));
    all.extend(of("pm", "pmpayment", "pm", &[], PM));
    all.extend(of("pm", "pmpayment", "pm", &["--hash"], &with(PM, &[PM_SIGNED])));
    all.extend(of("xb", "xbezahl", "xb", &[], XB));
    all.extend(of("epaybl", "xbezahl", "epaybl", &[], &with(XB, EPAYBL)));
    all.extend(of("epay21", "xbezahl", "epay21", &[], &with(XB, EPAY21)));
    all.extend(of("standard", "stdwebhooks", "", &[], STANDARD));
    all.extend(of("stripe", "stripe", "", &[], STRIPE));
    all.extend(of("computop", "computop", "", &[], COMPUTOP));
    all.extend(of("computop", "computop", "", &["--plain"], COMPUTOP));
    all
}

/// Rows with some of them replaced.
fn with(rows: &[Row], others: &[Row]) -> Vec<Row> {
    let other = |row: &Row| others.iter().find(|other| other.scenario == row.scenario).copied();
    rows.iter().map(|row| other(row).unwrap_or(*row)).collect()
}

impl Run {
    fn name(&self) -> String {
        format!("{} {} {}", self.account, self.extra.join(" "), self.row.scenario)
    }

    /// A provider that is ill must not keep the same one from answering others.
    fn provider(&self) -> String {
        let is_ill = matches!(self.row.scenario, "provider-down" | "provider-slow" | "alg-garbage");
        if is_ill { format!("{}-ill", self.account) } else { self.account.to_owned() }
    }

    fn arguments(&self, begun: &Begun, mock: &Mock) -> Vec<String> {
        let Begun { reference, request_id, .. } = begun;
        let named: Vec<(&str, &str)> = match self.program {
            "girocheckout" => vec![("--ref", reference), ("--tx", request_id)],
            "pmpayment" => vec![("--txid", reference)],
            "xbezahl" => {
                let id = if self.known_as == "epay21" { request_id } else { reference };
                vec![("--ctl", &mock.url), ("--proto", self.known_as), ("--id", id)]
            }
            _ => vec![("--ref", reference), ("--tx", request_id)],
        };
        let named = named.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]);
        named.chain(self.extra.iter().map(|it| (*it).to_owned())).collect()
    }
}

impl World {
    /// What the provider says when it is asked.
    async fn set_truth(&self, run: &Run, begun: &Begun) {
        let truth = run.row.truth;
        if truth.is_empty() {
            return;
        }
        if !run.known_as.is_empty() {
            let path = format!("/_ctl/set?p={}&id={}&status={truth}", run.known_as, begun.reference);
            self.mock.told(&path).await;
            return;
        }
        let state: State = serde_json::from_value(json!(truth)).unwrap();
        assert!(self.simulator.change(&begun.request_id, |held| held.state = state), "{}", run.name());
    }

    /// Where the provider, or the payer's browser, calls.
    async fn door(&self, run: &Run, begun: &Begun) -> String {
        let told = match run.known_as {
            "" => self.simulator.held(&begun.request_id).unwrap().notify_url.unwrap(),
            _ => doors(&self.mock, begun).await.into_iter().next().unwrap(),
        };
        self.till.here(&told)
    }

    async fn play(&self, run: &Run) -> Begun {
        let begun = self.till.begin(&run.provider(), &json!({})).await;
        let door = self.door(run, &begun).await;
        self.set_truth(run, &begun).await;
        let arguments = run.arguments(&begun, &self.mock);
        let (mut runner, sent) = (self.runners.lock().unwrap().pop().unwrap(), run.clone());
        let played =
            tokio::task::spawn_blocking(move || (runner.play(&sent, &door, arguments), runner)).await;
        let (answers, runner) = played.unwrap();
        self.runners.lock().unwrap().push(runner);
        assert_eq!(answers, run.row.answers, "{}", run.name());
        self.till.comes_to(&begun, run.row.ends, run.row.clearing).await;
        begun
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_of_every_sender_ends_as_the_facts_say() {
    let Some(folder) = senders() else { return };
    let (mock, simulator) = (Mock::start(&folder).await, simulator().await);
    let till = Till::open(&mock.url, &simulator.url).await;
    let runners = Mutex::new((0..AT_ONCE).map(|_| Runner::start(&folder)).collect());
    let world = Arc::new(World { till, mock, simulator, runners });
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    for run in runs() {
        let (world, places) = (Arc::clone(&world), Arc::clone(&places));
        playing.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let begun = world.play(&run).await;
            (run, begun)
        });
    }
    let mut wrong = vec![];
    // After all of them: whatever comes late has come.
    for (run, begun) in playing.join_all().await {
        let (status, clearing, receipts) = world.till.stands(&begun).await;
        let ends = (run.row.ends.to_owned(), run.row.clearing.map(str::to_owned), run.row.receipts());
        if (&status, &clearing, receipts) != (&ends.0, &ends.1, ends.2) {
            wrong.push(format!("{}: {status} {clearing:?} {receipts}, wanted {ends:?}", run.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_scenario_of_a_sender_is_left_out() {
    let Some(folder) = senders() else { return };
    let runs = runs();
    for program in ["girocheckout", "pmpayment", "xbezahl", "stdwebhooks", "stripe", "computop"] {
        let mut python = Command::new("python3");
        let output =
            python.arg(folder.join(format!("{program}_send.py"))).args(["-s", "list"]).output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let offered: BTreeSet<&str> =
            listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let ours: BTreeSet<&str> =
            runs.iter().filter(|run| run.program == program).map(|run| run.row.scenario).collect();
        assert_eq!(offered, ours, "{program}");
    }
}
