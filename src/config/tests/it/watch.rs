//! `[retention]`, `[alerts]` and `[[alert]]`: what is taken, and what is refused.

use std::path::Path;

use config::{Config, Error};

use crate::EXAMPLE;

const MAIL: &str = r#"
[[adapter]]
id = "mail-out"
kind = "smtp"
tenant = "musterkreis"
authority = "bab:00000001"
unit = "63"
from = "gateway@musterkreis.example"
domain = "musterkreis.example"
subject = "Nachricht"
text = "Nachricht"
server = { host = "mail.musterkreis.example", port = 465 }
"#;

const RULE: &str = r#"
[alerts]
mail = "mail-out"
[[alert]]
id = "certificates"
series = "certificates.days"
below = 30
to = ["leitstelle@musterkreis.example"]
webhook = "https://pager.musterkreis.example/in"
webhook_secret = "file:pager"
repeat_hours = 24
"#;

fn read(added: &str) -> Result<Config, Error> {
    Config::parse(&format!("{EXAMPLE}\n{added}"), Path::new("/srv/amtsbote"))
}

#[test]
fn times_and_rules_are_read() {
    let config = read(&format!("[retention]\nmessages_days = 90\n{MAIL}{RULE}")).unwrap();
    let keeping = config.retention.as_ref().unwrap().keeping();
    assert_eq!((keeping.messages, keeping.records, keeping.every.as_secs()), (Some(90), None, 86_400));
    let rule = &config.alert_rules[0];
    assert_eq!((rule.below, rule.for_minutes), (Some(30.0), 5));
    assert_eq!(rule.webhook_secret.as_deref(), Some("file:/srv/amtsbote/pager"));
    assert!(read("").unwrap().retention.is_none(), "nothing is deleted unless somebody says so");
}

#[test]
fn what_could_tell_nobody_or_keeps_nothing_is_refused() {
    let swapped = |from: &str, to: &str| {
        assert!(RULE.contains(from), "{from}");
        format!("{MAIL}{}", RULE.replacen(from, to, 1))
    };
    for (text, key) in [
        ("[retention]\nmessages_days = 0".to_owned(), "retention.messages_days"),
        ("[retention]\nevery_hours = 0".to_owned(), "retention.every_hours"),
        (swapped("certificates.days", "certificate"), "alert[0].series"),
        (swapped("below = 30", "below = nan"), "alert[0].below"),
        (swapped("below = 30\n", ""), "alert[0].above"),
        (swapped("leitstelle@", "leitstelle"), "alert[0].to"),
        (swapped("webhook_secret = \"file:pager\"\n", ""), "alert[0].webhook_secret"),
        (swapped("https://", "ftp://"), "alert[0].webhook"),
        (swapped("mail = \"mail-out\"\n", ""), "alert[0].to"),
        (swapped("mail = \"mail-out\"", "mail = \"nobody\""), "alerts.mail"),
    ] {
        let error = read(&text).err().unwrap_or_else(|| panic!("accepted: {text}")).to_string();
        assert!(error.contains(key), "{key}: {error}");
    }
}
