//! Keys and certificates for S/MIME, made by the openssl program, and what it makes and judges.

use std::path::{Path, PathBuf};
use std::process::Command;

use seal::identity::Identity;
use seal::x509::Certificate;
use tempfile::TempDir;

/// A folder that openssl works in.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Keys {
        Keys(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs openssl; `None` if it says no.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    /// A self-signed certificate of this address, and its key: `NAME.pem`, `NAME.key`, both together in `NAME.both`.
    pub(crate) fn issue(&self, name: &str, address: &str) -> &Keys {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let (subject, alternative) = (format!("/CN={name}"), format!("subjectAltName=email:{address}"));
        let made = self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-days",
            "30",
            "-subj",
            &subject,
            "-addext",
            &alternative,
            "-addext",
            "keyUsage=critical,digitalSignature,keyEncipherment",
        ]);
        made.expect("openssl makes certificates");
        let both = [key, certificate].map(|name| std::fs::read(self.path(&name)).unwrap()).concat();
        self.write(&format!("{name}.both"), &both);
        self
    }

    /// A self-signed certificate of `localhost` and its key: `s.pem`, `s.key`.
    pub(crate) fn server(&self) -> Vec<Certificate> {
        let request =
            "req -x509 -newkey rsa:2048 -nodes -keyout s.key -out s.pem -days 30 -subj /CN=localhost -addext";
        let arguments: Vec<&str> = request.split(' ').chain(["subjectAltName=DNS:localhost"]).collect();
        self.openssl(&arguments).expect("openssl makes certificates");
        vec![self.certificate("s")]
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity::from_pem(&std::fs::read(self.path(&format!("{name}.both"))).unwrap(), "").unwrap()
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        certificate(&self.path(&format!("{name}.pem")))
    }

    /// An e-mail from `anna` that openssl has signed or encrypted, with lines that end as on the wire.
    pub(crate) fn cms(&self, entity: &str, subject: &str, arguments: &[&str]) -> Vec<u8> {
        self.write("entity", entity.as_bytes());
        let mut all = vec!["cms"];
        all.extend(arguments);
        all.extend([
            "-in",
            "entity",
            "-crlfeol",
            "-binary",
            "-from",
            "anna@b.example",
            "-to",
            "amt@kreis.example",
        ]);
        all.extend(["-subject", subject, "-out", "made"]);
        // The recipient's certificate stands at the end.
        let last = arguments.iter().position(|it| *it == "-encrypt").map(|_| "amt.pem");
        all.extend(last);
        self.openssl(&all).expect("openssl makes e-mails");
        let made = String::from_utf8(std::fs::read(self.path("made")).unwrap()).unwrap();
        made.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
    }
}

fn certificate(path: &Path) -> Certificate {
    Certificate::all_from_pem(&std::fs::read(path).unwrap()).unwrap().remove(0)
}
