//! Recordings, samples and packs in `../shared`, which stands beside the project on the machines of its makers and of CI.

use std::path::{Path, PathBuf};

/// A file or folder of `../shared`; `None`, with a loud word, if it is not there.
///
/// # Panics
/// If it is not there where `CI` is set: what is never judged must not look well.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(std::env::var_os("CI").is_none(), "../shared/{path} is absent");
    eprintln!("SKIPPED: ../shared/{path} is absent");
    None
}
