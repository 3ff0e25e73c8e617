//! What a caller says: the query, a form (`application/x-www-form-urlencoded`), or a form in parts (`multipart/form-data`, RFC 7578). Names and
//! values are bounded in number and size; photographs come as parts, under whatever name, or as base64 in `media`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::adapter::Content;
use multer::{Constraints, Multipart, SizeLimit};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::ReaderStream;

use super::Refusal;

/// Fields of a form, and bytes of one that is no photograph.
const FIELDS: usize = 300;
const FIELD_BYTES: usize = 32 * 1024;

/// Largest form without photographs, in bytes: of such as many are read at once as come.
const SMALL: u64 = 128 * 1024;

/// Large forms that are read at once, and how long one waits for its turn.
const LARGE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// Photographs of one report.
pub(crate) const PHOTOS: usize = 6;

/// Largest form, in bytes.
const FORM_BYTES: u64 = 16 * 1024 * 1024;

/// What a caller says.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    /// Photographs as they came.
    pub(crate) photos: Vec<Vec<u8>>,
    /// Keeps a place for a large form until it is done with.
    place: Option<OwnedSemaphorePermit>,
}

impl Form {
    /// What a query says.
    ///
    /// # Errors
    /// 400 if it says too much.
    pub(crate) fn query(query: &str) -> Result<Form, Refusal> {
        let mut form = Form::default();
        form.add(query.as_bytes(), FIELD_BYTES)?;
        Ok(form)
    }

    /// The value of a name; what is empty is not there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(known, _)| known == name);
        values.find_map(|(_, value)| Some(value.trim()).filter(|value| !value.is_empty()))
    }

    /// All values of a name.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let named = self.fields.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The parts of a list with commas.
    pub(crate) fn list<'f>(&'f self, name: &'f str) -> Vec<&'f str> {
        let parts = self.all(name).flat_map(|value| value.split(','));
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// `attribute[code]` and `attribute[code][]`: code and value, as they came.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(name, value)| {
            let rest = name.strip_prefix("attribute[")?;
            let code = rest.strip_suffix("][]").or_else(|| rest.strip_suffix(']'))?;
            Some((code, value.trim()))
        })
    }

    /// All fields but those named, for a digest of what was said.
    pub(crate) fn said(&self, but: &[&str]) -> Vec<(&str, &str)> {
        let fields = self.fields.iter().filter(|(name, _)| !but.contains(&name.as_str()));
        fields.map(|(name, value)| (name.as_str(), value.trim())).filter(|(_, it)| !it.is_empty()).collect()
    }

    fn add(&mut self, encoded: &[u8], most: usize) -> Result<(), Refusal> {
        for (name, value) in form_urlencoded::parse(encoded) {
            if name == "media" {
                self.media(&value, most)?;
            } else {
                self.field(&name, &value)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if self.fields.len() >= FIELDS || name.len() > 500 || value.len() > FIELD_BYTES {
            return Err(Refusal::bad("the form has too many fields, or one that is too long"));
        }
        self.fields.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn photo(&mut self, bytes: Vec<u8>) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.photos.len() >= PHOTOS {
            return Err(Refusal::bad("the report has too many photographs"));
        }
        self.photos.push(bytes);
        Ok(())
    }

    /// `media` as text: base64 (Klarschiff), perhaps as a `data:` address.
    fn media(&mut self, text: &str, most: usize) -> Result<(), Refusal> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let bytes = decoded(text).filter(|bytes| bytes.len() <= most);
        self.photo(bytes.ok_or_else(|| Refusal::bad("`media` is not base64, or too large"))?)
    }
}

/// The bytes of base64 or of a `data:` address with it.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = match text.strip_prefix("data:") {
        Some(data) => data.split_once(";base64,")?.1,
        None => text,
    };
    // Forms break lines, and a plus that nobody encoded has become a blank.
    let mut clean: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    clean.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    BASE64_STANDARD.decode(clean).ok()
}

/// Reads forms; of large ones few at once, so that memory is bounded.
pub(crate) struct Forms {
    large: Arc<Semaphore>,
    photo_bytes: usize,
}

impl Forms {
    pub(crate) fn new(photo_bytes: usize) -> Self {
        Forms { large: Arc::new(Semaphore::new(LARGE)), photo_bytes }
    }

