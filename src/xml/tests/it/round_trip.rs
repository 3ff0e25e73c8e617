//! What the writer writes, the reader reads; and no bytes make the reader panic.
use crate::trace;
use proptest::prelude::*;
use xml::{Event, Limits, Reader, Writer};

#[derive(Debug, Clone)]
enum Node {
    Element(String, Vec<(String, String)>, Vec<Node>),
    Text(String),
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        any::<char>().prop_filter(
            "XML character",
            |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..),
        ),
        1..20,
    )
    .prop_map(|characters| characters.into_iter().collect())
}

fn element() -> impl Strategy<Value = Node> {
    let name = "[a-z_\u{E4}][a-z0-9.-]{0,8}";
    let attributes =
        proptest::collection::btree_map(name.prop_filter("not xmlns", |n| n != "xmlns"), text(), 0..4)
            .boxed();
    let leaf = text().prop_map(Node::Text);
    let tree = leaf.prop_recursive(4, 40, 6, move |inner| {
        (name, attributes.clone(), proptest::collection::vec(inner, 0..6)).prop_map(
            |(name, attributes, children)| Node::Element(name, attributes.into_iter().collect(), children),
        )
    });
    proptest::collection::vec(tree, 0..5)
        .prop_map(|children| Node::Element("root".into(), Vec::new(), children))
}

fn write(writer: &mut Writer<Vec<u8>>, node: &Node) {
    match node {
        Node::Text(text) => writer.text(text).unwrap(),
        Node::Element(name, attributes, children) => {
            let attributes: Vec<_> = attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            writer.start(name, &attributes).unwrap();
            children.iter().for_each(|child| write(writer, child));
            writer.end().unwrap();
        }
    }
}

/// Adjacent texts are one text to a reader.
fn expected(node: &Node, trace: &mut Vec<String>) {
    match node {
        Node::Text(text) => match trace.last_mut() {
            Some(last) if last.starts_with('"') => last.push_str(text),
            _ => trace.push(format!("\"{text}")),
        },
        Node::Element(name, attributes, children) => {
            trace.push(format!("({name} {attributes:?}"));
            children.iter().for_each(|child| expected(child, trace));
            trace.push(")".into());
        }
    }
}

fn read(document: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(document, Limits::default());
    let mut trace = Vec::new();
    loop {
        match reader.next().unwrap() {
            Event::Start(start) => {
                let attributes: Vec<_> =
                    start.attributes().map(|a| (a.local.to_owned(), a.value.to_owned())).collect();
                trace.push(format!("({} {attributes:?}", start.local()));
            }
            Event::Text(text) => trace.push(format!("\"{text}")),
            Event::End => trace.push(")".into()),
            Event::Eof => return trace,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(root in element()) {
        let mut writer = Writer::new(Vec::new()).unwrap();
        write(&mut writer, &root);
        let document = writer.finish().unwrap();
        let mut wanted = Vec::new();
        expected(&root, &mut wanted);
        prop_assert_eq!(read(&document), wanted);
    }

    #[test]
    fn a_copied_element_reads_like_the_original(root in element()) {
        let mut writer = Writer::new(Vec::new()).unwrap();
        write(&mut writer, &root);
        let document = writer.finish().unwrap();
        let mut reader = Reader::new(document.as_slice(), Limits::default());
        reader.next().unwrap();
        let copy = reader.copy_element(1 << 20).unwrap();
        prop_assert_eq!(read(copy.as_bytes()), read(&document));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = trace(&bytes);
    }

    #[test]
    fn arbitrary_markup_never_panics(text in "[<>/?!&;#x'\"=\\[\\]CDATAa: \r\n\u{E4}-]{0,120}") {
        let _ = trace(format!("<a>{text}"));
        let _ = trace(text);
    }
}

#[test]
fn illegal_characters_are_not_written() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    assert_eq!(writer.start("1a", &[]).unwrap_err().code(), "xml.write");
    assert_eq!(writer.start("a", &[("b", "\u{0}")]).unwrap_err().code(), "xml.write");
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.start("a", &[]).unwrap();
    assert_eq!(writer.text("\u{FFFE}").unwrap_err().code(), "xml.write");
    assert_eq!(writer.finish().unwrap_err().code(), "xml.write");
}

#[test]
fn indentation_spares_text() {
    let mut writer = Writer::indented(Vec::new()).unwrap();
    writer.start("a", &[("b", "\"<&\n")]).unwrap();
    writer.element("c", "x\r").unwrap();
    writer.element("d", "").unwrap();
    writer.fragment("<e/>").unwrap();
    writer.end().unwrap();
    let document = String::from_utf8(writer.finish().unwrap()).unwrap();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"&quot;&lt;&amp;&#xA;\">\n  <c>x&#xD;</c>\n  <d/>\n  <e/>\n</a>\n";
    assert_eq!(document, expected);
}
