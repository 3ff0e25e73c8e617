//! An order, a client that reaches this machine, and fakes on free ports.

use std::sync::Arc;

use axum::Router;
use model::payment::BookingLine;
use model::payment::provider::{Notice, Order};
use model::{SystemClock, Timestamp, ids};
use net::{Client, Egress};

pub(crate) const REQUEST: &str = "0198c0de-0000-7000-8000-000000000001";

pub(crate) fn order() -> Order {
    let at = Timestamp::parse("2026-11-29T12:00:00Z").unwrap();
    Order {
        payment_id: ids::new_id(),
        request_id: REQUEST.into(),
        amount_cents: 2_500,
        purpose: "Gebühr 2026-000123".into(),
        cash_reference: None,
        lines: vec![BookingLine {
            description: "Gebühr".into(),
            amount_cents: 2_500,
            ..BookingLine::default()
        }],
        payer: None,
        notify_url: "https://gw.example/payments/p/notify/abc".into(),
        return_url: "https://gw.example/payments/p/return/abc".into(),
        created_at: at,
        deadline: at,
        due: Some("2026-12-01".into()),
    }
}

pub(crate) fn client() -> Client {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    Client::new(egress, net::Settings::default(), Arc::new(SystemClock))
}

pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub(crate) fn notice(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Notice {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Notice { method: "POST".into(), query: String::new(), headers, body: body.into() }
}
