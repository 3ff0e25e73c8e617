//! The gateway's binary: parse, wire, run.

mod adapters;
mod backup;
mod commands;
mod console_tools;
mod convert;
mod error;
mod gateway;
mod identities;
mod notify;
mod payments;
mod registry;
mod reload;
mod selftest;
mod serve;
mod traces;
mod watch;
mod works_with;

use std::future::Future;
use std::process::ExitCode;

use cli::{
    Backup, BackupCommand, Cli, Command, ConfigCommand, EvidenceCommand, Language, OsciCommand,
    RetentionCommand,
};
use commands::OnStore;
use config::{Config, LogLevel};
use error::Error;
use traces::Traces;

/// Threads that may block, for commands: none of them serves many at once.
const BLOCKING_THREADS: usize = 512;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    let as_json = cli.json;
    run(cli).unwrap_or_else(|error| {
        error.report(as_json);
        error.exit_code()
    })
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    let as_json = cli.json;
    let load = || Config::load(&cli.config);
    match cli.command {
        Command::Serve => {
            let config = load()?;
            let traces = Traces::start(&config)?;
            let threads = serve::threads(&config);
            wait_in(threads, traces.beside(serve::serve(config, &cli.config))).map(|()| ExitCode::SUCCESS)
        }
        Command::Demo(options) => wait_for(async { Ok(demo::run(options, as_json).await) }),
        Command::Check { files, mapping: Some(mapping), metadata, .. } => {
            adapters::mapping_check::check(&files, &cli.config, &mapping, metadata.as_deref(), as_json)
        }
        Command::Check { files, schemas, .. } => commands::check::check(
            &files,
            schemas,
            &cli.config,
            as_json,
            cli.lang.unwrap_or_else(Language::of_environment),
        ),
        Command::Convert(wanted) => {
            let language = cli.lang.unwrap_or_else(Language::of_environment);
            convert::convert(&wanted, &cli.config, as_json, language)
        }
        Command::Schema(command) => commands::schema(command, &load()?, as_json),
        Command::Partner(command) => on_store(load()?, as_json, async |store| store.partner(command).await),
        Command::Directory(command) => {
            on_store(load()?, as_json, async |store| store.directory(command).await)
        }
        Command::Adapter(command) => on_store(load()?, as_json, async |store| store.adapter(command).await),
        Command::Scan(command) => commands::scan::scan(command, &cli.config),
        Command::Notice(command) => adapters::notice_commands::notice(command, &cli.config, as_json),
        Command::Message(command) => {
            let language = cli.lang.unwrap_or_else(Language::of_environment);
            on_store(load()?, as_json, async |store| store.message(command, language).await)
        }
        Command::Retention(RetentionCommand::Verify { proof, key }) => {
            commands::watch::verify(&proof, &key, as_json)
        }
        Command::Retention(command) => {
            on_store(load()?, as_json, async |store| store.retention(command).await)
        }
        Command::Person(command) => on_store(load()?, as_json, async |store| store.person(command).await),
        Command::Alert(command) => on_store(load()?, as_json, async |store| store.alert(command).await),
        Command::Token(command) => on_store(load()?, as_json, async |store| store.token(command).await),
        Command::User(command) => on_store(load()?, as_json, async |store| store.user(command).await),
        Command::Evidence(EvidenceCommand::Export { case, output, content, of }) => {
            on_store(load()?, as_json, async |store| store.export(case, &output, content, &of).await)
        }
        Command::Evidence(EvidenceCommand::Verify { bundle, key, tsa_ca, require_stamp }) => {
            let trusted = commands::evidence::Trusted { key, tsa_ca, require_stamp };
            commands::evidence::verify(&bundle, &trusted, as_json)
        }
        Command::Evidence(EvidenceCommand::Check { tsa_ca, of }) => {
            on_store(load()?, as_json, async |store| store.check_chain(tsa_ca.as_deref(), &of).await)
        }
        Command::Evidence(EvidenceCommand::Erase { case, what, of }) => {
            on_store(load()?, as_json, async |store| store.erase(case, &what, &of).await)
        }
        Command::Evidence(EvidenceCommand::Key) => commands::evidence::public_key(&load()?, as_json),
        Command::Backup(Backup { command: Some(BackupCommand::Verify { path, key, scratch }), .. }) => {
            wait_for(backup::verify(&path, key.as_deref(), scratch.as_deref(), as_json))
        }
        Command::Backup(wanted) => {
            let file = cli.config;
            on_store(Config::load(&file)?, as_json, async |store| backup::make(store, &wanted, &file).await)
        }
        Command::Restore(wanted) => {
            quietly().start();
            wait_for(backup::restore(&wanted, load()?, as_json))
        }
        Command::Key(command) => on_store(load()?, as_json, async |store| store.key(&command).await),
        Command::Config(ConfigCommand::Check) => commands::config::check(&cli.config, as_json, cli.lang),
        Command::Config(ConfigCommand::Show) => commands::config::show(&load()?, as_json),
        Command::Osci(OsciCommand::Inspect { file, key, password }) => {
            commands::osci::inspect(&file, key.as_deref(), password.as_deref(), as_json)
        }
        Command::Osci(command) => on_store(load()?, as_json, async |store| store.osci(command).await),
        Command::Openapi => {
            output::line(&api::document(&api::Settings::default()).to_string());
            Ok(ExitCode::SUCCESS)
        }
        Command::Selftest => wait_for(selftest::run(as_json)),
    }
}

/// How commands log that print themselves what they have to say.
fn quietly() -> config::Log {
    config::Log { level: LogLevel::Warn, ..config::Log::default() }
}

fn on_store(
    config: Config,
    as_json: bool,
    command: impl AsyncFnOnce(&OnStore) -> Result<ExitCode, Error>,
) -> Result<ExitCode, Error> {
    quietly().start();
    wait_for(async {
        let store = OnStore::open(config, as_json).await?;
        let outcome = command(&store).await;
        store.close().await;
        outcome
    })
}

fn wait_for<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    wait_in(BLOCKING_THREADS, work)
}

/// With up to so many threads that may block.
fn wait_in<T>(threads: usize, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.max_blocking_threads(threads).enable_all().build()?.block_on(work)
}
