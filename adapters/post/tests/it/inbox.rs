//! E-mails out of a mailbox of Dovecot.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adapter_post::mail::{Settings, adapter};
use adapter_post::patterns::Patterns;
use model::activity::{Dispatch, DispatchKind, DispatchStatus};
use model::command::Change;
use model::{FailureKind, Id, Record};
use net::line::{Security, Server};
use seal::x509::{Trust, WithoutRevocation};
use zeroize::Zeroizing;

use crate::desk::Desk;
use crate::dovecot::Dovecot;
use crate::keys::Keys;
use crate::scripted::{Imap, Scripted};

const DOMAIN: &str = "kreis.example";

fn settings(server: Server, user: &str) -> Settings {
    let mut settings = Settings::new("mail", server, user, Zeroizing::new("geheim".into()));
    settings.patterns = Patterns::new(&[r"VG-\d{4}-\d{4}".into()], &[]).unwrap();
    settings.domain = DOMAIN.into();
    settings.within = Duration::from_secs(20);
    settings
}

fn plain(subject: &str) -> Vec<u8> {
    format!(
        "From: Anna <anna@b.example>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nzu VG-2026-0001\r\n--b\r\n\
         Content-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjcK\r\n--b--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn an_e_mail_is_taken_in_with_all_that_is_in_it_and_moved_away_unread() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (desk, raw) = (Arc::new(Desk::default()), plain("Unterlagen VG-2026-0007"));
    dovecot.put("eins", &[&raw]).await;
    let pause = adapter(settings(dovecot.server(), "eins")).run(desk.clone()).await.unwrap();
    assert_eq!(pause, Duration::from_secs(60));
    let letter = desk.letter("Unterlagen VG-2026-0007");
    assert_eq!(desk.bytes(&letter, 0, "nachricht.eml"), raw);
    assert_eq!(desk.bytes(&letter, 0, "nachricht.txt"), b"zu VG-2026-0001\n");
    assert_eq!(desk.bytes(&letter, 1, "anlage-01.pdf"), b"%PDF-1.7\n");
    assert_eq!(
        (letter.documents[1].title.as_str(), letter.from.as_deref()),
        ("plan.pdf", Some("Anna <anna@b.example>"))
    );
    let hints: Vec<_> = letter.hints.iter().map(|it| (it.value.as_str(), it.confidence)).collect();
    assert_eq!(hints, [("VG-2026-0007", 90), ("VG-2026-0001", 70)]);
    assert!(letter.received_at.micros() > 0 && letter.concerns.is_empty(), "{:?}", letter.concerns);
    assert_eq!(dovecot.count("eins", "INBOX").await, (0, 0));
    assert_eq!(dovecot.count("eins", "Amtsbote").await, (1, 0));
    assert_eq!(dovecot.bodies("eins", "Amtsbote").await, [raw]);
}

#[tokio::test]
async fn a_crash_between_taking_in_and_moving_makes_one_letter() {
    let Some(dovecot) = Dovecot::start() else { return };
    // The old way of moving has to be as safe.
    for capabilities in ["IMAP4rev1 UIDPLUS MOVE", "IMAP4rev1 UIDPLUS", "IMAP4rev1"] {
        let user = capabilities.replace(' ', "").to_lowercase();
        dovecot.put(&user, &[&plain("eins"), &plain("zwei")]).await;
        dovecot.only(capabilities);
        let (desk, mail) = (Arc::new(Desk::default()), adapter(settings(dovecot.server(), &user)));
        desk.crashes.store(true, Ordering::Relaxed);
        assert_eq!(mail.run(desk.clone()).await.unwrap_err().kind, FailureKind::Transient);
        assert_eq!(dovecot.count(&user, "INBOX").await.0, 2, "nothing is moved before it is taken in");
        for _ in 0..2 {
            mail.run(desk.clone()).await.unwrap();
        }
        let subjects: Vec<_> =
            desk.letters.lock().unwrap().iter().map(|it| it.subject.clone().unwrap()).collect();
        assert_eq!(subjects, ["eins", "zwei"], "{capabilities}");
        assert_eq!(dovecot.count(&user, "INBOX").await.0, 0, "{capabilities}");
        assert_eq!(dovecot.count(&user, "Amtsbote").await.0, 2, "{capabilities}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_refused_keeps_nobody_waiting() {
    let Some(dovecot) = Dovecot::start() else { return };
    let mut large = b"Subject: gross\r\n\r\n".to_vec();
    large.resize(20_000, b'x');
    dovecot.put("gross", &[&large, &plain("klein")]).await;
    let desk = Arc::new(Desk::default());
    desk.refuses.store(true, Ordering::Relaxed);
    let settings = Settings { most_bytes: 10_000, ..settings(dovecot.server(), "gross") };
    adapter(settings).run(desk.clone()).await.unwrap();
    assert_eq!(desk.letter("gross").concerns, ["post.mail-too-large"]);
    let refused = desk.letter("klein");
    assert_eq!((refused.concerns.as_slice(), refused.documents.len()), (&["post.mail-unreadable"][..], 1));
    assert_eq!(desk.bytes(&refused, 0, "nachricht.eml"), plain("klein"));
    assert_eq!(dovecot.count("gross", "Amtsbote-Beiseite").await.0, 1);
    assert_eq!(dovecot.count("gross", "Amtsbote").await.0, 1);
}

fn dispatch(case: &Record) -> Dispatch {
    let mut dispatch = Dispatch {
        way: Some("mail".into()),
        to: Some(crate::parcel::addressee()),
        status: DispatchStatus::Posted,
        ..Dispatch::new(model::testkit::a_meta(), case.meta().id, DispatchKind::Notification)
    };
    dispatch.reference = Some(ours(dispatch.meta.id));
    dispatch
}

/// A Message-ID of ours.
fn ours(dispatch: Id) -> String {
    format!("<{}.{}@{DOMAIN}>", model::ids::new_id().simple(), dispatch.simple())
}

/// A report about the e-mail `about` to `to`.
fn report(subject: &str, about: &str, to: &str, action: &str) -> Vec<u8> {
    format!(
        "Return-Path: <>\r\nFrom: mailer-daemon@mx.example\r\nSubject: {subject}\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {to}\r\n\
         Action: {action}\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {about}\r\n\
         X-Loop: amtsbote@{DOMAIN}\r\n\r\nx\r\n--b--\r\n"
    )
    .into_bytes()
}

/// A desk with a dispatch that has gone out: its id, and its Message-ID.
fn desk_with_dispatch() -> (Arc<Desk>, Id, String) {
    let desk = Arc::new(Desk::default());
    let mut case = model::testkit::a_case("Neubau");
    if let Record::Case(case) = &mut case {
        case.description.record_reference = Some("63.01/2026".into());
    }
    let dispatch = dispatch(&case);
    let (id, sent_as) = (dispatch.meta.id, dispatch.reference.clone().unwrap());
    desk.records.lock().unwrap().extend([case, Record::Dispatch(dispatch)]);
    (desk, id, sent_as)
}

#[tokio::test]
async fn a_report_of_failure_ends_its_dispatch_and_lies_on_a_desk() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (desk, id, sent_as) = desk_with_dispatch();
    let mails: [&[u8]; 2] = [
        &report("unzustellbar", &sent_as, "Anna@B.example", "failed"),
        &report("angekommen", &sent_as, "anna@b.example", "delivered"),
    ];
    dovecot.put("bericht", &mails).await;
    adapter(settings(dovecot.server(), "bericht")).run(desk.clone()).await.unwrap();
    let notes: Vec<_> = desk.notes.lock().unwrap().iter().map(|it| (it.1, it.2.clone())).collect();
    let told = |action: &str| (id, serde_json::json!({ "report": action, "status": "5.1.1" }));
    assert_eq!(notes, [told("failed"), told("delivered")]);
    let submitted = desk.submitted.lock().unwrap().clone();
    let is_failed = |change: &Change| matches!(change, Change::DispatchStep(step, None) if step.kind == DispatchStatus::Failed);
    assert!(submitted.len() == 1 && submitted[0].1.id == id && is_failed(&submitted[0].1.change));
    let letter = desk.letter("unzustellbar");
    assert_eq!(
        (letter.concerns.as_slice(), desk.letters.lock().unwrap().len()),
        (&["post.mail-undelivered"][..], 1)
    );
    assert_eq!(letter.hints[0].value, "63.01/2026");
}

#[tokio::test]
async fn reports_that_are_forged_foreign_or_say_nothing_change_no_dispatch() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (desk, id, sent_as) = desk_with_dispatch();
    let to = "anna@b.example";
    // What cannot be read says nothing; without its part for programs it is no report.
    let silent = report("stumm", &sent_as, to, "kaputt");
    let bare = format!("Return-Path: <>\r\nSubject: roh\r\nIn-Reply-To: {sent_as}\r\n\r\nUser unknown\r\n");
    let away = format!(
        "Return-Path: <>\r\nFrom: {to}\r\nSubject: Urlaub\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: {sent_as}\r\n\r\nweg\r\n"
    );
    let mails: [&[u8]; 6] = [
        &report("anderer Empfaenger", &sent_as, "mallory@b.example", "failed"),
        &report("andere E-Mail", &ours(id), to, "failed"),
        &report("fremd", "<x@y.example>", to, "failed"),
        &silent,
        bare.as_bytes(),
        away.as_bytes(),
    ];
    dovecot.put("falsch", &mails).await;
    adapter(settings(dovecot.server(), "falsch")).run(desk.clone()).await.unwrap();
    assert!(desk.notes.lock().unwrap().is_empty() && desk.submitted.lock().unwrap().is_empty());
    for subject in ["anderer Empfaenger", "andere E-Mail", "fremd", "stumm"] {
        assert_eq!(desk.letter(subject).concerns, ["post.mail-bounce"], "{subject}");
    }
    for subject in ["roh", "Urlaub"] {
        let letter = desk.letter(subject);
        assert_eq!(letter.concerns, ["post.mail-automatic"], "{subject}");
        assert_eq!((letter.hints[0].value.as_str(), letter.hints[0].confidence), ("63.01/2026", 95));
    }
}

#[tokio::test]
async fn answers_lead_back_and_what_says_that_it_is_ours_is_a_letter_too() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (desk, id, _) = desk_with_dispatch();
    let answer =
        format!("From: a@b.example\r\nSubject: Antwort\r\nIn-Reply-To: {}\r\n\r\nDanke\r\n", ours(id));
    let back =
        format!("From: a@b.example\r\nSubject: rund\r\nX-Loop: amtsbote@{DOMAIN}\r\n\r\nWiderspruch\r\n");
    dovecot.put("antwort", &[answer.as_bytes(), back.as_bytes()]).await;
    adapter(settings(dovecot.server(), "antwort")).run(desk.clone()).await.unwrap();
    let hint = &desk.letter("Antwort").hints[0];
    assert_eq!((hint.value.as_str(), hint.confidence), ("63.01/2026", 95));
    let back = desk.letter("rund");
    assert_eq!(back.concerns, ["post.mail-ours"]);
    assert_eq!(desk.bytes(&back, 0, "nachricht.txt"), b"Widerspruch\n\n");
    assert_eq!(dovecot.count("antwort", "Amtsbote").await.0, 2);
}

