//! Malformed messages and containers: each is found out by the dry run, and taken in and returned with the
//! same findings on the real path. None gets a 5xx, and memory does not grow with them.

use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway, memory};
use crate::inputs::{Entry, Sound, zip};

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
    let many = (0..25_000).map(|n| Entry::stored(format!("{n}.pdf"), b"")).collect();
    let evil = b"<a xmlns='urn:x'/>".to_vec();
    vec![
        ("nothing known", evil, "message.unknown"),
        ("random bytes", (0..5_000_u32).map(|n| (n * 7_919 % 256) as u8).collect(), "message.unknown"),
        ("only a ZIP's end", zip(&[]), "message.unknown"),
        ("a truncated container", cut, "container.broken"),
        ("a container with a tail", [whole.clone(), vec![0; 100]].concat(), "container.extra-data"),
        ("a container with a head", [vec![0; 100], whole].concat(), "message.unknown"),
        ("zip slip", sound.and(vec![Entry::stored("../../etc/passwd", b"x")]), "container.path"),
        ("zip slip by backslash", sound.and(vec![Entry::stored("..\\..\\x", b"x")]), "container.path"),
        ("an absolute path", sound.and(vec![Entry::stored("/etc/passwd", b"x")]), "container.path"),
        ("NUL in a name", sound.and(vec![Entry::stored(b"a\0.pdf".to_vec(), b"x")]), "container.name"),
        ("an empty name", sound.and(vec![Entry::stored("", b"x")]), "container.name"),
        (
            "a name that is no text",
            sound.and(vec![Entry::stored(vec![0xff, 0xfe, 0x80], b"x").with_flags(0x800)]),
            "container.name-encoding",
        ),
        ("a name twice", sound.and(vec![message(&sound.xml_name)]), "container.duplicate-name"),
        (
            "two messages",
            sound.and(vec![message("0190a6a0-0000-7000-8000-000000000000_Abgabe.Abgabe.0401.xml")]),
            "container.several-messages",
        ),
        ("a bomb", sound.and(vec![Entry::bomb("bomb.pdf", 100)]), "container.ratio"),
        ("a bomb as the message", zip(&[Entry::bomb(&sound.xml_name, 100)]), "container.ratio"),
        ("25,000 parts", sound.and(many), "container.too-many-files"),
        (
            "an encrypted entry",
            sound.and(vec![Entry::stored("a.pdf", b"x").with_flags(1)]),
            "container.encrypted",
        ),
        ("a wrong checksum", sound.and(vec![Entry::stored("a.pdf", b"x").with_crc(1)]), "container.checksum"),
        (
            "a wrong size",
            sound.and(vec![Entry::deflated("a.pdf", b"xxxx").with_size(2)]),
            "container.checksum",
        ),
        (
            "an unknown method",
            sound.and(vec![Entry::stored("a.pdf", b"x").with_method(12)]),
            "container.method",
        ),
        (
            "a file that is missing",
            zip(&[Entry::deflated(sound.xml_name.as_str(), sound.xml.as_bytes())]),
            "xdomea.file-missing",
        ),
        ("a container without a message", zip(&[Entry::stored("a.pdf", b"%PDF")]), "message.unknown"),
        ("a container in a container", zip(&[Entry::stored("a.zip", &sound.and(vec![]))]), "message.unknown"),
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
        ("an unknown entity", sound.filled("&e;"), "xml.entity"),
        ("deep XML", sound.filled(&deep(50_000)), "xml.limit"),
        (
            "many attributes",
            sound.filled(&format!("<a {}/>", (0..10_000).map(|n| format!("a{n}='' ")).collect::<String>())),
            "xml.limit",
        ),
        ("a long name", sound.filled(&format!("<{}/>", "a".repeat(1 << 20))), "container.ratio"),
        ("an unclosed element", sound.filled("<a>"), "xml.syntax"),
        ("an attribute twice", sound.filled("<a b='' b=''/>"), "xml.syntax"),
        ("an unbound prefix", sound.filled("<x:a/>"), "xml.namespace"),
        ("NUL in the message", sound.filled("\0"), "xml.character"),
        ("a character reference to NUL", sound.filled("<a>&#0;</a>"), "xml.character"),
        (
            "UTF-8 that is none",
            sound.with_xml([sound.xml.as_bytes(), b"<!-- \xff\xfe -->"].concat()),
            "xml.encoding",
        ),
        (
            "UTF-16",
            sound.with_xml(
                [&[0xff, 0xfe][..], &sound.xml.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
                    .concat(),
            ),
            "xml.encoding",
        ),
        ("another encoding", sound.replaced("UTF-8", "ISO-8859-1"), "xml.encoding"),
        ("an id twice", sound.with_xml(with_one_id(&sound.xml)), "xdomea.uuid-twice"),
        ("two roots", sound.with_xml(format!("{}<b/>", sound.xml)), "xml.syntax"),
        ("text behind the root", sound.with_xml(format!("{}x", sound.xml)), "xml.syntax"),
        ("an empty message", sound.with_xml(""), "xml.syntax"),
        (
            "a truncated message",
            sound.with_xml(&sound.xml.as_bytes()[..sound.xml.len() / 2]),
            "xml.truncated",
        ),
        ("an unknown version", sound.replaced("schema:3.1.0", "schema:9.9.0"), "xdomea.version-unsupported"),
        (
            "an unknown type",
            sound.replaced("Abgabe.Abgabe.0401", "Abgabe.Abgabe.0499"),
            "xdomea.type-unsupported",
        ),
        ("a foreign element", sound.filled("<fremd xmlns='urn:fremd'/>"), "xsd.1871"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_come_back_with_findings() {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "63", "*", ALL_ROLES).await;
    let sound = Sound::made(&gateway, &there).await;
    let whole = gateway.call(&token, post("/checks", &sound, sound.and(vec![]))).await.is(200).json();
    assert_eq!(whole["acceptable"], true, "the sound container is sound: {whole}");

    println!("{} {}\n{}", sound.file_name, sound.xml_name, &sound.xml[..1500]);
    let table = messages(&sound);
    let before = memory();
    let count = table.len();
    let mut wrong = vec![];
    for (name, bytes, rule) in table {
        let checked = gateway.call(&token, post("/checks", &sound, bytes.clone())).await.is(200).json();
        let rules: Vec<String> = checked["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect();
        // Whoever reads it knows what is wrong, where, and whose turn it is (peers' dead letters say none of it).
        let explains = |f: &Value| {
            let found_in_xml =
                ["xml.", "xsd."].iter().any(|room| f["rule"].as_str().unwrap().starts_with(room));
            let placed = !found_in_xml || f["line"].is_u64();
            f["en"].is_string() && f["de"].is_string() && f["side"] == "sender" && placed
        };
        let explained = checked["findings"].as_array().unwrap().iter().all(explains);
        if checked["acceptable"] == true || !rules.iter().any(|found| found == rule) || !explained {
            wrong.push(format!("{name}: {rules:?}, not {rule}, or not explained: {checked}"));
            continue;
        }
        let taken = gateway.call(&token, post("/messages", &sound, bytes)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_files_that_nothing_names_are_taken_with_warnings() {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let there = gateway.token("lippstadt", "63", "*", ALL_ROLES).await;
    let sound = Sound::made(&gateway, &there).await;
    let parts = || (0..10_000).map(|n| Entry::stored(format!("{n}.pdf"), b"%PDF")).collect();
    let before = memory();
    let checked = gateway.call(&token, post("/checks", &sound, sound.and(parts()))).await.is(200).json();
    // What the sound message is told of anyway.
    let rules =
        checked["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap());
    let others: Vec<&str> = rules.filter(|rule| *rule != "xdomea.file-extra").collect();
    assert_eq!(others, ["xdomea.disposal-absent"]);
    assert_eq!((&checked["acceptable"], &checked["more"]), (&json!(true), &json!(9_001)));
    let grown = memory().saturating_sub(before);
    assert!(grown < 32, "memory grew by {grown} MiB in the dry run");
    let taken = gateway.call(&token, post("/messages", &sound, sound.and(parts()))).await.is(202);
    let path = taken.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    let ended = gateway.until(&token, &path, |message| message["state"] != "accepted").await;
    assert_eq!(ended["state"], "processed");
    let grown = memory().saturating_sub(before);
    assert!(grown < 48, "memory grew by {grown} MiB");
    workers.stop().await;
}

fn post(path: &str, sound: &Sound, bytes: Vec<u8>) -> Call {
    let path = format!("{path}?fileName={}", sound.file_name);
    Call::post(&path).with("content-type", "application/zip").bytes(bytes)
}

/// The message with the id of its first object in all of them.
fn with_one_id(xml: &str) -> String {
    let (open, close) = ("<xdomea:ID>", "</xdomea:ID>");
    let first = xml.split(open).nth(1).and_then(|rest| rest.split(close).next()).unwrap();
    let parts = xml.split(open).enumerate().map(|(index, part)| match (index, part.split_once(close)) {
        (1.., Some((_, rest))) => format!("{open}{first}{close}{rest}"),
        _ => part.to_owned(),
    });
    parts.collect()
}
