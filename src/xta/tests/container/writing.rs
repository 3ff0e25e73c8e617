//! What is written is read again byte for byte, and what is no container is not written.

use proptest::prelude::*;
use xta::model::{Content, ContentRole};

use crate::{Pieces, Stored, code, plain, read, write};

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..6),
        texts in prop::collection::vec(prop::option::of("[ -~äöü€\t\n]{0,12}"), 6),
        sizes in prop::collection::vec(1_usize..300, 1..5),
        as_package in any::<bool>(),
    ) {
        let bytes: Vec<_> = contents.iter().map(Vec::as_slice).collect();
        let mut seen = plain(&bytes);
        if let Some((last, _)) = seen.last_mut() {
            let [description, encoding, file_name, id, language, media_type] = texts.try_into().unwrap();
            // What does not say what it is is told as bytes.
            let media_type = media_type.filter(|it| !it.is_empty());
            let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            *last = Content { role: last.role, size: Some(7), media_type, description, encoding, file_name, id, language };
        }
        let (content_type, body) = write(&Stored::new(&seen), as_package).unwrap();
        prop_assert_eq!(read(&content_type, Pieces::new(&body, &sizes)).unwrap(), seen);
    }
}

#[test]
fn a_size_of_nothing_is_left_out() {
    let mut seen = plain(&[b""]);
    seen[0].0.size = Some(0);
    let (content_type, body) = write(&Stored::new(&seen), false).unwrap();
    assert_eq!(read(&content_type, &body[..]).unwrap()[0].0.size, None);
}

#[test]
fn what_is_no_container_is_not_written() {
    let with_roles = |roles: &[ContentRole]| {
        let mut seen = plain(&vec![&b"x"[..]; roles.len()]);
        seen.iter_mut().zip(roles).for_each(|((content, _), role)| content.role = *role);
        seen
    };
    let (message, attachment, encrypted) =
        (ContentRole::Message, ContentRole::Attachment, ContentRole::Encrypted);
    for roles in [
        &[][..],
        &[message, message],
        &[attachment, message],
        &[message, encrypted],
        &[encrypted, attachment],
    ] {
        for as_package in [false, true] {
            assert_eq!(code(write(&Stored::new(&with_roles(roles)), as_package)), "mime.write", "{roles:?}");
        }
    }
}

#[test]
fn where_there_must_be_a_message_it_is_the_first_content() {
    let mut seen = plain(&[b"a", b"b"]);
    seen[0].0.role = ContentRole::Attachment;
    let (content_type, body) = write(&Stored::new(&seen), false).unwrap();
    seen[0].0.role = ContentRole::Message;
    assert_eq!(read(&content_type, &body[..]).unwrap(), seen);
}

#[test]
fn a_content_that_is_not_as_long_as_it_says_is_not_written() {
    for as_package in [false, true] {
        let mut stored = Stored::new(&plain(&[b"abc", b"def"]));
        stored.1[1] = b"de".to_vec();
        assert_eq!(code(write(&stored, as_package)), "mime.write");
    }
}
