//! Going through a message box at a server, page by page. A server says how many entries it gives at once, and what is closed is in no
//! list any more: so the same question is asked again until nothing new comes. Behind messages that stay, because they cannot be had,
//! it goes on by the moment at which the last of them came in: iterators need not be there in version 3, and are not in version 5.

use std::collections::HashSet;

use model::Failure;
use xta::model::Version;
use xta::server::backend::{Listed, Selector};

/// Messages that are looked at in one round, at most: the next one goes on. A server that names new ones for ever keeps nobody busy.
const MOST_IDS: usize = 10_000;
/// Longest id of a message, in bytes. What has a longer one is left where it is.
const ID_BYTES: usize = 1_024;

/// A message box.
pub(super) trait MessageBox {
    /// The first entries that a selector fits, the oldest first.
    fn list(&self, selector: &Selector) -> Result<Listed, Failure>;

    /// Whether a message is to be left alone for now.
    fn is_aside(&self, id: &str) -> bool;

    /// Takes a message in and closes it, or sets it aside.
    fn take(&mut self, id: &str, iterator: &str) -> Result<(), Failure>;
}

/// Takes everything in that can be had. Servers of version 5 may understand "not new" as "fetched before", so it is asked for what is
/// new, and then for what need not be.
pub(super) fn go_through(messages: &mut impl MessageBox, version: Version) -> Result<(), Failure> {
    let questions: &[Option<bool>] = match version {
        Version::V3 => &[None],
        Version::V5 => &[Some(true), None],
    };
    let mut had = HashSet::new();
    for is_new in questions {
        ask(messages, Selector { is_new: *is_new, ..Selector::default() }, &mut had)?;
    }
    Ok(())
}

