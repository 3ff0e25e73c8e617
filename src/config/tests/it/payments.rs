//! `[payments]`, `[[payment_provider]]` and `[[payment_account]]`.

use std::path::Path;

use config::{Config, FIELDS};

use crate::{EXAMPLE, refused, swap};

/// The example with everything about payments in force, but of two ways to do one thing the second.
fn whole() -> String {
    let begins = EXAMPLE.find("# E-payment (docs").unwrap();
    let (before, section) = EXAMPLE.split_at(begins);
    let section = section.split("# The intermediary of OSCI-Transport").next().unwrap();
    let is_setting = |line: &&str| {
        let key = line.strip_prefix("# ").unwrap_or_default();
        key.starts_with('[') || key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
    };
    let second = ["# basic = ", "# bearer = ", "# stripe = ", "# computop = "];
    let lines =
        section.lines().filter(is_setting).filter(|line| !second.iter().any(|it| line.starts_with(it)));
    let lines: String = lines.map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    swap(before, "# public = ", "public = ") + &lines
}

fn parsed(text: &str) -> Config {
    Config::parse(text, Path::new("/srv/amtsbote")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_examples_for_payments_are_valid() {
    let config = parsed(&whole());
    assert_eq!(config.payment_providers.len(), 6);
    let secret = config.payment_providers[0].girocheckout.as_ref().map(|it| it.password.as_str());
    assert_eq!(secret, Some("file:/srv/amtsbote/payment/giro.secret"));
    let account = config.payment_accounts[0].account();
    assert_eq!(account.bank.unwrap().iban, "DE89370400440532013000", "without blanks");
    assert_eq!(account.numbering.reference(7).as_deref(), Some("420000000007"));
    assert_eq!(account.format, "musterkreis/gebuehren");

    for line in toml::to_string(&config).unwrap().lines() {
        let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| *value != "[]") else { continue };
        assert!(EXAMPLE.contains(&format!("{key} = ")), "{key} is not explained");
    }
}

#[test]
fn all_ways_to_sign_in_and_to_be_notified_are_taken() {
    for (from, to) in [
        ("client = { token", "basic = { user = \"a\", password = \"env:A\" } # { token"),
        ("secret = \"file:payment/hook.secret\"", "bearer = \"env:TOKEN\""),
        ("standard = [", "stripe = ["),
        ("standard = [", "computop = { merchant = \"m\", hmac_passwords = [\"env:A\"] } # ["),
    ] {
        parsed(&swap(&whole(), from, to));
    }
}

#[test]
fn what_is_wrong_with_payments_is_refused_by_key() {
    let value = "config.value";
    for (from, to, code, key) in [
        ("https://zahlung.kreis.example", "http://zahlung.kreis.example", value, "payments.public_url"),
        ("https://zahlung.kreis.example", "https://zahlung.kreis.example/", value, "payments.public_url"),
        ("https://zahlung.kreis.example", "https://", value, "payments.public_url"),
        ("[\"portal.kreis.example\"]", "[\"https://portal\"]", value, "payments.return_hosts[0]"),
        ("id = \"giro\"", "id = \"gi/ro\"", value, "payment_provider[0].id"),
        ("id = \"xbz\"", "id = \"giro\"", "config.duplicate", "payment_provider[1].id"),
        (
            "tenant = \"musterkreis\"\nwindow",
            "tenant = \"x\"\nwindow",
            "config.undefined",
            "payment_provider[0].tenant",
        ),
        ("window_minutes = 60", "window_minutes = 0", value, "payment_provider[0].window_minutes"),
        ("girocheckout = {", "other = {", "config.key", "payment_provider[0]"),
        ("girocheckout = {", "# {", value, "payment_provider[0]"),
        (
            "\"file:payment/giro.secret\"",
            "\"geheim\"",
            "config.literal-secret",
            "payment_provider[0].girocheckout.password",
        ),
        ("/api/v2\"", "/api/v2/\"", value, "payment_provider[0].girocheckout.url"),
        ("project = \"1234\"", "project = \"\"", value, "payment_provider[0].girocheckout.project"),
        ("client = { token", "# { token", value, "payment_provider[1].xbezahldienste"),
        (
            "end_point = \"05974000\"",
            "end_point = \"a/b\"",
            value,
            "payment_provider[1].xbezahldienste.end_point",
        ),
        (
            "\"file:payment/pm.salt\"",
            "\"salz\"",
            "config.literal-secret",
            "payment_provider[2].pmpayment.salt",
        ),
        ("data_model = 2", "data_model = 4", value, "payment_provider[3].epaybl.data_model"),
        ("secret = \"file:payment/hook.secret\"", "", value, "payment_provider[5].webhook"),
        ("refunds = true", "refunds = true\nstripe = [\"env:A\"]", value, "payment_provider[5].webhook"),
        (
            "id = \"giro\"\ntenant = \"musterkreis\"",
            "id = \"transfer\"\ntenant = \"musterkreis\"",
            value,
            "payment_provider[0].id",
        ),
        ("provider = \"giro\"", "provider = \"nobody\"", "config.undefined", "payment_account[0].provider"),
        (
            "id = \"giro\"\ntenant = \"musterkreis\"",
            "id = \"giro\"\ntenant = \"musterstadt\"",
            "config.undefined",
            "payment_account[0].provider",
        ),
        ("registers = \"gateway\"", "registers = \"cash-system\"", value, "payment_account[0].numbering"),
        ("registers = \"gateway\"", "registers = \"nobody\"", value, "payment_account[0].registers"),
        ("digits = 10", "digits = 3", value, "payment_account[0].numbering.digits"),
        (
            "prefix = \"42\", digits = 10, check_digit = false",
            "prefix = \"4\", digits = 4, check_digit = false",
            value,
            "payment_account[0].numbering.digits",
        ),
        (
            "prefix = \"42\", digits = 10, check_digit = false",
            "prefix = \"A\", digits = 10, check_digit = true",
            value,
            "payment_account[0].numbering.prefix",
        ),
        ("0130 00\"", "0130 01\"", value, "payment_account[0].bank.iban"),
        ("COBADEFFXXX", "COBA", value, "payment_account[0].bank.bic"),
        ("unit = \"10\"\nbudget", "unit = \"99\"\nbudget", "config.undefined", "payment_account[0].unit"),
        ("format = \"csv\"", "format = \"xml\"", value, "payment_account[0].csv"),
        ("\"cash-reference\"]", "\"kassenzeichen\"]", value, "payment_account[0].csv.columns[0]"),
        ("separator = \";\"", "separator = \",\"", value, "payment_account[0].csv.separator"),
        ("separator = \";\"", "separator = \"ö\"", value, "payment_account[0].csv.separator"),
        ("charset = \"utf-8\"", "charset = \"ebcdic\"", value, "payment_account[0].csv.charset"),
    ] {
        let error = refused(&swap(&whole(), from, to));
        assert_eq!(error.code(), code, "{to}: {error}");
        assert!(error.to_string().contains(key), "{to}: {error}");
        assert!(error.to_string().starts_with("line "), "{to}: {error}");
        assert!(!error.to_string().contains("geheim") && !error.to_string().contains("DE89"), "{error}");
    }
}

#[test]
fn payments_need_their_section() {
    let without =
        swap(&swap(&whole(), "[payments]\npublic_url", "# public_url"), "return_hosts", "# return_hosts");
    assert_eq!(refused(&without).code(), "config.value");
    let alone = swap(EXAMPLE, "# public = ", "public = ");
    assert!(refused(&alone).to_string().contains("listen.public"));
    let open = swap(&whole(), "public = \"127.0.0.1:8444\"", "public = \"0.0.0.0:8444\"");
    assert_eq!(refused(&open).code(), "config.plain-http");
}

#[test]
fn every_field_stands_in_the_documentation() {
    let page = include_str!("../../../../docs/payments-cash.md");
    for field in FIELDS {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}
