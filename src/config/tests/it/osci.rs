//! OSCI-Transport in the configuration: the intermediary, and the gateway as a party.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::Config;

use crate::{EXAMPLE, refused, swap};

/// The example with its intermediary, which is commented out there.
fn with_osci() -> String {
    let (front, osci) = EXAMPLE.split_once("# [osci]\n").expect("the section is in the example");
    let is_key = |line: &&str| line.strip_prefix("# ").is_some_and(|rest| rest.contains(" = "));
    let keys: Vec<&str> = osci.lines().filter(is_key).map(|line| &line[2..]).collect();
    format!("{front}[osci]\n{}\n", keys.join("\n"))
}

#[test]
fn the_example_s_intermediary_is_valid_and_shows_every_key_with_its_default() {
    let text = with_osci();
    let osci = Config::parse(&text, Path::new("/srv/amtsbote")).unwrap().osci.unwrap();
    assert_eq!(osci.trust, ["file:/srv/amtsbote/osci/trust.pem"]);
    assert_eq!(osci.cipher[0].key, "file:/srv/amtsbote/osci/intermediary-cipher.p12");
    assert_eq!(osci.signer.password.as_deref(), Some("env:OSCI_PIN"));
    let written = toml::to_string(&osci).unwrap();
    for line in written.lines() {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        assert!(
            text.contains(&format!("\n{key} = "))
                || text.contains(&format!("{{ {key} = "))
                || text.contains(&format!(", {key} = ")),
            "{key}"
        );
    }

    let needed =
        ["authority", "cipher", "signer", "trust", "crl", "ocsp", "passive_recipients", "recipient_signers"];
    let (front, keys) = text.split_once("[osci]\n").unwrap();
    let is_needed = |line: &&str| needed.iter().any(|key| line.starts_with(&format!("{key} = ")));
    let bare: Vec<&str> = keys.lines().filter(is_needed).collect();
    let bare = format!("{front}[osci]\n{}\n", bare.join("\n"));
    let bare = Config::parse(&bare, Path::new("/srv/amtsbote")).unwrap().osci.unwrap();
    assert_eq!(toml::to_string(&bare).unwrap(), written);
}

#[test]
fn an_intermediary_without_trust_keys_or_house_is_refused() {
    let text = with_osci();
    let (front, osci) = text.split_once("\n[osci]\n").unwrap();
    let without = |passage: &str, replacement: &str| {
        assert!(osci.contains(passage), "{passage}");
        refused(&format!("{front}\n[osci]\n{}", osci.replacen(passage, replacement, 1)))
    };
    let missing = without("trust = [\"file:osci/trust.pem\"]\n", "");
    assert_eq!(missing.code(), "config.key");
    assert!(missing.to_string().contains("trust"), "{missing}");
    for (passage, replacement, code, key) in [
        ("trust = [\"file:osci/trust.pem\"]", "trust = []", "config.value", "osci.trust"),
        ("trust = [\"file:osci", "trust = [\"osci", "config.value", "osci.trust[0]"),
        (
            "key = \"file:osci/intermediary-cipher",
            "key = \"MIIE",
            "config.literal-secret",
            "osci.cipher[0].key",
        ),
        (
            "password = \"env:OSCI_PIN\"",
            "password = \"123456\"",
            "config.literal-secret",
            "osci.cipher[0].password",
        ),
        ("authority = \"kv:00000001\"", "authority = \"kv:9\"", "config.undefined", "osci.authority"),
        ("package_mb = 600", "package_mb = 0", "config.value", "osci.package_mb"),
        ("[\"https://fach", "[\"ftp://fach", "config.value", "osci.passive_recipients[0]"),
        (
            "recipient_signers = { \"https://fach",
            "recipient_signers = { \"https://stadt",
            "config.undefined",
            "osci.recipient_signers",
        ),
        (
            "fachverfahren.kreis.example/osci\" = \"file:osci",
            "fachverfahren.kreis.example/osci\" = \"osci",
            "config.value",
            "osci.recipient_signers",
        ),
        ("open_mailboxes", "open_mailboxs", "config.key", ""),
        (
            "without_revocation = \"warn\"",
            "without_revocation = \"refuse\"",
            "config.value",
            "osci.without_revocation",
        ),
    ] {
        let error = without(passage, replacement);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(key) && !error.to_string().contains("123456"), "{error}");
    }
    let beyond = swap(&text, "# osci_plain = \"127.0.0.1", "osci_plain = \"192.0.2.1");
    assert_eq!(refused(&beyond).code(), "config.plain-http");
}

