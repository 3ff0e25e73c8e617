//! What the writer writes the reader reads again, whatever the content and however it arrives.

use std::collections::BTreeMap;
use std::io::Write;

use proptest::prelude::*;
use soap::mime::{Boundary, Limits, Multipart, NewPart, OSCI_MESSAGE, Related, Writer};

use crate::{Pieces, Seen, osci_parts, parts};

const RANDOM: [u8; 24] = [0xfb; 24];
/// The boundary of these bytes, as content that wants to be taken for it would write it.
const BOUNDARY: &str = "--MIME_boundary_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7";

/// Content of pieces that could be mistaken for framing, with any bytes between them. A whole boundary line
/// is not among them: that is what its randomness rules out.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let lure = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        "--",
        "-",
        "\r\n--",
        "\n--MIME_boundary_",
        "\r\n--MIME_boundary_-_v7",
        "\0",
        " ",
        "Content-ID: <x>\r\n\r\n",
    ]);
    let cut = (1..BOUNDARY.len()).prop_map(|length| format!("\r\n{}", &BOUNDARY[..length]).into_bytes());
    let longer = "[A-Za-z0-9]{1,3}".prop_map(|more| format!("\r\n{BOUNDARY}{more}\r\n").into_bytes());
    let any = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop_oneof![lure.prop_map(|text| text.as_bytes().to_vec()), cut, longer, any];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn write_parts<W: Write>(
    mut writer: Writer<W>,
    message: &[u8],
    attachments: &BTreeMap<String, Vec<u8>>,
) -> W {
    writer.begin(&NewPart::osci_message()).unwrap();
    writer.write_all(message).unwrap();
    for (id, content) in attachments {
        let part = NewPart::attachment(id).with_length(content.len() as u64);
        writer.begin(&part).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap()
}

fn expected(message: &[u8], attachments: &BTreeMap<String, Vec<u8>>) -> Vec<Seen> {
    let message = (Some(OSCI_MESSAGE.to_owned()), message.to_vec());
    let attachments = attachments.iter().map(|(id, content)| (Some(id.clone()), content.clone()));
    std::iter::once(message).chain(attachments).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_comes_back_however_the_input_is_cut(
        message in content(),
        attachments in prop::collection::btree_map("[a-z0-9äß./+ @-]{1,8}[a-z]", content(), 0..4),
        sizes in prop::collection::vec(1..200_usize, 1..8),
    ) {
        let writer = Writer::osci(Vec::new(), Boundary::from_random(RANDOM)).unwrap();
        let attachments = attachments.into_iter().map(|(id, content)| (id.trim().to_owned(), content)).collect();
        let package = write_parts(writer, &message, &attachments);
        let read = osci_parts(Pieces::new(&package, &sizes)).unwrap();
        prop_assert_eq!(read, expected(&message, &attachments));
    }

    #[test]
    fn a_package_for_http_comes_back(message in content(), other in content(), info in "[ -~]{1,20}") {
        let boundary = Boundary::from_random(RANDOM);
        let related =
            Related { root_type: "text/xml", root_id: OSCI_MESSAGE, start_info: Some(&info) };
        let content_type = related.content_type(&boundary).unwrap();
        let attachments = BTreeMap::from([("a".to_owned(), other)]);
        let package = write_parts(Writer::http(Vec::new(), boundary), &message, &attachments);
        let read = Multipart::with_content_type(&package[..], &content_type, Limits::default()).unwrap();
        prop_assert_eq!(read.media_type().parameter("start-info"), Some(&info[..]));
        prop_assert_eq!(read.root_id().unwrap(), Some(OSCI_MESSAGE.to_owned()));
        prop_assert_eq!(parts(Ok(read)).unwrap(), expected(&message, &attachments));
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        mut input in prop::collection::vec(any::<u8>(), 0..300),
        lures in prop::collection::vec((0..300_usize, 0..6_usize), 0..20),
        sizes in prop::collection::vec(1..50_usize, 1..5),
    ) {
        let texts: [&[u8]; 6] = [b"\r\n--b\r\n", b"\r\n\r\n", b"--b", b"--b--", b"Content-ID: <1>\r\n", b"\n"];
        for (at, lure) in lures {
            let at = at.min(input.len());
            input.splice(at..at, texts[lure].iter().copied());
        }
        let package = [b"--b\r\n\r\n".as_slice(), &input].concat();
        let whole = format!("{:?}", crate::http_parts(&package[..]));
        prop_assert_eq!(format!("{:?}", crate::http_parts(Pieces::new(&package, &sizes))), whole);
    }
}
