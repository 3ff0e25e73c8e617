//! `amtsbote serve`: runs until it is told to stop, and stops in bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use broker::{Places, Workers};
use futures::future::join;
use net::pace::Pace;
use net::tls;
use seal::identity::Identity;
use seal::x509::Certificate;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use transport::{Fetch, Fetchers};

use crate::error::Error;
use crate::gateway::Gateway;
use crate::{identities, registry};
use config::{Config, LogFormat};

/// How long jobs in hand may go on after the signal. A job that is cut off is done again at the next start.
const FAREWELL: Duration = Duration::from_secs(20);

/// Threads for what only the disk or a name holds up.
const DISK_THREADS: usize = 256;

/// Runs the gateway.
///
/// # Errors
/// If it cannot start: address, clock, keys, store.
pub(crate) async fn serve(config: Config) -> Result<(), Error> {
    // The addresses come first: if another gateway has them, its store is left alone.
    let internal = listen(config.listen.internal).await?;
    let operations = listen(config.listen.operations).await?;
    let machines = listen_if(config.listen.machines).await?;
    let osci_plain = listen_if(config.listen.osci_plain).await?;
    let public = listen_if(config.listen.public).await?;
    let mut signals = Signals::new()?;
    let gateway = Gateway::open(&config).await?;
    let intermediary = registry::osci(&config, &gateway.broker)?;
    let osci = transport::osci::router(intermediary, gateway.osci.recipient());
    let xta = registry::xta(&config, &gateway.broker)?;
    let known = xta.as_ref().map_or_else(Vec::new, |door| door.certificates());
    let xta = transport::xta::router(xta);
    let tls = config.tls_identity()?;
    let workers = Workers::start_in(gateway.broker.clone(), places(&config)).await?;
    let fetchers = Fetchers::start(if works(&config) { fetchers(&gateway) } else { vec![] });

    let (stop, stopped) = watch::channel(false);
    let limits = server_limits(&config);
    let settings = api::Settings { proxies: identities::proxies(&config), ..api::Settings::default() };
    let mut interface = api::Api::new(gateway.broker.clone(), settings);
    if let Some(issuers) = identities::issuers(&config)? {
        interface = interface.with_issuers(issuers);
    }
    let pages = pages(&gateway, &config)?;
    let tls = tls.as_ref();
    let machine_speech = tls.map_or(Speech::Plain, |identity| Speech::Machines(identity, &known));
    let public_speech = tls.map_or(Speech::Plain, Speech::Public);
    let internal_speech = match tls.filter(|_| config.listen.internal_tls) {
        None => Speech::Plain,
        // Who has no tokens that may be bound is asked for no certificate.
        Some(identity) if config.oauth.is_empty() => Speech::Public(identity),
        Some(identity) => Speech::Machines(identity, &[]),
    };
    let public_router = api::public_router(gateway.broker.clone());
    let listening = [
        ("internal", Some(internal), internal_speech, api::router(interface.clone()).merge(pages)),
        ("operations", Some(operations), Speech::Plain, api::operations_router(interface)),
        ("machines", machines, machine_speech, osci.clone().merge(xta)),
        ("osci_plain", osci_plain, Speech::Plain, osci),
        ("public", public, public_speech, public_router),
    ];
    let (mut addresses, mut doors) = (vec![], vec![]);
    for (name, listener, speech, router) in listening {
        let Some(listener) = listener else { continue };
        addresses.push((name, listener.local_addr()?));
        doors.push(open(listener, speech, router, limits, told(stopped.clone()))?);
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

/// The pages of the house, which stand beside the REST interface.
fn pages(gateway: &Gateway, config: &Config) -> Result<Router, Error> {
    let broker = gateway.broker.clone();
    let visitors = Arc::new(console::Sessions(broker.clone()));
    let pages = console::Console::new(broker, visitors, console::Settings::default());
    let pages = pages.with_workshop(gateway.workshop(config));
    Ok(console::router(match identities::elsewhere(config)? {
        Some(elsewhere) => pages.with_provider(elsewhere),
        None => pages,
    }))
}

fn server_limits(config: &Config) -> api::ServerLimits {
    let patience = Duration::from_secs(config.limits.patience_seconds);
    let pace = Pace { rate: config.limits.slowest_rate, patience };
    let connections = config.limits.connections;
    api::ServerLimits { connections, pace, header_time: patience, ..api::ServerLimits::default() }
}

/// Threads that may block: for everybody who may be waited for at once, and for the disk. A thread is made when it is needed.
pub(crate) fn threads(config: &Config) -> usize {
    let calls = usize::try_from(config.limits.calls).unwrap_or(usize::MAX);
    let mailboxes = config.tenants.iter().flat_map(|tenant| &tenant.authorities);
    let mailboxes = mailboxes.map(|it| it.xta_mailboxes.len() + it.osci_mailboxes.len()).sum::<usize>();
    config.limits.bodies.saturating_add(calls).saturating_add(mailboxes + transport::THREADS + DISK_THREADS)
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

/// Whoever looks into mailboxes elsewhere.
fn fetchers(gateway: &Gateway) -> Vec<Arc<dyn Fetch>> {
    let osci = gateway.osci.fetchers().into_iter().map(|it| Arc::new(it) as Arc<dyn Fetch>);
    let xta = gateway.xta.fetchers().into_iter().map(|it| Arc::new(it) as Arc<dyn Fetch>);
    osci.chain(xta).collect()
}

async fn listen_if(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    match address {
        Some(address) => Ok(Some(listen(address).await?)),
        None => Ok(None),
    }
}

/// How is spoken at an address.
#[derive(Clone, Copy)]
enum Speech<'a> {
    /// Plain HTTP.
    Plain,
    /// TLS with machines: the key pair that is shown, and the certificates of partners.
    Machines(&'a Identity, &'a [Certificate]),
    /// TLS with anybody.
    Public(&'a Identity),
}

/// Serves at an address.
fn open(
    listener: TcpListener,
    speech: Speech<'_>,
    router: Router,
    limits: api::ServerLimits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let listener = match speech {
        Speech::Plain => return Ok(tokio::spawn(api::serve(listener, router, limits, stop))),
        Speech::Machines(identity, known) => tls::Listener::new(listener, identity, known)?,
        Speech::Public(identity) => tls::Listener::for_public(listener, identity)?,
    };
    Ok(tokio::spawn(api::serve(listener, router, limits, stop)))
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
