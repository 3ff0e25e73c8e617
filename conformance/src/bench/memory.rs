//! Memory of the gateway's process: what it holds idle, and its peak since the last look.

use crate::Error;
use crate::gateway::Gateway;

/// Watches the peak of a running gateway, leg by leg.
pub(super) struct Watch {
    pid: u32,
    /// Resident bytes when nothing went on.
    pub(super) idle: u64,
}

impl Watch {
    /// Takes what the gateway holds now for idle.
    pub(super) fn start(gateway: &Gateway) -> Result<Self, Error> {
        let pid = gateway.pid().ok_or_else(|| Error::Start("no process".to_owned()))?;
        Ok(Watch { pid, idle: status(pid, "VmRSS:")? })
    }

    /// Begins a leg: the kernel forgets the peak so far.
    pub(super) fn reset(&self) -> Result<(), Error> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5")?)
    }

    /// Peak of the leg above idle, in MB (10⁶ bytes).
    pub(super) fn peak_mb(&self) -> Result<f64, Error> {
        Ok(status(self.pid, "VmHWM:")?.saturating_sub(self.idle) as f64 / 1e6)
    }
}

/// A size in `/proc/PID/status`, in bytes.
fn status(pid: u32, name: &str) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.unwrap_or_default() * 1024)
}
