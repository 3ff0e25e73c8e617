//! What a caller says, in the query or in a form. Names and values are bounded in number and size; photographs come as parts, under whatever name,
//! as base64 in `media`, or as `data:` addresses in `media_url`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::OwnedSemaphorePermit;

use super::Refusal;

/// Fields of a form, and bytes of one that is no photograph.
const FIELDS: usize = 300;
const FIELD_BYTES: usize = 32 * 1024;

/// Photographs of one report.
pub(crate) const PHOTOS: usize = 6;

/// What a caller says.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    /// Photographs as they came.
    pub(crate) photos: Vec<Vec<u8>>,
    /// Keep memory for a large form until it is done with.
    pub(super) places: Vec<OwnedSemaphorePermit>,
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

    /// Adds what is said in `encoded`; photographs have at most `most` bytes.
    ///
    /// # Errors
    /// 400 if it is too much.
    pub(super) fn add(&mut self, encoded: &[u8], most: usize) -> Result<(), Refusal> {
        for (name, value) in form_urlencoded::parse(encoded) {
            self.said_so(&name, value.into_owned(), most)?;
        }
        Ok(())
    }

    /// Adds a field, or the photograph that it is.
    ///
    /// # Errors
    /// 400 if it is too much.
    pub(super) fn said_so(&mut self, name: &str, value: String, most: usize) -> Result<(), Refusal> {
        if name == "media" || (name == "media_url" && value.trim_start().starts_with("data:")) {
            return self.media(value, most);
        }
        if self.fields.len() >= FIELDS || name.len() > 500 || value.len() > FIELD_BYTES {
            return Err(Refusal::bad("the form has too many fields, or one that is too long"));
        }
        // No database keeps it.
        if name.contains('\0') || value.contains('\0') {
            return Err(Refusal::bad("a field has the character U+0000"));
        }
        self.fields.push((name.to_owned(), value));
        Ok(())
    }

    /// Adds a photograph of at most so many bytes; an empty one is none.
    ///
    /// # Errors
    /// 400 if it is too large, or one too many.
    pub(super) fn photo(&mut self, bytes: Vec<u8>, most: usize) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.photos.len() >= PHOTOS || bytes.len() > most {
            return Err(Refusal::bad("the report has too many photographs, or one that is too large"));
        }
        self.photos.push(bytes);
        Ok(())
    }

    /// A photograph as text: base64 (Klarschiff), perhaps as a `data:` address.
    fn media(&mut self, text: String, most: usize) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let bytes = decoded(text).ok_or_else(|| Refusal::bad("a photograph is not base64"))?;
        self.photo(bytes, most)
    }
}

/// The bytes of base64 or of a `data:` address with it.
fn decoded(text: String) -> Option<Vec<u8>> {
    let begin = if text.trim_start().starts_with("data:") { text.find(";base64,")? + 8 } else { 0 };
    // It may be large: no second copy of it is made.
    let mut text = text.into_bytes();
    text.drain(..begin);
    // Forms break lines, and a plus that nobody encoded has become a blank.
    text.retain(|byte| !matches!(byte, b'\r' | b'\n' | b'\t'));
    let blanks = |text: &mut dyn Iterator<Item = &u8>| text.take_while(|byte| **byte == b' ').count();
    text.truncate(text.len() - blanks(&mut text.iter().rev()));
    text.drain(..blanks(&mut text.iter()));
    text.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    BASE64_STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(Form::query(&"a=b&".repeat(FIELDS + 1)).is_err());
        assert!(Form::query(&format!("a={}", "b".repeat(FIELD_BYTES + 1))).is_err());
        assert!(Form::query("media=%3Csvg").is_err());
        assert!(Form::query("media_url=data:image/svg%2Bxml,%3Csvg").is_err());
        assert!(Form::query("a=b%00").is_err());
    }

    #[test]
    fn base64_is_read_as_forms_bring_it() {
        for text in [" aGFs\r\nbG8+ ", "data:image/jpeg;base64,aGFsbG8+"] {
            assert_eq!(decoded(text.to_owned()).unwrap(), b"hallo>");
        }
        assert_eq!(decoded("a b/".to_owned()).unwrap(), BASE64_STANDARD.decode("a+b/").unwrap());
        assert_eq!(decoded("data:image/jpeg,x".to_owned()), None);
    }
}
