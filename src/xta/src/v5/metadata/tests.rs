//! Metadata written and read again, in this version and by way of the other, and broken ones.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::Rules;
use crate::samples::metadata;
use crate::v3;
use crate::v3::answer::block;

fn written(meta: &MetaData) -> String {
    block(|writer| write(writer, meta, &mut Ids::default())).unwrap()
}

fn again(block: &str, rules: Rules) -> Result<MetaData> {
    let mut reader = Reader::new(block.as_bytes(), xml::Limits::default());
    reader.next()?;
    let seen = Deviations::default();
    let meta = read(&mut reader, &seen)?;
    seen.judge(rules)?;
    Ok(meta)
}

/// The same metadata where a size has to be said.
fn sized(meta: MetaData) -> MetaData {
    MetaData { size: Some(meta.size.unwrap_or(1)), ..meta }
}

fn ids(block: &str) -> Vec<&str> {
    block.split(" id=\"xta-").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_without_loss_whatever_version_it_came_by(meta in metadata()) {
        let meta = sized(meta);
        prop_assert_eq!(again(&written(&meta), Rules::Strict).unwrap(), meta);
    }

    #[test]
    fn metadata_come_through_the_other_version_and_back_without_loss(meta in metadata()) {
        let meta = sized(meta);
        let meta_there = again(&written(&meta), Rules::Strict).unwrap();
        let block = block(|writer| v3::metadata::write(writer, &meta_there)).unwrap();
        let mut reader = Reader::new(block.as_bytes(), xml::Limits::default());
        reader.next().unwrap();
        let by_v3 = v3::metadata::read(&mut reader, &Deviations::default()).unwrap();
        prop_assert_eq!(&by_v3, &meta);
        prop_assert_eq!(again(&written(&by_v3), Rules::Strict).unwrap(), meta);
    }

    #[test]
    fn no_id_stands_twice(one in metadata(), other in metadata()) {
        let mut all = Ids::default();
        let both = [&one, &other].map(|meta| block(|writer| write(writer, meta, &mut all)).unwrap()).concat();
        let found = ids(&both);
        prop_assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
        prop_assert!(found.len() > 10);
    }

    #[test]
    fn metadata_that_are_cut_or_changed_anywhere_are_no_reason_to_panic(
        meta in metadata(), at in any::<prop::sample::Index>(), with in "[<>a-z/\"]{0,3}",
    ) {
        let block = written(&meta);
        let at = (0..=at.index(block.len())).rev().find(|at| block.is_char_boundary(*at)).unwrap();
        for changed in [block[..at].to_owned(), format!("{}{with}{}", &block[..at], &block[at..])] {
            let _ = again(&changed, Rules::Strict);
        }
    }
}

#[test]
fn the_namespace_of_the_version_before_is_read_as_this_one() {
    let key = Key { code: "dvdv".into(), list: "urn:l".into(), version: "1".into(), name: None };
    let extension = Extension {
        identifier: "urn:e".into(),
        version: "1.0.0".into(),
        data: format!("<c:Data xmlns:c=\"{CORE}\"><c:inner></c:inner></c:Data>"),
    };
    let party = |id: &str| Party { id: id.into(), directory: Some(key.clone()), ..Party::default() };
    let meta = MetaData {
        author: party("ags:1"),
        reader: party("ags:2"),
        message_id: "urn:m".into(),
        message_type: Key { code: "0401".into(), ..Key::default() },
        payload_schema: "urn:s".into(),
        extensions: vec![extension],
        size: Some(1),
        ..MetaData::default()
    };
    let older = written(&meta).replace(CORE, OLDER);
    assert!(older.contains(OLDER) && !older.contains(CORE));
    assert_eq!(again(&older, Rules::Strict).unwrap(), meta);
}

#[test]
fn what_the_schema_demands_is_demanded_of_those_who_are_held_to_it() {
    let meta = sized(MetaData {
        author: Party { id: "ags:1".into(), ..Party::default() },
        reader: Party { id: "ags:2".into(), ..Party::default() },
        message_id: "urn:m".into(),
        message_type: Key { code: "0401".into(), ..Key::default() },
        payload_schema: "urn:s".into(),
        ..MetaData::default()
    });
    let block = written(&meta);
    for (from, to) in [
        (" id=\"xta-1\"", ""),
        ("<c:MessageSize>1</c:MessageSize>", ""),
        ("<c:BusinessScenario>", "<!-- "),
        ("<c:ServiceQuality id", "<!-- "),
    ] {
        let changed = match to {
            "" => block.replace(from, to),
            _ => {
                let name = from.trim_end_matches(" id").trim_end_matches('>').replace('<', "</") + ">";
                let (before, rest) = block.split_once(from).unwrap();
                format!("{before}{}", rest.split_once(&name).unwrap().1)
            }
        };
        assert_ne!(changed, block, "{from}");
        assert!(matches!(again(&changed, Rules::Strict), Err(Error::Malformed(_))), "{from}");
        assert!(again(&changed, Rules::Lenient).is_ok(), "{from}");
    }
}

#[test]
fn an_unknown_property_of_the_other_version_is_refused_rather_than_lost() {
    let key = Key { code: "urn:amtsbote:xta:v3:Unknown".into(), ..Key::default() };
    let meta = MetaData { properties: vec![(key, "x".into())], ..MetaData::default() };
    let mut whole = MetaData { message_id: "m".into(), payload_schema: "s".into(), ..meta };
    (whole.author.id, whole.reader.id) = ("a".into(), "b".into());
    whole.message_type.code = "t".into();
    assert!(matches!(again(&written(&whole), Rules::Strict), Err(Error::Malformed(_))));
}
