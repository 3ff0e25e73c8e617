//! Hostile bytes.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::read(&bytes);
    }
}

#[test]
fn what_is_no_record_is_told_by_its_fault() {
    assert_eq!(Record::read(b""), Err(Fault::Malformed));
    assert_eq!(Record::read(&[0x30, 3, 2, 1, 0]), Err(Fault::Version));
    assert_eq!(Record::read(&[0x30, 3, 2, 1, 1]), Err(Fault::Malformed));
    assert_eq!(Record::read(&[0x30, 7, 2, 1, 1, 0x30, 0, 0x30, 0]), Err(Fault::Malformed), "no chain");
    assert_eq!(Record::read(&[0x30, 9, 2, 1, 1, 0x30, 0, 0xa0, 0, 0x30, 0]), Err(Fault::Encrypted));
}
