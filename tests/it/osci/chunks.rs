//! Deliveries in chunks (supplement of 2017) in a whole gateway: what was acknowledged survives its end, and what is fetched
//! in chunks is the same after it.

use conformance::gateway::Engine;
use serde_json::{Value, json};

use super::{Bed, codes};

impl Bed {
    /// Brings chunks of 100 KB of a delivery for Bob, within Alice's dialog.
    fn bring(&self, id: &str, numbers: &[&str]) -> Value {
        let mut arguments = vec!["bring", "bob", id, "1000000", "100"];
        arguments.extend(numbers);
        self.client("alice", &arguments)
    }
}

async fn a_delivery_goes_in_chunks(engine: &Engine) {
    let mut bed = Bed::on(engine).await;
    let id = bed.issue("alice");
    assert_eq!(codes(&bed.client("alice", &["open", "alice"])), ["0801"]);
    let nothing = bed.bring(&id, &["0"]);
    assert_eq!((codes(&nothing), &nothing["chunks"]["ReceivedChunks"]), (vec!["0801"], &json!("-1")));
    let told = bed.bring(&id, &["3", "1", "1", "10"]);
    assert_eq!(codes(&told), ["0801"], "{told}");
    let chunks = json!({ "ChunkNumber": "10", "ReceivedChunks": "1 3 10", "TotalChunkNumbers": "10" });
    assert_eq!((&told["total"], &told["chunks"], &told["inside"]), (&json!(10), &chunks, &json!([])));
    assert_eq!(told["cards"][0]["id"], json!(format!("{id}_Partial")));

    bed.restart().await;
    let asked = bed.bring(&id, &["0"]);
    assert_eq!(asked["chunks"]["ReceivedChunks"], "1 3 10", "what was acknowledged is there");
    assert_eq!(asked["cards"], told["cards"]);
    assert_eq!(codes(&bed.client("bob", &["open", "bob"])), ["0801"]);
    assert_eq!(codes(&bed.client("bob", &["fetch"])), ["9803"], "nothing is there before all of it is");
    let told = bed.bring(&id, &["2", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((codes(&told), &told["inside"]), (vec!["0801"], &json!(["0800"])), "{told}");
    let card = &told["cards"][0];
    assert_eq!(
        (&card["id"], &card["subject"], &card["inspections"]),
        (&json!(id), &json!("Plan in chunks"), &json!(3))
    );
    for number in ["0", "9"] {
        let again = bed.bring(&id, &[number]);
        assert_eq!((&again["inside"], &again["cards"][0]), (&json!(["0800"]), card), "{again}");
    }
    let used = bed.client("-", &["store", "alice", "bob", &id, "10"]);
    assert_eq!(codes(&used), ["9801"]);

    let gathered = bed.client("bob", &["gather", &id, "300"]);
    assert_eq!((codes(&gathered), &gathered["orders"]), (vec!["0801"], &json!(4)), "{gathered}");
    assert_eq!(gathered["inner"], json!([told["sent"]]), "what was sent");
    assert_eq!(gathered["subject"], "Plan in chunks");
    let kinds = ["ControlBlock", "responseToFetchDelivery", "NonIntermediaryCertificates"];
    assert_eq!(gathered["kind"], json!(kinds), "unsigned: the chunks were signed");
    let cards = |bed: &Bed| bed.client("alice", &["cards", &id])["cards"][0].clone();
    let before = cards(&bed);
    assert!(before["forwarding"].is_string() && before["reception"].is_null(), "{before}");
    bed.restart().await;
    let again = bed.client("bob", &["gather", &id, "200"]);
    assert_eq!(
        (&again["orders"], &again["whole"]),
        (&json!(5), &gathered["whole"]),
        "the same after a restart"
    );
    assert!(
        cards(&bed)["reception"].is_string(),
        "the order behind the last chunk shows that all have arrived"
    );
    let fitting = bed.client("bob", &["gather", &id, "2000"]);
    assert_eq!(fitting["attachments"], json!([told["sent"]]));
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_in_chunks_survives_restarts_on_sqlite() {
    a_delivery_goes_in_chunks(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_in_chunks_survives_restarts_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_delivery_goes_in_chunks(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}
