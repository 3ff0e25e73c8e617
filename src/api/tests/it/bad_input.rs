//! Malformed requests and containers: each gets a 4xx problem with a stable code, or is taken in and returned
//! with findings. None gets a 5xx, and memory does not grow with them.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway, MOST_BYTES, repr_digest};
use crate::inputs::{Entry, Sound, zip};

/// Resident memory of this process, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1_024
}

/// Requests, each with the status and code it gets.
fn requests(case: &str, document: &str) -> Vec<(&'static str, Call, u16, &'static str)> {
    let new = || Call::post("/cases");
    let raw = |text: &str| new().with("content-type", "application/json").bytes(text.to_owned());
    let put = |query: &str| Call::new("PUT", &format!("/documents/{document}/content{query}"));
    let send = || Call::post("/messages").with("content-type", "application/xml");
    let patch = |body: Value| Call::new("PATCH", &format!("/cases/{case}")).with("if-match", "*").json(body);
    let case_with = |name: &str, value: Value| {
        let mut body = json!({ "unit": "63", "title": "x" });
        body[name] = value;
        new().json(body)
    };
    let body = "api.invalid-body";
    vec![
        ("no JSON", raw("{"), 400, body),
        ("an empty body", raw(""), 400, body),
        ("an array", raw("[]"), 400, body),
        ("two values", raw("{} {}"), 400, body),
        ("a comment", raw("{/* x */}"), 400, body),
        ("a member twice", raw(r#"{"unit": "63", "unit": "70", "title": "x"}"#), 400, body),
        ("a nested member twice", raw(r#"{"unit": "63", "period": {"begin": "a", "begin": "b"}}"#), 400, body),
        ("an unknown member", case_with("owner", json!("x")), 400, body),
        ("an unknown nested member", case_with("period", json!({ "start": "x" })), 400, body),
        ("an id of one's own", case_with("id", json!("x")), 400, body),
        ("another tenant", case_with("tenant", json!("lippstadt")), 400, body),
        ("a status", case_with("status", json!("locked")), 400, body),
        ("extensions", case_with("extensions", json!({ "xdomea": { "a": 1 } })), 400, body),
        ("a wrong type", case_with("title", json!(5)), 400, body),
        ("null", case_with("title", json!(null)), 400, body),
        ("a fraction", case_with("position", json!(1.5)), 400, body),
        ("a negative position", case_with("position", json!(-1)), 400, body),
        ("a huge number", raw(r#"{"position": 123456789012345678901234567890}"#), 400, body),
        ("an exponent", raw(r#"{"position": 1e400}"#), 400, body),
        ("NUL in a text", case_with("title", json!("a\0b")), 400, body),
        ("a control character", case_with("title", json!("a\u{1}b")), 400, body),
        ("a half surrogate", raw(r#"{"unit": "63", "title": "\ud800"}"#), 400, body),
        ("UTF-8 that is none", new().with("content-type", "application/json").bytes(&b"{\"title\": \"\xff\"}"[..]), 400, body),
        ("UTF-16", new().with("content-type", "application/json").bytes(&b"\xff\xfe{\0}\0"[..]), 400, body),
        ("a byte order mark", raw("\u{feff}{}"), 400, body),
        ("deep arrays", raw(&("[".repeat(5_000) + &"]".repeat(5_000))), 400, body),
        ("deep objects", raw(&("{\"a\":".repeat(200) + "1" + &"}".repeat(200))), 400, body),
        ("unclosed depth", raw(&"[".repeat(100_000)), 400, body),
        ("a large body", raw(&format!("{{\"title\": \"{}\"}}", "x".repeat(300_000))), 413, "api.body-too-large"),
        ("a large announced body", raw("{}").with("content-length", "999999999"), 413, "api.body-too-large"),
        ("a shorter body than announced", raw("{}").with("content-length", "50"), 400, "api.body-length"),
        ("a longer body than announced", raw("{\"a\": 1}").with("content-length", "2"), 400, "api.body-length"),
        ("a length that is no number", raw("{}").with("content-length", "two"), 400, "api.invalid-header"),
        ("no media type", new().bytes("{}"), 415, "api.media-type"),
        ("a form", new().with("content-type", "application/x-www-form-urlencoded").bytes("a=b"), 415, "api.media-type"),
        ("a long title", case_with("title", json!("x".repeat(2_001))), 400, "model.invalid"),
        ("a unit that is none", case_with("unit", json!("99")), 422, "broker.unknown-unit"),
        ("a unit of another token", case_with("unit", json!("70")), 403, "model.forbidden"),
        ("a unit with a wildcard", case_with("unit", json!("%")), 422, "broker.unknown-unit"),
        ("another authority", case_with("authority", json!("bab:05974028")), 422, "broker.unknown-authority"),
        ("an authority that is none", case_with("authority", json!("x")), 400, body),
        ("a service with a bar", case_with("publicService", json!("a|b")), 400, "model.invalid"),
        ("classified content", case_with("confidentiality", json!("secret")), 422, "model.classified"),
        ("a level that is none", case_with("confidentiality", json!("cosmic")), 400, body),
        ("a parent that is none", case_with("caseFile", json!(model::ids::new_id())), 404, "model.not-found"),
        ("a parent of another kind", case_with("caseFile", json!(case)), 404, "model.not-found"),
        ("two parents", case_with("caseFile", json!(case)).json(json!({ "unit": "63", "title": "x", "caseFile": case, "parent": case })), 400, "model.invalid"),
        ("a key with a space", raw("{}").with("idempotency-key", "a b"), 400, "api.invalid-header"),
        ("a long key", raw("{}").with("idempotency-key", "k".repeat(256)), 400, "api.invalid-header"),
        ("an empty key", raw("{}").with("idempotency-key", ""), 400, "api.invalid-header"),
        ("two keys", raw("{}").with("idempotency-key", "a").with("idempotency-key", "b"), 400, "api.invalid-header"),
        ("an unknown parameter", Call::get("/cases?owner=x"), 400, "api.invalid-query"),
        ("a parameter twice", Call::get("/cases?limit=1&limit=2"), 400, "api.invalid-query"),
        ("NUL in a parameter", Call::get("/cases?status=%00"), 400, "api.invalid-query"),
        ("a parameter that is no UTF-8", Call::get("/cases?status=%c3%28"), 400, "api.invalid-query"),
        ("a cursor that is none", Call::get("/cases?after=x"), 400, "api.invalid-query"),
        ("a negative number", Call::get("/events?after=-1"), 400, "api.invalid-query"),
        ("a number beyond all", Call::get("/events?after=18446744073709551615"), 400, "api.invalid-query"),
        ("a long wait", Call::get("/events?wait=31"), 400, "api.invalid-query"),
        ("a state that is none", Call::get("/messages?state=lost"), 400, "api.invalid-query"),
        ("an id that is none", Call::get("/cases/1"), 404, "model.not-found"),
        ("an id in braces", Call::get(&format!("/cases/%7B{case}%7D")), 404, "model.not-found"),
        ("an id that is no UTF-8", Call::get("/cases/%ff"), 404, "model.not-found"),
        ("an id with NUL", Call::get("/partners/%00"), 404, "model.not-found"),
        ("an id with a path", Call::get("/partners/..%2f..%2fetc"), 404, "model.not-found"),
        ("SQL", Call::get("/cases?recordReference=%27%20OR%201%3D1%3B--"), 200, ""),
        ("a patch of the id", patch(json!({ "id": model::ids::new_id() })), 400, "model.invalid"),
        ("a patch of the unit", patch(json!({ "unit": "70" })), 400, "model.invalid"),
        ("a patch of what is not there", patch(json!({ "due": "2026-01-01T00:00:00Z" })), 400, body),
        ("a patch that is no object", patch(json!([1])), 400, body),
        ("a patch to a wrong type", patch(json!({ "title": { "x": 1 } })), 400, "model.invalid"),
        ("a patch that removes the title", patch(json!({ "locations": [{ "latitudeMicro": 9_999_999_999_i64 }] })), 400, "model.invalid"),
        ("a body where none belongs", Call::post(&format!("/cases/{case}/close")).json(json!({ "x": 1 })), 400, body),
        ("a name with a path", put("?fileName=..%2Fx").bytes("x"), 400, "api.invalid-query"),
        ("a name with NUL", put("?fileName=a%00b").bytes("x"), 400, "api.invalid-query"),
        ("a long name", put(&format!("?fileName={}", "x".repeat(256))).bytes("x"), 400, "api.invalid-query"),
        ("no name", put("").bytes("x"), 400, "api.invalid-query"),
        ("a media type that is none", put("?fileName=a").with("content-type", "a b").bytes("x"), 415, "api.media-type"),
        ("a digest that is none", put("?fileName=a").with("repr-digest", "sha-256=:x:").bytes("x"), 400, "api.invalid-header"),
        ("another digest", put("?fileName=a").with("repr-digest", repr_digest(b"y")).bytes("x"), 400, "broker.digest-mismatch"),
        ("a message without a body", send(), 400, "api.length-missing"),
        ("a message of another type", Call::post("/messages").with("content-type", "text/html").bytes("x"), 415, "api.media-type"),
        ("a large announced message", send().with("content-length", (MOST_BYTES + 1).to_string()).bytes("x"), 413, "broker.too-large"),
        ("an exchange of nothing", Call::post("/exchanges").json(json!({ "kind": "handover", "to": "bab:05974028", "objects": [] })), 400, "model.invalid"),
        ("an exchange of too much", Call::post("/exchanges").json(json!({ "kind": "handover", "to": "bab:05974028", "objects": vec![case; 1_001] })), 400, "model.invalid"),
        ("an exchange of the same twice", Call::post("/exchanges").json(json!({ "kind": "handover", "to": "bab:05974028", "objects": [case, case] })), 400, "model.invalid"),
        ("an exchange with nobody", Call::post("/exchanges").json(json!({ "kind": "handover", "to": "bab:1", "objects": [case] })), 422, "broker.unknown-authority"),
        ("an exchange in no known version", Call::post("/exchanges").json(json!({ "kind": "handover", "to": "bab:05974028", "objects": [case], "standard": "xdomea", "version": "9" })), 422, "broker.no-common-standard"),
        ("an exchange of no known kind", Call::post("/exchanges").json(json!({ "kind": "gift", "to": "bab:05974028", "objects": [case] })), 400, body),
        ("a lease without end", Call::post("/inbox/leases").json(json!({ "seconds": 99_999 })), 400, "model.invalid"),
        ("a return with odd words", Call::post(&format!("/inbox/{case}/return")).json(json!({ "rule": "a b" })), 400, "model.invalid"),
        ("a time without a zone", Call::post("/tasks").json(json!({ "unit": "63", "title": "x", "kind": "x", "due": "2026-01-01T00:00:00" })), 400, body),
        ("an assignment to nobody", Call::post(&format!("/tasks/{case}/assign")).json(json!({ "assignee": "" })), 400, "model.invalid"),
        ("a role that is none", Call::post("/tokens").json(json!({ "name": "x", "roles": ["king"], "units": "all", "services": "all" })), 400, body),
        ("a partner with an odd id", Call::new("PUT", "/partners/a%20b").json(json!({ "name": "x" })), 400, "model.invalid"),
        ("a method that is none", Call::new("BREW", "/cases"), 405, "api.no-method"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_a_problem_with_a_stable_code() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    let case = gateway.call(&token, Call::post("/cases").json(case)).await.is(201).json();
    let case = case["id"].as_str().unwrap();
    let path = format!("/cases/{case}/documents");
    let document = gateway.call(&token, Call::post(&path).json(json!({ "title": "x" }))).await.is(201).json();
    let table = requests(case, document["id"].as_str().unwrap());
    let before = memory();
    let count = table.len();
    let mut wrong = vec![];
    for (name, call, status, code) in table {
        let answer = gateway.call(&token, call).await;
        let got = if answer.status.is_success() { String::new() } else { answer.code() };
        if (answer.status.as_u16(), got.as_str()) != (status, code) {
            wrong.push(format!("{name}: {} {got}, not {status} {code}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 60, "{count}");
    let grown = memory().saturating_sub(before);
    assert!(grown < 64, "memory grew by {grown} MiB");
    let cases = gateway.call(&token, Call::get("/cases")).await.is(200).json();
    assert_eq!(cases["items"].as_array().unwrap().len(), 1, "nothing of all this came into being");
}

/// Containers and messages, each with the rule that is found among others.
fn messages(sound: &Sound) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let message = |name: &str| Entry::stored(name, sound.xml.as_bytes());
    let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10)))
        .fold("<!DOCTYPE x [<!ENTITY e0 \"ha\">".to_owned(), |all, entity| all + &entity)
        + "]>";
    let whole = sound.and(vec![]);
    let cut = whole[..whole.len() / 2].to_vec();
    let parts = (0..10_000).map(|n| Entry::stored(format!("{n}.pdf"), b"%PDF")).collect();
    let many = (0..25_000).map(|n| Entry::stored(format!("{n}.pdf"), b"")).collect();
    let evil = b"<a xmlns='urn:x'/>".to_vec();
    vec![
        ("nothing known", evil, ""),
        ("random bytes", (0..5_000_u32).map(|n| (n * 7_919 % 256) as u8).collect(), ""),
        ("only a ZIP's end", zip(&[]), ""),
        ("a truncated container", cut, ""),
        ("a container with a tail", [whole.clone(), vec![0; 100]].concat(), ""),
        ("a container with a head", [vec![0; 100], whole].concat(), ""),
        ("zip slip", sound.and(vec![Entry::stored("../../etc/passwd", b"x")]), ""),
        ("zip slip by backslash", sound.and(vec![Entry::stored("..\\..\\x", b"x")]), ""),
        ("an absolute path", sound.and(vec![Entry::stored("/etc/passwd", b"x")]), ""),
        ("NUL in a name", sound.and(vec![Entry::stored(b"a\0.pdf".to_vec(), b"x")]), ""),
        ("an empty name", sound.and(vec![Entry::stored("", b"x")]), ""),
        (
            "a name that is no text",
            sound.and(vec![Entry::stored(vec![0xff, 0xfe, 0x80], b"x").with_flags(0x800)]),
            "",
        ),
        ("a name twice", sound.and(vec![message(&sound.xml_name)]), ""),
        (
            "two messages",
            sound.and(vec![message("0190a6a0-0000-7000-8000-000000000000_Abgabe.Abgabe.0401.xml")]),
            "",
        ),
        ("a bomb", sound.and(vec![Entry::bomb("bomb.pdf", 100)]), ""),
        ("a bomb as the message", zip(&[Entry::bomb(&sound.xml_name, 100)]), ""),
        ("10,000 parts", sound.and(parts), ""),
        ("25,000 parts", sound.and(many), ""),
        ("an encrypted entry", sound.and(vec![Entry::stored("a.pdf", b"x").with_flags(1)]), ""),
        ("a wrong checksum", sound.and(vec![Entry::stored("a.pdf", b"x").with_crc(1)]), ""),
        ("a wrong size", sound.and(vec![Entry::deflated("a.pdf", b"xxxx").with_size(2)]), ""),
        ("an unknown method", sound.and(vec![Entry::stored("a.pdf", b"x").with_method(12)]), ""),
        ("a file that nothing names", sound.and(vec![Entry::stored("fremd.pdf", b"%PDF")]), ""),
        (
            "a file that is missing",
            zip(&[Entry::deflated(sound.xml_name.as_str(), sound.xml.as_bytes())]),
            "",
        ),
        ("a container without a message", zip(&[Entry::stored("a.pdf", b"%PDF")]), ""),
        ("a container in a container", zip(&[Entry::stored("a.zip", &sound.and(vec![]))]), ""),
        ("a DOCTYPE", sound.prefixed("<!DOCTYPE x>"), "xml.doctype"),
        (
            "an external entity",
            sound.prefixed("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"),
            "xml.doctype",
        ),
        (
            "a parameter entity",
            sound.prefixed("<!DOCTYPE x [<!ENTITY % e SYSTEM \"http://127.0.0.1/\"> %e;]>"),
            "xml.doctype",
        ),
        ("a billion laughs", sound.prefixed(&laughs), "xml.doctype"),
        ("an unknown entity", sound.filled("&e;"), ""),
        ("deep XML", sound.filled(&deep(50_000)), ""),
        (
            "many attributes",
            sound.filled(&format!("<a {}/>", (0..10_000).map(|n| format!("a{n}='' ")).collect::<String>())),
            "",
        ),
        ("a long name", sound.filled(&format!("<{}/>", "a".repeat(1 << 20))), ""),
        ("an unclosed element", sound.filled("<a>"), ""),
        ("an attribute twice", sound.filled("<a b='' b=''/>"), ""),
        ("an unbound prefix", sound.filled("<x:a/>"), ""),
        ("NUL in the message", sound.filled("\0"), ""),
        ("a character reference to NUL", sound.filled("<a>&#0;</a>"), ""),
        ("UTF-8 that is none", sound.with_xml([sound.xml.as_bytes(), b"<!-- \xff\xfe -->"].concat()), ""),
        (
            "UTF-16",
            sound.with_xml(
                [&[0xff, 0xfe][..], &sound.xml.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
                    .concat(),
            ),
            "",
        ),
        (
            "another encoding",
            sound.with_xml(
                sound
                    .xml
                    .replace("UTF-8", "ISO-8859-1")
                    .replace("<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"),
            ),
            "",
        ),
        ("two roots", sound.with_xml(format!("{}<b/>", sound.xml)), ""),
        ("text behind the root", sound.with_xml(format!("{}x", sound.xml)), ""),
        ("an empty message", sound.with_xml(""), ""),
        ("a truncated message", sound.with_xml(&sound.xml.as_bytes()[..sound.xml.len() / 2]), ""),
        ("an unknown version", sound.replaced("/3.1.0", "/9.9.0"), ""),
        ("an unknown type", sound.replaced("Abgabe.Abgabe.0401", "Abgabe.Abgabe.0499"), ""),
        ("a foreign element", sound.filled("<fremd xmlns='urn:fremd'/>"), ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_come_back_with_findings() {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "63", "*", ALL_ROLES).await;
    let sound = a_sound_container(&gateway, &there).await;
    let post = |path: &str, bytes: Vec<u8>| {
        Call::post(&format!("{path}?fileName={}", sound.file_name))
            .with("content-type", "application/zip")
            .bytes(bytes)
    };
    let whole = gateway.call(&token, post("/checks", sound.and(vec![]))).await.is(200).json();
    assert_eq!(whole["acceptable"], true, "the sound container is sound: {whole}");

    let table = messages(&sound);
    let before = memory();
    let count = table.len();
    let mut wrong = vec![];
    for (name, bytes, rule) in table {
        let checked = gateway.call(&token, post("/checks", bytes.clone())).await.is(200).json();
        let rules: Vec<String> = checked["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect();
        let explained = checked["findings"].as_array().unwrap().iter().all(|f| f["en"].is_string());
        if checked["acceptable"] == true || !rules.iter().any(|found| found == rule) || !explained {
            wrong.push(format!("{name}: {rules:?}, not {rule}"));
            continue;
        }
        let taken = gateway.call(&token, post("/messages", bytes)).await;
        // The process that the message belongs to is known already, with other bytes.
        if taken.status == 409 {
            assert_eq!(taken.code(), "broker.id-reused");
            continue;
        }
        let path = taken.is(202).header("location").strip_prefix(api::BASE).unwrap().to_owned();
        let ended = gateway.until(&token, &path, |message| message["state"] != "accepted").await;
        assert_eq!(ended["state"], "returned", "{name}");
        assert_eq!(ended["report"]["findings"], checked["findings"], "{name}: the report of the dry run");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 40, "{count}");
    let grown = memory().saturating_sub(before);
    assert!(grown < 96, "memory grew by {grown} MiB");
    workers.stop().await;
}

/// What this gateway itself hands over, fetched from the sender's side.
async fn a_sound_container(gateway: &Gateway, token: &str) -> Sound {
    let file = json!({ "unit": "63", "title": "Neubau eines Carports" });
    let file = gateway.call(token, Call::post("/case-files").json(file)).await.is(201).json();
    let path = format!("/case-files/{}/documents", file["id"].as_str().unwrap());
    let document =
        gateway.call(token, Call::post(&path).json(json!({ "title": "Lageplan" }))).await.is(201).json();
    let path = format!("/documents/{}/content?fileName=Lageplan.pdf", document["id"].as_str().unwrap());
    let upload = Call::new("PUT", &path).with("content-type", "application/pdf").bytes(&b"%PDF-1.7"[..]);
    gateway.call(token, upload).await.is(201);
    let handover = json!({ "kind": "handover", "to": "bab:05978000", "objects": [file["id"]] });
    let exchange = gateway.call(token, Call::post("/exchanges").json(handover)).await.is(202).json();
    let message = format!("/messages/{}", exchange["messages"][0]["id"].as_str().unwrap());
    let sent = gateway.until(token, &message, |message| message["payload"].is_object()).await;
    let content = gateway.call(token, Call::get(&format!("{message}/content"))).await.is(200);
    Sound::read(sent["fileName"].as_str().unwrap(), content.body)
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_at_the_limit_and_memory_stays_flat() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let before = memory();
    for (path, kind, code) in [
        ("/messages", "application/zip", "broker.too-large"),
        ("/checks", "application/zip", "broker.too-large"),
        ("/cases", "application/json", "api.body-too-large"),
    ] {
        let endless =
            futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'['; 64 * 1_024])));
        let request = Request::post(format!("{}{path}", api::BASE))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .body(Body::from_stream(endless))
            .unwrap();
        assert_eq!(gateway.send(request).await.is(413).code(), code);
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 32, "memory grew by {grown} MiB");
}
