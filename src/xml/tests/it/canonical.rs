//! Canonical forms: by the rules of the two recommendations, and as `xmllint` (libxml2) writes them.
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};
use xml::{Event, Form, Limits, Node, Reader, canonical_document};

const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

fn form(uri: &str) -> Form {
    Form::from_uri(uri).unwrap()
}

fn whole(document: &str, form: Form) -> String {
    let bytes = canonical_document(document.as_bytes(), Limits::default(), form, Vec::new()).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The canonical form of the first element with this local name.
fn part(document: &str, local: &str, form: Form) -> String {
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    loop {
        match reader.next().unwrap() {
            Event::Start(start) if start.local() == local => break,
            Event::Eof => panic!("no {local}"),
            _ => {}
        }
    }
    String::from_utf8(reader.canonicalise(form, Vec::new()).unwrap()).unwrap()
}

/// What xmllint makes of it, comments kept; `None` if it refuses the document.
fn xmllint(option: &str, document: &str) -> Option<String> {
    let mut child = Command::new("xmllint")
        .args([option, "--nonet", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("xmllint (Debian: libxml2-utils) judges canonical forms");
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

const DOCUMENTS: &[&str] = &[
    "<a/>",
    "<?xml version='1.0'?>\n<?p  x y ?>\n<!-- c --><a>x</a>\n\n<!-- d --><?q?>\n",
    "<a   b = '1'\n  a='2' ></a  >",
    "<a><![CDATA[<&>]]]>]]&gt;\r\n&#13;&#9;&quot;\"'</a>",
    "<a b='&lt;&amp;&gt;&quot;&apos;&#9;&#10;&#13;\t\n\r\n'/>",
    "<a xmlns='urn:1'><b xmlns=''><c xmlns=''/><c xmlns='urn:1'/></b><b xmlns='urn:1'/></a>",
    "<a xmlns=''><b xmlns=''/></a>",
    "<n:a xmlns:n='urn:1' xmlns:m='urn:2'><n:b xmlns:n='urn:1'/><n:b xmlns:n='urn:3' m:x=''/></n:a>",
    "<a xmlns:z='urn:1' xmlns:y='urn:2' xmlns='urn:3' y:b='' z:a='' b='' a='' z:c=''/>",
    "<a xmlns:a='urn:1' xmlns:B='urn:0'><B:b a:x='1'><a:b/></B:b><a:b/></a>",
    "<a xml:lang='de' xml:space='preserve'><b xml:lang='en' c='1'/></a>",
    "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'><b xml:lang='en'/></a>",
    "<a>\u{E4}&#xE4;\u{10000}<\u{F6} \u{FC}='\u{20AC}'/></a>",
    "<a>x<!-- in -->y<?p in?>z<!----></a>",
    "<a xmlns:p='urn:1'><b><p:c xmlns:p='urn:2'><p:d xmlns:p='urn:1'/></p:c><p:c/></b></a>",
    "<p:a xmlns:p='urn:1'><b xmlns='urn:2'><p:c><d xmlns=''><b xmlns='urn:2'/></d></p:c></b></p:a>",
];

#[test]
fn whole_documents_come_out_as_xmllint_writes_them() {
    for document in DOCUMENTS {
        let theirs = xmllint("--c14n", document).unwrap();
        assert_eq!(whole(document, form(&format!("{INCLUSIVE}#WithComments"))), theirs, "{document}");
        let theirs = xmllint("--exc-c14n", document).unwrap();
        assert_eq!(whole(document, form(&format!("{EXCLUSIVE}WithComments"))), theirs, "{document}");
    }
}

#[test]
fn a_canonical_form_is_its_own_canonical_form() {
    for document in DOCUMENTS {
        for uri in [INCLUSIVE, EXCLUSIVE] {
            let once = whole(document, form(uri));
            assert_eq!(whole(&once, form(uri)), once);
        }
    }
}

#[test]
fn comments_are_dropped_unless_asked_for_and_instructions_never() {
    let document = "<!-- a --><?p  q ?><a>x<!-- b -->y<?r?></a><!-- c --><?s t?>";
    assert_eq!(whole(document, form(INCLUSIVE)), "<?p q ?>\n<a>xy<?r?></a>\n<?s t?>");
    let with = form("http://www.w3.org/2001/10/xml-exc-c14n#WithComments");
    let expected = "<!-- a -->\n<?p q ?>\n<a>x<!-- b -->y<?r?></a>\n<!-- c -->\n<?s t?>";
    assert_eq!(whole(document, with), expected);
}

#[test]
fn an_inclusive_part_renders_every_namespace_in_scope_once() {
    let document = "<a xmlns='urn:0' xmlns:p='urn:1' xmlns:q='urn:2'><b xmlns:q='urn:3'>\
                    <c xmlns:p='urn:1' xmlns:q='urn:3'><p:d xmlns:p='urn:1'/></c></b></a>";
    let expected = "<c xmlns=\"urn:0\" xmlns:p=\"urn:1\" xmlns:q=\"urn:3\"><p:d></p:d></c>";
    assert_eq!(part(document, "c", form(INCLUSIVE)), expected);
}

#[test]
fn an_inclusive_part_below_a_withdrawn_default_namespace_does_not_withdraw_it_again() {
    let document = "<a xmlns='urn:0'><b xmlns=''><c><d xmlns='urn:1'><e xmlns=''/></d></c></b></a>";
    let expected = "<c><d xmlns=\"urn:1\"><e xmlns=\"\"></e></d></c>";
    assert_eq!(part(document, "c", form(INCLUSIVE)), expected);
    assert_eq!(part(document, "c", form(EXCLUSIVE)), expected);
}

#[test]
fn an_inclusive_part_inherits_the_nearest_xml_attributes() {
    let document = "<a xml:lang='de' xml:space='preserve'><x xml:base='urn:lost'/>\
                    <b xml:lang='en'><c xml:base='urn:b' z='1'><d/></c></b></a>";
    let expected = "<c z=\"1\" xml:base=\"urn:b\" xml:lang=\"en\" xml:space=\"preserve\"><d></d></c>";
    assert_eq!(part(document, "c", form(INCLUSIVE)), expected);
    assert_eq!(part(document, "c", form(EXCLUSIVE)), "<c z=\"1\" xml:base=\"urn:b\"><d></d></c>");
    assert_eq!(part(document, "b", form(INCLUSIVE)).matches("xml:lang=\"en\"").count(), 1);
    assert!(!part(document, "b", form(INCLUSIVE)).contains("urn:lost"));
}

#[test]
fn an_exclusive_part_renders_what_it_uses_where_it_uses_it() {
    let document = "<a xmlns='urn:0' xmlns:p='urn:1' xmlns:q='urn:2'>\
                    <p:c q:x=''><p:d q:y=''/><e/><e xmlns=''/></p:c></a>";
    let expected = "<p:c xmlns:p=\"urn:1\" xmlns:q=\"urn:2\" q:x=\"\"><p:d q:y=\"\"></p:d>\
                    <e xmlns=\"urn:0\"></e><e></e></p:c>";
    assert_eq!(part(document, "c", form(EXCLUSIVE)), expected);
}

#[test]
fn listed_prefixes_of_an_exclusive_part_are_rendered_as_in_an_inclusive_one() {
    let document = "<a xmlns='urn:0' xmlns:p='urn:1' xmlns:q='urn:2' xmlns:r='urn:3'>\
                    <p:c><p:d xmlns:q='urn:4' xmlns:r='urn:5'><q:e/></p:d></p:c></a>";
    let listed = form(EXCLUSIVE).with_prefix_list(" q \n#default nowhere");
    let expected = "<p:c xmlns=\"urn:0\" xmlns:p=\"urn:1\" xmlns:q=\"urn:2\">\
                    <p:d xmlns:q=\"urn:4\"><q:e></q:e></p:d></p:c>";
    assert_eq!(part(document, "c", listed), expected);
}

#[test]
fn an_element_standing_alone_inherits_nothing() {
    let document = "<p:a xmlns:p='urn:1' xml:lang='de'><p:b c='1'><p:d xmlns:p='urn:1'/></p:b></p:a>";
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    reader.next().unwrap();
    reader.next().unwrap();
    let mut canonical = xml::Canonical::new(Form::default(), Vec::new()).standing_alone();
    canonical.take(&Node::Start(reader.current())).unwrap();
    while reader.depth() >= 2 {
        canonical.take(&reader.next_node().unwrap()).unwrap();
    }
    let expected = "<p:b c=\"1\"><p:d xmlns:p=\"urn:1\"></p:d></p:b>";
    assert_eq!(canonical.finish().unwrap(), expected.as_bytes());
}

#[test]
fn long_and_piecewise_text_makes_no_difference() {
    let text = "x&amp;\u{E4}&#13;<!-- c -->]".repeat(20_000);
    let document = format!("<a>{text}<b>{}</b></a>", "y".repeat(300_000));
    let limits = Limits { text_bytes: 7, ..Limits::default() };
    let pieces = canonical_document(document.as_bytes(), limits, Form::default(), Vec::new()).unwrap();
    assert_eq!(String::from_utf8(pieces).unwrap(), whole(&document, Form::default()));
    let expected = "x&amp;\u{E4}&#xD;]".repeat(20_000);
    assert_eq!(whole(&document, Form::default()), format!("<a>{expected}<b>{}</b></a>", "y".repeat(300_000)));
}

#[test]
fn a_confined_reader_ends_with_its_element_until_it_is_released() {
    let mut reader = Reader::new(&b"<a><b>x<c/></b><d/></a>"[..], Limits::default());
    reader.next().unwrap();
    reader.next().unwrap();
    let fence = reader.confine();
    reader.skip().unwrap();
    assert!(matches!(reader.next().unwrap(), Event::Eof));
    assert!(matches!(reader.next_node().unwrap(), Node::Eof));
    reader.release(fence);
    assert!(matches!(reader.next().unwrap(), Event::Start(start) if start.local() == "d"));
}

struct Names(Vec<String>);

impl xml::Observer for Names {
    fn start(&mut self, start: &xml::Start<'_>, _: xml::Place<'_>) {
        self.0.push(start.local().to_owned());
    }
    fn text(&mut self, _: &str, _: xml::Place<'_>) {}
    fn end(&mut self, _: xml::Place<'_>) {}
}

#[test]
fn an_observer_that_came_behind_a_fence_is_gone_with_it() {
    let mut reader = Reader::new(&b"<a><b><c/></b><d/></a>"[..], Limits::default());
    reader.next().unwrap();
    reader.next().unwrap();
    let fence = reader.confine();
    reader.observe(Box::new(Names(Vec::new())));
    reader.skip().unwrap();
    reader.release(fence);
    reader.skip().unwrap();
    assert!(reader.take_observer::<Names>().is_none());
    let mut reader = Reader::new(&b"<a><b><c/></b><d/></a>"[..], Limits::default());
    reader.observe(Box::new(Names(Vec::new())));
    reader.next().unwrap();
    let fence = reader.confine();
    reader.release(fence);
    reader.skip().unwrap();
    assert_eq!(reader.take_observer::<Names>().unwrap().0, ["a", "b", "c", "d"]);
}

#[test]
fn what_open_elements_hand_down_is_limited() {
    let document = |attributes: usize| {
        let all: String = (0..attributes).map(|n| format!(" xml:x{n}=''")).collect();
        format!("<a{all}><b{all}/></a>")
    };
    let read = |document: &str| {
        let bytes = document.as_bytes();
        canonical_document(bytes, Limits::default(), Form::default(), Vec::new())
            .map_err(|error| error.code())
    };
    assert!(read(&document(100)).is_ok());
    assert_eq!(read(&document(200)), Err("xml.limit"));
    assert!(read(&format!("<r>{}</r>", document(100).repeat(50))).is_ok());
}

#[test]
fn a_hidden_element_does_not_come_and_neither_does_what_is_in_it() {
    let document = &b"<a><b>x</b><c><d>secret</d></c>y<d/></a>"[..];
    let mut reader = Reader::new(document, Limits::default()).hiding(2);
    let mut seen = String::new();
    loop {
        match reader.next().unwrap() {
            Event::Start(start) => seen.push_str(start.local()),
            Event::Text(text) => seen.push_str(text),
            Event::End => seen.push('/'),
            Event::Eof => break,
        }
    }
    assert_eq!(seen, "abx/yd//");
}

#[test]
fn start_tags_are_numbered_and_open_elements_named() {
    let mut reader = Reader::new(&b"<a xmlns='urn:1'><b/><c><d/></c></a>"[..], Limits::default());
    let mut ordinals = Vec::new();
    loop {
        match reader.next().unwrap() {
            Event::Start(start) => {
                ordinals.push(start.ordinal());
                if start.local() == "d" {
                    let open: Vec<_> = reader.open_elements().map(|it| (it.ordinal, it.local)).collect();
                    assert_eq!(open, [(0, "a"), (2, "c"), (3, "d")]);
                    assert!(reader.open_elements().all(|it| it.namespace == Some("urn:1")));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(ordinals, [0, 1, 2, 3]);
}

/// A tree with namespaces: elements and attributes with and without prefix, declarations anywhere.
fn tree() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z<>&\"' \u{E4}]{0,6}".prop_map(|text| text.replace('&', "&amp;").replace('<', "&lt;")),
        Just("<!-- c -->".to_owned()),
        Just("<?p  d?>".to_owned()),
        Just("&#13;\r\n".to_owned()),
        Just("<![CDATA[<&]]>".to_owned()),
    ];
    let declaration = prop_oneof![
        Just(" xmlns='urn:1'"),
        Just(" xmlns=''"),
        Just(" xmlns='urn:2'"),
        Just(" xmlns='urn:2' xmlns:b='urn:1'"),
        Just(" xmlns:a='urn:1'"),
        Just(" xmlns:a='urn:3' xmlns:b='urn:4'"),
        Just(" xmlns:b='urn:2'"),
        Just(" xmlns:c='urn:5'"),
        Just(""),
        Just(""),
    ];
    let attributes = prop_oneof![
        Just(""),
        Just(" z='' y=''"),
        Just(" b:x='&#9;' x='\n' a:y=''"),
        Just(" xml:lang='de' a:x='&quot;'"),
        Just(" c:z='1' z='2' b:a=''"),
    ];
    let name = prop_oneof![Just("e"), Just("a:e"), Just("b:f"), Just("c:e")];
    let leaf = text.prop_map(|text| text.replace("]]>&", "]]>"));
    leaf.prop_recursive(5, 30, 4, move |inner| {
        let children = proptest::collection::vec(inner, 0..4);
        (name.clone(), declaration.clone(), attributes.clone(), children).prop_map(
            |(name, declaration, attributes, children)| {
                format!("<{name}{attributes}{declaration}>{}</{name}>", children.concat())
            },
        )
    })
    .prop_map(|inner| format!("<r xmlns:a='urn:1' xmlns:b='urn:2' xmlns:c='urn:2'>{inner}</r>"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_document_comes_out_as_xmllint_writes_it(document in tree()) {
        let inclusive = form("http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments");
        let ours = canonical_document(document.as_bytes(), Limits::default(), inclusive, Vec::new());
        let theirs = xmllint("--c14n", &document);
        prop_assert_eq!(ours.ok().map(|bytes| String::from_utf8(bytes).unwrap()), theirs);
        let exclusive = form("http://www.w3.org/2001/10/xml-exc-c14n#WithComments");
        let ours = canonical_document(document.as_bytes(), Limits::default(), exclusive, Vec::new());
        let theirs = xmllint("--exc-c14n", &document);
        prop_assert_eq!(ours.ok().map(|bytes| String::from_utf8(bytes).unwrap()), theirs);
    }
}
