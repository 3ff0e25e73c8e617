//! Payments against a second account of them (`ledger`), over histories of all that may happen to them in any order and as often: calls of
//! providers that are true, false, repeated and altered, payers who come back, questions, refunds, decisions, providers that fail, lie and
//! change their mind, and a gateway that dies. The ledger is held against the gateway after each step and at the end, when all has settled:
//! never two bookings, never a lost payment, never paid on a call alone.
//!
//! 500 histories, an eighth of them on PostgreSQL, where each takes several times as long. `AMTSBOTE_SEEDS` says how many it is to be instead,
//! half of them on each engine; `AMTSBOTE_SEED` that it is one, on both.

mod acts;
mod bank;
mod calls;
mod cash;
mod desk;
mod judge;
mod ledger;
mod world;

use std::time::Instant;

use acts::{History, Outcome, Step, steps};
use desk::Desk;

use crate::engines::on_every_engine;

/// Histories that one store sees.
const TOGETHER: usize = 25;

/// Tries at making a failing history shorter.
const TRIES: usize = 150;

/// What is boxed nowhere is large in a debug build.
const STACK: usize = 64 << 20;

/// How many histories are under way at the same time, each on stores of its own.
const SIDES: u64 = 2;

#[test]
fn payments_are_what_a_second_account_of_them_says_whatever_happens() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let (share, seeds) = match (number("AMTSBOTE_SEED"), number("AMTSBOTE_SEEDS")) {
        (Some(seed), _) => (1, seed..seed + 1),
        (None, Some(seeds)) => (2, 1..seeds + 1),
        (None, None) => (8, 1..501),
    };
    let begun = Instant::now();
    let side = |side: u64| {
        let mine: Vec<u64> = seeds.clone().filter(|seed| seed / 8 % SIDES == side).collect();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(histories(mine, share));
        };
        std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap()
    };
    let sides: Vec<_> = (0..SIDES).map(side).collect();
    for outcome in sides.into_iter().map(|side| side.join()) {
        outcome.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
    }
    eprintln!("took {} s", begun.elapsed().as_secs());
}

/// Of each `share` histories PostgreSQL has one, and SQLite the others; of one alone, both have it.
async fn histories(seeds: Vec<u64>, share: u64) {
    on_every_engine(move |database| {
        let seeds = seeds.clone();
        async move {
            let is_postgres = database.is_some();
            let mine: Vec<u64> =
                seeds.into_iter().filter(|seed| share == 1 || (seed % share == 0) == is_postgres).collect();
            for (round, some) in mine.chunks(TOGETHER).enumerate() {
                all_agree(database.clone(), round % 2 == 1, some).await;
            }
        }
    })
    .await;
}

async fn all_agree(database: Option<String>, four_eyes: bool, seeds: &[u64]) {
    let mut desk = Desk::open(database.clone(), four_eyes).await;
    for seed in seeds {
        let steps = steps(*seed);
        let Err(error) = history(&mut desk, &steps).await else { continue };
        eprintln!("seed {seed}, four eyes {four_eyes}: {error}; it is made shorter now");
        let (least, last) = shorten(&database, four_eyes, steps, error.clone()).await;
        let list: String = least.iter().map(|step| format!("  {step:?}\n")).collect();
        panic!("seed {seed}, four eyes {four_eyes}: {error}\nas short as it gets: {last}\n{list}");
    }
}

async fn history(desk: &mut Desk, steps: &[Step]) -> Outcome {
    let mut history = History::new(desk);
    for (at, step) in steps.iter().enumerate() {
        let named = |error| format!("step {at} ({step:?}): {error}");
        history.step(*step).await.map_err(named)?;
        history.agrees().await.map_err(named)?;
    }
    history.settles().await
}

/// Leaves steps out for as long as it still fails, each time on a gateway of its own.
async fn shorten(
    database: &Option<String>,
    four_eyes: bool,
    mut steps: Vec<Step>,
    mut error: String,
) -> (Vec<Step>, String) {
    let (mut tries, mut at, mut size) = (0, 0, steps.len() / 2);
    while size > 0 && tries < TRIES {
        if at >= steps.len() {
            (at, size) = (0, size / 2);
            continue;
        }
        let mut fewer = steps.clone();
        fewer.drain(at..(at + size).min(steps.len()));
        let mut desk = Desk::open(database.clone(), four_eyes).await;
        tries += 1;
        match history(&mut desk, &fewer).await {
            Err(other) => (steps, error) = (fewer, other),
            Ok(()) => at += size,
        }
    }
    (steps, error)
}
