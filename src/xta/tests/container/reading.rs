//! Any container is read, bare or as a package, whatever the order of the parts and the pieces that it comes in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use xta::model::{Content, ContentRole};

use crate::{BARE, PACKAGE, Pieces, Seen, contents, package, read};

/// How a content is carried.
#[derive(Debug, Clone)]
enum Carried {
    /// As base64 with white space of this kind after so many letters.
    Inline(usize, &'static str),
    /// As a part; with base64 as its transfer encoding or not; its place among the parts.
    Part(bool, u64),
}

#[derive(Debug, Clone)]
struct Case {
    content: Content,
    bytes: Vec<u8>,
    carried: Carried,
    id: String,
}

fn carried(in_package: bool) -> BoxedStrategy<Carried> {
    let space = prop::sample::select(vec!["", " ", "\n", "\t", "\r\n  "]);
    let inline = (1_usize..90, space).prop_map(|(width, space)| Carried::Inline(width, space));
    let part = (any::<bool>(), any::<u64>()).prop_map(|(encoded, place)| Carried::Part(encoded, place));
    if in_package { prop_oneof![inline, part].boxed() } else { inline.boxed() }
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[ -~äöü€]{0,12}")
}

fn content() -> impl Strategy<Value = Content> {
    let texts = (text(), text(), text(), text(), text(), prop::option::of(any::<u64>()));
    ("[a-z]{1,5}/[a-z]{1,5}", texts).prop_map(|(media_type, texts)| {
        let (description, encoding, file_name, id, language, size) = texts;
        Content {
            role: ContentRole::Message,
            media_type,
            description,
            encoding,
            file_name,
            id,
            language,
            size,
        }
    })
}

fn cases(in_package: bool) -> impl Strategy<Value = Vec<Case>> {
    let bytes =
        prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n-b".to_vec())], 0..400);
    let case = (content(), bytes, carried(in_package), "[a-z%&@+/<ü ]{0,6}");
    prop::collection::vec(case, 1..7).prop_map(|cases| {
        let role = |index| if index == 0 { ContentRole::Message } else { ContentRole::Attachment };
        let numbered = cases.into_iter().enumerate();
        numbered
            .map(|(index, (content, bytes, carried, id))| {
                let id = format!("{index}{}@x", id.replace('<', ""));
                Case { content: Content { role: role(index), ..content }, bytes, carried, id }
            })
            .collect()
    })
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    xml::escape_attribute(text, &mut escaped);
    escaped
}

/// Every byte but letters and digits as an escape.
fn percent(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn element(case: &Case) -> String {
    let it = &case.content;
    let size = it.size.map(|size| size.to_string());
    let attributes = [
        ("contentType", Some(&it.media_type)),
        ("contentDescription", it.description.as_ref()),
        ("encoding", it.encoding.as_ref()),
        ("filename", it.file_name.as_ref()),
        ("id", it.id.as_ref()),
        ("lang", it.language.as_ref()),
        ("size", size.as_ref()),
    ];
    let attributes =
        attributes.into_iter().filter_map(|(name, value)| Some(format!(" {name}=\"{}\"", escape(value?))));
    let inside = match case.carried {
        Carried::Inline(width, space) => {
            let letters = STANDARD.encode(&case.bytes).into_bytes();
            let lines = letters.chunks(width).collect::<Vec<_>>().join(space.as_bytes());
            format!("{space}{}{space}", String::from_utf8(lines).unwrap())
        }
        Carried::Part(..) => format!(" <i:Include href=\"cid:{}\"/>\n", percent(&case.id)),
    };
    let name = if it.role == ContentRole::Message { "Message" } else { "Attachment" };
    format!("<x:{name}{}>{inside}</x:{name}>", attributes.collect::<String>())
}

/// The parts in the order of their places.
fn parts(cases: &[Case]) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    for case in cases {
        let head = format!("Content-ID: <{}>\r\nContent-Transfer-Encoding: ", case.id);
        match case.carried {
            Carried::Inline(..) => {}
            Carried::Part(true, place) => {
                parts.push((place, head + "base64", STANDARD.encode(&case.bytes).into_bytes()));
            }
            Carried::Part(false, place) => parts.push((place, head + "binary", case.bytes.clone())),
        }
    }
    parts.sort_by_key(|(place, ..)| *place);
    parts.into_iter().map(|(_, head, content)| (head, content)).collect()
}

fn expected(cases: &[Case]) -> Vec<Seen> {
    cases.iter().map(|case| (case.content.clone(), case.bytes.clone())).collect()
}

proptest! {
    #[test]
    fn a_bare_container_is_read_byte_for_byte(
        cases in cases(false),
        sizes in prop::collection::vec(1_usize..300, 1..5),
    ) {
        let document = contents(&cases.iter().map(element).collect::<String>());
        let seen = read(BARE, Pieces::new(document.as_bytes(), &sizes)).unwrap();
        prop_assert_eq!(seen, expected(&cases));
    }

    #[test]
    fn a_package_is_read_byte_for_byte_in_any_order_of_its_parts(
        cases in cases(true),
        sizes in prop::collection::vec(1_usize..300, 1..5),
    ) {
        let root = contents(&cases.iter().map(element).collect::<String>());
        let message = package(&root, &parts(&cases));
        let seen = read(PACKAGE, Pieces::new(&message, &sizes)).unwrap();
        prop_assert_eq!(seen, expected(&cases));
    }

    #[test]
    fn a_package_that_was_cut_is_never_taken_for_whole(cases in cases(true), cut in 8_usize..200) {
        let root = contents(&cases.iter().map(element).collect::<String>());
        let message = package(&root, &parts(&cases));
        let cut = message.len().saturating_sub(cut);
        prop_assert!(read(PACKAGE, &message[..cut]).is_err());
    }

    #[test]
    fn rubbish_never_panics(
        cases in cases(true),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let root = contents(&cases.iter().map(element).collect::<String>());
        let mut message = package(&root, &parts(&cases));
        for (place, byte) in places {
            let place = place.index(message.len());
            message[place] = byte;
        }
        let _ = read(PACKAGE, &message[..]);
    }
}