#[tokio::test]
async fn another_e_mail_under_the_same_uid_is_another_letter() {
    let (desk, imap) = (Arc::new(Desk::default()), Imap::start().await);
    for subject in ["vor der Wiederherstellung", "danach"] {
        imap.put(7, &plain(subject));
        adapter(settings(imap.server(), "u")).run(desk.clone()).await.unwrap();
        desk.letter(subject);
    }
    // The same bytes again are the same letter.
    imap.put(7, &plain("danach"));
    adapter(settings(imap.server(), "u")).run(desk.clone()).await.unwrap();
    assert_eq!((desk.letters.lock().unwrap().len(), imap.left()), (2, vec![]));
}

#[tokio::test]
async fn an_e_mail_that_cannot_be_fetched_holds_nobody_up() {
    let (desk, imap) = (Arc::new(Desk::default()), Imap::start().await);
    imap.put(1, &plain("klemmt"));
    imap.breaks(1);
    for uid in 2..5 {
        imap.put(uid, &plain(&format!("gut {uid}")));
    }
    let mail = adapter(settings(imap.server(), "u"));
    let run = async || mail.run(desk.clone()).await;
    assert_eq!(&*run().await.unwrap_err().code, "post.mail-unreachable");
    assert_eq!(imap.left(), [1, 2, 3, 4]);
    // The next session goes on behind it, and comes to it last.
    for _ in 0..2 {
        run().await.unwrap_err();
    }
    assert_eq!((imap.left(), desk.letters.lock().unwrap().len()), (vec![1], 3));
    run().await.unwrap();
    assert!(imap.left().is_empty());
    let letter = desk.letter("klemmt");
    assert_eq!(letter.concerns, ["post.mail-not-fetched"]);
    assert!(desk.bytes(&letter, 0, "kopf.txt").starts_with(b"From: Anna"));
}

