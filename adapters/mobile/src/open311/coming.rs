//! How a form comes: `application/x-www-form-urlencoded`, or in parts (`multipart/form-data`, RFC 7578). Its beginning is read without
//! further ado; what is larger comes piece by piece, each with a place in memory of its own, and callers who have said their key by
//! then, in the query or ahead of the photographs, have places that nobody else takes. So a form that is only announced takes none.

use std::convert::Infallible;
use std::io::Cursor;
use std::time::{Duration, Instant};

use futures::stream;
use model::adapter::Content;
use multer::Multipart;
use tokio::io::AsyncReadExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::ReaderStream;

use super::Refusal;
use super::form::Form;
use super::places::Places;

/// Bytes of a form that are read of anybody: there is place for as many as there are connections.
const HEAD: usize = 16 * 1024;

/// Largest form, in bytes.
const FORM_BYTES: u64 = 16 * 1024 * 1024;

/// Memory for forms whose senders are known, and for all others, in KiB: no form takes more than a quarter.
const MEMORY: u32 = 64 * 1024;

/// Bytes for which a place is taken at once: nobody waits until there is one for a whole form.
const PIECE: u64 = 64 * 1024;

/// Forms that are decoded at the same time, of each of the two: decoded, and decoded from base64, one takes up to twice its size more.
const DECODED: u32 = 1;

/// How long a form is waited for, and with how many bytes whoever is known earns another second.
const PATIENCE: Duration = Duration::from_secs(30);
const A_SECOND: u64 = 16 * 1024;

/// How a form is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Encoded,
    /// In parts, with this boundary.
    Parts(String),
}

/// What is left of the patience with a form. Waiting uses it up, and what has come gives some of it back, but never more than there was:
/// whoever was fast may not linger for it.
struct Patience {
    left: Duration,
    is_known: bool,
}

impl Patience {
    fn new(is_known: bool) -> Self {
        Patience { left: PATIENCE, is_known }
    }

    fn earned(&self, bytes: u64) -> Duration {
        if self.is_known { Duration::from_secs(bytes / A_SECOND) } else { Duration::ZERO }
    }

    /// How long a piece of so many bytes may take.
    fn within(&self, bytes: u64) -> Duration {
        self.left + self.earned(bytes)
    }

    /// So many bytes have taken so long.
    fn came(&mut self, bytes: u64, took: Duration) {
        self.left = self.within(bytes).saturating_sub(took).min(PATIENCE);
    }
}

/// A form that has begun to come.
pub(crate) struct Coming {
    form: Form,
    written: Written,
    head: Vec<u8>,
    rest: Content,
    bytes: u64,
}

impl Coming {
    /// Reads the beginning of a form, behind what the query of its request says.
    ///
    /// # Errors
    /// 400 if it is none, or breaks off.
    pub(crate) async fn begin(
        query: &str,
        headers: &[(String, String)],
        mut rest: Content,
    ) -> Result<Coming, Refusal> {
        let form = Form::query(query)?;
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, it)| it.as_str());
        let kind = header("content-type").unwrap_or("application/x-www-form-urlencoded");
        let written = match multer::parse_boundary(kind) {
            Ok(boundary) => Written::Parts(boundary),
            Err(_) if kind.starts_with("application/x-www-form-urlencoded") => Written::Encoded,
            Err(_) => {
                let expected = "expected application/x-www-form-urlencoded or multipart/form-data";
                return Err(Refusal::bad(expected));
            }
        };
        let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > FORM_BYTES) {
            return Err(Refusal::bad("the form is too large"));
        }
        let mut head = vec![];
        let read = (&mut rest).take(HEAD as u64).read_to_end(&mut head).await;
        read.map_err(|_| Refusal::bad("the form is not complete"))?;
        Ok(Coming { form, written, head, rest, bytes: length.unwrap_or(FORM_BYTES) })
    }

    /// Whether the beginning is all.
    pub(crate) fn is_whole(&self) -> bool {
        self.head.len() < HEAD
    }

    /// The `api_key`, if it has been said by now.
    pub(crate) fn key(&self) -> impl Future<Output = Option<String>> + Send + use<> {
        let query = self.form.get("api_key").map(str::to_owned);
        let (key, parts) = match &self.written {
            Written::Encoded => (query.or_else(|| self.key_encoded()), None),
            Written::Parts(boundary) => (query, Some((self.head.clone(), boundary.clone()))),
        };
        async move {
            match (key, parts) {
                (None, Some((head, boundary))) => key_in_parts(head, boundary).await,
                (key, _) => key,
            }
        }
    }

    fn key_encoded(&self) -> Option<String> {
        // What comes last may be cut off.
        let end = if self.is_whole() { None } else { self.head.iter().rposition(|it| *it == b'&') };
        let head = self.head.get(..end.unwrap_or(self.head.len()))?;
        let mut named = form_urlencoded::parse(head).filter(|(name, _)| name == "api_key");
        named.find_map(|(_, value)| said(&value))
    }
}

