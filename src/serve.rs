//! `amtsbote serve`: runs until it is told to stop, and stops in bounded time. How it is given another configuration stands in `reload`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::Exchangeable;
use axum::Router;
use broker::{Places, Workers};
use futures::future::join;
use net::pace::Pace;
use net::tls;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use transport::{Fetch, Fetchers};

use crate::error::Error;
use crate::gateway::Gateway;
use crate::notify::Notify;
use crate::{identities, registry, traces, works_with};
use config::{Config, LogFormat};

/// How long jobs in hand may go on after the signal. A job that is cut off is done again at the next start.
const FAREWELL: Duration = Duration::from_secs(20);

/// Threads for what only the disk or a name holds up.
const DISK_THREADS: usize = 256;

/// Runs the gateway.
///
/// # Errors
/// If it cannot start: address, clock, keys, store.
pub(crate) async fn serve(config: Config, file: &Path) -> Result<(), Error> {
    // The addresses come first: if another gateway has them, its store is left alone.
    let internal = listen(config.listen.internal).await?;
    let operations = listen(config.listen.operations).await?;
    let machines = listen_if(config.listen.machines).await?;
    let osci_plain = listen_if(config.listen.osci_plain).await?;
    let public = listen_if(config.listen.public).await?;
    let mut signals = Signals::new()?;
    let mut notify = Notify::of_environment();
    let gateway = Gateway::open(&config).await?;
    let draining = Arc::new(AtomicBool::new(false));
    let faces = Faces::of(&config, &gateway, &draining)?;
    works_with::note(&config, &gateway).await?;
    let work = Work::start(&config, &gateway).await?;

    let (stop, stopped) = watch::channel(false);
    let limits = server_limits(&config);
    let listening = [
        ("internal", Some(internal)),
        ("operations", Some(operations)),
        ("machines", machines),
        ("osci_plain", osci_plain),
        ("public", public),
    ];
    let (mut addresses, mut doors, mut open) = (vec![], vec![], vec![]);
    for (((name, listener), router), tls) in listening.into_iter().zip(faces.routers).zip(faces.tls) {
        let router = Exchangeable::new(router);
        let Some(listener) = listener else {
            open.push(OpenDoor { router, shown: None });
            continue;
        };
        addresses.push((name, listener.local_addr()?));
        let answered = router.router();
        let shown = match tls {
            None => {
                doors.push(tokio::spawn(api::serve(listener, answered, limits, told(stopped.clone()))));
                None
            }
            Some(door) => {
                let listener = tls::Listener::with(listener, door)?;
                let shown = listener.shown();
                doors.push(tokio::spawn(api::serve(listener, answered, limits, told(stopped.clone()))));
                Some(shown)
            }
        };
        open.push(OpenDoor { router, shown });
    }
    announce(config.log.format, &addresses);
    notify.ready();

    let mut running = Running { config, gateway, work, draining, doors: open };
    while signals.wants_reload().await {
        notify.reloading();
        running.reload(file).await?;
        notify.ready();
    }
    tracing::info!("stopping");
    notify.stopping();
    tokio::select! {
        () = end(running, doors, &stop) => tracing::info!("stopped"),
        // Whoever asks twice does not want to wait: what was acknowledged is durable anyway.
        () = signals.end() => tracing::warn!("stopped at once"),
    }
    Ok(())
}

/// A gateway that serves, with whatever of it can be exchanged.
pub(crate) struct Running {
    pub(crate) config: Config,
    pub(crate) gateway: Gateway,
    pub(crate) work: Work,
    pub(crate) draining: Arc<AtomicBool>,
    /// In the order of [`Faces::routers`].
    pub(crate) doors: Vec<OpenDoor>,
}

/// An address that answers; one that is not configured has nobody who asks.
pub(crate) struct OpenDoor {
    pub(crate) router: Exchangeable,
    pub(crate) shown: Option<tls::Shown>,
}

/// What works without being asked.
pub(crate) struct Work(Option<(Workers, Fetchers)>);

