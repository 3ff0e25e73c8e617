//! How text is delivered: whole up to the limit, in pieces beyond, wherever the source's reads end.
use crate::{code, trace, trace_with};
use std::io::{self, BufReader, Read};
use xml::{Event, Limits, Reader};

#[test]
fn references_comments_and_cdata_make_one_text() {
    assert_eq!(trace("<a>x<!-- c -->&amp;<![CDATA[<]]><?p?>y</a>").unwrap(), r#"(a"x&<y")"#);
    assert_eq!(trace("<a><![CDATA[]]></a>").unwrap(), "(a)");
    assert_eq!(trace("<a> <b/>\r\n</a>").unwrap(), r#"(a" "(b)"\n")"#);
}

#[test]
fn long_text_comes_in_pieces_of_the_limit() {
    let limits = Limits { text_bytes: 10, ..Limits::default() };
    assert_eq!(trace_with(b"<a>0123456789</a>", limits).unwrap(), r#"(a"0123456789")"#);
    assert_eq!(trace_with(b"<a>0123456789x</a>", limits).unwrap(), r#"(a"0123456789""x")"#);
    assert_eq!(
        trace_with("<a>012345678\u{E4}</a>".as_bytes(), limits).unwrap(),
        "(a\"012345678\"\"\u{E4}\")"
    );
    assert_eq!(trace_with(b"<a><![CDATA[0123456789x]]></a>", limits).unwrap(), r#"(a"0123456789""x")"#);
    assert_eq!(trace_with(b"<a>01234567]]></a>", limits).unwrap_err().code(), "xml.syntax");
    assert_eq!(trace_with(b"<a>012345678]]></a>", limits).unwrap_err().code(), "xml.syntax");
}

#[test]
fn memory_does_not_grow_with_text() {
    let body = io::repeat(b'x').take(40 << 20);
    let input = (&b"<a>"[..]).chain(body).chain(&b"</a>"[..]);
    let mut reader = Reader::new(BufReader::new(input), Limits::default());
    let (mut total, mut longest) = (0, 0);
    loop {
        match reader.next().unwrap() {
            Event::Text(text) => {
                total += text.len();
                longest = longest.max(text.len());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(total, 40 << 20);
    assert!(longest <= 64 * 1024);
}

/// Gives one byte per read.
pub(crate) struct Drip<'a>(pub(crate) &'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(1).min(target.len());
        target[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn it_does_not_matter_where_reads_end() {
    let document =
        "\u{FEFF}<?xml version='1.0'?>\r\n<a b='\u{E4}\r\n'>\r\nx\u{20AC}]&amp;]<![CDATA[]>]\r]]>\r</a>\r\n";
    let mut reader = Reader::new(BufReader::with_capacity(1, Drip(document.as_bytes())), Limits::default());
    let mut text = String::new();
    loop {
        match reader.next().unwrap() {
            Event::Text(piece) => text.push_str(piece),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(text, "\nx\u{20AC}]&]]>]\n\n");
    assert_eq!(trace(document).unwrap(), format!("(a b=\"\u{E4} \"{text:?})"));
}

#[test]
fn a_literal_cdata_end_is_found_over_a_cut() {
    for document in ["<a>]]></a>", "<a>x]]]></a>"] {
        let mut reader =
            Reader::new(BufReader::with_capacity(1, Drip(document.as_bytes())), Limits::default());
        reader.next().unwrap();
        assert!(reader.next().is_err(), "{document}");
    }
    assert_eq!(code("<a>]]<!-- -->></a>"), "ok");
}

#[test]
fn read_text_skip_and_copy_work_on_the_current_element() {
    let document = "<r xmlns='urn:r' xmlns:p='urn:p'><a>x&amp;y</a><b><c/>z</b><p:d q='&lt;\"' p:a='1'>&gt;<e xmlns=''/></p:d></r>";
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    reader.next().unwrap();
    reader.next().unwrap();
    assert_eq!(reader.read_text(3).unwrap(), "x&y");
    reader.next().unwrap();
    reader.skip().unwrap();
    reader.next().unwrap();
    let copy = reader.copy_element(1_000).unwrap();
    assert_eq!(
        copy,
        r#"<p:d xmlns="urn:r" xmlns:p="urn:p" q="&lt;&quot;" p:a="1">&gt;<e xmlns=""></e></p:d>"#
    );
    assert!(matches!(reader.next().unwrap(), Event::End));
    assert!(matches!(reader.next().unwrap(), Event::Eof));
}

#[test]
fn helpers_are_bounded() {
    let at = |document: &'static str| {
        let mut reader = Reader::new(document.as_bytes(), Limits::default());
        reader.next().unwrap();
        reader
    };
    assert_eq!(at("<a>xyz</a>").read_text(2).unwrap_err().code(), "xml.limit");
    assert_eq!(at("<a>x<b/></a>").read_text(9).unwrap_err().code(), "xml.unexpected-element");
    assert_eq!(at("<a>xyz<b/></a>").copy_element(5).unwrap_err().code(), "xml.limit");
}
