//! Whatever author and reader do in whichever order, the message boxes answer as a model does that a reader of this page
//! can check: a list of messages, in hours.

use proptest::prelude::*;

use super::*;

/// How long a message waits, in hours.
const WAITS: i64 = 10;
/// How long a fetched one waits at least.
const IDLE: i64 = 1;

#[derive(Debug, Clone)]
enum Act {
    Send { early: i64, answers: u8 },
    Again(usize),
    List(Look, u32),
    ListOn,
    Fetch(Look),
    FetchOn { closing: bool },
    Close(Vec<usize>),
    Cancel(usize),
    Status(usize),
    Wait(i64),
    Expire,
}

/// A selector: places of messages, the number of what they answer, hours.
#[derive(Debug, Clone)]
struct Look {
    ids: Vec<usize>,
    answers: Option<u8>,
    from: Option<i64>,
    until: Option<i64>,
    is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Open,
    Closed,
    Returned,
}

#[derive(Debug, Clone)]
struct Sent {
    early: bool,
    entered: i64,
    expires: i64,
    answers: u8,
    is_fetched: bool,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Code(u16),
    /// Places of messages, and how many are left.
    Listed(Vec<usize>, u64),
    Nothing,
    Status(Status),
}

#[derive(Default)]
struct Model {
    now: i64,
    sent: Vec<Sent>,
    /// Where listing or fetching goes on: the selector, the most, the last key.
    cursor: Option<(Look, u32, (i64, usize))>,
    last: usize,
}

impl Model {
    fn is_open(&self, place: usize) -> bool {
        let it = &self.sent[place];
        it.stage == Stage::Open && it.entered <= self.now
    }

    fn fitting(&self, look: &Look, after: Option<(i64, usize)>) -> Vec<usize> {
        let fits = |place: &usize| {
            let it = &self.sent[*place];
            let is_named = look.ids.is_empty() || look.ids.contains(place);
            self.is_open(*place)
                && is_named
                && look.answers.is_none_or(|number| number == it.answers)
                && look.from.is_none_or(|hour| hour <= it.entered)
                && look.until.is_none_or(|hour| hour >= it.entered)
                && !(look.is_new && it.is_fetched)
                && after.is_none_or(|key| (it.entered, *place) > key)
        };
        let mut found: Vec<usize> = (0..self.sent.len()).filter(fits).collect();
        found.sort_by_key(|place| (self.sent[*place].entered, *place));
        found
    }

    fn list(&mut self, look: &Look, most: u32, after: Option<(i64, usize)>) -> Answer {
        let mut found = self.fitting(look, after);
        let left = found.len().saturating_sub(most as usize);
        found.truncate(most as usize);
        let Some(last) = found.last() else { return Answer::Nothing };
        self.cursor = Some((look.clone(), most, (self.sent[*last].entered, *last)));
        Answer::Listed(found, left as u64)
    }

    fn fetch(&mut self, look: &Look, most: u32, after: Option<(i64, usize)>) -> Answer {
        let Some(place) = self.fitting(look, after).first().copied() else { return Answer::Code(9070) };
        let it = &mut self.sent[place];
        it.is_fetched = true;
        it.expires = it.expires.max(self.now + IDLE);
        let key = (it.entered, place);
        self.last = place;
        self.cursor = Some((look.clone(), most, key));
        Answer::Listed(vec![place], self.fitting(look, Some(key)).len() as u64)
    }

    fn close(&mut self, places: &[usize]) -> Answer {
        let is_known =
            |it: &Sent| it.stage == Stage::Closed || (it.stage == Stage::Open && it.entered <= self.now);
        if !places.iter().all(|place| self.sent.get(place % self.sent.len().max(1)).is_some_and(is_known)) {
            return Answer::Code(9070);
        }
        for place in places {
            let place = place % self.sent.len();
            self.sent[place].stage = Stage::Closed;
        }
        Answer::Code(0)
    }

    fn cancel(&mut self, place: usize) -> Answer {
        let it = &mut self.sent[place];
        if !it.early {
            return Answer::Code(9101);
        }
        if it.entered <= self.now {
            return Answer::Code(9100);
        }
        it.stage = Stage::Returned;
        Answer::Code(0)
    }

