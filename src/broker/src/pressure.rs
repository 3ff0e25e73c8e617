//! Back-pressure: who may bring more, and who has to wait. Every bound is a number in [`Quotas`]; whoever meets one is told
//! so at once instead of being kept waiting.
//!
//! Of what all share nobody gets all: another body is taken only from whom has not more under way than is left. One caller alone so
//! gets half; and the next one finds room, however slowly the bodies of the others come.
//!
//! Free disk and waiting messages are looked at once a second, not on anybody's way.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use model::Caller;

use crate::{Broker, Error};

/// Bodies that announce no more bytes than this count as small: they fit into the buffers of a request.
const SMALL: u64 = 64 * 1024;

/// Pause between two looks at disk and queue.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// How much may be under way at once.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Bytes that stay free on the disk: no body is taken that would leave fewer.
    pub disk_reserve: u64,
    /// Requests of one token.
    pub token_requests: usize,
    /// Requests of a tenant.
    pub tenant_requests: usize,
    /// Large bodies of all callers together: each holds some buffers.
    pub bodies: usize,
    /// Announced bytes of a tenant's bodies.
    pub tenant_bytes: u64,
    /// Accepted messages of a tenant that wait for their processing.
    pub tenant_waiting: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            disk_reserve: 1 << 30,
            token_requests: 512,
            tenant_requests: 768,
            bodies: 64,
            tenant_bytes: 64 << 30,
            tenant_waiting: 100_000,
        }
    }
}

/// How it stands, for health and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PressureNow {
    /// Bytes free on the disk; absent before the first look.
    pub disk_free: Option<u64>,
    /// Whether bodies are refused for want of room.
    pub disk_full: bool,
    /// Requests under way.
    pub requests: usize,
    /// Large bodies under way.
    pub bodies: usize,
    /// Announced bytes under way.
    pub bytes: u64,
}

/// What is under way in this process.
pub(crate) struct Pressure {
    quotas: Quotas,
    disk_free: AtomicU64,
    disk_known: AtomicBool,
    waiting: RwLock<BTreeMap<String, u64>>,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    tokens: HashMap<String, usize>,
    tenants: HashMap<String, usize>,
    requests: usize,
    bodies: usize,
    bytes: u64,
    tenant_bytes: HashMap<String, u64>,
    /// What each caller has under way.
    callers: HashMap<String, Held>,
}

/// Bodies of a caller.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    large: usize,
    bytes: u64,
}

/// A request under way; it counts until this is dropped.
pub struct RequestPlace {
    pressure: Arc<Pressure>,
    token: String,
    tenant: String,
}

/// A body under way; it counts until this is dropped.
pub struct BodyPlace {
    pressure: Arc<Pressure>,
    tenant: String,
    caller: String,
    bytes: u64,
    large: bool,
}

impl Pressure {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Pressure {
            quotas,
            disk_free: AtomicU64::new(0),
            disk_known: AtomicBool::new(false),
            waiting: RwLock::default(),
            counts: Arc::default(),
        }
    }

    /// The same quotas, for what another one has under way and has seen.
    pub(crate) fn going_on(&self, before: &Pressure) -> Self {
        let waiting = before.waiting.read().unwrap_or_else(PoisonError::into_inner).clone();
        Pressure {
            quotas: self.quotas,
            disk_free: AtomicU64::new(before.disk_free.load(Ordering::Relaxed)),
            disk_known: AtomicBool::new(before.disk_known.load(Ordering::Acquire)),
            waiting: RwLock::new(waiting),
            counts: Arc::clone(&before.counts),
        }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk_free(&self) -> Option<u64> {
        self.disk_known.load(Ordering::Acquire).then(|| self.disk_free.load(Ordering::Relaxed))
    }

    /// Whether the disk has no room for `bytes` beside what is under way already.
    fn is_full_for(&self, under_way: u64, bytes: u64) -> bool {
        let wanted = under_way.saturating_add(bytes).saturating_add(self.quotas.disk_reserve);
        self.disk_free().is_some_and(|free| free < wanted)
    }
}

impl Broker {
    /// A place for a request of the caller.
    ///
    /// # Errors
    /// `TooManyRequests` of the token or its tenant.
    pub fn request_place(&self, caller: &Caller) -> Result<RequestPlace, Error> {
        let (token, tenant) = (caller.actor.id.clone(), caller.scope.tenant.clone());
        let quotas = &self.pressure.quotas;
        let mut counts = self.pressure.counts();
        let of = |all: &HashMap<String, usize>, name: &str| all.get(name).copied().unwrap_or_default();
        if of(&counts.tokens, &token) >= quotas.token_requests
            || of(&counts.tenants, &tenant) >= quotas.tenant_requests
        {
            return Err(Error::TooManyRequests);
        }
        *counts.tokens.entry(token.clone()).or_default() += 1;
        *counts.tenants.entry(tenant.clone()).or_default() += 1;
        counts.requests += 1;
        drop(counts);
        Ok(RequestPlace { pressure: Arc::clone(&self.pressure), token, tenant })
    }

