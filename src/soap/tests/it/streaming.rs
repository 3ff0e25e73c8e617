//! Memory and reading ahead stay bounded, whatever the size of a part.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;

use soap::mime::{Boundary, Limits, Multipart, NewPart, Writer};

const MEGABYTES: u64 = 64;
/// Read ahead: the buffer, and what a base64 decoder holds.
const AHEAD: u64 = 64 * 1024 + 32 * 1024;

/// An input that says how much was taken from it, and never gives more than it is asked for.
struct Counted<R> {
    input: R,
    taken: Rc<Cell<u64>>,
    largest: Rc<Cell<usize>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        self.largest.set(self.largest.get().max(target.len()));
        let read = self.input.read(target)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

/// Reads one large part and holds at every step what was taken against what was given out.
fn read_large(encoding: &str, content: impl Read, encoded_per_decoded: (u64, u64)) -> u64 {
    let head = format!("--b\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let input = head.as_bytes().chain(content).chain(&b"\r\n--b--\r\n"[..]);
    let (taken, largest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let counted = Counted { input, taken: Rc::clone(&taken), largest: Rc::clone(&largest) };
    let mut multipart =
        Multipart::with_content_type(counted, "multipart/related;boundary=b", Limits::default()).unwrap();
    let mut part = multipart.next_part().unwrap().unwrap();
    let mut target = vec![0; 10_000];
    let mut given = 0;
    loop {
        let read = part.read(&mut target).unwrap() as u64;
        if read == 0 {
            break;
        }
        given += read;
        let (encoded, decoded) = encoded_per_decoded;
        let ahead = (taken.get() - head.len() as u64).saturating_sub(given * encoded / decoded);
        assert!(ahead <= AHEAD, "{ahead} bytes are held");
    }
    assert!(largest.get() <= 64 * 1024);
    assert!(multipart.next_part().unwrap().is_none());
    given
}

#[test]
fn a_large_binary_part_is_never_held() {
    let bytes = MEGABYTES << 20;
    assert_eq!(read_large("binary", std::io::repeat(b'\n').take(bytes), (1, 1)), bytes);
}

#[test]
fn a_large_base64_part_is_never_held() {
    let characters = MEGABYTES << 20;
    assert_eq!(read_large("base64", std::io::repeat(b'A').take(characters), (4, 3)), characters / 4 * 3);
}

#[test]
fn the_writer_holds_nothing_back() {
    struct Counter(u64);
    impl Write for Counter {
        fn write(&mut self, content: &[u8]) -> std::io::Result<usize> {
            self.0 += content.len() as u64;
            Ok(content.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    let mut writer = Writer::osci(&mut counter, Boundary::from_random([1; 24])).unwrap();
    writer.begin(&NewPart::attachment("a").with_length(MEGABYTES << 20)).unwrap();
    std::io::copy(&mut std::io::repeat(7).take(MEGABYTES << 20), &mut writer).unwrap();
    writer.finish().unwrap();
    assert!(counter.0 > MEGABYTES << 20 && counter.0 < (MEGABYTES << 20) + 1_000);
}
