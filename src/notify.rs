//! What systemd is told (sd_notify(3), "Notification protocol"): datagrams of `NAME=VALUE` to the socket that `NOTIFY_SOCKET` names. Without
//! it nothing is said. Nobody waits for it, and nothing depends on it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::task::JoinHandle;

/// Whoever started this process and wants to hear of it.
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<JoinHandle<()>>,
}

impl Notify {
    /// As the environment says.
    pub(crate) fn of_environment() -> Self {
        let name = std::env::var("NOTIFY_SOCKET").ok().filter(|name| !name.is_empty());
        Notify { socket: name.and_then(|name| open(&name)), watchdog: None }
    }

    /// Everything answers. From now on the watchdog is told in time, as long as the runtime gets to it.
    pub(crate) fn ready(&mut self) {
        self.say("READY=1\nSTATUS=serving");
        let told = self.socket.as_ref().and_then(|socket| socket.try_clone().ok());
        let is_new = self.watchdog.is_none();
        if is_new && let (Some(every), Some(socket)) = (watchdog(), told) {
            self.watchdog = Some(tokio::spawn(async move {
                let mut every = tokio::time::interval(every);
                loop {
                    every.tick().await;
                    let _ = socket.send(b"WATCHDOG=1");
                }
            }));
        }
    }

    /// The configuration is read anew. Ends with [`ready`](Notify::ready).
    pub(crate) fn reloading(&self) {
        self.say("RELOADING=1\nSTATUS=reading the configuration");
    }

    /// It is going to stop.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=stopping");
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            // Whoever does not listen has to look for itself.
            let _ = socket.send(what.as_bytes());
        }
    }
}

/// A path, or with `@` a name in the abstract space.
fn open(name: &str) -> Option<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address.ok()?).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// How often the watchdog wants to be told: twice in its time. Nothing if it is meant for another process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 1)?;
    Some(Duration::from_micros(micros / 2))
}