    /// A place for a body of the caller that announces so many bytes, or nothing about them.
    ///
    /// # Errors
    /// `DiskFull`, or `TooManyBodies` if there are too many, or too many bytes of the tenant, or if the caller has its share.
    pub fn body_place(&self, caller: &Caller, announced: Option<u64>) -> Result<BodyPlace, Error> {
        let tenant = caller.scope.tenant.clone();
        let caller = format!("{}:{}", caller.actor.kind, caller.actor.id);
        let quotas = &self.pressure.quotas;
        let bytes = announced.unwrap_or(0);
        let large = announced.is_none_or(|bytes| bytes > SMALL);
        let mut counts = self.pressure.counts();
        if self.pressure.is_full_for(counts.bytes, bytes) {
            return Err(Error::DiskFull);
        }
        let of_tenant = counts.tenant_bytes.get(&tenant).copied().unwrap_or_default();
        let own = counts.callers.get(&caller).copied().unwrap_or_default();
        let places = quotas.bodies.saturating_sub(counts.bodies);
        let room = quotas.tenant_bytes.saturating_sub(of_tenant);
        if (large && (places == 0 || own.large > places)) || bytes > room || (bytes > 0 && own.bytes > room) {
            return Err(Error::TooManyBodies);
        }
        counts.bodies += usize::from(large);
        counts.bytes += bytes;
        if bytes > 0 {
            *counts.tenant_bytes.entry(tenant.clone()).or_default() += bytes;
        }
        if bytes > 0 || large {
            let held = counts.callers.entry(caller.clone()).or_default();
            *held = Held { large: own.large + usize::from(large), bytes: own.bytes + bytes };
        }
        drop(counts);
        Ok(BodyPlace { pressure: Arc::clone(&self.pressure), tenant, caller, bytes, large })
    }

    /// Whether the tenant may bring another message, in one piece or as an upload: it has not too many waiting, and the
    /// house takes something in.
    ///
    /// # Errors
    /// `TooManyWaiting`, `TimeStampOverdue`.
    pub(crate) fn may_bring_message(&self, tenant: &str) -> Result<(), Error> {
        self.may_take_in()?;
        let waiting = self.pressure.waiting.read().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.get(tenant).copied().unwrap_or_default();
        if count < self.pressure.quotas.tenant_waiting { Ok(()) } else { Err(Error::TooManyWaiting) }
    }

    /// How it stands.
    pub fn pressure(&self) -> PressureNow {
        let counts = self.pressure.counts();
        PressureNow {
            disk_free: self.pressure.disk_free(),
            disk_full: self.pressure.is_full_for(0, 0),
            requests: counts.requests,
            bodies: counts.bodies,
            bytes: counts.bytes,
        }
    }

    /// Looks at disk and queue. What cannot be seen counts as it was.
    pub async fn look_at_pressure(&self) {
        match self.store().disk_free() {
            Ok(free) => {
                self.pressure.disk_free.store(free, Ordering::Relaxed);
                self.pressure.disk_known.store(true, Ordering::Release);
            }
            Err(error) => tracing::warn!(code = error.code(), "the free disk cannot be seen"),
        }
        match self.store().waiting_messages().await {
            Ok(waiting) => {
                *self.pressure.waiting.write().unwrap_or_else(PoisonError::into_inner) = waiting;
            }
            Err(error) => tracing::warn!(code = error.code(), "waiting messages cannot be counted"),
        }
    }
}

impl Drop for RequestPlace {
    fn drop(&mut self) {
        let mut counts = self.pressure.counts();
        counts.requests -= 1;
        less(&mut counts.tokens, &self.token);
        less(&mut counts.tenants, &self.tenant);
    }
}

impl Drop for BodyPlace {
    fn drop(&mut self) {
        let mut counts = self.pressure.counts();
        counts.bodies -= usize::from(self.large);
        counts.bytes -= self.bytes;
        if let Some(left) = counts.tenant_bytes.get_mut(&self.tenant) {
            *left -= self.bytes;
            if *left == 0 {
                counts.tenant_bytes.remove(&self.tenant);
            }
        }
        if let Some(held) = counts.callers.get_mut(&self.caller) {
            held.large -= usize::from(self.large);
            held.bytes -= self.bytes;
            if *held == Held::default() {
                counts.callers.remove(&self.caller);
            }
        }
    }
}

/// One fewer; names of which nothing is left are forgotten.
fn less(all: &mut HashMap<String, usize>, name: &str) {
    if let Some(count) = all.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            all.remove(name);
        }
    }
}
