//! Every code that anything in this project can return is explained.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::{EventKind, catalog};

/// Endings of file names, which look like codes otherwise.
const ENDINGS: &[&str] =
    &["xml", "zip", "toml", "json", "jsonl", "md", "db", "key", "pem", "txt", "rs", "sh", "pdf", "xsd"];

/// What a provider says to us in the words of `adapters/payment/openapi.yaml`: theirs, not ours.
const OF_PROVIDERS: &[&str] = &["payment.unknown"];

/// Members of JSON that the command line shows as columns.
const COLUMNS: &[&str] = &["identity.name"];

#[test]
fn every_code_has_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![];
    for folder in ["src", "schemas/src", "adapters", "conformance/src"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 100, "{}", files.len());
    let known: BTreeSet<&str> = catalog::codes().collect();
    let rooms: BTreeSet<&str> = known.iter().filter_map(|code| code.split('.').next()).collect();
    let mut missing = vec![];
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap();
        for literal in literals(program) {
            if looks_like_a_code(literal, &rooms) && !known.contains(literal) {
                missing.push(format!("{literal} in {}", file.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "no page under docs/errors explains: {missing:#?}");
}

#[test]
fn codes_are_written_with_hyphens() {
    let wrong: Vec<&str> = catalog::codes()
        .filter(|code| {
            !code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A room that has pages, a dot, and lower-case words with hyphens.
fn looks_like_a_code(literal: &str, rooms: &BTreeSet<&str>) -> bool {
    let Some((room, name)) = literal.split_once('.') else { return false };
    rooms.contains(room)
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !ENDINGS.contains(&name)
        && !OF_PROVIDERS.contains(&literal)
        && !COLUMNS.contains(&literal)
        && serde_json::from_value::<EventKind>(literal.into()).is_err()
}

/// What stands in quotation marks on each line that is no comment.
fn literals(program: &str) -> impl Iterator<Item = &str> {
    let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// All sources but the one that names columns of tables in the same way, and those that play payment providers.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.ends_with("simulate/payment") {
            continue;
        }
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests" && name != "examples") {
            sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("store/src/sql.rs")
        {
            files.push(path);
        }
    }
}
