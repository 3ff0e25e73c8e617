//! How dispatches change, and what one may say. Notification (Mitteilung), disclosure (Bekanntgabe, § 41 VwVfG) and formal service (Zustellung, VwZG)
//! are what they were made as: nothing turns one into another.

use std::time::Duration;

use crate::activity::{Addressee, Dispatch, DispatchKind, DispatchStatus, DispatchStep, Notice};
use crate::ids::is_name;
use crate::{Error, EventKind, Timestamp};

use super::Change;

/// Documents that one dispatch may carry.
const DOCUMENTS: usize = 500;
/// Lines of an address, and the longest line, postal code, city, mailbox or address of e-mail, in characters.
const ADDRESS_LINES: usize = 6;
const ADDRESS_CHARS: usize = 80;
const EMAIL_CHARS: usize = 254;
const MAILBOX_CHARS: usize = 200;
/// Digits of a telephone number by E.164.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 3..=15;
/// Steps of one dispatch, and what proves them.
const STEPS: usize = 50;
/// Longest reference of whoever carries a dispatch, in characters.
const REFERENCE_CHARS: usize = 200;
/// Longest subject, text and link of a notice, in characters.
const SUBJECT_CHARS: usize = 200;
const TEXT_CHARS: usize = 4_000;
const LINK_CHARS: usize = 2_000;
/// Ways that are tried one after the other.
const WAYS: usize = 10;
/// What people tell happened; clocks may differ by so much.
const AHEAD: Duration = Duration::from_secs(300);

pub(super) fn changed(it: &mut Dispatch, change: &Change, now: Timestamp) -> Result<EventKind, Error> {
    match change {
        Change::DispatchStep(step, reference) => {
            add_step(it, *step)?;
            if reference.is_some() {
                it.reference.clone_from(reference);
            }
        }
        Change::Provide(step, provided) => {
            add_step(it, *step)?;
            // What was provided stays what it was, however often that is told.
            if it.provided.is_empty() {
                it.provided.clone_from(provided);
            }
        }
        Change::ProvenStep(proof) => {
            if proof.step.at > now.plus(AHEAD) {
                return Err(Error::Invalid { field: "at" });
            }
            if it.proofs.contains(proof) {
                return Err(Error::Exists);
            }
            // A step that was told without a proof may get one later; a proof stays what it is.
            if !it.steps.contains(&proof.step) {
                add_step(it, proof.step)?;
            }
            it.proofs.push(proof.clone());
        }
        _ => return Err(Error::WrongState { state: it.status.name() }),
    }
    Ok(EventKind::RecordChanged)
}

fn add_step(it: &mut Dispatch, step: DispatchStep) -> Result<(), Error> {
    if step.kind == DispatchStatus::Open {
        return Err(Error::Invalid { field: "kind" });
    }
    if it.steps.contains(&step) {
        return Err(Error::Exists);
    }
    it.steps.push(step);
    it.steps.sort_by_key(|step| step.at);
    // Steps may be told late: the latest by its own time says where it stands.
    it.status = it.steps.last().map_or(DispatchStatus::Open, |last: &DispatchStep| last.kind);
    Ok(())
}

pub(super) fn validate(it: &Dispatch) -> Result<(), Error> {
    let invalid = |field| Err(Error::Invalid { field });
    if it.documents.len() > DOCUMENTS {
        return invalid("documents");
    }
    if it.provided.len() > DOCUMENTS {
        return invalid("provided");
    }
    if it.steps.len() > STEPS || it.proofs.len() > STEPS {
        return invalid("steps");
    }
    if it.way.as_ref().is_some_and(|way| !is_name(way)) {
        return invalid("way");
    }
    if is_long(it.reference.as_ref(), REFERENCE_CHARS) {
        return invalid("reference");
    }
    if is_long(it.options.registered.as_ref(), ADDRESS_CHARS) {
        return invalid("options");
    }
    // What a notice says is no decision, and nobody may take it for one.
    let is_notice = it.kind == DispatchKind::Notification;
    if it.notice.as_ref().is_some_and(|notice| !is_notice || !is_sound(notice)) {
        return invalid("notice");
    }
    if !is_sequence(it) {
        return invalid("otherwise");
    }
    match it.to.as_ref().is_none_or(is_address) {
        true => Ok(()),
        false => invalid("to"),
    }
}

/// The ways that follow: each once, and only where what is sent brings nothing that had to arrive by the way that was chosen.
fn is_sequence(it: &Dispatch) -> bool {
    let all: Vec<&String> = it.way.iter().chain(&it.otherwise).collect();
    let is_once = all.iter().enumerate().all(|(at, way)| is_name(way) && !all[..at].contains(way));
    it.otherwise.is_empty() || (it.is_mere_notice() && it.way.is_some() && all.len() <= WAYS && is_once)
}

