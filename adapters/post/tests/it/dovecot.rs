//! Dovecot on a free port of the loopback, by the script of ../shared; stopped when it goes.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use futures::TryStreamExt;
use net::line::{Line, Security, Server};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct Dovecot {
    folder: TempDir,
    port: u16,
}

impl Dovecot {
    /// `None` if it is not there, or cannot be started.
    pub(crate) fn start() -> Option<Dovecot> {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/senders/post/imap-server.sh");
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The mail user must be able to come here.
        Command::new("chmod").arg("755").arg(folder.path()).status().ok()?;
        let mut command = Command::new("sh");
        command.arg(&script).arg(folder.path()).arg(port.to_string());
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !script.exists() || !started.is_ok_and(|it| it.success()) {
            eprintln!("SKIPPED: Dovecot, or its script in ../shared, is absent or cannot be started");
            return None;
        }
        Some(Dovecot { folder, port })
    }

    pub(crate) fn server(&self) -> Server {
        Server { host: "127.0.0.1".into(), port: self.port, security: Security::Plain, trust: None }
    }

    /// What it says it can, from the next connection on.
    pub(crate) fn only(&self, capabilities: &str) {
        self.configured(&format!("imap_capability = {capabilities}\n"));
    }

    /// It offers STARTTLS with this certificate and key, from the next connection on.
    pub(crate) fn with_tls(&self, certificate: &Path, key: &Path) {
        let (certificate, key) = (certificate.display(), key.display());
        self.configured(&format!("ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n"));
    }

    fn configured(&self, more: &str) {
        let path = self.folder.path().join("dovecot.conf");
        let settings = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{settings}{more}")).unwrap();
        Command::new("doveadm").arg("-c").arg(&path).arg("reload").status().unwrap();
    }

    async fn session(&self, user: &str) -> async_imap::Session<Line> {
        // It begins to listen a moment after its script has ended.
        let mut line = self.server().connect(Duration::from_secs(10)).await;
        for _ in 0..100 {
            if line.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            line = self.server().connect(Duration::from_secs(10)).await;
        }
        let line = line.expect("Dovecot listens");
        line.allowance().set(u64::MAX);
        let mut client = async_imap::Client::new(line);
        client.read_response().await.unwrap();
        client.login(user, "geheim").await.map_err(|(error, _)| error).unwrap()
    }

    /// Puts e-mails into a mailbox.
    pub(crate) async fn put(&self, user: &str, mails: &[&[u8]]) {
        let mut session = self.session(user).await;
        for mail in mails {
            session.append("INBOX", None, None, mail).await.unwrap();
        }
        session.logout().await.unwrap();
    }

    /// How many e-mails a folder holds, but for those that are marked as deleted; and whether any was read.
    pub(crate) async fn count(&self, user: &str, folder: &str) -> (usize, usize) {
        let mut session = self.session(user).await;
        session.select(folder).await.unwrap();
        let all = session.uid_search("UNDELETED").await.unwrap().len();
        let seen = session.uid_search("SEEN UNDELETED").await.unwrap().len();
        session.logout().await.unwrap();
        (all, seen)
    }

    /// Bodies of all e-mails of a folder.
    pub(crate) async fn bodies(&self, user: &str, folder: &str) -> Vec<Vec<u8>> {
        let mut session = self.session(user).await;
        session.select(folder).await.unwrap();
        let found: Vec<_> =
            session.uid_fetch("1:*", "BODY.PEEK[]").await.unwrap().try_collect().await.unwrap();
        session.logout().await.unwrap();
        found.iter().filter_map(|it| it.body().map(<[u8]>::to_vec)).collect()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let settings = self.folder.path().join("dovecot.conf");
        drop(Command::new("doveadm").arg("-c").arg(settings).arg("stop").status());
    }
}
