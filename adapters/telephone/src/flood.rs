//! How many calls began in a minute, so that a flood of them is counted and not noted. No I/O; kept over lines that break.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Channels that are remembered not to be noted.
const MOST_LEFT: usize = 10_000;

/// Minutes that are remembered.
const MOST_MINUTES: usize = 120;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// Calls by the minute that they began in.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    minutes: BTreeMap<i64, Minute>,
    /// Channels that were not noted, and in which order: they come again when they come to the application, and with each new line.
    left: BTreeSet<String>,
    order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Minute {
    noted: u32,
    /// Those that were not noted each by itself, and how many of them a contact tells of.
    beyond: u32,
    told: u32,
}

/// Calls that no contact tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// When their minute began, in microseconds.
    pub(crate) began: i64,
    /// How many they are.
    pub(crate) calls: u32,
    /// How many were not noted in that minute by now.
    pub(crate) all: u32,
}

impl Flood {
    /// Whether a call that begins now is noted by itself: at most `most` of a minute are, and those only while there is room.
    pub(crate) fn admits(&mut self, channel: &str, at: i64, (most, has_room): (u32, bool)) -> bool {
        let minute = at.div_euclid(MINUTE);
        if self.left.contains(channel) {
            return false;
        }
        if self.minutes.len() >= MOST_MINUTES && !self.minutes.contains_key(&minute) {
            self.minutes.pop_first();
        }
        let of = self.minutes.entry(minute).or_default();
        if of.noted < most && has_room {
            of.noted += 1;
            return true;
        }
        of.beyond = of.beyond.saturating_add(1);
        self.leave(channel);
        false
    }

    /// Remembers a channel; the one that was remembered first makes room.
    fn leave(&mut self, channel: &str) {
        if self.order.len() >= MOST_LEFT
            && let Some(oldest) = self.order.pop_front()
        {
            self.left.remove(&oldest);
        }
        self.order.push_back(channel.to_owned());
        self.left.insert(channel.to_owned());
    }

    /// What is to be told of minutes that are over.
    pub(crate) fn untold(&self, now: i64) -> Vec<Beyond> {
        let over = self.minutes.range(..now.div_euclid(MINUTE)).filter(|(_, of)| of.beyond > of.told);
        over.map(|(minute, of)| Beyond {
            began: minute.saturating_mul(MINUTE),
            calls: of.beyond - of.told,
            all: of.beyond,
        })
        .collect()
    }

    /// A contact tells of them.
    pub(crate) fn told(&mut self, of: Beyond) {
        if let Some(minute) = self.minutes.get_mut(&of.began.div_euclid(MINUTE)) {
            minute.told = of.all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_is_counted_once_and_told_when_its_minute_is_over() {
        let mut flood = Flood::default();
        let noted = |flood: &mut Flood, from: u32, at| {
            (from..from + 5).filter(|call| flood.admits(&call.to_string(), at, (3, true))).count()
        };
        assert_eq!(noted(&mut flood, 0, MINUTE), 3);
        assert_eq!(
            noted(&mut flood, 0, MINUTE),
            0,
            "the same channels: those that are left are counted once"
        );
        assert!(flood.untold(MINUTE + 1).is_empty(), "more may come");
        let [first] = flood.untold(2 * MINUTE)[..] else { panic!("one minute") };
        assert_eq!((first.began, first.calls), (MINUTE, 2 + 3));
        flood.told(first);
        assert!(flood.untold(2 * MINUTE).is_empty());
        assert_eq!(noted(&mut flood, 10, MINUTE), 0);
        let [more] = flood.untold(2 * MINUTE)[..] else { panic!("one minute") };
        assert_eq!((more.calls, more.all), (5, 10));
        assert_eq!(noted(&mut flood, 20, 2 * MINUTE), 3, "the next minute");
        assert!(!flood.admits("x", 3 * MINUTE, (3, false)), "there is no room");
        assert!(!flood.admits("4", 4 * MINUTE, (3, true)), "one that was left before comes again, and later");
        assert!(!flood.admits("4", MINUTE, (3, true)));
        assert!(flood.untold(5 * MINUTE).iter().all(|it| it.began == 3 * MINUTE), "and is counted once");
    }
}