#[tokio::test]
async fn an_e_mail_that_ends_the_gateway_is_not_tried_for_ever() {
    let (desk, imap) = (Arc::new(Desk::default()), Imap::start().await);
    imap.put(1, &plain("boese"));
    // What three sessions have begun and none has ended.
    let state = serde_json::json!({ "validity": 7, "after": 1, "vain": { "1": 3 } });
    model::adapter::Host::set_state(&*desk, "mailbox", state).await.unwrap();
    adapter(settings(imap.server(), "u")).run(desk.clone()).await.unwrap();
    assert_eq!(desk.letter("boese").concerns, ["post.mail-not-fetched"]);
}

#[tokio::test]
async fn signatures_are_judged_and_only_what_they_cover_is_used() {
    let Some(dovecot) = Dovecot::start() else { return };
    let keys = Keys::new();
    keys.issue("anna", "Anna@b.example")
        .issue("mallory", "mallory@b.example")
        .issue("amt", "amt@kreis.example");
    keys.issue("other", "other@kreis.example");
    let entity = "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain\r\n\r\nVG-2026-0001 geheim\r\n\
        --i\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-1.7\r\n--i--\r\n";
    let signer = |name: &str| [format!("{name}.pem"), format!("{name}.key")];
    let [anna, anna_key] = signer("anna");
    let [mallory, mallory_key] = signer("mallory");
    let sign = ["-sign", "-signer", anna.as_str(), "-inkey", anna_key.as_str()];
    let beside = keys.cms(entity, "daneben", &sign);
    let tampered = String::from_utf8(beside.clone())
        .unwrap()
        .replace("geheim", "gehelm")
        .replace("daneben", "veraendert");
    let inside = keys.cms(entity, "darin", &[&sign[..], &["-nodetach"]].concat());
    let streamed = keys.cms(entity, "gestroemt", &[&sign[..], &["-nodetach", "-stream"]].concat());
    let foreign = keys.cms(entity, "fremd", &["-sign", "-signer", &mallory, "-inkey", &mallory_key]);
    let encrypted = keys.cms(entity, "verschluesselt", &["-encrypt", "-aes256"]);
    let authenticated = keys.cms(entity, "authentisch", &["-encrypt", "-aes-256-gcm"]);
    let body = |mail: &[u8]| {
        // What is to be signed or encrypted further has no header of an e-mail.
        let text = String::from_utf8(mail.to_vec()).unwrap();
        text.split_inclusive("\r\n")
            .filter(|line| !["To:", "From:", "Subject:"].iter().any(|it| line.starts_with(it)))
            .collect::<String>()
    };
    let both = keys.cms(&body(&beside), "beides", &["-encrypt", "-aes256"]);
    let broken = String::from_utf8(authenticated.clone()).unwrap();
    let at = broken.len() - 80;
    let (front, back) = broken.split_at(at);
    let other = if back.starts_with('A') { "B" } else { "A" };
    let broken = format!("{front}{other}{}", &back[1..]).replace("authentisch", "gebrochen");
    let mails: [&[u8]; 9] = [
        &beside,
        tampered.as_bytes(),
        &inside,
        &streamed,
        &foreign,
        &encrypted,
        &authenticated,
        &both,
        broken.as_bytes(),
    ];
    dovecot.put("siegel", &mails).await;
    let trust = Trust::new(&[keys.certificate("anna"), keys.certificate("mallory")]).unwrap();
    let mut settings = settings(dovecot.server(), "siegel");
    settings.trust = Some(trust.without_revocation(WithoutRevocation::Accept));
    settings.keys = vec![keys.identity("other"), keys.identity("amt")];
    let desk = Arc::new(Desk::default());
    adapter(settings).run(desk.clone()).await.unwrap();

    for subject in ["daneben", "darin", "gestroemt", "fremd", "verschluesselt", "authentisch", "beides"] {
        let letter = desk.letter(subject);
        let text = String::from_utf8(desk.bytes(&letter, 0, "nachricht.txt")).unwrap();
        assert_eq!(text.trim(), "VG-2026-0001 geheim", "{subject}");
        assert!(desk.bytes(&letter, 1, "anlage-01.pdf").starts_with(b"%PDF-1.7"), "{subject}");
        let is_sealed = letter.documents[0].files[0].seal_level.is_some();
        assert_eq!(
            is_sealed,
            ["daneben", "darin", "gestroemt", "beides"].contains(&subject),
            "{subject} {}",
            letter.proof
        );
        let concerns: &[&str] = match subject {
            "fremd" => &["post.mail-signer"],
            "verschluesselt" => &["post.mail-unproven"],
            _ => &[],
        };
        assert_eq!(letter.concerns, concerns, "{subject}");
        let was_encrypted =
            letter.documents[0].files.iter().any(|it| it.name == "nachricht-entschluesselt.eml");
        assert_eq!(
            was_encrypted,
            // What nobody has signed may be made to send away what it says, once a program shows it.
            ["authentisch", "beides"].contains(&subject),
            "{subject}"
        );
    }
    for (subject, concern) in
        [("veraendert", "post.mail-signature"), ("gebrochen", "post.mail-not-decrypted")]
    {
        let letter = desk.letter(subject);
        assert_eq!(letter.concerns, [concern], "{subject}");
        assert_eq!(
            (letter.documents.len(), letter.documents[0].files.len()),
            (1, 1),
            "the original alone: {subject}"
        );
        assert!(letter.hints.is_empty());
    }
}