    /// Reads the form of a request behind what its query says.
    ///
    /// # Errors
    /// 400 if it is none, or too large.
    pub(crate) async fn read(
        &self,
        query: &str,
        headers: &[(String, String)],
        body: Content,
    ) -> Result<Form, Refusal> {
        let mut form = Form::query(query)?;
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, it)| it.as_str());
        let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_none_or(|length| length > SMALL) {
            form.place = Some(self.place().await?);
        }
        let most = length.unwrap_or(FORM_BYTES).min(FORM_BYTES);
        let kind = header("content-type").unwrap_or("application/x-www-form-urlencoded");
        if let Ok(boundary) = multer::parse_boundary(kind) {
            self.parts(&mut form, boundary, body.take(most)).await?;
            return Ok(form);
        }
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::bad("expected application/x-www-form-urlencoded or multipart/form-data"));
        }
        let mut bytes = Vec::new();
        let read = body.take(most + 1).read_to_end(&mut bytes).await;
        if read.is_err() || bytes.len() as u64 > most {
            return Err(Refusal::bad("the form is not complete, or too large"));
        }
        form.add(&bytes, self.photo_bytes)?;
        Ok(form)
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.large).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or_else(Refusal::busy)
    }

    async fn parts(
        &self,
        form: &mut Form,
        boundary: String,
        body: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    ) -> Result<(), Refusal> {
        let sizes = SizeLimit::new().whole_stream(FORM_BYTES).per_field(self.photo_bytes as u64);
        let constraints = Constraints::new().size_limit(sizes);
        let mut parts = Multipart::with_constraints(ReaderStream::new(body), boundary, constraints);
        let wrong = |_| Refusal::bad("the form is not complete, or a part of it is too large");
        while let Some(part) = parts.next_field().await.map_err(wrong)? {
            let name = part.name().unwrap_or_default().to_owned();
            let is_text = part.content_type().is_none_or(|kind| kind.as_ref().starts_with("text/"));
            let is_file = part.file_name().is_some() || !is_text;
            let bytes = part.bytes().await.map_err(wrong)?;
            match std::str::from_utf8(&bytes) {
                _ if is_file => form.photo(bytes.to_vec())?,
                Ok(text) if name == "media" => form.media(text, self.photo_bytes)?,
                Ok(text) => form.field(&name, text)?,
                Err(_) if name == "media" => form.photo(bytes.to_vec())?,
                Err(_) => return Err(Refusal::bad("the form is not UTF-8")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_says_the_same_in_parts() {
        let forms = Forms::new(1_000);
        let body = b"service_code=001&attribute[A]=1&attribute[B][]=x&attribute%5BB%5D%5B%5D=y&media=aGFsbG8%3D&lat=";
        let header = |kind: &str, length: usize| {
            vec![
                ("content-type".to_owned(), kind.to_owned()),
                ("content-length".to_owned(), length.to_string()),
            ]
        };
        let plain = header("application/x-www-form-urlencoded; charset=utf-8", body.len());
        let plain = forms.read("api_key=k", &plain, Box::new(&body[..])).await.unwrap();
        let parts: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"service_code\"\r\n\r\n001\r\n\
            --b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\nk\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[A]\"\r\n\r\n1\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[B][]\"\r\n\r\nx\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attribute[B][]\"\r\n\r\ny\r\n\
            --b\r\nContent-Disposition: form-data; name=\"photo1\"; filename=\"a.jpg\"\r\n\
            Content-Type: image/jpeg\r\n\r\nhallo\r\n--b--\r\n";
        let header = header("multipart/form-data; boundary=b", parts.len());
        let parts = forms.read("", &header, Box::new(parts)).await.unwrap();
        for form in [plain, parts] {
            assert_eq!(form.get("service_code"), Some("001"));
            assert_eq!((form.get("api_key"), form.get("lat")), (Some("k"), None));
            let attributes: Vec<_> = form.attributes().collect();
            assert_eq!(attributes, [("A", "1"), ("B", "x"), ("B", "y")]);
            assert_eq!(form.photos, [b"hallo".to_vec()]);
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(Form::query(&"a=b&".repeat(FIELDS + 1)).is_err());
        assert!(Form::query(&format!("a={}", "b".repeat(FIELD_BYTES + 1))).is_err());
        assert!(Form::query("media=%3Csvg").is_err());
    }
}
