//! E-mails to aiosmtpd, judged by openssl.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adapter_post::out::mail;
use adapter_post::out::settings::Mail;
use model::activity::DispatchStatus;
use model::adapter::{Adapter, Receipt};
use model::{FailureKind, SystemClock};
use net::line::{Security, Server};
use seal::x509::Certificate;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::keys::Keys;
use crate::parcel::{addressee, changed, dispatch_of, noon, parcel, pdf, refused, sources, step};
use crate::scripted::Scripted;

/// Where `./dev` puts the Python that has aiosmtpd.
const PYTHON: &str = "target/zeep/bin/python3";

struct Smtp {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Smtp {
    fn start(mode: &str, pair: &[&Path]) -> Option<Smtp> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let named = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
        let python = named.unwrap_or_else(|| root.join(PYTHON));
        let has = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !has.is_ok_and(|it| it.success()) {
            eprintln!("SKIPPED: there is no Python with aiosmtpd");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/smtp_server.py");
        let mut command = Command::new(python);
        command.arg(script).arg(folder.path()).arg(mode).args(pair).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Smtp { process, folder, port: port.trim().parse().unwrap() })
    }

    fn settings(&self, security: Security, trust: Option<Vec<Certificate>>) -> Mail {
        settings(self.port, security, trust)
    }

    fn mails(&self) -> Vec<Vec<u8>> {
        (1..).map_while(|at| std::fs::read(self.folder.path().join(format!("{at}.eml"))).ok()).collect()
    }
}

