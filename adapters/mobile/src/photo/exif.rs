//! What a camera wrote into a photograph (EXIF 2.32): how it was held, where and when. Place and time are proposals: anybody can write them. What
//! cannot be read is not there.

use std::io::Cursor;

use exif::{Exif, In, Reader, Tag, Value};

/// What the camera says of place and time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Latitude and longitude in millionths of a degree (WGS 84).
    pub place: Option<(i32, i32)>,
    /// When it was taken, `YYYY-MM-DDThh:mm:ss`, with the offset if the camera knows it.
    pub taken: Option<String>,
}

/// All that is read.
pub(super) struct Read {
    /// 1 to 8; 1 is upright.
    pub(super) orientation: u8,
    pub(super) proposal: Proposal,
}

pub(super) fn read(bytes: &[u8]) -> Read {
    let exif = Reader::new().read_from_container(&mut Cursor::new(bytes)).ok();
    let orientation = exif.as_ref().and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY));
    let orientation = orientation.and_then(|field| field.value.get_uint(0));
    let orientation = orientation.and_then(|it| u8::try_from(it).ok()).filter(|it| (1..=8).contains(it));
    let proposal = exif.as_ref().map(|exif| Proposal { place: place(exif), taken: taken(exif) });
    Read { orientation: orientation.unwrap_or(1), proposal: proposal.unwrap_or_default() }
}

fn place(exif: &Exif) -> Option<(i32, i32)> {
    let latitude = degrees(exif, (Tag::GPSLatitude, Tag::GPSLatitudeRef), (b'S', 90.0))?;
    let longitude = degrees(exif, (Tag::GPSLongitude, Tag::GPSLongitudeRef), (b'W', 180.0))?;
    // Cameras that do not know where they are say 0, 0.
    (latitude != 0 || longitude != 0).then_some((latitude, longitude))
}

fn degrees(exif: &Exif, (tag, side): (Tag, Tag), (negative, most): (u8, f64)) -> Option<i32> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let [degrees, minutes, seconds] = parts.as_slice() else { return None };
    let degrees = degrees.to_f64() + minutes.to_f64() / 60.0 + seconds.to_f64() / 3_600.0;
    let Value::Ascii(side) = &exif.get_field(side, In::PRIMARY)?.value else { return None };
    let sign = if side.first()?.first()? == &negative { -1.0 } else { 1.0 };
    let is_on_earth = degrees.is_finite() && (0.0..=most).contains(&degrees);
    is_on_earth.then(|| (sign * degrees * 1e6).round() as i32)
}

fn taken(exif: &Exif) -> Option<String> {
    let text = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => String::from_utf8(parts.first()?.clone()).ok(),
        _ => None,
    };
    let taken = text(Tag::DateTimeOriginal)?;
    let mut time = exif::DateTime::from_ascii(taken.as_bytes()).ok()?;
    if let Some(offset) = text(Tag::OffsetTimeOriginal) {
        _ = time.parse_offset(offset.as_bytes());
    }
    let exif::DateTime { year, month, day, hour, minute, second, offset, .. } = time;
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    let offset = offset.map(|minutes| {
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
    });
    let offset = offset.unwrap_or_default();
    is_time.then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exif::experimental::Writer;
    use exif::{Field, Rational};

    fn rational(parts: [(u32, u32); 3]) -> Value {
        Value::Rational(parts.map(|(num, denom)| Rational { num, denom }).to_vec())
    }

    fn ascii(text: &str) -> Value {
        Value::Ascii(vec![text.as_bytes().to_vec()])
    }

    /// A JPEG that is nothing but its EXIF.
    fn jpeg(values: &[(Tag, Value)]) -> Vec<u8> {
        let fields: Vec<Field> = values
            .iter()
            .map(|(tag, value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() })
            .collect();
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut tiff = Cursor::new(vec![]);
        writer.write(&mut tiff, false).unwrap();
        let tiff = tiff.into_inner();
        let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
        [b"\xff\xd8\xff\xe1", &length[..], b"Exif\0\0", &tiff, b"\xff\xd9"].concat()
    }

    #[test]
    fn place_time_and_orientation_are_read() {
        let bytes = jpeg(&[
            (Tag::Orientation, Value::Short(vec![8])),
            (Tag::GPSLatitude, rational([(51, 1), (34, 1), (1_680, 100)])),
            (Tag::GPSLatitudeRef, ascii("N")),
            (Tag::GPSLongitude, rational([(8, 1), (6, 1), (0, 1)])),
            (Tag::GPSLongitudeRef, ascii("W")),
            (Tag::DateTimeOriginal, ascii("2026:11:30 07:08:09")),
            (Tag::OffsetTimeOriginal, ascii("+01:00")),
        ]);
        let read = read(&bytes);
        assert_eq!(read.orientation, 8);
        assert_eq!(read.proposal.place, Some((51_571_333, -8_100_000)));
        assert_eq!(read.proposal.taken.as_deref(), Some("2026-11-30T07:08:09+01:00"));
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let wrong = jpeg(&[
            (Tag::Orientation, Value::Short(vec![9])),
            (Tag::GPSLatitude, rational([(51, 0), (34, 1), (0, 1)])),
            (Tag::GPSLatitudeRef, ascii("N")),
            (Tag::GPSLongitude, rational([(400, 1), (6, 1), (0, 1)])),
            (Tag::GPSLongitudeRef, ascii("E")),
            (Tag::DateTimeOriginal, ascii("soon")),
        ]);
        for bytes in [wrong, vec![], b"\xff\xd8\xff\xe1\xff\xffExif\0\0MM\0*\xff\xff\xff\xff".to_vec()] {
            let read = read(&bytes);
            assert_eq!((read.orientation, read.proposal), (1, Proposal::default()));
        }
    }
}
