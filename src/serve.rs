//! `amtsbote serve`: runs until it is told to stop, and stops in bounded time.

use std::net::SocketAddr;
use std::time::Duration;

use broker::{Places, Workers};
use futures::future::join;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use transport::osci::Fetchers;

use crate::error::Error;
use crate::gateway::Gateway;
use crate::registry;
use config::{Config, LogFormat};

/// How long jobs in hand may go on after the signal. A job that is cut off is done again at the next start.
const FAREWELL: Duration = Duration::from_secs(20);

/// Runs the gateway.
///
/// # Errors
/// If it cannot start: address, clock, keys, store.
pub(crate) async fn serve(config: Config) -> Result<(), Error> {
    // The addresses come first: if another gateway has them, its store is left alone.
    let internal = listen(config.listen.internal).await?;
    let operations = listen(config.listen.operations).await?;
    let machines = [("machines", config.listen.machines), ("osci_plain", config.listen.osci_plain)];
    let mut outside = vec![];
    for (name, address) in machines.into_iter().filter_map(|(name, address)| Some((name, address?))) {
        outside.push((name, listen(address).await?));
    }
    let mut signals = Signals::new()?;
    let gateway = Gateway::open(&config).await?;
    let intermediary = registry::osci(&config, &gateway.broker)?;
    let osci = transport::osci::router(intermediary, gateway.osci.recipient());
    let workers = Workers::start_in(gateway.broker.clone(), places(&config)).await?;
    let fetchers = Fetchers::start(if works(&config) { gateway.osci.fetchers() } else { vec![] });

    let (stop, stopped) = watch::channel(false);
    let limits = api::ServerLimits { connections: config.limits.connections, ..api::ServerLimits::default() };
    let interface = api::Api::new(gateway.broker.clone(), api::Settings::default());
    let mut listening = vec![
        ("internal", internal, api::router(interface.clone())),
        ("operations", operations, api::operations_router(interface)),
    ];
    listening.extend(outside.into_iter().map(|(name, listener)| (name, listener, osci.clone())));
    let (mut addresses, mut doors) = (vec![], vec![]);
    for (name, listener, router) in listening {
        addresses.push((name, listener.local_addr()?));
        doors.push(tokio::spawn(api::serve(listener, router, limits, told(stopped.clone()))));
    }
    announce(config.log.format, &addresses);

    signals.first().await;
    tracing::info!("stopping");
    let _ = stop.send(true);
    tokio::select! {
        () = end(doors, fetchers, workers, gateway) => tracing::info!("stopped"),
        // Whoever asks twice does not want to wait: what was acknowledged is durable anyway.
        () = signals.first() => tracing::warn!("stopped at once"),
    }
    Ok(())
}

fn places(config: &Config) -> Places {
    let work = config.limits.workers.unwrap_or(Places::default().work);
    Places { work, network: config.limits.calls }
}

/// Whether this node does more than take in.
fn works(config: &Config) -> bool {
    config.limits.workers != Some(0)
}

async fn end(doors: Vec<JoinHandle<()>>, fetchers: Fetchers, workers: Workers, gateway: Gateway) {
    for door in doors {
        let _ = door.await;
    }
    if timeout(FAREWELL, join(fetchers.stop(), workers.stop())).await.is_err() {
        tracing::warn!("jobs were cut off; they are done again at the next start");
    }
    gateway.close().await;
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // If the sender is gone, this is the end as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|reason| Error::Address { address, reason })
}

/// The one line on standard output: from now on all addresses answer.
fn announce(format: LogFormat, addresses: &[(&str, SocketAddr)]) {
    output::line(&match format {
        LogFormat::Text => {
            addresses.iter().fold("listening".to_owned(), |line, (name, at)| format!("{line} {name}={at}"))
        }
        LogFormat::Json => {
            let mut line = json!({ "event": "listening" });
            addresses.iter().for_each(|(name, at)| line[*name] = json!(at.to_string()));
            line.to_string()
        }
    });
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
