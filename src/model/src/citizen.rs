//! What the citizens' pages and whoever writes to citizens have to agree on: who the citizen of a case is, by which number the case is known,
//! and what of a document was provided.

use crate::activity::Provided;
use crate::case::{Description, Document, File, Version};
use crate::party::Party;

/// Kind of the reference that a case has for its citizen: a number that the gateway alone gives.
pub const NUMBER: &str = "citizen";

/// Role of the party that is the citizen of a case.
pub const APPLICANT: &str = "applicant";

impl Description {
    /// Where the citizen of the case stands among its parties: the first applicant, else the first that is no authority.
    pub fn citizen_at(&self) -> Option<usize> {
        let applicant = |party: &Party| party.role.as_deref() == Some(APPLICANT);
        let all = || self.parties.iter();
        all().position(applicant).or_else(|| all().position(|party| party.authority.is_none()))
    }

    /// The citizen of the case.
    pub fn citizen(&self) -> Option<&Party> {
        self.parties.get(self.citizen_at()?)
    }
}

impl Document {
    /// What is provided if the document is provided now: all files of its newest version. `None` if that has no bytes.
    pub fn to_provide(&self) -> Option<Provided> {
        let newest = self.versions.last()?;
        let sha256: Vec<String> = digests(newest).map(str::to_owned).collect();
        let provided = Provided { document: self.meta.id, version: newest.number.clone(), sha256 };
        (!provided.sha256.is_empty()).then_some(provided)
    }

    /// The files that were provided, as long as they are there.
    pub fn provided_files(&self, provided: &Provided) -> Vec<&File> {
        let meant = |version: &&Version| {
            version.number == provided.version
                && provided.sha256.iter().map(String::as_str).eq(digests(version).take(provided.sha256.len()))
        };
        let version = self.versions.iter().find(meant);
        let files = version.into_iter().flat_map(|version| &version.files);
        files.filter(|file| file.content.is_some()).take(provided.sha256.len()).collect()
    }
}

/// SHA-256 of what a version has of bytes, in the order of its files. A file is never replaced, and what comes later stands behind.
fn digests(version: &Version) -> impl Iterator<Item = &str> {
    version.files.iter().filter_map(|file| file.content.as_ref()).map(|content| content.sha256.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{DocumentDates, RecordStatus};
    use crate::{PayloadRef, ids, testkit};

    fn party(role: Option<&str>, authority: bool) -> Party {
        Party {
            role: role.map(str::to_owned),
            authority: authority.then(|| "bab:05974000".parse().unwrap()),
            ..Party::default()
        }
    }

    #[test]
    fn the_citizen_is_the_first_applicant_else_the_first_that_is_no_authority() {
        let at = |parties: &[(Option<&str>, bool)]| {
            let parties = parties.iter().map(|(role, authority)| party(*role, *authority)).collect();
            Description { parties, ..Description::default() }.citizen_at()
        };
        let architect = (Some("architect"), false);
        assert_eq!(at(&[architect, (Some("applicant"), false), (Some("applicant"), false)]), Some(1));
        assert_eq!(at(&[(None, true), architect]), Some(1));
        assert_eq!((at(&[(None, true)]), at(&[])), (None, None));
    }

    fn file(name: &str, sha256: Option<&str>) -> File {
        let content = sha256.map(|sha256| PayloadRef {
            id: ids::new_id(),
            size: 1,
            sha256: sha256.into(),
            chunk_root: String::new(),
        });
        File { name: name.into(), content, ..File::default() }
    }

    fn document(versions: &[(&str, &[File])]) -> Document {
        Document {
            meta: testkit::a_meta(),
            description: Description::default(),
            parent: None,
            kind: None,
            dates: DocumentDates::default(),
            versions: versions
                .iter()
                .map(|(number, files)| Version { number: (*number).into(), files: files.to_vec() })
                .collect(),
            status: RecordStatus::Open,
        }
    }

    #[test]
    fn what_comes_to_a_document_later_was_not_provided() {
        let (a, b, c) = (file("a.pdf", Some("aa")), file("b.pdf", Some("bb")), file("c.pdf", Some("cc")));
        let mut it = document(&[("1", &[file("x.pdf", None), a.clone(), b.clone()])]);
        let provided = it.to_provide().unwrap();
        assert_eq!(
            (provided.version.as_str(), provided.sha256.as_slice()),
            ("1", &["aa".into(), "bb".into()][..])
        );
        it.versions[0].files.push(c.clone());
        it.versions.push(Version { number: "2".into(), files: vec![c] });
        assert_eq!(it.provided_files(&provided), [&a, &b]);
        it.versions.remove(0);
        assert_eq!(it.provided_files(&provided), Vec::<&File>::new());
        assert_eq!(document(&[("1", &[file("x.pdf", None)])]).to_provide(), None);
        assert_eq!(document(&[]).to_provide(), None);
    }
}
