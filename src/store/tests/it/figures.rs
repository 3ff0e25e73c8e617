//! Figures become hourly without a message getting lost, and of two nodes that write of the same alert one does.

use std::time::Duration;

use model::Timestamp;
use store::{AlertRow, FigureRow};

use crate::make::TENANT;
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
            value,
        };
        let mut rows = vec![];
        for (minute, value) in [(1, 5), (2, 9), (59, 1), (61, 4), (62, 2)] {
            rows.extend([row("messages.in", minute, value), row("messages.oldest", minute, value)]);
        }
        bed.store.put_figures(&rows).await.unwrap();
        // In the middle of the second hour, and again at its end.
        for minutes in [62, 120] {
            bed.store.thin_figures(Timestamp::from_micros(0), begin.plus(MINUTE * minutes)).await.unwrap();
        }
        let values = async |series: &str| {
            let rows = bed.store.figures(TENANT, series, begin, begin.plus(HOUR * 9)).await.unwrap();
            rows.iter().map(|row| row.value).collect::<Vec<_>>()
        };
        assert_eq!((values("messages.in").await, values("messages.oldest").await), (vec![15, 6], vec![9, 4]));
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