#[test]
fn one_certificate_cannot_be_two_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/osci/TEST-ONLY");
    let keys = folder.path().join("osci");
    std::fs::create_dir(&keys).unwrap();
    let place = |from: &str, to: &str| {
        std::fs::copy(samples.join(from), keys.join(to)).unwrap();
        std::fs::set_permissions(keys.join(to), Permissions::from_mode(0o600)).unwrap();
    };
    place("intermed_cipher.p12", "intermediary-cipher.p12");
    place("intermed_signature.p12", "intermediary-signature.p12");
    place("ca.cer", "trust.pem");
    place("ca.crl", "ca.crl");
    place("bob_cipher.cer", "bauaufsicht-cipher.pem");
    place("bob_signature.cer", "fachverfahren-signature.cer");
    place("carol_cipher.cer", "other.cer");
    let pin = folder.path().join("osci/pin");
    std::fs::write(&pin, "123456").unwrap();
    std::fs::set_permissions(&pin, Permissions::from_mode(0o600)).unwrap();
    let own = "# osci_certificates = [\"file:osci/bauaufsicht-cipher.pem\"]";
    let load = |second: &str| {
        let text = with_osci().replace("env:OSCI_PIN", "file:osci/pin");
        let text = swap(&text, own, &own[2..]);
        let county = "key = \"kv:00000001\"\n";
        let text = swap(&text, county, &format!("{county}osci_certificates = [\"file:osci/{second}\"]\n"));
        Config::parse(&text, folder.path()).unwrap().osci_keys()
    };
    let keys = load("other.cer").unwrap().unwrap();
    let owners: Vec<String> = keys.mailboxes.iter().map(|(_, _, authority)| authority.to_string()).collect();
    assert_eq!(owners, ["bab:00000001", "kv:00000001"]);
    assert_eq!(load("bauaufsicht-cipher.pem").err().unwrap().code(), "config.duplicate");
    assert_eq!(load("absent.cer").err().unwrap().code(), "config.unreadable");
    let broken = load("ca.crl").err().unwrap();
    assert_eq!(broken.code(), "certificate.malformed");
    assert!(broken.to_string().contains("tenant[0].authority[1].osci_certificates"), "{broken}");
}

/// The example with everything of a party in OSCI-Transport, which is commented out there.
fn with_parties() -> String {
    let mut inside = false;
    let mut text = String::new();
    let mut among_adapters = false;
    for line in EXAMPLE.lines() {
        among_adapters |= line.starts_with("# A channel to the outside");
        among_adapters &= !line.starts_with("# An authority that is reached through");
        let begins = ["# osci = {", "# [[partner]]", "# [osci_recipient]", "# [osci_trust]"];
        inside |= !among_adapters && begins.iter().any(|begin| line.starts_with(begin));
        let is_key = line.contains(" = ") || line.starts_with("# [");
        let others = ["# adapter =", "# may_repeat =", "# receiver =", "# court ="];
        let is_other = others.iter().any(|key| line.starts_with(key));
        match line.strip_prefix("# ").filter(|_| inside && is_key && !is_other) {
            Some(key) => text += key,
            None => text += line,
        }
        text.push('\n');
        inside &= !line.is_empty();
    }
    text
}

#[test]
fn a_party_of_the_example_is_valid_and_shows_every_key_with_its_default() {
    let text = with_parties();
    let config = Config::parse(&text, Path::new("/srv/amtsbote")).unwrap();
    let authority = &config.tenants[0].authorities[0];
    let keys = authority.osci.as_ref().unwrap();
    assert_eq!(keys.signer.key, "file:/srv/amtsbote/osci/bauaufsicht-signature.p12");
    let mailbox = &authority.osci_mailboxes[0];
    assert_eq!(mailbox.intermediary_certificate, "file:/srv/amtsbote/osci/land-cipher.cer");
    let reach = config.partners[0].osci.as_ref().unwrap();
    assert_eq!(reach.signed_by, ["file:/srv/amtsbote/osci/partner-signature.cer"]);
    assert_eq!(
        config.osci_recipient.as_ref().unwrap().intermediaries,
        ["file:/srv/amtsbote/osci/land-signature.cer"]
    );
    let defaults = ["every_seconds = 60\n", "mode = \"store\"\n", ", signature = \"rsa-sha256\""];
    let bare = defaults.iter().fold(text.clone(), |text, default| swap(&text, default, ""));
    let bare = Config::parse(&bare, Path::new("/srv/amtsbote")).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::to_string(&bare).unwrap(), written);
    for line in written.lines().filter(|line| !line.starts_with('[')) {
        let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| *value != "[]") else { continue };
        assert!(text.contains(&format!("{key} = ")), "{key}");
    }
}

