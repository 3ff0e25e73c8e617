//! Archives: `kind = "archive-tresor"`, `"archive-danrw"` and `"archive-folder"`. Details: docs/archive.md.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Refers;

/// Keys of [`Packages`].
pub(super) const PACKAGES: &[&str] =
    &["source_organisation", "appraisal", "work", "identify", "pdf_a", "tool_seconds"];

/// An archive, with what all of them have.
#[derive(Clone, Serialize)]
pub struct OfArchive<T> {
    /// Where packages go.
    #[serde(flatten)]
    pub target: T,
    /// What all have.
    #[serde(flatten)]
    pub packages: Packages,
}

/// What all archives have.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    /// Name of the authority that delivers, as it stands in packages.
    pub source_organisation: String,
    /// What becomes of an offer.
    #[serde(default)]
    pub appraisal: ArchiveAppraisal,
    /// Folder for packages while they are made; absent: the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Program that tells formats, with its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identify: Vec<String>,
    /// Program that checks PDF/A, with its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pdf_a: Vec<String>,
    /// Longest time of a program for one file, in seconds.
    #[serde(default = "sixty")]
    pub tool_seconds: u32,
}

/// What becomes of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveAppraisal {
    /// It is refused.
    #[default]
    Nobody,
    /// Everything is archived.
    Everything,
    /// As the records say.
    Records,
}

/// An archive by TR-ESOR 1.3.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tresor {
    /// Address of S.4.
    pub url: String,
    /// User, if the archive asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Who we are to the archive.
    pub client_id: String,
    /// Years that a package is kept.
    pub retention_years: u16,
    /// Whether a package counts as archived only with an evidence record.
    #[serde(default)]
    pub wants_evidence: bool,
    /// References to files of the time stamp authorities whose evidence counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Time stamps for evidence records of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamps: Option<TresorStamps>,
    /// Longest time of one call, the whole package included, in minutes.
    #[serde(default = "sixty")]
    pub within_minutes: u32,
}

/// A time stamp authority for evidence records of our own.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TresorStamps {
    /// Its address.
    pub url: String,
    /// Policy to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// References to files of its certificates.
    pub trust: Vec<String>,
    /// Address of its revocation list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_url: Option<String>,
}

/// DA NRW.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Danrw {
    /// Folder that packages are dropped into.
    pub folder: PathBuf,
    /// Form of a package.
    #[serde(default)]
    pub container: DanrwContainer,
    /// Address of the web application.
    pub url: String,
    /// User.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Who is asked before files are migrated to other formats.
    #[serde(default)]
    pub migration: DanrwMigration,
    /// Whether the public may see a package at once.
    #[serde(default)]
    pub public: bool,
    /// Whether the institution that delivers may see it.
    #[serde(default)]
    pub institution: bool,
    /// Whether the German Digital Library must not show it.
    #[serde(default)]
    pub no_ddb: bool,
    /// Least quality at ingest, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_quality: Option<u8>,
    /// Longest time of one question, in seconds.
    #[serde(default = "sixty")]
    pub within_seconds: u32,
}

/// Form of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DanrwContainer {
    /// A tar archive, compressed by gzip.
    #[default]
    Tgz,
    /// A ZIP.
    Zip,
    /// A tar archive.
    Tar,
}

/// Who is asked before files are migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DanrwMigration {
    /// Nobody.
    #[default]
    None,
    /// The contractor is told.
    Notify,
    /// The contractor has to agree.
    Confirm,
}

/// A folder that somebody collects packages from.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveFolder {
    /// The folder.
    pub folder: PathBuf,
}

fn sixty() -> u32 {
    60
}

impl<'a> Refers<'a> {
    pub(super) fn with(self, packages: &'a mut Packages) -> Self {
        self.paths(&mut packages.work)
            .texts([("source_organisation", packages.source_organisation.as_str())])
            .numbers([("tool_seconds", packages.tool_seconds.into(), 1, 3_600)])
    }
}

impl Tresor {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let lonely = self.user.is_some() != self.password.is_some();
        let mut refers = Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .listed("trust", &mut self.trust)
            .url("url", &self.url)
            .texts([("client_id", self.client_id.as_str())])
            .numbers([
                ("retention_years", self.retention_years.into(), 1, 1_000),
                ("within_minutes", self.within_minutes.into(), 1, 360),
            ])
            .wrong_if(lonely, "user", "expected user and password, or neither");
        if let Some(stamps) = &mut self.stamps {
            let nobody = stamps.trust.is_empty();
            let is_policy = |it: &String| it.parse::<seal::timestamp::Policy>().is_ok();
            let is_odd = !stamps.policy.iter().all(is_policy);
            refers = refers
                .listed("stamps.trust", &mut stamps.trust)
                .url("stamps.url", &stamps.url)
                .wrong_if(nobody, "stamps.trust", "at least one is needed")
                .wrong_if(
                    is_odd,
                    "stamps.policy",
                    "expected an object identifier such as 1.3.6.1.4.1.99999.1",
                );
            if let Some(list) = &stamps.revocation_url {
                refers = refers.url("stamps.revocation_url", list);
            }
        }
        refers
    }
}

impl Danrw {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let lonely = self.user.is_some() != self.password.is_some();
        Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .paths([&mut self.folder])
            .url("url", &self.url)
            .numbers([
                ("within_seconds", self.within_seconds.into(), 1, 600),
                ("least_quality", self.least_quality.unwrap_or(1).into(), 1, 5),
            ])
            .wrong_if(lonely, "user", "expected user and password, or neither")
    }
}

impl ArchiveFolder {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default().paths([&mut self.folder])
    }
}