impl Work {
    pub(crate) async fn start(config: &Config, gateway: &Gateway) -> Result<Self, Error> {
        let workers = Workers::start_in(gateway.broker.clone(), places(config)).await?;
        let fetchers = Fetchers::start(if works(config) { fetchers(gateway) } else { vec![] });
        Ok(Work(Some((workers, fetchers))))
    }

    /// Nobody, while others take over.
    pub(crate) fn none() -> Self {
        Work(None)
    }

    /// Lets what is in hand end, for a time.
    pub(crate) async fn stop(self) {
        let Some((workers, fetchers)) = self.0 else { return };
        if timeout(FAREWELL, join(fetchers.stop(), workers.stop())).await.is_err() {
            tracing::warn!("jobs were cut off; they are done again");
        }
    }
}

/// What a configuration shows to those who connect.
pub(crate) struct Faces {
    /// `internal`, `operations`, `machines`, `osci_plain`, `public`.
    pub(crate) routers: [Router; 5],
    /// In the same order, where TLS is spoken: the key pair that is shown, and the certificates of partners.
    pub(crate) tls: [Option<tls::Door>; 5],
}

impl Faces {
    pub(crate) fn of(config: &Config, gateway: &Gateway, draining: &Arc<AtomicBool>) -> Result<Self, Error> {
        let intermediary = registry::osci(config, &gateway.broker)?;
        let osci = transport::osci::router(intermediary, gateway.osci.recipient());
        let xta = registry::xta(config, &gateway.broker)?;
        let known = xta.as_ref().map_or_else(Vec::new, |door| door.certificates());
        let mut tls = [None, None, None, None, None];
        if let Some(identity) = config.tls_identity()? {
            let inside = match config.listen.internal_tls {
                false => None,
                // Who has no tokens that may be bound is asked for no certificate.
                true if config.oauth.is_empty() => Some(tls::Door::for_public(&identity)?),
                true => Some(tls::Door::new(&identity, &[])?),
            };
            let machines = tls::Door::new(&identity, &known)?;
            tls = [inside, None, Some(machines), None, Some(tls::Door::for_public(&identity)?)];
        }
        let settings = api::Settings { proxies: identities::proxies(config), ..api::Settings::default() };
        let interface = api::Api::new(gateway.broker.clone(), settings);
        let interface = interface.with_draining(Arc::clone(draining));
        let interface = match identities::issuers(config)? {
            Some(issuers) => interface.with_issuers(issuers),
            None => interface,
        };
        let trust = config.log.trust_traceparent;
        let routers = [
            traces::around(api::router(interface.clone()).merge(pages(gateway, config)?), trust),
            api::operations_router(interface),
            traces::around(osci.clone().merge(transport::xta::router(xta)), trust),
            traces::around(osci, false),
            traces::around(api::public_router(gateway.broker.clone()), false),
        ];
        Ok(Faces { routers, tls })
    }
}

/// The pages of the house, which stand beside the REST interface.
fn pages(gateway: &Gateway, config: &Config) -> Result<Router, Error> {
    let broker = gateway.broker.clone();
    let visitors = Arc::new(console::Sessions(broker.clone()));
    let pages = console::Console::new(broker, visitors, console_settings(config));
    let pages = pages.with_workshop(gateway.workshop(config));
    Ok(console::router(match identities::elsewhere(config)? {
        Some(elsewhere) => pages.with_provider(elsewhere),
        None => pages,
    }))
}

/// What the pages of the house are set to.
fn console_settings(config: &Config) -> console::Settings {
    let office = match config.tenants.as_slice() {
        [only] => only.name.clone(),
        _ => String::new(),
    };
    console::Settings { office, origin: None, proxies: config.listen.trusted_proxies.clone() }
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

/// Says that it is going to stop, for as long as is configured; then stops.
async fn end(running: Running, doors: Vec<JoinHandle<()>>, stop: &watch::Sender<bool>) {
    let Running { config, gateway, work, draining, .. } = running;
    draining.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(config.listen.drain_seconds.into())).await;
    let _ = stop.send(true);
    for door in doors {
        let _ = door.await;
    }
    work.stop().await;
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
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them: whether it is to read the configuration anew, and not to end.
    async fn wants_reload(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            _ = self.hangup.recv() => true,
        }
    }

    /// Somebody wants it to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
