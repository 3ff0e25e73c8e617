//! What a stack was taken apart into, noted beside it before its first letter is taken in. Decoders depend on the load of the machine and patterns on the
//! settings: taken apart anew in the middle, letters would have other pages, and some would be lost without a word.

use serde::{Deserialize, Serialize};

use super::item::{Item, NOTE_BYTES};
use super::jbig2::Coding;
use super::separate::Parts;
use super::trouble::{Trouble, blocking};

/// What is known of a stack once it was looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// SHA-256 of the file that it is about.
    pub sha256: String,
    /// Pages of the file.
    pub pages: u32,
    /// How its images are coded.
    pub coding: Coding,
    /// What it consists of.
    pub parts: Parts,
}

impl Kept {
    /// What is noted of the file with this digest; none if there is nothing that fits it.
    pub(super) async fn of(item: &Item, sha256: &str) -> Result<Option<Self>, Trouble> {
        let item = item.clone();
        let bytes = blocking(move || item.parts()).await??;
        let kept = bytes.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        Ok(kept.filter(|kept| kept.sha256 == sha256 && kept.is_sound()))
    }

    /// Notes it, durable.
    pub(super) async fn note(&self, item: &Item) -> Result<(), Trouble> {
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        if bytes.len() > NOTE_BYTES {
            return Err(Trouble::file("post.scan-too-large", "there are too many codes on its pages"));
        }
        let item = item.clone();
        Ok(blocking(move || item.note_parts(&bytes)).await??)
    }

    /// Documents follow one another within the file.
    fn is_sound(&self) -> bool {
        let mut behind = 0;
        let follows = self.parts.parts.iter().all(|part| {
            let (first, last) = (*part.pages.start(), *part.pages.end());
            let follows = behind < first && first <= last;
            behind = last;
            follows
        });
        follows && behind <= self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Facts;
    use super::super::separate::{Codes, Part};
    use super::super::settings::{Fact, Opens};
    use super::*;

    #[tokio::test]
    async fn what_is_noted_is_read_again_if_it_fits_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let names = super::super::item::Names { document: "a.pdf".into(), index: None };
        let item = Item { folder: folder.path().to_owned(), names, is_resumed: true };
        assert_eq!(Kept::of(&item, "ab").await.unwrap(), None);
        let part = |opens, pages| Part {
            opens,
            facts: Facts::from([(Fact::Reference, "63;1 ä".to_owned())]),
            is_proved: true,
            pages,
            codes: Codes::from([(3, vec!["12.3-4711/2026".to_owned()])]),
        };
        let parts = vec![part(Opens::Letter, 2..=3), part(Opens::Document, 5..=9)];
        let parts = Parts { parts, sheets: vec![1, 4], empty: vec![4] };
        let kept = Kept { sha256: "ab".into(), pages: 9, coding: Coding::Bitmap, parts };
        kept.note(&item).await.unwrap();
        assert_eq!(Kept::of(&item, "ab").await.unwrap(), Some(kept.clone()));
        assert_eq!(Kept::of(&item, "cd").await.unwrap(), None, "of another file");
        let beyond = Kept { pages: 8, ..kept.clone() };
        let mut crossed = kept;
        crossed.parts.parts[1].pages = 3..=9;
        for wrong in [beyond, crossed] {
            wrong.note(&item).await.unwrap();
            assert_eq!(Kept::of(&item, "ab").await.unwrap(), None);
        }
    }
}
