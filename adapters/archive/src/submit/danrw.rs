//! DA NRW: packages are dropped into a folder, and the web application says what became of them (DNSCore, `status/index`).

use model::Failure;
use serde::Deserialize;

use super::http::Http;
use crate::codes::garbage;

/// What the archive says of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing: it is not there yet, or was never.
    Unknown,
    /// It is worked on; the number of its state.
    Working(i64),
    /// It is archived, under this URN or identifier.
    Archived(String),
    /// It is refused by a fault of the package; the number of its state.
    Refused(i64),
}

#[derive(Deserialize)]
struct Answer {
    result: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    orig_name: String,
    #[serde(default)]
    urn: Option<String>,
    #[serde(default)]
    identifier: Option<String>,
    #[serde(default)]
    status_int: Option<serde_json::Value>,
}

/// Asks for the package that we call so.
pub(crate) async fn status(http: &Http, url: &str, name: &str) -> Result<Status, Failure> {
    // Names are ours: letters, digits and hyphens.
    let answer = http.get(&format!("{}/status/index?origName={name}", url.trim_end_matches('/'))).await?;
    read(&answer, name).ok_or_else(|| garbage(false))
}

fn read(answer: &[u8], name: &str) -> Option<Status> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let mut status = Status::Unknown;
    for entry in answer.result.iter().filter(|entry| entry.orig_name == name) {
        // Numbers come as such, or as texts.
        let number = match entry.status_int.as_ref()? {
            serde_json::Value::Number(number) => number.as_i64()?,
            serde_json::Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        let of_entry = match number {
            100 => {
                let called = entry.urn.iter().chain(&entry.identifier).find(|text| is_name(text))?;
                Status::Archived(called.clone())
            }
            // DNSCore: states that end in 4 are faults of who delivers.
            refused if refused % 10 == 4 => Status::Refused(refused),
            working => Status::Working(working),
        };
        // An object that is archived counts more than an entry of the queue that is left over.
        if !matches!(status, Status::Archived(_)) {
            status = of_entry;
        }
    }
    Some(status)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &str) -> Option<Status> {
        read(format!(r#"{{"result":[{entries}]}}"#).as_bytes(), "amtsbote-1")
    }

    #[test]
    fn what_became_of_a_package_is_told_by_the_number_of_its_state() {
        let entry = |number: &str, urn: &str| {
            format!(r#"{{"type":"Object","origName":"amtsbote-1","statusInt":{number},"urn":{urn}}}"#)
        };
        assert_eq!(of(""), Some(Status::Unknown));
        assert_eq!(
            of(&entry("100", "\"urn:nbn:de:danrw-1\"")),
            Some(Status::Archived("urn:nbn:de:danrw-1".into()))
        );
        assert_eq!(of(&entry("\"50\"", "null")), Some(Status::Working(50)));
        assert_eq!(of(&entry("114", "null")), Some(Status::Refused(114)));
        assert_eq!(of(&entry("100", "null")), None, "what is archived has a name");
        let both = format!("{},{}", entry("100", "\"urn:1\""), entry("114", "null"));
        assert_eq!(of(&both), Some(Status::Archived("urn:1".into())));
        assert_eq!(of(r#"{"origName":"other","statusInt":100,"urn":"x"}"#), Some(Status::Unknown));
        assert_eq!(read(b"<html>", "x"), None);
    }
}
