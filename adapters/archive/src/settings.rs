//! What the administrator says of an archive. Plain values; the configuration file is read elsewhere.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use seal::timestamp::{Authorities, Policy};
use zeroize::Zeroizing;

/// An archive.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where packages go, and in which form.
    pub target: Target,
    /// What becomes of an offer (0501), which no archive of these can read.
    pub appraisal: AppraisalBy,
    /// Programs that look at the files of a package.
    pub tools: Tools,
    /// Folder for packages while they are made; as much room as the largest package takes. The system's own if absent.
    pub work: Option<PathBuf>,
    /// Name of the authority that delivers, as it stands in packages.
    pub source_organisation: String,
}

/// Where packages go, and in which form.
#[derive(Debug, Clone)]
pub enum Target {
    /// A XAIP to an archive by TR-ESOR (BSI TR-03125), over its interface S.4.
    TrEsor(TrEsor),
    /// A SIP to DA NRW, through a folder.
    DaNrw(DaNrw),
    /// A bag (RFC 8493) into a folder that somebody collects from.
    Folder(Folder),
}

/// An archive by TR-ESOR 1.3.
#[derive(Debug, Clone)]
pub struct TrEsor {
    /// Address of S.4, `https://…`.
    pub url: String,
    /// User and password, if the archive asks for them (HTTP Basic).
    pub login: Option<Login>,
    /// Who we are to the archive (`submissionInfo/clientID`).
    pub client_id: String,
    /// Years that a package is kept, counted from its submission (`retentionPeriod`).
    pub retention_years: u16,
    /// Whether a package counts as archived only with an evidence record of the archive that covers it. Archives make these once a day or
    /// less often.
    pub wants_evidence: bool,
    /// Time stamps for an evidence record of our own, made before the package leaves.
    pub stamps: Option<Stamps>,
    /// Time stamp authorities whose evidence records count; absent: evidence of anybody counts as long as it is consistent in itself.
    pub trust: Option<Authorities>,
    /// Longest time of one call, the whole package included.
    pub within: Duration,
}

/// User and password (HTTP Basic).
#[derive(Clone)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// A time stamp authority (RFC 3161) for evidence records of our own.
#[derive(Debug, Clone)]
pub struct Stamps {
    /// Its address, `https://…`.
    pub url: String,
    /// Policy to ask for.
    pub policy: Option<Policy>,
    /// Its authorities.
    pub trust: Authorities,
    /// Address of its revocation list, which TR-ESOR wants inside of each stamp.
    pub revocation_url: Option<String>,
}

/// DA NRW (DNSCore).
#[derive(Debug, Clone)]
pub struct DaNrw {
    /// Folder that packages are dropped into: the one for incoming SIPs of our contractor.
    pub folder: PathBuf,
    /// Form of a package.
    pub container: Container,
    /// Address of the web application, `https://…/daweb3`: it says what became of a package.
    pub url: String,
    /// User and password (HTTP Basic).
    pub login: Option<Login>,
    /// What the archive may do with a package.
    pub rights: Rights,
    /// Longest time of one question.
    pub within: Duration,
}

/// Form of a package for DA NRW.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Container {
    /// A tar archive, compressed by gzip.
    #[default]
    Tgz,
    /// A ZIP.
    Zip,
    /// A tar archive.
    Tar,
}

/// What the archive may do (contract of DA NRW).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Who is asked before files are migrated to other formats.
    pub migration: Migration,
    /// Whether the public may see the package at once.
    pub public: bool,
    /// Whether the institution that delivers may see it.
    pub institution: bool,
    /// Whether the German Digital Library must not show it (`DDBexclusion`).
    pub no_ddb: bool,
    /// Least quality at ingest, 1 to 5.
    pub least_quality: Option<u8>,
}

/// Who is asked before files are migrated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Migration {
    /// Nobody.
    #[default]
    None,
    /// The contractor is told.
    Notify,
    /// The contractor has to agree.
    Confirm,
}

/// A folder that somebody collects from.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder. A bag appears in it under its name at once and whole.
    pub folder: PathBuf,
}

/// What becomes of an offer (0501).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AppraisalBy {
    /// It is refused: what goes to this archive is transferred at once (disposition in two steps).
    #[default]
    Nobody,
    /// Everything that is offered is archived.
    Everything,
    /// As its records say (`Aussonderungsart`): what is to be appraised is archived on every level, also within what is to be destroyed. An
    /// object that says nothing shares what it lies in; if it lies in nothing, it is archived.
    Records,
}

/// Programs that look at files. Each is a program and its arguments; `{}` stands for the file, else it is the last argument. They run
/// without a shell, in an empty folder of their own, for so long at most.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Tells formats: Siegfried (`sf -json`) or fido (`fido -q -matchprintf …`); see docs/archive.md.
    pub identify: Option<Vec<String>>,
    /// Checks PDF/A: veraPDF (`verapdf --format json`).
    pub pdf_a: Option<Vec<String>>,
    /// Longest time for one file.
    pub within: Duration,
    /// Longest time for all files of a package; what is left then is packed without an answer.
    pub in_all: Duration,
}

impl Default for Tools {
    fn default() -> Self {
        Tools {
            identify: None,
            pdf_a: None,
            within: Duration::from_secs(60),
            in_all: Duration::from_secs(2 * 3_600),
        }
    }
}
