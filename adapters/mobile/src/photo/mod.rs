//! Photographs as citizens send them. What one is, its first bytes say, and nothing else. Size and pixels are bounded before anything is decoded;
//! decoding is done one at a time, on a thread that may block. What is published is never what came: the pixels are turned upright (EXIF 2.32,
//! tag 0x0112), made at most 2048 on a side and written anew as a JPEG, so that neither place, camera, thumbnail nor anything that hides behind
//! the picture is left.

mod exif;

use std::io::Cursor;
use std::sync::Arc;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use tokio::sync::Semaphore;

pub use self::exif::Proposal;

/// Longest side of what is published, in pixels.
const SIDE: u32 = 2_048;

/// Quality of what is published, in per cent.
const QUALITY: u8 = 85;

/// How many times fewer pixels a progressive JPEG may have: all of its coefficients are in memory beside the picture, up to six bytes for a pixel.
const PROGRESSIVE: u64 = 3;

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// HEIC, as telephones make it; kept, but never published, since nothing here decodes it.
    Heic,
}

impl Kind {
    /// `None` if it is no photograph, whatever it calls itself.
    pub fn of(bytes: &[u8]) -> Option<Kind> {
        let brand = || bytes.get(8..12);
        let heic: &[&[u8]] = &[b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"];
        if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Kind::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Kind::Png)
        } else if bytes.starts_with(b"RIFF") && brand() == Some(b"WEBP") {
            Some(Kind::Webp)
        } else if bytes.get(4..8) == Some(b"ftyp") && brand().is_some_and(|brand| heic.contains(&brand)) {
            Some(Kind::Heic)
        } else {
            None
        }
    }

    /// Media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Kind::Jpeg => "image/jpeg",
            Kind::Png => "image/png",
            Kind::Webp => "image/webp",
            Kind::Heic => "image/heic",
        }
    }

    /// How names of such files end.
    pub fn ending(self) -> &'static str {
        match self {
            Kind::Jpeg => "jpg",
            Kind::Png => "png",
            Kind::Webp => "webp",
            Kind::Heic => "heic",
        }
    }

    fn format(self) -> Option<ImageFormat> {
        match self {
            Kind::Jpeg => Some(ImageFormat::Jpeg),
            Kind::Png => Some(ImageFormat::Png),
            Kind::Webp => Some(ImageFormat::WebP),
            Kind::Heic => None,
        }
    }
}

/// A photograph that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Developed {
    /// A JPEG without metadata.
    pub jpeg: Vec<u8>,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// Makes photographs publishable, one at a time.
pub struct Studio {
    most_bytes: usize,
    most_pixels: u64,
    one: Arc<Semaphore>,
}

impl Studio {
    /// With these bounds for what comes, in bytes and pixels.
    pub fn new(most_bytes: usize, most_pixels: u64) -> Self {
        Studio { most_bytes, most_pixels, one: Arc::new(Semaphore::new(1)) }
    }

    /// Gives the bytes back with what may be published of them, if that can be made, and what the camera says of place and time.
    pub async fn develop(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<Developed>, Proposal) {
        if bytes.len() > self.most_bytes {
            return (bytes, None, Proposal::default());
        }
        let Ok(place) = Arc::clone(&self.one).acquire_owned().await else {
            return (bytes, None, Proposal::default());
        };
        let most = self.most_pixels;
        let bytes = Arc::new(bytes);
        let shared = Arc::clone(&bytes);
        let done = tokio::task::spawn_blocking(move || {
            let exif = exif::read(&shared);
            let developed = develop(&shared, most, exif.orientation);
            drop((place, shared));
            (developed, exif.proposal)
        });
        // A decoder that panics has decoded nothing.
        let (developed, proposal) = done.await.unwrap_or_default();
        (Arc::try_unwrap(bytes).unwrap_or_else(|shared| shared.to_vec()), developed, proposal)
    }
}

/// The picture, upright, small enough and without anything else; `None` if it cannot be decoded within the bounds.
fn develop(bytes: &[u8], most_pixels: u64, orientation: u8) -> Option<Developed> {
    let format = Kind::of(bytes)?.format()?;
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format).into_dimensions().ok()?;
    let pixels = u64::from(width) * u64::from(height);
    let is_progressive = format == ImageFormat::Jpeg && is_progressive(bytes);
    let most = if is_progressive { most_pixels / PROGRESSIVE } else { most_pixels };
    if pixels == 0 || pixels > most {
        return None;
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(width);
    limits.max_image_height = Some(height);
    limits.max_alloc = Some(most_pixels.saturating_mul(4));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut picture = reader.decode().ok()?;
    if picture.width().max(picture.height()) > SIDE {
        picture = picture.thumbnail(SIDE, SIDE);
    }
    if let Some(orientation) = Orientation::from_exif(orientation) {
        picture.apply_orientation(orientation);
    }
    let picture = on_white(picture);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture).ok()?;
    Some(Developed { jpeg, width: picture.width(), height: picture.height() })
}

/// Whether a JPEG may be progressive (ITU-T T.81, B.1.1.3, table B.1): what cannot be followed to its first scan may be.
fn is_progressive(jpeg: &[u8]) -> bool {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    loop {
        rest = match rest {
            // Marker bytes may be repeated.
            [0xff, 0xff, ..] => rest.get(1..).unwrap_or_default(),
            // No marker (B.1.1.2). The decoder passes over it, so what is a length here would be a marker there.
            [0xff, 0x00, ..] => return true,
            // Of an APP0 of this length it reads a byte more than there is.
            [0xff, 0xe0, 0x00, 0x06, ..] => return true,
            [0xff, 0xc2 | 0xc6 | 0xca | 0xce, ..] => return true,
            [0xff, 0xda, ..] => return false,
            [0xff, _, high, low, ..] => {
                rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default()
            }
            _ => return true,
        };
    }
}

