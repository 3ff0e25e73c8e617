//! Figures become hourly without a message getting lost, and of two nodes that write of the same alert one does.

use std::time::Duration;

use model::Timestamp;
use store::{AlertRow, Counted, FigureRow, Work};

use crate::make::{self, TENANT};
use crate::on_every_engine;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn values_of_minutes_become_one_of_the_hour() {
    on_every_engine(|bed| async move {
        let begin = Timestamp::from_micros(500_000 * 3_600_000_000);
        let row = |series: &str, minute: u32, value| FigureRow {
            tenant: TENANT.into(),
            series: series.into(),
            label: String::new(),
            at: begin.plus(MINUTE * minute),
            span: 60_000_000,
            value,
        };
        let mut rows = vec![];
        for (minute, value) in [(1, 5), (2, 9), (59, 1), (61, 4), (62, 2)] {
            rows.extend([row("messages.in", minute, value), row("messages.oldest", minute, value)]);
        }
        assert!(bed.store.put_figures(&rows, None).await.unwrap());
        // In the middle of the second hour, and again at its end.
        for minutes in [62, 120] {
            bed.store.thin_figures(Timestamp::from_micros(0), begin.plus(MINUTE * minutes)).await.unwrap();
        }
        let values = async |series: &str| {
            let rows = bed.store.figures(TENANT, series, begin, begin.plus(HOUR * 9)).await.unwrap();
            rows.iter().map(|row| row.value).collect::<Vec<_>>()
        };
        assert_eq!((values("messages.in").await, values("messages.oldest").await), (vec![15, 6], vec![9, 4]));
        let hours = bed.store.figures(TENANT, "messages.in", begin, begin.plus(HOUR * 9)).await.unwrap();
        let spans: Vec<i64> = hours.iter().map(|row| row.span / 60_000_000).collect();
        assert_eq!(spans, [3, 2], "what was counted keeps how long that was");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_follow_each_other_without_a_gap_and_one_of_two_nodes_keeps_what_it_counted() {
    on_every_engine(|bed| async move {
        let message = make::message();
        let mut work = Work::new();
        work.insert_message(&message);
        bed.store.commit(work).await.unwrap();
        let (seconds, nanos) = message.id.get_timestamp().unwrap().to_unix();
        let came = Timestamp::from_micros(seconds as i64 * 1_000_000 + i64::from(nanos / 1_000));
        let count = async |from, until| {
            let counts = bed.store.messages_between(from, until).await.unwrap();
            counts.iter().map(|it| it.3).sum::<u64>()
        };
        // Its own moment is the begin of one span and the end of the other.
        let (before, after) =
            (Timestamp::from_micros(came.micros() - 1_000), came.plus(Duration::from_millis(1)));
        assert_eq!(
            (count(before, came).await, count(came, after).await, count(after, after).await),
            (0, 1, 0)
        );

        let row = |value| FigureRow {
            tenant: TENANT.into(),
            series: "messages.in".into(),
            label: String::new(),
            at: came,
            span: 1_000,
            value,
        };
        assert_eq!(bed.store.counted_until().await.unwrap(), None);
        let first = Counted { after: None, until: came };
        assert!(bed.store.put_figures(&[], Some(first)).await.unwrap());
        assert!(!bed.store.put_figures(&[], Some(first)).await.unwrap(), "another node was first");
        let next = Counted { after: Some(came), until: after };
        assert!(bed.store.put_figures(&[row(1)], Some(next)).await.unwrap());
        assert!(!bed.store.put_figures(&[row(2)], Some(next)).await.unwrap());
        assert_eq!(bed.store.counted_until().await.unwrap(), Some(after));
        let kept = bed.store.figures(TENANT, "messages.in", before, after).await.unwrap();
        assert_eq!(kept, [row(1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_read_an_alert_before_another_wrote_it_writes_nothing() {
    on_every_engine(|bed| async move {
        let mut here = AlertRow {
            rule: "disk".into(),
            tenant: String::new(),
            label: String::new(),
            since: Timestamp::from_micros(1),
            value: 1,
            firing: true,
            told_at: None,
            tried_at: None,
            over_at: None,
            waiting: vec!["a@b.example".into()],
            code: None,
            version: 0,
        };
        let mut there = here.clone();
        assert!(bed.store.put_alert(&mut here).await.unwrap());
        assert!(!bed.store.put_alert(&mut there).await.unwrap(), "both saw it first");
        let mut there = bed.store.alert_rows().await.unwrap().remove(0);
        assert_eq!(there, here);
        here.waiting.clear();
        assert!(bed.store.put_alert(&mut here).await.unwrap());
        assert!(!bed.store.put_alert(&mut there).await.unwrap());
        bed.store.end_alert(&there).await.unwrap();
        assert_eq!(bed.store.alert_rows().await.unwrap(), [here.clone()]);
        bed.store.end_alert(&here).await.unwrap();
        assert!(!bed.store.put_alert(&mut here).await.unwrap(), "it is over");
        assert!(bed.store.alert_rows().await.unwrap().is_empty());
    })
    .await;
}
