//! What is answered, in both formats: XML without a namespace, and JSON by the "Spark" mapping of it (GeoReport v2, "JSON"): a container of
//! one kind of children is an array, the name of the root is gone, and what is empty is null.

use model::adapter::Reply;
use xml::{escape_text, is_character};

/// Part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Nothing: null, and an empty element.
    Null,
    /// A text; an empty one is nothing.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// Yes or no.
    Bool(bool),
    /// Named parts.
    Object(Vec<(&'static str, Node)>),
    /// Parts of one kind, and what each is called in XML.
    List(&'static str, Vec<Node>),
}

impl Node {
    /// A text, or nothing.
    pub(crate) fn text(text: impl Into<String>) -> Node {
        Node::Text(text.into())
    }

    /// A text if there is one.
    pub(crate) fn maybe(text: Option<impl Into<String>>) -> Node {
        text.map_or(Node::Null, Node::text)
    }

    fn json(&self, out: &mut String) {
        match self {
            Node::Null => out.push_str("null"),
            Node::Text(text) if text.is_empty() => out.push_str("null"),
            Node::Text(text) => quote(text, out),
            Node::Number(number) => out.push_str(number),
            Node::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Node::Object(parts) => {
                out.push('{');
                for (at, (name, part)) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    part.json(out);
                }
                out.push('}');
            }
            Node::List(_, items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.json(out);
                }
                out.push(']');
            }
        }
    }

    fn xml(&self, name: &str, out: &mut String) {
        let is_empty = match self {
            Node::Null => true,
            Node::Text(text) => text.is_empty(),
            Node::Object(parts) => parts.is_empty(),
            Node::List(_, items) => items.is_empty(),
            Node::Number(_) | Node::Bool(_) => false,
        };
        if is_empty {
            out.extend(["<", name, "/>"]);
            return;
        }
        out.extend(["<", name, ">"]);
        match self {
            Node::Null => {}
            Node::Text(text) => plain(text, out),
            Node::Number(number) => out.push_str(number),
            Node::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Node::Object(parts) => parts.iter().for_each(|(name, part)| part.xml(name, out)),
            Node::List(item, items) => items.iter().for_each(|it| it.xml(item, out)),
        }
        out.extend(["</", name, ">"]);
    }
}

/// Text of an element. What XML 1.0 cannot say at all, however escaped, is left out.
fn plain(text: &str, out: &mut String) {
    if text.chars().all(is_character) {
        return escape_text(text, out);
    }
    let clean: String = text.chars().filter(|c| is_character(*c)).collect();
    escape_text(&clean, out);
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The format that a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Xml,
    Json,
}

impl Format {
    /// An answer of this format; `root` is the name of its root in XML.
    pub(crate) fn reply(self, status: u16, root: &str, node: &Node) -> Reply {
        let mut out = String::with_capacity(1_024);
        let kind = match self {
            Format::Json => {
                node.json(&mut out);
                "application/json; charset=utf-8"
            }
            Format::Xml => {
                out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
                node.xml(root, &mut out);
                "text/xml; charset=utf-8"
            }
        };
        Reply::of(status, kind, out.into_bytes())
    }

    /// An answer that says what is wrong: `errors` of `error` with `code` and `description`.
    pub(crate) fn refused(self, status: u16, wrong: &[String]) -> Reply {
        let error = |text: &String| {
            Node::Object(vec![
                ("code", Node::Number(status.to_string())),
                ("description", Node::text(text.clone())),
            ])
        };
        self.reply(status, "errors", &Node::List("error", wrong.iter().map(error).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(node: &Node) -> (String, String) {
        let (mut json, mut xml) = (String::new(), String::new());
        node.json(&mut json);
        node.xml("root", &mut xml);
        (json, xml)
    }

    #[test]
    fn the_same_is_said_in_both_formats() {
        let node = Node::List(
            "request",
            vec![Node::Object(vec![
                ("id", Node::text("007")),
                ("lat", Node::Number("51.5".into())),
                ("required", Node::Bool(true)),
                ("description", Node::text("")),
                ("notice", Node::Null),
            ])],
        );
        let (json, xml) = both(&node);
        assert_eq!(json, r#"[{"id":"007","lat":51.5,"required":true,"description":null,"notice":null}]"#);
        assert_eq!(
            xml,
            "<root><request><id>007</id><lat>51.5</lat><required>true</required><description/><notice/>\
             </request></root>"
        );
        assert_eq!(both(&Node::List("a", vec![])), ("[]".into(), "<root/>".into()));
    }

    #[test]
    fn no_text_can_break_out_of_its_place() {
        let evil = "]]></description><status>closed</status>&amp;\"'<!--\u{0}\u{1}\u{fffe}\u{2028}\\";
        let (json, xml) = both(&Node::Object(vec![("description", Node::text(evil))]));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["description"], evil);
        let mut reader = xml::Reader::new(xml.as_bytes(), xml::Limits::default());
        let (mut elements, mut text) = (vec![], String::new());
        loop {
            match reader.next().unwrap() {
                xml::Event::Start(start) => elements.push(start.local().to_owned()),
                xml::Event::Text(piece) => text.push_str(piece),
                xml::Event::End => {}
                xml::Event::Eof => break,
            }
        }
        assert_eq!(elements, ["root", "description"]);
        assert_eq!(text, evil.replace(['\u{0}', '\u{1}', '\u{fffe}'], ""));
    }
}
