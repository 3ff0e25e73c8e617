//! `conformance`: the suites on the command line. The last line of `--json` is one JSON object.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use conformance::crash::Campaign;
use conformance::gateway::Engine;
use conformance::{Error, bench, fairness, simulate, sync};
use serde_json::{Value, json};

#[derive(Parser)]
#[command(name = "conformance", version, about = "Black-box suites against a gateway")]
struct Cli {
    /// The gateway's binary; the default is the one beside this program
    #[arg(long, global = true)]
    binary: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// SIGKILL at seeded moments under load: nothing that was acknowledged is lost or doubled
    Crash {
        /// Number of seeds for each engine
        #[arg(long, default_value_t = 500)]
        seeds: u64,
        /// First seed
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Only this engine; PostgreSQL is reached by AMTSBOTE_TEST_POSTGRES
        #[arg(long)]
        engine: Option<EngineName>,
        /// Destroy one acknowledged payload of each seed, to show that the comparison sees it
        #[arg(long)]
        forget: bool,
    },
    /// Under strace, every 2xx answer follows the sync of log, payload and folder
    Sync,
    /// 70 % of what the gateway bears, for long: the last minute must be like the first; both engines at the same time
    Soak {
        /// How long, after a minute of warming up
        #[arg(long, default_value_t = 3_600)]
        seconds: u64,
        /// Only this engine; PostgreSQL is reached by AMTSBOTE_TEST_POSTGRES
        #[arg(long)]
        engine: Option<EngineName>,
    },
    /// CPU of the main ways against hard bounds
    Guard,
    /// Partners and receivers of webhooks that are a burden harm no others
    Fairness {
        /// Messages to each partner that is a burden
        #[arg(long, default_value_t = 100)]
        burden: usize,
        /// Hand-overs that are measured
        #[arg(long, default_value_t = 200)]
        rounds: usize,
    },
    /// Plays a partner until it is stopped, for tests of one's own
    Simulate {
        /// Whom to play
        name: SimulateName,
        /// Port on the loopback; any free one if it is not given
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Measurements side by side
    Bench {
        /// What to measure
        name: BenchName,
        /// Folder of the official schema packs
        #[arg(long, default_value = "../shared/packs")]
        packs: PathBuf,
        /// Folder of the key pairs of `osci`
        #[arg(long, default_value = "../shared/samples/osci/TEST-ONLY")]
        keys: PathBuf,
        /// Size of the file of `transfer`, in MB
        #[arg(long, default_value_t = 1_000)]
        megabytes: u32,
        /// Documents in the container of `import`; with the message itself as many files as a container may have
        #[arg(long, default_value_t = 19_999)]
        documents: u32,
        /// Bytes of each of their files
        #[arg(long, default_value_t = 2_000)]
        file_bytes: u64,
        /// Engine of the gateway; PostgreSQL is reached by AMTSBOTE_TEST_POSTGRES
        #[arg(long, default_value = "sqlite")]
        engine: EngineName,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineName {
    Sqlite,
    Postgres,
}

impl EngineName {
    fn name(self) -> &'static str {
        match self {
            EngineName::Sqlite => "sqlite",
            EngineName::Postgres => "postgres",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum SimulateName {
    /// A workflow engine with the REST API of Camunda 7; processes are deployed as in a real one
    Camunda,
    /// A DMS with CMIS 1.1, browser binding and AtomPub; `/_control` makes it fail
    Cmis,
    /// A payment provider with all its interfaces; `/_control` sets what payments come to
    Payment,
    /// A carrier of hybrid mail (E-POSTBUSINESS); `/_control` moves letters on
    Epost,
    /// A telephone system with the REST interface of Asterisk 22; `/_control/calls` lets somebody call
    Ari,
    /// A delivery service of FIT-Connect with one destination, whose private keys it prints
    FitConnect,
}

#[derive(Clone, Copy, ValueEnum)]
enum BenchName {
    /// `amtsbote check` against xmllint
    Check,
    /// Taking messages in, against PostgreSQL inserting the same rows
    Ingest,
    /// Handing over within the gateway and to a partner outside, and webhooks
    Deliver,
    /// One large file in, handed over, in on the other side
    Transfer,
    /// A container of very many documents, while others go on working
    Import,
    /// The intermediary of OSCI-Transport, and its client
    Osci,
    /// The server of XTA, beside the REST interface
    Xta,
    /// Reports by Open311, and what is read of them
    Open311,
    /// Who calls, among a million calls; the plan of the database is shown
    Screenpop,
    /// First pages of the console and searches, with a million messages
    Console,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match (cli.suite, binary(cli.binary)) {
        // Needs no gateway.
        (Suite::Simulate { name, port }, _) => simulated(name, port, cli.json).await,
        (suite, Ok(binary)) => run(suite, &binary, cli.json).await,
        (_, Err(error)) => Err(error),
    };
    match outcome {
        Ok(passed) if passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            print(&format!("{error} [{}]", error.code()));
            ExitCode::from(2)
        }
    }
}

async fn simulated(name: SimulateName, port: u16, json: bool) -> Result<bool, Error> {
    match name {
        SimulateName::Camunda => play_engine(port, json).await,
        SimulateName::Cmis => play_cmis(port, json).await,
        SimulateName::Payment => play(port, json).await,
        SimulateName::Epost => carry(port, json).await,
        SimulateName::Ari => ring(port, json).await,
        SimulateName::FitConnect => deliver(port).await,
    }
}

/// Plays a DMS until somebody stops the program.
async fn play_cmis(port: u16, json: bool) -> Result<bool, Error> {
    use simulate::cmis::{PASSWORD, Repository, USER};
    let repository = Repository::start_on(port, 136).await?;
    let (browser, atom) = (repository.browser(), repository.atom());
    match json {
        true => print(
            &json!({ "browser": browser, "atom": atom, "user": USER, "password": PASSWORD }).to_string(),
        ),
        false => print(&format!(
            "the simulated DMS listens at {browser} (browser binding) and {atom} (AtomPub); user {USER}, password {PASSWORD}"
        )),
    }
    std::future::pending().await
}

/// Plays a payment provider until somebody stops the program.
async fn play(port: u16, json: bool) -> Result<bool, Error> {
    let provider = simulate::payment::Provider::start_on(port).await?;
    let secrets = BTreeMap::from(simulate::payment::SECRETS);
    match json {
        true => print(&json!({ "url": provider.url, "secrets": secrets }).to_string()),
        false => print(&format!(
            "the simulated payment provider listens at {}; its secrets: {secrets:?}",
            provider.url
        )),
    }
    std::future::pending().await
}

/// Plays a workflow engine until somebody stops the program.
async fn play_engine(port: u16, json: bool) -> Result<bool, Error> {
    let engine = simulate::camunda::Simulator::start_on(port).await?;
    match json {
        true => print(&json!({ "url": engine.url }).to_string()),
        false => print(&format!("the simulated workflow engine listens at {}", engine.url)),
    }
    std::future::pending().await
}

/// Plays a telephone system until somebody stops the program.
async fn ring(port: u16, json: bool) -> Result<bool, Error> {
    use simulate::ari::{PASSWORD, Simulator, USER};
    let system = Simulator::start_on(port).await?;
    match json {
        true => print(&json!({ "url": system.url, "user": USER, "password": PASSWORD }).to_string()),
        false => print(&format!("the simulated telephone system listens at {}", system.url)),
    }
    std::future::pending().await
}

/// Plays a carrier of hybrid mail until somebody stops the program.
async fn carry(port: u16, json: bool) -> Result<bool, Error> {
    let carrier = simulate::epost::Carrier::start_on(port).await?;
    let login = simulate::epost::LOGIN;
    match json {
        true => print(&json!({ "url": carrier.url, "login": login }).to_string()),
        false => print(&format!(
            "the simulated carrier listens at {}; vendorID, ekp, secret, password: {login:?}",
            carrier.url
        )),
    }
    std::future::pending().await
}

/// Plays a delivery service of FIT-Connect until somebody stops the program; keys and secrets are made up for this run.
async fn deliver(port: u16) -> Result<bool, Error> {
    use simulate::fit_connect::{SENDER, SUBSCRIBER, Service, office::Keys};
    let service = Service::start_on(port).await?;
    let keys = Keys::generate()?;
    let destination = keys.new_destination(
        "urn:de:fim:leika:leistung:99115005104000",
        "https://schema.fitko.de/fim/s00000096_1.0.schema.json",
    )?;
    print(
        &json!({
            "simulator": true,
            "token_url": service.token_url(),
            "submission_url": service.submission_url(),
            "routing_url": service.routing_url(),
            "sender": SENDER,
            "subscriber": SUBSCRIBER,
            "destination": destination.id,
            "signing_key": keys.signing.private_jwk()?,
            "decryption_key": keys.encryption.private_jwk()?,
        })
        .to_string(),
    );
    service.set_up(destination);
    std::future::pending().await
}

async fn run(suite: Suite, binary: &Path, json: bool) -> Result<bool, Error> {
    match suite {
        Suite::Crash { seeds, from, engine, forget } => {
            let names = engines(engine);
            let campaign = |engine| Campaign { binary: binary.to_owned(), engine, from, seeds, forget };
            crash(campaign, &names, json).await
        }
        Suite::Simulate { name, port } => simulated(name, port, json).await,
        Suite::Soak { seconds, engine } => {
            soak(binary, Duration::from_secs(seconds), &engines(engine), json).await
        }
        Suite::Sync => {
            let judged = sync::run(binary).await?;
            let early: Vec<&sync::Judged> =
                judged.iter().filter(|answer| !answer.problems.is_empty()).collect();
            for answer in &judged {
                let verdict =
                    if answer.problems.is_empty() { "in order".into() } else { answer.problems.join("; ") };
                say(json, &format!("{} {} ({} files): {verdict}", answer.status, answer.door, answer.files));
            }
            say(json, &format!("{} answers judged, {} too early", judged.len(), early.len()));
            summary(json, &json!({ "answers": judged.len(), "early": early.len() }));
            Ok(early.is_empty())
        }
        Suite::Bench { name: BenchName::Ingest, engine, .. } => {
            let wanted = bench::Ingest {
                binary: binary.to_owned(),
                engine: Engine::named(engine.name())?,
                // Without a server there is nothing to compare with, and the figure is absent.
                postgres: Engine::named("postgres").ok(),
            };
            each(&json!(bench::ingest(&wanted).await?), json);
            Ok(true)
        }
        Suite::Bench { name: BenchName::Deliver, engine, .. } => {
            each(&json!(bench::deliver(binary, &Engine::named(engine.name())?).await?), json);
            Ok(true)
        }
        Suite::Bench { name: BenchName::Osci, keys, engine, .. } => {
            each(&json!(bench::osci(binary, &Engine::named(engine.name())?, &keys).await?), json);
            Ok(true)
        }
        Suite::Bench { name: BenchName::Screenpop, engine, .. } => {
            let wanted =
                bench::ScreenPop { binary: binary.to_owned(), engine: Engine::named(engine.name())? };
            let figures = bench::screenpop(&wanted).await?;
            each(&json!(figures), json);
            // 20 ms is what a person does not notice.
            Ok([figures.p99_ms, figures.busy_p99_ms, figures.stranger_p99_ms].iter().all(|ms| *ms < 20.0))
        }
        Suite::Bench { name: BenchName::Console, engine, .. } => {
            let wanted = bench::Console { binary: binary.to_owned(), engine: Engine::named(engine.name())? };
            let figures = bench::console(&wanted).await?;
            for it in &figures.pages {
                let verdict = if it.holds { "holds" } else { "TOO SLOW" };
                let [p50, p99, most] = [it.p50_ms, it.p99_ms, it.most_ms];
                say(json, &format!("{}: {p50} ms, 99 of 100 {p99} ms of at most {most}: {verdict}", it.name));
            }
            summary(json, &json!(figures));
            Ok(figures.pages.iter().all(|it| it.holds))
        }
        Suite::Bench { name: BenchName::Xta, engine, .. } => {
            each(&json!(bench::xta(binary, &Engine::named(engine.name())?).await?), json);
            Ok(true)
        }
        Suite::Guard => {
            let guarded = bench::guard(binary).await?;
            for bench::Guarded { way, cpu_us, yards, most, holds } in &guarded {
                let verdict = if *holds { "holds" } else { "BROKEN" };
                say(json, &format!("{way}: {cpu_us:.0} µs, {yards:.2} yards of at most {most}: {verdict}"));
            }
            let holds = guarded.iter().all(|guarded| guarded.holds);
            summary(json, &json!({ "passed": holds, "ways": guarded }));
            Ok(holds)
        }
        Suite::Bench { name: BenchName::Open311, engine, .. } => {
            let figures = bench::open311(binary, &Engine::named(engine.name())?).await?;
            say(
                json,
                &format!(
                    "{:.0} requests a minute, p99 {:.1} ms, {:.0} us CPU each: 10,000 a minute take {:.1} % of two cores",
                    figures.requests_per_minute,
                    figures.p99_ms,
                    figures.cpu_us_per_request,
                    figures.share_of_two_cores * 100.0
                ),
            );
            for (what, kept) in [
                ("10,000 requests a minute, alone", &figures.requests_alone),
                ("50 messages a second, alone", &figures.messages_alone),
                ("these requests beside these messages", &figures.requests_beside),
                ("these messages beside these requests", &figures.messages_beside),
            ] {
                say(json, &format!("{what}: {kept}"));
            }
            summary(json, &json!(figures));
            Ok(figures.holds && figures.requests_per_minute >= 10_000.0)
        }
        Suite::Bench { name: BenchName::Transfer, megabytes, engine, .. } => {
            let figures = bench::transfer(binary, &Engine::named(engine.name())?, megabytes).await?;
            say(
                json,
                &format!(
                    "in: {:.0} MB/s ({:.2} of cp and sync); peaks above idle: in {:.1}, out {:.1} MB",
                    figures.mb_per_s, figures.vs_cp_sync, figures.peak_mb_in, figures.peak_mb_out
                ),
            );
            summary(json, &json!(figures));
            Ok(true)
        }
        Suite::Bench { name: BenchName::Import, documents, file_bytes, engine, .. } => {
            let engine = Engine::named(engine.name())?;
            let figures = bench::import(binary, &engine, documents, file_bytes).await?;
            say(
                json,
                &format!(
                    "{:.0} documents/s, peak {:.1} MB above idle, {} answers meanwhile",
                    figures.documents_per_s, figures.peak_mb, figures.answers_meanwhile
                ),
            );
            summary(json, &json!(figures));
            Ok(true)
        }
        Suite::Fairness { burden, rounds } => {
            let figures = fairness::run(binary, fairness::Size { burden, rounds, at_once: 300 }).await?;
            let size = fairness::xta::Size {
                connections: 40,
                waiting: burden.div_ceil(10),
                rounds,
                patience: 20,
                until_cut: false,
            };
            let xta = fairness::xta::run(binary, size).await?;
            say(
                json,
                &format!(
                    "p99 with the burden against without: local {:.2}, healthy partner {:.2}, XTA in {:.2} and out {:.2}; \
                     {} of {} at once accepted in {:.0} ms",
                    figures.local_p99_ratio,
                    figures.healthy_p99_ratio,
                    xta.xta_in_p99_ratio,
                    xta.xta_out_p99_ratio,
                    figures.accepted,
                    figures.at_once,
                    figures.accepted_ms
                ),
            );
            let mut all = json!(figures);
            if let (Some(all), Value::Object(xta)) = (all.as_object_mut(), json!(xta)) {
                all.extend(xta);
            }
            summary(json, &all);
            let ratios = [
                figures.local_p99_ratio,
                figures.healthy_p99_ratio,
                xta.xta_in_p99_ratio,
                xta.xta_out_p99_ratio,
            ];
            let none = figures.burden_delivered + xta.xta_burden_delivered + xta.xta_strange + xta.xta_left;
            Ok(ratios.iter().all(|ratio| *ratio < 2.0) && none == 0 && figures.accepted == figures.at_once)
        }
        Suite::Bench { name: BenchName::Check, packs, .. } => {
            let figures = bench::check(binary, &packs)?;
            say(
                json,
                &format!(
                    "CPU against xmllint: {:.2}, peak {:.1} MB; container of 2 GB: peak {:.1} MB",
                    figures.vs_xmllint_cpu, figures.peak_mb, figures.container_peak_mb
                ),
            );
            summary(json, &json!(figures));
            Ok(true)
        }
    }
}

/// One engine, or both.
fn engines(only: Option<EngineName>) -> Vec<&'static str> {
    only.map_or(vec!["sqlite", "postgres"], |engine| vec![engine.name()])
}

/// Prints each figure on a line of its own.
fn each(figures: &Value, json: bool) {
    for (name, value) in figures.as_object().into_iter().flatten() {
        say(json, &format!("{name}: {value}"));
    }
    summary(json, figures);
}

async fn soak(binary: &Path, length: Duration, engines: &[&str], json: bool) -> Result<bool, Error> {
    let engines = engines.iter().map(|name| Engine::named(name)).collect::<Result<_, _>>()?;
    let wanted = bench::Soak { binary: binary.to_owned(), engines, length };
    // With --json this goes to the other stream: a run that is cut off has said something all the same.
    let heard = |name: &'static str, number: usize, minute: &bench::Minute| {
        let bench::Minute { rps, memory_mb, p99_ms, cpu_us } = minute;
        let line = format!(
            "{name}, minute {number}: {rps:.0}/s, {memory_mb:.0} MB, p99 {p99_ms:.0} ms, {cpu_us:.0} µs of CPU for each"
        );
        if json {
            let _ = writeln!(std::io::stderr(), "{line}");
        } else {
            print(&line);
        }
    };
    let all = bench::soak(&wanted, &heard).await?;
    for figures in &all {
        say(
            json,
            &format!(
                "{}: last against first minute: throughput {:.2}, memory {:.2}; drained in {:.1} s",
                figures.engine, figures.throughput, figures.memory, figures.drained_s
            ),
        );
    }
    let holds = all.iter().all(|figures| figures.holds);
    summary(json, &json!({ "passed": holds, "soaks": all }));
    Ok(holds)
}

async fn crash(campaign: impl Fn(Engine) -> Campaign, engines: &[&str], json: bool) -> Result<bool, Error> {
    let mut summaries = vec![];
    for name in engines {
        let heard = |seed: u64, found: &[String]| {
            for discrepancy in found {
                print(&format!("{name}, seed {seed}: {discrepancy}"));
            }
        };
        let summary = campaign(Engine::named(name)?).run(heard).await;
        say(
            json,
            &format!(
                "{name}: {} seeds, {} kills, {} acknowledged answers compared, {} seeds with discrepancies, {} s",
                summary.seeds,
                summary.kills,
                summary.acknowledged,
                summary.failures.len(),
                summary.seconds
            ),
        );
        summaries.push(summary);
    }
    let passed = summaries.iter().all(|summary| summary.failures.is_empty());
    summary(json, &json!({ "passed": passed, "campaigns": summaries }));
    Ok(passed)
}

fn binary(given: Option<PathBuf>) -> Result<PathBuf, Error> {
    let binary = match given {
        Some(binary) => binary,
        None => std::env::current_exe()?.with_file_name("amtsbote"),
    };
    binary.canonicalize().map_err(|error| Error::Start(format!("{}: {error}", binary.display())))
}

fn say(json: bool, line: &str) {
    if !json {
        print(line);
    }
}

fn summary(json: bool, value: &Value) {
    if json {
        print(&value.to_string());
    }
}

/// Whoever listens may have gone away: that is no failure.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
