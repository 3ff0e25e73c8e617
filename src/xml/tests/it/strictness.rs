//! What is refused, by which rule, and in which line.
use crate::{code, trace, trace_with};
use xml::{Error, Limits};

#[test]
fn doctype_is_refused_before_it_is_read() {
    assert_eq!(code("<!DOCTYPE a><a/>"), "xml.doctype");
    assert_eq!(code("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>"), "xml.doctype");
    assert_eq!(code("<!doctype a><a/>"), "xml.doctype");
    assert_eq!(code("<a><!DOCTYPE a></a>"), "xml.doctype");
    assert_eq!(code("<!DOCTYPE"), "xml.doctype");
}

#[test]
fn only_utf8_is_read() {
    assert_eq!(trace("\u{FEFF}<?xml version='1.0' encoding='utf-8'?><a/>").unwrap(), "(a)");
    assert_eq!(code("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"), "xml.encoding");
    assert_eq!(code(b"\xFF\xFE<\0a\0/\0>\0"), "xml.encoding");
    assert_eq!(code(b"\xFE\xFF\0<\0a\0/\0>"), "xml.encoding");
    assert_eq!(code(b"<\0a\0/\0>\0"), "xml.character");
    assert_eq!(code(b"<a>\xE4</a>"), "xml.encoding");
    assert_eq!(code(b"<a>\xC3"), "xml.encoding");
    assert_eq!(code(b"<a b='\xED\xA0\x80'/>"), "xml.encoding");
    assert_eq!(code("\u{FEFF}\u{FEFF}<a/>"), "xml.syntax");
}

#[test]
fn invalid_utf8_is_reported_with_its_line() {
    let error = trace(b"<a>\n<b/>\n\xE4</a>").unwrap_err();
    assert!(matches!(error, Error::Encoding { line: 3 }), "{error}");
}

#[test]
fn illegal_characters_are_refused_literally_and_by_reference() {
    for bad in [
        "\u{1}",
        "\u{0}",
        "\u{FFFE}",
        "\u{FFFF}",
        "\u{1F}",
        "&#1;",
        "&#0;",
        "&#xD800;",
        "&#xFFFF;",
        "&#x110000;",
    ] {
        assert_eq!(code(format!("<a>{bad}</a>")), "xml.character", "text {bad:?}");
        assert_eq!(code(format!("<a b='{bad}'/>")), "xml.character", "attribute {bad:?}");
    }
    assert_eq!(code("<a><!-- \u{1} --></a>"), "xml.character");
    assert_eq!(code("<a>&#9;&#10;&#13;\u{7F}\u{85}\u{FFFD}\u{10000}</a>"), "ok");
}

#[test]
fn only_the_predefined_entities_are_known() {
    assert_eq!(trace("<a b='&lt;&quot;&#x41;'>&amp;&apos;&gt;</a>").unwrap(), r#"(a b="<\"A""&'>")"#);
    for bad in ["&nbsp;", "&;", "&", "& ", "&amp", "&lt", "&a b;", "&AMP;"] {
        assert_eq!(code(format!("<a>{bad}</a>")), "xml.entity", "text {bad}");
        assert_eq!(code(format!("<a b='{bad}'/>")), "xml.entity", "attribute {bad}");
    }
    for bad in ["&#;", "&#x;", "&#xG;", "&#-1;", "&# 65;", "&#X41;"] {
        assert_eq!(code(format!("<a>{bad}</a>")), "xml.syntax", "{bad}");
    }
}

#[test]
fn there_is_one_root_and_nothing_beside_it() {
    for bad in [
        "",
        " ",
        "<!-- -->",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a/>&amp;",
        "<![CDATA[]]><a/>",
        "<a/><![CDATA[ ]]>",
        "</a>",
        "<a/></a>",
    ] {
        assert_eq!(code(bad), "xml.syntax", "{bad}");
    }
    assert_eq!(code(" <!-- x --><?p q?>\n<a/> <!-- x --> <?p?>"), "ok");
}

#[test]
fn a_cut_document_is_truncated() {
    for bad in ["<a>", "<a><b></b>", "<a", "<a b='", "<a><![CDATA[x", "<a><!-- x", "<a><?p", "<a>text"] {
        assert_eq!(code(bad), "xml.truncated", "{bad}");
    }
}

#[test]
fn namespaces_are_enforced() {
    for bad in [
        "<p:a/>",
        "<a p:b='1'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:xmlns='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<xmlns:a/>",
        "<a><b xmlns:p='urn:x'/><p:c/></a>",
    ] {
        assert_eq!(code(bad), "xml.namespace", "{bad}");
    }
    assert_eq!(code("<a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>"), "ok");
    assert_eq!(code("<a xmlns='urn:x'><b xmlns=''/></a>"), "ok");
}

#[test]
fn an_attribute_stands_once() {
    assert_eq!(code("<a b='1' b='2'/>"), "xml.syntax");
    assert_eq!(code("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>"), "xml.syntax");
    assert_eq!(code("<a xmlns:p='urn:x' xmlns:p='urn:y'/>"), "xml.syntax");
    assert_eq!(code("<a xmlns='urn:x' xmlns:p='urn:x' p:b='1' b='2'/>"), "ok");
}

#[test]
fn xml_1_1_is_refused() {
    assert_eq!(code("<?xml version='1.1'?><a/>"), "xml.syntax");
}

#[test]
fn every_limit_is_enforced() {
    let limits = Limits {
        depth: 3,
        attributes: 2,
        attribute_bytes: 100,
        total_bytes: 1_000,
        names: 20,
        ..Limits::default()
    };
    let limit = |input: &str| match trace_with(input.as_bytes(), limits) {
        Ok(_) => "ok",
        Err(Error::Limit { limit, .. }) => limit,
        Err(error) => error.code(),
    };
    assert_eq!(limit("<a><b><c/></b></a>"), "ok");
    assert_eq!(limit("<a><b><c><d/></c></b></a>"), "depth of nesting");
    assert_eq!(limit("<a b='' c=''/>"), "ok");
    assert_eq!(limit("<a b='' c='' d=''/>"), "attributes of an element");
    assert_eq!(limit("<a xmlns:b='urn:b' c='' d=''/>"), "attributes of an element");
    assert_eq!(limit(&format!("<a b='{}'/>", "x".repeat(100))), "size of a tag or comment");
    assert_eq!(limit(&format!("<a>{}</a>", "x".repeat(1_000))), "size of the document");
    let many: String = (0..30).map(|i| format!("<n{i}/>")).collect();
    assert_eq!(limit(&format!("<a>{many}</a>")), "distinct names");
}

#[test]
fn a_huge_comment_is_refused_without_collecting_it() {
    let input = format!("<a><!--{}--></a>", "x".repeat(3 << 20));
    assert_eq!(code(input), "xml.limit");
}

#[test]
fn after_an_error_nothing_more_comes() {
    let mut reader = xml::Reader::new(&b"<a>&x;<b/></a>"[..], Limits::default());
    reader.next().unwrap();
    assert!(reader.next().is_err());
    assert!(reader.next().is_err());
}
