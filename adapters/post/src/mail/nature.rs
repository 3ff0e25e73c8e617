//! What kind of e-mail it is: a letter, an automatic one, or a report of what became of one of ours. RFC 3834 (automatic answers), RFC 2369 and
//! 2919 (lists), RFC 3464 (reports of delivery), RFC 5321 section 4.4 (`Return-Path: <>`).
//!
//! All of it is what whoever has written the e-mail says: what a report leads to is decided elsewhere, by what was really sent.

use mail_parser::{HeaderName, HeaderValue, Message, MimeHeaders};
use model::Id;

use super::entity::{Entity, Leaf};
use crate::our_ids::{dispatch_of, loop_mark};

/// Names of ours that are looked at in `References`.
const MOST_REFERENCES: usize = 50;
/// Lines of a report, and recipients that it tells of; we write to one.
const MOST_LINES: usize = 1_000;
const MOST_OUTCOMES: usize = 20;

/// What an e-mail is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nature {
    /// Somebody has written it.
    Letter,
    /// A program has made it: an answer of absence, a list, a newsletter.
    Automatic,
    /// It reports on an e-mail.
    Report(Report),
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Message-ID of the e-mail that it is about, without angle brackets, and the dispatch that this names if it is one of ours.
    pub(super) about: Option<(String, Id)>,
    /// What became of it, for each recipient.
    pub(super) outcomes: Vec<Outcome>,
}

/// What became of an e-mail for one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The recipient's addresses in lower case: as we wrote it, and as others did on the way.
    pub(super) recipients: Vec<String>,
    /// `failed`, `delayed`, `delivered`, `relayed` or `expanded`.
    pub(super) action: Option<&'static str>,
    /// Status by RFC 3463, such as `5.1.1`.
    pub(super) status: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// What the e-mail is.
    pub(super) nature: Nature,
    /// The dispatch that it answers, or reports on.
    pub(super) answered: Option<Id>,
    /// Whether it says that it went out from here. Anybody can say so.
    pub(super) is_ours: bool,
}

/// What the e-mail is.
pub(super) fn judged(head: &Message<'_>, parts: &[Leaf<'_>], domain: &str) -> Found {
    let is_ours = head
        .header_values("X-Loop")
        .filter_map(HeaderValue::as_text)
        .any(|value| !domain.is_empty() && value.trim().eq_ignore_ascii_case(&loop_mark(domain)));
    let mut answered = answered(head, domain);
    if is_report(head) {
        let report = report(parts, domain);
        answered = report.about.as_ref().map(|(_, dispatch)| *dispatch).or(answered);
        return Found { nature: Nature::Report(report), answered, is_ours };
    }
    let is_automatic = return_path(head).is_some_and(|path| path.trim() == "<>") || is_automatic(head);
    Found { nature: if is_automatic { Nature::Automatic } else { Nature::Letter }, answered, is_ours }
}

/// The topmost: the server that took the e-mail in puts it there, and whatever stands below came along.
fn return_path<'a>(head: &'a Message<'_>) -> Option<&'a str> {
    let first = head.parts.first()?.headers.iter().find(|header| header.name == HeaderName::ReturnPath)?;
    let range = first.offset_start as usize..first.offset_end as usize;
    std::str::from_utf8(head.raw_message.get(range)?).ok()
}

fn is_automatic(message: &Message<'_>) -> bool {
    let says = |name: &'static str| message.header_raw(name).map(|value| value.trim().to_ascii_lowercase());
    let is_submitted =
        says("Auto-Submitted").is_some_and(|value| !value.is_empty() && !value.starts_with("no"));
    let is_bulk =
        says("Precedence").is_some_and(|it| matches!(it.as_str(), "bulk" | "junk" | "list" | "auto_reply"));
    let is_list = ["List-Id", "List-Unsubscribe", "List-Post", "List-Help"]
        .iter()
        .any(|name| message.header_raw(*name).is_some());
    is_submitted || is_bulk || is_list
}

fn is_report(head: &Message<'_>) -> bool {
    let Some(kind) = head.content_type() else { return false };
    let is = |value: Option<&str>, wanted: &str| value.is_some_and(|it| it.eq_ignore_ascii_case(wanted));
    kind.ctype().eq_ignore_ascii_case("multipart")
        && is(kind.subtype(), "report")
        && is(kind.attribute("report-type"), "delivery-status")
}

