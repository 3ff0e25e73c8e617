//! Many callbacks at once while the provider's status service is down: each is answered at once and none is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::simulate::payment::{Fault, State};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::till::{Begun, Till, simulator};

const PAYMENTS: usize = 300;
const REPETITIONS: usize = 3;

/// What the requirement says of each answer. It binds a program as it is shipped, alone on its machine; beside other tests none is timed.
const WITHIN: Option<Duration> = if cfg!(debug_assertions) { None } else { Some(Duration::from_secs(1)) };

/// How long the status service is down, in seconds: enough for its lane to be closed, unless the environment names more.
fn down() -> Duration {
    let named = std::env::var("AMTSBOTE_TEST_STATUS_DOWN").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(named.unwrap_or(6))
}

async fn begin_all(till: &Arc<Till>) -> Vec<Begun> {
    let places = Arc::new(Semaphore::new(16));
    let mut beginning = JoinSet::new();
    for _ in 0..PAYMENTS {
        let (till, places) = (Arc::clone(till), Arc::clone(&places));
        beginning.spawn(async move {
            let _place = places.acquire().await.unwrap();
            till.begin("sim-giro", &json!({})).await
        });
    }
    beginning.join_all().await
}

/// How often money was booked, and for how many payments.
async fn booked(till: &Till) -> (usize, usize) {
    let (mut all, mut after) = (vec![], String::new());
    loop {
        let path = format!("/bookings?kind=receipt&account=sim-giro&limit=200{after}");
        let page = till.cashier_get(&path).await;
        let items = page["items"].as_array().unwrap().iter();
        all.extend(items.map(|booking| booking["paymentId"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let receipts = all.len();
    all.sort();
    all.dedup();
    (receipts, all.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_are_answered_at_once_while_nobody_can_be_asked_and_all_of_them_count_later() {
    let provider = simulator().await;
    let till = Arc::new(Till::open("http://127.0.0.1:1", &provider.url).await);
    let begun = begin_all(&till).await;
    provider.fault(Fault::Error);
    let callback = |begun: &Begun| {
        assert!(provider.change(&begun.request_id, |held| held.state = State::Paid));
        till.here(&provider.notification(&begun.request_id).unwrap().url)
    };
    let callbacks: Vec<String> = begun.iter().map(callback).collect();
    let silent = Instant::now();
    let (mut slow, mut slowest) = (0, Duration::ZERO);
    for _ in 0..REPETITIONS {
        let mut calling = JoinSet::new();
        for url in callbacks.clone() {
            let till = Arc::clone(&till);
            calling.spawn(async move {
                let start = Instant::now();
                let answer = till.knock(|client| client.get(url)).await;
                (answer.status().as_u16(), start.elapsed())
            });
        }
        for (status, took) in calling.join_all().await {
            assert_eq!(status, 200);
            slow += usize::from(WITHIN.is_some_and(|within| took > within));
            slowest = slowest.max(took);
        }
    }
    eprintln!("{} callbacks, the slowest answered after {slowest:?}", PAYMENTS * REPETITIONS);
    assert_eq!(slow, 0, "answers that took more than {WITHIN:?}; the slowest took {slowest:?}");
    assert_eq!(booked(&till).await, (0, 0), "nobody said that they are paid");
    tokio::time::sleep(down().saturating_sub(silent.elapsed())).await;
    provider.fault(Fault::None);
    // The lane opens again by itself.
    for _ in 0..600 {
        if booked(&till).await.0 >= PAYMENTS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(booked(&till).await, (PAYMENTS, PAYMENTS));
    let open = till.get("/payments?status=started").await;
    assert_eq!(open["items"], json!([]));
}
