//! Each recorded request of a real server (Apache OpenCMIS) is put to the simulated one: status, exception and shape of the answer are as
//! recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use conformance::simulate::cmis::Repository;
use model::outbound::ChosenBy;
use net::{Answer, Client, Method, Request};
use serde_json::Value;

use crate::support::client;

struct Recording {
    name: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    status: u16,
    answer: String,
}

fn recordings(folder: &str) -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/cmis").join(folder);
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: ../shared is absent");
        return vec![];
    };
    let mut names: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    names.sort();
    names
        .iter()
        .map(|path| recording(path.file_stem().unwrap().to_str().unwrap(), &std::fs::read(path).unwrap()))
        .collect()
}

fn recording(name: &str, bytes: &[u8]) -> Recording {
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace("\r\n", "\n");
    let (request, response) = text.split_once("\n==== RESPONSE ====\n").unwrap();
    let (head, body) = request.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = Method::from_bytes(first.next().unwrap().as_bytes()).unwrap();
    let path = first.next().unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .filter(|(name, _)| name != "host" && name != "content-length")
        .collect();
    let is_form = headers.iter().any(|(_, value)| value.starts_with("multipart/"));
    let body = body.trim_end_matches('\n');
    let body = if is_form { format!("{}\r\n", body.replace('\n', "\r\n")) } else { body.to_owned() };
    let (head, answer) = response.split_once("\n\n").unwrap_or((response, ""));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Recording {
        name: name.into(),
        method,
        path,
        headers,
        body: body.into_bytes(),
        status,
        answer: answer.trim().to_owned(),
    }
}

async fn put(client: &Client, url: &str, it: &Recording) -> Answer {
    let has_body = !it.body.is_empty();
    let request = Request {
        method: it.method.clone(),
        url: format!("{url}{}", it.path.replace(' ', "%20")),
        chosen_by: ChosenBy::Administrator,
        headers: it.headers.clone(),
        body: has_body.then(|| it.body.clone().into()),
        within: Duration::from_secs(10),
        most_answer: 1 << 22,
    };
    client.send(request).await.unwrap()
}

/// Every place of the recorded answer has to be there; what may be absent (null) may be.
fn shape(recorded: &Value, ours: &Value, at: &str, missing: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Null, _) | (Value::String(_), Value::String(_) | Value::Null) => {}
        (Value::Number(_), Value::Number(_)) | (Value::Bool(_), Value::Bool(_)) => {}
        (Value::Array(recorded), Value::Array(ours)) => {
            if let (Some(recorded), Some(ours)) = (recorded.first(), ours.first()) {
                shape(recorded, ours, &format!("{at}[]"), missing);
            } else if !recorded.is_empty() {
                missing.push(format!("{at} is empty"));
            }
        }
        (Value::Object(recorded), Value::Object(ours)) => {
            for (name, value) in recorded {
                // Properties that another type has.
                match ours.get(name) {
                    Some(known) => shape(value, known, &format!("{at}.{name}"), missing),
                    None => missing.push(format!("{at}.{name}")),
                }
            }
        }
        _ => missing.push(format!("{at}: {ours} instead of {recorded}")),
    }
}

fn json(text: &str) -> Value {
    let text = text.strip_prefix("cb(").and_then(|it| it.strip_suffix(");")).unwrap_or(text);
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Puts the document of recording 07, which is the second of its name; the first one was not recorded.
fn first_of(second: &Recording) -> Recording {
    Recording {
        name: "06".into(),
        body: second.body.clone(),
        headers: second.headers.clone(),
        path: second.path.clone(),
        method: second.method.clone(),
        status: 201,
        answer: String::new(),
    }
}

#[tokio::test]
async fn the_browser_binding_answers_as_recorded() {
    let repository = Repository::start().await.unwrap();
    let client = client(Duration::from_secs(5));
    for it in recordings("wire-browser") {
        if it.name.starts_with("07-") {
            assert_eq!(put(&client, &repository.url, &first_of(&it)).await.status, 201);
        }
        if it.name.starts_with("19-") {
            let fields = "cmisaction=checkIn&objectId=141&checkinComment=Zweite+Fassung&succinct=true";
            let check_in = Recording {
                name: "18".into(),
                body: fields.into(),
                headers: with_form(&it),
                path: "/inmemory/browser/A1/root".into(),
                method: Method::POST,
                status: 201,
                answer: String::new(),
            };
            assert_eq!(put(&client, &repository.url, &check_in).await.status, 201);
        }
        let answer = put(&client, &repository.url, &it).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, it.status, "{}: {text}", it.name);
        if it.name.starts_with("13-") {
            assert_eq!(
                answer.body,
                "Grü".as_bytes().iter().chain(b"\xc3").copied().take(5).collect::<Vec<_>>()[..5].to_vec()
            );
            continue;
        }
        let (recorded, ours) = (json(&it.answer), json(text.trim()));
        assert_eq!(ours["exception"], recorded["exception"], "{}", it.name);
        if it.status >= 400 {
            continue;
        }
        let mut missing = vec![];
        shape(&recorded, &ours, "", &mut missing);
        assert!(missing.is_empty(), "{}: {missing:?}", it.name);
    }
}

