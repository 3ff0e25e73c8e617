//! Packages that were made to do harm.

use std::io::{Read, repeat};

use soap::mime::{Limits, Multipart};

use crate::{code, http_parts, osci_parts, parts};

/// The bytes of a text without end.
fn endless(text: &str) -> impl Read {
    let text = text.as_bytes().to_vec();
    let mut at = 0;
    struct Endless<F>(F);
    impl<F: FnMut() -> u8> Read for Endless<F> {
        fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
            target.fill_with(&mut self.0);
            Ok(target.len())
        }
    }
    Endless(move || {
        at = (at + 1) % text.len();
        text[at]
    })
}

#[test]
fn what_never_ends_is_refused_early() {
    let part = "--b\r\nContent-ID: <1>\r\n";
    let cases: Vec<(&str, Box<dyn Read>)> = vec![
        ("preamble", Box::new(endless("preamble\r\n"))),
        ("preamble without lines", Box::new(repeat(b'x'))),
        ("preamble of near-boundaries", Box::new(endless("--bx\r\n"))),
        ("headers", Box::new("--b\r\n".as_bytes().chain(endless("Some: thing\r\n")))),
        ("one header", Box::new("--b\r\nSome: ".as_bytes().chain(repeat(b'x')))),
        ("folded header", Box::new(part.as_bytes().chain(endless("\n \r")))),
        ("white space behind a boundary", Box::new("--b".as_bytes().chain(repeat(b' ')))),
        ("epilogue", Box::new("--b\r\n\r\nx\r\n--b--\r\n".as_bytes().chain(endless("more\r\n")))),
        ("parts", Box::new("--b\r\n\r\n".as_bytes().chain(endless("\n--b\r\n\r")))),
    ];
    for (what, input) in cases {
        // A reader that took more than a gigabyte would meet the limit of this.
        let answer = code(http_parts(input.take(1 << 30)));
        assert!(["mime.limit", "mime.syntax"].contains(&answer), "{what}: {answer}");
    }
    for empty in ["\r\n", "\r", "\n"] {
        assert_eq!(code(osci_parts(endless(empty))), "mime.limit");
    }
    assert_eq!(code(osci_parts(repeat(0))), "mime.limit");
}

fn many_parts(count: usize) -> Vec<u8> {
    let mut package = Vec::new();
    for number in 0..count {
        package.extend_from_slice(format!("--b\r\nContent-ID: <{number}>\r\n\r\nx\r\n").as_bytes());
    }
    package.extend_from_slice(b"--b--\r\n");
    package
}

#[test]
fn ten_thousand_attachments_are_taken_and_one_more_is_refused() {
    assert_eq!(http_parts(&many_parts(10_001)[..]).unwrap().len(), 10_001);
    assert_eq!(code(http_parts(&many_parts(10_002)[..])), "mime.limit");
    let limits = Limits { parts: 3, ..Limits::default() };
    let read = |count| {
        let package = many_parts(count);
        code(parts(Multipart::with_content_type(&package[..], "multipart/related;boundary=b", limits)))
    };
    assert_eq!((read(3), read(4)), ("ok", "mime.limit"));
}

#[test]
fn a_message_may_have_exactly_its_limit_of_bytes() {
    let package = many_parts(2);
    let read = |total_bytes| {
        let limits = Limits { total_bytes, ..Limits::default() };
        code(parts(Multipart::with_content_type(&package[..], "multipart/related;boundary=b", limits)))
    };
    let length = package.len() as u64;
    assert_eq!((read(length), read(length - 1)), ("ok", "mime.limit"));
}

#[test]
fn a_header_block_may_have_exactly_its_limits() {
    let block = |headers: usize, bytes: usize| {
        let mut block = "a: b\r\n".repeat(headers - 1);
        let filler = bytes - block.len() - "c: \r\n".len() - 2;
        block.push_str(&format!("c: {}\r\n\r\n", "x".repeat(filler)));
        code(http_parts(format!("--b\r\n{block}x\r\n--b--").as_bytes()))
    };
    assert_eq!((block(64, 1000), block(65, 1000)), ("ok", "mime.limit"));
    assert_eq!((block(2, 16 * 1024), block(2, 16 * 1024 + 1)), ("ok", "mime.limit"));
}

