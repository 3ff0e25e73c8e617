//! A mail server that is not ours, and e-mails of somebody whom its readers know.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Puts a file into a mailbox as an e-mail.
const PUT: &str = r"
import imaplib, sys, time
for attempt in range(100):
    try: client = imaplib.IMAP4('127.0.0.1', int(sys.argv[1])); break
    except OSError: time.sleep(0.1)
client.login('poststelle', 'geheim')
assert client.append('INBOX', None, None, open(sys.argv[2], 'rb').read())[0] == 'OK'
client.logout()
";

/// Password of the office's key.
pub(super) const PIN: &str = "Poststelle-2026";

pub(super) fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path)
}

pub(super) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|_| panic!("{program} is missing; ./dev test installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The server, until it is dropped.
pub(super) struct Dovecot {
    folder: tempfile::TempDir,
    pub(super) port: u16,
}

impl Dovecot {
    pub(super) fn start() -> Option<Self> {
        let script = shared("senders/post/imap-server.sh");
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().to_str().unwrap().to_owned();
        run("chmod", &["755", &path]);
        let mut command = Command::new("sh");
        command.arg(&script).arg(&path).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = script.exists() && command.status().is_ok_and(|status| status.success());
        if !is_there {
            eprintln!("SKIPPED: Dovecot, or its script in ../shared, is absent or cannot be started");
        }
        is_there.then_some(Dovecot { folder, port })
    }

    pub(super) fn put(&self, mail: &Path) {
        run("python3", &["-c", PUT, &self.port.to_string(), mail.to_str().unwrap()]);
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let configuration = self.folder.path().join("dovecot.conf");
        let _ = Command::new("doveadm").arg("-c").arg(configuration).arg("stop").status();
    }
}

/// Keys and certificates of those who write to one another.
pub(super) struct Writers {
    folder: PathBuf,
}

impl Writers {
    /// In a folder, whose `ca.pem` vouches for both, and whose `office.p12` is the office's key under [`PIN`].
    pub(super) fn new(folder: &Path) -> Self {
        let writers = Writers { folder: folder.to_owned() };
        let at = |name: &str| writers.at(name);
        let ca = ["req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30", "-subj", "/CN=S-MIME-CA"];
        run("openssl", &[&ca[..], &["-keyout", &at("ca.key"), "-out", &at("ca.pem")]].concat());
        writers.certify("signer", "Architektin", "plan@buero.example", "digitalSignature");
        writers.certify("office", "Poststelle", "poststelle@kreis.example", "keyEncipherment");
        let exports = ["pkcs12", "-export", "-in", &at("office.pem"), "-inkey", &at("office.key")];
        let password = format!("pass:{PIN}");
        run("openssl", &[&exports[..], &["-out", &at("office.p12"), "-passout", &password]].concat());
        run("chmod", &["600", &at("office.p12")]);
        writers
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn certify(&self, file: &str, name: &str, email: &str, usage: &str) {
        let at = |end: &str| self.at(&format!("{file}.{end}"));
        let subject = format!("/CN={name}/emailAddress={email}");
        let asks = ["req", "-newkey", "rsa:3072", "-nodes", "-subj", &subject];
        run("openssl", &[&asks[..], &["-keyout", &at("key"), "-out", &at("csr")]].concat());
        let extensions =
            format!("keyUsage={usage}\nextendedKeyUsage=emailProtection\nsubjectAltName=email:{email}\n");
        std::fs::write(at("ext"), extensions).unwrap();
        let (ca, key) = (self.at("ca.pem"), self.at("ca.key"));
        let signs = [
            "x509",
            "-req",
            "-in",
            &at("csr"),
            "-CA",
            &ca,
            "-CAkey",
            &key,
            "-days",
            "30",
            "-extfile",
            &at("ext"),
        ];
        run("openssl", &[&signs[..], &["-out", &at("pem")]].concat());
    }

    /// An e-mail of the signer with an attachment, signed; and encrypted for the office on top, if that is wanted.
    pub(super) fn write(&self, number: usize, subject: &str, attachment: &str, encrypted: bool) -> PathBuf {
        let at = |end: &str| self.at(&format!("{number}.{end}"));
        let body = format!(
            "Content-Type: multipart/mixed; boundary=grenze\r\n\r\n--grenze\r\nContent-Type: text/plain\r\n\r\n\
             Anbei die Unterlage.\r\n--grenze\r\nContent-Type: application/pdf\r\n\
             Content-Disposition: attachment; filename={attachment}\r\n\r\n%PDF-1.7 {attachment}\r\n--grenze--\r\n"
        );
        std::fs::write(at("body"), body).unwrap();
        let head = ["-from", "plan@buero.example", "-to", "poststelle@kreis.example", "-subject", subject];
        let (signer, key) = (self.at("signer.pem"), self.at("signer.key"));
        let sign =
            ["cms", "-sign", "-in", &at("body"), "-signer", &signer, "-inkey", &key, "-out", &at("signed")];
        match encrypted {
            false => run("openssl", &[&sign[..], &head].concat()),
            true => {
                run("openssl", &sign);
                let encrypt =
                    ["cms", "-encrypt", "-aes-256-gcm", "-in", &at("signed"), "-out", &at("sealed")];
                run("openssl", &[&encrypt[..], &head, &[&self.at("office.pem")]].concat());
            }
        }
        let written = std::fs::read(at(if encrypted { "sealed" } else { "signed" })).unwrap();
        let head =
            format!("Message-ID: <{number}@buero.example>\r\nDate: Thu, 05 Nov 2026 08:30:00 +0000\r\n");
        let mail = self.folder.join(format!("{number}.eml"));
        std::fs::write(&mail, [head.as_bytes(), &written].concat()).unwrap();
        mail
    }
}
