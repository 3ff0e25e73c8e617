//! Figures over time: what becomes of them when they are thinned.

use model::Timestamp;
use store::FigureRow;

use crate::make::TENANT;
use crate::on_every_engine;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

fn row(series: &str, minute: i64, value: i64) -> FigureRow {
    let (tenant, series) = (TENANT.to_owned(), series.to_owned());
    FigureRow { tenant, series, label: "osci".into(), at: Timestamp::from_micros(minute * MINUTE), value }
}

#[tokio::test]
async fn of_an_hour_stays_the_sum_of_what_was_counted_and_the_first_of_what_was_measured() {
    on_every_engine(|bed| async move {
        let minutes = [60, 61, 119, 120, 121];
        let rows = ["messages.in", "messages.parked"]
            .map(|series| minutes.map(|minute| row(series, minute, minute * 1_000)));
        bed.store.put_figures(&rows.concat()).await.unwrap();
        let (start, end) = (Timestamp::from_micros(0), Timestamp::from_micros(9 * HOUR));
        let values = async |series: &'static str| {
            let found = bed.store.figures(TENANT, series, start, end).await.unwrap();
            found.iter().map(|it| (it.at.micros() / MINUTE, it.value / 1_000)).collect::<Vec<_>>()
        };
        // The second hour is thinned in two steps.
        for until in [121 * MINUTE, 3 * HOUR, 3 * HOUR] {
            bed.store.thin_figures(start, Timestamp::from_micros(until)).await.unwrap();
        }
        assert_eq!(values("messages.in").await, [(60, 240), (120, 241)]);
        assert_eq!(values("messages.parked").await, [(60, 60), (120, 120)]);
    })
    .await;
}