#[test]
fn what_stands_around_the_parts_may_have_exactly_its_limit() {
    let around = |before: usize, behind: usize| {
        let (before, behind) = ("x".repeat(before), "y".repeat(behind));
        code(http_parts(format!("{before}\r\n--b\r\n\r\nx\r\n--b--\r\n{behind}").as_bytes()))
    };
    assert_eq!(
        (around(65_536, 65_536), around(65_537, 0), around(0, 65_537)),
        ("ok", "mime.limit", "mime.limit")
    );
}

#[test]
fn a_boundary_that_is_none_is_refused() {
    let with = |boundary: &str| {
        let content_type = format!("multipart/related; boundary=\"{boundary}\"");
        let package = format!("--{boundary}\r\n\r\nx\r\n--{boundary}--\r\n");
        code(parts(Multipart::with_content_type(package.as_bytes(), &content_type, Limits::default())))
    };
    for boundary in ["", "a\r\nb", "a\0", "a\tb", "ä", "a ", &"x".repeat(201)] {
        assert_eq!(with(boundary), "mime.boundary", "{boundary:?}");
    }
    for boundary in ["-", "--", "a b", "a/b+c=?", "'()+_,-./:=?", &"x".repeat(200)] {
        assert_eq!(with(boundary), "ok", "{boundary:?}");
    }
}

#[test]
fn a_boundary_inside_the_headers_does_not_end_them() {
    let hidden = "--b\r\nContent-ID: <1>\r\n--b--\r\n";
    assert_eq!(code(http_parts(hidden.as_bytes())), "mime.syntax");
    let folded = "--b\r\nContent-ID: <1>\r\n --b\r\n\r\nx\r\n--b--\r\n";
    assert_eq!(code(http_parts(folded.as_bytes())), "mime.syntax");
    let value = "--b\r\nX: --b--\r\nContent-ID: <1>\r\n\r\nx\r\n--b--\r\n";
    assert_eq!(code(http_parts(value.as_bytes())), "ok");
}

#[test]
fn headers_that_two_readers_could_see_differently_are_refused() {
    let blocks = [
        "Content-ID: <1>\r\ncontent-id: <2>",
        "Content-Type: text/xml\r\nContent-Type: text/plain",
        "Content-Transfer-Encoding: 8bit\r\ncontent-transfer-encoding: base64",
        "Content-ID : <1>",
        "Content-ID",
        ": x",
        " Content-ID: <1>",
        "Content-ID: <1\0>",
        "Content-ID: <1>\0",
        "Content-\0ID: <1>",
        "Content-ID: <1>\r X: y",
        "X: a\u{7f}",
        "X: a\u{85}b",
        "Content-ID: <<1>>",
        "Content-ID: <>",
        "Content-ID: < 1 >",
        "Content-ID:",
        "Content-Type:",
        "Contént-ID: <1>",
    ];
    for block in blocks {
        let package = format!("--b\r\n{block}\r\n\r\nx\r\n--b--\r\n");
        assert_eq!(code(http_parts(package.as_bytes())), "mime.syntax", "{block:?}");
    }
    assert_eq!(code(http_parts(&b"--b\r\nX: \xe4\r\n\r\nx\r\n--b--\r\n"[..])), "mime.syntax");
}

#[test]
fn parts_that_cannot_be_told_apart_or_read_are_refused() {
    let package = |first: &str, second: &str| {
        format!("--b\r\n{first}\r\n\r\nx\r\n--b\r\n{second}\r\n\r\ny\r\n--b--\r\n").into_bytes()
    };
    let cases = [
        ("Content-ID: <1>", "Content-ID: <1>", "mime.duplicate-id"),
        ("Content-ID: <1>", "Content-Id: 1", "mime.duplicate-id"),
        ("Content-ID: <1>", "Content-Type: multipart/related; boundary=c", "mime.nested"),
        ("Content-ID: <1>", "Content-Type: Multipart/Mixed; boundary=b", "mime.nested"),
        ("Content-ID: <1>", "Content-Transfer-Encoding: quoted-printable", "mime.encoding"),
        ("Content-ID: <1>", "Content-Transfer-Encoding: x-gzip", "mime.encoding"),
        ("Content-ID: <1>", "Content-ID: <2>", "ok"),
    ];
    for (first, second, expected) in cases {
        assert_eq!(code(http_parts(&package(first, second)[..])), expected, "{second}");
    }
}

