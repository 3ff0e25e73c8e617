//! What this process counts of messages: how many came to which state, by door and partner, and how long they took. Bounded: of more
//! partners than a house has, the rest is counted together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use model::message::Direction;
use model::{Authority, EventKind, Message, Timestamp};
use serde_json::json;

/// Bounds of the times from acceptance to delivery, in seconds.
pub const DELIVERY_SECONDS: [f64; 12] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0];

/// Partners that are counted by themselves.
const PARTNERS: usize = 500;

/// Stands for all others.
const OTHERS: &str = "other";

/// Stands for all systems of the house.
const SYSTEM: &str = "system";

static COUNTS: LazyLock<Mutex<Counts>> = LazyLock::new(Mutex::default);
static IN: DeliveryBuckets = DeliveryBuckets::new();
static OUT: DeliveryBuckets = DeliveryBuckets::new();

#[derive(Default)]
struct Counts {
    partners: std::collections::BTreeSet<String>,
    counts: BTreeMap<(String, &'static str, String, &'static str), u64>,
}

struct DeliveryBuckets {
    buckets: [AtomicU64; DELIVERY_SECONDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// How many messages came to a state since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageCount {
    /// By which door, as in the JSON form.
    pub door: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// The authority at the other side; `system` for systems of the house, `other` for those beyond the number.
    pub partner: String,
    /// `accepted`, `processed`, `delivered`, `confirmed`, `returned` or `parked`.
    pub state: &'static str,
    /// How many.
    pub count: u64,
}

/// How long messages took from acceptance to delivery since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryTimes {
    /// How many took at most as long as the bound at the same place says.
    pub within: [u64; DELIVERY_SECONDS.len()],
    /// How many there were.
    pub count: u64,
    /// How long all of them took together, in microseconds.
    pub micros: u64,
}

impl DeliveryBuckets {
    const fn new() -> Self {
        let buckets = [const { AtomicU64::new(0) }; DELIVERY_SECONDS.len()];
        DeliveryBuckets { buckets, count: AtomicU64::new(0), micros: AtomicU64::new(0) }
    }

    fn note(&self, micros: u64) {
        let seconds = micros as f64 / 1e6;
        for (bucket, bound) in self.buckets.iter().zip(DELIVERY_SECONDS) {
            if seconds <= bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn now(&self) -> DeliveryTimes {
        DeliveryTimes {
            within: std::array::from_fn(|at| {
                self.buckets.get(at).map_or(0, |bucket| bucket.load(Ordering::Relaxed))
            }),
            count: self.count.load(Ordering::Relaxed),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

impl DeliveryTimes {
    /// Those since an earlier moment.
    pub(super) fn since(&self, before: &DeliveryTimes) -> DeliveryTimes {
        DeliveryTimes {
            within: std::array::from_fn(|at| {
                let of = |times: &DeliveryTimes| times.within.get(at).copied().unwrap_or_default();
                of(self).saturating_sub(of(before))
            }),
            count: self.count.saturating_sub(before.count),
            micros: self.micros.saturating_sub(before.micros),
        }
    }

    /// The bound that a share of them did not pass, in seconds; `None` if there were none.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = share * self.count as f64;
        let last = DELIVERY_SECONDS.last().copied();
        self.within
            .iter()
            .zip(DELIVERY_SECONDS)
            .find(|(count, _)| **count as f64 >= wanted)
            .map(|it| it.1)
            .or(last)
    }
}

/// Notes what happens to a message.
pub(crate) fn note(kind: EventKind, message: &Message, now: Timestamp) {
    let state = match kind {
        EventKind::MessageAccepted => "accepted",
        EventKind::MessageProcessed => "processed",
        EventKind::MessageDelivered => "delivered",
        EventKind::MessageConfirmed => "confirmed",
        EventKind::MessageReturned => "returned",
        EventKind::MessageParked => "parked",
        _ => return,
    };
    let (direction, times) = match message.direction {
        Direction::In => ("in", &IN),
        Direction::Out => ("out", &OUT),
    };
    let arrives = match message.direction {
        Direction::In => EventKind::MessageProcessed,
        Direction::Out => EventKind::MessageDelivered,
    };
    if kind == arrives {
        times.note(u64::try_from(now.micros().saturating_sub(message.received_at.micros())).unwrap_or(0));
    }
    let door = json!(message.door).as_str().unwrap_or_default().to_owned();
    let mut all = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    // Tokens of systems are of no interest here: figures tell no ids but those of authorities.
    let name = if message.partner.parse::<Authority>().is_ok() { message.partner.as_str() } else { SYSTEM };
    if all.partners.len() < PARTNERS {
        all.partners.insert(name.to_owned());
    }
    let partner = if all.partners.contains(name) { name } else { OTHERS };
    let partner = partner.to_owned();
    *all.counts.entry((door, direction, partner, state)).or_default() += 1;
}

/// How many messages came to which state.
pub(crate) fn counts() -> Vec<MessageCount> {
    let all = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = |((door, direction, partner, state), count): (
        &(String, &'static str, String, &'static str),
        &u64,
    )| {
        MessageCount { door: door.clone(), direction, partner: partner.clone(), state, count: *count }
    };
    all.counts.iter().map(shown).collect()
}

/// How long they took: in, and out.
pub(crate) fn times() -> [(&'static str, DeliveryTimes); 2] {
    [("in", IN.now()), ("out", OUT.now())]
}

impl crate::Broker {
    /// How many messages came to which state in this process, by door and partner.
    pub fn message_counts(&self) -> Vec<MessageCount> {
        counts()
    }

    /// How long messages took from acceptance to delivery in this process: incoming until they lie in the mailbox, outgoing until the
    /// recipient has them.
    pub fn delivery_times(&self) -> [(&'static str, DeliveryTimes); 2] {
        times()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_bounds_that_a_share_does_not_pass() {
        let buckets = DeliveryBuckets::new();
        assert_eq!(buckets.now().quantile(0.5), None);
        (0..95).for_each(|_| buckets.note(200_000));
        let before = buckets.now();
        (0..5).for_each(|_| buckets.note(20_000_000));
        let now = buckets.now();
        assert_eq!(
            (now.quantile(0.5), now.quantile(0.95), now.quantile(0.99)),
            (Some(0.25), Some(0.25), Some(30.0))
        );
        assert_eq!(now.since(&before).quantile(0.5), Some(30.0));
    }
}
