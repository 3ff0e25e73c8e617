//! Well-formedness as `xmllint` (libxml2) judges it.
use crate::{code, trace};
use std::io::Write;
use std::process::{Command, Stdio};

/// Documents on which we and xmllint must agree: `true` is well-formed.
const CASES: &[(bool, &str)] = &[
    (true, "<a/>"),
    (true, "<a></a >"),
    (true, "<a\n\tb = 'c'\n/>"),
    (true, "<a b='\"' c=\"'\"/>"),
    (true, "<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>"),
    (true, "<a><![CDATA[x]]]]>></a>"),
    (true, "<a>&#93;]></a>"),
    (true, "<a>]] ></a>"),
    (true, "<a b=']]>'/>"),
    (true, "<a b='>'/>"),
    (true, "<a>></a>"),
    (true, "<a>\u{20AC}</a>"),
    (true, "<\u{E4} \u{F6}='1'/>"),
    (true, "<_a.b-c\u{B7}/>"),
    (true, "<!----><a/>"),
    (true, "<a><?p?></a>"),
    (true, "<a><?p <&]]> ?></a>"),
    (true, "<?xml version='1.0' standalone='yes'?><a/>"),
    (true, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone='no' ?>\n<a/>"),
    (true, "<?xml-stylesheet href='x'?><a/>"),
    (true, "<a xmlns='urn:a'><b xmlns=''/></a>"),
    (false, "<a><b></a></b>"),
    (false, "<a></A>"),
    (false, "<a><b/>"),
    (false, "< a/>"),
    (false, "<a/ >"),
    (false, "<a b/>"),
    (false, "<a b=c/>"),
    (false, "<a b='1'c='2'/>"),
    (false, "<a 'b'/>"),
    (false, "<a b='<'/>"),
    (false, "<a b='1' b='1'/>"),
    (false, "<a ='1'/>"),
    (false, "<a b c='1'/>"),
    (false, "<1a/>"),
    (false, "<-a/>"),
    (false, "<a,b/>"),
    (false, "<a><></></a>"),
    (false, "<a></></a>"),
    (false, "<a></ a>"),
    (false, "</a>"),
    (false, "<a>]]></a>"),
    (false, "<a><!-- a -- b --></a>"),
    (false, "<a><!-- a ---></a>"),
    (false, "<a><!--></a>"),
    (false, "<a><!---></a>"),
    (false, "<a><!x></a>"),
    (false, "<a><![cdata[x]]></a>"),
    (false, "<a><??></a>"),
    (false, "<a><? p?></a>"),
    (false, "<a><?xml?></a>"),
    (false, "<a><?XML x?></a>"),
    (false, " <?xml version='1.0'?><a/>"),
    (false, "<?xml encoding='UTF-8'?><a/>"),
    (false, "<?xml version='1.0' standalone='maybe'?><a/>"),
    (false, "<?xml version='1.0'encoding='UTF-8'?><a/>"),
    (false, "<?xml version='1.0' foo='bar'?><a/>"),
    (false, "<a>&</a>"),
    (false, "<a>&#;</a>"),
    (false, "<a>&#x0;</a>"),
    (false, "<a>&unknown;</a>"),
    (false, "<a/><a/>"),
    (false, "<a/>text"),
    (false, "text"),
    (false, "<a"),
    (false, "<a><![CDATA[x</a>"),
    (false, "<a \u{1}/>"),
    (false, "<a>\u{B}</a>"),
];

#[test]
fn our_verdicts_are_as_written() {
    for (expected, document) in CASES {
        assert_eq!(code(document) == "ok", *expected, "{document}: {}", code(document));
    }
}

#[test]
fn xmllint_agrees() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("SKIPPED: xmllint is not installed");
        return;
    }
    for (expected, document) in CASES {
        assert_eq!(xmllint(document.as_bytes()), *expected, "{document}");
    }
}

#[test]
fn xmllint_reads_the_same_content() {
    let document = "<a>\r\n&#13;x\rz<b c=' a\tb\r\nc&#10; '>&lt;<![CDATA[\r]]></b></a>";
    assert_eq!(trace(document).unwrap(), r#"(a"\n\rx\nz"(b c=" a b c\n ""<\n"))"#);
}

fn xmllint(document: &[u8]) -> bool {
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--noout", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(document).unwrap();
    child.wait().unwrap().success()
}
