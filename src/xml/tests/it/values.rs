//! Values keep their lexical form.
use xml::value::{Boolean, Date, DateTime, Uuid};

#[test]
fn lexical_forms_are_kept() {
    for text in [
        "2024-02-29T23:59:59",
        "2024-02-29T23:59:59.1200Z",
        "0001-01-01T00:00:00-14:00",
        "1999-12-31T24:00:00",
        "2022-04-28T11:09:46.000+02:00",
    ] {
        assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
    }
    for text in ["2024-02-29", "2024-12-31Z", "2024-12-31+00:00", "2024-12-31-00:00"] {
        assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
    }
    for text in ["true", "false", "1", "0"] {
        assert_eq!(text.parse::<Boolean>().unwrap().to_string(), text);
    }
    for text in ["9fde4e7a-b41b-11ec-9225-005056871B7C", "9fde4e7a-b41b-11ec-9225-00505687|||C"] {
        assert_eq!(text.parse::<Uuid>().unwrap().to_string(), text);
    }
}

#[test]
fn what_is_no_value_is_refused() {
    for text in [
        "",
        "2023-02-29T00:00:00",
        "2024-01-01T24:00:01",
        "2024-01-01T00:00:60",
        "2024-01-01 00:00:00",
        "2024-01-01T00:00:00.",
        "2024-01-01T00:00:00+15:00",
        "2024-01-01T00:00:00+14:01",
        "2024-13-01T00:00:00",
        "\u{E4}\u{E4}\u{E4}\u{E4}\u{E4}\u{E4}",
    ] {
        assert!(text.parse::<DateTime>().is_err(), "{text}");
    }
    for text in ["2024-04-31", "0000-01-01", "2024-1-1", "+024-01-01", "2024-01-01T00:00:00"] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
    assert!("True".parse::<Boolean>().is_err());
    for text in [
        "",
        "9fde4e7a-b41b-11ec-9225-005056871b7",
        "9fde4e7ab41b11ec9225005056871b7c",
        "9fde4e7a-b41b-11ec-9225-005056871b7c-1",
    ] {
        assert!(text.parse::<Uuid>().is_err(), "{text}");
    }
}

#[test]
fn white_space_around_a_value_is_collapsed_and_uuids_ignore_case() {
    assert!(" 1\n".parse::<Boolean>().unwrap().value);
    let (a, b): (Uuid, Uuid) = (
        "ABCDEFAB-0000-0000-0000-000000000000".parse().unwrap(),
        " abcdefab-0000-0000-0000-000000000000 ".parse().unwrap(),
    );
    assert_eq!(a, b);
}
