//! Whatever messages are looked for by, and however many things together: found is exactly what passes, in order and page by page.

use std::collections::BTreeSet;

use model::message::{Direction, Door};
use model::rights::Within;
use model::standard::Identity;
use model::{Authority, Id, Message, MessageState, Scope, ids};
use store::{MessageFilter, Page, Work};

use crate::make::{self, TENANT};
use crate::{Bed, on_every_engine};

const STATES: [MessageState; 3] = [MessageState::Confirmed, MessageState::Returned, MessageState::Parked];

/// One of each mixture of two, and of the three states.
fn messages() -> Vec<Message> {
    let one = |number: usize| {
        let bit = |at: usize| number >> at & 1 == 1;
        let two = |at: usize, one: &str, other: &str| if bit(at) { one.to_owned() } else { other.to_owned() };
        let identity = Identity {
            standard: two(3, "xdomea", "xbau"),
            message_type: two(4, "0401", "0501"),
            process_id: bit(5).then(ids::new_id),
            ..Identity::default()
        };
        Message {
            state: STATES[number % 3],
            direction: if bit(0) { Direction::In } else { Direction::Out },
            door: if bit(1) { Door::Rest } else { Door::Xta },
            partner: two(2, "bab:05978000", "bab:05978001"),
            identity: (!number.is_multiple_of(7)).then_some(identity),
            unit: two(6, "63", "50"),
            public_service: Some(two(5, "baugenehmigung", "melderegister")),
            authority: two(7, "bab:05974000", "bab:05974001").parse().unwrap(),
            exchange: bit(7).then(ids::new_id),
            ..make::message()
        }
    };
    (0..256).map(one).collect()
}

fn scopes() -> Vec<Scope> {
    let only = |names: &[&str]| Within::Only(names.iter().map(|it| (*it).to_owned()).collect());
    let scope = |units, services| Scope { tenant: TENANT.into(), units, services };
    vec![
        Scope::tenant(TENANT),
        scope(only(&["63"]), Within::All),
        scope(only(&["50", "63"]), only(&["melderegister"])),
        scope(Within::All, only(&["melderegister"])),
        scope(only(&[]), Within::All),
    ]
}

/// Each mixture of things that are looked for.
fn filters(some: &Message) -> Vec<MessageFilter> {
    let authority: Authority = "bab:05974001".parse().unwrap();
    let one = |number: usize| {
        let bit = |at: usize| number >> at & 1 == 1;
        MessageFilter {
            direction: bit(0).then_some(Direction::In),
            state: bit(1).then_some(MessageState::Returned),
            partner: bit(2).then(|| "bab:05978000".to_owned()),
            message_type: bit(3).then(|| "0401".to_owned()),
            door: bit(4).then_some(Door::Xta),
            standard: bit(5).then(|| "xbau".to_owned()),
            authority: bit(6).then(|| authority.clone()),
            newest: number.is_multiple_of(3),
            ..MessageFilter::default()
        }
    };
    let process_id = some.identity.as_ref().and_then(|it| it.process_id);
    let by_number = [
        MessageFilter { process_id, ..MessageFilter::default() },
        MessageFilter { process_id, state: Some(MessageState::Returned), ..MessageFilter::default() },
        MessageFilter { exchange: some.exchange, door: Some(some.door), ..MessageFilter::default() },
    ];
    (0..128).map(one).chain(by_number).collect()
}

fn passes(message: &Message, scope: &Scope, filter: &MessageFilter) -> bool {
    let identity = message.identity.as_ref();
    scope.covers(&message.tenant, &message.unit, message.public_service.as_deref())
        && filter.direction.is_none_or(|it| it == message.direction)
        && filter.state.is_none_or(|it| it == message.state)
        && filter.partner.as_ref().is_none_or(|it| *it == message.partner)
        && filter.message_type.as_ref().is_none_or(|it| identity.is_some_and(|its| *it == its.message_type))
        && filter.door.is_none_or(|it| it == message.door)
        && filter.standard.as_ref().is_none_or(|it| identity.is_some_and(|its| *it == its.standard))
        && filter.authority.as_ref().is_none_or(|it| *it == message.authority)
        && filter.process_id.is_none_or(|it| identity.is_some_and(|its| its.process_id == Some(it)))
        && filter.exchange.is_none_or(|it| message.exchange == Some(it))
}

/// All pages of what is found.
async fn found(bed: &Bed, scope: &Scope, filter: &MessageFilter) -> Vec<Id> {
    let (mut all, mut page) = (vec![], Page::first(100));
    loop {
        let listed = bed.store.messages(scope, filter, &page).await.unwrap();
        all.extend(listed.items.iter().map(|message| message.id));
        let Some(next) = listed.next else { return all };
        page.after = Some(next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mixture_of_filters_finds_exactly_what_passes() {
    on_every_engine(|bed| async move {
        let messages = messages();
        let mut work = Work::new();
        messages.iter().for_each(|message| {
            work.insert_message(message);
        });
        bed.store.commit(work).await.unwrap();
        let numbered = messages.iter().find(|it| {
            it.exchange.is_some() && it.identity.as_ref().is_some_and(|its| its.process_id.is_some())
        });
        for scope in scopes() {
            for filter in filters(numbered.unwrap()) {
                let passing = messages.iter().filter(|message| passes(message, &scope, &filter));
                let mut passing = passing
                    .map(|message| message.id)
                    .collect::<BTreeSet<Id>>()
                    .into_iter()
                    .collect::<Vec<_>>();
                if filter.newest {
                    passing.reverse();
                }
                assert_eq!(found(&bed, &scope, &filter).await, passing, "{filter:?} in {scope:?}");
            }
        }
    })
    .await;
}
