//! Memory stays bounded, whatever the size of a content: no more is taken from the connection than was handed on.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use soap::message::{Limits, open};
use xta::model::Content;
use xta::server::backend::Taking;
use xta::{Result, container};

use crate::{BARE, PACKAGE, contents, envelope};

const BYTES: u64 = 1 << 30;
/// Most bytes that are held: buffers of the package, the XML and the decoder.
const AHEAD: u64 = 256 * 1024;

/// An input that says how much was taken from it.
struct Counted<R> {
    input: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        assert!(target.len() <= 64 * 1024, "no buffer grows");
        let read = self.input.read(target)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

/// Counts what it is given, and holds it against what was taken.
struct Counting {
    taken: Rc<Cell<u64>>,
    given: u64,
    /// Bytes on the wire for so many bytes of content.
    ratio: (u64, u64),
}

impl Taking for Counting {
    fn content(&mut self, _: usize, _: &Content) -> Result<&mut dyn Write> {
        Ok(self)
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(bytes.len() <= 128 * 1024, "no buffer grows");
        self.given += bytes.len() as u64;
        let (wire, content) = self.ratio;
        let ahead = self.taken.get().saturating_sub(self.given * wire / content);
        assert!(ahead <= AHEAD, "{ahead} bytes are held");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a message whose content repeats a byte at the place of `@`; the bytes that came out.
fn stream(content_type: &str, message: &str, wire_bytes: u64, ratio: (u64, u64)) -> u64 {
    let (before, behind) = message.split_once('@').unwrap();
    let content = io::repeat(b'A').take(wire_bytes);
    let input = before.as_bytes().chain(content).chain(behind.as_bytes());
    let taken = Rc::new(Cell::new(0));
    let mut incoming =
        open(content_type, Counted { input, taken: Rc::clone(&taken) }, Limits::default()).unwrap();
    incoming.header().unwrap();
    let mut counting = Counting { taken, given: 0, ratio };
    container::read(&mut incoming, &mut counting, &container::Limits::default(), xta::model::Version::V3)
        .unwrap();
    counting.given
}

fn packed(root: &str) -> String {
    format!(
        "--b_end_b\r\nContent-Type: application/xop+xml\r\nContent-ID: <root>\r\n\r\n{root}\
        \r\n--b_end_b\r\nContent-ID: <p>\r\n\r\n@\r\n--b_end_b--\r\n"
    )
}

const ENCRYPTED: &str = "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:CipherValue>@</e:CipherValue></e:EncryptedData>";

#[test]
fn base64_in_the_envelope_is_never_held() {
    let message = contents("<x:Message contentType=\"a/b\">@</x:Message>");
    assert_eq!(stream(BARE, &message, BYTES / 4, (4, 3)), BYTES / 16 * 3);
}

#[test]
fn a_gigabyte_in_a_part_is_never_held() {
    let root = contents("<x:Message contentType=\"a/b\"><i:Include href=\"cid:p\"/></x:Message>");
    assert_eq!(stream(PACKAGE, &packed(&root), BYTES, (1, 1)), BYTES);
}

#[test]
fn encrypted_data_are_never_held() {
    assert!(stream(BARE, &envelope(ENCRYPTED), BYTES / 4, (1, 1)) > BYTES / 4);
    let root = envelope(&ENCRYPTED.replace('@', "<i:Include href=\"cid:p\"/>"));
    assert!(stream(PACKAGE, &packed(&root), BYTES / 8, (3, 4)) > BYTES / 6);
}

#[test]
fn white_space_is_never_held() {
    let message = contents("<x:Message contentType=\"a/b\">@</x:Message>");
    let (before, behind) = message.split_once('@').unwrap();
    let input = before.as_bytes().chain(io::repeat(b' ').take(BYTES / 4)).chain(behind.as_bytes());
    let taken = Rc::new(Cell::new(0));
    let mut incoming = open(BARE, Counted { input, taken: Rc::clone(&taken) }, Limits::default()).unwrap();
    incoming.header().unwrap();
    let mut counting = Counting { taken, given: 0, ratio: (1, 1) };
    container::read(&mut incoming, &mut counting, &container::Limits::default(), xta::model::Version::V3)
        .unwrap();
    assert_eq!(counting.given, 0);
}