#[test]
fn a_party_that_lacks_something_is_refused_by_line_and_key() {
    let text = with_parties();
    let authority = "tenant[0].authority[0]";
    for (from, to, code, key) in [
        (
            "osci = { cipher = [{ key = \"file:",
            "osci = { cipher = [{ key = \"",
            "config.literal-secret",
            ".osci.cipher[0].key",
        ),
        ("osci = { cipher = [{", "osci = { cypher = [{", "config.key", ".osci"),
        ("every_seconds = 60", "every_seconds = 0", "config.value", ".osci_mailbox[0].every_seconds"),
        ("every_seconds = 60", "every = 60", "config.key", ".osci_mailbox[0]"),
        (
            "intermediary = \"https://",
            "intermediary = \"ldap://",
            "config.value",
            ".osci_mailbox[0].intermediary",
        ),
        ("answers_by = \"file:", "answers_by = \"", "config.value", ".osci_mailbox[0].answers_by"),
        ("mode = \"store\"", "mode = \"forward\"", "config.value", "partner[0].osci"),
        ("mode = \"store\"", "mode = \"fax\"", "config.value", "partner[0].osci.mode"),
        ("mode = \"store\"", "receiver = \"https://a.example\"", "config.value", "partner[0].osci.receiver"),
        ("signed_by = [\"file:", "signed_by = [\"", "config.value", "partner[0].osci.signed_by[0]"),
        ("[partner.osci]", "may_repeat = true\n[partner.osci]", "config.value", "partner[0].may_repeat"),
        ("[partner.osci]", "adapter = \"land\"\n[partner.osci]", "config.undefined", "partner[0].adapter"),
        ("prefer = [\"osci\"]", "prefer = [\"adapter\"]", "config.value", "partner[0].prefer[0]"),
        ("prefer = [\"osci\"]", "prefer = [\"osci\", \"osci\"]", "config.duplicate", "partner[0].prefer[1]"),
        ("prefer = [\"osci\"]", "prefer = [\"fax\"]", "config.value", "partner[0].prefer[0]"),
        (
            "authorities = [\"bab:00000001\"]",
            "authorities = [\"bab:9\"]",
            "config.undefined",
            "osci_recipient.authorities[0]",
        ),
        (
            "authorities = [\"bab:00000001\"]",
            "authorities = [\"kv:00000001\"]",
            "config.value",
            "osci_recipient.authorities[0]",
        ),
        ("authorities = [\"bab:00000001\"]", "authorities = []", "config.value", "osci_recipient"),
        ("\ntrust = [\"file:osci/trust.pem\"]", "\ntrust = []", "config.value", "osci_trust.trust"),
        ("\nocsp = \"http://", "\nocsp = \"ldap://", "config.value", "osci_trust.ocsp"),
    ] {
        let error = refused(&swap(&text, from, to));
        let key = if key.starts_with('.') { format!("{authority}{key}") } else { key.to_owned() };
        assert_eq!(error.code(), code, "{to}: {error}");
        assert!(error.to_string().contains(&key) && error.to_string().starts_with("line "), "{key}: {error}");
    }
    let adapter = "[[adapter]]\nid = \"osci\"\nkind = \"remote\"\nurl = \"https://a\"\nsecret = \"env:A\"\n";
    assert_eq!(refused(&format!("{EXAMPLE}{adapter}")).code(), "config.value");
    let fetches_without_keys =
        text.lines().filter(|line| !line.starts_with("osci = {")).collect::<Vec<_>>().join("\n");
    let error = refused(&fetches_without_keys);
    assert!(error.to_string().contains("tenant[0].authority[0].osci_mailbox[0]"), "{error}");
}

#[test]
fn each_way_to_sign_has_the_name_that_the_example_gives_it() {
    let names =
        ["rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha512", "rsa-pss-sha3-512", "ecdsa-sha256"];
    let folder = Path::new("/srv/amtsbote");
    for name in names {
        assert!(EXAMPLE.contains(&format!("\"{name}\"")), "{name}");
        let text = swap(&with_osci(), "signature = \"rsa-sha256\"\n", &format!("signature = \"{name}\"\n"));
        let osci = Config::parse(&text, folder).unwrap().osci.unwrap();
        assert!(toml::to_string(&osci).unwrap().contains(&format!("signature = \"{name}\"")), "{name}");
    }
}
