//! Message-IDs of the e-mails that go out (RFC 5322, section 3.6.4): they name the delivery and the dispatch, so that answers and reports
//! of failure lead back without anything having been remembered.

use model::Id;

/// `<DELIVERY.DISPATCH@domain>`, both as 32 hexadecimal digits.
pub(crate) fn message_id(delivery: Id, dispatch: Id, domain: &str) -> String {
    format!("<{}.{}@{domain}>", delivery.simple(), dispatch.simple())
}

/// The dispatch that a Message-ID of ours names, with or without its angle brackets.
pub(crate) fn dispatch_of(message_id: &str, domain: &str) -> Option<Id> {
    let id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    let (local, host) = id.rsplit_once('@')?;
    let (delivery, dispatch) = local.split_once('.')?;
    let is_ours = !domain.is_empty() && host.eq_ignore_ascii_case(domain);
    let simple = |text: &str| Id::try_parse(text).ok().filter(|_| text.len() == 32);
    simple(delivery)?;
    simple(dispatch).filter(|_| is_ours)
}

/// The value of our own `X-Loop`.
pub(crate) fn loop_mark(domain: &str) -> String {
    format!("amtsbote@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_of_ours_leads_to_its_dispatch_and_no_other_does() {
        let (delivery, dispatch) = (model::ids::new_id(), model::ids::new_id());
        let ours = message_id(delivery, dispatch, "kreis.example");
        assert_eq!(dispatch_of(&ours, "Kreis.example"), Some(dispatch));
        assert_eq!(dispatch_of(ours.trim_matches(['<', '>']), "kreis.example"), Some(dispatch));
        for (other, domain) in
            [(ours.as_str(), "other.example"), (ours.as_str(), ""), ("<a.b@kreis.example>", "kreis.example")]
        {
            assert_eq!(dispatch_of(other, domain), None);
        }
    }
}
