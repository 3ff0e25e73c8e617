//! Metadata written and read again, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::samples::metadata;
use crate::v3::answer;

proptest! {
    #[test]
    fn what_is_written_is_read_again_without_loss(meta in metadata()) {
        let block = answer::block(|writer| write(writer, &meta)).unwrap();
        let mut reader = Reader::new(block.as_bytes(), xml::Limits::default());
        reader.next().unwrap();
        prop_assert_eq!(read(&mut reader, &Deviations::default()).unwrap(), meta);
    }

    #[test]
    fn metadata_that_are_cut_or_changed_anywhere_are_no_reason_to_panic(
        meta in metadata(), at in any::<prop::sample::Index>(), with in "[<>a-z/\"]{0,3}",
    ) {
        let block = answer::block(|writer| write(writer, &meta)).unwrap();
        let at = (0..=at.index(block.len())).rev().find(|at| block.is_char_boundary(*at)).unwrap();
        for changed in [block[..at].to_owned(), format!("{}{with}{}", &block[..at], &block[at..])] {
            let mut reader = Reader::new(changed.as_bytes(), xml::Limits::default());
            if reader.next().is_ok() && reader.depth() == 1 {
                let _ = read(&mut reader, &Deviations::default());
            }
        }
    }
}