#[tokio::test]
async fn starttls_is_made_before_the_password_is_said() {
    let Some(dovecot) = Dovecot::start() else { return };
    let keys = Keys::new();
    let trust = keys.server();
    dovecot.with_tls(&keys.path("s.pem"), &keys.path("s.key"));
    dovecot.put("tls", &[&plain("geschuetzt")]).await;
    let desk = Arc::new(Desk::default());
    let server =
        |trust| Server { host: "localhost".into(), security: Security::Later, trust, ..dovecot.server() };
    adapter(settings(server(Some(trust)), "tls")).run(desk.clone()).await.unwrap();
    desk.letter("geschuetzt");
    let failure = adapter(settings(server(None), "tls")).run(desk).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "post.mail-unreachable"));
}

#[tokio::test]
async fn what_is_put_before_tls_is_not_believed_and_without_tls_nothing_is_said() {
    let pushed = "T1 OK los\r\n* OK eingeschoben\r\nA0001 OK angemeldet\r\n";
    let cases: [(&'static [&'static str], FailureKind, &str); 4] = [
        (&["* OK hier\r\n", "T1 NO nein\r\n"], FailureKind::Permanent, "post.mail-no-tls"),
        (&["* PREAUTH hier\r\n"], FailureKind::Permanent, "post.mail-no-tls"),
        (Box::leak(Box::new(["* OK hier\r\n", pushed])), FailureKind::Transient, "post.mail-unreachable"),
        (&["* OK hier\r\n* OK noch was\r\nT1 OK los\r\n"], FailureKind::Transient, "post.mail-unreachable"),
    ];
    for (says, kind, code) in cases {
        let scripted = Scripted::start(says).await;
        let mut settings = settings(scripted.server(Security::Later), "anna");
        settings.within = Duration::from_millis(500);
        let failure = adapter(settings).run(Arc::new(Desk::default())).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (kind, code), "{says:?}");
        let heard = String::from_utf8_lossy(&scripted.heard()).into_owned();
        assert!(!heard.contains("LOGIN") && !heard.contains("geheim"), "{heard}");
    }
}

