//! Other sides that hang, lie, stop in the middle, or ask for what is not theirs end in the right kind.

use conformance::simulate::camunda::{Fault, Simulator};
use model::adapter::Adapter;
use model::testkit::a_case;
use model::{EventKind, FailureKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::desk::Desk;
use crate::support::{engine, told, workflow};

async fn start_at(engine: &Simulator) -> (FailureKind, String) {
    let delivery = told(EventKind::RecordCreated, &a_case("Neubau"), vec![], vec![]);
    let failure = workflow(&engine.url).deliver(&delivery, &[]).await.unwrap_err();
    (failure.kind, failure.code.into_owned())
}

#[tokio::test]
async fn a_start_ends_in_the_right_kind_whatever_the_engine_does() {
    let engine = engine().await;
    for (fault, only, kind, code) in [
        (Fault::Error, "/start", FailureKind::Transient, "workflow.busy"),
        (Fault::Database, "/start", FailureKind::Uncertain, "workflow.unclear"),
        (Fault::Garbage, "/start", FailureKind::Uncertain, "workflow.garbage"),
        (Fault::Slow, "/start", FailureKind::Uncertain, "workflow.unclear"),
        (Fault::Error, "/process-instance", FailureKind::Transient, "workflow.busy"),
        (Fault::Database, "/process-instance", FailureKind::Transient, "workflow.busy"),
        (Fault::Garbage, "/process-instance", FailureKind::Transient, "workflow.garbage"),
        (Fault::Slow, "/process-instance", FailureKind::Transient, "workflow.unreachable"),
    ] {
        engine.fault(fault, only);
        assert_eq!(start_at(&engine).await, (kind, code.to_owned()), "{fault:?} {only}");
    }
}

#[tokio::test]
async fn a_session_ends_in_passing_trouble() {
    let engine = engine().await;
    let desk = std::sync::Arc::new(Desk::default());
    for fault in [Fault::Error, Fault::Database, Fault::Garbage, Fault::Slow] {
        engine.fault(fault, "");
        let failure = workflow(&engine.url).run(desk.clone()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{fault:?}");
    }
    engine.fault(Fault::Garbage, "");
    assert!(!workflow(&engine.url).check().await.ok);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_tells_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut buffer = [0; 4_096];
            let read = connection.read(&mut buffer).await.unwrap_or(0);
            let asks = buffer[..read].starts_with(b"GET");
            // Questions are answered, the start only by half.
            let answer: &[u8] = match asks {
                true => b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]",
                false => b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":\"8\"",
            };
            let _ = connection.write_all(answer).await;
        }
    });
    let delivery = told(EventKind::RecordCreated, &a_case("Neubau"), vec![], vec![]);
    let failure = workflow(&url).deliver(&delivery, &[]).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Uncertain, "workflow.unclear"));
}

#[tokio::test]
async fn nobody_there_is_passing_trouble() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let delivery = told(EventKind::RecordCreated, &a_case("Neubau"), vec![], vec![]);
    let failure = workflow(&url).deliver(&delivery, &[]).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "workflow.unreachable"));
}
