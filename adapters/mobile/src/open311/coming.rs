//! How a form comes: `application/x-www-form-urlencoded`, or in parts (`multipart/form-data`, RFC 7578). Its beginning is read without
//! further ado; of what is larger only as much at once as there is memory for, and more of callers who have said their key by then: in
//! the query, or ahead of the photographs.

use std::io::Cursor;
use std::time::Duration;

use model::adapter::Content;
use multer::{Constraints, Multipart, SizeLimit};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

use super::Refusal;
use super::form::Form;
use super::places::Places;

/// Bytes of a form that are read of anybody: there is place for as many as there are connections.
const HEAD: usize = 16 * 1024;

/// Largest form, in bytes.
const FORM_BYTES: u64 = 16 * 1024 * 1024;

/// Memory for forms whose senders are known, and for all others, in KiB.
const MEMORY: u32 = 48 * 1024;

/// Time for a form, and the slowest line for which one whose sender is known has more, in bytes a second.
const WITHIN: Duration = Duration::from_secs(30);
const SLOWEST: u64 = 16 * 1024;

/// How a form is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Encoded,
    /// In parts, with this boundary.
    Parts(String),
}

impl Written {
    /// How often its bytes lie in memory while it is read.
    fn times(&self) -> u64 {
        match self {
            // As they came, decoded, and decoded from base64.
            Written::Encoded => 3,
            Written::Parts(_) => 2,
        }
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

/// How long a form of so many bytes may take.
fn within(bytes: u64, is_known: bool) -> Duration {
    if is_known { WITHIN + Duration::from_secs(bytes / SLOWEST) } else { WITHIN }
}

/// Reads forms.
pub(crate) struct Forms {
    /// Places for a KiB each.
    memory: Places,
    photo_bytes: usize,
}

impl Forms {
    /// For photographs of at most so many bytes.
    pub(crate) fn new(photo_bytes: usize) -> Self {
        Forms { memory: Places::new(MEMORY), photo_bytes }
    }

    /// Reads what is still to come of a form.
    ///
    /// # Errors
    /// 400 if it is none, or too large; 408 if it comes too slowly; 503 if there is no memory for it.
    pub(crate) async fn read(&self, coming: Coming, is_known: bool) -> Result<Form, Refusal> {
        let is_whole = coming.is_whole();
        let Coming { mut form, written, head, rest, bytes } = coming;
        if !is_whole {
            form.place = Some(self.memory.take(bytes * written.times() / 1_024, is_known).await?);
        }
        let body = Cursor::new(head).chain(rest).take(bytes + 1);
        let reading = async {
            match written {
                Written::Encoded => self.encoded(&mut form, body, bytes).await,
                Written::Parts(boundary) => self.parts(&mut form, boundary, body).await,
            }
        };
        let read = tokio::time::timeout(within(bytes, is_known), reading).await;
        read.unwrap_or_else(|_| {
            Err(Refusal::new(408, "the form came too slowly: say api_key first, then photographs"))
        })?;
        Ok(form)
    }

    async fn encoded(
        &self,
        form: &mut Form,
        mut body: impl AsyncRead + Unpin,
        most: u64,
    ) -> Result<(), Refusal> {
        let mut bytes = Vec::new();
        let read = body.read_to_end(&mut bytes).await;
        if read.is_err() || bytes.len() as u64 > most {
            return Err(Refusal::bad("the form is not complete, or too large"));
        }
        form.add(&bytes, self.photo_bytes)
    }

    async fn parts(
        &self,
        form: &mut Form,
        boundary: String,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(), Refusal> {
        let sizes = SizeLimit::new().whole_stream(FORM_BYTES).per_field(FORM_BYTES);
        let constraints = Constraints::new().size_limit(sizes);
        let mut parts = Multipart::with_constraints(ReaderStream::new(body), boundary, constraints);
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
    fn a_large_photograph_has_the_time_that_a_slow_line_takes() {
        // Ten megabytes at two megabits a second, and at 256 kilobits.
        for seconds in [42, 328] {
            assert!(within(10 * 1024 * 1024, true) > Duration::from_secs(seconds));
        }
        assert_eq!(within(FORM_BYTES, false), WITHIN);
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