    /// The selector as it is meant now: places are counted round.
    fn meant(&self, look: &Look) -> Look {
        let ids = look.ids.iter().map(|place| place % self.sent.len().max(1)).collect();
        Look { ids, ..look.clone() }
    }

    fn answer(&mut self, act: &Act) -> Answer {
        let count = self.sent.len().max(1);
        match act {
            Act::Send { early, answers } => {
                let entered = self.now + early;
                let (early, expires) = (*early > 0, entered + WAITS);
                let stage = Stage::Open;
                self.sent.push(Sent { early, entered, expires, answers: *answers, is_fetched: false, stage });
                Answer::Code(0)
            }
            Act::List(look, most) => self.list(&self.meant(look), *most, None),
            Act::Fetch(look) => self.fetch(&self.meant(look), 100, None),
            Act::Close(places) => self.close(places),
            Act::Wait(hours) => {
                self.now += hours;
                Answer::Code(0)
            }
            Act::Expire => {
                let now = self.now;
                let is_late = |it: &&mut Sent| it.stage == Stage::Open && it.expires <= now;
                self.sent.iter_mut().filter(is_late).for_each(|it| it.stage = Stage::Returned);
                Answer::Code(0)
            }
            Act::ListOn => match self.cursor.clone() {
                Some((look, most, after)) => self.list(&look, most, Some(after)),
                None => Answer::Nothing,
            },
            Act::FetchOn { closing } => {
                // With an iterator that is none, nothing is closed.
                let Some((look, most, after)) = self.cursor.clone() else { return Answer::Code(9070) };
                if *closing && self.close(&[self.last]) != Answer::Code(0) {
                    return Answer::Code(9070);
                }
                self.fetch(&look, most, Some(after))
            }
            Act::Again(_) | Act::Cancel(_) | Act::Status(_) if self.sent.is_empty() => Answer::Nothing,
            Act::Again(_) => Answer::Code(9024),
            Act::Cancel(place) => self.cancel(place % count),
            Act::Status(place) => Answer::Status(match self.sent[place % count].stage {
                Stage::Open => Status::Open,
                Stage::Closed => Status::Green,
                Stage::Returned => Status::Red,
            }),
        }
    }
}

/// The same acts on real message boxes.
struct Real<'a> {
    bed: &'a Bed,
    began: Timestamp,
    ids: Vec<String>,
    iterator: Option<String>,
    last: usize,
}

