//! Several nodes on one database: a dialog goes on at whichever node its next order reaches.

use std::os::unix::fs::symlink;
use std::path::Path;

use conformance::gateway::{Engine, Gateway};
use serde_json::json;

use super::{Bed, Python, codes, port};

impl Bed {
    /// Another node on the same database, with the same keys and payloads.
    async fn another_node(&self) -> Bed {
        // Its own database is not used.
        let mut gateway =
            Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), &Engine::Sqlite).await.unwrap();
        let (first, folder, port) = (self.gateway.folder(), gateway.folder().to_owned(), port());
        let config = std::fs::read_to_string(first.join("amtsbote.toml")).unwrap();
        let address = self.url.trim_start_matches("http://").trim_end_matches("/osci");
        let config = config.replacen("node = \"gw1\"", "node = \"gw2\"", 1).replacen(
            address,
            &format!("127.0.0.1:{port}"),
            1,
        );
        std::fs::write(folder.join("amtsbote.toml"), config).unwrap();
        std::fs::remove_dir_all(folder.join("data")).unwrap();
        for shared in ["data", "intermed_cipher.p12", "intermed_signature.p12", "pin"] {
            symlink(first.join(shared), folder.join(shared)).unwrap();
        }
        gateway.start().await.unwrap();
        let url = format!("http://127.0.0.1:{port}/osci");
        Bed { gateway, client: Python::at(&url), url, recipient: self.recipient.clone() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_goes_on_at_another_node() {
    let Ok(engine) = Engine::named("postgres") else {
        return eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server");
    };
    let first = Bed::on(&engine).await;
    let second = first.another_node().await;
    // What the client remembers of its dialog lies at one place, whichever node it speaks with.
    let dialog = first.gateway.folder().join("dialog-of-bob").display().to_string();

    let id = first.issue("alice");
    let stored = second.client("-", &["store", "alice", "bob", &id, "100000"]);
    assert_eq!(codes(&stored), ["0800"], "an id that the other node issued");
    assert_eq!(codes(&first.client(&dialog, &["open", "bob"])), ["0801"]);
    let fetched = second.client(&dialog, &["fetch"]);
    assert_eq!(codes(&fetched), ["0801"], "{fetched}");
    assert_eq!(fetched["attachments"], json!([stored["sent"]]));
    // The next order of the dialog proves at the first node that what the second handed out has arrived.
    let cards = first.client(&dialog, &["cards", &id]);
    assert!(cards["cards"][0]["reception"].is_string(), "{cards}");
    assert_eq!(codes(&second.client(&dialog, &["exit"])), ["0800"]);
    assert_eq!(codes(&first.client(&dialog, &["cards"])), ["9400"], "the dialog is over at every node");

    second.gateway.remove().await.unwrap();
    first.gateway.remove().await.unwrap();
}