fn with_form(it: &Recording) -> Vec<(String, String)> {
    let form = ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=UTF-8".to_owned());
    it.headers.iter().filter(|(name, _)| name != "content-type").cloned().chain([form]).collect()
}

/// The paths of all elements, with what tells links and properties apart.
fn paths(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut reader = xml::Reader::new(text.as_bytes(), xml::Limits::default());
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open: Vec<String> = vec![];
    loop {
        match reader.next().unwrap() {
            xml::Event::Start(start) => {
                let told = start.attribute("rel").or(start.attribute("propertyDefinitionId"));
                let told = told.unwrap_or_default().to_owned();
                open.push(start.local().to_owned());
                found.entry(open.join("/")).or_default().insert(told);
            }
            xml::Event::End => _ = open.pop(),
            xml::Event::Text(_) => {}
            xml::Event::Eof => return found,
        }
    }
}

#[tokio::test]
async fn atompub_answers_as_recorded() {
    let repository = Repository::start_on(0, 149).await.unwrap();
    let client = client(Duration::from_secs(5));
    for it in recordings("wire-atompub") {
        if it.name.starts_with("04-") {
            let entry = "<entry xmlns=\"http://www.w3.org/2005/Atom\" xmlns:cmis=\"http://docs.oasis-open.org/ns/cmis/core/200908/\" xmlns:cmisra=\"http://docs.oasis-open.org/ns/cmis/restatom/200908/\"><title>brief.txt</title><cmisra:content><cmisra:mediatype>text/plain</cmisra:mediatype><cmisra:base64>SGFsbG8gV2VsdA==</cmisra:base64></cmisra:content><cmisra:object><cmis:properties><cmis:propertyId propertyDefinitionId=\"cmis:objectTypeId\"><cmis:value>VersionableType</cmis:value></cmis:propertyId></cmis:properties></cmisra:object></entry>";
            let create = Recording {
                name: "03".into(),
                body: entry.into(),
                headers: it.headers.clone(),
                path: "/inmemory/atom11/A1/children?id=149".into(),
                method: Method::POST,
                status: 201,
                answer: String::new(),
            };
            assert_eq!(put(&client, &repository.url, &create).await.status, 201);
        }
        if it.name.starts_with("13-") {
            let entry = "<entry xmlns=\"http://www.w3.org/2005/Atom\"><title>brief.txt</title></entry>";
            let check_in = Recording {
                name: "12".into(),
                body: entry.into(),
                headers: it.headers.clone(),
                path: "/inmemory/atom11/A1/entry?id=152&checkin=true&checkinComment=fertig".into(),
                method: Method::PUT,
                status: 200,
                answer: String::new(),
            };
            assert_eq!(put(&client, &repository.url, &check_in).await.status, 200);
        }
        let answer = put(&client, &repository.url, &it).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, it.status, "{}: {text}", it.name);
        if it.status >= 400 {
            let named = |text: &str| {
                text.split("<!--exception-->").nth(1).unwrap().split("<!--").next().unwrap().to_owned()
            };
            assert_eq!(named(&text), named(&it.answer), "{}", it.name);
        } else if it.answer.starts_with("<?xml") {
            let (recorded, ours) = (paths(&it.answer), paths(&text));
            let lacking: Vec<_> = recorded
                .iter()
                .filter(|(path, told)| {
                    ours.get(*path)
                        .is_none_or(|ours| !told.iter().all(|it| of_samples(it) || ours.contains(it)))
                })
                .filter(|(path, _)| !may_lack(path))
                .collect();
            assert!(lacking.is_empty(), "{}: {lacking:#?}", it.name);
        }
    }
}

/// A property of the types that the recorded server brings for tests, such as `VersionedStringProp`.
fn of_samples(name: &str) -> bool {
    name.ends_with("Prop")
}

/// What the simulated repository does not have: rights, and the types that clients may make.
fn may_lack(path: &str) -> bool {
    [
        "extendedFeature",
        "aclCapability",
        "capabilityCreatablePropertyTypes",
        "capabilityNewTypeSettableAttributes",
        "allowableActions",
        "acl",
        "exampleExtension",
    ]
    .iter()
    .any(|name| path.contains(name))
}