impl Real<'_> {
    fn at(&self, hour: i64) -> Timestamp {
        Timestamp::from_micros(self.began.micros() + hour * HOUR.as_micros() as i64)
    }

    fn id(&self, place: usize) -> String {
        match self.ids.len() {
            0 => "urn:none".into(),
            count => self.ids[place % count].clone(),
        }
    }

    fn selector(&self, look: &Look) -> Selector {
        Selector {
            message_ids: look.ids.iter().map(|place| self.id(*place)).collect(),
            relates_to: look.answers.iter().map(|number| format!("urn:X:{number}")).collect(),
            from: look.from.and_then(|hour| written(self.at(hour))),
            to: look.until.and_then(|hour| written(self.at(hour))),
            is_new: look.is_new.then_some(true),
        }
    }

    fn place(&self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).unwrap()
    }

    fn listed(&mut self, listed: Listed) -> Answer {
        let Rest::Pending(left) = listed.position.rest else { return Answer::Nothing };
        let places = ids(&listed).iter().map(|id| self.place(id)).collect();
        self.iterator = Some(listed.position.iterator);
        Answer::Listed(places, left)
    }

    fn fetched(&mut self, fetched: Result<Fetched>) -> Answer {
        let fetched = match fetched {
            Ok(fetched) => fetched,
            refused => return Answer::Code(code(refused)),
        };
        assert_eq!(bytes(&fetched, 0), b"Guten Tag");
        self.last = self.place(&fetched.meta.message_id);
        self.iterator = Some(fetched.position.iterator);
        Answer::Listed(vec![self.last], pending(fetched.position.rest))
    }

    fn answer(&mut self, act: &Act) -> Answer {
        let (bed, boxes, reader) = (self.bed, &self.bed.boxes, reader());
        match act {
            Act::Send { early, answers } => {
                let at = bed.in_hours(*early as u32);
                let id = bed.send(|meta| {
                    meta.in_reply_to = vec![format!("urn:x:{answers}")];
                    meta.delivery.not_before = written(at).filter(|_| *early > 0);
                });
                self.ids.push(id);
                Answer::Code(0)
            }
            Act::List(look, most) => {
                let listed = boxes.list(&reader, &self.selector(look), Some(*most)).unwrap();
                self.listed(listed)
            }
            Act::ListOn => match self.iterator.clone() {
                Some(iterator) => self.listed(boxes.list_on(&reader, &iterator).unwrap()),
                None => Answer::Nothing,
            },
            Act::Fetch(look) => {
                let fetched = boxes.fetch(&reader, &self.selector(look));
                self.fetched(fetched)
            }
            Act::FetchOn { closing } => {
                let received: Vec<String> = closing.then(|| self.id(self.last)).into_iter().collect();
                let iterator = self.iterator.clone().unwrap_or_else(|| "1".into());
                self.fetched(boxes.fetch_on(&reader, &iterator, &received))
            }
            Act::Close(places) => {
                let ids: Vec<String> = places.iter().map(|place| self.id(*place)).collect();
                Answer::Code(code(boxes.close(&reader, &ids, "1")))
            }
            Act::Again(_) | Act::Cancel(_) | Act::Status(_) if self.ids.is_empty() => Answer::Nothing,
            Act::Again(place) => Answer::Code(code(bed.try_send(&self.id(*place), |_| ()))),
            Act::Cancel(place) => Answer::Code(code(boxes.cancel(&account(AUTHOR), &self.id(*place)))),
            Act::Status(place) => Answer::Status(bed.status(&self.id(*place))),
            Act::Wait(hours) => {
                bed.clock.advance(HOUR * *hours as u32);
                Answer::Code(0)
            }
            Act::Expire => {
                bed.wait(bed.gateway.broker.expire_due());
                Answer::Code(0)
            }
        }
    }
}

fn looks() -> impl Strategy<Value = Look> {
    let ids = prop_oneof![3 => Just(vec![]), 1 => proptest::collection::vec(0..8_usize, 1..4)];
    let hour = || proptest::option::weighted(0.2, 0..12_i64);
    let answers = proptest::option::weighted(0.3, 0..3_u8);
    (ids, answers, hour(), hour(), any::<bool>()).prop_map(|(ids, answers, from, until, is_new)| Look {
        ids,
        answers,
        from,
        until,
        is_new,
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let early = prop_oneof![3 => Just(0), 1 => 1..6_i64];
    let act = prop_oneof![
        6 => (early, 0..3_u8).prop_map(|(early, answers)| Act::Send { early, answers }),
        1 => (0..8_usize).prop_map(Act::Again),
        3 => (looks(), 1..4_u32).prop_map(|(look, most)| Act::List(look, most)),
        3 => Just(Act::ListOn),
        3 => looks().prop_map(Act::Fetch),
        2 => any::<bool>().prop_map(|closing| Act::FetchOn { closing }),
        2 => proptest::collection::vec(0..8_usize, 1..3).prop_map(Act::Close),
        1 => (0..8_usize).prop_map(Act::Cancel),
        2 => (0..8_usize).prop_map(Act::Status),
        2 => (1..5_i64).prop_map(Act::Wait),
        1 => Just(Act::Expire),
    ];
    proptest::collection::vec(act, 1..25)
}

fn play(bed: &Bed, acts: &[Act]) {
    let mut model = Model::default();
    let mut real = Real { bed, began: bed.clock.now(), ids: vec![], iterator: None, last: 0 };
    for (number, act) in acts.iter().enumerate() {
        let wanted = model.answer(act);
        assert_eq!(real.answer(act), wanted, "act {number}: {act:?}");
    }
    // Nothing is left in the box for the next run.
    bed.clock.advance(HOUR * 100);
    bed.wait(bed.gateway.broker.expire_due());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_the_message_boxes_answer_as_the_model_does() {
    on_beds(|bed| {
        proptest!(ProptestConfig::with_cases(60), |(acts in acts())| {
            play(bed, &acts);
        });
    })
    .await;
}
