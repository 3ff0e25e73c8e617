//! What the reader accepts, and what it makes of it.

use std::io::{BufRead, Read};

use soap::mime::{Limits, MediaType, Multipart, TransferEncoding};

use crate::{Pieces, code, http_parts, osci_parts, seen};

const OSCI: &str = "MIME-Version: 1.0\r\n\
    Content-Type: Multipart/Related; boundary=MIME_boundary_a/b+c=; type=text/xml\r\n\r\n\
    --MIME_boundary_a/b+c=\r\n\
    Content-Type: text/xml; charset=UTF-8\r\n\
    Content-Transfer-Encoding: 8bit\r\n\
    Content-ID: <osci@message>\r\n\
    Content-Length: 2027\r\n\r\n\
    <?xml version=\"1.0\"?>\r\n\r\n<a/>\r\n\
    --MIME_boundary_a/b+c=\r\n\
    Content-Type: application/octet-stream\r\n\
    Content-Transfer-Encoding: 8-bit\r\n\
    Content-ID: <plain.bin>\r\n\r\n\
    \r\n-- \r\n\r\n\
    --MIME_boundary_a/b+c=--\r\n";

fn osci_seen() -> Vec<crate::Seen> {
    seen(&[("osci@message", "<?xml version=\"1.0\"?>\r\n\r\n<a/>"), ("plain.bin", "\r\n-- \r\n")])
}

#[test]
fn a_package_as_the_field_writes_it_is_read() {
    assert_eq!(osci_parts(OSCI.as_bytes()).unwrap(), osci_seen());
}

#[test]
fn a_part_that_is_not_encoded_stands_in_the_package_where_its_offset_says() {
    for size in [1, 7, 70_000] {
        let mut package =
            Multipart::with_inner_headers(Pieces::new(OSCI.as_bytes(), &[size]), Limits::default()).unwrap();
        while let Some(mut part) = package.next_part().unwrap() {
            let from = usize::try_from(part.offset()).unwrap();
            let mut content = Vec::new();
            part.read_to_end(&mut content).unwrap();
            assert_eq!(OSCI.as_bytes().get(from..from + content.len()), Some(content.as_slice()));
            assert!(!content.is_empty());
        }
    }
}

#[test]
fn deviations_of_the_field_change_nothing() {
    let variants = [
        ("extra line breaks in front", format!("\r\n\r\n{OSCI}")),
        ("no MIME-Version", OSCI.replace("MIME-Version: 1.0\r\n", "")),
        ("lower case header names", OSCI.replace("Content-", "content-").replace("MIME-V", "mime-v")),
        (
            "quoted boundary",
            OSCI.replace("boundary=MIME_boundary_a/b+c=;", "boundary=\"MIME_boundary_a/b+c=\";"),
        ),
        ("folded header", OSCI.replace("; boundary", ";\r\n\tboundary")),
        ("folded right behind the colon", OSCI.replace("Content-ID: ", "Content-ID:\r\n ")),
        ("no line break at the end", OSCI.trim_end().to_owned()),
        ("half a line break at the end", format!("{}\r", OSCI.trim_end())),
        ("an epilogue", format!("{OSCI}whatever\r\n--MIME_boundary_a/b+c=\r\n")),
        ("a preamble", OSCI.replacen("\r\n\r\n--", "\r\n\r\nThis is MIME.\r\n--", 1)),
        ("white space behind boundaries", OSCI.replace("c=\r\n", "c= \t\r\n")),
        ("no angle brackets", OSCI.replace("<plain.bin>", "plain.bin")),
        ("no transfer encoding", OSCI.replace("Content-Transfer-Encoding: 8-bit\r\n", "")),
        ("no space behind colons", OSCI.replace(": ", ":")),
    ];
    for (what, variant) in variants {
        let read = osci_parts(variant.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read, osci_seen(), "{what}");
    }
}

#[test]
fn every_way_to_cut_the_input_into_pieces_gives_the_same() {
    for size in 1..=OSCI.len() {
        let read = osci_parts(Pieces::new(OSCI.as_bytes(), &[size, OSCI.len()])).unwrap();
        assert_eq!(read, osci_seen(), "first {size} bytes, then the rest");
        assert_eq!(osci_parts(Pieces::new(OSCI.as_bytes(), &[size])).unwrap(), osci_seen(), "always {size}");
    }
}

#[test]
fn a_package_cut_anywhere_before_its_last_boundary_is_truncated() {
    let whole = OSCI.trim_end().len();
    for length in 0..whole {
        assert_eq!(code(osci_parts(&OSCI.as_bytes()[..length])), "mime.truncated", "{length} bytes");
    }
    assert_eq!(osci_parts(&OSCI.as_bytes()[..whole]).unwrap(), osci_seen());
}