#[tokio::test]
async fn servers_that_hang_lie_or_refuse_are_told_apart() {
    use FailureKind::{Permanent, Transient, Unauthorised};
    let long: &'static str = Box::leak(format!("* OK {}\r\n", "x".repeat(400_000)).into_boxed_str());
    let cases: [(&'static [&'static str], FailureKind, &str); 5] = [
        (&[""], Transient, "post.mail-unreachable"),
        (Box::leak(Box::new([long])), Transient, "post.mail-unreachable"),
        (&["* OK hier\r\n", "A0001 NO [AUTHENTICATIONFAILED] nein\r\n"], Unauthorised, "post.mail-login"),
        (&["* OK hier\r\n", "A0001 NO [UNAVAILABLE] spaeter\r\n"], Transient, "post.mail-unreachable"),
        (&["* OK hier\r\n", "<html>Wartung</html>\r\n"], Transient, "post.mail-garbage"),
    ];
    for (says, kind, code) in cases {
        let scripted = Scripted::start(says).await;
        let mut settings = settings(scripted.server(Security::Plain), "u");
        settings.within = Duration::from_millis(500);
        let failure = adapter(settings).run(Arc::new(Desk::default())).await.unwrap_err();
        assert_eq!(
            (failure.kind, &*failure.code),
            (kind, code),
            "{:?}",
            says.iter().map(|it| it.get(..30)).collect::<Vec<_>>()
        );
    }
    let away = Server { host: "192.0.2.1".into(), port: 143, security: Security::Plain, trust: None };
    let failure = adapter(settings(away, "u")).run(Arc::new(Desk::default())).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Permanent, "net.plain-line"));
}