fn settings(port: u16, security: Security, trust: Option<Vec<Certificate>>) -> Mail {
    Mail {
        id: "mail-out".into(),
        server: Server { host: "localhost".into(), port, security, trust },
        login: Some(("amt".into(), Zeroizing::new("geheim".into()))),
        from: "amt@kreis.example".into(),
        name: Some("Bauamt, Kreis".into()),
        domain: "kreis.example".into(),
        subject: "Schreiben für {reference}".into(),
        text: "Anbei erhalten Sie unser Schreiben.".into(),
        signer: None,
        recipients: vec![],
        only_encrypted: false,
        most_bytes: 20 << 20,
        within: Duration::from_secs(10),
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn ours(settings: Mail) -> Arc<dyn Adapter> {
    mail(settings, noon()).unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[tokio::test]
async fn mail_out_keeps_the_contract_and_names_its_delivery() {
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let (delivery, pdf) = (parcel("mail", addressee(), 1), pdf());
    let ours = ours(server.settings(Security::Plain, None));
    model::testkit::adapter_contract(ours.clone(), delivery.clone(), std::slice::from_ref(&pdf)).await;
    let receipt = ours.deliver(&delivery, &sources(&[&pdf])).await.unwrap();
    let id = format!("<{}.{}@kreis.example>", delivery.id.simple(), dispatch_of(&delivery).meta.id.simple());
    assert_eq!(
        (receipt.reference.as_deref(), step(&receipt.commands).0),
        (Some(id.as_str()), DispatchStatus::Posted)
    );
    for mail in server.mails() {
        let text = String::from_utf8(mail).unwrap();
        assert!(
            text.contains(&format!("Message-ID: {id}\r\n"))
                && text.contains("X-Loop: amtsbote@kreis.example\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Subject: Schreiben =?utf-8?b?")
                && text.contains("Date: Mon, 02 Mar 2026 12:00:00 +0000"),
            "{text}"
        );
        assert!(
            text.is_ascii()
                && text.lines().all(|line| line.len() <= 998)
                && text.contains("filename=\"bescheid0.pdf\"")
        );
    }
    let to = std::fs::read_to_string(server.folder.path().join("1.to")).unwrap();
    assert_eq!(to, "anna@b.example");
}

#[tokio::test]
async fn e_mails_are_signed_and_encrypted_as_openssl_understands_it() {
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let (keys, pdf) = (Keys::new(), pdf());
    keys.issue("amt", "amt@kreis.example").issue("anna", "Anna@b.example");
    let signed = Mail { signer: Some(keys.identity("amt")), ..server.settings(Security::Plain, None) };
    // The certificates are valid from now on.
    let today =
        |settings| mail(settings, Arc::new(SystemClock)).unwrap_or_else(|failure| panic!("{failure:?}"));
    today(signed).deliver(&parcel("mail", addressee(), 1), &sources(&[&pdf])).await.unwrap();
    let both = Mail {
        signer: Some(keys.identity("amt")),
        recipients: vec![keys.certificate("anna")],
        only_encrypted: true,
        ..server.settings(Security::Plain, None)
    };
    let both = today(both);
    both.deliver(&parcel("mail", addressee(), 1), &sources(&[&pdf])).await.unwrap();
    let stranger = changed(parcel("mail", addressee(), 1), |it| {
        it.to.as_mut().unwrap().email = Some("bert@b.example".into())
    });
    let not_encrypted = (FailureKind::Rejected, "post.not-encrypted".to_owned());
    assert_eq!(refused(&both, &stranger, &[&pdf]).await, not_encrypted);

    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    keys.write("signed.eml", &mails[0]);
    let verified = keys.openssl(&["cms", "-verify", "-in", "signed.eml", "-CAfile", "amt.pem"]);
    let verified = String::from_utf8(verified.expect("openssl accepts the signature")).unwrap();
    assert!(
        verified.contains("bescheid0.pdf") && !String::from_utf8_lossy(&mails[1]).contains("bescheid0.pdf")
    );
    keys.write("encrypted.eml", &mails[1]);
    let opened = keys.openssl(&[
        "cms",
        "-decrypt",
        "-in",
        "encrypted.eml",
        "-recip",
        "anna.pem",
        "-inkey",
        "anna.key",
    ]);
    keys.write("opened.eml", &opened.expect("openssl opens it"));
    let verified = keys.openssl(&["cms", "-verify", "-in", "opened.eml", "-CAfile", "amt.pem"]);
    assert!(verified.is_some(), "what was encrypted is signed");
}

#[tokio::test]
async fn tls_is_made_with_the_server_that_is_trusted_and_no_other() {
    let keys = Keys::new();
    let certificates = keys.server();
    let trust = || Some(certificates.clone());
    for (mode, security) in [("tls", Security::Tls), ("starttls", Security::Later)] {
        let Some(server) = Smtp::start(mode, &[&keys.path("s.pem"), &keys.path("s.key")]) else { return };
        let (delivery, pdf) = (parcel("mail", addressee(), 1), pdf());
        ours(server.settings(security, trust())).deliver(&delivery, &sources(&[&pdf])).await.unwrap();
        assert_eq!(server.mails().len(), 1, "{mode}");
        let stranger = ours(server.settings(security, None));
        assert_eq!(
            refused(&stranger, &delivery, &[&pdf]).await,
            (FailureKind::Transient, "post.smtp-unreachable".to_owned())
        );
        assert_eq!(server.mails().len(), 1, "{mode}");
    }
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let delivery = parcel("mail", addressee(), 1);
    let upgrade = ours(server.settings(Security::Later, trust()));
    assert_eq!(
        refused(&upgrade, &delivery, &[&pdf()]).await,
        (FailureKind::Permanent, "post.smtp-refused".to_owned())
    );
}

#[tokio::test]
async fn what_is_put_before_tls_is_not_taken_for_what_was_said_within() {
    let pushed = "220 los\r\n250-mx.example\r\n250 AUTH PLAIN\r\n235 angemeldet\r\n";
    let says = Box::leak(Box::new(["220 hier\r\n", "250-mx\r\n250 STARTTLS\r\n", pushed]));
    let scripted = Scripted::start(says).await;
    let settings = Mail {
        server: scripted.server(Security::Later),
        within: Duration::from_millis(500),
        ..settings(0, Security::Later, None)
    };
    let failure = refused(&ours(settings), &parcel("mail", addressee(), 1), &[&pdf()]).await;
    assert_eq!(failure, (FailureKind::Transient, "post.smtp-unreachable".to_owned()));
    let heard = String::from_utf8_lossy(&scripted.heard()).into_owned();
    assert!(heard.contains("STARTTLS") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_any_more_is_no_reason_to_send_in_plain() {
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let keys = Keys::new();
    keys.issue("anna", "anna@b.example");
    let settings =
        Mail { recipients: vec![keys.certificate("anna")], ..server.settings(Security::Plain, None) };
    // At the noon that the test's clock shows, the certificate is not valid yet.
    assert_eq!(
        refused(&ours(settings), &parcel("mail", addressee(), 1), &[&pdf()]).await,
        (FailureKind::Rejected, "post.not-encrypted".to_owned())
    );
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn after_a_crash_a_human_is_asked_about_our_own_e_mails_alone() {
    let ours = ours(settings(1, Security::Plain, None));
    let failure = ours.reconcile(&parcel("mail", addressee(), 1)).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "post.smtp-unclear"));
    let carried = changed(parcel("mail", addressee(), 1), |it| it.status = DispatchStatus::Posted);
    for other in [parcel("print", addressee(), 1), carried] {
        assert_eq!(ours.reconcile(&other).await.unwrap(), Some(Receipt::nothing()));
        assert_eq!(ours.deliver(&other, &sources(&[b"x"])).await.unwrap(), Receipt::nothing());
    }
}

#[tokio::test]
async fn what_a_mail_server_says_is_told_apart() {
    use FailureKind::{Rejected, Transient, Unauthorised, Uncertain};
    let pdf = pdf();
    for (mode, kind, code) in [
        ("full", Transient, "post.smtp-busy"),
        ("refuse", Rejected, "post.smtp-refused"),
        ("drop", Uncertain, "post.smtp-unclear"),
    ] {
        let Some(server) = Smtp::start(mode, &[]) else { return };
        let ours = ours(server.settings(Security::Plain, None));
        assert_eq!(
            refused(&ours, &parcel("mail", addressee(), 1), &[&pdf]).await,
            (kind, code.to_owned()),
            "{mode}"
        );
    }
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let one = || parcel("mail", addressee(), 1);
    let wrong = Mail {
        login: Some(("amt".into(), Zeroizing::new("falsch".into()))),
        ..server.settings(Security::Plain, None)
    };
    let wrong = ours(wrong);
    assert!(!wrong.check().await.ok);
    assert_eq!(refused(&wrong, &one(), &[&pdf]).await, (Unauthorised, "post.smtp-login".to_owned()));
    let small = ours(Mail { most_bytes: 100, ..server.settings(Security::Plain, None) });
    assert_eq!(refused(&small, &one(), &[&pdf]).await, (Rejected, "post.too-large".to_owned()));
    let nobody = changed(one(), |it| {
        it.to.as_mut().unwrap().email = Some("a@b.example>\r\nRCPT TO:<c@d.example".into())
    });
    assert_eq!(refused(&small, &nobody, &[&pdf]).await, (Rejected, "post.no-address".to_owned()));
    assert!(server.mails().is_empty());
    // Nobody answers: nothing was sent.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = server.settings(Security::Plain, None);
    (settings.server.port, settings.within) =
        (silent.local_addr().unwrap().port(), Duration::from_millis(300));
    assert_eq!(
        refused(&ours(settings), &one(), &[&pdf]).await,
        (Transient, "post.smtp-unreachable".to_owned())
    );
}

#[tokio::test]
async fn a_notice_goes_without_documents_and_says_what_it_says_itself() {
    let Some(server) = Smtp::start("plain", &[]) else { return };
    let ours = ours(server.settings(Security::Plain, None));
    let with = |link: Option<&str>| {
        let mut delivery = parcel("mail", addressee(), 0);
        if let Some(model::Record::Dispatch(it)) = delivery.about.as_mut().map(|about| &mut about.record) {
            it.kind = model::activity::DispatchKind::Notification;
            it.notice = Some(model::activity::Notice {
                subject: "Neues zu Ihrem Vorgang".into(),
                text: "Guten Tag, es gibt etwas Neues.".into(),
                link: link.map(str::to_owned),
            });
        }
        delivery
    };
    let receipt = ours.deliver(&with(Some("https://buerger.kreis.example/citizen/")), &[]).await.unwrap();
    assert_eq!(step(&receipt.commands).0, DispatchStatus::Posted);
    let mail = String::from_utf8(server.mails().remove(0)).unwrap();
    assert!(mail.contains("Subject: Neues zu Ihrem Vorgang\r\n"), "{mail}");
    let text = "Guten Tag, es gibt etwas Neues.\n\nhttps://buerger.kreis.example/citizen/\n";
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text.replace('\n', "\r\n"));
    let plain = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let bare: String = mail.split_whitespace().collect();
    assert!(bare.contains(&encoded) || bare.contains(&plain), "{mail}");
    // A letter without documents is still none, however it is called.
    let empty = parcel("mail", addressee(), 0);
    assert_eq!(refused(&ours, &empty, &[]).await, (FailureKind::Rejected, "post.no-document".into()));
}
