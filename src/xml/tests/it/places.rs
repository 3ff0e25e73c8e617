//! Lines, offsets, depth and paths.
use crate::text::Drip;
use proptest::prelude::*;
use std::io::{BufRead, BufReader};
use xml::{Event, Limits, Position, Reader};

/// Everything that comes, with its place.
fn places(input: impl BufRead) -> Vec<(String, Position)> {
    let mut reader = Reader::new(input, Limits::default());
    let mut places = Vec::new();
    loop {
        let what = match reader.next().unwrap() {
            Event::Start(start) => start.local().to_owned(),
            Event::Text(text) => text.to_owned(),
            Event::End => "/".to_owned(),
            Event::Eof => return places,
        };
        places.push((what, reader.position()));
    }
}

proptest! {
    #[test]
    fn line_ends_and_places_do_not_depend_on_where_reads_end(text in "(\r|\n|\r\n|x|\u{E4}|<b/>){0,40}") {
        let document = format!("<a>{text}</a>\r\n");
        let whole = places(document.as_bytes());
        prop_assert_eq!(&places(BufReader::with_capacity(1, Drip(document.as_bytes()))), &whole);
        let offsets = whole.iter().filter(|(what, _)| what == "b").map(|(_, place)| place.offset);
        let expected = document.match_indices("<b/>").map(|(index, _)| index as u64);
        prop_assert!(offsets.eq(expected));
        let seen: String = whole.iter().filter(|(what, _)| !"/ab".contains(what.as_str())).map(|(what, _)| what.as_str()).collect();
        prop_assert_eq!(seen, text.replace("\r\n", "\n").replace('\r', "\n").replace("<b/>", ""));
    }
}

/// Why a document is refused.
fn refusal(input: impl BufRead) -> Option<String> {
    let mut reader = Reader::new(input, Limits::default());
    loop {
        match reader.next() {
            Ok(Event::Eof) => return None,
            Ok(_) => {}
            Err(error) => return Some(error.to_string()),
        }
    }
}

proptest! {
    #[test]
    fn refusals_name_the_same_line_wherever_reads_end(
        front in "(\r\n|\n| |x|]]>){0,6}",
        text in "(\n|x|]|>|]]>|\u{E4}|<b/>){0,20}",
        back in "(</a>)?(\n|x|]]>|&){0,4}(<|<b|<b c='|<[?]|<[?]x|<[?]xml |<!|<!-|<!-- |<!\\[CDATA\\[|<!x|</)?\u{E4}?\n?",
    ) {
        let document = format!("<?xml version='1.0'?>{front}<a>{text}{back}");
        let whole = refusal(document.as_bytes());
        for size in [1, 3] {
            let pieces = BufReader::with_capacity(size, Drip(document.as_bytes()));
            prop_assert_eq!(&refusal(pieces), &whole);
        }
    }
}

#[test]
fn lines_and_offsets_are_those_of_the_input() {
    let document = "\u{FEFF}<a>\r\n <b>\rx</b>\n<c\n d='1'/></a>";
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    let mut places = Vec::new();
    loop {
        let what = match reader.next().unwrap() {
            Event::Start(start) => start.local().to_owned(),
            Event::Text(_) => "text".to_owned(),
            Event::End => "end".to_owned(),
            Event::Eof => break,
        };
        let Position { line, offset } = reader.position();
        places.push((what, line, offset));
    }
    let places: Vec<_> = places.iter().map(|(what, line, offset)| (what.as_str(), *line, *offset)).collect();
    let expected = [
        ("a", 1, 3),
        ("text", 1, 6),
        ("b", 2, 9),
        ("text", 2, 12),
        ("end", 3, 14),
        ("text", 3, 18),
        ("c", 4, 19),
        ("end", 4, 19),
        ("end", 5, 30),
    ];
    assert_eq!(places, expected);
}

#[test]
fn positions_hold_over_many_pieces() {
    let document = format!("<a>\r\n{}</a>", "<b>text</b>\r\n".repeat(20_000));
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    let mut seen = 0;
    loop {
        match reader.next().unwrap() {
            Event::Start(start) if start.local() == "b" => {
                let expected = Position { line: seen + 2, offset: 5 + seen * 13 };
                assert_eq!(reader.position(), expected);
                seen += 1;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(seen, 20_000);
}

#[test]
fn the_path_counts_siblings_of_the_same_name() {
    let document = "<a><b/><c/><b><d/></b></a>";
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    let mut paths = Vec::new();
    loop {
        match reader.next().unwrap() {
            Event::Start(_) => paths.push((reader.path(), reader.depth())),
            Event::Eof => break,
            _ => {}
        }
    }
    let paths: Vec<_> = paths.iter().map(|(path, depth)| (path.as_str(), *depth)).collect();
    assert_eq!(paths, [("/a", 1), ("/a/b", 2), ("/a/c", 2), ("/a/b[2]", 2), ("/a/b[2]/d", 3)]);
    assert_eq!(reader.path(), "/");
}

#[test]
fn the_path_at_an_end_is_that_of_the_element_that_ends() {
    let mut reader = Reader::new(&b"<a><b></b></a>"[..], Limits::default());
    reader.next().unwrap();
    reader.next().unwrap();
    assert!(matches!(reader.next().unwrap(), Event::End));
    assert_eq!((reader.path(), reader.depth()), ("/a/b".to_owned(), 1));
}

#[test]
fn names_come_with_their_namespaces() {
    let mut reader =
        Reader::new(&b"<p:a xmlns:p='urn:p' xmlns='urn:d' p:x='1' y='2'><b/></p:a>"[..], Limits::default());
    let Event::Start(start) = reader.next().unwrap() else { panic!() };
    assert!(start.is("urn:p", "a"));
    assert_eq!(start.prefix(), Some("p"));
    assert_eq!(start.attribute("y"), Some("2"));
    assert_eq!(start.attribute("x"), None);
    assert_eq!(start.attribute_ns("urn:p", "x"), Some("1"));
    assert_eq!(start.declarations().collect::<Vec<_>>(), [(Some("p"), "urn:p"), (None, "urn:d")]);
    let Event::Start(start) = reader.next().unwrap() else { panic!() };
    assert!(start.is("urn:d", "b"));
}
