//! What kind of e-mail it is: a letter, one of our own come back round, an automatic one, or a report that one of ours did not arrive.
//! RFC 3834 (automatic answers), RFC 2369 and 2919 (lists), RFC 3464 (reports of delivery), RFC 5321 section 4.4 (`Return-Path: <>`).

use mail_parser::{HeaderValue, Message, MessageParser, MessagePart, MimeHeaders};
use model::Id;

use crate::our_ids::{dispatch_of, loop_mark};

/// Names of ours that are looked at in `References`.
const MOST_REFERENCES: usize = 50;

/// What an e-mail is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nature {
    /// Somebody has written it.
    Letter,
    /// A program has made it: an answer of absence, a list, a newsletter.
    Automatic,
    /// It went out from here.
    Ours,
    /// It reports on an e-mail.
    Report(Report),
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    /// The dispatch whose e-mail it is about, if it was one of ours.
    pub(super) dispatch: Option<Id>,
    /// What became of it: `failed`, `delayed`, `delivered`, `relayed` or `expanded`; `unknown` if it does not say.
    pub(super) action: &'static str,
    /// Status by RFC 3463, such as `5.1.1`.
    pub(super) status: Option<String>,
}

/// What the e-mail is, and the dispatch that it answers.
pub(super) fn nature(message: &Message<'_>, domain: &str) -> (Nature, Option<Id>) {
    let answered = answered(message, domain);
    let is_ours = message
        .header_values("X-Loop")
        .filter_map(HeaderValue::as_text)
        .any(|value| !domain.is_empty() && value.trim().eq_ignore_ascii_case(&loop_mark(domain)));
    if is_ours {
        return (Nature::Ours, answered);
    }
    if is_report(message.root_part()) {
        return (Nature::Report(report(message, domain)), answered);
    }
    let is_from_nobody = message.header_raw("Return-Path").is_some_and(|path| path.trim() == "<>");
    if is_from_nobody && answered.is_some() {
        let report = Report { dispatch: answered, action: "unknown", status: None };
        return (Nature::Report(report), answered);
    }
    let is_automatic = is_from_nobody || is_automatic(message);
    (if is_automatic { Nature::Automatic } else { Nature::Letter }, answered)
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

fn is_report(root: &MessagePart<'_>) -> bool {
    let Some(kind) = root.content_type() else { return false };
    let is = |value: Option<&str>, wanted: &str| value.is_some_and(|it| it.eq_ignore_ascii_case(wanted));
    kind.ctype().eq_ignore_ascii_case("multipart")
        && is(kind.subtype(), "report")
        && is(kind.attribute("report-type"), "delivery-status")
}

/// Reads the part for programs, and whose e-mail it was out of the one that came back.
fn report(message: &Message<'_>, domain: &str) -> Report {
    let mut report = Report { dispatch: None, action: "unknown", status: None };
    for part in &message.parts {
        let subtype =
            part.content_type().and_then(|kind| kind.subtype()).unwrap_or_default().to_ascii_lowercase();
        match subtype.as_str() {
            "delivery-status" | "global-delivery-status" => read_status(part.contents(), &mut report),
            "rfc822" | "global" | "rfc822-headers" | "global-headers" => {
                let id = match part.message() {
                    Some(inner) => inner.message_id().map(str::to_owned),
                    None => MessageParser::default()
                        .parse_headers(part.contents())
                        .and_then(|inner| inner.message_id().map(str::to_owned)),
                };
                report.dispatch = report.dispatch.or_else(|| dispatch_of(&id?, domain));
            }
            _ => {}
        }
    }
    report
}

/// RFC 3464, section 2.3: the worst that is said of a recipient; we write to one.
fn read_status(text: &[u8], report: &mut Report) {
    const ACTIONS: [&str; 5] = ["failed", "delayed", "delivered", "relayed", "expanded"];
    for line in String::from_utf8_lossy(text).lines().take(1_000) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim().to_ascii_lowercase();
        if name.trim().eq_ignore_ascii_case("action") {
            let rank = |action: &str| ACTIONS.iter().position(|it| *it == action).unwrap_or(ACTIONS.len());
            if let Some(action) = ACTIONS.get(rank(&value)).filter(|it| rank(it) < rank(report.action)) {
                report.action = action;
            }
        }
        if name.trim().eq_ignore_ascii_case("status") && is_status(&value) {
            report.status.get_or_insert(value);
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
    use super::*;

    const DOMAIN: &str = "kreis.example";

    fn judged(raw: &str) -> (Nature, Option<Id>) {
        nature(&MessageParser::default().parse(raw.as_bytes()).unwrap(), DOMAIN)
    }

    #[test]
    fn programs_give_themselves_away() {
        for header in [
            "Auto-Submitted: auto-replied",
            "Precedence: bulk",
            "List-Unsubscribe: <https://x.example>",
            "Return-Path: <>",
        ] {
            assert_eq!(judged(&format!("{header}\r\nSubject: x\r\n\r\nx")).0, Nature::Automatic, "{header}");
        }
        for header in [
            "Auto-Submitted: no",
            "Precedence: first-class",
            "Return-Path: <a@b.example>",
            "X-Loop: someone@else.example",
        ] {
            assert_eq!(judged(&format!("{header}\r\nSubject: x\r\n\r\nx")).0, Nature::Letter, "{header}");
        }
        assert_eq!(judged("X-Loop: amtsbote@kreis.example\r\n\r\nx").0, Nature::Ours);
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
                 Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n{inner}\r\n--b--\r\n"
            );
            let report = Report { dispatch: Some(dispatch), action: "failed", status: Some("5.1.1".into()) };
            assert_eq!(judged(&raw).0, Nature::Report(report));
        }
    }

    #[test]
    fn an_answer_leads_to_the_dispatch_that_it_answers() {
        let dispatch = model::ids::new_id();
        let id = crate::our_ids::message_id(model::ids::new_id(), dispatch, DOMAIN);
        let raw =
            format!("In-Reply-To: <other@x.example>\r\nReferences: <first@x.example> {id}\r\n\r\nDanke");
        assert_eq!(judged(&raw), (Nature::Letter, Some(dispatch)));
    }
}