/// Reads the part for programs, and whose e-mail it was out of the one that came back.
fn report(parts: &[Leaf<'_>], domain: &str) -> Report {
    let mut report = Report::default();
    for part in parts {
        match part.entity.media_type().1.as_str() {
            "delivery-status" | "global-delivery-status" => outcomes(&part.entity.content(), &mut report),
            "rfc822" | "global" | "rfc822-headers" | "global-headers" if report.about.is_none() => {
                let content = part.entity.content();
                let head = Entity::of(&content).and_then(|inner| inner.head);
                let id = head.as_ref().and_then(|head| head.message_id());
                report.about = id.and_then(|id| Some((id.to_owned(), dispatch_of(id, domain)?)));
            }
            _ => {}
        }
    }
    report
}

/// RFC 3464, section 2.3: a group of lines for each recipient, after one for the e-mail.
fn outcomes(text: &[u8], report: &mut Report) {
    const ACTIONS: [&str; 5] = ["failed", "delayed", "delivered", "relayed", "expanded"];
    let mut outcome = Outcome::default();
    let text = String::from_utf8_lossy(text);
    for line in text.lines().take(MOST_LINES).chain([""]) {
        if line.trim().is_empty() {
            let outcome = std::mem::take(&mut outcome);
            if !outcome.recipients.is_empty() && report.outcomes.len() < MOST_OUTCOMES {
                report.outcomes.push(outcome);
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim().to_ascii_lowercase();
        match name.trim().to_ascii_lowercase().as_str() {
            "final-recipient" | "original-recipient" if outcome.recipients.len() < 2 => {
                // The kind of address stands before it.
                let address = value.split_once(';').map_or(value.as_str(), |(_, address)| address.trim());
                outcome.recipients.push(address.trim_matches(['<', '>']).to_owned());
            }
            "action" => outcome.action = ACTIONS.into_iter().find(|action| *action == value),
            "status" => {
                let code = value.split([' ', '(']).next().unwrap_or_default();
                outcome.status = is_status(code).then(|| code.to_owned());
            }
            _ => {}
        }
    }
}

fn is_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(is_number)
}

/// The dispatch that is answered, by `In-Reply-To` and `References`.
fn answered(message: &Message<'_>, domain: &str) -> Option<Id> {
    let names = |value: &HeaderValue<'_>| -> Vec<String> {
        match value.as_text_list() {
            Some(list) => list.iter().take(MOST_REFERENCES).map(|it| it.to_string()).collect(),
            None => value.as_text().map(str::to_owned).into_iter().collect(),
        }
    };
    let mut all = names(message.in_reply_to());
    all.extend(names(message.references()).into_iter().rev());
    all.iter().find_map(|id| dispatch_of(id, domain))
}

#[cfg(test)]
mod tests {
    use super::super::entity::leaves;
    use super::*;

    const DOMAIN: &str = "kreis.example";

    fn found(raw: &str) -> Found {
        let head = Entity::of(raw.as_bytes()).and_then(|it| it.head).unwrap();
        judged(&head, &leaves(raw.as_bytes()).unwrap(), DOMAIN)
    }

    #[test]
    fn programs_give_themselves_away() {
        for header in [
            "Auto-Submitted: auto-replied",
            "Precedence: bulk",
            "List-Unsubscribe: <https://x.example>",
            "Return-Path: <>\r\nReturn-Path: <a@b.example>",
        ] {
            let it = found(&format!("{header}\r\nSubject: x\r\n\r\nx"));
            assert_eq!((it.nature, it.is_ours), (Nature::Automatic, false), "{header}");
        }
        for header in [
            "Auto-Submitted: no",
            "Precedence: first-class",
            "Return-Path: <a@b.example>\r\nReturn-Path: <>",
            "X-Loop: someone@else.example",
        ] {
            let it = found(&format!("{header}\r\nSubject: x\r\n\r\nx"));
            assert_eq!((it.nature, it.is_ours), (Nature::Letter, false), "{header}");
        }
        let ours = found("X-Loop: amtsbote@kreis.example\r\n\r\nx");
        assert_eq!((ours.nature, ours.is_ours), (Nature::Letter, true));
    }

    #[test]
    fn a_report_leads_to_the_dispatch_that_did_not_arrive() {
        let dispatch = model::ids::new_id();
        let id = crate::our_ids::message_id(model::ids::new_id(), dispatch, DOMAIN);
        for inner in [
            format!("Content-Type: message/rfc822\r\n\r\nMessage-ID: {id}\r\nSubject: a\r\n\r\ntext\r\n"),
            format!("Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\nSubject: a\r\n\r\n"),
        ] {
            let raw = format!(
                "Return-Path: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
                 --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
                 --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
                 Final-Recipient: rfc822; C@d.example\r\nAction: delivered\r\n\r\n\
                 Original-Recipient: rfc822;a@B.example\r\nFinal-Recipient: rfc822; x@b.example\r\nAction: failed\r\nStatus: 5.1.1 (unknown)\r\n\r\n\
                 --b\r\n{inner}\r\n--b--\r\n"
            );
            let it = found(&raw);
            assert_eq!(it.answered, Some(dispatch));
            let Nature::Report(report) = it.nature else { panic!("{:?}", it.nature) };
            assert_eq!(report.about, Some((id.trim_matches(['<', '>']).to_owned(), dispatch)));
            let failed = Outcome {
                recipients: vec!["a@b.example".into(), "x@b.example".into()],
                action: Some("failed"),
                status: Some("5.1.1".into()),
            };
            assert_eq!((report.outcomes.len(), &report.outcomes[1]), (2, &failed));
        }
    }

    #[test]
    fn an_answer_leads_to_the_dispatch_that_it_answers() {
        let dispatch = model::ids::new_id();
        let id = crate::our_ids::message_id(model::ids::new_id(), dispatch, DOMAIN);
        let answer =
            format!("In-Reply-To: <other@x.example>\r\nReferences: <first@x.example> {id}\r\n\r\nDanke");
        let it = found(&answer);
        assert_eq!((it.nature, it.answered), (Nature::Letter, Some(dispatch)));
        // Answers of absence have no sender that could be answered; they are no reports.
        let it = found(&format!("Return-Path: <>\r\n{answer}"));
        assert_eq!((it.nature, it.answered), (Nature::Automatic, Some(dispatch)));
    }
}