#[test]
fn what_is_no_package_is_refused() {
    let cases = [
        ("", "mime.truncated"),
        ("hello, this is no package", "mime.truncated"),
        ("hello, this is no package\r\n", "mime.syntax"),
        ("MIME-Version: 1.0\r\n\r\nx", "mime.not-multipart"),
        ("Content-Type: text/xml\r\n\r\n<a/>", "mime.not-multipart"),
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--", "mime.not-multipart"),
        ("Content-Type: multipart/related\r\n\r\n--b\r\n\r\n--b--", "mime.boundary"),
        ("Content-Type: multipart/related; boundary=a; Boundary=b\r\n\r\n--b\r\n\r\n--b--", "mime.syntax"),
        ("Content-Type: multipart/related; boundary=b\r\n\r\n--b--\r\n", "mime.syntax"),
        ("Content-Type: multipart/related; boundary=b\r\n\r\nno boundary at all", "mime.truncated"),
        ("\0\0\0\0\r\n\r\n", "mime.syntax"),
    ];
    for (package, expected) in cases {
        assert_eq!(code(osci_parts(package.as_bytes())), expected, "{package:?}");
    }
}

#[test]
fn after_an_error_nothing_more_is_given_out() {
    let package = "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n????\r\n--b\r\n\r\nx\r\n--b--";
    let mut multipart =
        Multipart::with_content_type(package.as_bytes(), "multipart/related;boundary=b", Limits::default())
            .unwrap();
    let mut part = multipart.next_part().unwrap().unwrap();
    let mut content = Vec::new();
    assert!(part.read_to_end(&mut content).is_err());
    assert!(part.read_to_end(&mut content).is_err());
    assert!(multipart.next_part().is_err());
    assert!(multipart.next_part().is_err());
    assert!(content.is_empty());

    let cut = "--b\r\n\r\nSome content that is longer than a delimiter";
    let mut multipart =
        Multipart::with_content_type(cut.as_bytes(), "multipart/related;boundary=b", Limits::default())
            .unwrap();
    let mut part = multipart.next_part().unwrap().unwrap();
    assert!(part.read_to_end(&mut content).is_err());
    assert!(part.read(&mut [0]).is_err());
}

#[test]
fn no_text_of_an_error_repeats_what_came_from_outside() {
    let secret = "geheim";
    let packages = [
        format!("Content-Type: {secret}\r\n\r\n"),
        format!("{secret}: {secret}\0\r\n\r\n"),
        format!("Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-ID: <{secret}<>\r\n\r\n"),
        format!(
            "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: {secret}\r\n\r\n"
        ),
    ];
    for package in packages {
        let error = osci_parts(package.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn after_a_failure_of_the_source_reading_does_not_go_on() {
    /// Fails in the middle, once.
    struct Failing(Vec<&'static [u8]>);
    impl Read for Failing {
        fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
            match self.0.pop() {
                Some(b"") => Err(std::io::ErrorKind::ConnectionReset.into()),
                Some(mut piece) => piece.read(target),
                None => Ok(0),
            }
        }
    }
    let input = Failing(vec![b"lost\r\n--b--\r\n", b"", b"--b\r\n\r\nsome content "]);
    let mut multipart =
        Multipart::with_content_type(input, "multipart/related;boundary=b", Limits::default()).unwrap();
    let mut part = multipart.next_part().unwrap().unwrap();
    let mut content = Vec::new();
    let error = part.read_to_end(&mut content).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(part.read_to_end(&mut content).is_err());
    assert!(multipart.next_part().is_err());
}
