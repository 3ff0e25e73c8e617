//! What an administrator says of the ways out.

use std::path::PathBuf;
use std::time::Duration;

use net::line::Server;
use seal::identity::Identity;
use seal::x509::Certificate;
use zeroize::Zeroizing;

/// How PDFs are judged and put together.
#[derive(Debug, Clone)]
pub struct Pdf {
    /// The program `qpdf`, such as `/usr/bin/qpdf`: counts pages and joins several documents. Absent: pages are not counted, and a way
    /// that takes one file refuses several.
    pub qpdf: Option<PathBuf>,
    /// Most bytes of all files of a letter: 20 MiB.
    pub most_bytes: u64,
    /// Most pages of a letter, if they are counted.
    pub most_pages: u32,
    /// Longest time of the program.
    pub within: Duration,
}

impl Default for Pdf {
    fn default() -> Self {
        Pdf { qpdf: None, most_bytes: 20 << 20, most_pages: 1_000, within: Duration::from_secs(30) }
    }
}

/// A folder that a print centre takes letters from.
#[derive(Debug, Clone)]
pub struct Print {
    /// Id of the adapter.
    pub id: String,
    /// The folder. Its subfolder `.amtsbote` holds what was handed over, so that nothing is printed twice.
    pub folder: PathBuf,
    /// How PDFs are judged.
    pub pdf: Pdf,
}

/// An account of E-POSTBUSINESS.
pub struct Hybrid {
    /// Id of the adapter.
    pub id: String,
    /// Address without a slash at its end: `https://api.epost.docuguide.com`.
    pub base: String,
    /// `vendorID`.
    pub vendor: String,
    /// `ekp`, the customer's number.
    pub ekp: String,
    /// `secret`, as it was given at activation.
    pub secret: Zeroizing<String>,
    /// `password`.
    pub password: Zeroizing<String>,
    /// With it, letters are only tried: nothing is printed, and the result goes to this address of e-mail.
    pub test: Option<String>,
    /// `costCenter`.
    pub cost_centre: Option<String>,
    /// How PDFs are judged.
    pub pdf: Pdf,
    /// Pause between questions where letters stand.
    pub pause: Duration,
    /// Longest time of a call.
    pub within: Duration,
}

/// A mail server that e-mails go out by.
pub struct Mail {
    /// Id of the adapter.
    pub id: String,
    /// The SMTP server; `Security::Later` means STARTTLS. Without TLS only on the same machine.
    pub server: Server,
    /// User name and password, if it asks for them.
    pub login: Option<(String, Zeroizing<String>)>,
    /// Address of the sender.
    pub from: String,
    /// Name of the sender.
    pub name: Option<String>,
    /// Domain that the ids of e-mails end with, and by which the server is greeted.
    pub domain: String,
    /// Subject of all e-mails: it is sent in plain text, so it names nobody. `{reference}` is the Aktenzeichen of the case.
    pub subject: String,
    /// Text of all e-mails; `{reference}` as above.
    pub text: String,
    /// Who signs; absent: e-mails are not signed.
    pub signer: Option<Identity>,
    /// Certificates of recipients: what goes to an address that one of them names is encrypted for it.
    pub recipients: Vec<Certificate>,
    /// Whether nothing may go to an address without a certificate.
    pub only_encrypted: bool,
    /// Most bytes of all files of an e-mail; they stand in memory. 20 MiB is usual.
    pub most_bytes: u64,
    /// Longest time of a delivery.
    pub within: Duration,
}