#[test]
fn lines_that_only_look_like_boundaries_are_content() {
    let contents = [
        "--bc\r\n",
        "--b-\r\n",
        "--b--c\r\n",
        "--b -- \r\n",
        "- -b\r\n",
        "x--b\r\nx--b--\r\n",
        "--b\rx",
        "--b--\rx",
        "\r\n--\r\n-b--\r\n--",
        "\r",
        "\r\r\n\r",
        "--B\r\n",
    ];
    for content in contents {
        let package = format!("--b\r\nContent-ID: <1>\r\n\r\n{content}\r\n--b--\r\n");
        assert_eq!(http_parts(package.as_bytes()).unwrap(), seen(&[("1", content)]), "{content:?}");
        let pieces = Pieces::new(package.as_bytes(), &[1]);
        assert_eq!(http_parts(pieces).unwrap(), seen(&[("1", content)]), "byte by byte: {content:?}");
    }
}

#[test]
fn an_empty_part_ends_where_it_begins() {
    let with_line = "--b\r\nContent-ID: <1>\r\n\r\n\r\n--b\r\nContent-ID: <2>\r\n\r\n\r\n--b--";
    let without = "--b\r\nContent-ID: <1>\r\n\r\n--b\r\nContent-ID: <2>\r\n\r\n--b--";
    for package in [with_line, without] {
        assert_eq!(http_parts(package.as_bytes()).unwrap(), seen(&[("1", ""), ("2", "")]));
    }
    assert_eq!(http_parts(&b"--b\r\n\r\n--b--"[..]).unwrap(), [(None, Vec::new())]);
}

#[test]
fn lf_alone_is_read_if_all_lines_have_it() {
    let package = OSCI.replace("\r\n", "\n");
    let read = osci_parts(package.as_bytes()).unwrap();
    assert_eq!(read, seen(&[("osci@message", "<?xml version=\"1.0\"?>\n\n<a/>"), ("plain.bin", "\n-- \n")]));
    let http = "preamble\n--b\nContent-ID: <1>\n\nx\r\ny\n--b--";
    assert_eq!(http_parts(http.as_bytes()).unwrap(), seen(&[("1", "x\r\ny")]));
}

#[test]
fn line_ends_that_differ_are_refused() {
    let packages = [
        "--b\r\nContent-ID: <1>\n\r\nx\r\n--b--",
        "--b\r\nContent-ID: <1>\r\n\nx\r\n--b--",
        "--b\r\nContent-ID: <1>\r\n\r\nx\n--b--",
        "--b\r\nContent-ID: <1>\r\n\r\nx\r\n--b\nContent-ID: <2>\r\n\r\ny\r\n--b--",
        "--b\nContent-ID: <1>\n\nx\r\n--b--",
        "preamble\n--b\r\nContent-ID: <1>\r\n\r\nx\r\n--b--",
        "--b\r\nContent-ID: <1>\r\n\r\n\n--b--",
    ];
    for package in packages {
        assert_eq!(code(http_parts(package.as_bytes())), "mime.line-ends", "{package:?}");
    }
}