async fn key_in_parts(head: Vec<u8>, boundary: String) -> Option<String> {
    let mut parts = Multipart::new(ReaderStream::new(Cursor::new(head)), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        let is_named = part.name() == Some("api_key");
        // What comes last may be cut off.
        let text = part.text().await.ok()?;
        if let Some(key) = said(&text).filter(|_| is_named) {
            return Some(key);
        }
    }
    None
}

/// What is empty was not said.
fn said(value: &str) -> Option<String> {
    Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Reads forms.
pub(crate) struct Forms {
    /// Places for a KiB each.
    memory: Places,
    decoded: Places,
    photo_bytes: usize,
}

impl Forms {
    /// For photographs of at most so many bytes.
    pub(crate) fn new(photo_bytes: usize) -> Self {
        Forms { memory: Places::new(MEMORY), decoded: Places::new(DECODED), photo_bytes }
    }

    /// Reads what is still to come of a form.
    ///
    /// # Errors
    /// 400 if it is none, or too large; 408 if it comes too slowly; 503 if there is no memory for it.
    pub(crate) async fn read(&self, mut coming: Coming, is_known: bool) -> Result<Form, Refusal> {
        let is_whole = coming.is_whole();
        let mut pieces = vec![std::mem::take(&mut coming.head)];
        let mut decoded = None;
        if !is_whole {
            coming.form.places = self.rest(&mut pieces, &mut coming.rest, coming.bytes, is_known).await?;
            decoded = Some(self.decoded.take(1, is_known).await?);
        }
        let mut form = coming.form;
        match coming.written {
            Written::Encoded => form.add(&joined(pieces), self.photo_bytes)?,
            Written::Parts(boundary) => self.parts(&mut form, boundary, pieces).await?,
        }
        drop(decoded);
        Ok(form)
    }

    /// Adds to the beginning of a form of at most so many bytes what is still to come of it.
    async fn rest(
        &self,
        pieces: &mut Vec<Vec<u8>>,
        rest: &mut Content,
        bytes: u64,
        is_known: bool,
    ) -> Result<Vec<OwnedSemaphorePermit>, Refusal> {
        let begun: usize = pieces.iter().map(Vec::len).sum();
        let (mut places, mut patience) = (vec![], Patience::new(is_known));
        // The byte behind the last one shows that there is none.
        let mut left = (bytes + 1).saturating_sub(begun as u64);
        while left > 0 {
            let most = left.min(PIECE);
            places.push(self.memory.take(most.div_ceil(1_024), is_known).await?);
            let mut piece = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
            let since = Instant::now();
            let mut reader = (&mut *rest).take(most);
            let read = tokio::time::timeout(patience.within(most), reader.read_to_end(&mut piece)).await;
            let slow = |_| Refusal::new(408, "the form came too slowly: say api_key first, then photographs");
            read.map_err(slow)?.map_err(|_| Refusal::bad("the form is not complete"))?;
            let came = piece.len() as u64;
            patience.came(came, since.elapsed());
            pieces.push(piece);
            if came < most {
                return Ok(places);
            }
            left -= came;
        }
        Err(Refusal::bad("the form is too large"))
    }

    async fn parts(&self, form: &mut Form, boundary: String, pieces: Vec<Vec<u8>>) -> Result<(), Refusal> {
        // Each is free again once it was read.
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        let mut parts = Multipart::new(pieces, boundary);
        let wrong = |_| Refusal::bad("the form is not complete, or a part of it is too large");
        while let Some(part) = parts.next_field().await.map_err(wrong)? {
            let name = part.name().unwrap_or_default().to_owned();
            let is_text = part.content_type().is_none_or(|kind| kind.as_ref().starts_with("text/"));
            let is_file = part.file_name().is_some() || !is_text;
            let bytes = Vec::from(part.bytes().await.map_err(wrong)?);
            if is_file {
                form.photo(bytes, self.photo_bytes)?;
                continue;
            }
            match String::from_utf8(bytes) {
                Ok(text) => form.said_so(&name, text, self.photo_bytes)?,
                Err(other) if name == "media" => form.photo(other.into_bytes(), self.photo_bytes)?,
                Err(_) => return Err(Refusal::bad("the form is not UTF-8")),
            }
        }
        Ok(())
    }
}

/// All pieces as one, without a second copy of them all.
fn joined(pieces: Vec<Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::with_capacity(pieces.iter().map(Vec::len).sum());
    for piece in pieces {
        all.extend(piece);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: &str, length: usize) -> Vec<(String, String)> {
        vec![("content-type".to_owned(), kind.to_owned()), ("content-length".to_owned(), length.to_string())]
    }

    async fn begun(query: &str, kind: &str, body: &[u8]) -> Coming {
        let body: Content = Box::new(Cursor::new(body.to_vec()));
        let length = 20_000;
        Coming::begin(query, &header(kind, length), body).await.unwrap()
    }

    #[tokio::test]
    async fn a_form_says_the_same_in_parts() {
        let forms = Forms::new(1_000);
        let body = b"service_code=001&attribute[A]=1&attribute[B][]=x&attribute%5BB%5D%5B%5D=y&media=aGFsbG8%3D&lat=";
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let plain = forms.read(begun("api_key=k", kind, body).await, true).await.unwrap();
        let parts: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"service_code\"\r\n\r\n001\r\n\
            --b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\nk\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[A]\"\r\n\r\n1\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[B][]\"\r\n\r\nx\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[B][]\"\r\n\r\ny\r\n\
            --b\r\nContent-Disposition: form-data; name=\"photo1\"; filename=\"a.jpg\"\r\n\
            Content-Type: image/jpeg\r\n\r\nhallo\r\n--b--\r\n";
        let parts = begun("", "multipart/form-data; boundary=b", parts).await;
        let parts = forms.read(parts, true).await.unwrap();
        for form in [plain, parts] {
            assert_eq!(form.get("service_code"), Some("001"));
            assert_eq!((form.get("api_key"), form.get("lat")), (Some("k"), None));
            let attributes: Vec<_> = form.attributes().collect();
            assert_eq!(attributes, [("A", "1"), ("B", "x"), ("B", "y")]);
            assert_eq!(form.photos, [b"hallo".to_vec()]);
        }
    }

    #[test]
    fn a_slow_line_is_borne_and_whoever_lingers_is_not() {
        // Ten megabytes at two megabits a second, and at 256 kilobits.
        for a_second in [256 * 1024, 32 * 1024] {
            let mut patience = Patience::new(true);
            for _ in 0..160 {
                let took = Duration::from_millis(1_000 * PIECE / a_second);
                assert!(took < patience.within(PIECE));
                patience.came(PIECE, took);
            }
            assert_eq!(patience.left, PATIENCE);
        }
        // However much has come, and in however little time.
        let mut patience = Patience::new(true);
        patience.came(FORM_BYTES, Duration::from_secs(1));
        assert!(patience.within(PIECE) <= Duration::from_secs(34));
        for _ in 0..4 {
            // 500 bytes a second.
            patience.came(5_000, Duration::from_secs(10));
        }
        assert_eq!(patience.left, Duration::ZERO);
        // Nobody knows who this is: 30 seconds in all.
        let mut patience = Patience::new(false);
        patience.came(FORM_BYTES, Duration::from_secs(29));
        assert_eq!(patience.within(PIECE), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_form_that_comes_in_pieces_is_whole_or_none() {
        let forms = Forms::new(1 << 20);
        let photo = vec![b'x'; 700_000];
        let head: &[u8] =
            b"--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"\r\n\r\n";
        let body = [head, &photo, b"\r\n--b--\r\n"].concat();
        let read = async |body: &[u8], length: usize| {
            let headers = header("multipart/form-data; boundary=b", length);
            let content: Content = Box::new(Cursor::new(body.to_vec()));
            let coming = Coming::begin("api_key=k", &headers, content).await.unwrap();
            forms.read(coming, true).await
        };
        assert_eq!(read(&body, body.len()).await.unwrap().photos, std::slice::from_ref(&photo));
        assert_eq!(read(&body, FORM_BYTES as usize).await.unwrap().photos, [photo]);
        assert_eq!(read(&body, body.len() - 1).await.unwrap_err().status, 400);
        assert_eq!(read(&body[..600_000], body.len()).await.unwrap_err().status, 400);
    }

    #[tokio::test]
    async fn a_key_is_known_before_what_comes_behind_it() {
        const ENCODED: &str = "application/x-www-form-urlencoded";
        const PARTS: &str = "multipart/form-data; boundary=b";
        let photo = "x".repeat(2 * HEAD);
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let key = part("api_key", "secret");
        for (query, kind, body, known) in [
            ("", ENCODED, format!("api_key=secret&media={photo}"), true),
            ("", ENCODED, format!("media={photo}&api_key=secret"), false),
            ("api_key=secret", ENCODED, format!("media={photo}"), true),
            // It may go on behind what has come.
            ("", ENCODED, format!("a={}&api_key=secret{photo}", "x".repeat(HEAD - 17)), false),
            ("", ENCODED, "lat=1&api_key=secret".to_owned(), true),
            ("", ENCODED, "lat=1&api_key=".to_owned(), false),
            ("", PARTS, format!("{key}{}--b--\r\n", part("media", &photo)), true),
            ("", PARTS, format!("{}{key}--b--\r\n", part("media", &photo)), false),
            ("", PARTS, format!("{key}--b--\r\n"), true),
        ] {
            let coming = begun(query, kind, body.as_bytes()).await;
            let expected = known.then(|| "secret".to_owned());
            assert_eq!(coming.key().await, expected, "{}", body.get(..40).unwrap_or(&body));
            assert_eq!(coming.is_whole(), body.len() < HEAD);
        }
    }
}
