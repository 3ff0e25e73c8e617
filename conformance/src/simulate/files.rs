//! Files that simulated senders attach, made byte for byte: PDF (ISO 32000-1) and TIFF 6.0. A large
//! one is made while it is sent and never stands in memory.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use openssl::sha::{Sha256, sha256};
use tokio::sync::oneshot;

/// Bytes of a large file that are made at a time.
const BLOCK: u64 = 256 * 1024;

/// Something to upload, with what proves it.
#[derive(Debug, Clone)]
pub struct Content {
    /// Name of the file.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Bytes(Bytes),
    Large(LargePdf),
}

impl Content {
    /// Bytes that are in memory.
    pub fn new(name: &str, media_type: &'static str, bytes: Vec<u8>) -> Self {
        Content {
            name: name.to_owned(),
            media_type,
            size: bytes.len() as u64,
            sha256: hex::encode(sha256(&bytes)),
            source: Source::Bytes(bytes.into()),
        }
    }

    /// A scanned plan as a PDF of about `megabytes` (10⁶ bytes).
    pub fn large(name: &str, megabytes: u32) -> Self {
        let pdf = LargePdf::new(megabytes);
        let mut digest = Sha256::new();
        let mut size = 0;
        for block in pdf.blocks() {
            digest.update(&block);
            size += block.len() as u64;
        }
        Content {
            name: name.to_owned(),
            media_type: "application/pdf",
            size,
            sha256: hex::encode(digest.finish()),
            source: Source::Large(pdf),
        }
    }

    /// The bytes in blocks, to be sent.
    pub fn stream(&self) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
        match &self.source {
            Source::Bytes(bytes) => {
                let bytes = bytes.clone();
                let blocks = (0..bytes.len()).step_by(BLOCK as usize);
                let cut = move |at: usize| bytes.slice(at..bytes.len().min(at + BLOCK as usize));
                stream::iter(blocks.map(move |at| Ok(cut(at)))).boxed()
            }
            Source::Large(pdf) => stream::iter(pdf.blocks().map(Ok)).boxed(),
        }
    }

    /// The first `bytes` or a little more, and then nothing, as from a sender whose line hangs. `reached`
    /// hears when they have been handed out.
    pub fn hanging(
        &self,
        bytes: u64,
        reached: oneshot::Sender<()>,
    ) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
        let mut sent = 0;
        let first = self.stream().take_while(move |block| {
            let more = sent < bytes;
            sent += block.as_ref().map_or(0, |block| block.len() as u64);
            std::future::ready(more)
        });
        let never = stream::once(async move {
            let _ = reached.send(());
            std::future::pending().await
        });
        first.chain(never).boxed()
    }

    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Large(_) => None,
        }
    }
}

/// A PDF of one page with `lines` of Latin-1 text.
pub fn pdf(lines: &[&str]) -> Vec<u8> {
    let mut text = b"BT /F1 11 Tf 60 780 Td 16 TL\n".to_vec();
    for line in lines {
        text.push(b'(');
        for character in line.chars() {
            if matches!(character, '(' | ')' | '\\') {
                text.push(b'\\');
            }
            text.push(u8::try_from(u32::from(character)).unwrap_or(b'?'));
        }
        text.extend(b") Tj T*\n");
    }
    text.extend(b"ET\n");
    let mut out = Pdf::begin();
    out.object("<< /Type /Catalog /Pages 2 0 R >>");
    out.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    out.object(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R \
         /Resources << /Font << /F1 4 0 R >> >> >>",
    );
    out.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    out.stream(&format!("<< /Length {} >>", text.len()), text.len() as u64, Some(&text));
    out.end()
}

/// A PDF in the making: its bytes so far and where its objects begin.
struct Pdf {
    bytes: Vec<u8>,
    /// Bytes that are not held in `bytes` because they are made while sending.
    left_out: u64,
    offsets: Vec<u64>,
}

impl Pdf {
    fn begin() -> Self {
        Pdf { bytes: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), left_out: 0, offsets: vec![] }
    }

    fn start(&mut self) {
        self.offsets.push(self.bytes.len() as u64 + self.left_out);
        self.bytes.extend(format!("{} 0 obj\n", self.offsets.len()).bytes());
    }

    fn object(&mut self, dictionary: &str) {
        self.start();
        self.bytes.extend(dictionary.bytes());
        self.bytes.extend(b"\nendobj\n");
    }

    /// An object with a stream. Without `content` its `length` bytes are left out here; returned is
    /// where they belong.
    fn stream(&mut self, dictionary: &str, length: u64, content: Option<&[u8]>) -> usize {
        self.start();
        self.bytes.extend(dictionary.bytes());
        self.bytes.extend(b"\nstream\n");
        let at = self.bytes.len();
        match content {
            Some(content) => self.bytes.extend(content),
            None => self.left_out += length,
        }
        self.bytes.extend(b"\nendstream\nendobj\n");
        at
    }

    fn end(mut self) -> Vec<u8> {
        let table = self.bytes.len() as u64 + self.left_out;
        let count = self.offsets.len() + 1;
        self.bytes.extend(format!("xref\n0 {count}\n0000000000 65535 f \n").bytes());
        for offset in &self.offsets {
            self.bytes.extend(format!("{offset:010} 00000 n \n").bytes());
        }
        let trailer = format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
        self.bytes.extend(trailer.bytes());
        self.bytes
    }
}

/// A page that shows one grey image of many megabytes, uncompressed, as some scanners write them.
#[derive(Debug, Clone)]
struct LargePdf {
    head: Bytes,
    pixels: u64,
    tail: Bytes,
}