fn is_sound(notice: &Notice) -> bool {
    let is_text = |it: char| it == '\n' || !it.is_control();
    let is_link = |link: &String| {
        let is_plain = link.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain && (link.starts_with("https://") || link.starts_with("http://")) && link.len() <= LINK_CHARS
    };
    let text = &notice.text;
    is_line(&notice.subject, SUBJECT_CHARS)
        && !text.trim().is_empty()
        && text.chars().count() <= TEXT_CHARS
        && text.chars().all(is_text)
        && notice.link.as_ref().is_none_or(is_link)
}

fn is_address(to: &Addressee) -> bool {
    let lines = to.lines.len() <= ADDRESS_LINES && to.lines.iter().all(|line| is_line(line, ADDRESS_CHARS));
    let short = [&to.zip, &to.city, &to.country].iter().all(|it| !is_long(it.as_ref(), ADDRESS_CHARS));
    let is_number = |phone: &String| {
        let digits = phone.strip_prefix('+').unwrap_or_default();
        PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    lines
        && short
        && !is_long(to.email.as_ref(), EMAIL_CHARS)
        && !is_long(to.mailbox.as_ref(), MAILBOX_CHARS)
        && to.phone.as_ref().is_none_or(is_number)
}

fn is_long(text: Option<&String>, most: usize) -> bool {
    text.is_some_and(|text| !is_line(text, most))
}

/// Something on one line: it ends up in headers, files and forms of others.
pub(super) fn is_line(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::activity::{ProofKind, StepProof};
    use crate::command::{Command, Rules, decide};
    use crate::record::Record;
    use crate::testkit::a_dispatch;
    use crate::{RecordKind, ids};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn run(current: &Record, change: Change) -> Result<Record, Error> {
        let command = Command { kind: current.kind(), id: current.meta().id, expected: None, change };
        decide(Some(current), &command, Rules::default(), NOW).map(|decided| decided.record)
    }

    fn step(kind: DispatchStatus, at: i64) -> DispatchStep {
        DispatchStep { kind, at: Timestamp::from_micros(at) }
    }

    fn notice() -> Dispatch {
        let notice =
            Notice { subject: "Neues zu Ihrem Vorgang".into(), text: "Guten Tag,\n…".into(), link: None };
        Dispatch {
            notice: Some(notice),
            way: Some("push".into()),
            otherwise: vec!["mail".into(), "call".into()],
            ..a_dispatch(DispatchKind::Notification)
        }
    }

    #[test]
    fn the_latest_step_says_where_a_dispatch_stands() {
        let told = |record: &Record, kind, at, reference: Option<&str>| {
            run(record, Change::DispatchStep(step(kind, at), reference.map(str::to_owned)))
        };
        let first = Record::Dispatch(a_dispatch(DispatchKind::Disclosure));
        let it = told(&first, DispatchStatus::Posted, 5, Some("A1")).unwrap();
        let it = told(&it, DispatchStatus::Accepted, 3, None).unwrap();
        assert_eq!(it.status(), "posted");
        let Record::Dispatch(sent) = &it else { panic!("a dispatch") };
        assert_eq!((sent.reference.as_deref(), sent.steps.len()), (Some("A1"), 2));
        assert_eq!(told(&it, DispatchStatus::Posted, 5, None).map(drop), Err(Error::Exists));
        assert!(told(&it, DispatchStatus::Open, 6, None).is_err());
        let it = told(&it, DispatchStatus::Returned, 9, None).unwrap();
        assert_eq!(it.status(), "returned");
    }

    #[test]
    fn a_proof_stands_beside_its_step_and_is_given_once() {
        let first = Record::Dispatch(a_dispatch(DispatchKind::FormalService));
        let proof = |kind, at| StepProof {
            step: step(DispatchStatus::Provided, at),
            kind,
            document: Some(ids::derived_id(first.meta().id, "urkunde")),
        };
        let postal = proof(ProofKind::PostalRecord, 5);
        let it = run(&first, Change::ProvenStep(postal.clone())).unwrap();
        assert_eq!(it.status(), "provided");
        assert_eq!(run(&it, Change::ProvenStep(postal)).map(drop), Err(Error::Exists));
        let it = run(&it, Change::ProvenStep(proof(ProofKind::Acknowledgement, 5))).unwrap();
        let Record::Dispatch(it) = it else { panic!("a dispatch") };
        assert_eq!((it.steps.len(), it.proofs.len()), (1, 2));
        let later = Change::ProvenStep(proof(ProofKind::PostalRecord, NOW.micros() + 301_000_000));
        assert_eq!(run(&first, later).map(drop), Err(Error::Invalid { field: "at" }));
    }

    #[test]
    fn no_kind_of_dispatch_turns_into_another() {
        for kind in [DispatchKind::Notification, DispatchKind::Disclosure, DispatchKind::FormalService] {
            let it = Record::Dispatch(a_dispatch(kind));
            for other in ["notification", "disclosure", "formalService"] {
                let refused = run(&it, Change::Amend(json!({ "kind": other })));
                assert_eq!(refused.map(drop), Err(Error::WrongState { state: "open" }));
            }
            let told = run(&it, Change::DispatchStep(step(DispatchStatus::Failed, 5), None)).unwrap();
            assert!(matches!(told, Record::Dispatch(it) if it.kind == kind));
        }
    }

    #[test]
    fn only_a_notification_has_a_notice_and_only_one_without_documents_has_other_ways() {
        let created = |it: &Dispatch| {
            let change = Change::Create(Box::new(Record::Dispatch(it.clone())));
            let command = Command { kind: RecordKind::Dispatch, id: it.meta.id, expected: None, change };
            decide(None, &command, Rules::default(), NOW).map(drop)
        };
        let good = notice();
        assert_eq!(created(&good), Ok(()));
        let invalid = |field| Err(Error::Invalid { field });
        let alone = Dispatch { otherwise: vec![], ..good.clone() };
        for kind in [DispatchKind::Disclosure, DispatchKind::FormalService] {
            assert_eq!(created(&Dispatch { kind, ..alone.clone() }), invalid("notice"));
            let ways = Dispatch { kind, notice: None, ..good.clone() };
            assert_eq!(created(&ways), invalid("otherwise"));
        }
        let documents = vec![ids::new_id()];
        assert_eq!(created(&Dispatch { documents: documents.clone(), ..alone }), Ok(()));
        assert_eq!(created(&Dispatch { documents, ..good.clone() }), invalid("otherwise"));
        for otherwise in [vec!["push"], vec!["mail", "mail"], vec!["a b"], vec!["mail"; 11]] {
            let otherwise = otherwise.into_iter().map(str::to_owned).collect();
            assert_eq!(created(&Dispatch { otherwise, ..good.clone() }), invalid("otherwise"));
        }
        assert_eq!(created(&Dispatch { way: None, ..good }), invalid("otherwise"));
    }

    #[test]
    fn a_notice_has_a_subject_on_one_line_and_a_link_that_is_one() {
        let with = |subject: &str, text: &str, link: Option<&str>| {
            let notice = Notice { subject: subject.into(), text: text.into(), link: link.map(str::to_owned) };
            validate(&Dispatch { notice: Some(notice), ..notice_less() })
        };
        fn notice_less() -> Dispatch {
            Dispatch { notice: None, ..notice() }
        }
        assert_eq!(with("Betreff", "Text\n\nText", Some("https://buerger.kreis.example/citizen/")), Ok(()));
        for (subject, text, link) in [
            ("a\r\nBcc: b", "Text", None),
            ("", "Text", None),
            ("Betreff", " \n", None),
            ("Betreff", "\u{0}", None),
            ("Betreff", "Text", Some("javascript:alert(1)")),
            ("Betreff", "Text", Some("https://a b")),
        ] {
            let refused = Err(Error::Invalid { field: "notice" });
            assert_eq!(with(subject, text, link), refused, "{subject:?} {text:?} {link:?}");
        }
        assert!(with(&"x".repeat(201), "Text", None).is_err());
        assert!(with("Betreff", &"x".repeat(4_001), None).is_err());
    }

    #[test]
    fn an_address_has_no_line_breaks_and_a_number_is_one() {
        let to = |to: Addressee| Dispatch { to: Some(to), ..a_dispatch(DispatchKind::Disclosure) };
        let line = |line: &str| to(Addressee { lines: vec![line.to_owned()], ..Addressee::default() });
        assert_eq!(validate(&line("Erika Mustermann")), Ok(()));
        for text in ["a\nBcc: b", "", &"x".repeat(81)] {
            assert_eq!(validate(&line(text)), Err(Error::Invalid { field: "to" }), "{text:?}");
        }
        let phone = |phone: &str| to(Addressee { phone: Some(phone.to_owned()), ..Addressee::default() });
        assert_eq!(validate(&phone("+492921300")), Ok(()));
        for text in ["02921300", "+49a", "+", "+4929213001234567"] {
            assert_eq!(validate(&phone(text)), Err(Error::Invalid { field: "to" }), "{text:?}");
        }
    }
}