/// Without transparency: what was not to be seen is not seen now.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (from, to) in picture.pixels().zip(flat.pixels_mut()) {
        let [red, green, blue, alpha] = from.0;
        let over = |value: u8| {
            let mixed = u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
            u8::try_from(mixed / 255).unwrap_or(u8::MAX)
        };
        *to = Rgb([over(red), over(green), over(blue)]);
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, Rgba, RgbaImage};

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn red_and_blue(width: u32, height: u32) -> DynamicImage {
        let half = width / 2;
        let colour = |x| if x < half { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) };
        RgbImage::from_fn(width, height, |x, _| colour(x)).into()
    }

    fn with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
        let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", tiff, &jpeg[2..]].concat()
    }

    /// A TIFF with the orientation alone.
    fn turned(orientation: u8) -> Vec<u8> {
        let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
        tiff
    }

    #[tokio::test]
    async fn what_is_published_is_upright_small_and_has_no_metadata() {
        let jpeg = with_exif(&written(&red_and_blue(3_000, 200), ImageFormat::Jpeg), &turned(6));
        let hidden = [&jpeg[..], b"<script>alert(1)</script>"].concat();
        let (bytes, developed, _) = Studio::new(1 << 20, 1 << 20).develop(hidden.clone()).await;
        assert_eq!(bytes, hidden);
        let developed = developed.unwrap();
        assert_eq!((developed.width, developed.height), (137, 2_048));
        let has = |what: &[u8]| developed.jpeg.windows(what.len()).any(|it| it == what);
        assert!(!has(b"Exif") && !has(b"<script>"));
        let picture = image::load_from_memory(&developed.jpeg).unwrap().into_rgb8();
        // Turned by a quarter: what was left is on top.
        let (top, bottom) = (picture.get_pixel(60, 100), picture.get_pixel(60, 1_900));
        assert!(top.0[0] > 200 && bottom.0[2] > 200);
    }

    #[tokio::test]
    async fn all_three_kinds_are_taken_and_what_is_transparent_stays_unseen() {
        let secret = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let bytes = written(&secret.clone().into(), format);
            let (_, developed, _) = Studio::new(1 << 20, 1 << 20).develop(bytes).await;
            let picture = image::load_from_memory(&developed.unwrap().jpeg).unwrap().into_rgb8();
            assert!(picture.pixels().all(|pixel| pixel.0.iter().all(|value| *value > 250)));
        }
    }

    #[tokio::test]
    async fn a_bomb_is_not_decoded() {
        // 60,000 by 60,000 pixels in a few bytes.
        let mut bytes = vec![];
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        image::ImageEncoder::write_image(encoder, &[0; 12], 2, 2, ExtendedColorType::Rgb8).unwrap();
        bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let studio = Studio::new(1 << 20, 24_000_000);
        assert_eq!(studio.develop(bytes).await.1, None);
        let too_many = written(&red_and_blue(100, 100), ImageFormat::Png);
        assert_eq!(Studio::new(1 << 20, 9_999).develop(too_many.clone()).await.1, None);
        assert_eq!(Studio::new(10, 1 << 20).develop(too_many).await.1, None);
    }

    #[test]
    fn a_progressive_jpeg_is_known() {
        let baseline = with_exif(&written(&red_and_blue(40, 30), ImageFormat::Jpeg), &turned(1));
        assert!(!is_progressive(&baseline));
        let mut progressive = baseline.clone();
        let frame = progressive.windows(2).position(|it| it == b"\xff\xc0").unwrap();
        progressive[frame + 1] = 0xc2;
        assert!(is_progressive(&progressive));
        for unclear in [&baseline[..30], b"\xff\xd8", b"", b"\xff\xd8\xff\xff\xff", b"\xff\xd8junk\xff\xc0"] {
            assert!(is_progressive(unclear));
        }
        // What the decoder reads as the frame of a progressive picture, and a reader of lengths as a way around it.
        let mut hidden = [b"\xff\xd8\xff\x00", &progressive[frame..frame + 2], &[0x11, 8]].concat();
        hidden.resize(4 + 0xffc2, 0);
        hidden.extend(b"\xff\xda\x00\x02");
        assert!(is_progressive(&hidden));
        assert!(is_progressive(b"\xff\xd8\xff\xe0\0\x061234\xff\xda\0\x02"));
        // 200 by 100 pixels are too many for one, and not for the other.
        let picture = written(&red_and_blue(200, 100), ImageFormat::Jpeg);
        assert!(develop(&picture, 20_000, 1).is_some());
        let mut progressive = picture;
        let frame = progressive.windows(2).position(|it| it == b"\xff\xc0").unwrap();
        progressive[frame + 1] = 0xc2;
        assert!(develop(&progressive, 20_000, 1).is_none());
    }

    #[test]
    fn what_is_no_photograph_is_none_whatever_it_is_called() {
        let svg: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>";
        for bytes in [svg, b"GIF89a", b"<html>", b"%PDF-1.7", b"MZ", b"", b"RIFF0000WAVE", b"0000ftypisom"] {
            assert_eq!(Kind::of(bytes), None);
        }
        assert_eq!(Kind::of(b"\0\0\0\x18ftypheic"), Some(Kind::Heic));
    }
}