impl LargePdf {
    fn new(megabytes: u32) -> Self {
        let (width, height) = (10_000_u64, u64::from(megabytes.max(1)) * 100);
        let pixels = width * height;
        let place = b"q 595 0 0 842 0 0 cm /I1 Do Q\n";
        let mut out = Pdf::begin();
        out.object("<< /Type /Catalog /Pages 2 0 R >>");
        out.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
        out.object(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
             /Resources << /XObject << /I1 5 0 R >> >> >>",
        );
        out.stream(&format!("<< /Length {} >>", place.len()), place.len() as u64, Some(place));
        let image = format!(
            "<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray \
             /BitsPerComponent 8 /Length {pixels} >>"
        );
        let at = out.stream(&image, pixels, None);
        let bytes = out.end();
        LargePdf { head: bytes[..at].to_vec().into(), pixels, tail: bytes[at..].to_vec().into() }
    }

    fn blocks(&self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let pixels = self.pixels;
        let middle =
            (0..pixels.div_ceil(BLOCK)).map(move |block| noise(block, BLOCK.min(pixels - block * BLOCK)));
        std::iter::once(self.head.clone()).chain(middle).chain(std::iter::once(self.tail.clone()))
    }
}

/// Bytes that do not compress and are the same for the same `seed` (xorshift64).
pub fn noise(seed: u64, length: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length as usize + 8);
    while (out.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length as usize);
    out.into()
}

/// A black-and-white TIFF of an A4 page at 150 dpi: the outline of a floor plan.
pub fn tiff() -> Vec<u8> {
    const WIDTH: u32 = 1_240;
    const HEIGHT: u32 = 1_754;
    const ROW: usize = WIDTH.div_ceil(8) as usize;
    let mut pixels = vec![0_u8; ROW * HEIGHT as usize];
    let mut dot = |x: u32, y: u32| pixels[y as usize * ROW + x as usize / 8] |= 0x80 >> (x % 8);
    for (left, top, right, bottom) in
        [(120, 150, 1_120, 1_500), (120, 150, 600, 800), (600, 800, 1_120, 1_500)]
    {
        for x in left..right {
            (0..4).for_each(|thick| [top, bottom].map(|y| dot(x, y + thick)).into_iter().for_each(drop));
        }
        for y in top..bottom {
            (0..4).for_each(|thick| [left, right].map(|x| dot(x + thick, y)).into_iter().for_each(drop));
        }
    }

    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    const RATIONAL: u16 = 5;
    // Header (8), pixels, two rationals (16), directory.
    let rationals = 8 + pixels.len() as u32;
    let entries: [(u16, u16, u32); 12] = [
        (256, LONG, WIDTH),
        (257, LONG, HEIGHT),
        (258, SHORT, 1),
        (259, SHORT, 1),
        (262, SHORT, 0),
        (273, LONG, 8),
        (277, SHORT, 1),
        (278, LONG, HEIGHT),
        (279, LONG, pixels.len() as u32),
        (282, RATIONAL, rationals),
        (283, RATIONAL, rationals + 8),
        (296, SHORT, 2),
    ];
    let mut out = b"II*\0".to_vec();
    out.extend((rationals + 16).to_le_bytes());
    out.extend(&pixels);
    for word in [150_u32, 1, 150, 1] {
        out.extend(word.to_le_bytes());
    }
    out.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend(0_u32.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collected(content: &Content) -> Vec<u8> {
        content.stream().map(|block| block.unwrap()).concat_bytes().await
    }

    trait ConcatBytes {
        async fn concat_bytes(self) -> Vec<u8>;
    }

    impl<S: futures::Stream<Item = Bytes> + Unpin> ConcatBytes for S {
        async fn concat_bytes(mut self) -> Vec<u8> {
            let mut all = vec![];
            while let Some(block) = self.next().await {
                all.extend(block);
            }
            all
        }
    }

    /// Every offset of the cross-reference table leads to the object that it names.
    fn assert_offsets(pdf: &[u8]) {
        let find = |needle: &[u8]| pdf.windows(needle.len()).rposition(|window| window == needle).unwrap();
        let table = find(b"xref\n0 ");
        let start: usize = String::from_utf8_lossy(&pdf[find(b"startxref\n") + 10..])
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(&pdf[start..start + 5], b"xref\n");
        let rows = String::from_utf8_lossy(&pdf[table..]).into_owned();
        for (number, row) in rows.lines().skip(3).take_while(|row| row.ends_with(" n ")).enumerate() {
            let offset: usize = row[..10].parse().unwrap();
            let head = format!("{} 0 obj\n", number + 1);
            assert_eq!(&pdf[offset..offset + head.len()], head.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_large_pdf_is_whole_and_its_digest_is_known_before_it_is_sent() {
        let content = Content::large("plan.pdf", 1);
        let bytes = collected(&content).await;
        assert_eq!(bytes.len() as u64, content.size);
        assert_eq!(hex::encode(sha256(&bytes)), content.sha256);
        assert_offsets(&bytes);
    }

    #[tokio::test]
    async fn small_content_streams_as_it_is() {
        let bytes = noise(1, 600_000).to_vec();
        let content = Content::new("a", "application/octet-stream", bytes.clone());
        assert_eq!(collected(&content).await, bytes);
    }

    #[test]
    fn a_small_pdf_is_whole() {
        assert_offsets(&pdf(&["Bauantrag (erfunden)", "Fläche: 12 m²"]));
    }

    #[test]
    fn a_tiff_s_directory_stands_where_its_header_says() {
        let tiff = tiff();
        let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
        assert_eq!(u16::from_le_bytes([tiff[directory], tiff[directory + 1]]), 12);
        assert_eq!(tiff.len(), directory + 2 + 12 * 12 + 4);
    }
}
