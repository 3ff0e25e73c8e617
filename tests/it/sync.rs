//! Acknowledged means durable, seen by the system calls of the running gateway.

use std::path::Path;

#[tokio::test]
async fn every_2xx_leaves_after_log_payload_and_folder_are_synced() {
    let judged = conformance::sync::run(Path::new(env!("CARGO_BIN_EXE_amtsbote"))).await.unwrap();
    let early: Vec<_> = judged.iter().filter(|answer| !answer.problems.is_empty()).collect();
    assert!(early.is_empty(), "{early:#?}");
    for door in ["PUT /api/v1/documents", "POST /api/v1/messages"] {
        let with_files = judged.iter().filter(|answer| answer.door.starts_with(door) && answer.files > 0);
        assert!(with_files.count() >= 2, "{door} wrote no payload files: the trace shows nothing");
    }
    assert!(judged.len() >= 25, "only {} writing answers", judged.len());
}
