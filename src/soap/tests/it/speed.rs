//! How fast packages are read and written. A measurement, not a test: run with
//! `cargo test --release -p amtsbote-soap --test it -- --ignored --nocapture`.

use std::io::{BufRead, Cursor, Read, Write};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use soap::mime::{Boundary, Limits, Multipart, NewPart, Writer};

const MEGABYTES: usize = 300;

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    bytes
}

fn speed(bytes: usize, since: Instant) -> String {
    format!("{:.0} MB/s", bytes as f64 / 1e6 / since.elapsed().as_secs_f64())
}

fn read(encoding: &str, content: &[u8]) -> usize {
    let head = format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let input = Cursor::new(head).chain(content).chain(&b"\r\n--b--\r\n"[..]);
    let mut package =
        Multipart::with_content_type(input, "multipart/related; boundary=b", Limits::default()).unwrap();
    let mut part = package.next_part().unwrap().unwrap();
    let mut total = 0;
    loop {
        let bytes = part.fill_buf().unwrap().len();
        if bytes == 0 {
            return total;
        }
        total += bytes;
        part.consume(bytes);
    }
}

#[test]
#[ignore = "a measurement"]
fn reading_and_writing() {
    let content = random_bytes(MEGABYTES << 20);
    let start = Instant::now();
    assert_eq!(read("binary", &content), content.len());
    println!("reading a binary part: {}", speed(content.len(), start));

    let mut encoded = String::new();
    for line in content.chunks(57) {
        STANDARD.encode_string(line, &mut encoded);
        encoded.push_str("\r\n");
    }
    let start = Instant::now();
    assert_eq!(read("base64", encoded.as_bytes()), content.len());
    println!("reading a base64 part (decoded bytes): {}", speed(content.len(), start));

    let start = Instant::now();
    let sink = std::io::BufWriter::with_capacity(64 * 1024, Vec::with_capacity(content.len() + 1_000));
    let mut writer = Writer::osci(sink, Boundary::from_random([1; 24])).unwrap();
    writer.begin(&NewPart::attachment("a").with_length(content.len() as u64)).unwrap();
    for piece in content.chunks(16 * 1024) {
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap();
    println!("writing a binary part into memory: {}", speed(content.len(), start));
}