/// `had` are ids of messages that were dealt with.
fn ask(
    messages: &mut impl MessageBox,
    mut selector: Selector,
    had: &mut HashSet<String>,
) -> Result<(), Failure> {
    let mut passed = HashSet::new();
    loop {
        let Listed { entries, position } = messages.list(&selector)?;
        let is_id = |id: &&String| (1..=ID_BYTES).contains(&id.len());
        let ids: Vec<&String> = entries.iter().map(|meta| &meta.message_id).filter(is_id).collect();
        let waits = |id: &&&String| !had.contains(**id) && !messages.is_aside(id);
        let waiting: Vec<String> = ids.iter().filter(waits).map(|id| (*id).clone()).collect();
        if waiting.is_empty() {
            let news = ids.iter().filter(|id| passed.insert((**id).clone())).count();
            let last = entries.iter().rev().find_map(|meta| meta.delivery.delivery.clone());
            match last {
                Some(moment) if news > 0 && passed.len() < MOST_IDS => selector.from = Some(moment),
                _ => return Ok(()),
            }
        }
        for id in waiting {
            if had.len() >= MOST_IDS {
                return Ok(());
            }
            messages.take(&id, &position.iterator)?;
            had.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use xta::model::{DeliveryAttributes, MetaData};
    use xta::server::backend::{Position, Rest};

    use super::*;

    /// A server that gives few entries at once. What cannot be had stays, some of it as if it had never been fetched.
    #[derive(Default)]
    struct Server {
        /// Whether each message that is there was fetched, by its id, which is the second at which it came.
        open: BTreeMap<String, bool>,
        /// Those of them that cannot be had.
        bad: HashSet<String>,
        /// "Not new" means "fetched before".
        is_strict: bool,
        /// It says nothing of moments, and looks at none.
        is_silent: bool,
        aside: HashSet<String>,
        taken: Vec<String>,
        most: usize,
    }

    fn moment(id: &str) -> String {
        format!("2026-11-29T10:{}:{}Z", &id[..2], &id[2..])
    }

    impl Server {
        fn with(count: usize, bad: impl Fn(usize) -> bool) -> Self {
            let ids: Vec<String> = (0..count).map(|it| format!("{:02}{:02}", it / 60, it % 60)).collect();
            let bad = ids.iter().enumerate().filter(|(index, _)| bad(*index)).map(|(_, id)| id.clone());
            let (bad, most) = (bad.collect(), 10);
            Server { open: ids.into_iter().map(|id| (id, false)).collect(), bad, most, ..Server::default() }
        }

        /// How many were taken by a round.
        fn round(&mut self, version: Version) -> usize {
            let before = self.taken.len();
            go_through(self, version).unwrap();
            self.taken.len() - before
        }
    }

    impl MessageBox for Server {
        fn list(&self, selector: &Selector) -> Result<Listed, Failure> {
            let from = selector.from.as_ref().filter(|_| !self.is_silent).map(ToString::to_string);
            let fits = |(id, was_fetched): &(&String, &bool)| {
                let is_of_kind = match selector.is_new {
                    Some(true) => !**was_fetched,
                    _ => !self.is_strict || **was_fetched,
                };
                is_of_kind && from.as_ref().is_none_or(|from| moment(id) >= *from)
            };
            let entry = |(id, _): (&String, &bool)| {
                let delivery = Some(moment(id).parse().unwrap()).filter(|_| !self.is_silent);
                let delivery = DeliveryAttributes { delivery, ..DeliveryAttributes::default() };
                MetaData { message_id: id.clone(), delivery, ..MetaData::default() }
            };
            let entries = self.open.iter().filter(fits).take(self.most).map(entry).collect();
            Ok(Listed { entries, position: Position { iterator: String::new(), rest: Rest::Pending(0) } })
        }

        fn is_aside(&self, id: &str) -> bool {
            self.aside.contains(id)
        }

        fn take(&mut self, id: &str, _: &str) -> Result<(), Failure> {
            if self.bad.contains(id) {
                self.aside.insert(id.to_owned());
                return Ok(());
            }
            assert!(self.open.remove(id).is_some(), "{id} was taken twice");
            self.taken.push(id.to_owned());
            Ok(())
        }
    }

    /// A server that names new messages whenever it is asked.
    #[derive(Default)]
    struct Endless {
        named: Cell<usize>,
        all_aside: bool,
        taken: usize,
    }

    impl MessageBox for Endless {
        fn list(&self, _: &Selector) -> Result<Listed, Failure> {
            let entry = |id: String| {
                let delivery = Some("2026-11-29T10:00:00Z".parse().unwrap());
                let delivery = DeliveryAttributes { delivery, ..DeliveryAttributes::default() };
                MetaData { message_id: id, delivery, ..MetaData::default() }
            };
            let first = self.named.replace(self.named.get() + 300);
            let short = (first..first + 300).map(|number| entry(number.to_string()));
            let long = entry(format!("{}{first}", "x".repeat(ID_BYTES)));
            let entries = [long].into_iter().chain(short).collect();
            Ok(Listed { entries, position: Position { iterator: String::new(), rest: Rest::Pending(1) } })
        }

        fn is_aside(&self, _: &str) -> bool {
            self.all_aside
        }

        fn take(&mut self, id: &str, _: &str) -> Result<(), Failure> {
            assert!(id.len() <= ID_BYTES);
            self.taken += 1;
            Ok(())
        }
    }

    #[test]
    fn a_round_has_an_end_however_many_messages_a_server_names() {
        for version in BOTH {
            let mut server = Endless::default();
            go_through(&mut server, version).unwrap();
            assert_eq!(server.taken, MOST_IDS);
            let mut server = Endless { all_aside: true, ..Endless::default() };
            go_through(&mut server, version).unwrap();
            assert_eq!(server.taken, 0);
        }
    }

    const BOTH: [Version; 2] = [Version::V3, Version::V5];

    #[test]
    fn everything_is_taken_in_however_few_entries_a_server_gives_at_once() {
        for version in BOTH {
            let mut server = Server::with(95, |_| false);
            assert_eq!(server.round(version), 95);
            assert_eq!(server.round(version), 0);
        }
    }

    #[test]
    fn more_messages_than_a_page_that_cannot_be_had_do_not_keep_the_others_from_coming() {
        for version in BOTH {
            let mut server = Server::with(95, |index| index < 37 || index % 3 == 0);
            let bad = server.bad.len();
            assert_eq!(server.round(version), 95 - bad);
            assert_eq!(server.aside.len(), bad);
            server.open.insert("0159".to_owned(), false);
            assert_eq!(server.round(version), 1, "behind all of them");
        }
    }

    #[test]
    fn what_was_fetched_and_not_closed_comes_as_well_as_what_is_new() {
        for is_strict in [false, true] {
            let mut server = Server::with(40, |index| index % 7 == 0);
            server.is_strict = is_strict;
            server.open.values_mut().step_by(2).for_each(|was_fetched| *was_fetched = true);
            assert_eq!(server.round(Version::V5), 40 - 6, "{is_strict}");
        }
    }

    #[test]
    fn a_server_that_tells_no_moments_is_not_asked_forever() {
        let mut server = Server::with(35, |index| index < 5);
        server.is_silent = true;
        assert_eq!(server.round(Version::V3), 30);
        let mut full = Server { is_silent: true, ..Server::with(35, |index| index < 12) };
        assert_eq!(full.round(Version::V3), 0);
    }
}