#[test]
fn base64_is_decoded_by_either_of_its_names() {
    let encodings = [
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: BASE64",
        "Content-Type: text/base64\r\nContent-Transfer-Encoding: 7bit",
        "Content-Type: Text/Base64",
    ];
    for encoding in encodings {
        for content in ["SGFsbG8gV2VsdA==", "SGFs\r\nbG8g\r\nV2Vs\r\ndA==\r\n", " S G\nFsbG8gV2VsdA=\r\n="] {
            let package = format!("--b\r\n{encoding}\r\nContent-ID: <1>\r\n\r\n{content}\r\n--b--");
            let read = http_parts(Pieces::new(package.as_bytes(), &[3, 1]));
            assert_eq!(read.unwrap(), seen(&[("1", "Hallo Welt")]), "{encoding:?} {content:?}");
        }
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    for content in
        ["SGF", "SGFsbG8", "SGFs?G8=", "QQ==QQ==", "QQ==\r\nQUFB", "Q===", "=", "QR==", "SGFs\0bG8="]
    {
        let package = format!("--b\r\nContent-Transfer-Encoding: base64\r\n\r\n{content}\r\n--b--");
        assert_eq!(code(http_parts(package.as_bytes())), "mime.base64", "{content:?}");
        let bytewise = Pieces::new(package.as_bytes(), &[1]);
        assert_eq!(code(http_parts(bytewise)), "mime.base64", "byte by byte: {content:?}");
    }
}

#[test]
fn a_part_tells_its_headers() {
    let package = "--b\r\nContent-type: application/xop+xml;charset=utf-8;type=\"application/soap+xml;action=\\\"x\\\"\"\r\n\
        content-id: <rootpart*1@example>\r\nX-Other:  a \r\n\r\n<a/>\r\n--b--";
    let content_type =
        "multipart/related;start=\"<rootpart*1@example>\";type=\"application/xop+xml\";boundary=\"b\"";
    let mut multipart =
        Multipart::with_content_type(package.as_bytes(), content_type, Limits::default()).unwrap();
    assert_eq!(multipart.root_id().unwrap().as_deref(), Some("rootpart*1@example"));
    assert_eq!(multipart.media_type().parameter("TYPE"), Some("application/xop+xml"));
    let part = multipart.next_part().unwrap().unwrap();
    assert_eq!(part.content_id(), Some("rootpart*1@example"));
    let media_type = part.media_type().unwrap();
    assert_eq!(media_type.essence(), "application/xop+xml");
    assert_eq!(media_type.parameter("charset"), Some("utf-8"));
    assert_eq!(media_type.parameter("type"), Some("application/soap+xml;action=\"x\""));
    assert_eq!(part.transfer_encoding(), TransferEncoding::Identity);
    assert_eq!(part.headers().get("x-other"), Some("a"));
    assert_eq!(part.headers().iter().count(), 3);
}

#[test]
fn white_space_before_the_xml_can_be_skipped() {
    let package = "--b\r\n\r\n\r\n \n\t\r\n<a/>\r\n--b--";
    for pieces in [1, 100] {
        let input = Pieces::new(package.as_bytes(), &[pieces]);
        let mut multipart =
            Multipart::with_content_type(input, "multipart/related;boundary=b", Limits::default()).unwrap();
        let mut part = multipart.next_part().unwrap().unwrap();
        part.skip_white_space().unwrap();
        let mut content = String::new();
        part.read_to_string(&mut content).unwrap();
        assert_eq!(content, "<a/>");
        part.skip_white_space().unwrap();
    }
}

#[test]
fn what_is_not_read_of_a_part_is_skipped() {
    let package = "--b\r\nContent-ID: <1>\r\n\r\nunread\r\n--b\r\nContent-ID: <2>\r\n\r\nhalf read\r\n\
        --b\r\nContent-Transfer-Encoding: base64\r\n\r\nnot looked at\r\n--b\r\nContent-ID: <4>\r\n\r\nread\r\n--b--";
    let mut multipart =
        Multipart::with_content_type(package.as_bytes(), "multipart/related;boundary=b", Limits::default())
            .unwrap();
    multipart.next_part().unwrap().unwrap();
    let mut second = multipart.next_part().unwrap().unwrap();
    assert_eq!(second.fill_buf().unwrap().first(), Some(&b'h'));
    second.consume(4);
    multipart.next_part().unwrap().unwrap();
    let mut last = String::new();
    multipart.next_part().unwrap().unwrap().read_to_string(&mut last).unwrap();
    assert_eq!(last, "read");
    assert!(multipart.next_part().unwrap().is_none());
    assert!(multipart.next_part().unwrap().is_none());
}

#[test]
fn a_media_type_that_is_none_is_refused() {
    let wrong = [
        "",
        "text",
        "text/",
        "/xml",
        "te xt/xml",
        "text/xml; a",
        "text/xml; =b",
        "text/xml; a=\"b",
        "text/xml; a=\"b\" c",
        "text/xml; a=b c",
        "text/xml; a=b; A=c",
        "text/xml; a=",
        "text/xml; a=\"b\\",
    ];
    for value in wrong {
        assert_eq!(code(MediaType::parse(value)), "mime.syntax", "{value:?}");
    }
    let right = MediaType::parse(" Text/XML ; a = \"x;\\\"y\" ;b=/+=;").unwrap();
    assert_eq!(right.essence(), "text/xml");
    assert_eq!((right.parameter("a"), right.parameter("b")), (Some("x;\"y"), Some("/+=")));
}

#[test]
fn what_stands_behind_the_last_boundary_is_counted() {
    for (behind, expected) in [("", 0), ("\r\n", 0), ("\r\nx", 1), ("\r\n\r\n", 2)] {
        let package = format!("{}{behind}", OSCI.trim_end());
        let mut reader = Multipart::with_inner_headers(package.as_bytes(), Limits::default()).unwrap();
        while reader.next_part().unwrap().is_some() {}
        assert_eq!(reader.epilogue(), expected, "{behind:?}");
    }
}
