//! Post, in and out, but for scans: `kind = "mail"`, `"print"`, `"hybrid-mail"` and `"smtp"`. Details: docs/post.md.

use std::path::PathBuf;

use broker::house::KeyPair;
use serde::{Deserialize, Serialize};

use super::Refers;

/// A server of mail.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// Name; its certificate must name it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the line is protected.
    #[serde(default)]
    pub security: MailSecurity,
    /// References to files of certificates that the server's must go back to; empty: those of the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
}

/// How a line is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS from the first byte on.
    #[default]
    Tls,
    /// TLS after STARTTLS.
    Starttls,
    /// None: only on the same machine.
    None,
}

/// A mailbox that letters come in by.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailIn {
    /// The IMAP server.
    pub server: MailServer,
    /// User.
    pub user: String,
    /// Reference to the password.
    pub password: String,
    /// Folder that e-mails come into.
    #[serde(default = "inbox")]
    pub folder: String,
    /// Folder for what was taken in.
    #[serde(default = "done")]
    pub done: String,
    /// Folder for what was not.
    #[serde(default = "aside")]
    pub aside: String,
    /// Largest e-mail (MiB).
    #[serde(default = "fifty")]
    pub max_mb: u64,
    /// Keys for encrypted e-mails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyPair>,
    /// References to files of certificates that signers' must go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Forms of Aktenzeichen: regular expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Forms of Kassenzeichen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cash: Vec<String>,
    /// Domain of the e-mails that go out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Pause between sessions, in seconds.
    #[serde(default = "sixty")]
    pub pause_seconds: u32,
    /// Longest time of a question, in seconds.
    #[serde(default = "sixty")]
    pub within_seconds: u32,
}

/// A folder of a print centre.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Print {
    /// The folder.
    pub folder: PathBuf,
    /// The program qpdf; absent: pages are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qpdf: Option<PathBuf>,
    /// Most bytes of a letter (MiB).
    #[serde(default = "twenty")]
    pub max_mb: u64,
    /// Most pages of a letter.
    #[serde(default = "thousand")]
    pub max_pages: u32,
}

/// E-POSTBUSINESS.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HybridMail {
    /// Address.
    pub url: String,
    /// `vendorID`.
    pub vendor: String,
    /// `ekp`.
    pub ekp: String,
    /// Reference to the secret of the activation.
    pub secret: String,
    /// Reference to the password.
    pub password: String,
    /// Address of e-mail that gets the result of tests; with it nothing is printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// `costCenter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_centre: Option<String>,
    /// The program qpdf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qpdf: Option<PathBuf>,
    /// Most bytes of a letter (MiB).
    #[serde(default = "twenty")]
    pub max_mb: u64,
    /// Most pages of a letter.
    #[serde(default = "thousand")]
    pub max_pages: u32,
    /// Pause between questions where letters stand, in minutes.
    #[serde(default = "sixty")]
    pub pause_minutes: u32,
    /// Longest time of a call, in seconds.
    #[serde(default = "sixty")]
    pub within_seconds: u32,
}

/// A mail server that e-mails go out by.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// The server.
    pub server: MailServer,
    /// User, if it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Address of the sender.
    pub from: String,
    /// Name of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Domain of the ids of e-mails.
    pub domain: String,
    /// Subject of all e-mails.
    pub subject: String,
    /// Text of all e-mails.
    pub text: String,
    /// Who signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<KeyPair>,
    /// References to files of recipients' certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Whether nothing may go to an address without a certificate.
    #[serde(default)]
    pub only_encrypted: bool,
    /// Most bytes of an e-mail (MiB).
    #[serde(default = "twenty")]
    pub max_mb: u64,
    /// Longest time of a delivery, in seconds.
    #[serde(default = "sixty")]
    pub within_seconds: u32,
}

fn sixty() -> u32 {
    60
}

fn twenty() -> u64 {
    20
}

fn fifty() -> u64 {
    50
}

fn thousand() -> u32 {
    1_000
}

fn inbox() -> String {
    "INBOX".to_owned()
}

fn done() -> String {
    "Amtsbote".to_owned()
}

fn aside() -> String {
    "Amtsbote-Beiseite".to_owned()
}

impl MailIn {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default()
            .secrets([("password", &mut self.password)])
            .listed("server.trust", &mut self.server.trust)
            .listed("trust", &mut self.trust)
            .pairs("keys", &mut self.keys)
            .wrong_if(
                self.done == self.folder || self.aside == self.folder,
                "folder",
                "expected others for `done` and `aside`",
            )
            .texts([
                ("server.host", self.server.host.as_str()),
                ("user", &self.user),
                ("folder", &self.folder),
                ("done", &self.done),
                ("aside", &self.aside),
            ])
            .numbers([
                ("max_mb", self.max_mb, 1, 1_024),
                ("pause_seconds", self.pause_seconds.into(), 1, 3_600),
                ("within_seconds", self.within_seconds.into(), 1, 600),
            ])
    }
}

impl Print {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default()
            .paths([&mut self.folder].into_iter().chain(&mut self.qpdf))
            .numbers([("max_mb", self.max_mb, 1, 4_096), ("max_pages", self.max_pages.into(), 1, 100_000)])
    }
}

impl HybridMail {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default()
            .secrets([("secret", &mut self.secret), ("password", &mut self.password)])
            .paths(&mut self.qpdf)
            .url("url", &self.url)
            .texts([("vendor", self.vendor.as_str()), ("ekp", &self.ekp)])
            .numbers([
                ("max_mb", self.max_mb, 1, 20),
                ("max_pages", self.max_pages.into(), 1, 100_000),
                ("pause_minutes", self.pause_minutes.into(), 1, 1_440),
                ("within_seconds", self.within_seconds.into(), 1, 600),
            ])
    }
}

impl Smtp {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let lonely = self.user.is_some() != self.password.is_some();
        let nobody = self.only_encrypted && self.recipients.is_empty();
        Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .listed("server.trust", &mut self.server.trust)
            .listed("recipients", &mut self.recipients)
            .pairs("signer", &mut self.signer)
            .texts([
                ("server.host", self.server.host.as_str()),
                ("from", &self.from),
                ("domain", &self.domain),
                ("subject", &self.subject),
            ])
            .numbers([
                ("max_mb", self.max_mb, 1, 1_024),
                ("within_seconds", self.within_seconds.into(), 1, 600),
            ])
            .wrong_if(lonely, "user", "expected user and password, or neither")
            .wrong_if(nobody, "only_encrypted", "there are no recipients whose certificate is known")
    }
}
